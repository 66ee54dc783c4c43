package projections

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/qtccc/assent/domain"
)

// A trail is what finds events by what they name. Full blocks lie in Pebble; what
// Pebble doesn't have yet is here.
type trail struct {
	mu sync.Mutex
	// open are the blocks that aren't sealed in Pebble, ascending; the last one is
	// being filled. Guarded by mu, and changed by the goroutine that applies alone.
	open []*block
	// back are the events at which the clock went back (clock.affirm), ascending.
	// Guarded by mu.
	back []uint64
	last int64 // the time of the last event; owned by the goroutine that applies
}

// add adds the next event.
func (t *trail) add(seq uint64, at int64, found mentions) (wentBack bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if wentBack = seq > 1 && at < t.last; wentBack {
		t.back = append(t.back, seq)
	}
	t.last = at
	if n, place := blockOf(seq); place == 0 {
		b := newBlock(n)
		if k := len(t.open); k > 0 {
			b.roomAs(t.open[k-1])
		}
		t.open = append(t.open, b)
	}
	t.open[len(t.open)-1].add(at, found)
	return wentBack
}

// sealed drops the full blocks, which Pebble has by now.
func (t *trail) sealed() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open = slices.DeleteFunc(t.open, (*block).full)
}

// load reads what was kept of the open block, up to the event pos.
func (t *trail) load(db *pebble.DB, pos uint64) error {
	if pos == 0 {
		return nil
	}
	next, place := blockOf(pos)
	if place < blockSize-1 {
		t.open = []*block{newBlock(next)}
	}
	err := eachIn(db, spaceTail, func(key, value []byte) error {
		if len(t.open) == 0 || len(key) != 9 {
			return fmt.Errorf("%w: a tail of no block", errDamaged)
		}
		b := t.open[0]
		if seq := binary.BigEndian.Uint64(key[1:]); seq != firstOf(next)+uint64(len(b.times)) {
			return fmt.Errorf("%w: the tails of block %d have a gap at event %d", errDamaged, next, seq)
		}
		return b.addTail(value)
	})
	if err != nil {
		return err
	}
	if len(t.open) > 0 && len(t.open[0].times) != place+1 {
		return fmt.Errorf("%w: block %d has %d events, and %d were applied", errDamaged, next, len(t.open[0].times), place+1)
	}
	err = eachIn(db, spaceBack, func(key, _ []byte) error {
		if len(key) != 9 {
			return fmt.Errorf("%w: key %x", errDamaged, key)
		}
		t.back = append(t.back, binary.BigEndian.Uint64(key[1:]))
		return nil
	})
	return err
}

// eachIn gives the keys and values of a space, ascending.
func eachIn(db *pebble.DB, space byte, f func(key, value []byte) error) (err error) {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{space}, UpperBound: []byte{space + 1}})
	if err != nil {
		return err
	}
	defer func() { err = closing(err, it.Close) }()
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if err := f(it.Key(), value); err != nil {
			return err
		}
	}
	return it.Error()
}

// A TrailQuery says which events are wanted: those that fit every filter given.
// Values are ids and words as they stand in the events; "" leaves a filter out.
type TrailQuery struct {
	Client   domain.ID // the client that the event is about, or that it names
	Record   domain.ID // named by the event, in a scope too; ids of records are their client's
	Party    domain.ID // in any part, also as the holder of a right that the event is about
	Actor    domain.ID // who issued the command
	Evidence domain.ID // named by the event, or a reason of its decision rests on it
	Type     string    // of the event
	Clause   domain.Clause
	Decision string // domain.Granted or domain.Denied
	// From and To bound the sequences, half-open. To 0: no bound.
	From, To uint64
}

// wanted are the filters given, those first that tend to have the fewest events.
func (q *TrailQuery) wanted() []mention {
	all := []mention{
		{byEvidence, string(q.Evidence)}, {byRecord, string(q.Record)}, {byParty, string(q.Party)},
		{byClient, string(q.Client)}, {byActor, string(q.Actor)}, {byClause, string(q.Clause)},
		{byType, q.Type}, {byDecision, q.Decision},
	}
	return slices.DeleteFunc(all, func(m mention) bool { return m.value == "" })
}

// Trail is a page of the sequences of the events that fit, ascending, at most limit
// of them, all greater than after (0: from the start). More says whether others
// follow. Events applied after the call began are left out.
func (s *Store) Trail(q TrailQuery, after uint64, limit int) (seqs []uint64, more bool, err error) {
	g, err := s.use()
	if err != nil {
		return nil, false, err
	}
	defer g.leave()
	end := g.position() + 1
	if q.To != 0 {
		end = min(end, q.To)
	}
	begin := max(q.From, after+1, 1)
	if begin >= end {
		return nil, false, nil
	}
	var wanted [][]mention
	for _, m := range q.wanted() {
		wanted = append(wanted, []mention{m})
	}
	return s.found(g, wanted, begin, end, limit)
}

// found are the events from begin to end, half-open, that have one mention of each
// of the wanted, ascending, at most limit of them.
func (s *Store) found(g *generation, wanted [][]mention, begin, end uint64, limit int) (seqs []uint64, more bool, err error) {
	err = g.blocks(wanted, begin, end, func(seq uint64) bool {
		if more = len(seqs) == limit; !more {
			seqs = append(seqs, seq)
		}
		return !more
	})
	if err != nil {
		return nil, false, s.broken(err)
	}
	return seqs, more, nil
}

// blocks gives the events from begin to end, half-open, that have one mention of
// each of the wanted, until found says false. Block by block: the sets of places are
// narrowed by one filter after the other, and the first that leaves none ends the
// block.
func (g *generation) blocks(wanted [][]mention, begin, end uint64, found func(seq uint64) bool) (err error) {
	open := g.trail.unsealed(wanted)
	it, err := g.db.NewIter(&pebble.IterOptions{UseL6Filters: true})
	if err != nil {
		return err
	}
	defer func() { err = closing(err, it.Close) }()
	var fit, either, one places
	var key []byte
	last, _ := blockOf(end - 1)
	for n, at := blockOf(begin); n <= last; n, at = n+1, 0 {
		fit.all(at, int(min(end-firstOf(n), blockSize)))
		if in, ok := open[n]; ok {
			fit.and(in)
		} else {
			for _, of := range wanted {
				either = places{}
				for _, m := range of {
					key = postingsKey(key[:0], n, m)
					if !it.SeekPrefixGE(key) {
						if err := it.Error(); err != nil {
							return err
						}
						continue
					}
					value, err := it.ValueAndErr()
					if err != nil {
						return err
					}
					if err := parsePostings(value, &one); err != nil {
						return err
					}
					either.or(&one)
				}
				if fit.and(&either); fit == (places{}) {
					break
				}
			}
		}
		going := true
		fit.each(func(at int) bool {
			going = found(firstOf(n) + uint64(at))
			return going
		})
		if !going {
			return nil
		}
	}
	return nil
}

// unsealed are the places of the events with one mention of each of the wanted in
// the blocks that aren't in Pebble. What is not among them was sealed before the
// call.
func (t *trail) unsealed(wanted [][]mention) map[uint64]*places {
	t.mu.Lock()
	defer t.mu.Unlock()
	open := make(map[uint64]*places, len(t.open))
	for _, b := range t.open {
		fit := new(places)
		fit.all(0, len(b.times))
		for _, of := range wanted {
			var either, one places
			for _, m := range of {
				b.in(m, &one)
				either.or(&one)
			}
			fit.and(&either)
		}
		open[b.number] = fit
	}
	return open
}

// SeqAt is the last event whose time is not later than t: 0 where there is none.
// (Times never fall but by clock.affirm; then an event counts that was recorded
// after others of a later time.)
func (s *Store) SeqAt(t time.Time) (uint64, error) {
	g, err := s.use()
	if err != nil {
		return 0, err
	}
	defer g.leave()
	end := g.position() + 1
	g.trail.mu.Lock()
	spans := append([]uint64{1}, g.trail.back...) // in each, times don't fall
	g.trail.mu.Unlock()
	for _, begin := range slices.Backward(spans) {
		if begin >= end {
			continue
		}
		n := sort.Search(int(end-begin), func(i int) bool {
			at, timeErr := g.timeOf(begin + uint64(i))
			if timeErr != nil {
				err = timeErr
			}
			return at.After(t)
		})
		if err != nil {
			return 0, s.broken(err)
		}
		if n > 0 {
			return begin + uint64(n) - 1, nil
		}
		end = begin
	}
	return 0, nil
}

// TimeOf is the time of an event that is applied.
func (s *Store) TimeOf(seq uint64) (time.Time, error) {
	g, err := s.use()
	if err != nil {
		return time.Time{}, err
	}
	defer g.leave()
	if seq == 0 || seq > g.position() {
		return time.Time{}, fmt.Errorf("projections: event %d isn't applied", seq)
	}
	at, err := g.timeOf(seq)
	if err != nil {
		return time.Time{}, s.broken(err)
	}
	return at, nil
}

func (g *generation) timeOf(seq uint64) (time.Time, error) {
	n, at := blockOf(seq)
	if t, ok := g.trail.timeOf(n, at); ok {
		return t, nil
	}
	value, done, err := g.db.Get(timesKey(nil, n, at/chunkSize))
	if err != nil {
		return time.Time{}, fmt.Errorf("the time of event %d: %w", seq, err)
	}
	t, err := parseTime(value, at%chunkSize)
	return t, closing(err, done.Close)
}

func (t *trail) timeOf(number uint64, at int) (time.Time, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, b := range t.open {
		if b.number == number && at < len(b.times) {
			return time.Unix(0, b.times[at]).UTC(), true
		}
	}
	return time.Time{}, false
}
