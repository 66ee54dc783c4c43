package domain

import "iter"

// A View answers what was known after some event. The rules ask it and nothing
// else, and ask for what a rule needs, never for all that a client has: a decision
// costs the same at one right and at ten thousand. A History answers in tests and
// for an auditor, a store in the service.
type View interface {
	// Get is the fact under the key, if there is one. What it returns is shared
	// and not to be changed.
	Get(Key) (Known, bool)
	// List yields the facts of the kind whose key has this A and, where b isn't
	// empty, this B, the one that was first known first.
	List(kind Kind, a, b string) iter.Seq2[Key, Known]
}

// A Key names a fact. What A, B and C are, its Kind says; those that a kind has no
// use for are empty.
type Key struct {
	Kind    Kind
	A, B, C string
}

// Known is a fact with its life. A fact is never overwritten: what changes it
// begins another version of it, and the view after an earlier event still has the
// one before.
type Known struct {
	Fact Fact
	// First is the event by which the fact became known, From the one that made
	// it what it is.
	First, From Seq
}

// A Change is what an event does to one fact.
type Change struct {
	Key  Key
	Fact Fact
	New  bool // surely: it is of the violation that bears the event's own id
}

// get is the fact under the key, nil where there is none.
func get[F any](v View, k Key) (*F, Known) {
	known, ok := v.Get(k)
	if !ok {
		return nil, Known{}
	}
	return any(known.Fact).(*F), known
}
