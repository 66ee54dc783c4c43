package projections

import (
	"slices"
	"strings"
	"time"

	"github.com/qtccc/assent/domain"
)

type sittingItem struct {
	Review   domain.ID  `json:"review"`
	Title    string     `json:"title"`
	State    string     `json:"state"`
	Opened   time.Time  `json:"opened"`
	OpenedBy domain.ID  `json:"openedBy"`
	Seq      domain.Seq `json:"seq"` // the event that opened it
	// Edition was in force when it was opened, and said how often is reviewed; none
	// was where it is 0.
	Edition     int           `json:"edition"`
	ReviewEvery domain.Period `json:"reviewEvery"`
	// Last is the review before, whose closing, the event Since, use is counted from.
	Last  domain.ID  `json:"last,omitzero"`
	Since domain.Seq `json:"since,omitzero"`

	Closed    time.Time  `json:"closed,omitzero"`
	ClosedBy  domain.ID  `json:"closedBy,omitzero"`
	ClosedSeq domain.Seq `json:"closedSeq,omitzero"`
	Statement string     `json:"statement,omitzero"`
}

// reviews: when management looked at the authorisations (II.2).
func (a *asking) reviews() error {
	return a.list(register{kind: domain.KindReview,
		texts: func(f Found) []domain.Seq {
			if r := f.Known.Fact.(*domain.Review); r.Closed != 0 {
				return []domain.Seq{f.Known.First, r.Closed}
			}
			return []domain.Seq{f.Known.First}
		},
		item: func(f Found, docs map[uint64]recorded) (any, error) {
			r, opened := f.Known.Fact.(*domain.Review), f.Known.First
			then := a.s.cfg.Store.At(opened)
			it := &sittingItem{Review: domain.ID(f.Key.C), Title: a.text(docs, opened, "/title", r.Title),
				State: state(r.Closed != 0, stateClosed, stateOpen), Opened: r.Opened, OpenedBy: r.OpenedBy, Seq: opened}
			if e := domain.EditionInForce(then, r.Opened); e != nil {
				it.Edition, it.ReviewEvery = e.Number, e.ReviewEvery
			}
			if all, _ := fact[domain.Reviews](then, reviewsKey); all != nil {
				it.Last, it.Since = all.Last, all.Closed
			}
			if r.Closed != 0 {
				end := docs[uint64(r.Closed)]
				it.Closed, it.ClosedBy, it.ClosedSeq = end.Time, end.Actor, r.Closed
				it.Statement = a.text(docs, r.Closed, "/statement", r.Statement)
			}
			return it, nil
		}})
}

var reviewsKey = domain.Key{Kind: domain.KindReviews}

// A reviewItem is one authorisation of a review: as it was when the review was
// opened, what was done with it since the last one, what was found, and what has
// become of it.
type reviewItem struct {
	Client        domain.ID          `json:"client"`
	Authorization domain.ID          `json:"authorization"`
	Party         domain.ID          `json:"party"`
	IssuedBy      domain.ID          `json:"issuedBy"`
	Verdict       domain.VerdictWord `json:"verdict,omitzero"`

	Overdue bool `json:"overdue"` // for review, when this one was opened
	use

	Need       string           `json:"need"`
	Scope      domain.Scope     `json:"scope"`
	Purposes   []domain.Purpose `json:"purposes"`
	Actions    []domain.Action  `json:"actions"`
	Until      time.Time        `json:"until,omitzero"`
	Engagement domain.ID        `json:"engagement,omitzero"`
	Evidence   domain.ID        `json:"evidence,omitzero"`
	From       domain.Seq       `json:"from"`
	Reviewed   time.Time        `json:"reviewed"` // it was issued, kept or narrowed last
	// TakenBefore is the verdict by which an earlier review had taken one from the
	// party, before this one was issued to it again.
	TakenBefore domain.Seq `json:"takenBefore,omitzero"`

	Reason    string     `json:"reason,omitzero"` // of the verdict
	DecidedBy domain.ID  `json:"decidedBy,omitzero"`
	Decided   domain.Seq `json:"decided,omitzero"`

	InForce bool       `json:"inForce"` // as `at` says, as all below
	Ended   domain.Seq `json:"ended,omitzero"`
	Changed domain.Seq `json:"changed,omitzero"` // narrowed since the opening, last
	Now     *says      `json:"now,omitzero"`     // what it says since it was narrowed
	// Again are what was issued to the party since this review took this one from it,
	// the 16 earliest; More counts the others.
	Again []domain.ID `json:"again,omitzero"`
	More  int         `json:"more,omitzero"`
}

// A says is what an authorisation lets its party do.
type says struct {
	Scope    domain.Scope     `json:"scope"`
	Purposes []domain.Purpose `json:"purposes"`
	Actions  []domain.Action  `json:"actions"`
	Until    time.Time        `json:"until,omitzero"`
}

// mostAgain bounds what is shown as issued again.
const mostAgain = 16

// A sitting is a review whose authorisations are asked for.
type sitting struct {
	id     domain.ID
	review *domain.Review // as it stands
	opened domain.Seq
	then   domain.View // after the event that opened it
	// unseen: those are wanted that nobody looked at, issued after the event `last`,
	// which opened the review before, and ended before this one was opened.
	unseen bool
	last   domain.Seq
	// since is the event after which use is counted.
	since domain.Seq
}

// snapshot: what a review is of (II.2): the authorisations that were in force when
// it was opened, client by client. A page does a bounded work, however much was done
// with one authorisation: it counts as far as it comes, and hands its counts on.
func (a *asking) snapshot() error {
	s, err := a.sitting()
	if err != nil || s == nil {
		return err
	}
	at, err := a.snapshotKey()
	if err != nil {
		return err
	}
	for {
		found, more, err := a.s.cfg.Store.Scan(s.opened, domain.KindReviewable, "", "", at.after, chunk)
		if err != nil {
			return err
		}
		a.scanned += len(found)
		rights := s.among(found)
		if err := at.begin(rights); err != nil {
			return err
		}
		if done, err := a.countUse(s, rights, at); err != nil || !done {
			a.next = at.key()
			return err
		}
		if done, err := a.judged(s, rights, at); err != nil || !done {
			a.next = at.key()
			return err
		}
		if !more {
			return nil
		}
		at = &snapshotKey{after: found[len(found)-1].Key}
		if a.full() {
			a.next = at.key()
			return nil
		}
	}
}

// sitting is the review that is asked for; nil where it wasn't opened yet.
func (a *asking) sitting() (*sitting, error) {
	k := domain.Key{Kind: domain.KindReview, C: string(a.review)}
	r, known := fact[domain.Review](a.view, k)
	if r == nil {
		if _, ok := a.s.cfg.Store.At(domain.Seq(a.n)).Get(k); !ok {
			return nil, absent("/review", "there is no review %s", a.review)
		}
		return nil, nil
	}
	s := &sitting{id: a.review, review: r, opened: known.First, unseen: a.unseen}
	s.then = &once{View: a.s.cfg.Store.At(s.opened)}
	if all, _ := fact[domain.Reviews](s.then, reviewsKey); all != nil && all.Last != "" {
		_, last := fact[domain.Review](s.then, domain.Key{Kind: domain.KindReview, C: string(all.Last)})
		s.last, s.since = last.First, all.Closed
	}
	if s.unseen {
		s.since = s.last // nobody has looked at their use either
	}
	return s, nil
}

// among are those of the authorisations found that are asked for, as they were when
// the review was opened.
func (s *sitting) among(found []Found) (rights []*domain.Right) {
	for _, f := range found {
		client, id, _ := strings.Cut(f.Key.C, "/")
		r, _ := fact[domain.Right](s.then, domain.Key{Kind: domain.KindRight, A: client,
			B: string(f.Known.Fact.(*domain.Reviewable).Party), C: string(domain.Authorized) + "/" + id})
		if in := r.InReview(s.then, s.review, s.opened); in != s.unseen && (in || r.Made > s.last) {
			rights = append(rights, r)
		}
	}
	return rights
}

// judged adds the authorisations, whose use is counted. It says false where the page
// has no room for all.
func (a *asking) judged(s *sitting, rights []*domain.Right, at *snapshotKey) (done bool, err error) {
	left := rights[at.shown:]
	seqs := make([]domain.Seq, len(left)) // of the verdicts; 0: none
	verdicts := make([]*domain.Verdict, len(left))
	var texts []uint64
	for i, r := range left {
		k := domain.Key{Kind: domain.KindVerdict, A: string(s.id), C: string(r.Client) + "/" + string(r.ID)}
		var known domain.Known
		verdicts[i], known = fact[domain.Verdict](a.view, k)
		seqs[i] = known.From
		texts = append(texts, uint64(r.Made))
		if known.From != 0 {
			texts = append(texts, uint64(known.From))
		}
	}
	docs, err := a.s.documents(a.ctx, texts)
	if err != nil {
		return false, err
	}
	issued := map[[2]domain.ID][]*domain.Right{}
	for i, r := range left {
		it := &reviewItem{Client: r.Client, Authorization: r.ID, Party: r.Party, IssuedBy: r.IssuedBy,
			Overdue: r.Standing(s.then, s.review.Opened).Overdue, use: at.uses[at.shown],
			Need: a.text(docs, r.Made, "/need", r.Need), Scope: r.Scope, Purposes: r.Purposes, Actions: r.Actions, Until: r.Until,
			Engagement: r.Engagement, Evidence: r.Evidence, From: r.Made, Reviewed: r.Reviewed, TakenBefore: a.takenBefore(r)}
		if it.LastSeq != 0 {
			if it.LastUsed, err = a.s.cfg.Store.TimeOf(it.LastSeq); err != nil {
				return false, err
			}
		}
		if v := verdicts[i]; v != nil {
			it.Verdict, it.DecidedBy, it.Decided = v.Verdict, v.By, seqs[i]
			it.Reason = a.text(docs, seqs[i], "/reason", v.Reason)
		}
		a.since(it, s)
		if it.Verdict == domain.Revoke {
			if err := a.again(it, issued); err != nil {
				return false, err
			}
		}
		if ok, err := a.add(it); err != nil || !ok {
			return false, err
		}
		at.shown++
	}
	return true, nil
}

// since says what has become of the authorisation.
func (a *asking) since(it *reviewItem, s *sitting) {
	r, _, ok := domain.FindRight(a.view, it.Client, domain.Authorized, it.Authorization)
	if !ok {
		return // none that was issued is ever forgotten
	}
	stands := r.Standing(a.view, a.moment)
	it.InForce, it.Ended = stands.InForce, stands.Ended
	if n := len(r.Changes); n > 0 && r.Changes[n-1] > s.opened {
		it.Changed = r.Changes[n-1]
		it.Now = &says{r.Scope, r.Purposes, r.Actions, r.Until}
	}
}

// again adds what was issued again after the review took it; issued are those of
// client and party that were read already.
func (a *asking) again(it *reviewItem, issued map[[2]domain.ID][]*domain.Right) error {
	who := [2]domain.ID{it.Client, it.Party}
	all, read := issued[who]
	if !read {
		var after domain.Key
		for going := true; going; {
			found, more, err := a.s.cfg.Store.Scan(a.seq, domain.KindRight, string(it.Client), string(it.Party), after, chunk)
			if err != nil {
				return err
			}
			going = more
			for _, f := range found {
				a.scanned++
				r := f.Known.Fact.(*domain.Right)
				if r.Kind != domain.Authorized { // they come first
					going = false
					break
				}
				all, after = append(all, r), f.Key
			}
		}
		slices.SortFunc(all, func(x, y *domain.Right) int { return int(x.Made) - int(y.Made) })
		issued[who] = all
	}
	for _, r := range all {
		switch {
		case r.Made <= it.Decided:
		case len(it.Again) == mostAgain:
			it.More++
		default:
			it.Again = append(it.Again, r.ID)
		}
	}
	return nil
}

// takenBefore is the verdict by which a review last took an authorisation from the
// party, before this one was issued.
func (a *asking) takenBefore(r *domain.Right) domain.Seq {
	k := domain.Key{Kind: domain.KindTaken, A: string(r.Client), C: string(r.Party)}
	for n := r.Made - 1; ; {
		t, known := fact[domain.Taken](a.s.cfg.Store.At(n), k)
		switch {
		case t == nil:
			return 0
		case !t.Restored:
			return known.From
		}
		n = known.From - 1 // before a manager gave one back it was taken
	}
}
