package domain

import (
	"cmp"
	"slices"
	"strings"
)

// Rules is the version of the law's code, deciding and applying. Every event
// says under which it was made.
const Rules = 1

// A Seq is an event's place in the ledger, counted from 1. 0 means "none".
type Seq uint64

// A Clause is an id of the Confidentiality Statement, such as "II.6".
type Clause string

// statement is the statement's own order of clauses. Reasons are reported in it.
var statement = strings.Fields(`P.1 P.2 P.3 I.1 I.2 I.3 I.3.1 I.3.2 I.3.3 I.3.4 I.3.5 I.3.6 I.3.7 I.3.8 I.3.9 I.3.10
	II.0 II.1 II.2 II.3 II.4 II.5 II.6 III.1 III.2 III.3 III.4 III.5 III.6 IV.1 IV.2 IV.3 IV.4 V.1 V.2 V.3`)

var clauseRank = func() map[Clause]int {
	m := make(map[Clause]int, len(statement))
	for i, c := range statement {
		m[Clause(c)] = i
	}
	return m
}()

// Clauses are the statement's clauses in its own order.
func Clauses() []Clause {
	cs := make([]Clause, len(statement))
	for i, c := range statement {
		cs[i] = Clause(c)
	}
	return cs
}

// A Reason is one clause that spoke for or against an access, and the events and
// written instruments that it rests on.
type Reason struct {
	Clause Clause `json:"clause"`
	Code   string `json:"code"`
	// Right is the earliest right, contact or delegation that served or got
	// furthest, such as "designation/d1"; empty where the reason knows none.
	Right    string `json:"right,omitempty"`
	Refs     []Seq  `json:"refs"`
	Evidence []ID   `json:"evidence"`
	// More counts the events left out of Refs, which holds the 16 earliest.
	More int `json:"more,omitzero"`
}

// mostRefs bounds the events and the papers that one reason names.
const mostRefs = 16

// merged sorts reasons by clause, then code, and joins those of one clause and
// code: each stands once, with the events and papers of all that gave it, and names
// the earliest of their rights.
func merged(rs []Reason) []Reason {
	slices.SortStableFunc(rs, func(a, b Reason) int {
		return cmp.Or(cmp.Compare(clauseRank[a.Clause], clauseRank[b.Clause]), strings.Compare(a.Code, b.Code),
			slices.Compare(a.Refs, b.Refs)) // the event that made a right stands first in its reason
	})
	out := rs[:0]
	for _, r := range rs {
		if n := len(out); n > 0 && out[n-1].Clause == r.Clause && out[n-1].Code == r.Code {
			last := &out[n-1]
			last.Refs = append(slices.Clip(last.Refs), r.Refs...)
			last.Evidence = append(slices.Clip(last.Evidence), r.Evidence...)
			if last.Right == "" {
				last.Right = r.Right
			}
			continue
		}
		out = append(out, r)
	}
	for i := range out {
		out[i].bound()
	}
	return out
}

// bound leaves each event and paper once and the 16 earliest of them.
func (r *Reason) bound() {
	if len(r.Refs) > 1 {
		slices.Sort(r.Refs)
		r.Refs = slices.Compact(r.Refs)
	}
	if n := len(r.Refs); n > mostRefs {
		r.Refs, r.More = r.Refs[:mostRefs], n-mostRefs
	}
	seen := r.Evidence[:0]
	for _, e := range r.Evidence {
		if e != "" && len(seen) < mostRefs && !slices.Contains(seen, e) {
			seen = append(seen, e)
		}
	}
	if r.Evidence = seen; len(seen) == 0 {
		r.Evidence = nil // as it is read from an event
	}
}
