package domain

import (
	"slices"
	"strings"
)

// The checks that a right passes to cover an access, in the contract's order. A
// right's stage is the first that it fails.
const (
	failsExists = iota
	failsForce
	failsReview
	failsScope
	failsSensitive
	failsPurpose
	failsAction
	serves
)

// failures is what stands for each check that failed, by the kind of right. Clause
// and code; a † row of the contract's table each.
var failures = map[RightKind][serves]struct {
	clause Clause
	code   string
}{
	Designated: {
		failsExists:    {"IV.1", "not-designated"},
		failsForce:     {"IV.1", "designation-ended"},
		failsScope:     {"IV.1", "outside-scope"},
		failsSensitive: {"II.4", "sensitive-not-covered"},
		failsPurpose:   {"I.3", "purpose-not-covered"},
		failsAction:    {"IV.1", "action-not-covered"},
	},
	Authorized: {
		failsExists:    {"II.2", "no-authorization"},
		failsForce:     {"II.2", "authorization-ended"},
		failsReview:    {"II.2", "review-overdue"},
		failsScope:     {"II.2", "outside-scope"},
		failsSensitive: {"II.4", "sensitive-not-covered"},
		failsPurpose:   {"I.3", "purpose-not-covered"},
		failsAction:    {"II.2", "action-not-covered"},
	},
	Consented: {
		failsForce:     {"II.1", "consent-ended"},
		failsScope:     {"II.1", "outside-scope"},
		failsSensitive: {"II.4", "sensitive-not-covered"},
		failsPurpose:   {"I.3", "purpose-not-covered"},
		failsAction:    {"II.1", "action-not-covered"},
	},
}

// basis looks for the first basis that serves the side. Where none does, each kind
// of right that the party could have says why, by the one that got furthest.
func (a *access) basis(s side) (bool, []Reason) {
	if a.BehalfOf != "" && s.id == a.sender.id && s.action == a.sender.action {
		return a.delegated(s) // then no other basis is looked at
	}
	if s.party.Category == External {
		return a.external(s)
	}
	ok, why := a.authorized(s)
	if ok || s.party.Category != Authority && s.party.Category != Assignee {
		return ok, why
	}
	if ok, theirs := a.consented(s); ok || theirs != nil {
		return ok, oneOf(ok, theirs, why)
	}
	return false, why
}

// oneOf is what served alone, or else all that speaks against.
func oneOf(ok bool, last, before []Reason) []Reason {
	if ok {
		return last
	}
	return append(before, last...)
}

// external: IV.2, III.3 and II.1, in this order.
func (a *access) external(s side) (bool, []Reason) {
	ok, why := a.contactOrDesignated(s)
	if ok {
		return true, why
	}
	ok, theirs := a.consented(s)
	return ok, oneOf(ok, theirs, why)
}

// contactOrDesignated: IV.2, then III.3. A contact consults any record, sensitive
// ones too, for as long as nobody has ever been designated; then only those do who
// are (IV.1).
func (a *access) contactOrDesignated(s side) (bool, []Reason) {
	early := !everDesignated(a, a.Client)
	if early {
		c, _ := contact(a, a.Client, s.id)
		if c != nil && !c.Dropped {
			r := Reason{Clause: "IV.2", Code: "contact", Right: "contact/" + string(s.id), Refs: []Seq{c.Named}}
			if c.Evidence != "" {
				r.Evidence = []ID{c.Evidence}
			}
			if s.action == Consult {
				return true, []Reason{r}
			}
			r.Code = "action-not-covered"
			return false, []Reason{r} // no designation is in force in a contact's time, so none got further
		}
	}
	best, stage := a.furthest(s, Designated)
	switch {
	case stage == serves:
		return true, []Reason{best.reason("III.3", "designated")}
	case stage == failsExists && early:
		return false, []Reason{{Clause: "IV.2", Code: "not-contact"}}
	}
	return false, []Reason{a.failed(Designated, best, stage)}
}

// consented: II.1. Silent where no consent ever named the party.
func (a *access) consented(s side) (bool, []Reason) {
	best, stage := a.furthest(s, Consented)
	switch stage {
	case serves:
		return true, []Reason{best.reason("II.1", "consented")}
	case failsExists:
		return false, nil
	}
	return false, []Reason{a.failed(Consented, best, stage)}
}

// categoryClauses is under which a category may come near data at all.
var categoryClauses = map[Category]Clause{Staff: "III.1", Contractor: "III.2", Authority: "III.4", Assignee: "III.6"}

// authorized: II.2, with the clause of the party's category.
func (a *access) authorized(s side) (bool, []Reason) {
	best, stage := a.furthest(s, Authorized)
	if stage != serves {
		return false, []Reason{a.failed(Authorized, best, stage)}
	}
	return true, []Reason{best.reason("II.2", "authorized"),
		{Clause: categoryClauses[s.party.Category], Code: string(s.party.Category), Refs: []Seq{s.since}}}
}

// delegated: III.5. Whoever comes in a designee's place needs a delegation that the
// client authorised, and then has what the designation covers, no more.
func (a *access) delegated(s side) (bool, []Reason) {
	var best, from *Right
	ever, stage := (*Right)(nil), -1
	for k, known := range a.List(KindRight, string(a.Client), string(s.id)) {
		if !isOf(k, Delegated) {
			continue
		}
		g := known.Fact.(*Right)
		if g.Principal != a.BehalfOf {
			continue
		}
		if ever == nil {
			ever = g
		}
		if !g.inForce(a, a.at) {
			continue
		}
		d := g.designation(a)
		if got := a.stage(s, d); got > stage {
			best, from, stage = g, d, got
		}
		if stage == serves {
			break
		}
	}
	switch {
	case s.party.Category != External || ever == nil:
		return false, []Reason{{Clause: "III.5", Code: "not-delegated"}}
	case best == nil:
		r := ever.reason("III.5", "delegation-ended")
		r.Refs = append(r.Refs, nonzero(ever.endedBy(a))...)
		return false, []Reason{r}
	}
	r := best.reason("III.5", "delegated")
	if stage != serves {
		r = a.failed(Designated, from, stage)
		r.Right = best.Ref()
		r.Refs = append(r.Refs, best.Made)
	} else {
		base := from.reason("", "")
		r.Refs = append(r.Refs, base.Refs...)
	}
	r.Evidence = papers(best.Evidence, from.Evidence)
	return stage == serves, []Reason{r}
}

func papers(ids ...ID) []ID {
	return slices.DeleteFunc(ids, func(id ID) bool { return id == "" })
}

// furthest is the earliest of the party's rights of that kind that passed most
// checks, and the check that it failed.
func (a *access) furthest(s side, kind RightKind) (best *Right, stage int) {
	for k, known := range a.List(KindRight, string(a.Client), string(s.id)) {
		if !isOf(k, kind) {
			continue
		}
		r := known.Fact.(*Right)
		if got := a.stage(s, r); got > stage {
			best, stage = r, got
		}
		if stage == serves {
			break
		}
	}
	return best, stage
}

func isOf(k Key, kind RightKind) bool {
	return strings.HasPrefix(k.C, string(kind)) && k.C[len(kind)] == '/'
}

// stage is the first check that the right fails, in the contract's order.
func (a *access) stage(s side, r *Right) int {
	switch {
	case r == nil:
		return failsExists
	case !r.inForce(a, a.at):
		return failsForce
	case r.Kind == Authorized && !r.reviewed(a, a.at):
		return failsReview
	case !r.reaches(a.AccessRequest.Record, a.record):
		return failsScope
	case a.record.Class == Sensitive && !r.Scope.Sensitive:
		return failsSensitive
	case a.purpose != "" && !slices.Contains(r.Purposes, a.purpose):
		return failsPurpose
	case !slices.Contains(r.Actions, s.action):
		return failsAction
	}
	return serves
}

// reaches says whether the right's scope has the record. An authorisation that names
// an engagement has only the records of it and those of none.
func (r *Right) reaches(id ID, record *Record) bool {
	if r.Kind == Authorized && r.Engagement != "" && record.Engagement != "" && record.Engagement != r.Engagement {
		return false
	}
	return r.Scope.has(id, record)
}

// reason is what the right says for an access: the events that made it what it is,
// and its paper.
func (r *Right) reason(clause Clause, code string) Reason {
	why := Reason{Clause: clause, Code: code, Right: r.Ref(), Refs: []Seq{r.Made}}
	if n := len(r.Changes); n > 0 {
		why.Refs = append(why.Refs, r.Changes[n-1])
	}
	if r.Evidence != "" {
		why.Evidence = []ID{r.Evidence}
	}
	return why
}

// failed is why a kind of right doesn't serve.
func (a *access) failed(kind RightKind, r *Right, stage int) Reason {
	f := failures[kind][stage]
	if r == nil {
		return Reason{Clause: f.clause, Code: f.code}
	}
	why := r.reason(f.clause, f.code)
	if stage == failsForce {
		why.Refs = append(why.Refs, nonzero(r.endedBy(a))...)
	}
	return why
}

func nonzero(n Seq) []Seq {
	if n == 0 {
		return nil
	}
	return []Seq{n}
}
