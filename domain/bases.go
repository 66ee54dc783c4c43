package domain

import "slices"

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

// failures is the contract's table of what is said of a kind of right by the check
// that the one that got furthest failed.
var failures = map[RightKind]*[serves]struct {
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

// basis looks for the first basis that serves the side, in the contract's order.
// Where none does, each kind of right that the party could have says why, by the one
// that got furthest. A consent names neither staff nor a contractor (II.0).
func (a *access) basis(s side) (bool, []Reason) {
	if s.behalfOf != "" {
		return a.delegated(s) // then no other basis is looked at
	}
	own, early, asContact := Authorized, false, (*Contact)(nil)
	if s.party.Category == External {
		own, early = Designated, !everDesignated(a, a.Client)
		if early {
			if c, _ := contact(a, a.Client, s.id); c != nil && !c.Dropped {
				asContact = c
			}
		}
	}
	if asContact != nil && s.action == Consult {
		return true, []Reason{asContact.reason(s.id, "contact")}
	}
	first, consent := a.furthest(s, own)
	switch {
	case first.stage == serves:
		return true, a.granted(s, first.right)
	case consent.stage == serves:
		return true, []Reason{consent.right.reason("II.1", "consented")}
	}
	var why []Reason
	switch {
	case asContact != nil: // in a contact's time no designation is in force, so none got further
		why = []Reason{asContact.reason(s.id, "action-not-covered")}
	case early && first.stage == failsExists:
		why = []Reason{{Clause: "IV.2", Code: "not-contact"}}
	default:
		why = []Reason{first.failed(a, own)}
	}
	if consent.stage != failsExists { // silent where none ever named the party
		why = append(why, consent.failed(a, Consented))
	}
	return false, why
}

// reason: IV.2. A contact consults any record, sensitive ones too, for as long as
// nobody has ever been designated; then only those do who are (IV.1).
func (c *Contact) reason(id ID, code string) Reason {
	return Reason{Clause: "IV.2", Code: code, Right: "contact/" + string(id), Refs: []Seq{c.Named}, Evidence: papers(c.Evidence)}
}

// categoryClauses is under which a category may come near data at all.
var categoryClauses = map[Category]Clause{Staff: "III.1", Contractor: "III.2", Authority: "III.4", Assignee: "III.6"}

// granted: III.3, or II.2 with the clause of the party's category.
func (a *access) granted(s side, r *Right) []Reason {
	if r.Kind == Designated {
		return []Reason{r.reason("III.3", "designated")}
	}
	return []Reason{r.reason("II.2", "authorized"),
		{Clause: categoryClauses[s.party.Category], Code: string(s.party.Category), Refs: []Seq{s.since}}}
}

// delegated: III.5. Whoever comes in a designee's place needs a delegation that the
// client authorised, and then has what the designation covers, no more.
func (a *access) delegated(s side) (bool, []Reason) {
	var ever, best *Right
	from := found{stage: -1} // the designation of best
	for _, known := range a.List(KindRight, string(a.Client), string(s.id)) {
		g := known.Fact.(*Right)
		if g.Kind != Delegated || g.Principal != s.behalfOf || a.principal == nil || s.party.Category != External {
			continue // one that is erased counts as not registered, for whom nothing was ever delegated
		}
		if ever == nil {
			ever = g
		}
		if !g.inForce(a, a.at) {
			continue
		}
		d := g.designation(a)
		if got := a.stage(s, d); got > from.stage {
			best, from = g, found{d, got}
		}
		if from.stage == serves {
			break
		}
	}
	switch {
	case ever == nil:
		return false, []Reason{{Clause: "III.5", Code: "not-delegated"}}
	case best == nil:
		return false, []Reason{found{ever, failsForce}.because(a, "III.5", "delegation-ended")}
	}
	r := from.right.reason("III.5", "delegated")
	if from.stage != serves {
		r = from.failed(a, Designated)
	}
	r.Right = best.Ref()
	r.Refs = append(r.Refs, best.Made)
	r.Evidence = papers(best.Evidence, from.right.Evidence)
	return from.stage == serves, []Reason{r}
}

func papers(ids ...ID) []ID {
	return slices.DeleteFunc(ids, func(id ID) bool { return id == "" })
}

// A found right is the earliest of its kind that passed most checks, and the check
// that it failed. None is found where there is none.
type found struct {
	right *Right
	stage int
}

// furthest looks through the party's rights of its own kind and its consents, the
// oldest first, until one of its own kind serves.
func (a *access) furthest(s side, own RightKind) (first, consent found) {
	var best struct{ own, consent found }
	for _, known := range a.List(KindRight, string(a.Client), string(s.id)) {
		r, of := known.Fact.(*Right), &best.own
		switch r.Kind {
		case own:
		case Consented:
			of = &best.consent
		default:
			continue
		}
		if of.stage == serves {
			continue
		}
		if got := a.stage(s, r); got > of.stage {
			*of = found{r, got}
		}
		if best.own.stage == serves {
			break
		}
	}
	return best.own, best.consent
}

// stage is the first check that the right fails, in the contract's order.
func (a *access) stage(s side, r *Right) int {
	switch {
	case !r.inForce(a, a.at):
		return failsForce
	case r.Kind == Authorized && !r.reviewed(a.edition, a.at):
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

// Covers says whether the right reaches the record, and where that one is sensitive,
// covers it too: the checks of scope and sensitive, for a question that lists rights.
func (r *Right) Covers(id ID, record *Record) bool {
	return r.reaches(id, record) && (record.Class != Sensitive || r.Scope.Sensitive)
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
func (f found) failed(a *access, kind RightKind) Reason {
	why := failures[kind][f.stage]
	return f.because(a, why.clause, why.code)
}

// because is the reason with what there is to say for it: where the right ended, also
// what ended it.
func (f found) because(a *access, clause Clause, code string) Reason {
	if f.right == nil {
		return Reason{Clause: clause, Code: code}
	}
	why := f.right.reason(clause, code)
	if f.stage == failsForce {
		why.Refs = append(why.Refs, nonzero(f.right.endedBy(a))...)
	}
	return why
}

func nonzero(n Seq) []Seq {
	if n == 0 {
		return nil
	}
	return []Seq{n}
}
