package projections

import (
	"slices"

	"github.com/qtccc/assent/domain"
)

// An Overlay is the view of the newest facts over a base that is behind: a store to
// which events are applied later than they are decided on. It keeps what changed
// since (dirty: never forgotten before Clean says that the base has it) and, up to
// a bound, what was read (clean: facts, absent ones, lists). One goroutine owns it;
// the base may take in meanwhile what was Set.
//
// A fact that isn't dirty has no change that the base lacks, so reading it from the
// base is right at any moment, and forgetting it costs a read
// (TestOverlayAnswersAsHistoryDoes).
//
// What is of one client lies together, since a decision is about few of them; a fact
// that has no A lies alone. All is kept in two halves: what is asked for is taken over
// into the hot one, and when that is full, or old, the cold one is dropped as a whole and
// they change places. What is dirty always lies in the hot one. So the cold one has
// nothing that was changed since but what the hot one has too, and its lists only as long
// as nothing has become known that belongs to them.
type Overlay struct {
	base      domain.View
	most      int // how many facts are kept in each half
	used      int // how many clean ones the hot half has
	asked     int // how often something was asked for since they changed places
	last      domain.Seq
	hot, cold half
	recent    [2]*group  // of the hot half: who was looked for last
	found     [256]*lone // of the hot half: what was found last of each kind
	// whole are lists of all facts of a kind without an A, as they are now: the editions,
	// which every decision asks for.
	whole map[domain.Kind][]item
	// dirty are the changes that wait for Clean, in their order.
	dirty []dirtied
	ids   map[domain.Key]domain.Known // of commands, while they are dirty: they are many, and each is asked for once
	// newest is the greatest id of each actor's commands, recorded or dirty, of those who
	// were asked for: one that is greater, as a UUID of version 7 is that was made since,
	// isn't there, and nobody needs to look.
	newest map[string]string
	set    []domain.Known // room for Set
	seen   domain.Seq     // of no meaning: what Near looked at
}

// A half has what is of one A by that, and what is alone by its C. What is known to be
// absent has no First.
type half struct {
	groups map[string]*group
	lone   map[string]*lone
}

func newHalf() half { return half{map[string]*group{}, map[string]*lone{}} }

// A group is what is kept of one A; the client of that id is among it.
type group struct {
	holder
	a      string
	fresh  []uint32 // the dirty facts that became known by what is dirty, in their order
	listed []list
	listAt map[listKey]int // where in listed; nil while they are few
}

// A lone fact has neither A nor B. Most ids name one thing, so those of other kinds that
// have the same C are chained.
type lone struct {
	c    string
	kind domain.Kind
	domain.Known
	next *lone
}

// A dirtied fact is in a group, or lies alone, or is the id of a command.
type dirtied struct {
	seq  domain.Seq
	came bool // into the hot half by this: it is counted once it is clean
	of   *group
	at   uint32
	lone *lone
	id   domain.Key
}

// NewOverlay is an overlay over a base that knows all that was not Set. Bound is how
// many clean facts it keeps, absent ones counted, give or take a half, and
// as many as were dirty at once.
func NewOverlay(base domain.View, bound int) *Overlay {
	o := &Overlay{base: base, most: max(bound/2, 1)}
	o.Reset()
	return o
}

// Reset forgets everything, what is dirty too: events that were Set and then not
// recorded are gone, and the base must know all that was.
func (o *Overlay) Reset() {
	o.hot, o.cold, o.whole = newHalf(), half{}, map[domain.Kind][]item{}
	o.recent, o.found = [2]*group{}, [256]*lone{}
	o.dirty, o.ids, o.newest = nil, map[domain.Key]domain.Known{}, map[string]string{}
	o.used, o.last = 0, 0
}

// large is how long a list may be that is kept.
func (o *Overlay) large() int { return max(o.most/4, 4) }

func alone(k domain.Key) bool { return k.A == "" && k.B == "" && k.Kind != domain.KindClient }

// groupOf is whose group has a fact that isn't alone.
func groupOf(k domain.Key) string {
	if k.A == "" {
		return k.C
	}
	return k.A
}

// The halves change places when the hot one is old, though it isn't full: else what was
// set and is never asked for would stay. The cold one is dropped before that, once what
// is asked for at all has been taken over. How often as much as a half holds is asked for
// until then:
const (
	takenOver = 4
	old       = 32
)

func (o *Overlay) age() {
	switch o.asked++; {
	case o.used >= o.most || o.asked == old*o.most:
		o.turn()
	case o.asked == takenOver*o.most:
		o.cold = half{}
	}
}

// group is what is kept of an A, in the hot half until anything is asked for again.
func (o *Overlay) group(a string) *group {
	o.age()
	switch last := &o.recent; {
	case last[0] != nil && last[0].a == a:
		return last[0]
	case last[1] != nil && last[1].a == a:
		last[0], last[1] = last[1], last[0]
		return last[0]
	}
	g := o.hot.groups[a]
	if g == nil {
		g = &group{a: a}
		o.hot.groups[a] = g
		o.used++
	}
	o.recent = [2]*group{g, o.recent[0]}
	return g
}

// alone is what is kept of a fact that lies alone, nil if nothing is. It is in the hot
// half until anything is asked for again.
func (o *Overlay) alone(kind domain.Kind, c string) *lone {
	o.age()
	if l := o.found[kind]; l != nil && l.c == c {
		return l
	}
	l := o.hot.lone[c]
	if l == nil {
		if l = o.cold.lone[c]; l == nil {
			return nil
		}
		o.hot.lone[c] = l
		for each := l; each != nil; each = each.next {
			o.used++
		}
	}
	for l != nil && l.kind != kind {
		l = l.next
	}
	if l != nil {
		o.found[kind] = l
	}
	return l
}

// add adds what isn't kept yet.
func (o *Overlay) add(kind domain.Kind, c string, known domain.Known) *lone {
	l := &lone{c, kind, known, o.hot.lone[c]}
	o.hot.lone[c] = l
	return l
}

// turn lets the halves change places.
func (o *Overlay) turn() {
	o.hot, o.cold, o.used, o.asked = newHalf(), o.hot, 0, 0
	o.recent, o.found = [2]*group{}, [256]*lone{}
	clear(o.whole)
	for i := range o.dirty {
		switch d := &o.dirty[i]; {
		case d.of != nil:
			o.takeOver(d)
		case d.lone != nil:
			d.came = o.hot.lone[d.lone.c] == nil
			o.hot.lone[d.lone.c] = o.cold.lone[d.lone.c]
		}
	}
}

// takeOver has the hot half have what is dirty.
func (o *Overlay) takeOver(d *dirtied) {
	a, f := d.of.a, &d.of.facts[d.at]
	k := domain.Key{Kind: d.of.tags[d.at].kind(), A: a, B: f.b, C: f.c}
	g := o.hot.groups[a]
	if g == nil {
		g = &group{a: a}
		o.hot.groups[a] = g
	}
	at := g.find(k)
	if d.came = at < 0; d.came {
		at = g.add(k, f.Known)
	}
	if d.of, d.at = g, uint32(at); f.First == d.seq {
		g.fresh = append(g.fresh, d.at)
	}
}

// Get is the fact as it is after the last Set. It panics where the base does, and
// is whole then.
func (o *Overlay) Get(k domain.Key) (domain.Known, bool) {
	switch {
	case k.Kind == domain.KindCommand:
		if known, there := o.ids[k]; there {
			return known, true
		}
		if o.isNew(k) {
			return domain.Known{}, false
		}
		return o.base.Get(k)
	case alone(k):
		if l := o.alone(k.Kind, k.C); l != nil {
			return l.Known, l.First != 0
		}
		known, there := o.read(k)
		o.add(k.Kind, k.C, known)
		o.used++
		return known, there
	}
	g := o.group(groupOf(k))
	if at := g.find(k); at >= 0 {
		known := g.facts[at].Known
		return known, known.First != 0
	}
	known, kept := o.cold.get(g.a, k)
	if !kept {
		known, _ = o.read(k)
	}
	g.add(k, known)
	o.used++
	return known, known.First != 0
}

// get is what a half has of a fact that isn't alone.
func (h half) get(a string, k domain.Key) (known domain.Known, kept bool) {
	if g := h.groups[a]; g != nil {
		if at := g.find(k); at >= 0 {
			return g.facts[at].Known, true
		}
	}
	return domain.Known{}, false
}

// read reads what isn't kept: what isn't there has no First.
func (o *Overlay) read(k domain.Key) (domain.Known, bool) {
	known, there := o.base.Get(k)
	if !there {
		return domain.Known{}, false
	}
	return known, true
}

// A base may say which id is the greatest of an actor's commands, as Lookups do.
type base interface{ Newest(actor string) string }

// isNew says that the id is greater than any of the actor's commands.
func (o *Overlay) isNew(k domain.Key) bool {
	newest, known := o.newest[k.A]
	if !known {
		b, tells := o.base.(base)
		if !tells {
			return false
		}
		newest = b.Newest(k.A)
		for id := range o.ids { // the base may not have them yet
			if id.A == k.A {
				newest = max(newest, id.C)
			}
		}
		o.newest[k.A] = newest
	}
	return k.C > newest
}

// Set makes what the event changed known. Events are set in their order, each once,
// and a command's id by one event only. Where the base panics, nothing is set.
func (o *Overlay) Set(seq domain.Seq, changes []domain.Change) {
	if seq <= o.last {
		panic("projections: an overlay was given an event again")
	}
	o.set = o.set[:0]
	for _, c := range changes { // all that may panic comes before the first change
		known := domain.Known{Fact: c.Fact, First: seq, From: seq}
		if c.Key.Kind != domain.KindCommand && !c.New {
			if was, there := o.Get(c.Key); there {
				known.First = was.First
			}
		}
		o.set = append(o.set, known)
	}
	o.last = seq
	for i, c := range changes {
		known := o.set[i]
		if c.Key.Kind == domain.KindCommand {
			o.ids[c.Key] = known
			if newest, known := o.newest[c.Key.A]; known {
				o.newest[c.Key.A] = max(newest, c.Key.C)
			}
			o.dirty = append(o.dirty, dirtied{seq: seq, id: c.Key})
			continue
		}
		if alone(c.Key) {
			l := o.alone(c.Key.Kind, c.Key.C)
			came := l == nil
			if came {
				l = o.add(c.Key.Kind, c.Key.C, known)
			}
			l.Known = known
			o.dirty = append(o.dirty, dirtied{seq: seq, came: came, lone: l})
			o.renew(c.Key, known)
			continue
		}
		g := o.group(groupOf(c.Key))
		where := g.find(c.Key)
		came := where < 0
		if came {
			where = g.add(c.Key, known)
		}
		at := uint32(where)
		g.facts[at].Known = known
		o.dirty = append(o.dirty, dirtied{seq: seq, came: came, of: g, at: at})
		if c.Key.A == "" {
			o.renew(c.Key, known)
			continue
		}
		if known.First != seq {
			continue
		}
		g.fresh = append(g.fresh, at)
		if cold := o.cold.groups[g.a]; cold != nil {
			cold.listed, cold.listAt = nil, nil
		}
		for _, id := range [...]listKey{{c.Key.Kind, ""}, {c.Key.Kind, c.Key.B}} {
			if l := g.list(id); l != nil && (len(l.at) == 0 || l.at[len(l.at)-1] != at) {
				l.at = append(l.at, at)
			}
		}
	}
}

// Clean says that the base knows what all events up to seq changed.
func (o *Overlay) Clean(seq domain.Seq) {
	n := 0
	for n < len(o.dirty) && o.dirty[n].seq <= seq {
		d := &o.dirty[n]
		n++
		switch {
		case d.of != nil:
			if f := d.of.fresh; len(f) > 0 && f[0] == d.at && d.of.facts[d.at].First == d.seq {
				d.of.fresh = f[1:]
			}
		case d.lone == nil:
			delete(o.ids, d.id)
		}
		if d.came {
			o.used++
		}
	}
	o.dirty = slices.Delete(o.dirty, 0, n) // what they lead to may be forgotten
}

// Together is how many clients are brought near at a time at most: what is kept of them
// fits into the cache that is nearest.
const Together = 32

// Near looks at what is kept of some clients, about whom something is asked next, and at
// nothing in it. Each event is about another client, in none of the processor's caches:
// looked at one behind the other, they are fetched at once, and not each when its turn
// comes. It is a fortieth of a rebuild, and of what an access takes.
func (o *Overlay) Near(clients []string) {
	var gs [Together]*group
	clients = clients[:min(len(clients), Together)]
	for i, a := range clients {
		gs[i] = o.hot.groups[a]
	}
	for _, g := range gs[:len(clients)] {
		if g == nil {
			continue
		}
		for i := range g.facts {
			o.seen += g.facts[i].First
		}
		for _, t := range g.tags {
			o.seen += domain.Seq(t)
		}
	}
}

// Dirty counts the changes that wait for Clean.
func (o *Overlay) Dirty() int { return len(o.dirty) }
