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
func (m *mentions) scope(s *domain.Scope) { m.records(s.Records) }

func (m *mentions) records(ids []domain.ID) {
	for _, id := range ids {
		m.record(id)
	}
}

// A lookup is the fact under a key after the event; nil where there is none.
type lookup func(domain.Key) (domain.Fact, error)

// holder is who holds the client's right of that kind and id, and for a delegation
// whose it is.
func (m *mentions) holder(find lookup, client domain.ID, kind domain.RightKind, id domain.ID) error {
	k := domain.Key{Kind: domain.KindRightID, A: string(client), C: string(kind) + "/" + string(id)}
	f, err := find(k)
	if of, ok := f.(*domain.RightID); ok && err == nil {
		k.Kind, k.B = domain.KindRight, string(of.Party)
		f, err = find(k)
	}
	if r, ok := f.(*domain.Right); ok {
		m.parties(r.Party, r.Principal)
	}
	return err
}

// suspect is the party of a violation.
func (m *mentions) suspect(find lookup, id domain.UUID) error {
	f, err := find(domain.Key{Kind: domain.KindViolation, C: string(id)})
	if v, ok := f.(*domain.Violation); ok {
		m.parties(v.Party)
		m.record(v.Record)
	}
	return err
}

// approved is what an approval is of.
func (m *mentions) approved(find lookup, client, id domain.ID) error {
	f, err := find(domain.Key{Kind: domain.KindApproval, A: string(client), C: string(id)})
	if g, ok := f.(*domain.Approval); ok {
		m.parties(g.Party, g.Recipient)
		m.record(g.Record)
	}
	return err
}

// of collects by what the event is found. It is the one place that knows where in
// an event's data a record, a party or a paper may stand
// (TestEveryIDOfEveryRowIsFoundOrIsNone).
func (m *mentions) of(e *domain.Event, find lookup) error {
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
		return m.holder(find, client, kind, id)
	}
	switch c := e.Data.(type) {
	case *domain.AccessRequest:
		m.client(c.Client)
		m.record(c.Record)
		m.parties(c.Party, c.Bearer, c.Recipient, c.BehalfOf)
		m.evidence(c.Confirmation)
	case *domain.LedgerOpen, *domain.LedgerRekey, *domain.ClockAffirm, *domain.IdentityRevoke,
		*domain.ReviewOpen, *domain.ReviewClose, *domain.PolicyPublish:
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
	case *domain.RecordLend:
		m.client(c.Client)
		m.record(c.Record)
		m.parties(c.Holder)
	case *domain.RecordReturn:
		m.client(c.Client)
		m.record(c.Record)
	case *domain.TermsAgree:
		m.client(c.Client)
		m.evidence(c.Evidence)
		for i := range c.Rules {
			m.parties(c.Rules[i].Parties...)
			m.records(c.Rules[i].Records)
		}
	case *domain.TermsEnd:
		m.client(c.Client)
		m.evidence(c.Evidence)
	case *domain.ApprovalGive:
		m.client(c.Client)
		m.record(c.Record)
		m.parties(c.Party, c.Recipient)
		m.evidence(c.Evidence)
	case *domain.ApprovalWithdraw:
		m.client(c.Client)
		return m.approved(find, c.Client, c.Approval)
	case *domain.HoldPlace:
		m.client(c.Client)
		m.records(c.Records)
	case *domain.HoldLift:
		m.client(c.Client)
	case *domain.ErasureRequest:
		m.client(c.Client)
		m.parties(c.Party)
	case *domain.ErasureApprove:
		m.client(c.Client)
		m.parties(c.Party)
	case *domain.ViolationReport:
		m.client(c.Client)
		m.record(c.Record)
		m.parties(c.Party)
		m.evidence(c.Evidence)
	case *domain.ViolationInvestigate:
		m.evidence(c.Evidence)
		return m.suspect(find, c.Violation)
	case *domain.ViolationClose:
		m.evidence(c.Evidence)
		return m.suspect(find, c.Violation)
	case *domain.ReviewDecide:
		m.client(c.Client)
		if c.Scope != nil {
			m.scope(c.Scope)
		}
		return right(c.Client, domain.Authorized, c.Authorization)
	case *domain.PolicyNotify:
		m.client(c.Client)
		m.evidence(c.Evidence)
	case *domain.InquiryReceive:
		m.client(c.Client)
	case *domain.InquiryAnswer:
	}
	return nil
}

func (m *mentions) client(id domain.ID) { m.add(byClient, string(id)) }
