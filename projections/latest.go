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
	common  holder // of the facts without A
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
	changed uint64               // in which round
	client  int                  // where in facts the client itself is, from 1; 0: nowhere
	tags    []tag                // of each fact
	facts   []living             // in the order in which they became known
	index   *index               // once they are more than few
	lists   map[listKey][]uint32 // without A, once there is an index
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
	facts map[uint64]uint32 // by the hash of the key without A: the last one that has it, from 1
	next  []uint32          // of each fact: the one before it that has the same hash, from 1
}

// listKey is of all facts of a kind, or of those that have this B.
type listKey struct {
	kind domain.Kind
	b    string
}

func hashOf(kind domain.Kind, b, c string) uint64 {
	h := maphash.String(seed, c) + uint64(kind)
	if b != "" {
		h = bits.RotateLeft64(h, 1) ^ maphash.String(seed, b)
	}
	return h
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
	if at := h.find(c.Key); at >= 0 {
		f := &h.facts[at]
		f.Fact, f.From = c.Fact, seq
		return false
	}
	at := uint32(h.add(c.Key, domain.Known{Fact: c.Fact, First: seq, From: seq}))
	switch {
	case h.lists != nil:
		h.enlist(at)
	case h.index != nil:
		h.lists = map[listKey][]uint32{}
		for i := range at + 1 {
			h.enlist(i)
		}
	}
	return true
}

// add adds a fact that isn't there, and says where.
func (h *holder) add(k domain.Key, known domain.Known) int {
	h.tags = append(tight(h.tags), tagOf(k.Kind, k.C))
	h.facts = append(tight(h.facts), living{k.B, k.C, known})
	if k.Kind == domain.KindClient {
		h.client = len(h.facts)
	}
	switch {
	case h.index != nil:
		h.index.add(h, len(h.facts)-1)
	case len(h.facts) > few:
		h.index = &index{facts: map[uint64]uint32{}}
		for i := range h.facts {
			h.index.add(h, i)
		}
	}
	return len(h.facts) - 1
}

// tight has room for one more, and for few beyond it: most holders grow no further.
func tight[E any](s []E) []E {
	if len(s) < cap(s) {
		return s
	}
	return append(make([]E, 0, len(s)+2+len(s)/8), s...)
}

func (x *index) add(h *holder, i int) {
	f := &h.facts[i]
	hash := hashOf(h.tags[i].kind(), f.b, f.c)
	x.next = append(x.next, x.facts[hash])
	x.facts[hash] = uint32(i) + 1
}

func (h *holder) enlist(at uint32) {
	whole := listKey{kind: h.tags[at].kind()}
	h.lists[whole] = append(h.lists[whole], at)
	if b := h.facts[at].b; b != "" {
		part := listKey{kind: whole.kind, b: b}
		h.lists[part] = append(h.lists[part], at)
	}
}

// find is where in facts it is, -1 where it isn't.
func (h *holder) find(k domain.Key) int {
	if k.Kind == domain.KindClient {
		return h.client - 1
	}
	if h.index != nil {
		i := int(h.index.facts[hashOf(k.Kind, k.B, k.C)]) - 1
		for i >= 0 && !h.is(i, k) {
			i = int(h.index.next[i]) - 1
		}
		return i
	}
	t := tagOf(k.Kind, k.C)
	for i := range h.tags {
		if h.tags[i] == t && h.is(i, k) {
			return i
		}
	}
	return -1
}

func (h *holder) is(i int, k domain.Key) bool {
	f := &h.facts[i]
	return f.c == k.C && f.b == k.B && h.tags[i].kind() == k.Kind
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
	last [2]sought // whose holders were looked for last: a decision is about few
	// recent is which fact of each kind without A was found last. It stays where it is.
	recent [256]struct {
		c  string
		at int // from 1
	}
	seen *seen // takes note of what is asked; nil: nothing does
}

type sought struct {
	a     string
	found *holder
}

// watch has it noted in s what is asked from now on.
func (v *sight) watch(s *seen) {
	*s = seen{holders: s.holders[:0], absent: s.absent[:0]}
	v.seen, v.last = s, [2]sought{}
}

func (v *sight) holder(a string) *holder {
	if a == "" {
		return &v.common
	}
	last := &v.last
	switch {
	case last[0].found != nil && last[0].a == a:
	case last[1].found != nil && last[1].a == a:
		last[0], last[1] = last[1], last[0]
	default:
		h := v.holders[a]
		if v.seen != nil {
			v.seen.note(a, h)
		}
		last[0], last[1] = sought{a, h}, last[0]
	}
	return last[0].found
}

// find is the fact, nil where there is none.
func (v *sight) find(a string, k domain.Key) *living {
	h := v.holder(a)
	if h == nil {
		return nil
	}
	at := 0
	if last := &v.recent[k.Kind]; a == "" && last.at > 0 && last.c == k.C && k.B == "" {
		at = last.at - 1
	} else if at = h.find(k); a == "" && at >= 0 && k.B == "" {
		last.c, last.at = k.C, at+1
	}
	if at < 0 {
		return nil
	}
	return &h.facts[at]
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
	if f := v.find(a, k); f != nil {
		return f.Known, true
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
	if h.lists != nil {
		for _, i := range h.lists[listKey{kind: kind, b: b}] {
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
	if h == nil {
		s.absent = append(s.absent, a)
		return
	}
	s.holders = append(s.holders, h)
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
