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
// as that can be written: same decision, same clauses and codes, same rights.
func TestTheLawDecidesAsItsTextDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := settled(t)
		for _, r := range requests(t, l) {
			got := decide(l, r)
			var said []string
			for _, why := range got.Reasons {
				said = append(said, fmt.Sprint(why.Clause, " ", why.Code, " ", why.Right))
			}
			text := literal{l.Events, l.Now}
			granted, want := text.decide(r)
			want = text.once(r.Client, want)
			slices.Sort(said)
			slices.Sort(want)
			if got.Granted() != granted || !slices.Equal(said, want) {
				t.Fatalf("%+v at %s:\n got %s %q\nwant %v %q", *r, l.Now, got.Decision, said, granted, want)
			}
		}
	})
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

// A literalRight is a right as the commands on it left it.
type literalRight struct {
	kind, id, client, party, evidence, engagement, designation domain.ID
	made                                                       domain.Seq
	issued                                                     time.Time
	scope                                                      domain.Scope
	purposes                                                   []domain.Purpose
	actions                                                    []domain.Action
	until                                                      domain.Time
	ended                                                      bool
}

func (l literal) rights() (rs []*literalRight) {
	one := func(kind, client, id domain.ID, do func(*literalRight)) {
		for _, r := range rs {
			if r.kind == kind && r.client == client && r.id == id {
				do(r)
			}
		}
	}
	end := func(r *literalRight) { r.ended = true }
	for _, e := range l.events {
		if e.Refusal != nil {
			continue
		}
		switch d := e.Data.(type) {
		case *domain.EngagementConfirm:
			for _, n := range d.Designees {
				p := n.Purposes
				if p == nil {
					p = d.Purposes
				}
				rs = append(rs, &literalRight{kind: "designation", id: n.Designation, client: d.Client, party: n.Party, evidence: d.Evidence,
					made: e.Seq, scope: n.Scope, purposes: p, actions: n.Actions, until: n.Until})
			}
		case *domain.DesignationMake:
			p := d.Purposes
			if p == nil {
				p = domain.Purposes
			}
			rs = append(rs, &literalRight{kind: "designation", id: d.Designation, client: d.Client, party: d.Party, evidence: d.Evidence,
				made: e.Seq, scope: d.Scope, purposes: p, actions: d.Actions, until: d.Until})
		case *domain.DesignationChange:
			one("designation", d.Client, d.Designation, func(r *literalRight) {
				r.scope, r.purposes, r.actions, r.until, r.evidence = d.Scope, d.Purposes, d.Actions, d.Until, d.Evidence
			})
			for _, r := range rs {
				r.ended = r.ended || r.kind == "delegation" && r.client == d.Client && r.designation == d.Designation
			}
		case *domain.DesignationRevoke:
			one("designation", d.Client, d.Designation, end)
		case *domain.DelegationAuthorize:
			rs = append(rs, &literalRight{kind: "delegation", id: d.Delegation, client: d.Client, party: d.Delegate, evidence: d.Evidence,
				made: e.Seq, designation: d.Designation, until: d.Until})
		case *domain.DelegationRevoke:
			one("delegation", d.Client, d.Delegation, end)
		case *domain.ConsentGive:
			rs = append(rs, &literalRight{kind: "consent", id: d.Consent, client: d.Client, party: d.Party, evidence: d.Evidence,
				made: e.Seq, scope: d.Scope, purposes: d.Purposes, actions: d.Actions, until: d.Until})
		case *domain.ConsentWithdraw:
			one("consent", d.Client, d.Consent, end)
		case *domain.AuthorizationIssue:
			rs = append(rs, &literalRight{kind: "authorization", id: d.Authorization, client: d.Client, party: d.Party, evidence: d.Evidence,
				engagement: d.Engagement, made: e.Seq, issued: e.Time, scope: d.Scope, purposes: d.Purposes, actions: d.Actions, until: d.Until})
		case *domain.AuthorizationRevoke:
			one("authorization", d.Client, d.Authorization, end)
		case *domain.EngagementClose:
			for _, r := range rs {
				r.ended = r.ended || r.kind == "authorization" && r.client == d.Client && r.engagement == d.Engagement
			}
		}
	}
	return rs
}

func (l literal) inForce(r *literalRight) bool {
	_, void := l.paper(r.evidence)
	return !r.ended && !void && (r.until.IsZero() || l.at.Before(r.until.Time))
}

var checks = strings.Fields("exists force reviewed scope sensitive purpose action serves")

// passes is the first of the checks that the right fails.
func (l literal) passes(r *literalRight, q *domain.AccessRequest, action domain.Action) int {
	record, _, _ := l.record(q.Client, q.Record)
	actions := r.actions
	if actions == nil {
		actions = []domain.Action{domain.Consult}
	}
	purpose := domain.Purpose(q.Purpose)
	inScope := bool(r.scope.All) || slices.Contains(r.scope.Records, q.Record) ||
		record.Engagement != "" && slices.Contains(r.scope.Engagements, record.Engagement)
	if r.kind == "authorization" && r.engagement != "" && record.Engagement != "" && record.Engagement != r.engagement {
		inScope = false
	}
	for i, passed := range []bool{
		true,
		l.inForce(r),
		r.kind != "authorization" || l.at.Before(r.issued.AddDate(0, 6, 0)), // no day of these histories is a month's last
		inScope,
		record.Class != domain.Sensitive || r.scope.Sensitive,
		!slices.Contains(domain.Purposes, purpose) || slices.Contains(r.purposes, purpose),
		slices.Contains(actions, action),
	} {
		if !passed {
			return i
		}
	}
	return len(checks) - 1
}

// furthest is how far the party's rights of the kind got, and the earliest that did.
func (l literal) furthest(kind domain.ID, q *domain.AccessRequest, party domain.ID, action domain.Action) (check, right string) {
	best := 0
	for _, r := range l.rights() {
		if r.kind == kind && r.client == q.Client && r.party == party {
			if n := l.passes(r, q, action); n > best {
				best, right = n, fmt.Sprint(kind, "/", r.id)
			}
		}
	}
	return checks[best], right
}

var literalFailures = map[domain.ID]map[string]string{
	"designation": {"exists": "IV.1 not-designated", "force": "IV.1 designation-ended", "scope": "IV.1 outside-scope", "action": "IV.1 action-not-covered"},
	"authorization": {"exists": "II.2 no-authorization", "force": "II.2 authorization-ended", "reviewed": "II.2 review-overdue", "scope": "II.2 outside-scope",
		"action": "II.2 action-not-covered"},
	"consent": {"force": "II.1 consent-ended", "scope": "II.1 outside-scope", "action": "II.1 action-not-covered"},
}

func literalFailure(kind domain.ID, check, right string) string {
	switch check {
	case "sensitive":
		return "II.4 sensitive-not-covered " + right
	case "purpose":
		return "I.3 purpose-not-covered " + right
	}
	return literalFailures[kind][check] + " " + right
}

func (l literal) everDesignated(client domain.ID) (ever bool) {
	rest := func(paper domain.ID) {
		_, void := l.paper(paper)
		ever = ever || !void
	}
	each(l, func(_ *domain.Event, d *domain.EngagementConfirm) {
		if d.Client == client && d.Designees != nil {
			rest(d.Evidence)
		}
	})
	each(l, func(_ *domain.Event, d *domain.DesignationMake) {
		if d.Client == client {
			rest(d.Evidence)
		}
	})
	each(l, func(_ *domain.Event, d *domain.DesignationChange) {
		if d.Client == client {
			rest(d.Evidence)
		}
	})
	return ever
}

func (l literal) contact(client, party domain.ID) (is bool) {
	for _, e := range l.events {
		if e.Refusal != nil {
			continue
		}
		switch d := e.Data.(type) {
		case *domain.ClientRegister:
			is = is || d.Client == client && slices.Contains(d.Contacts, party)
		case *domain.ContactName:
			is = is || d.Client == client && d.Party == party
		case *domain.ContactDrop:
			is = is && (d.Client != client || d.Party != party)
		}
	}
	return is
}

// basis is the first that serves, or why none does.
func (l literal) basis(q *domain.AccessRequest, id domain.ID, action domain.Action, behalfOf domain.ID) (bool, []string) {
	p, _ := l.party(id)
	if behalfOf != "" {
		return l.delegated(q, p, action, behalfOf)
	}
	var why []string
	early, kind := !l.everDesignated(q.Client), domain.ID("authorization")
	if p.Category == domain.External {
		kind = "designation"
		if early && l.contact(q.Client, id) {
			if action == domain.Consult {
				return true, []string{"IV.2 contact contact/" + string(id)}
			}
			why, kind = append(why, "IV.2 action-not-covered contact/"+string(id)), ""
		}
	}
	if kind != "" {
		switch check, right := l.furthest(kind, q, id, action); {
		case check == "serves" && kind == "designation":
			return true, []string{"III.3 designated " + right}
		case check == "serves":
			clause := map[domain.Category]string{"staff": "III.1", "contractor": "III.2", "authority": "III.4", "assignee": "III.6"}[p.Category]
			return true, []string{"II.2 authorized " + right, clause + " " + string(p.Category) + " "}
		case check == "exists" && kind == "designation" && early:
			why = append(why, "IV.2 not-contact ")
		default:
			why = append(why, literalFailure(kind, check, right))
		}
	}
	if p.Category != domain.Staff && p.Category != domain.Contractor {
		check, right := l.furthest("consent", q, id, action)
		if check == "serves" {
			return true, []string{"II.1 consented " + right}
		}
		if check != "exists" {
			why = append(why, literalFailure("consent", check, right))
		}
	}
	return false, why
}

func (l literal) delegated(q *domain.AccessRequest, p literalParty, action domain.Action, behalfOf domain.ID) (bool, []string) {
	ever, best, of := "", -1, ""
	for _, r := range l.rights() {
		for _, from := range l.rights() {
			if r.kind != "delegation" || from.kind != "designation" || r.client != q.Client || from.client != q.Client || r.party != p.Party ||
				from.id != r.designation || from.party != behalfOf {
				continue
			}
			if ever == "" {
				ever = "delegation/" + string(r.id)
			}
			if n := l.passes(from, q, action); l.inForce(r) && n > best {
				best, of = n, "delegation/"+string(r.id)
			}
		}
	}
	switch {
	case p.Category != domain.External || ever == "":
		return false, []string{"III.5 not-delegated "}
	case best < 0:
		return false, []string{"III.5 delegation-ended " + ever}
	case checks[best] == "serves":
		return true, []string{"III.5 delegated " + of}
	}
	return false, []string{literalFailure("designation", checks[best], of)}
}

// standing are the bars of P.1, P.2, P.3 and III.6.
func (l literal) standing(q *domain.AccessRequest, id, person domain.ID) (bars []string) {
	p, _ := l.party(id)
	good := false
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
	client := false
	each(l, func(_ *domain.Event, d *domain.ClientRegister) { client = client || d.Client == q.Client })
	_, destroyed, known := l.record(q.Client, q.Record)
	p, registered := l.party(q.Party)
	bearer, come := l.party(q.Bearer)
	if !client {
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
	if confirmed != "" {
		basis = append(basis, confirmed)
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
