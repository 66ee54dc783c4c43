package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAnAnswerToAnotherCommandIsNone: it may be a grant, and somebody else's.
func TestAnAnswerToAnotherCommandIsNone(t *testing.T) {
	const mine, other = "01a21107-4731-77c6-8845-47eb499e2567", "01a21107-4731-77c6-8845-47eb499e2568"
	granted := func(id string) []byte {
		return []byte(`{"id":"` + id + `","ok":true,"seq":19,"event":"01a21107-4731-7def-9fb9-5b5b3db7cb4f","type":"access.granted"}`)
	}
	require.False(t, readAnswer(mine, granted(mine)).open())
	a := readAnswer(mine, granted(other))
	require.True(t, a.open())
	require.False(t, a.OK)
	require.ErrorContains(t, a.Error, "the answer to another command came; the outcome is unknown until the same id is sent again")
	require.False(t, readAnswer(mine, []byte(`{"ok":false,"error":{"code":"invalid","message":"this is no JSON"}}`)).open(), "what couldn't be read has no id")
}
