package domain

import "slices"

// Apply says which facts an event changes; v is the view after the event before
// it. It is pure: the same view and event give the same changes for ever.
func Apply(v View, e *Event) []Change {
	a := &applying{View: v, e: e, changes: make([]Change, 0, 2)} // as many as an access usually makes
	if e.Command != "" {
		a.set(commandKey(e.Actor, e.Command), &Answered{})
	}
	if !isOfInit(e.Type) {
		if b, _ := get[Begun](v, Key{Kind: KindBegun}); b == nil {
			a.set(Key{Kind: KindBegun}, &Begun{})
		}
	}
	if e.Refusal == nil {
		e.Data.apply(a)
	}
	return a.changes
}

func isOfInit(t string) bool {
	return t == "ledger.opened" || t == "identity.added" || t == "identity.rotated" || t == "identity.revoked"
}

func commandKey(actor ID, command UUID) Key {
	return Key{Kind: KindCommand, A: string(actor), C: string(command)}
}

// applying is one event being applied. It is a view of its own: what the event
// changed already is seen.
type applying struct {
	View
	e       *Event
	changes []Change
}

// Get is the fact as the event has left it so far.
func (a *applying) Get(k Key) (Known, bool) {
	for i := range a.changes {
		if a.changes[i].Key == k {
			return Known{Fact: a.changes[i].Fact, First: a.e.Seq, From: a.e.Seq}, true
		}
	}
	return a.View.Get(k)
}

// blank says whether a † field of the event was blank when it was opened.
func (a *applying) blank(pointer string) bool { return slices.Contains(a.e.Blank, pointer) }

// set makes the fact what it is from this event on.
func (a *applying) set(k Key, f Fact) {
	for i := range a.changes {
		if a.changes[i].Key == k {
			a.changes[i].Fact = f
			return
		}
	}
	a.changes = append(a.changes, Change{Key: k, Fact: f})
}

// begin is set for a fact of a violation. No event has the id of another, so that of a
// violation which this event opens is new, and nobody needs to look.
func (a *applying) begin(violation UUID, k Key, f Fact) {
	before := len(a.changes)
	a.set(k, f)
	if len(a.changes) > before {
		a.changes[before].New = violation == a.e.ID
	}
}

// change makes a new version of a fact that is there: f is a copy, to be changed.
func change[F any, P interface {
	*F
	Fact
}](a *applying, k Key, how func(P)) {
	old, _ := get[F](a, k)
	if old == nil {
		return
	}
	next := *old
	how(&next)
	a.set(k, P(&next))
}
