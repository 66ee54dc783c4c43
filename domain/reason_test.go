package domain

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestAReasonStandsOnce: by the statement's order of clauses, then by code; with the
// events and papers of all that gave it, at most the 16 earliest of each, the rest of
// the events counted; and the earliest of the rights.
func TestAReasonStandsOnce(t *testing.T) {
	got := merged([]Reason{
		{Clause: "IV.1", Code: "outside-scope", Right: "designation/d1", Refs: []Seq{9, 12}, Evidence: []ID{"letter-2"}},
		{Clause: "II.5", Code: "destroyed", Refs: []Seq{40}},
		{Clause: "II.4", Code: "sensitive-not-covered", Right: "designation/d2", Refs: []Seq{8, 3}, Evidence: []ID{"b", "a"}},
		{Clause: "II.4", Code: "sensitive-not-covered", Right: "consent/c1", Refs: []Seq{5}, Evidence: []ID{"a", "c", ""}},
		{Clause: "IV.1", Code: "action-not-covered"},
		{Clause: "P.1", Code: "party-retired", Refs: []Seq{7, 7}},
		{Clause: "I.3.10", Code: "x"}, {Clause: "I.3.9", Code: "y"}, {Clause: "II.0", Code: "z"},
		{Clause: "IV.1", Code: "outside-scope"},
	})
	var s string
	for _, r := range got {
		s += fmt.Sprintln(r.Clause, r.Code, r.Right, r.Refs, r.Evidence, r.More)
	}
	assert.Equal(t, `P.1 party-retired  [7] [] 0
I.3.9 y  [] [] 0
I.3.10 x  [] [] 0
II.0 z  [] [] 0
II.4 sensitive-not-covered consent/c1 [3 5 8] [a c b] 0
II.5 destroyed  [40] [] 0
IV.1 action-not-covered  [] [] 0
IV.1 outside-scope designation/d1 [9 12] [letter-2] 0
`, s)

	many := Reason{Clause: "II.6", Code: "terms-forbid"}
	var refs []Seq
	var papers []ID
	for i := range 20 {
		refs, papers = append(refs, Seq(100-i)), append(papers, ID(fmt.Sprint("e", i)))
	}
	many.Refs, many.Evidence = refs, papers
	r := merged([]Reason{many})[0]
	assert.Equal(t, []Seq{81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93, 94, 95, 96}, r.Refs)
	assert.Equal(t, 4, r.More)
	assert.Len(t, r.Evidence, 16)
}

// TestOfSeveralFaultsTheFirstStepsAnswers, in whatever order they are found: section
// 2, from the form to the row's own refusals, P.1 before these; of one step, the one
// that was found first.
func TestOfSeveralFaultsTheFirstStepsAnswers(t *testing.T) {
	faults := []*Fault{
		{Code: Invalid}, {Code: Unauthenticated}, {Code: Forbidden}, {Code: Unknown}, {Code: Exists}, {Code: Ended},
		{Code: Refused, Clause: "P.1", Reason: "party-retired"}, {Code: Refused, Clause: "IV.1", Reason: "evidence-unfit"},
	}
	for i, first := range faults {
		for _, other := range faults[i+1:] {
			for _, found := range [][]*Fault{{first, other}, {other, first}, {other, first, other}} {
				d := &deciding{}
				for _, f := range found {
					d.fail(f)
				}
				assert.Same(t, first, d.fault)
			}
		}
	}
	d := &deciding{}
	d.refuse("III.3", "not-external", "first")
	d.refuse("II.0", "needs-authorization", "second")
	assert.Equal(t, "not-external", d.fault.Reason)
	assert.True(t, slices.IsSortedFunc(faults, func(a, b *Fault) int { return a.step() - b.step() }))
}

// TestDecisionsAreEqualOnlyToTheLastField: whatever field of a decision or of one of
// its reasons differs, they aren't equal.
func TestDecisionsAreEqualOnlyToTheLastField(t *testing.T) {
	decided := func() *Decision {
		return &Decision{Granted, "a", 6, 1, "v", []Reason{{"I.1", "code", "designation/d", []Seq{1, 2}, []ID{"e"}, 3}, {Clause: "II.2"}}}
	}
	require.True(t, decided().Equal(decided()))
	require.False(t, decided().Equal(nil))
	var alter func(v reflect.Value, put func() bool)
	altered := 0
	alter = func(v reflect.Value, check func() bool) {
		was := reflect.New(v.Type()).Elem()
		was.Set(v)
		switch v.Kind() {
		case reflect.String:
			v.SetString(v.String() + "x")
		case reflect.Int, reflect.Int64:
			v.SetInt(v.Int() + 1)
		case reflect.Uint64:
			v.SetUint(v.Uint() + 1)
		case reflect.Slice:
			for i := range v.Len() {
				alter(v.Index(i), check)
			}
			v.Set(v.Slice(0, v.Len()/2))
		case reflect.Struct:
			for i := range v.NumField() {
				if f := v.Field(i); f.Kind() != reflect.Slice || f.Len() > 0 {
					alter(f, check)
				}
			}
			return
		default:
			t.Fatalf("a %s is not altered here", v.Kind())
		}
		altered++
		require.False(t, check(), "%v for %v", v, was)
		v.Set(was)
		require.True(t, check())
	}
	d := decided()
	alter(reflect.ValueOf(d).Elem(), func() bool { return d.Equal(decided()) && decided().Equal(d) })
	require.Equal(t, 19, altered)
}
