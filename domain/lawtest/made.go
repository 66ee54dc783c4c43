package lawtest

import (
	"slices"

	"github.com/qtccc/assent/domain"
)

// made is what there is to be named by later commands.
type made struct {
	parties, papers, reviews, inquiries []domain.ID
	of                                  map[domain.Category][]domain.ID // parties
	clients, gone                       []domain.ID                     // those erased apart
	erased                              []domain.ID                     // parties, which are in none of the others
	actors                              []actor                         // not revoked
	records, engagements                map[domain.ID][]domain.ID       // by client
	rights                              map[domain.RightKind][]right
	filed                               []*domain.EvidenceFile
	missing                             []missing
	bare                                domain.ID        // a client that was found without records to come near
	agreed                              map[signing]bool // by that paper special terms were agreed
	terms, holds                        []of
	approvals                           []*domain.ApprovalGive
	// wanted is the access that an approval was asked for.
	wanted     map[*domain.ApprovalGive]*domain.AccessRequest
	violations []domain.UUID
	edition    int
	// leaving is whom or what is being erased.
	leaving *domain.ErasureApprove
}

// signing is a paper of a client's by its content.
type signing struct {
	of     domain.ID
	sha256 domain.Digest
}

type actor struct {
	id   domain.ID
	role domain.Role
}

// missing is a paper that was looked for and isn't there.
type missing struct {
	kind domain.EvidenceKind
	of   domain.ID
}

// of is what has its id in a client.
type of struct{ client, id domain.ID }

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
		m.agreed, m.of = map[signing]bool{}, map[domain.Category][]domain.ID{}
		m.rights, m.wanted = map[domain.RightKind][]right{}, map[*domain.ApprovalGive]*domain.AccessRequest{}
	}
	if e.Refusal != nil {
		return
	}
	add := func(kind domain.RightKind, r right) { m.rights[kind] = append(m.rights[kind], r) }
	switch d := e.Data.(type) {
	case *domain.LedgerOpen:
		m.actors, m.edition = append(m.actors, actor{d.Admin.Actor, domain.Admin}), d.Policy.Edition
	case *domain.IdentityAdd:
		m.actors = append(m.actors, actor{d.Actor, d.Role})
	case *domain.IdentityRevoke:
		m.actors = slices.DeleteFunc(m.actors, func(a actor) bool { return a.id == d.Actor })
	case *domain.PartyRegister:
		m.parties = append(m.parties, d.Party)
		m.of[d.Category] = append(m.of[d.Category], d.Party)
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
	default:
		m.noteRest(e)
	}
}

func (m *made) noteRest(e *domain.Event) {
	switch d := e.Data.(type) {
	case *domain.AccessRequest:
		if e.Decision.Violation == e.ID {
			m.violations = append(m.violations, e.ID)
		}
	case *domain.ViolationReport:
		m.violations = append(m.violations, e.ID)
	case *domain.TermsAgree:
		m.terms = append(m.terms, of{d.Client, d.Terms})
		for _, f := range m.filed {
			if f.Evidence == d.Evidence {
				m.agreed[signing{f.Client, f.SHA256}] = true
			}
		}
	case *domain.TermsEnd:
		m.terms = slices.DeleteFunc(m.terms, func(t of) bool { return t == of{d.Client, d.Terms} })
	case *domain.ApprovalGive:
		m.approvals = append(m.approvals, d)
	case *domain.HoldPlace:
		m.holds = append(m.holds, of{d.Client, d.Hold})
	case *domain.ReviewOpen:
		m.reviews = append(m.reviews, d.Review)
	case *domain.InquiryReceive:
		m.inquiries = append(m.inquiries, d.Inquiry)
	case *domain.PolicyPublish:
		m.edition = d.Edition
	case *domain.ErasureApprove:
		if d.Client != "" {
			m.clients = slices.DeleteFunc(m.clients, func(id domain.ID) bool { return id == d.Client })
			m.gone = append(m.gone, d.Client)
			m.terms = slices.DeleteFunc(m.terms, func(t of) bool { return t.client == d.Client })
			m.holds = slices.DeleteFunc(m.holds, func(h of) bool { return h.client == d.Client })
		} else if d.Party != "" {
			m.erased = append(m.erased, d.Party)
			gone := func(id domain.ID) bool { return id == d.Party }
			m.parties = slices.DeleteFunc(m.parties, gone)
			for _, c := range domain.Categories {
				m.of[c] = slices.DeleteFunc(m.of[c], gone)
			}
		}
		m.leaving = nil
	}
}
