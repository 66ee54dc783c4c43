package main

import (
	"os"
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

// A disk loses what nobody reads: the scrub comes upon a flipped sequence before the
// server does, and the service ends.
func TestTheScrubFindsAFlippedSequence(t *testing.T) {
	r := &running{bin: binary(t), data: filepath.Join(t.TempDir(), "ledger")}
	r.start(t)
	require.NoError(t, r.signal(syscall.SIGTERM))
	h, err := findHome(r.data, "")
	require.NoError(t, err)
	s := quietService(t, h)
	s.ending = make(chan error, 1)
	defer s.stop()
	require.NoError(t, s.start(t.Context(), plan{}))
	rewrite(t, filepath.Join(r.data, blockDir, "1.blk"), func(b []byte) []byte { b[recordsOf(b)[2]+4+6] ^= 4; return b })
	s.scrub.run(t.Context())
	why := <-s.ending
	require.ErrorContains(t, mendable(why), "1.blk of the stream is damaged at byte")
	require.ErrorContains(t, mendable(why), "run `assent repair`")
}

// What stands in brackets is a pattern to a shell, and to nothing here: the ledger is
// looked after in a directory of any name.
func TestADirectorysNameIsNoPattern(t *testing.T) {
	r := &running{bin: binary(t), data: filepath.Join(t.TempDir(), "agency [2026] *", "ledger")}
	require.NoError(t, os.MkdirAll(filepath.Dir(r.data), 0o700))
	r.start(t)
	require.NoError(t, r.signal(syscall.SIGTERM))
	h, err := findHome(r.data, "")
	require.NoError(t, err)
	digests, err := h.durables()
	require.NoError(t, err)
	require.Contains(t, digests, "jetstream/LEDGER/streams/LEDGER/obs/subscriber")
	require.NoError(t, h.dropIndex())
	require.NoFileExists(t, h.path(filepath.Join(blockDir, "index.db")))
	names, _ := (&app{data: r.data}).completeIdentity(nil, nil, "")
	require.Contains(t, names, "subscriber")

	rewrite(t, filepath.Join(r.data, blockDir, "1.blk"), func(b []byte) []byte { b[recordsOf(b)[2]+4+6] ^= 4; return b })
	said, started := r.tryStart(t)
	require.False(t, started)
	require.Contains(t, said, "is damaged at byte")
}
