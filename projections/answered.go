package projections

import (
	"encoding/binary"
	"hash/maphash"

	guid "github.com/google/uuid"

	"github.com/qtccc/assent/domain"
)

// An answeredID is the id of a command, of an actor by its number.
type answeredID struct {
	actor uint32
	id    guid.UUID
}

// answeredIDs says which event answered a command. There are as many as events, and no
// two are asked for one after the other, so it is memory that is waited for. Most of an
// actor's ids come in their order, as UUIDs of version 7 do: these are put one behind the
// other, and one that is greater than all is known to be new. The others are scattered.
type answeredIDs struct {
	ascents   []ascent // by the actor's number
	scattered scatteredIDs
}

// An ascent is ids of one actor, ascending, each greater than all that came before.
type ascent struct {
	blocks []*[ascentBlock]answer
	n      int
}

// ascentBlock is how many are allocated together: 24 KiB.
const ascentBlock = 1 << 10

type answer struct {
	hi, lo uint64 // the id
	seq    domain.Seq
}

func (x answer) before(y answer) bool { return x.hi < y.hi || x.hi == y.hi && x.lo < y.lo }

func (r *ascent) at(i int) *answer { return &r.blocks[i/ascentBlock][i%ascentBlock] }

// exceeds says that the id is greater than all of them.
func (r *ascent) exceeds(id answer) bool { return r.n == 0 || r.at(r.n-1).before(id) }

// find is where the id is, nil: nowhere. What isn't the newest is seldom far from it.
func (r *ascent) find(id answer) *answer {
	from, step := r.n, 1
	for from > 0 && id.before(*r.at(from - 1)) {
		from = max(from-step, 0)
		step *= 2
	}
	// All from on+step on are greater; the one before `from` isn't.
	low, high := max(from-1, 0), min(from+step, r.n)
	for low < high {
		if middle := int(uint(low+high) / 2); r.at(middle).before(id) {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low < r.n {
		if a := r.at(low); a.hi == id.hi && a.lo == id.lo {
			return a
		}
	}
	return nil
}

func newAnsweredIDs() answeredIDs {
	return answeredIDs{scattered: scatteredIDs{places: make([]uint64, 1<<10)}}
}

func (id *answeredID) answer(seq domain.Seq) answer {
	return answer{binary.BigEndian.Uint64(id.id[:]), binary.BigEndian.Uint64(id.id[8:]), seq}
}

// get is the event that answered the command, 0 where none did.
func (s *answeredIDs) get(id answeredID) domain.Seq {
	if int(id.actor) >= len(s.ascents) {
		return 0
	}
	r, a := &s.ascents[id.actor], id.answer(0)
	if r.exceeds(a) {
		return 0
	}
	if at := r.find(a); at != nil {
		return at.seq
	}
	return s.scattered.get(id)
}

func (s *answeredIDs) set(id answeredID, seq domain.Seq) {
	for int(id.actor) >= len(s.ascents) {
		s.ascents = append(s.ascents, ascent{})
	}
	r, a := &s.ascents[id.actor], id.answer(seq)
	if r.exceeds(a) {
		if r.n%ascentBlock == 0 {
			r.blocks = append(r.blocks, new([ascentBlock]answer))
		}
		*r.at(r.n) = a
		r.n++
		return
	}
	if at := r.find(a); at != nil {
		at.seq = seq
		return
	}
	s.scattered.set(id, seq)
}

// scatteredIDs are a table of ids.
type scatteredIDs struct {
	by []answeredBy // in the order of events
	// places says where in by an id is, from 1, and as much of its hash as tells most
	// apart; 0: nowhere. They are a power of two, at most half of them taken.
	places []uint64
}

type answeredBy struct {
	answeredID
	seq domain.Seq
}

const hashOfPlace = 0xffff_ffff_0000_0000 // the rest is where in by

func (id *answeredID) hash() uint64 { return maphash.Bytes(seed, id.id[:]) }

// find is the event that answered the command, 0 where none did, and the place where
// that stands, or would stand.
func (s *scatteredIDs) find(id answeredID, hash uint64) (domain.Seq, int) {
	last := len(s.places) - 1
	for at := int(hash) & last; ; at = (at + 1) & last {
		p := s.places[at]
		if p == 0 {
			return 0, at
		}
		if (p^hash)&hashOfPlace == 0 {
			if by := &s.by[p&^hashOfPlace-1]; by.answeredID == id {
				return by.seq, at
			}
		}
	}
}

func (s *scatteredIDs) get(id answeredID) domain.Seq {
	seq, _ := s.find(id, id.hash())
	return seq
}

func (s *scatteredIDs) set(id answeredID, seq domain.Seq) {
	hash := id.hash()
	before, at := s.find(id, hash)
	if before != 0 {
		s.by[s.places[at]&^hashOfPlace-1].seq = seq
		return
	}
	s.by = append(s.by, answeredBy{id, seq})
	if 2*len(s.by) <= len(s.places) {
		s.places[at] = hash&hashOfPlace | uint64(len(s.by))
		return
	}
	s.places = make([]uint64, 2*len(s.places))
	for i := range s.by {
		hash := s.by[i].hash()
		_, at := s.find(s.by[i].answeredID, hash)
		s.places[at] = hash&hashOfPlace | uint64(i+1)
	}
}
