package projections

import (
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/qtccc/assent/domain"
)

// What falls due as time passes, and what else `status` counts, is a read model of
// its own: a monitor asks every few seconds, and a scan of all records and rights
// would cost more than the ledger's work. Its keys are
//
//	f5 'd' due (12) client 00 record                    a record that is kept until then (II.5)
//	f5 'r' reviewed (12) client 00 party 00 right       an authorisation that nothing has ended, but time may (II.2)
//	                                                    → until (12)
//	f5 'e' evidence 00 client 00 party 00 right         an authorisation that rests on the evidence
//	f5 'p' actor                                        one that acts for nobody yet (II.1)
//	f5 'v'                                              → how many violations are open (8), where any ever was (II.3)
//	f5 'c' registered (12) client                       a client that isn't erased (V.1)
//	f5 'n' edition (2)                                  → effective (12), who is to be told of it (8) (untold.go)
//
// so what is due is what lies before now, and counting it costs what is due. Only
// events that change one of these facts cost anything at all: an access that is
// granted, nothing (TestStatusCountsWhatTheLawSays).
const spaceDue = 0xf5

const (
	dueRecord   = 'd'
	dueReview   = 'r'
	dueEvidence = 'e'
	dueParty    = 'p'
	dueOpen     = 'v'
	dueClient   = 'c'
	dueNotice   = 'n'
)

// dues takes the event into the facts, and what that does to what falls due.
func (g *generation) dues(b *pebble.Batch, e *Applied) error {
	touched, err := g.touched(e)
	if err != nil {
		return err
	}
	for _, k := range touched { // as it was
		if err := g.due(b, k, e.Event.Time, false); err != nil {
			return err
		}
	}
	if err := g.facts(b, e); err != nil {
		return err
	}
	for _, k := range touched { // as it is
		if err := g.due(b, k, e.Event.Time, true); err != nil {
			return err
		}
	}
	return g.notices(b, e)
}

// touched are the facts that fall due otherwise for the event: those that it
// changes, the records and authorisations of an engagement that it closes or
// reopens, the authorisations that rest on a paper that it voids, those of a client
// that it erases.
func (g *generation) touched(e *Applied) (keys []domain.Key, err error) {
	for _, c := range e.Changes {
		switch f := c.Fact.(type) {
		case *domain.Record, *domain.Right, *domain.Actor, *domain.Violation:
			keys = append(keys, c.Key)
		case *domain.Client:
			if f.Erased == e.Event.Seq {
				keys, err = g.having(keys, c.Key.C, domain.KindRight, isAuthorization)
			}
		case *domain.Engagement:
			if len(f.Closings) > 0 {
				keys, err = g.under(keys, domain.ID(c.Key.A), domain.ID(c.Key.C))
			}
		case *domain.Evidence:
			if f.Voided != 0 {
				keys, err = g.resting(keys, c.Key.C)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// under adds the client's records and authorisations of an engagement.
func (g *generation) under(keys []domain.Key, client, engagement domain.ID) ([]domain.Key, error) {
	keys, err := g.having(keys, string(client), domain.KindRecord, func(f domain.Fact) bool {
		return f.(*domain.Record).Engagement == engagement
	})
	if err != nil {
		return nil, err
	}
	return g.having(keys, string(client), domain.KindRight, func(f domain.Fact) bool {
		return isAuthorization(f) && f.(*domain.Right).Engagement == engagement
	})
}

func isAuthorization(f domain.Fact) bool { return f.(*domain.Right).Kind == domain.Authorized }

// having adds the client's facts of the kind that are wanted.
func (g *generation) having(keys []domain.Key, client string, kind domain.Kind, wanted func(domain.Fact) bool) ([]domain.Key, error) {
	err := g.scan(now, appendList(nil, kind, client, ""), nil, func(l listed) bool {
		if _, newer := g.versions.facts[l.key]; !newer && wanted(l.Fact) {
			keys = append(keys, l.key)
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	for _, k := range g.versions.of[kindOf{kind, client}] {
		if wanted(g.versions.facts[k].Fact) {
			keys = append(keys, k)
		}
	}
	return keys, nil
}

// unwritten are the versions of the batch that is being made, and those of them by what
// they are looked for that their keys don't begin with: a batch may have thousands.
type unwritten struct {
	facts   map[domain.Key]version
	of      map[kindOf][]domain.Key    // records and rights, of a client
	resting map[domain.ID][]domain.Key // rights, that rest or rested on a paper
}

// kindOf is all facts of a kind that a client has.
type kindOf struct {
	kind   domain.Kind
	client string
}

func (u *unwritten) clear() {
	if u.facts == nil {
		*u = unwritten{map[domain.Key]version{}, map[kindOf][]domain.Key{}, map[domain.ID][]domain.Key{}}
	}
	clear(u.facts)
	clear(u.of)
	clear(u.resting)
}

func (u *unwritten) set(k domain.Key, v version) {
	was, there := u.facts[k]
	u.facts[k] = v
	if !there && (k.Kind == domain.KindRecord || k.Kind == domain.KindRight) {
		l := kindOf{k.Kind, k.A}
		u.of[l] = append(u.of[l], k)
	}
	if r, ok := v.Fact.(*domain.Right); ok && r.Evidence != "" && (!there || was.Fact.(*domain.Right).Evidence != r.Evidence) {
		u.resting[r.Evidence] = append(u.resting[r.Evidence], k)
	}
}

// resting adds the authorisations that rest on a paper.
func (g *generation) resting(keys []domain.Key, evidence string) ([]domain.Key, error) {
	list := append(append([]byte{spaceDue, dueEvidence}, evidence...), 0)
	it, err := g.db.NewIter(&pebble.IterOptions{LowerBound: list, UpperBound: beyond(list)})
	if err != nil {
		return nil, err
	}
	for ok := it.First(); ok; ok = it.Next() {
		k, bad := rightKeyOf(it.Key()[len(list):])
		if bad != nil {
			return nil, closing(bad, it.Close)
		}
		keys = append(keys, k)
	}
	if err := closing(it.Error(), it.Close); err != nil {
		return nil, err
	}
	for _, k := range g.versions.resting[domain.ID(evidence)] {
		if r := g.versions.facts[k].Fact.(*domain.Right); string(r.Evidence) == evidence && !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	return keys, nil
}

// due takes out what a fact says of time as it was, or puts in what it says now.
func (g *generation) due(b *pebble.Batch, k domain.Key, at time.Time, in bool) error {
	f, ok, err := g.fresh(k)
	if err != nil || !ok {
		return err
	}
	var key, value []byte
	switch f := f.(type) {
	case *domain.Record:
		key, err = g.dueRecord(k, f)
	case *domain.Right:
		key, value, err = g.dueReview(b, k, f, at, in)
	case *domain.Actor:
		if waitsForParty(f) {
			key = append([]byte{spaceDue, dueParty}, k.C...)
		}
	case *domain.Violation:
		if f.State != domain.Closed {
			return g.dueOpen(b, in)
		}
	}
	switch {
	case err != nil || key == nil:
		return err
	case in:
		return b.Set(key, value, nil)
	}
	return b.Delete(key, nil)
}

// waitsForParty: a clerk, officer or manager acts for a person of the staff, and
// the ones that opening a ledger made have none at first (II.1).
func waitsForParty(a *domain.Actor) bool {
	return !a.Revoked && a.Party == "" && (a.Role == domain.Clerk || a.Role == domain.Officer || a.Role == domain.Manager)
}

func (g *generation) dueRecord(k domain.Key, r *domain.Record) (key []byte, err error) {
	err = Guard(func() {
		if due, runs := domain.Due(unsaved{g}, domain.ID(k.A), r); !runs && r.Destroyed == 0 {
			key = appendTime12([]byte{spaceDue, dueRecord}, due)
			key = append(append(append(key, k.A...), 0), k.C...)
		}
	})
	return key, err
}

func (g *generation) dueReview(b *pebble.Batch, k domain.Key, r *domain.Right, at time.Time, in bool) (key, value []byte, err error) {
	if r.Kind != domain.Authorized {
		return nil, nil, nil
	}
	if in && r.Evidence != "" {
		key = append(append([]byte{spaceDue, dueEvidence}, r.Evidence...), 0)
		if err := b.Set(appendRight(key, k), nil, nil); err != nil {
			return nil, nil, err
		}
		key = nil
	}
	err = Guard(func() {
		if r.Standing(unsaved{g}, at).Ended == 0 {
			key = appendRight(appendTime12([]byte{spaceDue, dueReview}, r.Reviewed), k)
			value = appendTime12(nil, r.Until)
		}
	})
	return key, value, err
}

// openViolations is a count that is kept, so that nobody has to make it.
type openViolations struct {
	n    uint64
	read bool // n is what stands in the store, with what the batch adds
}

// dueOpen counts one more where an open violation is put in, one less where it is
// taken out: a denial that joins one changes nothing.
func (g *generation) dueOpen(b *pebble.Batch, in bool) error {
	key := []byte{spaceDue, dueOpen}
	if !g.open.read {
		v, err := g.meta(key)
		if err != nil {
			return err
		}
		if len(v) == 8 {
			g.open.n = binary.BigEndian.Uint64(v)
		}
		g.open.read = true
	}
	if in {
		g.open.n++
	} else {
		g.open.n--
	}
	return b.Set(key, binary.BigEndian.AppendUint64(nil, g.open.n), nil)
}

// unsaved is the view of the batch that is being made, for rules that look at facts
// by their key. What it can't read panics as a view's does.
type unsaved struct{ g *generation }

func (u unsaved) Get(k domain.Key) (domain.Known, bool) {
	if v, ok := u.g.versions.facts[k]; ok {
		return v.Known, true
	}
	v, ok, err := u.g.get(k, now)
	if err != nil {
		panic(&broken{err})
	}
	return v.Known, ok
}

// List knows nothing: no rule that is asked here lists.
func (u unsaved) List(domain.Kind, string, string) iter.Seq2[domain.Key, domain.Known] {
	return func(func(domain.Key, domain.Known) bool) {}
}

// appendRight appends the key of a client's right: client 00 party 00 right.
func appendRight(dst []byte, k domain.Key) []byte {
	dst = append(append(dst, k.A...), 0)
	return append(append(append(dst, k.B...), 0), k.C...)
}

func rightKeyOf(b []byte) (domain.Key, error) {
	part := slices.Collect(func(yield func(string) bool) {
		for len(b) > 0 {
			i := slices.Index(b, 0)
			if i < 0 {
				i = len(b)
			}
			if !yield(string(b[:i])) {
				return
			}
			b = b[min(i+1, len(b)):]
		}
	})
	if len(part) != 3 {
		return domain.Key{}, fmt.Errorf("%w: a right's key", errDamaged)
	}
	return domain.Key{Kind: domain.KindRight, A: part[0], B: part[1], C: part[2]}, nil
}

// appendTime12 appends a time so that times sort as bytes do: seconds since the year
// 1, nanoseconds.
func appendTime12(dst []byte, t time.Time) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(t.Unix()-year1))
	return binary.BigEndian.AppendUint32(dst, uint32(t.Nanosecond()))
}

// year1 is the zero time's, in seconds.
var year1 = time.Time{}.Unix()

func time12(b []byte) time.Time {
	return time.Unix(int64(binary.BigEndian.Uint64(b))+year1, int64(binary.BigEndian.Uint32(b[8:]))).UTC()
}
