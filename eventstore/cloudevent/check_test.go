package cloudevent

import (
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/qtccc/assent/domain"
)

// TestPatternsAreTheLaws: what the envelope takes for an id or a key is what the
// law takes.
func TestPatternsAreTheLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		long := rapid.SampledFrom([]string{"", strings.Repeat("a", 62), strings.Repeat("A", 54)}).Draw(t, "long")
		s := rapid.StringMatching(`[U_a-]?[a-zA-Z0-9_-]{0,2}.?`).Draw(t, "head") + long
		require.Equal(t, new(domain.ID).UnmarshalText([]byte(s)) == nil, isID(s), s)
		require.Equal(t, new(domain.PublicKey).UnmarshalText([]byte(s)) == nil, isPublicKey(s), s)
	})
	require.True(t, isPublicKey("U"+strings.Repeat("A2", 27)+"7"))
	require.True(t, isID(strings.Repeat("9", 63)))
}

// TestEveryWordHasItsClosedSet: a field that is one of some words says which, so
// that flags and pages can.
func TestEveryWordHasItsClosedSet(t *testing.T) {
	for _, row := range domain.Catalogue {
		requireWords(t, row.Command, Fields(&row))
	}
}

func requireWords(t *testing.T, at string, fields []Field) {
	for _, f := range fields {
		require.Equal(t, f.Kind == KindWord, len(f.Words) > 0, "%s %s", at, f.Name)
		requireWords(t, at+" "+f.Name, f.Fields)
	}
}

// TestFreeTextIsFoundWhereverItIs: Texts looks into objects, not into lists, so no
// list has a † field.
func TestFreeTextIsFoundWhereverItIs(t *testing.T) {
	for _, f := range forms {
		requireNoFreeInLists(t, f.row.Command, f.plan)
	}
}

func requireNoFreeInLists(t *testing.T, at string, p *plan) {
	for _, m := range p.fields {
		inner := m.plan
		for inner.elem != nil {
			inner = inner.elem
			require.NotEqual(t, KindText, inner.kind, "%s %s", at, m.name)
			require.Empty(t, inner.free, "%s %s", at, m.name)
		}
		requireNoFreeInLists(t, at+" "+m.name, inner)
	}
}

// TestARefusedPlanSaysWhy: a type that JSON can be read into in two ways stops the
// program when it starts.
func TestARefusedPlanSaysWhy(t *testing.T) {
	require.PanicsWithValue(t, "cloudevent: map[string]int is no type for the data of a command", func() {
		planType(reflect.TypeFor[map[string]int]())
	})
	require.Panics(t, func() { planType(reflect.TypeFor[struct{ Unnamed bool }]()) })
}
