package domain

import "iter"

// A History is every fact of a ledger with all its versions, in memory. Nothing in
// it is ever overwritten, so it answers for any past event as it does for the
// last (TestThePastStaysAsItWas). The zero History is an empty ledger. One
// goroutine owns it.
type History struct {
	facts map[Key]*versions
	lists map[list][]*versions // in the order in which they became known
}

// versions are those of one fact, oldest first.
type versions struct {
	key Key
	all []Known
}

type list struct {
	kind Kind
	a, b string
}

// Record applies the event and keeps what it changed.
func (h *History) Record(e *Event) []Change {
	changes := Apply(h.At(e.Seq-1), e)
	h.Keep(e.Seq, changes)
	return changes
}

// Keep keeps what the event seq changed.
func (h *History) Keep(seq Seq, changes []Change) {
	if h.facts == nil {
		h.facts, h.lists = map[Key]*versions{}, map[list][]*versions{}
	}
	for _, c := range changes {
		v := h.facts[c.Key]
		if v == nil {
			v = &versions{key: c.Key}
			h.facts[c.Key] = v
			whole := list{c.Key.Kind, c.Key.A, ""}
			h.lists[whole] = append(h.lists[whole], v)
			if c.Key.B != "" {
				part := list{c.Key.Kind, c.Key.A, c.Key.B}
				h.lists[part] = append(h.lists[part], v)
			}
		}
		k := Known{Fact: c.Fact, First: seq, From: seq}
		if len(v.all) > 0 {
			k.First = v.all[0].First
		}
		v.all = append(v.all, k)
	}
}

// At is the view after event n.
func (h *History) At(n Seq) View { return past{h, n} }

type past struct {
	h *History
	n Seq
}

func (p past) Get(k Key) (Known, bool) {
	if v := p.h.facts[k]; v != nil {
		return v.at(p.n)
	}
	return Known{}, false
}

// at is the version after event n.
func (v *versions) at(n Seq) (Known, bool) {
	for i := len(v.all) - 1; i >= 0; i-- {
		if v.all[i].From <= n {
			return v.all[i], true
		}
	}
	return Known{}, false
}

func (p past) List(kind Kind, a, b string) iter.Seq2[Key, Known] {
	return func(yield func(Key, Known) bool) {
		for _, v := range p.h.lists[list{kind, a, b}] {
			known, ok := v.at(p.n)
			if !ok || !yield(v.key, known) {
				return // where it wasn't known yet, the rest became known later still
			}
		}
	}
}
