package projections

import (
	"iter"

	guid "github.com/google/uuid"

	"github.com/qtccc/assent/domain"
)

// A latest is every fact as it is now, in memory, and nothing of how it was: what
// deciding the next event of a whole ledger needs, and no more. One goroutine owns it.
type latest struct {
	kinds [256]bool // of which there is any fact: most of what is asked for isn't there
	facts map[domain.Key]*living
	lists map[listKey][]*living // in the order in which they became known
	// answered are the ids of commands, which are as many as events: by actor and id,
	// without a pointer, so that the heap is not searched through them.
	actors   map[string]uint32
	answered map[commandID]domain.Seq
}

type living struct {
	key domain.Key
	domain.Known
}

type commandID struct {
	actor uint32
	id    guid.UUID
}

func newLatest() *latest {
	return &latest{facts: map[domain.Key]*living{}, lists: map[listKey][]*living{}, actors: map[string]uint32{}, answered: map[commandID]domain.Seq{}}
}

// record applies the next event.
func (p *latest) record(e *domain.Event) {
	for _, c := range domain.Apply(p, e) {
		if id, ok := p.command(c.Key); ok {
			p.answered[id] = e.Seq
			continue
		}
		f := p.facts[c.Key]
		if f != nil {
			f.Fact, f.From = c.Fact, e.Seq
			continue
		}
		f = &living{c.Key, domain.Known{Fact: c.Fact, First: e.Seq, From: e.Seq}}
		p.facts[c.Key], p.kinds[c.Key.Kind] = f, true
		p.enlist(listKey{c.Key.Kind, c.Key.A, ""}, f)
		if c.Key.B != "" {
			p.enlist(listKey{c.Key.Kind, c.Key.A, c.Key.B}, f)
		}
	}
}

func (p *latest) enlist(l listKey, f *living) { p.lists[l] = append(p.lists[l], f) }

// command says under what the id of a command is kept.
func (p *latest) command(k domain.Key) (commandID, bool) {
	if k.Kind != domain.KindCommand {
		return commandID{}, false
	}
	id, err := guid.Parse(k.C)
	if err != nil {
		return commandID{}, false
	}
	n, known := p.actors[k.A]
	if !known {
		n = uint32(len(p.actors))
		p.actors[k.A] = n
	}
	return commandID{n, id}, true
}

func (p *latest) Get(k domain.Key) (domain.Known, bool) {
	if id, ok := p.command(k); ok {
		seq, there := p.answered[id]
		if !there {
			return domain.Known{}, false
		}
		return domain.Known{Fact: &domain.Answered{}, First: seq, From: seq}, true
	}
	if !p.kinds[k.Kind] {
		return domain.Known{}, false
	}
	if f := p.facts[k]; f != nil {
		return f.Known, true
	}
	return domain.Known{}, false
}

func (p *latest) List(kind domain.Kind, a, b string) iter.Seq2[domain.Key, domain.Known] {
	return func(yield func(domain.Key, domain.Known) bool) {
		if !p.kinds[kind] {
			return
		}
		for _, f := range p.lists[listKey{kind, a, b}] {
			if !yield(f.key, f.Known) {
				return
			}
		}
	}
}
