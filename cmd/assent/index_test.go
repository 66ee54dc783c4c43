package main

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAnIndexThatIsAheadIsDroppedWithWhatFailed: after an append that failed, the
// server's index may name an event that isn't there. Its number would count as used, and
// that is a gap, which is refused. So whoever stops with an append that failed drops the
// index; and who serves on in the same process knows what was acknowledged, and refuses
// if that is not there.
func TestAnIndexThatIsAheadIsDroppedWithWhatFailed(t *testing.T) {
	before := &running{bin: binary(t), data: filepath.Join(t.TempDir(), "ledger")}
	before.start(t)
	require.NoError(t, before.signal(syscall.SIGTERM))
	after := before.copy(t)
	after.start(t)
	after.does(t, "party", "register", "--as", "clerk", "--party", "li", "--category", "external", "--kind", "person", "--name", "Li")
	require.NoError(t, after.signal(syscall.SIGTERM))

	index, err := filepath.Glob(filepath.Join(after.data, "nats/jetstream/*/streams/*/msgs/index.db"))
	require.NoError(t, err)
	require.Len(t, index, 1)
	name, err := filepath.Rel(after.data, index[0])
	require.NoError(t, err)
	ahead := func() *home {
		r := before.copy(t)
		r.restore(t, after, name)
		h, err := findHome(r.data, "")
		require.NoError(t, err)
		return h
	}
	start := func(h *home, atLeast uint64) (last uint64, err error) {
		s := quietService(t, h)
		s.atLeast = atLeast
		defer s.stop()
		if err := s.start(t.Context(), plan{}); err != nil {
			return 0, err
		}
		last, err = s.events.Last(t.Context())
		require.NoError(t, err)
		return last, nil
	}

	h := ahead()
	_, err = start(h, 0)
	require.ErrorContains(t, err, "the log has a gap: of 8 messages 7 are there")
	out, err := before.run("repair", "--data", h.data)
	require.NoError(t, err, out)
	last, err := start(h, 7)
	require.NoError(t, err)
	require.EqualValues(t, 7, last)
	h = ahead()
	require.NoError(t, h.dropIndex())
	last, err = start(h, 7)
	require.NoError(t, err)
	require.EqualValues(t, 7, last)
	h = ahead()
	require.NoError(t, h.dropIndex())
	_, err = start(h, 8)
	require.ErrorContains(t, err, "the stream: it ends at event 7, and event 8 was acknowledged")
	require.ErrorContains(t, err, "assent repair")
}
