package domain_test

import (
	"fmt"
	"slices"

	"github.com/qtccc/assent/domain"
)

// A literalSide is one of the two as which an access is held against special terms.
type literalSide struct {
	who     []domain.ID // the party, its bearer, the one it acts for
	acts    []domain.ID // of these, who has to be allowed: not the bearer
	actions []domain.Action
	class   domain.Class
}

type literalTerms struct {
	made  domain.Seq
	rules []domain.TermsRule
}

// terms are the client's in force. Void papers end none.
func (l literal) terms(client domain.ID) (in []literalTerms) {
	each(l, func(e *domain.Event, d *domain.TermsAgree) {
		ended := !d.Until.IsZero() && !l.at.Before(d.Until.Time)
		each(l, func(_ *domain.Event, by *domain.TermsEnd) {
			ended = ended || by.Client == d.Client && by.Terms == d.Terms
		})
		if d.Client == client && !ended {
			in = append(in, literalTerms{e.Seq, d.Rules})
		}
	})
	return in
}

// matches: every field given fits, any value of it. Whom an `only` rule names is no
// condition.
func (l literal) matches(r domain.TermsRule, q *domain.AccessRequest, s literalSide) bool {
	named, ofCategory, action := r.Parties == nil, r.Categories == nil, r.Actions == nil
	for _, id := range s.who {
		named = named || slices.Contains(r.Parties, id)
		p, ok := l.party(id)
		ofCategory = ofCategory || ok && slices.Contains(r.Categories, p.Category)
	}
	for _, a := range s.actions {
		action = action || slices.Contains(r.Actions, a)
	}
	return (r.Effect == domain.Only || named && ofCategory) && action &&
		(r.Purposes == nil || slices.Contains(r.Purposes, domain.Purpose(q.Purpose))) &&
		(r.Records == nil || slices.Contains(r.Records, q.Record)) &&
		(r.Classes == nil || slices.Contains(r.Classes, s.class))
}

// forbidding are the terms that forbid it: a `forbid` rule matches, or an `only` rule
// does and one who acts is not allowed, neither by itself nor by its category.
func (l literal) forbidding(q *domain.AccessRequest, s literalSide) (by []domain.Seq) {
	for _, t := range l.terms(q.Client) {
		forbids := false
		for _, r := range t.rules {
			if r.Effect == domain.Approve || !l.matches(r, q, s) {
				continue
			}
			forbids = forbids || r.Effect == domain.Forbid
			for _, id := range s.acts {
				p, ok := l.party(id)
				forbids = forbids || !slices.Contains(r.Parties, id) && !(ok && slices.Contains(r.Categories, p.Category))
			}
		}
		if forbids {
			by = append(by, t.made)
		}
	}
	return by
}

// approval is what II.6 says of the approval: nothing where no rule wants one.
func (l literal) approval(q *domain.AccessRequest, sides []literalSide) string {
	var wanted []domain.Seq
	for _, t := range l.terms(q.Client) {
		if slices.ContainsFunc(t.rules, func(r domain.TermsRule) bool {
			return r.Effect == domain.Approve && slices.ContainsFunc(sides, func(s literalSide) bool { return l.matches(r, q, s) })
		}) {
			wanted = append(wanted, t.made)
		}
	}
	if wanted == nil {
		return ""
	}
	given, spent := domain.Seq(0), domain.Seq(0)
	each(l, func(e *domain.Event, g *domain.ApprovalGive) {
		if g.Client != q.Client || g.Approval != q.Approval || g.Party != q.Party || g.Record != q.Record || g.Action != q.Action ||
			domain.ID(g.Purpose) != q.Purpose || g.Recipient != q.Recipient || !l.at.Before(g.Until.Time) {
			return
		}
		given = e.Seq
	})
	each(l, func(_ *domain.Event, w *domain.ApprovalWithdraw) {
		if w.Client == q.Client && w.Approval == q.Approval {
			given = 0
		}
	})
	each(l, func(e *domain.Event, d *domain.AccessRequest) {
		if d.Client == q.Client && d.Approval == q.Approval && slices.ContainsFunc(e.Decision.Reasons, func(r domain.Reason) bool { return r.Code == "approved" }) {
			spent = e.Seq
		}
	})
	switch {
	case given == 0:
		return fmt.Sprint("II.6 approval-missing ", wanted)
	case spent != 0:
		wanted = append(wanted, spent)
		slices.Sort(wanted)
		return fmt.Sprint("II.6 approval-missing ", wanted)
	}
	return fmt.Sprint("II.6 approved ", []domain.Seq{given})
}

// A literalViolation is one that a denial or a report opened.
type literalViolation struct {
	id            domain.UUID
	client, party domain.ID
	involved      []domain.ID // party, bearers, recipients, principals
	closed        bool
}

// violations are all of them, the earliest first.
func (l literal) violations() (vs []*literalViolation) {
	for _, e := range l.events {
		if e.Refusal != nil {
			continue
		}
		switch d := e.Data.(type) {
		case *domain.AccessRequest:
			if e.Decision.Granted() {
				continue
			}
			open := slices.IndexFunc(vs, func(v *literalViolation) bool { return !v.closed && v.client == d.Client && v.party == d.Party })
			if open < 0 {
				vs, open = append(vs, &literalViolation{id: e.ID, client: d.Client, party: d.Party}), len(vs)
			}
			vs[open].involved = append(vs[open].involved, d.Party, d.Bearer, d.Recipient, d.BehalfOf)
		case *domain.ViolationReport:
			vs = append(vs, &literalViolation{id: e.ID, client: d.Client, party: d.Party, involved: []domain.ID{d.Party}})
		case *domain.ViolationClose:
			for _, v := range vs {
				v.closed = v.closed || v.id == d.Violation
			}
		}
	}
	return vs
}

// joins is the violation that a denied attempt of the party joins; empty where it
// opens one.
func (l literal) joins(client, party domain.ID) domain.UUID {
	for _, v := range l.violations() {
		if !v.closed && v.client == client && v.party == party {
			return v.id
		}
	}
	return ""
}
