package projections

import (
	"iter"

	"github.com/qtccc/assent/domain"
)

// A list is whole, and as it is now: which of the group's facts it has.
type list struct {
	listKey
	at []uint32
}

// An item is in a list that isn't one group's.
type item struct {
	key domain.Key
	domain.Known
}

// mostWhole is how long a list is at most whose items lie apart: each is looked through
// when a fact of it changes.
const mostWhole = 256

// List yields the facts as they are after the last Set, the one first known first.
// It panics where the base does.
func (o *Overlay) List(kind domain.Kind, a, b string) iter.Seq2[domain.Key, domain.Known] {
	return func(yield func(domain.Key, domain.Known) bool) {
		var items []item
		switch {
		case kind == domain.KindCommand || a == "" && b != "":
			items = o.scattered(kind, a, b)
		case a == "":
			items = o.without(kind)
		default:
			g, id := o.group(a), listKey{kind, b}
			l := g.list(id)
			if l == nil {
				l, items = o.enlist(g, id)
			}
			if l != nil {
				facts := g.facts // as they are: whoever asks meanwhile may have them moved
				for _, at := range l.at {
					if f := &facts[at]; !yield(domain.Key{Kind: kind, A: a, B: f.b, C: f.c}, f.Known) {
						return
					}
				}
			}
		}
		for i := range items {
			if !yield(items[i].key, items[i].Known) {
				return
			}
		}
	}
}

// enlist makes a list of a group, and keeps it unless it is too long: then it is items.
func (o *Overlay) enlist(g *group, id listKey) (*list, []item) {
	items, kept := o.cold.list(g.a, id)
	if !kept {
		for k, known := range o.base.List(id.kind, g.a, id.b) {
			items = append(items, item{k, known})
		}
	}
	large := len(items) > o.large()
	at, in := make([]uint32, 0, len(items)), make(map[uint32]bool, len(g.fresh))
	for i := range items {
		where := g.find(items[i].key)
		switch {
		case where >= 0:
			items[i].Known, in[uint32(where)] = g.facts[where].Known, true
		case !large:
			where = g.add(items[i].key, items[i].Known)
			o.used++
		}
		at = append(at, uint32(where))
	}
	for _, where := range g.fresh { // what became known last stands last
		f := &g.facts[where]
		if g.tags[where].kind() == id.kind && (id.b == "" || f.b == id.b) && !in[where] { // the base may have it by now
			at = append(at, where)
			items = append(items, item{domain.Key{Kind: id.kind, A: g.a, B: f.b, C: f.c}, f.Known})
		}
	}
	if large {
		return nil, items
	}
	return g.keep(list{id, at}), nil
}

// list is a list that a half has.
func (h half) list(a string, id listKey) (items []item, kept bool) {
	g := h.groups[a]
	if g == nil {
		return nil, false
	}
	l := g.list(id)
	if l == nil {
		return nil, false
	}
	for _, at := range l.at {
		f := &g.facts[at]
		items = append(items, item{domain.Key{Kind: id.kind, A: a, B: f.b, C: f.c}, f.Known})
	}
	return items, true
}

// without is the list of all facts of a kind that have no A.
func (o *Overlay) without(kind domain.Kind) []item {
	items, kept := o.whole[kind]
	if !kept {
		if items = o.scattered(kind, "", ""); len(items) <= min(o.large(), mostWhole) {
			o.whole[kind] = items
		}
	}
	return items
}

// scattered is a list of the facts of more than one group, or of ids of commands.
func (o *Overlay) scattered(kind domain.Kind, a, b string) (items []item) {
	in := map[domain.Key]bool{}
	for k, known := range o.base.List(kind, a, b) {
		items, in[k] = append(items, item{k, known}), true
	}
	for i := range items {
		if kind != domain.KindCommand {
			items[i].Known, _ = o.Get(items[i].key)
		}
	}
	for i := range o.dirty {
		k, known := o.dirtied(&o.dirty[i])
		if k.Kind == kind && k.A == a && (b == "" || k.B == b) && known.First == o.dirty[i].seq && !in[k] {
			items, in[k] = append(items, item{k, known}), true
		}
	}
	return items
}

// dirtied is what was changed, as it is now. Its key lacks the A where that is a group's.
func (o *Overlay) dirtied(d *dirtied) (domain.Key, domain.Known) {
	switch {
	case d.of != nil:
		f := &d.of.facts[d.at]
		return domain.Key{Kind: d.of.tags[d.at].kind(), B: f.b, C: f.c}, f.Known
	case d.lone != nil:
		return domain.Key{Kind: d.lone.kind, C: d.lone.c}, d.lone.Known
	}
	return d.id, o.ids[d.id]
}

// fewLists is up to how many lists of a group are looked through one by one.
const fewLists = 16

func (g *group) list(id listKey) *list {
	if g.listAt != nil {
		if at, ok := g.listAt[id]; ok {
			return &g.listed[at]
		}
		return nil
	}
	for i := range g.listed {
		if g.listed[i].listKey == id {
			return &g.listed[i]
		}
	}
	return nil
}

func (g *group) keep(l list) *list {
	g.listed = append(g.listed, l)
	switch n := len(g.listed); {
	case g.listAt != nil:
		g.listAt[l.listKey] = n - 1
	case n > fewLists:
		g.listAt = make(map[listKey]int, 2*n)
		for i := range g.listed {
			g.listAt[g.listed[i].listKey] = i
		}
	}
	return &g.listed[len(g.listed)-1]
}

// renew keeps the list of its kind up to date, where it has no A.
func (o *Overlay) renew(k domain.Key, known domain.Known) {
	items, kept := o.whole[k.Kind]
	if !kept {
		return
	}
	for i := range items {
		if items[i].key == k {
			items[i].Known = known
			return
		}
	}
	if len(items) >= mostWhole {
		delete(o.whole, k.Kind)
		return
	}
	o.whole[k.Kind] = append(items, item{k, known})
}
