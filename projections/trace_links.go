package projections

import (
	"fmt"
	"slices"
	"strings"

	"github.com/qtccc/assent/domain"
)

// What an item of a trace is about besides rights and delegations.
const (
	tracedContact     = "contact"
	tracedTerms       = "terms"
	tracedApproval    = "approval"
	tracedUndertaking = "undertaking"
)

// A traced is what one item of a trace is about: something that rests on a paper and
// that decisions name, or a paper alone.
type traced struct {
	kind   string    // of a right, or one of those above; "": a paper alone
	client domain.ID // none: an undertaking, a paper
	id     domain.ID // a contact's is the party's, an undertaking's its paper's
	party  domain.ID // that has it; none: terms, an approval, a paper
	// made is the event that made it, and since which decisions may name it; of a
	// contact the naming that is meant. 0: a paper.
	made domain.Seq
}

// ref is what decisions call it.
func (l *traced) ref() string { return l.kind + "/" + string(l.id) }

// A making is an event with what it made, as far as the question asks for it.
type making struct {
	seq   uint64
	links []traced
}

// form: a client with one thing of its, or a paper, or an attempt; and what is named
// is known to the ledger, if not then, then later.
func (t *tracing) form() error {
	n := 0
	for _, given := range [...]bool{t.client != "" || t.about.kind != "", t.evidence != "", t.attempt != ""} {
		if given {
			n++
		}
	}
	switch {
	case n != 1:
		return wrong("/client", "trace one thing of a client, or evidence, or an attempt")
	case t.client == "" && t.about.kind != "":
		return wrong("/client", "name the client whose "+t.about.kind+" it is")
	case t.client != "" && t.about.kind == "":
		return wrong("/client", "name a consent, designation, delegation, authorization, terms or approval of the client too")
	}
	if err := t.named(); err != nil {
		return err
	}
	latest := t.s.cfg.Store.At(domain.Seq(t.n))
	if t.about.kind != "" {
		if _, ok := find(latest, t.about.kind, t.client, t.about.id); !ok {
			return absent("/"+t.about.kind, "%s has no %s %s", t.client, t.about.kind, t.about.id)
		}
	}
	if t.evidence != "" {
		if _, ok := latest.Get(domain.Key{Kind: domain.KindEvidence, C: string(t.evidence)}); !ok {
			return absent("/evidence", "there is no evidence %s", t.evidence)
		}
	}
	return nil
}

// alone says whether the paper that the question names has an item of its own: where
// nothing rests on it, any says whether something does, and where decisions name it
// for itself.
func (t *tracing) alone(any bool) bool {
	e, _ := fact[domain.Evidence](t.view, domain.Key{Kind: domain.KindEvidence, C: string(t.evidence)})
	return e != nil && (!any || e.Kind == domain.ModificationConfirmation)
}

// find is the client's right, delegation, terms or approval of that id.
func find(v domain.View, kind string, client, id domain.ID) (traced, bool) {
	l := traced{kind: kind, client: client, id: id}
	switch kind {
	case tracedTerms:
		_, known := fact[domain.Terms](v, domain.Key{Kind: domain.KindTerms, A: string(client), C: string(id)})
		l.made = known.First
	case tracedApproval:
		_, known := fact[domain.Approval](v, domain.Key{Kind: domain.KindApproval, A: string(client), C: string(id)})
		l.made = known.First
	default:
		if r, _, ok := domain.FindRight(v, client, domain.RightKind(kind), id); ok {
			l.party, l.made = r.Party, r.Made
		}
	}
	return l, l.made != 0
}

// makings are the next events from the sequence on that made what the question is
// about, and whether more may follow. What a right or an attempt leads to stands as
// if event 1 had made it.
func (t *tracing) makings(from uint64) (all []making, more bool, err error) {
	if t.evidence != "" {
		return t.restingOn(from)
	}
	m := making{seq: 1}
	switch {
	case from > m.seq:
		return nil, false, nil
	case t.attempt != "":
		m.links, err = t.ofAttempt()
	default:
		if l, ok := find(t.view, t.about.kind, t.client, t.about.id); ok {
			m.links = []traced{l}
		}
	}
	return []making{m}, false, err
}

// resters are the types of event by which something comes to rest on a paper.
var resters = []mention{
	{byType, "client.registered"}, {byType, "contact.named"}, {byType, "engagement.confirmed"}, {byType, "designation.made"},
	{byType, "designation.changed"}, {byType, "delegation.authorized"}, {byType, "consent.given"},
	{byType, "authorization.issued"}, {byType, "terms.agreed"}, {byType, "approval.given"}, {byType, "undertaking.given"},
}

// restingOn is a page of the events by which something came to rest on the paper
// that the question names. The paper is told by its id: another one with the same
// content is another one here.
func (t *tracing) restingOn(from uint64) ([]making, bool, error) {
	wanted := [][]mention{{{byEvidence, string(t.evidence)}}, resters}
	seqs, more, err := t.s.cfg.Store.having(wanted, max(from, 1), uint64(t.seq)+1, chunk)
	if err != nil {
		return nil, false, err
	}
	docs, err := t.s.documents(t.ctx, seqs)
	if err != nil {
		return nil, false, err
	}
	all := make([]making, len(seqs))
	for i, seq := range seqs {
		e, err := docs[seq].Event()
		if err != nil {
			return nil, false, err
		}
		all[i].seq = seq
		for _, l := range t.madeBy(e) {
			if fresh, err := t.first(e, l); err != nil {
				return nil, false, err
			} else if fresh {
				all[i].links = append(all[i].links, l)
			}
		}
	}
	return all, more, nil
}

// first says whether the event is the first by which this came to rest on the paper:
// it has one item.
func (t *tracing) first(e *domain.Event, l traced) (bool, error) {
	if _, changed := e.Data.(*domain.DesignationChange); !changed {
		return l.kind != tracedUndertaking || l.made == e.Seq, nil
	}
	papers, err := t.restedOn(l)
	for _, p := range papers {
		if p.evidence == t.evidence {
			return p.seq == e.Seq, err
		}
	}
	return false, err
}

// madeBy is what an event made, or changed.
func (t *tracing) madeBy(e *domain.Event) (all []traced) {
	add := func(kind string, client, id domain.ID) {
		if l, ok := find(t.view, kind, client, id); ok {
			all = append(all, l)
		}
	}
	contact := func(client, party domain.ID) {
		all = append(all, traced{tracedContact, client, party, party, e.Seq})
	}
	switch c := e.Data.(type) {
	case *domain.ClientRegister:
		for _, id := range c.Contacts {
			contact(c.Client, id)
		}
	case *domain.ContactName:
		contact(c.Client, c.Party)
	case *domain.EngagementConfirm:
		for i := range c.Designees {
			add(string(domain.Designated), c.Client, c.Designees[i].Designation)
		}
	case *domain.DesignationMake:
		add(string(domain.Designated), c.Client, c.Designation)
	case *domain.DesignationChange:
		add(string(domain.Designated), c.Client, c.Designation)
	case *domain.DelegationAuthorize:
		add(string(domain.Delegated), c.Client, c.Delegation)
	case *domain.ConsentGive:
		add(string(domain.Consented), c.Client, c.Consent)
	case *domain.AuthorizationIssue:
		add(string(domain.Authorized), c.Client, c.Authorization)
	case *domain.TermsAgree:
		add(tracedTerms, c.Client, c.Terms)
	case *domain.ApprovalGive:
		add(tracedApproval, c.Client, c.Approval)
	case *domain.UndertakingGive:
		k := domain.Key{Kind: domain.KindUndertaking, A: string(c.Party), C: string(c.Evidence)}
		if _, known := fact[domain.Undertaking](t.view, k); known.First != 0 {
			all = append(all, traced{tracedUndertaking, "", c.Evidence, c.Party, known.First})
		}
	}
	return all
}

// ofAttempt is what the decision on the attempt rests on: what its reasons name, of
// a delegation its designation too, and the confirmations of IV.3. None where it was
// not decided yet by then.
func (t *tracing) ofAttempt() (all []traced, err error) {
	d, err := t.s.attempt(t.asking, t.attempt)
	if err != nil || d.Seq > uint64(t.seq) {
		return nil, err
	}
	e, err := d.Event()
	if err != nil {
		return nil, err
	}
	var refs []uint64
	for _, r := range d.Decision.Reasons {
		for _, ref := range r.Refs {
			refs = append(refs, uint64(ref))
		}
	}
	docs, err := t.s.documents(t.ctx, refs)
	if err != nil {
		return nil, err
	}
	t.scanned += len(docs)
	req := e.Data.(*domain.AccessRequest)
	for i := range d.Decision.Reasons {
		r := &d.Decision.Reasons[i]
		named, err := t.namedBy(r, req, docs)
		if err != nil {
			return nil, err
		}
		for _, l := range named {
			if l.made < e.Seq && t.names(l, r, req) && !slices.Contains(all, l) {
				all = append(all, l)
			}
		}
	}
	return all, nil
}

// namedBy is what the reason may name.
func (t *tracing) namedBy(r *domain.Reason, req *domain.AccessRequest, docs map[uint64]recorded) (all []traced, err error) {
	if kind, id, ok := cutRef(r.Right); ok {
		if l, ok := find(t.view, kind, req.Client, id); ok {
			all = append(all, l)
		}
		if g, _, _ := domain.FindRight(t.view, req.Client, domain.RightKind(kind), id); g != nil && g.Kind == domain.Delegated {
			if l, ok := find(t.view, string(domain.Designated), req.Client, g.Designation); ok {
				all = append(all, l)
			}
		}
	}
	if l, ok := find(t.view, tracedApproval, req.Client, req.Approval); ok {
		all = append(all, l)
	}
	for _, ref := range r.Refs {
		made, err := docs[uint64(ref)].Event()
		if err != nil {
			return nil, err
		}
		all = append(all, t.madeBy(made)...)
	}
	if r.Clause == modified {
		for _, id := range r.Evidence {
			all = append(all, traced{id: id})
		}
	}
	return all, nil
}

// A resting is that something rested on a paper from an event on.
type resting struct {
	seq      domain.Seq
	evidence domain.ID
}

// restedOn are the papers that a designation rests and rested on, the first one
// first. What isn't changed rests on one.
func (t *tracing) restedOn(l traced) ([]resting, error) {
	if l.kind != string(domain.Designated) {
		return nil, nil
	}
	key := string(l.client) + "/" + string(l.id)
	if all, ok := t.rested[key]; ok {
		return all, nil
	}
	r, _, _ := domain.FindRight(t.view, l.client, domain.Designated, l.id)
	if r == nil || len(r.Changes) == 0 {
		return nil, nil
	}
	seqs := []uint64{uint64(r.Made)}
	for _, seq := range r.Changes {
		seqs = append(seqs, uint64(seq))
	}
	docs, err := t.s.documents(t.ctx, seqs)
	if err != nil {
		return nil, err
	}
	t.scanned += len(seqs)
	var all []resting
	for _, seq := range seqs {
		e, err := docs[seq].Event()
		if err != nil {
			return nil, err
		}
		p := resting{seq: e.Seq}
		switch c := e.Data.(type) {
		case *domain.EngagementConfirm:
			p.evidence = c.Evidence
		case *domain.DesignationMake:
			p.evidence = c.Evidence
		case *domain.DesignationChange:
			p.evidence = c.Evidence
		default:
			return nil, fmt.Errorf("event %d is said to have made the designation %s, and is a %s", seq, l.id, e.Type)
		}
		all = append(all, p)
	}
	t.rested[key] = all
	return all, nil
}

// cutRef is the kind and the id in what a decision calls a right.
func cutRef(ref string) (kind string, id domain.ID, ok bool) {
	kind, rest, ok := strings.Cut(ref, "/")
	return kind, domain.ID(rest), ok
}
