package projections

import (
	"hash/maphash"
	"iter"

	guid "github.com/google/uuid"

	"github.com/qtccc/assent/domain"
)

// A latest is every fact as it is now, in memory, and nothing of how it was: what
// deciding the next event of a whole ledger needs, and no more. One goroutine owns it.
//
// Each event is about another client, so what costs is not looking but waiting for
// memory: the facts of one A lie together, and what is asked of it first brings the rest.
type latest struct {
	kinds   [256]bool // of which there is any fact: most of what is asked for isn't there
	holders map[string]*holder
	asked   string // whose holder was looked for last: a decision is about one client
	found   *holder
	clients []string // in the order in which they became known
	// answered are the ids of commands, which are as many as events: by actor and id.
	actors   map[string]uint32
	answered answeredIDs
}

// A holder has all facts of one A, and that of the client itself which has this id.
type holder struct {
	tags  []tag    // of each fact
	facts []living // in the order in which they became known
	index *index   // once they are more than few
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
	return &latest{holders: map[string]*holder{}, actors: map[string]uint32{}, answered: newAnsweredIDs()}
}

// record applies the next event.
func (p *latest) record(e *domain.Event) { p.keep(e.Seq, domain.Apply(p, e)) }

// keep keeps what the next event changed.
func (p *latest) keep(seq domain.Seq, changes []domain.Change) {
	for _, c := range changes {
		if id, ok := p.command(c.Key); ok {
			p.answered.set(id, seq)
			continue
		}
		p.kinds[c.Key.Kind] = true
		a := holderOf(c.Key)
		h := p.holder(a)
		if h == nil {
			h = &holder{}
			p.holders[a], p.found = h, h
		}
		if h.set(c, seq) && c.Key.Kind == domain.KindClient {
			p.clients = append(p.clients, c.Key.C)
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

func (p *latest) holder(a string) *holder {
	if p.found == nil || a != p.asked {
		p.asked, p.found = a, p.holders[a]
	}
	return p.found
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

// command says under what the id of a command is kept.
func (p *latest) command(k domain.Key) (answeredID, bool) {
	if k.Kind != domain.KindCommand {
		return answeredID{}, false
	}
	id, err := guid.Parse(k.C)
	if err != nil {
		return answeredID{}, false
	}
	n, known := p.actors[k.A]
	if !known {
		n = uint32(len(p.actors))
		p.actors[k.A] = n
	}
	return answeredID{n, id}, true
}

func (p *latest) Get(k domain.Key) (domain.Known, bool) {
	if id, ok := p.command(k); ok {
		seq := p.answered.get(id)
		if seq == 0 {
			return domain.Known{}, false
		}
		return domain.Known{Fact: &domain.Answered{}, First: seq, From: seq}, true
	}
	if !p.kinds[k.Kind] {
		return domain.Known{}, false
	}
	if h := p.holder(holderOf(k)); h != nil {
		if f := h.find(k); f != nil {
			return f.Known, true
		}
	}
	return domain.Known{}, false
}

// List doesn't know the ids of commands, which nobody lists.
func (p *latest) List(kind domain.Kind, a, b string) iter.Seq2[domain.Key, domain.Known] {
	return func(yield func(domain.Key, domain.Known) bool) {
		if !p.kinds[kind] {
			return
		}
		if kind == domain.KindClient {
			p.listClients(yield)
			return
		}
		h := p.holder(a)
		if h == nil {
			return
		}
		show := func(f *living) bool { return yield(domain.Key{Kind: kind, A: a, B: f.b, C: f.c}, f.Known) }
		if h.index != nil {
			for _, i := range h.index.lists[listKey{kind: kind, b: b}] {
				if !show(&h.facts[i]) {
					return
				}
			}
			return
		}
		for i, t := range h.tags {
			if f := &h.facts[i]; t.kind() == kind && (b == "" || f.b == b) && !show(f) {
				return
			}
		}
	}
}

func (p *latest) listClients(yield func(domain.Key, domain.Known) bool) {
	for _, id := range p.clients {
		k := domain.Key{Kind: domain.KindClient, C: id}
		if known, _ := p.Get(k); !yield(k, known) {
			return
		}
	}
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
