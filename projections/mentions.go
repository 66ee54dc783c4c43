package projections

import (
	"github.com/qtccc/assent/domain"
)

// A filter is one of the trail's. The numbers are written to disk.
type filter uint8

const (
	byClient   filter = 1
	byRecord   filter = 2
	byParty    filter = 3
	byActor    filter = 4
	byEvidence filter = 5
	byType     filter = 6
	byClause   filter = 7
	byDecision filter = 8

	filters = 9 // beyond the last one

	byTime filter = 0xff // no filter: the times of a block stand there
)

// A mention is a value by which the trail finds an event.
type mention struct {
	filter filter
	value  string
}

// mentions are the values by which one event is found, each once.
type mentions []mention

func (m *mentions) add(f filter, value string) {
	if value == "" {
		return
	}
	for _, have := range *m {
		if have.filter == f && have.value == value {
			return
		}
	}
	*m = append(*m, mention{f, value})
}

func (m *mentions) parties(ids ...domain.ID) {
	for _, id := range ids {
		m.add(byParty, string(id))
	}
}

func (m *mentions) record(id domain.ID)   { m.add(byRecord, string(id)) }
func (m *mentions) evidence(id domain.ID) { m.add(byEvidence, string(id)) }

// scope: a right over a record by name is a part of that record's trail.
func (m *mentions) scope(s *domain.Scope) {
	for _, id := range s.Records {
		m.record(id)
	}
}

// A holder says who holds the client's right of that kind and id, and for a
// delegation whose it is; nobody where there is none.
type holder func(client domain.ID, kind domain.RightKind, id domain.ID) (party, principal domain.ID, err error)

// of collects by what the event is found. It is the one place that knows where in
// an event's data a record, a party or a paper may stand
// (TestEveryIDOfEveryRowIsFoundOrIsNone).
func (m *mentions) of(e *domain.Event, rights holder) error {
	m.add(byClient, string(e.Subject.Client))
	m.parties(e.Subject.Party)
	m.add(byActor, string(e.Actor))
	m.add(byType, e.Type)
	if e.Refusal != nil {
		m.add(byClause, string(e.Refusal.Clause))
	}
	if d := e.Decision; d != nil {
		m.add(byDecision, d.Decision)
		for i := range d.Reasons {
			m.add(byClause, string(d.Reasons[i].Clause))
			for _, id := range d.Reasons[i].Evidence {
				m.evidence(id)
			}
		}
	}
	right := func(client domain.ID, kind domain.RightKind, id domain.ID) error {
		party, principal, err := rights(client, kind, id)
		m.parties(party, principal)
		return err
	}
	switch c := e.Data.(type) {
	case *domain.AccessRequest:
		m.client(c.Client)
		m.record(c.Record)
		m.parties(c.Party, c.Bearer, c.Recipient, c.BehalfOf)
		m.evidence(c.Confirmation)
	case *domain.LedgerOpen, *domain.LedgerRekey, *domain.ClockAffirm, *domain.IdentityRevoke:
	case *domain.IdentityAdd:
		m.parties(c.Party)
	case *domain.IdentityRotate:
		m.parties(c.Party)
	case *domain.PartyRegister:
		m.parties(c.Party, c.Of)
	case *domain.PartyAmend:
		m.parties(c.Party)
	case *domain.PartyRetire:
		m.parties(c.Party)
	case *domain.PartyRestore:
		m.parties(c.Party)
	case *domain.TrainingComplete:
		m.parties(c.Party)
	case *domain.UndertakingGive:
		m.parties(c.Party)
		m.evidence(c.Evidence)
	case *domain.ClientRegister:
		m.client(c.Client)
		m.parties(c.Contacts...)
		m.evidence(c.Evidence)
	case *domain.ClientAmend:
		m.client(c.Client)
	case *domain.ContactName:
		m.client(c.Client)
		m.parties(c.Party)
		m.evidence(c.Evidence)
	case *domain.ContactDrop:
		m.client(c.Client)
		m.parties(c.Party)
		m.evidence(c.Evidence)
	case *domain.EvidenceFile:
		m.client(c.Client)
		m.parties(c.Party)
		m.record(c.Record)
		m.evidence(c.Evidence)
	case *domain.EvidenceVoid:
		m.evidence(c.Evidence)
	case *domain.EngagementConfirm:
		m.client(c.Client)
		m.evidence(c.Evidence)
		for i := range c.Designees {
			m.parties(c.Designees[i].Party)
			m.scope(&c.Designees[i].Scope)
		}
	case *domain.EngagementClose:
		m.client(c.Client)
	case *domain.EngagementReopen:
		m.client(c.Client)
	case *domain.RecordRegister:
		m.client(c.Client)
		m.record(c.Record)
	case *domain.RecordAmend:
		m.client(c.Client)
		m.record(c.Record)
	case *domain.RecordDestroy:
		m.client(c.Client)
		m.record(c.Record)
		m.parties(c.Operator, c.Witness)
		m.evidence(c.Evidence)
	case *domain.DesignationMake:
		m.client(c.Client)
		m.parties(c.Party)
		m.scope(&c.Scope)
		m.evidence(c.Evidence)
	case *domain.DesignationChange:
		m.client(c.Client)
		m.scope(&c.Scope)
		m.evidence(c.Evidence)
		return right(c.Client, domain.Designated, c.Designation)
	case *domain.DesignationRevoke:
		m.client(c.Client)
		m.evidence(c.Evidence)
		return right(c.Client, domain.Designated, c.Designation)
	case *domain.DelegationAuthorize:
		m.client(c.Client)
		m.parties(c.Delegate)
		m.evidence(c.Evidence)
		return right(c.Client, domain.Designated, c.Designation)
	case *domain.DelegationRevoke:
		m.client(c.Client)
		return right(c.Client, domain.Delegated, c.Delegation)
	case *domain.ConsentGive:
		m.client(c.Client)
		m.parties(c.Party)
		m.scope(&c.Scope)
		m.evidence(c.Evidence)
	case *domain.ConsentWithdraw:
		m.client(c.Client)
		m.evidence(c.Evidence)
		return right(c.Client, domain.Consented, c.Consent)
	case *domain.AuthorizationIssue:
		m.client(c.Client)
		m.parties(c.Party)
		m.scope(&c.Scope)
		m.evidence(c.Evidence)
	case *domain.AuthorizationRevoke:
		m.client(c.Client)
		return right(c.Client, domain.Authorized, c.Authorization)
	case *domain.AssignmentNotify:
		m.client(c.Client)
		m.parties(c.Assignee)
		m.evidence(c.Evidence)
	}
	return nil
}

func (m *mentions) client(id domain.ID) { m.add(byClient, string(id)) }
