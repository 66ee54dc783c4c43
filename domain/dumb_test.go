package domain_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/qtccc/assent/domain"
)

// TestTheLawDecidesAsItsTextDoes holds DecideAccess, on facts and views, to the
// contract's section 3 read straight off the list of events, as slowly and literally
// as that can be written: same decision, same clauses and codes, same rights, of
// special terms the same events, the same edition, the same violation.
func TestTheLawDecidesAsItsTextDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := settled(t)
		for _, r := range requests(t, l) {
			sameAsTheText(t, literal{l.Events, l.Now}, r, decide(l, r))
		}
		for _, v := range (literal{l.Events, l.Now}).violations() { // whichever the next attempt joins
			if v.client == "" || v.party == "" {
				continue
			}
			r := &domain.AccessRequest{Client: v.client, Record: "ordinary", Party: v.party, Action: domain.Use, Purpose: "curiosity"}
			sameAsTheText(t, literal{l.Events, l.Now}, r, decide(l, r))
		}
		for _, e := range l.Events {
			if r, ok := e.Data.(*domain.AccessRequest); ok && e.Decision != nil {
				sameAsTheText(t, literal{l.Events[:e.Seq-1], e.Time}, r, e.Decision)
			}
		}
	})
}

func sameAsTheText(t *rapid.T, text literal, r *domain.AccessRequest, got *domain.Decision) {
	var said []string
	for _, why := range got.Reasons {
		by := why.Right
		if why.Clause == "II.6" {
			by = fmt.Sprint(why.Refs)
		}
		said = append(said, fmt.Sprint(why.Clause, " ", why.Code, " ", by))
	}
	granted, want := text.decide(r)
	want = text.once(r.Client, want)
	slices.Sort(said)
	slices.Sort(want)
	if got.Granted() != granted || !slices.Equal(said, want) {
		t.Fatalf("%+v at %s:\n got %s %q\nwant %v %q", *r, text.at, got.Decision, said, granted, want)
	}
	if n, _ := text.edition(); n != got.Edition {
		t.Fatalf("edition %d, and %d is in force", got.Edition, n)
	}
	joined := text.joins(r.Client, r.Party)
	if joined == "" {
		joined = got.Attempt
	}
	if !granted && got.Violation != joined {
		t.Fatalf("%+v: violation %s, not %s", *r, got.Violation, joined)
	}
}

// literal reads the contract off a list of events, at a time.
type literal struct {
	events []*domain.Event
	at     time.Time
}

// each calls do for every accepted event whose data is a D.
func each[D any](l literal, do func(*domain.Event, *D)) {
	for _, e := range l.events {
		if d, ok := any(e.Data).(*D); ok && e.Refusal == nil {
			do(e, d)
		}
	}
}

type literalParty struct {
	*domain.PartyRegister
	retired bool
}

// party is one that is registered and not erased.
func (l literal) party(id domain.ID) (p literalParty, ok bool) {
	each(l, func(_ *domain.Event, d *domain.PartyRegister) {
		if d.Party == id {
			p.PartyRegister, ok = d, true
		}
	})
	for _, e := range l.events {
		switch d := e.Data.(type) {
		case *domain.PartyRetire:
			p.retired = p.retired || e.Refusal == nil && d.Party == id
		case *domain.PartyRestore:
			p.retired = p.retired && (e.Refusal != nil || d.Party != id)
		}
	}
	each(l, func(_ *domain.Event, d *domain.ErasureApprove) {
		if d.Party == id {
			p, ok = literalParty{}, false
		}
	})
	return p, ok
}

// record is what is said of the record by now, and whether it was destroyed.
func (l literal) record(client, id domain.ID) (r domain.RecordRegister, destroyed, ok bool) {
	for _, e := range l.events {
		switch d := e.Data.(type) {
		case *domain.RecordRegister:
			if e.Refusal == nil && d.Client == client && d.Record == id {
				r, ok = *d, true
			}
		case *domain.RecordAmend:
			if e.Refusal == nil && d.Client == client && d.Record == id {
				if d.Class != "" {
					r.Class = d.Class
				}
				if d.Engagement != "" {
					r.Engagement = d.Engagement
				}
				if d.Medium != "" {
					r.Medium = d.Medium
				}
			}
		case *domain.RecordDestroy:
			destroyed = destroyed || e.Refusal == nil && d.Client == client && d.Record == id
		}
	}
	return r, destroyed, ok
}

func (l literal) paper(id domain.ID) (f *domain.EvidenceFile, void bool) {
	each(l, func(_ *domain.Event, d *domain.EvidenceFile) {
		if d.Evidence == id {
			f = d
		}
	})
	each(l, func(_ *domain.Event, d *domain.EvidenceVoid) { void = void || d.Evidence == id })
	return f, void
}

// client: it is registered and not erased.
func (l literal) client(id domain.ID) (is bool) {
	each(l, func(_ *domain.Event, d *domain.ClientRegister) { is = is || d.Client == id })
	each(l, func(_ *domain.Event, d *domain.ErasureApprove) { is = is && d.Client != id })
	return is
}

// standing are the bars of P.1, P.2, P.3 and III.6.
func (l literal) standing(q *domain.AccessRequest, id, person domain.ID) (bars []string) {
	p, ok := l.party(id)
	good := false
	if !ok {
		return nil
	}
	switch p.Category {
	case domain.Staff:
		each(l, func(_ *domain.Event, d *domain.TrainingComplete) {
			good = good || d.Party == person && l.at.Before(d.Until.Time)
		})
		if !good {
			bars = append(bars, "P.2 untrained ")
		}
	case domain.Contractor:
		each(l, func(_ *domain.Event, d *domain.UndertakingGive) {
			_, void := l.paper(d.Evidence)
			good = good || d.Party == id && !void && (d.Until.IsZero() || l.at.Before(d.Until.Time))
		})
		if !good {
			bars = append(bars, "P.3 no-undertaking ")
		}
	case domain.Assignee:
		each(l, func(_ *domain.Event, d *domain.AssignmentNotify) {
			good = good || d.Client == q.Client && d.Assignee == id
		})
		if !good {
			bars = append(bars, "III.6 not-notified ")
		}
	}
	return bars
}

func (l literal) decide(q *domain.AccessRequest) (granted bool, why []string) {
	record, destroyed, known := l.record(q.Client, q.Record)
	p, registered := l.party(q.Party)
	bearer, come := l.party(q.Bearer)
	if !l.client(q.Client) {
		why = append(why, "II.0 unknown-client ")
	} else if !known {
		why = append(why, "II.0 unknown-record ")
	}
	if !registered || q.Bearer != "" && !come {
		why = append(why, "II.0 unknown-party ")
	}
	if why != nil {
		return false, why
	}
	person := q.Party
	if q.Bearer != "" {
		person = q.Bearer
	}
	why = l.standing(q, q.Party, person)
	if principal, _ := l.party(q.BehalfOf); p.retired || bearer.retired || principal.retired {
		why = append(why, "P.1 party-retired ")
	}
	if q.Bearer != "" && bearer.Of != q.Party {
		why = append(why, "III.5 not-of-party ")
	}
	if !slices.Contains(domain.Purposes, domain.Purpose(q.Purpose)) {
		why = append(why, "I.3 unknown-purpose ")
	}
	if destroyed {
		why = append(why, "II.5 destroyed ")
	}
	confirmed := l.confirmed(q)
	if confirmed != "" && confirmed != "IV.3 confirmed " {
		why = append(why, confirmed)
	}
	who := []domain.ID{q.Party}
	for _, other := range []domain.ID{q.Bearer, q.BehalfOf} {
		if other != "" {
			who = append(who, other)
		}
	}
	senders := literalSide{who: who, acts: []domain.ID{q.Party}, actions: []domain.Action{q.Action}, class: record.Class}
	if q.BehalfOf != "" {
		senders.acts = append(senders.acts, q.BehalfOf)
	}
	receivers := literalSide{[]domain.ID{q.Recipient}, []domain.ID{q.Recipient}, []domain.Action{domain.Transfer, domain.Consult}, record.Class}
	if forbid := l.forbidding(q, senders); forbid != nil {
		why = append(why, fmt.Sprint("II.6 terms-forbid ", forbid))
	}
	sides := []literalSide{senders}
	if _, ok := l.party(q.Recipient); ok {
		sides = append(sides, receivers)
	}
	approved := l.approval(q, sides)
	if strings.HasPrefix(approved, "II.6 approval-missing") {
		why = append(why, approved)
	}
	var theirs []string
	if to, ok := l.party(q.Recipient); q.Action == domain.Transfer && q.Recipient == "" {
		why = append(why, "II.1 recipient-missing ")
	} else if q.Action == domain.Transfer && !ok {
		why = append(why, "II.0 recipient-unknown-party ")
	} else if q.Action == domain.Transfer {
		against := l.standing(q, q.Recipient, q.Recipient)
		if to.retired {
			against = append(against, "P.1 party-retired ")
		}
		if forbid := l.forbidding(q, receivers); forbid != nil {
			against = append(against, fmt.Sprint("II.6 terms-forbid ", forbid))
		}
		serves, basis := l.basis(q, q.Recipient, domain.Consult, "")
		if theirs = prefixed(basis); !serves {
			against, theirs = append(against, basis...), nil
		}
		why = append(why, prefixed(against)...)
	}
	serves, basis := l.basis(q, q.Party, q.Action, q.BehalfOf)
	if !serves {
		return false, append(why, basis...)
	}
	if why != nil {
		return false, why
	}
	for _, used := range []string{confirmed, approved} {
		if used != "" {
			basis = append(basis, used)
		}
	}
	return true, append(basis, theirs...)
}

// once leaves each clause and code once, with the earliest of the rights that gave it.
func (l literal) once(client domain.ID, reasons []string) (out []string) {
	made := map[string]domain.Seq{}
	for _, r := range l.rights() {
		if r.client == client {
			made[fmt.Sprint(r.kind, "/", r.id)] = r.made
		}
	}
	by := map[string]string{}
	for _, r := range reasons {
		w := strings.SplitN(r, " ", 3)
		other, ok := by[w[0]+" "+w[1]]
		if !ok || made[w[2]] < made[other] {
			by[w[0]+" "+w[1]] = w[2]
		}
	}
	for why, right := range by {
		out = append(out, why+" "+right)
	}
	return out
}

func prefixed(reasons []string) (out []string) {
	for _, r := range reasons {
		out = append(out, strings.Replace(r, " ", " recipient-", 1))
	}
	return out
}

// confirmed is what IV.3 says: nothing where nothing is modified.
func (l literal) confirmed(q *domain.AccessRequest) string {
	if q.Action != domain.Modify {
		return ""
	}
	f, void := l.paper(q.Confirmation)
	if f == nil || void || f.Kind != domain.ModificationConfirmation || f.Client != q.Client || !f.Signed || f.Record != "" && f.Record != q.Record {
		return "IV.3 confirmation-missing "
	}
	used := false
	each(l, func(e *domain.Event, d *domain.AccessRequest) {
		by, _ := l.paper(d.Confirmation)
		used = used || e.Decision.Granted() && d.Action == domain.Modify && d.Client == q.Client && by.SHA256 == f.SHA256
	})
	if used {
		return "IV.3 confirmation-used "
	}
	return "IV.3 confirmed "
}
