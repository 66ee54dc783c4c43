package projections

import (
	"iter"

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
// What is clean is kept in two halves: all that is used moves to the hot one, and
// when that is full, the cold one is dropped as a whole and they change places. The
// dirty facts always lie in the hot one.
type Overlay struct {
	base  domain.View
	half  int // how much is kept in each half
	used  int // how much of the hot half is taken by what is clean
	last  domain.Seq
	facts halves[domain.Key, cached]
	lists halves[listKey, list]
	// dirty are the changes that wait for Clean, in their order.
	dirty []dirtied
	// fresh are the keys of dirty facts that became known by what is dirty, in
	// their order, by the lists that they belong to. Ids of commands are left out:
	// they are many, and nobody lists them.
	fresh map[listKey][]domain.Key
	set   []domain.Known // room for Set
}

// cached is what is known under a key, or that nothing is.
type cached struct {
	domain.Known
	there bool
	dirty domain.Seq // the last event that changed it and waits for Clean; 0: none
}

type dirtied struct {
	seq domain.Seq
	key domain.Key
}

type listKey struct {
	kind domain.Kind
	a, b string
}

// list is a list as it is now, whole.
type list struct {
	items []item
	at    map[domain.Key]int // where each item stands; nil while there are few
}

type item struct {
	key domain.Key
	domain.Known
}

// halves are what is kept. What is in both is the same.
type halves[K comparable, V any] struct{ hot, cold map[K]*V }

// find is what is kept under the key, from now on in the hot half; nil: nothing.
func (h *halves[K, V]) find(k K) (v *V, moved bool) {
	if v := h.hot[k]; v != nil {
		return v, false
	}
	if v = h.cold[k]; v != nil {
		h.hot[k] = v
		return v, true
	}
	return nil, false
}

func (h *halves[K, V]) drop(k K) {
	delete(h.hot, k)
	delete(h.cold, k)
}

func (h *halves[K, V]) turn() { h.hot, h.cold = map[K]*V{}, h.hot }

// NewOverlay is an overlay over a base that knows all that was not Set. Bound is how
// many clean facts it keeps, absent ones and those in lists counted, give or take
// as many as were dirty at once.
func NewOverlay(base domain.View, bound int) *Overlay {
	o := &Overlay{base: base, half: max(bound/2, 1)}
	o.Reset()
	return o
}

// Reset forgets everything, what is dirty too: events that were Set and then not
// recorded are gone, and the base must know all that was.
func (o *Overlay) Reset() {
	o.facts, o.lists = halves[domain.Key, cached]{hot: map[domain.Key]*cached{}}, halves[listKey, list]{hot: map[listKey]*list{}}
	o.dirty, o.fresh = nil, map[listKey][]domain.Key{}
	o.used, o.last = 0, 0
}

// Get is the fact as it is after the last Set. It panics where the base does, and
// is whole then.
func (o *Overlay) Get(k domain.Key) (domain.Known, bool) {
	if f := o.find(k); f != nil {
		return f.Known, f.there
	}
	known, there := o.base.Get(k)
	if k.Kind != domain.KindCommand { // each is asked for once, before it is Set
		o.facts.hot[k] = &cached{Known: known, there: there}
		o.take(1)
	}
	return known, there
}

func (o *Overlay) find(k domain.Key) *cached {
	f, moved := o.facts.find(k)
	if moved {
		o.take(1)
	}
	return f
}

// take notes that the hot half holds more, and lets the halves change places.
func (o *Overlay) take(n int) {
	o.used += n
	if o.used < o.half {
		return
	}
	o.facts.turn()
	o.lists.turn()
	o.used = 0
	for _, d := range o.dirty {
		o.facts.hot[d.key] = o.facts.cold[d.key]
	}
}

// List yields the facts as they are after the last Set, the one first known first.
// It panics where the base does.
func (o *Overlay) List(kind domain.Kind, a, b string) iter.Seq2[domain.Key, domain.Known] {
	return func(yield func(domain.Key, domain.Known) bool) {
		for _, i := range o.list(listKey{kind, a, b}).items {
			if !yield(i.key, i.Known) {
				return
			}
		}
	}
}

func (o *Overlay) list(id listKey) *list {
	l, moved := o.lists.find(id)
	if l != nil {
		if moved {
			o.take(1 + len(l.items))
		}
		return l
	}
	l = &list{}
	for k, known := range o.base.List(id.kind, id.a, id.b) {
		if f := o.facts.hot[k]; f != nil && f.dirty != 0 {
			known = f.Known
		}
		l.add(k, known)
	}
	for _, k := range o.freshIn(id) { // what became known last stands last
		if l.find(k) == nil { // the base may have it by now
			l.add(k, o.facts.hot[k].Known)
		}
	}
	if len(l.items) < o.half/4 || len(l.items) < 4 {
		o.lists.hot[id] = l
		o.take(1 + len(l.items))
	}
	return l
}

// freshIn are the keys of a list that the base may not have.
func (o *Overlay) freshIn(id listKey) []domain.Key {
	if id.kind != domain.KindCommand {
		return o.fresh[id]
	}
	var fresh []domain.Key
	for _, d := range o.dirty {
		if d.key.Kind == id.kind && d.key.A == id.a {
			fresh = append(fresh, d.key)
		}
	}
	return fresh
}

// fewItems is up to how many items a list is searched one by one.
const fewItems = 16

func (l *list) find(k domain.Key) *item {
	if l.at != nil {
		if i, ok := l.at[k]; ok {
			return &l.items[i]
		}
		return nil
	}
	for i := range l.items {
		if l.items[i].key == k {
			return &l.items[i]
		}
	}
	return nil
}

func (l *list) add(k domain.Key, known domain.Known) {
	l.items = append(l.items, item{k, known})
	switch n := len(l.items); {
	case l.at != nil:
		l.at[k] = n - 1
	case n > fewItems:
		l.at = make(map[domain.Key]int, 2*n)
		for i := range l.items {
			l.at[l.items[i].key] = i
		}
	}
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
		if c.Key.Kind != domain.KindCommand {
			if was, there := o.Get(c.Key); there {
				known.First = was.First
			}
		}
		o.set = append(o.set, known)
	}
	o.last = seq
	for i, c := range changes {
		known := o.set[i]
		f := o.find(c.Key)
		if f == nil {
			f = &cached{}
		}
		*f = cached{known, true, seq}
		o.facts.hot[c.Key] = f
		o.dirty = append(o.dirty, dirtied{seq, c.Key})
		o.enlist(listKey{c.Key.Kind, c.Key.A, ""}, c.Key, known)
		if c.Key.B != "" {
			o.enlist(listKey{c.Key.Kind, c.Key.A, c.Key.B}, c.Key, known)
		}
	}
}

// enlist keeps a list up to date that the fact belongs to.
func (o *Overlay) enlist(id listKey, k domain.Key, known domain.Known) {
	isNew := known.First == known.From
	if isNew && k.Kind != domain.KindCommand {
		o.fresh[id] = append(o.fresh[id], k)
	}
	l, _ := o.lists.find(id)
	switch {
	case l == nil:
	case isNew:
		l.add(k, known)
		o.take(1)
	default:
		l.find(k).Known = known
	}
}

// Clean says that the base knows what all events up to seq changed.
func (o *Overlay) Clean(seq domain.Seq) {
	n := 0
	for n < len(o.dirty) && o.dirty[n].seq <= seq {
		d := o.dirty[n]
		n++
		if d.key.Kind == domain.KindCommand {
			o.facts.drop(d.key)
			continue
		}
		f := o.facts.hot[d.key]
		if f.First == d.seq {
			o.stale(listKey{d.key.Kind, d.key.A, ""})
			if d.key.B != "" {
				o.stale(listKey{d.key.Kind, d.key.A, d.key.B})
			}
		}
		if f.dirty == d.seq {
			f.dirty = 0
			o.used++ // whole halves change places when there is something new
		}
	}
	o.dirty = o.dirty[n:]
}

// stale takes the list's first fresh key off: the base has it.
func (o *Overlay) stale(id listKey) {
	if rest := o.fresh[id][1:]; len(rest) > 0 {
		o.fresh[id] = rest
	} else {
		delete(o.fresh, id)
	}
}

// Dirty counts the changes that wait for Clean.
func (o *Overlay) Dirty() int { return len(o.dirty) }
