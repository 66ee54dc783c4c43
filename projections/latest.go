package projections

import (
	"hash/maphash"
	"iter"
	"math/bits"

	guid "github.com/google/uuid"

	"github.com/qtccc/assent/domain"
)

// A latest is every fact as it is now, in memory, and nothing of how it was: what
// deciding the next event of a whole ledger needs, and no more. One goroutine changes
// it; between changes any may look at it, each with a sight of its own.
//
// Each event is about another client, so what costs is not looking but waiting for
// memory: the facts of one A lie together, and what is asked of it first brings the rest.
type latest struct {
	own     sight // of whoever changes it
	kinds   kindSet
	holders map[string]*holder
	clients []string // in the order in which they became known
	// answered are the ids of commands, which are as many as events: by actor and id.
	actors   map[string]uint32
	answered answeredIDs
	// round counts how often it was looked at and then changed, and changed is in which
	// round that was last done to a fact without A, or there was none of the kind before.
	round   uint64
	changed [256]uint64
}

// A kindSet is a set of kinds of facts.
type kindSet [4]uint64

func (s *kindSet) add(k domain.Kind)      { s[k>>6] |= 1 << (k & 63) }
func (s *kindSet) has(k domain.Kind) bool { return s[k>>6]>>(k&63)&1 == 1 }

// A holder has all facts of one A, and that of the client itself which has this id.
type holder struct {
	changed uint64   // in which round
	tags    []tag    // of each fact
	facts   []living // in the order in which they became known
	index   *index   // once they are more than few
}

type living struct {
	b, c string
	domain.Known
}

// few is up to how many facts are looked through one by one.
const few = 48

// A tag is a fact's kind, and of its C as much as tells most apart.
type tag uint32

var seed = maphash.MakeSeed()

func tagOf(kind domain.Kind, c string) tag {
	return tag(kind)<<24 | tag(maphash.String(seed, c))>>8
}

func (t tag) kind() domain.Kind { return domain.Kind(t >> 24) }

// An index says where the facts of a holder are, by what they are asked for.
type index struct {
	facts map[domain.Key]uint32 // without A
	lists map[listKey][]uint32  // without A
}

func newLatest() *latest {
	p := &latest{round: 1, holders: map[string]*holder{}, actors: map[string]uint32{}, answered: newAnsweredIDs()}
	p.own.latest = p
	return p
}

// record applies the next event.
func (p *latest) record(e *domain.Event) { p.keep(e.Seq, domain.Apply(&p.own, e)) }

// keep keeps what the next event changed.
func (p *latest) keep(seq domain.Seq, changes []domain.Change) {
	for _, c := range changes {
		if c.Key.Kind == domain.KindCommand {
			if id, ok := p.answeredID(c.Key, true); ok {
				p.answered.set(id, seq)
			}
			continue
		}
		a := holderOf(c.Key)
		if a == "" || !p.kinds.has(c.Key.Kind) {
			p.kinds.add(c.Key.Kind)
			p.changed[c.Key.Kind] = p.round
		}
		h := p.own.holder(a)
		if h == nil {
			h = &holder{}
			p.holders[a] = h
		}
		h.changed = p.round
		if h.set(c, seq) && c.Key.Kind == domain.KindClient {
			p.clients = append(p.clients, c.Key.C)
			p.changed[domain.KindClient] = p.round
		}
	}
}

// holderOf is where a fact is kept.
func holderOf(k domain.Key) string {
	if k.Kind == domain.KindClient {
		return k.C
	}
	return k.A
}

// set says whether the fact became known by it.
func (h *holder) set(c domain.Change, seq domain.Seq) bool {
	if f := h.find(c.Key); f != nil {
		f.Fact, f.From = c.Fact, seq
		return false
	}
	h.tags = append(h.tags, tagOf(c.Key.Kind, c.Key.C))
	h.facts = append(h.facts, living{c.Key.B, c.Key.C, domain.Known{Fact: c.Fact, First: seq, From: seq}})
	switch {
	case h.index != nil:
		h.index.add(h, len(h.facts)-1)
	case len(h.facts) > few:
		h.index = &index{map[domain.Key]uint32{}, map[listKey][]uint32{}}
		for i := range h.facts {
			h.index.add(h, i)
		}
	}
	return true
}

func (x *index) add(h *holder, i int) {
	f, kind, at := &h.facts[i], h.tags[i].kind(), uint32(i)
	x.facts[domain.Key{Kind: kind, B: f.b, C: f.c}] = at
	whole := listKey{kind: kind}
	x.lists[whole] = append(x.lists[whole], at)
	if f.b != "" {
		part := listKey{kind: kind, b: f.b}
		x.lists[part] = append(x.lists[part], at)
	}
}

func (h *holder) find(k domain.Key) *living {
	if h.index != nil {
		if i, there := h.index.facts[domain.Key{Kind: k.Kind, B: k.B, C: k.C}]; there {
			return &h.facts[i]
		}
		return nil
	}
	t := tagOf(k.Kind, k.C)
	for i := range h.tags {
		if h.tags[i] != t {
			continue
		}
		if f := &h.facts[i]; f.c == k.C && f.b == k.B {
			return f
		}
	}
	return nil
}

// answeredID says under what the id of a command is kept; of an actor who had none yet
// only where it is to be.
func (p *latest) answeredID(k domain.Key, add bool) (answeredID, bool) {
	id, err := guid.Parse(k.C)
	if err != nil {
		return answeredID{}, false
	}
	n, known := p.actors[k.A]
	if !known && add {
		n, known = uint32(len(p.actors)), true
		p.actors[k.A] = n
	}
	return answeredID{n, id}, known
}

// A sight is the view that a latest gives to one goroutine.
type sight struct {
	*latest
	asked string // whose holder was looked for last: a decision is about one client
	found *holder
	seen  *seen // takes note of what is asked; nil: nothing does
}

// watch has it noted in s what is asked from now on.
func (v *sight) watch(s *seen) {
	*s = seen{holders: s.holders[:0], absent: s.absent[:0]}
	v.seen, v.found = s, nil
}

func (v *sight) holder(a string) *holder {
	if v.found == nil || a != v.asked {
		v.asked, v.found = a, v.holders[a]
		if v.seen != nil {
			v.seen.note(a, v.found)
		}
	}
	return v.found
}

// known says whether there is any fact of the kind: of most that is asked for there
// isn't.
func (v *sight) known(kind domain.Kind, a string) bool {
	known := v.kinds.has(kind)
	if v.seen != nil && (!known || a == "") {
		v.seen.kinds.add(kind)
	}
	return known
}

// Get is the fact as it is now.
func (v *sight) Get(k domain.Key) (domain.Known, bool) {
	if k.Kind == domain.KindCommand {
		id, ok := v.answeredID(k, false)
		if v.seen != nil {
			v.seen.noteCommand(id, ok)
		}
		if !ok {
			return domain.Known{}, false
		}
		if seq := v.answered.get(id); seq != 0 {
			return domain.Known{Fact: &domain.Answered{}, First: seq, From: seq}, true
		}
		return domain.Known{}, false
	}
	a := holderOf(k)
	if !v.known(k.Kind, a) {
		return domain.Known{}, false
	}
	if h := v.holder(a); h != nil {
		if f := h.find(k); f != nil {
			return f.Known, true
		}
	}
	return domain.Known{}, false
}

// List doesn't know the ids of commands, which nobody lists.
func (v *sight) List(kind domain.Kind, a, b string) iter.Seq2[domain.Key, domain.Known] {
	return func(yield func(domain.Key, domain.Known) bool) {
		switch {
		case !v.known(kind, a):
		case kind == domain.KindClient:
			for _, id := range v.clients {
				k := domain.Key{Kind: kind, C: id}
				if known, _ := v.Get(k); !yield(k, known) {
					return
				}
			}
		default:
			if h := v.holder(a); h != nil {
				h.list(kind, a, b, yield)
			}
		}
	}
}

func (h *holder) list(kind domain.Kind, a, b string, yield func(domain.Key, domain.Known) bool) {
	if h.index != nil {
		for _, i := range h.index.lists[listKey{kind: kind, b: b}] {
			if f := &h.facts[i]; !yield(domain.Key{Kind: kind, A: a, B: f.b, C: f.c}, f.Known) {
				return
			}
		}
		return
	}
	for i, t := range h.tags {
		if t.kind() != kind {
			continue
		}
		if f := &h.facts[i]; (b == "" || f.b == b) && !yield(domain.Key{Kind: kind, A: a, B: f.b, C: f.c}, f.Known) {
			return
		}
	}
}

// seen is what was asked of a latest in this round: whose facts, and of which kinds,
// where there was none, or none has an A. Of commands it is one: an event's own.
type seen struct {
	command answeredID // whether it was answered
	unheard bool       // its actor was never heard of, or it isn't the only one
	holders []*holder
	absent  []string // who had no fact
	kinds   kindSet
}

func (s *seen) note(a string, h *holder) {
	switch {
	case h == nil:
		s.absent = append(s.absent, a)
	case a != "":
		s.holders = append(s.holders, h)
	}
}

func (s *seen) noteCommand(id answeredID, heard bool) {
	s.unheard = s.unheard || !heard || s.command != answeredID{} && s.command != id
	s.command = id
}

// stale says whether anything may be answered otherwise by now than when it was seen.
func (s *seen) stale(p *latest) bool {
	if s.unheard || p.answered.get(s.command) != 0 {
		return true
	}
	for _, h := range s.holders {
		if h.changed == p.round {
			return true
		}
	}
	for _, a := range s.absent {
		if p.holders[a] != nil {
			return true
		}
	}
	for i, word := range s.kinds {
		for ; word != 0; word &= word - 1 {
			if p.changed[i<<6+bits.TrailingZeros64(word)] == p.round {
				return true
			}
		}
	}
	return false
}

// An answeredID is the id of a command, of an actor by its number.
type answeredID struct {
	actor uint32
	id    guid.UUID
}

// answeredIDs says which event answered a command. There are as many as events, and no
// two are asked for one after the other, so each is found in one place of memory, and
// none is a pointer through which the heap would be searched.
type answeredIDs struct {
	places []answeredBy // a power of two, at most half of them taken
	taken  int
}

type answeredBy struct {
	answeredID
	seq domain.Seq // 0: nobody's place
}

func newAnsweredIDs() answeredIDs { return answeredIDs{places: make([]answeredBy, 1<<10)} }

// place is where the id stands, or would stand.
func (s *answeredIDs) place(id answeredID) *answeredBy {
	last := uint64(len(s.places) - 1)
	for at := maphash.Bytes(seed, id.id[:]) & last; ; at = (at + 1) & last {
		if p := &s.places[at]; p.seq == 0 || p.answeredID == id {
			return p
		}
	}
}

func (s *answeredIDs) get(id answeredID) domain.Seq { return s.place(id).seq }

func (s *answeredIDs) set(id answeredID, seq domain.Seq) {
	p := s.place(id)
	if p.seq == 0 {
		if s.taken++; 2*s.taken > len(s.places) {
			before := s.places
			s.places = make([]answeredBy, 2*len(before))
			for _, b := range before {
				if b.seq != 0 {
					*s.place(b.answeredID) = b
				}
			}
			p = s.place(id)
		}
	}
	*p = answeredBy{id, seq}
}
