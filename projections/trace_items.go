package projections

import (
	"fmt"
	"slices"
	"time"

	"github.com/qtccc/assent/domain"
)

// An instrument is a paper at the beginning of a chain: what it is, who filed it and
// when, and where it lies.
type instrument struct {
	Evidence  domain.ID           `json:"evidence"`
	Kind      domain.EvidenceKind `json:"kind"`
	SHA256    domain.Digest       `json:"sha256"`
	Signed    bool                `json:"signed"`
	Stamped   bool                `json:"stamped"`
	SignedOn  time.Time           `json:"signedOn,omitzero"`
	Void      bool                `json:"void"`
	FiledBy   domain.ID           `json:"filedBy"`
	Seq       domain.Seq          `json:"seq"`
	Filed     time.Time           `json:"filed"`
	Client    domain.ID           `json:"client,omitzero"`
	Party     domain.ID           `json:"party,omitzero"`
	Record    domain.ID           `json:"record,omitzero"`
	SignedBy  string              `json:"signedBy,omitzero"`
	Size      int64               `json:"size"`
	MediaType domain.MediaType    `json:"mediaType"`
	Custody   domain.Custody      `json:"custody"`
	Place     string              `json:"place,omitzero"`
	// Voided is the event that voided it, at VoidedOn, by VoidedBy.
	Voided   domain.Seq `json:"voided,omitzero"`
	VoidedOn time.Time  `json:"voidedOn,omitzero"`
	VoidedBy domain.ID  `json:"voidedBy,omitzero"`
}

// A tracedTermsItem is special terms, in the shape of a right.
type tracedTermsItem struct {
	Right    string             `json:"right"` // terms
	ID       domain.ID          `json:"id"`
	Client   domain.ID          `json:"client"`
	Rules    []domain.TermsRule `json:"rules"`
	Duties   string             `json:"duties,omitzero"`
	Until    time.Time          `json:"until,omitzero"`
	From     domain.Seq         `json:"from"`
	Evidence domain.ID          `json:"evidence"`
	InForce  bool               `json:"inForce"`
	Ended    domain.Seq         `json:"ended,omitzero"`
}

// A tracedApprovalItem is an approval, in the shape of a right.
type tracedApprovalItem struct {
	Right     string         `json:"right"` // approval
	ID        domain.ID      `json:"id"`
	Client    domain.ID      `json:"client"`
	Party     domain.ID      `json:"party"`
	Record    domain.ID      `json:"record"`
	Action    domain.Action  `json:"action"`
	Purpose   domain.Purpose `json:"purpose"`
	Recipient domain.ID      `json:"recipient,omitzero"`
	Until     time.Time      `json:"until"`
	From      domain.Seq     `json:"from"`
	Evidence  domain.ID      `json:"evidence,omitzero"`
	InForce   bool           `json:"inForce"` // and not spent
	Ended     domain.Seq     `json:"ended,omitzero"`
	Spent     domain.Seq     `json:"spent,omitzero"` // the grant that used it up
	GivenBy   domain.ID      `json:"givenBy"`
}

// A tracedUndertakingItem is an undertaking of confidentiality, in the shape of a
// right.
type tracedUndertakingItem struct {
	Right    string     `json:"right"` // undertaking
	ID       domain.ID  `json:"id"`    // its paper's
	Party    domain.ID  `json:"party"`
	Until    time.Time  `json:"until,omitzero"`
	From     domain.Seq `json:"from"`
	Evidence domain.ID  `json:"evidence"`
	InForce  bool       `json:"inForce"`
	Ended    domain.Seq `json:"ended,omitzero"`
}

// head is the link's item without its accesses.
func (t *tracing) head(l traced) (it *traceItem, err error) {
	it = &traceItem{}
	paper := l.id
	switch l.kind {
	case "":
	case tracedContact:
		var r *rightItem
		if r, err = t.contactItem(l); err == nil {
			it.Right, paper = r, r.Evidence
		}
	case tracedTerms:
		it.Right, paper, err = t.termsItem(l)
	case tracedApproval:
		it.Right, paper = t.approvalItem(l)
	case tracedUndertaking:
		it.Right = t.undertakingItem(l)
	default:
		paper, err = t.rightHead(l, it)
	}
	if err == nil {
		it.Instrument, err = t.instrument(paper)
	}
	return it, err
}

// rightHead shows a right or a delegation, and the other papers that it needs or
// had, and says which is its own.
func (t *tracing) rightHead(l traced, it *traceItem) (domain.ID, error) {
	r, known, ok := domain.FindRight(t.view, l.client, domain.RightKind(l.kind), l.id)
	if !ok {
		return "", fmt.Errorf("%s has no %s %s any more", l.client, l.kind, l.id)
	}
	k := domain.Key{Kind: domain.KindRight, A: string(l.client), B: string(r.Party), C: r.Ref()}
	it.Right = t.right(Found{k, known}, nil)
	if r.Kind == domain.Delegated {
		paper, err := t.delegatedBy(r)
		if err != nil {
			return "", err
		}
		if it.From, err = t.instrument(paper); err != nil {
			return "", err
		}
	}
	own := r.Evidence
	if t.evidence != "" {
		own = t.evidence
	}
	papers, err := t.restedOn(l)
	if err != nil {
		return "", err
	}
	var others []domain.ID
	for _, p := range papers {
		if p.evidence != own && !slices.Contains(others, p.evidence) {
			others = append(others, p.evidence)
		}
	}
	for _, id := range others[max(0, len(others)-mostOthers):] {
		paper, err := t.instrument(id)
		if err != nil {
			return "", err
		}
		it.Others = append(it.Others, paper)
	}
	return own, nil
}

// mostOthers bounds the papers that are shown of a right besides one.
const mostOthers = 16

// delegatedBy is the paper that the designation rested on when the delegation was
// made from it.
func (t *tracing) delegatedBy(g *domain.Right) (domain.ID, error) {
	l, ok := find(t.view, string(domain.Designated), g.Client, g.Designation)
	if !ok {
		return "", fmt.Errorf("%s has no designation %s any more", g.Client, g.Designation)
	}
	papers, err := t.restedOn(l)
	if err != nil || len(papers) == 0 {
		d, _, _ := domain.FindRight(t.view, g.Client, domain.Designated, g.Designation)
		return d.Evidence, err
	}
	paper := papers[0].evidence
	for _, p := range papers {
		if p.seq < g.Made {
			paper = p.evidence
		}
	}
	return paper, nil
}

// contactItem shows a contact by one of its namings. One that another naming
// followed was dropped before.
func (t *tracing) contactItem(l traced) (*rightItem, error) {
	k := domain.Key{Kind: domain.KindContact, A: string(l.client), C: string(l.id)}
	c, known := fact[domain.Contact](t.view, k)
	if c == nil {
		return nil, fmt.Errorf("%s has no contact %s any more", l.client, l.id)
	}
	it := t.contact(Found{k, known})
	if c.Named == l.made {
		return it, nil
	}
	dropped, _, err := t.s.cfg.Store.having([][]mention{{{byClient, string(l.client)}}, {{byParty, string(l.id)}},
		{{byType, "contact.dropped"}}}, uint64(l.made), uint64(t.seq)+1, 1)
	if err != nil {
		return nil, err
	}
	it.From, it.InForce, it.Ended = l.made, false, domain.Seq(slices.Max(append(dropped, 0)))
	docs, err := t.s.documents(t.ctx, []uint64{uint64(l.made)})
	if err != nil {
		return nil, err
	}
	e, err := docs[uint64(l.made)].Event()
	if err != nil {
		return nil, err
	}
	switch named := e.Data.(type) {
	case *domain.ClientRegister:
		it.Evidence = named.Evidence
	case *domain.ContactName:
		it.Evidence = named.Evidence
	}
	return it, nil
}

func (t *tracing) termsItem(l traced) (any, domain.ID, error) {
	f, known := fact[domain.Terms](t.view, domain.Key{Kind: domain.KindTerms, A: string(l.client), C: string(l.id)})
	it := &tracedTermsItem{Right: l.kind, ID: l.id, Client: l.client, Rules: f.Rules, Until: f.Until, From: known.First,
		Evidence: f.Evidence, Ended: f.Ended}
	if it.Ended == 0 {
		it.Ended = t.erased(l.client)
	}
	it.InForce = it.Ended == 0 && !t.over(f.Until)
	if f.Duties == "" {
		return it, f.Evidence, nil
	}
	docs, err := t.s.documents(t.ctx, []uint64{uint64(known.First)})
	it.Duties = t.text(docs, known.First, "/duties", f.Duties)
	return it, f.Evidence, err
}

func (t *tracing) approvalItem(l traced) (any, domain.ID) {
	g, known := fact[domain.Approval](t.view, domain.Key{Kind: domain.KindApproval, A: string(l.client), C: string(l.id)})
	it := &tracedApprovalItem{Right: l.kind, ID: l.id, Client: l.client, Party: g.Party, Record: g.Record, Action: g.Action,
		Purpose: g.Purpose, Recipient: g.Recipient, Until: g.Until, From: known.First, Evidence: g.Evidence,
		Ended: g.Withdrawn, Spent: g.Spent, GivenBy: g.GivenBy}
	if it.Ended == 0 {
		it.Ended = t.erased(l.client)
	}
	it.InForce = it.Ended == 0 && it.Spent == 0 && !t.over(g.Until)
	return it, g.Evidence
}

func (t *tracing) undertakingItem(l traced) any {
	u, known := fact[domain.Undertaking](t.view, domain.Key{Kind: domain.KindUndertaking, A: string(l.party), C: string(l.id)})
	it := &tracedUndertakingItem{Right: l.kind, ID: l.id, Party: l.party, Until: u.Until, From: known.First, Evidence: u.Evidence}
	if e, _ := fact[domain.Evidence](t.view, domain.Key{Kind: domain.KindEvidence, C: string(l.id)}); e != nil {
		it.Ended = e.Voided
	}
	it.InForce = it.Ended == 0 && !t.over(u.Until)
	return it
}

// instrument shows a paper; none where there is none.
func (t *tracing) instrument(id domain.ID) (*instrument, error) {
	e, known := fact[domain.Evidence](t.view, domain.Key{Kind: domain.KindEvidence, C: string(id)})
	if e == nil {
		return nil, nil
	}
	seqs := []uint64{uint64(known.First)}
	if e.Voided != 0 {
		seqs = append(seqs, uint64(e.Voided))
	}
	docs, err := t.s.documents(t.ctx, seqs)
	if err != nil {
		return nil, err
	}
	t.scanned += len(seqs)
	it := &instrument{Evidence: id, Kind: e.Kind, SHA256: e.SHA256, Signed: e.Signed, Stamped: e.Stamped, SignedOn: e.SignedOn,
		Void: e.Voided != 0, FiledBy: e.FiledBy, Seq: known.First, Filed: docs[seqs[0]].Time, Client: e.Client, Party: e.Party,
		Record: e.Record, SignedBy: t.text(docs, known.First, "/signedBy", e.SignedBy), Size: e.Size, MediaType: e.MediaType,
		Custody: e.Custody, Place: t.text(docs, known.First, "/place", e.Place), Voided: e.Voided}
	if e.Voided != 0 {
		void := docs[uint64(e.Voided)]
		it.VoidedOn, it.VoidedBy = void.Time, void.Actor
	}
	return it, nil
}
