package domain

import (
	"iter"
	"slices"
)

// A History is every fact of a ledger with all its versions, in memory. Nothing in
// it is ever overwritten, so it answers for any past event as it does for the
// last (TestThePastStaysAsItWas). The zero History is an empty ledger. One
// goroutine owns it.
type History struct {
	facts map[Key][]Known // versions, oldest first
	lists map[list][]Key  // keys in the order in which they became known
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
		h.facts, h.lists = map[Key][]Known{}, map[list][]Key{}
	}
	for _, c := range changes {
		versions := h.facts[c.Key]
		k := Known{Fact: c.Fact, First: seq, From: seq}
		if len(versions) > 0 {
			k.First = versions[0].First
		} else {
			whole := list{c.Key.Kind, c.Key.A, ""}
			h.lists[whole] = append(h.lists[whole], c.Key)
			if c.Key.B != "" {
				part := list{c.Key.Kind, c.Key.A, c.Key.B}
				h.lists[part] = append(h.lists[part], c.Key)
			}
		}
		h.facts[c.Key] = append(versions, k)
	}
}

// At is the view after event n.
func (h *History) At(n Seq) View { return past{h, n} }

type past struct {
	h *History
	n Seq
}

func (p past) Get(k Key) (Known, bool) {
	versions := p.h.facts[k]
	for _, known := range slices.Backward(versions) {
		if known.From <= p.n {
			return known, true
		}
	}
	return Known{}, false
}

func (p past) List(kind Kind, a, b string) iter.Seq2[Key, Known] {
	return func(yield func(Key, Known) bool) {
		for _, k := range p.h.lists[list{kind, a, b}] {
			known, ok := p.Get(k)
			if !ok {
				return // the rest became known later still
			}
			if !yield(k, known) {
				return
			}
		}
	}
}
