package natsd_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/eventstore/natsd"
)

// The answer goes to the last request that came with a reply, whichever is answered
// first; one that comes once that was answered has its own.
func TestOneReplyHasOneAnswer(t *testing.T) {
	var replies natsd.Replies
	var first, second, third, other natsd.Reply
	replies.Open(&first, "_R_.abcdef.x")
	replies.Open(&other, "_R_.abcdef.y")
	replies.Open(&second, "_R_.abcdef.x")
	require.False(t, first.Close(), "its answer would go to the second's caller")
	require.True(t, second.Close())
	require.True(t, other.Close())

	replies.Open(&first, "_R_.abcdef.x")
	replies.Open(&second, "_R_.abcdef.x")
	require.True(t, second.Close())
	require.False(t, first.Close(), "the server knows its reply no more")
	replies.Open(&third, "_R_.abcdef.x")
	require.Equal(t, "_R_.abcdef.x", third.Subject())
	require.True(t, third.Close())
}
