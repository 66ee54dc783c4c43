package lawtest

import (
	"slices"

	"github.com/qtccc/assent/domain"
)

// about makes up what is about parties, clients, records and identities.
func (l *Ledger) about(c Chance) domain.Data {
	of, id := l.client(c), l.next("x")
	switch c(25) {
	case 0, 1, 2:
		return &domain.PartyRestore{Party: l.retired(c), Reason: Text(1)}
	case 3, 4, 24:
		return &domain.TrainingComplete{Party: pick(c, "agency", l.party(c), l.a(c, domain.Staff), l.a(c, domain.Staff), l.a(c, domain.Staff)),
			Course: pick[domain.ID](c, "basics", "archive"), Until: domain.Time{Time: l.Now.AddDate(0, 0, c(200))}}
	case 5, 6:
		party := l.a(c, domain.Contractor)
		return &domain.UndertakingGive{Party: party, Evidence: l.paper(c, domain.UndertakingPaper, party), Until: l.until(c)}
	case 7:
		return &domain.ContactName{Client: of, Party: l.outsider(c)}
	case 8, 9, 10:
		return l.register(c, of, id)
	case 11, 12:
		encrypted := c(3) > 0
		record := pick(c, l.record(c, of), l.lent(of))
		return &domain.RecordAmend{Client: of, Record: record, Engagement: pick(c, "", l.engagement(c, of)), Class: pick(c, "", domain.Ordinary, domain.Sensitive),
			Medium: pick(c, "", "", domain.Electronic, domain.Physical), Custody: pick(c, "", Text(2)), Encrypted: pick(c, nil, &encrypted), Reason: Text(1)}
	case 13, 14:
		return &domain.AssignmentNotify{Client: of, Assignee: l.a(c, domain.Assignee), Channel: "letter"}
	case 15:
		return &domain.EngagementReopen{Client: of, Engagement: l.engagement(c, of), Reason: Text(1)}
	case 16:
		return &domain.ClientAmend{Client: of, Name: Text(len(l.Events)), Reason: Text(1)}
	case 17:
		return &domain.ClientRegister{Client: l.next("c"), Name: Text(len(l.Events)), Contacts: []domain.ID{l.a(c, domain.External), l.outsider(c)}[c(2):]}
	case 18:
		return &domain.PartyAmend{Party: l.party(c), Name: Text(len(l.Events)), Reason: Text(1)}
	case 19, 20:
		p := &domain.PartyRegister{Party: l.next("p"), Category: pick(c, domain.Categories...), Kind: domain.Person, Name: Text(len(l.Events))}
		if c(2) == 0 {
			p.Category, p.Of = domain.External, "firm"
		}
		return p
	default:
		return l.identity(c)
	}
}

func (l *Ledger) register(c Chance, of, id domain.ID) domain.Data {
	l.made.bare = ""
	r := &domain.RecordRegister{Client: of, Record: id, Engagement: pick(c, "", l.engagement(c, of)), Title: Text(1), Class: pick(c, domain.Classes...),
		Medium: pick(c, domain.Media...), Custody: pick(c, "", Text(2)), Encrypted: c(3) > 0,
		Retention: domain.Retention{After: domain.AfterRegistration, Keep: domain.Period{Days: c(60)}}}
	if r.Engagement != "" && c(2) == 0 {
		r.Retention.After = domain.AfterEngagement
	}
	return r
}

// identity makes up what the admin does.
func (l *Ledger) identity(c Chance) domain.Data {
	id := l.next("a")
	switch c(6) {
	case 0, 1:
		r := &domain.IdentityRotate{Actor: pick(c, l.made.actors...).id, PublicKey: Key(string(id))}
		if r.Actor != "auditor" { // who always may ask
			r.Party = pick(c, "", "", "wu", l.party(c))
		}
		return r
	case 2:
		return &domain.IdentityAdd{Actor: id, Role: pick(c, domain.Roles...), PublicKey: Key(string(id)), Party: pick(c, "", "intern", "wu", l.party(c))}
	case 3: // one of those that init didn't make
		more := slices.DeleteFunc(slices.Clone(l.made.actors), func(a actor) bool { return string(a.id) == string(a.role) })
		if len(more) == 0 {
			return &domain.IdentityRevoke{Actor: "none"}
		}
		return &domain.IdentityRevoke{Actor: pick(c, more...).id}
	case 4:
		return &domain.IdentityRevoke{Actor: domain.ID(domain.Admin)}
	default:
		return pick[domain.Data](c, &domain.LedgerRekey{Log: Log(2)}, &domain.ClockAffirm{})
	}
}

// retired is a party that is out of service, where one is soon found.
func (l *Ledger) retired(c Chance) (id domain.ID) {
	for range 10 {
		id = l.party(c)
		if known, _ := l.View().Get(domain.Key{Kind: domain.KindParty, C: string(id)}); known.Fact.(*domain.Party).Retired && known.Fact.(*domain.Party).Erased == 0 {
			return id
		}
	}
	return id
}
