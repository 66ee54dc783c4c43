package lawtest

import "github.com/qtccc/assent/domain"

// made is what there is to be named by later commands.
type made struct {
	parties, papers []domain.ID
	clients         []domain.ID
	records         map[domain.ID][]domain.ID // by client
	engagements     map[domain.ID][]domain.ID
	rights          map[domain.RightKind][]right
	filed           []*domain.EvidenceFile
}

// A right as it was made.
type right struct {
	client, id, party domain.ID
	principal         domain.ID // of a delegation
	scope             domain.Scope
	purposes          []domain.Purpose
	actions           []domain.Action
}

func (m *made) note(e *domain.Event) {
	if m.records == nil {
		m.records, m.engagements = map[domain.ID][]domain.ID{}, map[domain.ID][]domain.ID{}
		m.rights = map[domain.RightKind][]right{}
	}
	if e.Refusal != nil {
		return
	}
	add := func(kind domain.RightKind, r right) { m.rights[kind] = append(m.rights[kind], r) }
	switch d := e.Data.(type) {
	case *domain.PartyRegister:
		m.parties = append(m.parties, d.Party)
	case *domain.ClientRegister:
		m.clients = append(m.clients, d.Client)
	case *domain.EvidenceFile:
		m.papers, m.filed = append(m.papers, d.Evidence), append(m.filed, d)
	case *domain.RecordRegister:
		m.records[d.Client] = append(m.records[d.Client], d.Record)
	case *domain.EngagementConfirm:
		m.engagements[d.Client] = append(m.engagements[d.Client], d.Engagement)
		for _, n := range d.Designees {
			add(domain.Designated, right{d.Client, n.Designation, n.Party, "", n.Scope, n.Purposes, n.Actions})
		}
	case *domain.DesignationMake:
		add(domain.Designated, right{d.Client, d.Designation, d.Party, "", d.Scope, d.Purposes, d.Actions})
	case *domain.DelegationAuthorize:
		for _, from := range m.rights[domain.Designated] {
			if from.client == d.Client && from.id == d.Designation {
				from.id, from.party, from.principal = d.Delegation, d.Delegate, from.party
				add(domain.Delegated, from)
			}
		}
	case *domain.ConsentGive:
		add(domain.Consented, right{d.Client, d.Consent, d.Party, "", d.Scope, d.Purposes, d.Actions})
	case *domain.AuthorizationIssue:
		add(domain.Authorized, right{d.Client, d.Authorization, d.Party, "", d.Scope, d.Purposes, d.Actions})
	}
}
