package lawtest

import (
	"fmt"
	"slices"
	"time"

	"github.com/qtccc/assent/domain"
)

// A Chance picks a number from 0 to n-1.
type Chance func(n int) int

func pick[T any](c Chance, of ...T) T { return of[c(len(of))] }

// some picks between none and all of the words, in their order.
func some[T any](c Chance, of []T) []T {
	return slices.DeleteFunc(slices.Clone(of), func(T) bool { return c(2) > 0 })
}

// Settle registers what the made-up commands are about: parties of every category,
// persons of institutions, a person of the staff for each identity that needs one,
// two clients with a contact and two records each, and papers of theirs.
func (l *Ledger) Settle() {
	for _, p := range []*domain.PartyRegister{
		{Party: "agency", Category: domain.Staff, Kind: domain.Institution},
		{Party: "wu", Category: domain.Staff, Kind: domain.Person, Of: "agency"},
		{Party: "chen", Category: domain.Staff, Kind: domain.Person, Of: "agency"},
		{Party: "boss", Category: domain.Staff, Kind: domain.Person},
		{Party: "intern", Category: domain.Staff, Kind: domain.Person, Of: "agency"},
		{Party: "courier", Category: domain.Contractor, Kind: domain.Institution},
		{Party: "driver", Category: domain.Contractor, Kind: domain.Person, Of: "courier"},
		{Party: "li", Category: domain.External, Kind: domain.Person},
		{Party: "firm", Category: domain.External, Kind: domain.Institution},
		{Party: "lawyer", Category: domain.External, Kind: domain.Person, Of: "firm"},
		{Party: "nmpa", Category: domain.Authority, Kind: domain.Institution},
		{Party: "buyer", Category: domain.Assignee, Kind: domain.Institution},
	} {
		p.Name = Text(len(l.Events))
		l.Must("clerk", p)
	}
	for _, who := range [][2]domain.ID{{"clerk", "wu"}, {"officer", "chen"}, {"manager", "boss"}} {
		l.Must("admin", &domain.IdentityRotate{Actor: who[0], PublicKey: Key(string(who[0]) + "-2"), Party: who[1]})
	}
	for _, of := range []domain.ID{"acme", "beta"} {
		l.Must("clerk", &domain.ClientRegister{Client: of, Name: Text(len(l.Events)), Contacts: []domain.ID{"li"}})
		for _, class := range domain.Classes {
			l.Must("clerk", &domain.RecordRegister{Client: of, Record: domain.ID(class), Title: Text(len(l.Events)), Class: class,
				Medium: domain.Electronic, Encrypted: true,
				Retention: domain.Retention{After: domain.AfterRegistration, Keep: domain.Period{Days: 200}}})
		}
	}
	for i, kind := range []domain.EvidenceKind{domain.ConfirmationLetter, domain.ConfirmationLetter, domain.SpecialAuthorization,
		domain.ConsentPaper, domain.ConsentPaper, domain.EngagementConfirmation, domain.ModificationConfirmation, domain.UndertakingPaper} {
		e := l.evidence(kind)
		if e.SHA256 = Digest(100 + i); kind == domain.UndertakingPaper {
			e.Client, e.Party = "", "courier"
		}
		l.Must("clerk", e)
	}
}

// evidence is a new paper of acme's, signed and stamped today.
func (l *Ledger) evidence(kind domain.EvidenceKind) *domain.EvidenceFile {
	return &domain.EvidenceFile{Evidence: domain.ID(fmt.Sprint("e", len(l.Events))), Client: "acme", Kind: kind, Size: 1, MediaType: "application/pdf",
		Signed: true, Stamped: true, SignedOn: domain.Time{Time: l.Now}, Custody: domain.OnPaper, Place: Text(3)}
}

// Step moves the clock by some days or not at all and records one more event, of a
// command that is made up. Settle was called before.
func (l *Ledger) Step(c Chance) *domain.Event {
	if c(6) == 0 {
		l.Now = l.Now.AddDate(0, 0, 1+c(20))
	}
	for {
		as, data := l.MakeUp(c)
		var blank []string
		if c(20) == 0 {
			blank = []string{"/need", "/custody"}
		}
		if _, e := l.Do(as, data, blank...); e != nil {
			return e
		}
	}
}

// MakeUp makes up a command and who issues it.
func (l *Ledger) MakeUp(c Chance) (domain.ID, domain.Data) {
	as := pick[domain.ID](c, "officer", "officer", "officer", "officer", "officer", "officer", "clerk", "manager")
	switch c(8) {
	case 0, 1:
		if c(20) == 0 {
			as = "auditor"
		}
		return as, l.Request(c)
	case 2:
		return as, l.file(c)
	case 3:
		return as, l.MakeUpTaking(c)
	case 4:
		return l.about(c, as)
	default:
		return as, l.give(c)
	}
}

// give makes up what gives a right.
func (l *Ledger) give(c Chance) domain.Data {
	of, id := l.client(c), domain.ID(fmt.Sprint("x", len(l.Events)))
	switch c(8) {
	case 0, 1:
		return &domain.DesignationMake{Client: of, Designation: id, Party: l.outsider(c), Scope: l.scope(c, of), Purposes: l.purposes(c),
			Actions: l.actions(c), Until: l.until(c), Evidence: l.paper(c, domain.ConfirmationLetter, of)}
	case 2:
		d := l.right(c, domain.Designated)
		return &domain.DesignationChange{Client: d.client, Designation: d.id, Scope: l.scope(c, d.client), Purposes: domain.Purposes,
			Actions: domain.Actions, Until: l.until(c), Evidence: l.paper(c, domain.ConfirmationLetter, d.client)}
	case 3:
		d := l.right(c, domain.Designated)
		return &domain.DelegationAuthorize{Client: d.client, Delegation: id, Designation: d.id, Delegate: l.outsider(c), Until: l.until(c),
			Evidence: l.paper(c, domain.SpecialAuthorization, d.client)}
	case 4:
		return &domain.ConsentGive{Client: of, Consent: id, Party: pick(c, l.outsider(c), l.outsider(c), "buyer", l.party(c)), Scope: l.scope(c, of), Purposes: domain.Purposes,
			Actions: l.actions(c), Until: l.until(c), Evidence: l.paper(c, domain.ConsentPaper, of)}
	case 5:
		e := &domain.EngagementConfirm{Client: of, Engagement: id, Evidence: l.paper(c, domain.EngagementConfirmation, of),
			Purposes: domain.Purposes}
		for i := range c(3) {
			e.Designees = append(e.Designees, domain.Designee{Designation: id + domain.ID(fmt.Sprint("-", i)), Party: l.outsider(c),
				Scope: pick(c, l.scope(c, of), domain.Scope{Engagements: []domain.ID{id}}), Actions: l.actions(c), Until: l.until(c)})
		}
		return e
	default:
		a := &domain.AuthorizationIssue{Client: of, Authorization: id, Party: pick(c, "wu", "intern", "courier", "nmpa", "buyer", l.party(c)), Scope: l.scope(c, of), Purposes: domain.Purposes,
			Actions: l.actions(c), Need: Text(1), Until: l.until(c), Evidence: pick(c, "", "", l.paper(c, domain.OtherPaper, of))}
		if c(4) == 0 {
			a.Purposes = domain.Purposes[:2]
		} else {
			a.Engagement = l.engagement(c, of)
		}
		return a
	}
}

// MakeUpTaking makes up what takes a right away, or a party, a paper or a record
// out of reach.
func (l *Ledger) MakeUpTaking(c Chance) domain.Data {
	of := l.client(c)
	switch c(9) {
	case 0:
		return &domain.EvidenceVoid{Evidence: pick(c, append(l.made.papers, "none")...), Reason: Text(1)}
	case 1:
		r := l.right(c, domain.Designated)
		return &domain.DesignationRevoke{Client: r.client, Designation: r.id, Reason: Text(1)}
	case 2:
		r := l.right(c, domain.Delegated)
		return &domain.DelegationRevoke{Client: r.client, Delegation: r.id, Reason: Text(1)}
	case 3:
		r := l.right(c, domain.Consented)
		return &domain.ConsentWithdraw{Client: r.client, Consent: r.id}
	case 4:
		r := l.right(c, domain.Authorized)
		return &domain.AuthorizationRevoke{Client: r.client, Authorization: r.id, Reason: Text(1)}
	case 5:
		return &domain.EngagementClose{Client: of, Engagement: l.engagement(c, of), Reason: Text(1)}
	case 6:
		return &domain.ContactDrop{Client: of, Party: l.outsider(c)}
	case 7:
		return &domain.PartyRetire{Party: pick[domain.ID](c, "intern", "courier", "driver", "li", "firm", "lawyer", "nmpa", "buyer"), Reason: Text(1)}
	default:
		return &domain.RecordDestroy{Client: of, Record: l.record(c, of), Method: domain.Methods[0], Operator: "wu", Witness: pick[domain.ID](c, "chen", "wu", "boss"),
			Evidence: pick(c, "", l.paper(c, domain.DestructionRequest, of))}
	}
}

// about makes up what is about parties, clients, records and identities.
func (l *Ledger) about(c Chance, as domain.ID) (domain.ID, domain.Data) {
	of, id, encrypted := l.client(c), domain.ID(fmt.Sprint("x", len(l.Events))), c(3) > 0
	switch c(16) {
	case 0, 12, 13:
		return as, &domain.PartyRestore{Party: l.party(c), Reason: Text(1)}
	case 1, 14:
		return as, &domain.TrainingComplete{Party: pick[domain.ID](c, "intern", "intern", "wu", "boss", "chen", "agency"), Course: pick[domain.ID](c, "basics", "archive"), Until: domain.Time{Time: l.Now.AddDate(0, 0, c(200))}}
	case 2, 15:
		party := pick[domain.ID](c, "courier", "driver")
		return as, &domain.UndertakingGive{Party: party, Evidence: l.paper(c, domain.UndertakingPaper, party), Until: l.until(c)}
	case 3:
		return as, &domain.ContactName{Client: of, Party: l.outsider(c)}
	case 4, 5:
		r := &domain.RecordRegister{Client: of, Record: id, Engagement: pick(c, "", l.engagement(c, of)), Title: Text(1), Class: pick(c, domain.Classes...),
			Medium: pick(c, domain.Media...), Custody: pick(c, "", Text(2)), Encrypted: encrypted,
			Retention: domain.Retention{After: domain.AfterRegistration, Keep: domain.Period{Days: c(60)}}}
		if r.Engagement != "" && c(2) == 0 {
			r.Retention.After = domain.AfterEngagement
		}
		return as, r
	case 6:
		return as, &domain.RecordAmend{Client: of, Record: l.record(c, of), Engagement: pick(c, "", l.engagement(c, of)), Class: pick(c, "", domain.Ordinary, domain.Sensitive),
			Medium: pick(c, "", domain.Electronic, domain.Physical), Encrypted: pick(c, nil, &encrypted), Reason: Text(1)}
	case 7:
		return as, &domain.AssignmentNotify{Client: of, Assignee: "buyer", Channel: "letter"}
	case 8:
		return as, &domain.EngagementReopen{Client: of, Engagement: l.engagement(c, of), Reason: Text(1)}
	case 9:
		return as, &domain.ClientAmend{Client: of, Name: Text(len(l.Events)), Reason: Text(1)}
	case 10:
		return "admin", &domain.IdentityRotate{Actor: pick[domain.ID](c, "clerk", "officer"), PublicKey: Key(string(id))}
	default:
		return "admin", pick[domain.Data](c, &domain.LedgerRekey{Log: Log(2)}, &domain.ClockAffirm{})
	}
}

// file makes up evidence. Its content is one of a few, so that papers are filed
// again.
func (l *Ledger) file(c Chance) domain.Data {
	e := l.evidence(pick(c, domain.ConfirmationLetter, domain.ConfirmationLetter, domain.SpecialAuthorization, domain.ConsentPaper,
		domain.EngagementConfirmation, domain.ModificationConfirmation, domain.DestructionRequest, domain.OtherPaper, domain.UndertakingPaper))
	e.Client, e.SHA256, e.Signed, e.Stamped = l.client(c), Digest(100+c(9)), c(9) > 0, c(6) > 0
	if e.Kind == domain.UndertakingPaper {
		e.Client, e.Party = "", pick[domain.ID](c, "courier", "driver")
	} else if c(9) == 0 {
		e.Record = l.record(c, e.Client)
	}
	return e
}

// Request makes up an access request. Most are of somebody who was given a right for
// what it was given for, some of just anybody.
func (l *Ledger) Request(c Chance) *domain.AccessRequest {
	of := l.client(c)
	r := &domain.AccessRequest{Client: of, Record: l.record(c, of), Party: l.party(c), Action: pick(c, domain.Actions...),
		Purpose: domain.ID(pick(c, domain.Purposes...))}
	if c(4) > 0 {
		l.aim(c, r)
	}
	switch {
	case r.Action == domain.Transfer && c(9) > 0:
		r.Recipient = l.party(c)
	case r.Action == domain.Modify && c(9) > 0:
		r.Confirmation = l.paper(c, domain.ModificationConfirmation, r.Client)
	}
	switch c(24) {
	case 0, 1:
		r.BehalfOf = l.outsider(c)
	case 2:
		r.Bearer = l.party(c)
	case 3:
		r.Party, r.Bearer = "firm", "lawyer"
	case 4:
		r.Client, r.Party = pick[domain.ID](c, r.Client, "nobody"), pick[domain.ID](c, r.Party, "nobody")
	case 5:
		r.Purpose = "curiosity"
	}
	return r
}

// aim makes the request one that a right may cover.
func (l *Ledger) aim(c Chance, r *domain.AccessRequest) {
	rights := l.made.rights[pick(c, domain.Designated, domain.Consented, domain.Authorized, domain.Delegated)]
	if len(rights) == 0 {
		r.Party, r.Action = "li", domain.Consult
		return
	}
	t := pick(c, rights...)
	r.Client, r.Party, r.BehalfOf, r.Action = t.client, t.party, t.principal, domain.Consult
	if t.actions != nil {
		r.Action = pick(c, t.actions...)
	}
	if t.purposes != nil {
		r.Purpose = domain.ID(pick(c, t.purposes...))
	}
	if t.scope.Records != nil {
		r.Record = t.scope.Records[0]
	}
}

func (l *Ledger) client(c Chance) domain.ID {
	return pick[domain.ID](c, "acme", "acme", "acme", "acme", "acme", "beta")
}

func (l *Ledger) party(c Chance) domain.ID { return pick(c, l.made.parties...) }
func (l *Ledger) outsider(c Chance) domain.ID {
	return pick[domain.ID](c, "li", "li", "firm", "lawyer", "lawyer", "nmpa")
}

func (l *Ledger) record(c Chance, of domain.ID) domain.ID {
	if c(40) == 0 {
		return "none"
	}
	return pick(c, append(l.made.records[of], "ordinary", "sensitive")...)
}

func (l *Ledger) engagement(c Chance, of domain.ID) domain.ID {
	if n := len(l.made.engagements[of]); n > 0 && c(20) > 0 {
		return l.made.engagements[of][max(0, n-1-c(3))]
	}
	return "none"
}

func (l *Ledger) right(c Chance, kind domain.RightKind) right {
	return pick(c, append(l.made.rights[kind], right{client: "acme", id: "none"})...)
}

// paper is mostly one of that kind filed for the client or party, the last more
// likely than those before.
func (l *Ledger) paper(c Chance, kind domain.EvidenceKind, of domain.ID) domain.ID {
	for i := len(l.made.filed) - 1; i >= 0 && c(30) > 0; i-- {
		if e := l.made.filed[i]; e.Kind == kind && (e.Client == of || e.Party == of) && c(3) > 0 {
			return e.Evidence
		}
	}
	return pick(c, append(l.made.papers, "none")...)
}

func (l *Ledger) scope(c Chance, of domain.ID) domain.Scope {
	s := domain.Scope{Sensitive: c(2) == 0}
	switch c(4) {
	case 0:
		s.Records = []domain.ID{l.record(c, of)}
	case 1:
		s.Engagements = []domain.ID{l.engagement(c, of)}
	default:
		s.All = true
	}
	return s
}

func (l *Ledger) purposes(c Chance) []domain.Purpose {
	if c(2) == 0 {
		return nil
	}
	return append(some(c, domain.Purposes[1:]), domain.Purposes[0])
}

func (l *Ledger) actions(c Chance) []domain.Action {
	if c(3) == 0 {
		return nil
	}
	return append([]domain.Action{domain.Consult}, some(c, domain.Actions[1:])...)
}

// until is the end of a day, the same for many, or none.
func (l *Ledger) until(c Chance) domain.Time {
	if c(3) == 0 {
		return domain.Time{}
	}
	return domain.Time{Time: l.Now.Truncate(24*time.Hour).AddDate(0, 0, c(120))}
}
