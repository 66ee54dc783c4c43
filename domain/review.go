package domain

import (
	"slices"
	"strings"
)

// ReviewOpen begins management's review of the authorisations that are in force now
// (II.2).
type ReviewOpen struct {
	Review ID   `json:"review"`
	Title  Text `json:"title"`
}

func (c *ReviewOpen) about(View) Subject { return Subject{} }

func (c *ReviewOpen) decide(d *deciding) {
	if r, _ := review(d, c.Review); r != nil {
		d.blame(Exists, "/review", "there is a review %s already", c.Review)
	}
	if r, _ := get[Reviews](d, reviewsKey); r != nil && r.Open != "" {
		d.refuse("II.2", "review-open", "the review %s is open; close it first", r.Open)
	}
}

func (c *ReviewOpen) apply(a *applying) {
	a.set(reviewKey(c.Review), &Review{Title: c.Title, Opened: a.e.Time, OpenedBy: a.e.Actor})
	next := Reviews{}
	if r, _ := get[Reviews](a, reviewsKey); r != nil {
		next = *r
	}
	next.Open = c.Review
	a.set(reviewsKey, &next)
}

// ReviewDecide says what becomes of one authorisation. Deciding again changes the
// verdict, not the day of review.
type ReviewDecide struct {
	Review        ID          `json:"review"`
	Client        ID          `json:"client"`
	Authorization ID          `json:"authorization"`
	Verdict       VerdictWord `json:"verdict"`
	Scope         *Scope      `json:"scope,omitzero"` // left out, as the three below: it stays
	Purposes      []Purpose   `json:"purposes,omitzero"`
	Actions       []Action    `json:"actions,omitzero"`
	Until         Time        `json:"until,omitzero"`
	Reason        Text        `json:"reason"`
}

func (c *ReviewDecide) check() *Fault {
	for _, f := range []struct {
		at    string
		given bool
	}{{"/scope", c.Scope != nil}, {"/purposes", c.Purposes != nil}, {"/actions", c.Actions != nil}, {"/until", !c.Until.IsZero()}} {
		if f.given && c.Verdict != Narrow {
			return invalid(f.at, "only the verdict narrow changes what an authorisation says")
		} else if f.given && c.Scope != nil {
			return c.Scope.check("/scope")
		} else if f.given {
			return nil
		}
	}
	if c.Verdict == Narrow {
		return invalid("/scope", "say what is narrower: scope, purposes, actions or until")
	}
	return nil
}

func (c *ReviewDecide) about(View) Subject { return Subject{Client: c.Client} }

func (c *ReviewDecide) decide(d *deciding) {
	rv, opened := review(d, c.Review)
	if rv == nil {
		d.blame(Unknown, "/review", "there is no review %s", c.Review)
	}
	r := d.right("/authorization", c.Client, Authorized, c.Authorization)
	if c.Scope != nil {
		d.scope("/scope", c.Client, c.Scope, "")
	}
	if d.fault != nil {
		return
	}
	if rv.Closed != 0 {
		d.refuse("II.2", "not-in-review", "the review %s is closed", c.Review)
	}
	if verdict, _ := get[Verdict](d, verdictKey(c.Review, c.Client, c.Authorization)); verdict == nil && !r.InReview(d, rv, opened.First) {
		d.refuse("II.2", "not-in-review", "%s was not in force when the review %s was opened", c.Authorization, c.Review)
	}
	if !r.inForce(d, d.at) {
		d.refuse("II.2", "authorization-ended", "%s has ended since", c.Authorization)
	}
	if c.Verdict == Revoke {
		return
	}
	if d.mine(r.IssuedBy) || d.isOwn(r.Party) {
		d.refuse("II.2", "self-review", "nobody keeps an authorisation that they issued, or that is theirs; let another manager review it")
	}
	if c.Verdict == Narrow && c.widens(d, r) {
		d.refuse("II.2", "widens", "%s would reach further than now; only what is narrower can be said in a review", c.Authorization)
	}
}

// mine says whether it was this actor or its own party that did something.
func (d *deciding) mine(by ID) bool {
	who, _ := actor(d, by)
	return by == d.actor.ID || who != nil && d.isOwn(who.Party)
}

// InReview says whether the authorisation was in force when the review was opened,
// by the event of that sequence.
func (r *Right) InReview(v View, rv *Review, opened Seq) bool {
	end := r.end(v)
	return r.Made < opened && !passed(r.Until, rv.Opened) && (end == 0 || end > opened)
}

// widens: narrower is `all` to anything, engagements to some of them or to records
// now in them, records to some of them, no purpose or action more, no later until,
// never sensitive anew.
func (c *ReviewDecide) widens(v View, r *Right) bool {
	return c.Scope != nil && (c.Scope.Sensitive && !r.Scope.Sensitive || !c.Scope.within(v, c.Client, &r.Scope)) ||
		slices.ContainsFunc(c.Purposes, func(p Purpose) bool { return !slices.Contains(r.Purposes, p) }) ||
		slices.ContainsFunc(c.Actions, func(w Action) bool { return !slices.Contains(r.Actions, w) }) ||
		!r.Until.IsZero() && c.Until.After(r.Until)
}

// within says whether the scope reaches no record that the other one doesn't.
func (s *Scope) within(v View, of ID, other *Scope) bool {
	switch {
	case bool(other.All):
		return true
	case bool(s.All):
		return false
	case s.Engagements != nil:
		return !slices.ContainsFunc(s.Engagements, func(e ID) bool { return !slices.Contains(other.Engagements, e) })
	}
	return !slices.ContainsFunc(s.Records, func(id ID) bool {
		r, _ := record(v, of, id)
		return !other.has(id, r)
	})
}

func (c *ReviewDecide) apply(a *applying) {
	k := verdictKey(c.Review, c.Client, c.Authorization)
	before, _ := get[Verdict](a, k)
	a.set(k, &Verdict{Verdict: c.Verdict, By: a.e.Actor, Reason: c.Reason})
	r, _, ok := FindRight(a, c.Client, Authorized, c.Authorization)
	if !ok {
		return
	}
	if c.Verdict == Revoke {
		a.endRight(c.Client, Authorized, c.Authorization)
		a.set(takenKey(c.Client, r.Party), &Taken{})
		return
	}
	next := *r
	if before == nil {
		next.Reviewed = a.e.Time
	}
	if c.Verdict == Narrow {
		c.narrow(&next)
		next.Changes = append(slices.Clip(r.Changes), a.e.Seq)
	}
	a.set(rightKey(c.Client, r.Party, Authorized, c.Authorization), &next)
}

func (c *ReviewDecide) narrow(r *Right) {
	if c.Scope != nil {
		r.Scope = *c.Scope
	}
	if c.Purposes != nil {
		r.Purposes = c.Purposes
	}
	if c.Actions != nil {
		r.Actions = c.Actions
	}
	if !c.Until.IsZero() {
		r.Until = c.Until.Time
	}
}

// ReviewClose is management's statement that it has looked at all of them.
type ReviewClose struct {
	Review    ID   `json:"review"`
	Statement Text `json:"statement"`
}

func (c *ReviewClose) about(View) Subject { return Subject{} }

func (c *ReviewClose) decide(d *deciding) {
	rv, opened := review(d, c.Review)
	switch {
	case rv == nil:
		d.blame(Unknown, "/review", "there is no review %s", c.Review)
	case rv.Closed != 0:
		d.blame(Ended, "/review", "the review %s is closed already", c.Review)
	}
	if d.fault != nil {
		return
	}
	for k, known := range d.List(KindReviewable, "", "") {
		of, id := authorizationOf(k)
		r, _ := get[Right](d, rightKey(of, known.Fact.(*Reviewable).Party, Authorized, id))
		if !r.InReview(d, rv, opened.First) || passed(r.Until, d.at) || r.end(d) != 0 {
			continue
		}
		if verdict, _ := get[Verdict](d, verdictKey(c.Review, of, id)); verdict == nil {
			d.refuse("II.2", "undecided", "%s of %s is still in force and undecided; decide each with `review decide`", id, of)
			return
		}
	}
}

func (c *ReviewClose) apply(a *applying) {
	change(a, reviewKey(c.Review), func(r *Review) { r.Closed, r.Statement = a.e.Seq, c.Statement })
	change(a, reviewsKey, func(r *Reviews) { r.Open, r.Last, r.Closed = "", c.Review, a.e.Seq })
}

var reviewsKey = Key{Kind: KindReviews}

func reviewKey(id ID) Key { return Key{Kind: KindReview, C: string(id)} }

func review(v View, id ID) (*Review, Known) { return get[Review](v, reviewKey(id)) }

func verdictKey(review, of, authorization ID) Key {
	return Key{Kind: KindVerdict, A: string(review), C: string(of) + "/" + string(authorization)}
}

func reviewableKey(of, authorization ID) Key {
	return Key{Kind: KindReviewable, C: string(of) + "/" + string(authorization)}
}

// authorizationOf is what reviewableKey is made of.
func authorizationOf(k Key) (of, authorization ID) {
	c, id, _ := strings.Cut(k.C, "/")
	return ID(c), ID(id)
}

func takenKey(of, party ID) Key { return Key{Kind: KindTaken, A: string(of), C: string(party)} }
