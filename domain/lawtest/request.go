package lawtest

import (
	"slices"
	"time"

	"github.com/qtccc/assent/domain"
)

// Request makes up an access request. Most are of somebody who was given a right for
// what it was given for, some of just anybody, some by an approval.
func (l *Ledger) Request(c Chance) *domain.AccessRequest {
	if g := l.approval(c); g != nil && c(10) == 0 {
		return l.approved(c, g)
	}
	if c(12) == 0 {
		if r := l.passing(c); r != nil {
			return r
		}
	}
	of := l.client(c)
	r := &domain.AccessRequest{Client: of, Record: l.record(c, of), Party: l.party(c), Action: pick(c, domain.Actions...),
		Purpose: domain.ID(pick(c, domain.Purposes...))}
	if c(4) > 0 {
		l.aim(c, r)
	}
	switch {
	case r.Action == domain.Transfer && c(9) > 0:
		r.Recipient = pick(c, l.party(c), l.holder(c, r), l.holder(c, r), l.holder(c, r), l.a(c, pick(c, domain.Categories...)))
	case r.Action == domain.Modify && c(9) > 0:
		r.Confirmation = l.paper(c, domain.ModificationConfirmation, r.Client)
	}
	switch c(32) {
	case 0, 1:
		r.BehalfOf = l.outsider(c)
	case 2:
		r.Bearer = l.party(c)
	case 3:
		r.Party, r.Bearer = "firm", "lawyer"
	case 4:
		r.Party, r.Bearer = "courier", "driver"
	case 5:
		r.Client, r.Party = pick(c, r.Client, "nobody"), pick(c, r.Party, "nobody")
	case 6:
		r.Purpose = "curiosity"
	case 7:
		if g := l.approval(c); g != nil {
			r.Approval = g.Approval
		}
	case 8:
		if r.Action == domain.Transfer {
			r.Recipient = "nobody"
		}
	case 9, 10:
		return l.again(c, r)
	case 11:
		for _, t := range l.made.rights[domain.Delegated] {
			if slices.Contains(l.made.erased, t.principal) {
				r.Client, r.Party, r.BehalfOf = t.client, t.party, t.principal
			}
		}
	}
	return r
}

// again is an access that was denied not long ago; else it is r.
func (l *Ledger) again(c Chance, r *domain.AccessRequest) *domain.AccessRequest {
	for i := len(l.Events) - 1; i >= 0; i-- {
		if l.Events[i].Type == "access.denied" && c(4) == 0 {
			asked := *l.Events[i].Data.(*domain.AccessRequest)
			return &asked
		}
	}
	return r
}

// aim makes the request one that a right may cover.
func (l *Ledger) aim(c Chance, r *domain.AccessRequest) {
	var rights []right
	for _, kind := range []domain.RightKind{domain.Designated, domain.Authorized, domain.Consented, domain.Delegated} {
		if len(l.made.rights[kind]) > 0 && (rights == nil || c(2) == 0) {
			rights = l.made.rights[kind]
		}
	}
	if rights == nil || c(8) == 0 {
		r.Party, r.Action = l.a(c, domain.External), domain.Consult
		return
	}
	t := late(c, 8, rights)
	r.Client, r.Party, r.BehalfOf, r.Action = t.client, t.party, t.principal, domain.Consult
	if t.actions != nil {
		r.Action = pick(c, t.actions...)
	}
	if slices.Contains(t.actions, domain.Transfer) && c(2) == 0 {
		r.Action = domain.Transfer
	}
	if t.purposes != nil {
		r.Purpose = domain.ID(pick(c, t.purposes...))
	}
	if r.Record = l.record(c, t.client); t.scope.Records != nil {
		r.Record = t.scope.Records[0]
	}
}

// passing is a transfer between two who may, where such are soon found.
func (l *Ledger) passing(c Chance) *domain.AccessRequest {
	for range 4 {
		r := &domain.AccessRequest{Client: l.client(c), Action: domain.Transfer, Purpose: domain.ID(pick(c, domain.Purposes...))}
		r.Record = l.record(c, r.Client)
		for range min(40, len(l.made.parties)) {
			r.Party = l.party(c)
			d := domain.DecideAccess(l.View(), r, l.Now, l.Next())
			if len(d.Reasons) == 1 && d.Reasons[0].Code == "recipient-missing" {
				r.Recipient = l.holder(c, r)
				return r
			}
		}
	}
	return nil
}

// holder is one that could consult the record for this purpose, where there is one.
func (l *Ledger) holder(c Chance, r *domain.AccessRequest) domain.ID {
	q := domain.AccessRequest{Client: r.Client, Record: r.Record, Action: domain.Consult, Purpose: r.Purpose}
	for range min(40, 2*len(l.made.parties)) {
		if q.Party = l.a(c, pick(c, domain.Categories...)); q.Party != r.Party && domain.DecideAccess(l.View(), &q, l.Now, l.Next()).Granted() {
			break
		}
	}
	return q.Party
}

// approval is one of the last that were given; nil where none was.
func (l *Ledger) approval(c Chance) *domain.ApprovalGive {
	if len(l.made.approvals) == 0 {
		return nil
	}
	return late(c, 4, l.made.approvals)
}

// fresh is an approval that was given a moment ago; nil where none was.
func (l *Ledger) fresh() *domain.ApprovalGive {
	for _, e := range l.Events[max(0, len(l.Events)-4):] {
		if g, ok := e.Data.(*domain.ApprovalGive); ok && e.Refusal == nil && l.made.wanted[g] != nil {
			return g
		}
	}
	return nil
}

// approved is the access that the approval was asked for, by it.
func (l *Ledger) approved(c Chance, g *domain.ApprovalGive) *domain.AccessRequest {
	r := domain.AccessRequest{}
	if w := l.made.wanted[g]; w != nil {
		r = *w
		l.made.wanted[g] = nil
	}
	r.Client, r.Approval, r.Party, r.Record, r.Action = g.Client, g.Approval, g.Party, g.Record, g.Action
	r.Purpose, r.Recipient = domain.ID(g.Purpose), g.Recipient
	switch n := c(12); { // another access than the approved one
	case n == 0:
		r.Record = l.record(c, r.Client)
	case n == 1:
		r.Purpose = domain.ID(pick(c, domain.Purposes...))
	case n < 5 && r.Recipient != "":
		r.Recipient = l.holder(c, &r)
	}
	if r.Action == domain.Modify {
		r.Confirmation = l.paper(c, domain.ModificationConfirmation, r.Client)
	}
	return &r
}

// wanting is the last access that was denied for want of an approval alone; nil
// where none was.
func (l *Ledger) wanting() *domain.AccessRequest {
	for i := len(l.Events) - 1; i >= max(0, len(l.Events)-30); i-- {
		if d := l.Events[i].Decision; d != nil && len(d.Reasons) == 1 && d.Reasons[0].Code == "approval-missing" {
			return l.Events[i].Data.(*domain.AccessRequest)
		}
	}
	return nil
}

// special makes up special terms, their end, and approvals of what they want
// approved.
func (l *Ledger) special(c Chance) domain.Data {
	r := l.wanting()
	switch {
	case r != nil && c(4) > 0:
		return l.approve(c, r)
	case c(6) == 0:
		return l.approve(c, l.Request(c))
	case len(l.made.terms) < 4 && c(3) > 0:
		return l.terms(c)
	}
	t := of{l.client(c), "none"}
	if len(l.made.terms) > 0 {
		t = pick(c, l.made.terms...)
	}
	return &domain.TermsEnd{Client: t.client, Terms: t.id, Evidence: l.ending(c, t.client)}
}

// ending is a paper by which the client agreed no terms yet; where there is none, it
// is likely to be filed next.
func (l *Ledger) ending(c Chance, of domain.ID) domain.ID {
	for i := len(l.made.filed) - 1; i >= 0; i-- {
		f := l.made.filed[i]
		if f.Client != of || f.Kind != domain.SpecialTerms || !f.Signed || l.made.agreed[signing{of, f.SHA256}] {
			continue
		}
		known, _ := l.View().Get(domain.Key{Kind: domain.KindEvidence, C: string(f.Evidence)})
		if known.Fact.(*domain.Evidence).Voided == 0 && c(6) > 0 {
			return f.Evidence
		}
	}
	l.made.missing = append(l.made.missing, missing{domain.SpecialTerms, of})
	return l.paper(c, domain.SpecialTerms, of)
}

// approve makes up an approval of the access.
func (l *Ledger) approve(c Chance, of *domain.AccessRequest) domain.Data {
	r := *of
	if r.Action == domain.Transfer && (r.Recipient == "" || c(6) == 0) {
		r.Recipient = pick(c, l.party(c), "chen", "vice")
	}
	if r.Purpose == "curiosity" {
		r.Purpose = domain.ID(domain.Fees)
	}
	g := &domain.ApprovalGive{Client: r.Client, Approval: l.next("g"), Party: r.Party, Record: r.Record, Action: r.Action,
		Purpose: domain.Purpose(r.Purpose), Recipient: r.Recipient, Until: l.day(c, 60), Evidence: l.attached(c, r.Client)}
	l.made.wanted[g] = &r
	return g
}

// terms makes up special terms, of rules that leave most accesses alone; where there
// are many, the end of some.
func (l *Ledger) terms(c Chance) domain.Data {
	if len(l.made.terms) > 6 {
		t := pick(c, l.made.terms...)
		return &domain.TermsEnd{Client: t.client, Terms: t.id, Evidence: l.ending(c, t.client)}
	}
	t := &domain.TermsAgree{Client: l.client(c), Terms: l.next("t"), Rules: []domain.TermsRule{}}
	t.Evidence = l.paper(c, domain.SpecialTerms, t.Client)
	for range c(3) {
		t.Rules = append(t.Rules, l.rule(c, t.Client))
	}
	if c(3) > 0 {
		t.Until = l.day(c, 90)
	}
	return t
}

func (l *Ledger) rule(c Chance, of domain.ID) domain.TermsRule {
	r := domain.TermsRule{Effect: pick(c, append(domain.Effects, domain.Approve, domain.Approve)...)}
	if r.Effect != domain.Approve || c(3) == 0 {
		if c(3) > 0 {
			r.Parties = []domain.ID{l.party(c), l.outsider(c)}[c(2):]
		}
		if r.Parties == nil || c(2) == 0 {
			r.Categories = atLeast(c, domain.Categories)
		}
	}
	switch c(4) {
	case 0:
		r.Purposes = atLeast(c, domain.Purposes)
	case 1:
		r.Records = []domain.ID{l.record(c, of)}
	case 2:
		r.Classes = []domain.Class{pick(c, domain.Classes...)}
	}
	if c(3) > 0 {
		r.Actions = atLeast(c, domain.Actions)
	}
	return r
}

// lend makes up loans of what somebody was granted access to within some days, returns,
// and accesses to what can be lent.
func (l *Ledger) lend(c Chance) domain.Data {
	of, original := l.client(c), domain.ID("original")
	if record := l.lent(of); record != "none" && c(2) == 0 {
		return &domain.RecordReturn{Client: of, Record: record}
	}
	days := 24 * time.Hour * pick[time.Duration](c, 1, 1, 1, 4)
	for i := len(l.Events) - 1; i >= 0 && l.Now.Sub(l.Events[i].Time) <= days; i-- {
		r, ok := l.Events[i].Data.(*domain.AccessRequest)
		if !ok || l.Events[i].Type != "access.granted" || c(3) == 0 {
			continue
		}
		if !l.physical(r.Client, r.Record) {
			if c(4) == 0 {
				return &domain.RecordAmend{Client: r.Client, Record: r.Record, Medium: domain.Physical, Custody: Text(2), Reason: Text(1)}
			}
			continue
		}
		if c(6) == 0 { // what was granted before it came to be on paper
			return &domain.RecordAmend{Client: r.Client, Record: r.Record, Medium: domain.Electronic, Reason: Text(1)}
		}
		out := &domain.RecordLend{Client: r.Client, Record: r.Record, Holder: r.Party}
		if other := pick(c, r.Bearer, r.Recipient); other != "" {
			out.Holder = other
		}
		if c(2) == 0 {
			out.Until = l.until(c)
		}
		return out
	}
	if c(8) == 0 {
		return &domain.RecordLend{Client: of, Record: pick(c, l.record(c, of), original), Holder: l.party(c)}
	}
	r := l.Request(c)
	for k, known := range l.View().List(domain.KindRecord, string(r.Client), "") {
		if r := known.Fact.(*domain.Record); r.Medium == domain.Physical && r.Destroyed == 0 {
			original = domain.ID(k.C)
		}
	}
	r.Record = original
	return r
}

// lent is one of the client's records that is lent; none where none is.
func (l *Ledger) lent(of domain.ID) domain.ID {
	for k, known := range l.View().List(domain.KindRecord, string(of), "") {
		if known.Fact.(*domain.Record).Lent != 0 {
			return domain.ID(k.C)
		}
	}
	return "none"
}

// physical says whether the record is one that can be lent.
func (l *Ledger) physical(of, id domain.ID) bool {
	known, ok := l.View().Get(domain.Key{Kind: domain.KindRecord, A: string(of), C: string(id)})
	return ok && known.Fact.(*domain.Record).Medium == domain.Physical
}

// months is a period that is tighter than every longer one of its kind, from
// whatever day it runs.
func months(n int) domain.Period { return domain.Period{Months: n} }

// publish makes up an edition as tight as the last, or tighter.
func (l *Ledger) publish(c Chance) *domain.PolicyPublish {
	last := domain.EditionInForce(l.View(), l.Now.Add(10_000*time.Hour))
	p := &domain.PolicyPublish{Edition: l.made.edition + 1 + c(2), Major: c(2) == 0, SHA256: Digest(7), ReviewEvery: last.ReviewEvery,
		NoticeWithin: last.NoticeWithin, Summary: Text(1)}
	if n := last.ReviewEvery.Months; n > 1 && c(3) > 0 {
		p.ReviewEvery = months(n - 1 - c(n-1))
	}
	if c(2) == 0 {
		p.Effective = domain.Time{Time: l.Now.AddDate(0, 0, c(40))}
	}
	return p
}
