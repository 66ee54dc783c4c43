package projections

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/qtccc/assent/domain"
)

// monthEnds is by how much a period may end earlier for a later start: a month after
// the 31st of January, 9 o'clock, comes before a month after the 28th, 10 o'clock.
const monthEnds = 4 * 24 * time.Hour

// soon is how far ahead `status` looks for authorisations that will be overdue.
const soon = 30 * 24 * time.Hour

// A tally is what `status` counts.
type tally struct {
	openViolations, overdue, overdueSoon, due, late int
	withoutParty                                    []domain.ID
}

// A present is the moment at which is counted, and what the editions of the
// statement say then.
type present struct {
	at      time.Time
	edition *domain.Edition // in force; nil: none is
	// reviews say how often authorisations are to be reviewed from a moment on, up to
	// the next one's, ascending; the first is at.
	reviews []reviewing
}

type reviewing struct {
	from  time.Time
	every domain.Period
}

// presentAt is the present in the view.
func presentAt(v domain.View, at time.Time) present {
	p := present{at: at, edition: domain.EditionInForce(v, at)}
	p.reviews = []reviewing{{at, reviewEvery(p.edition)}}
	for _, k := range v.List(domain.KindEdition, "", "") {
		from := k.Fact.(*domain.Edition).Effective
		if !from.After(at) || !from.Before(at.Add(soon)) {
			continue
		}
		if next := domain.EditionInForce(v, from); next.Effective.Equal(from) {
			p.reviews = append(p.reviews, reviewing{from, next.ReviewEvery})
		}
	}
	slices.SortFunc(p.reviews, func(a, b reviewing) int { return a.from.Compare(b.from) })
	return p
}

// reviewEvery: with no edition in force nothing was reviewed in time.
func reviewEvery(e *domain.Edition) domain.Period {
	if e == nil {
		return domain.Period{}
	}
	return e.ReviewEvery
}

// overdue says when an authorisation, reviewed then and in force until, is overdue
// first from p.at on; never is false. None that ends before is (II.2).
func (p *present) overdue(reviewed, until time.Time) (since time.Time, ever bool) {
	for i, r := range p.reviews {
		since = r.every.After(reviewed)
		if since.Before(r.from) {
			since = r.from
		}
		if i+1 < len(p.reviews) && !since.Before(p.reviews[i+1].from) {
			continue
		}
		return since, until.IsZero() || since.Before(until)
	}
	return time.Time{}, false
}

// beyond says whether none reviewed then or later can be overdue soon.
func (p *present) beyond(reviewed time.Time) bool {
	for _, r := range p.reviews {
		if r.every.After(reviewed).Before(p.at.Add(soon + monthEnds)) {
			return false
		}
	}
	return true
}

// tally counts what the store holds after one event, and says which; judge says at
// which moment to count then.
func (s *Store) tally(judge func(n uint64) (present, error)) (n uint64, t tally, err error) {
	g, err := s.use()
	if err != nil {
		return 0, tally{}, err
	}
	defer g.leave()
	one := g.db.NewSnapshot()
	defer func() { err = closing(err, one.Close) }()
	pos, done, err := one.Get(positionKey)
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, tally{withoutParty: []domain.ID{}}, nil
	} else if err != nil {
		return 0, tally{}, s.broken(err)
	}
	n = binary.BigEndian.Uint64(pos)
	if err := done.Close(); err != nil {
		return 0, tally{}, err
	}
	p, err := judge(n)
	if err != nil {
		return 0, tally{}, err
	}
	if t, err = count(one, &p); err != nil {
		return 0, tally{}, s.broken(err)
	}
	return n, t, nil
}

func count(one *pebble.Snapshot, p *present) (tally, error) {
	t := tally{withoutParty: []domain.ID{}}
	for _, count := range []struct {
		of   byte
		each func(key, value []byte) (more bool)
	}{
		{dueRecord, func(key, _ []byte) bool { // due from its day on
			more := !time12(key).After(p.at)
			if more {
				t.due++
			}
			return more
		}},
		{dueReview, func(key, value []byte) bool {
			reviewed := time12(key)
			switch since, ever := p.overdue(reviewed, time12(value)); {
			case !ever:
			case !since.After(p.at):
				t.overdue++
			case since.Before(p.at.Add(soon)):
				t.overdueSoon++
			}
			return !p.beyond(reviewed)
		}},
		{dueParty, func(key, _ []byte) bool {
			t.withoutParty = append(t.withoutParty, domain.ID(key))
			return true
		}},
		{dueOpen, func(_, value []byte) bool {
			t.openViolations = int(binary.BigEndian.Uint64(value))
			return true
		}},
		{dueNotice, func(key, value []byte) bool {
			if e := p.edition; e != nil && noticeLate(e, p.at) && int(binary.BigEndian.Uint16(key)) == e.Number {
				t.late = int(binary.BigEndian.Uint64(value[12:]))
			}
			return true
		}},
	} {
		if err := dueIn(one, count.of, count.each); err != nil {
			return tally{}, err
		}
	}
	return t, nil
}

// dueSizes are how long a key at least, without what it begins with, and a value are
// of the kinds that are counted.
var dueSizes = map[byte]struct{ key, value int }{
	dueRecord: {12, 0}, dueReview: {12, 12}, dueParty: {1, 0}, dueOpen: {0, 8}, dueNotice: {2, 20},
}

// dueIn gives the keys, without what they begin with, and values of one kind, in
// their order, until each says false.
func dueIn(one pebble.Reader, kind byte, each func(key, value []byte) bool) (err error) {
	it, err := one.NewIter(&pebble.IterOptions{LowerBound: []byte{spaceDue, kind}, UpperBound: []byte{spaceDue, kind + 1}})
	if err != nil {
		return err
	}
	defer func() { err = closing(err, it.Close) }()
	size := dueSizes[kind]
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		key := it.Key()[2:]
		if len(key) < size.key || len(value) != size.value {
			return fmt.Errorf("%w: key %x", errDamaged, it.Key())
		}
		if !each(key, value) {
			return nil
		}
	}
	return it.Error()
}
