package domain

import (
	"slices"
	"time"
)

// Ref is the right as decisions and questions write it: designation/d1.
func (r *Right) Ref() string { return ref(r.Kind, r.ID) }

func ref(kind RightKind, id ID) string { return string(kind) + "/" + string(id) }

// A Standing is how a right stands at some moment.
type Standing struct {
	InForce bool
	// Ended is the event that ended it: a command, the voiding of its paper, the
	// closing of the engagement that an authorisation names. 0 where none did, or
	// where it ran out before.
	Ended Seq
	// Overdue is an authorisation that management has not reviewed in time (II.2).
	Overdue bool
}

// Standing is how the right stands in the view at a time. A delegation stands with
// its designation only.
func (r *Right) Standing(v View, at time.Time) Standing {
	s := Standing{Ended: r.end(v)}
	if r.Kind == Delegated {
		if d := r.designation(v); d == nil || !d.inForce(v, at) {
			if d != nil {
				s.Ended = earliest(s.Ended, d.end(v))
			}
			return s
		}
	}
	s.InForce = s.Ended == 0 && !passed(r.Until, at)
	s.Overdue = r.Kind == Authorized && s.InForce && !r.reviewed(EditionInForce(v, at), at)
	return s
}

// inForce: not revoked, withdrawn, expired, or resting on void evidence; an
// authorisation ends with the engagement that it names, for good. A delegation's
// designation is looked at apart.
func (r *Right) inForce(v View, at time.Time) bool { return !passed(r.Until, at) && r.endedBy(v) == 0 }

// end is endedBy, and the erasure of its client, of which commands and accesses hear
// before they look at a right.
func (r *Right) end(v View) Seq {
	end := r.endedBy(v)
	if c, _ := client(v, r.Client); c != nil {
		end = earliest(end, c.Erased)
	}
	return end
}

// endedBy is the earliest event that ended the right, not its running out.
func (r *Right) endedBy(v View) Seq {
	end := earliest(r.Ended, voided(v, r.Evidence))
	switch {
	case r.Kind == Authorized && r.Engagement != "":
		if g, _ := engagement(v, r.Client, r.Engagement); g != nil {
			end = earliest(end, after(g.Closings, r.Made))
		}
	case r.Kind == Delegated:
		if d := r.designation(v); d != nil {
			end = earliest(end, after(d.Changes, r.Made))
		}
	}
	return end
}

// after is the first of the events after n, 0 where none is.
func after(events []Seq, n Seq) Seq {
	for _, e := range events {
		if e > n {
			return e
		}
	}
	return 0
}

func earliest(a, b Seq) Seq {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// designation is what a delegation comes from.
func (r *Right) designation(v View) *Right {
	d, _ := get[Right](v, rightKey(r.Client, r.Principal, Designated, r.Designation))
	return d
}

// reviewed: II.2. Management looked at it within the time that the edition in force
// sets.
func (r *Right) reviewed(e *Edition, at time.Time) bool {
	return e != nil && at.Before(e.ReviewEvery.After(r.Reviewed))
}

// EditionInForce is the highest edition whose day has come (V.2), nil where none
// has.
func EditionInForce(v View, at time.Time) *Edition {
	var in *Edition
	for _, k := range v.List(KindEdition, "", "") {
		if e := k.Fact.(*Edition); !e.Effective.After(at) && (in == nil || e.Number > in.Number) {
			in = e
		}
	}
	return in
}

// FindRight is the client's right of that kind and id.
func FindRight(v View, of ID, kind RightKind, id ID) (*Right, Known, bool) {
	at, _ := get[RightID](v, rightIDKey(of, kind, id))
	if at == nil {
		return nil, Known{}, false
	}
	r, k := get[Right](v, rightKey(of, at.Party, kind, id))
	return r, k, r != nil
}

func rightKey(of, party ID, kind RightKind, id ID) Key {
	return Key{Kind: KindRight, A: string(of), B: string(party), C: ref(kind, id)}
}

func rightIDKey(of ID, kind RightKind, id ID) Key {
	return Key{Kind: KindRightID, A: string(of), C: ref(kind, id)}
}

// free: the id of a right is taken once in its client.
func (d *deciding) free(at string, of ID, kind RightKind, id ID) {
	if _, _, taken := FindRight(d, of, kind, id); taken {
		d.blame(Exists, at, "%s has a %s %s already", of, kind, id)
	}
}

// right is one of the client's that the command names at the pointer.
func (d *deciding) right(at string, of ID, kind RightKind, id ID) *Right {
	d.client(of)
	r, _, ok := FindRight(d, of, kind, id)
	if !ok {
		d.blame(Unknown, at, "%s has no %s %s", of, kind, id)
	}
	return r
}

// ends: what the command ends no command has ended. Time, a void paper and an
// engagement's closing don't count: what they ended can still be revoked.
func (d *deciding) ends(at string, of ID, kind RightKind, id ID) {
	if r := d.right(at, of, kind, id); r != nil && r.ended(d) {
		d.blame(Ended, at, "the %s %s of %s has ended already", kind, id, of)
	}
}

// ended says whether a command has ended the right: its own, or of a delegation what
// changed or revoked its designation.
func (r *Right) ended(v View) bool {
	if r.Ended != 0 || r.Kind != Delegated {
		return r.Ended != 0
	}
	d := r.designation(v)
	return d == nil || d.Ended != 0 || after(d.Changes, r.Made) != 0
}

// makeRight makes a right known, and what it rests on.
func (a *applying) makeRight(r *Right) {
	r.Made = a.e.Seq
	a.set(rightIDKey(r.Client, r.Kind, r.ID), &RightID{Party: r.Party})
	a.set(rightKey(r.Client, r.Party, r.Kind, r.ID), r)
	if r.Kind == Authorized {
		a.set(reviewableKey(r.Client, r.ID), &Reviewable{Party: r.Party})
	}
	a.hold(r.Party, r.Client)
	a.rest(r)
}

// rest notes the paper that a right rests on from now on.
func (a *applying) rest(r *Right) {
	e, _ := evidence(a, r.Evidence)
	if e == nil {
		return
	}
	a.set(Key{Kind: KindRested, A: string(r.Client), B: restedOn(e, r.Party), C: r.Ref()}, &Rested{})
	if r.Kind != Designated {
		return
	}
	k := designatingKey(r.Client, r.Evidence)
	if by, _ := get[Designating](a, k); by != nil {
		return
	}
	a.set(k, &Designating{})
	count := DesignatedBy{}
	if c, _ := get[DesignatedBy](a, designatedKey(r.Client)); c != nil {
		count = *c
	}
	if e.Voided == 0 {
		count.Papers++
	}
	a.set(designatedKey(r.Client), &count)
}

// endRight ends a right by a command.
func (a *applying) endRight(of ID, kind RightKind, id ID) {
	r, _, ok := FindRight(a, of, kind, id)
	if !ok {
		return
	}
	next := *r
	next.Ended = a.e.Seq
	a.set(rightKey(of, r.Party, kind, id), &next)
}

func restedOn(e *Evidence, party ID) string { return paper(e.Kind, e.SHA256) + "/" + string(party) }

// used says whether the paper, whatever its id, once gave the same party a right or
// a delegation that a command has ended, or that rests on another paper by now: an
// old letter doesn't bring back what a newer one took.
func used(v View, of ID, e *Evidence, party ID) bool {
	for k := range v.List(KindRested, string(of), restedOn(e, party)) {
		r, _ := get[Right](v, Key{Kind: KindRight, A: string(of), B: string(party), C: k.C})
		by, _ := evidence(v, r.Evidence)
		if r.ended(v) || by.Voided != 0 || by.Kind != e.Kind || by.SHA256 != e.SHA256 {
			return true
		}
		if r.Kind == Delegated && void(v, r.designation(v).Evidence) {
			return true
		}
	}
	return false
}

// unused refuses a paper that has had its day.
func (d *deciding) unused(clause Clause, of, id ID, e *Evidence, party ID) {
	if used(d, of, e, party) {
		d.refuse(clause, "evidence-used", "by the paper of %s the party %s had a right that has ended or rests on a newer paper; file a new one", id, party)
	}
}

func designatedKey(of ID) Key { return Key{Kind: KindDesignated, A: string(of)} }

func designatingKey(of, evidence ID) Key {
	return Key{Kind: KindDesignating, A: string(of), C: string(evidence)}
}

// everDesignated: IV.2. Void papers don't count.
func everDesignated(v View, of ID) bool {
	d, _ := get[DesignatedBy](v, designatedKey(of))
	return d != nil && d.Papers > 0
}

// ContactStanding is how a party stands as a contact of the client: in force in a
// contact's time, which ends when the client designates anybody (IV.2). Where it
// never was one, ok is false.
func ContactStanding(v View, of, party ID) (c *Contact, inForce, ok bool) {
	c, _ = contact(v, of, party)
	if c == nil {
		return nil, false, false
	}
	k, _ := client(v, of)
	return c, !c.Dropped && k.Erased == 0 && !everDesignated(v, of), true
}

// orConsult: actions left out are consulting alone.
func orConsult(actions []Action) []Action {
	if actions == nil {
		return []Action{Consult}
	}
	return slices.Clip(actions)
}
