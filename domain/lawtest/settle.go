package lawtest

import (
	"fmt"

	"github.com/qtccc/assent/domain"
)

// Settle registers what the made-up commands are about: parties of every category,
// persons of institutions, a person of the staff for each identity that needs one,
// a second officer and manager who act for the same one, two clients with a contact
// and three records each, and papers of theirs.
func (l *Ledger) Settle() {
	for _, p := range []*domain.PartyRegister{
		{Party: "agency", Category: domain.Staff, Kind: domain.Institution},
		{Party: "wu", Category: domain.Staff, Kind: domain.Person, Of: "agency"},
		{Party: "chen", Category: domain.Staff, Kind: domain.Person, Of: "agency"},
		{Party: "boss", Category: domain.Staff, Kind: domain.Person},
		{Party: "vice", Category: domain.Staff, Kind: domain.Person},
		{Party: "intern", Category: domain.Staff, Kind: domain.Person, Of: "agency"},
		{Party: "courier", Category: domain.Contractor, Kind: domain.Institution},
		{Party: "driver", Category: domain.Contractor, Kind: domain.Person, Of: "courier"},
		{Party: "li", Category: domain.External, Kind: domain.Person},
		{Party: "firm", Category: domain.External, Kind: domain.Institution},
		{Party: "lawyer", Category: domain.External, Kind: domain.Person, Of: "firm"},
		{Party: "agent", Category: domain.External, Kind: domain.Person},
		{Party: "nmpa", Category: domain.Authority, Kind: domain.Institution},
		{Party: "buyer", Category: domain.Assignee, Kind: domain.Institution},
	} {
		p.Name = Text(len(l.Events))
		l.Must("clerk", p)
	}
	for _, who := range [][2]domain.ID{{"clerk", "wu"}, {"officer", "chen"}, {"manager", "boss"}} {
		l.Must("admin", &domain.IdentityRotate{Actor: who[0], PublicKey: Key(string(who[0]) + "-2"), Party: who[1]})
	}
	l.Must("admin", &domain.IdentityAdd{Actor: "officer-2", Role: domain.Officer, PublicKey: Key("officer-two"), Party: "vice"})
	l.Must("admin", &domain.IdentityAdd{Actor: "manager-2", Role: domain.Manager, PublicKey: Key("manager-two"), Party: "vice"})
	for _, of := range []domain.ID{"acme", "beta"} {
		l.Must("clerk", &domain.ClientRegister{Client: of, Name: Text(len(l.Events)), Contacts: []domain.ID{"li"}})
		for _, class := range domain.Classes {
			l.Must("clerk", &domain.RecordRegister{Client: of, Record: domain.ID(class), Title: Text(len(l.Events)), Class: class,
				Medium: domain.Electronic, Encrypted: true,
				Retention: domain.Retention{After: domain.AfterRegistration, Keep: domain.Period{Days: 200}}})
		}
		l.Must("clerk", &domain.RecordRegister{Client: of, Record: "original", Title: Text(len(l.Events)), Class: domain.Ordinary,
			Medium: domain.Physical, Custody: Text(2),
			Retention: domain.Retention{After: domain.AfterRegistration, Keep: domain.Period{Days: 60}}})
	}
	for i, kind := range []domain.EvidenceKind{domain.ConfirmationLetter, domain.ConfirmationLetter, domain.SpecialAuthorization,
		domain.ConsentPaper, domain.ConsentPaper, domain.EngagementConfirmation, domain.ModificationConfirmation, domain.SpecialTerms,
		domain.UndertakingPaper} {
		e := l.evidence(kind)
		if e.SHA256 = Digest(100 + i); kind == domain.UndertakingPaper {
			e.Client, e.Party = "", "courier"
		}
		l.Must("clerk", e)
		if kind == domain.UndertakingPaper {
			l.Must("officer", &domain.UndertakingGive{Party: "courier", Evidence: e.Evidence})
		}
	}
	l.Must("officer", &domain.TrainingComplete{Party: "wu", Course: "basics", Until: domain.Time{Time: l.Now.AddDate(0, 0, 150)}})
}

// evidence is a new paper of acme's, signed and stamped today.
func (l *Ledger) evidence(kind domain.EvidenceKind) *domain.EvidenceFile {
	return &domain.EvidenceFile{Evidence: domain.ID(fmt.Sprint("e", len(l.Events))), Client: "acme", Kind: kind, Size: 1, MediaType: "application/pdf",
		Signed: true, Stamped: true, SignedOn: domain.Time{Time: l.Now}, Custody: domain.OnPaper, Place: Text(3)}
}
