package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWhatAnUncleanStopLeftIsWrittenAnew: a sync of it may have failed, and then it may be
// read and isn't on the disk. It is the same, in another file; what a clean stop left is
// left alone.
func TestWhatAnUncleanStopLeftIsWrittenAnew(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ledger")
	code, _, errs := assent(t, "init", "--data", dir)
	require.Equal(t, 0, code, errs)
	h, err := findHome(dir, "")
	require.NoError(t, err)
	stand := func() (os.FileInfo, []byte) {
		blocks, err := filepath.Glob(h.path("nats/jetstream/*/streams/*/msgs/1.blk"))
		require.NoError(t, err)
		require.Len(t, blocks, 1)
		info, err := os.Stat(blocks[0])
		require.NoError(t, err)
		b, err := os.ReadFile(blocks[0])
		require.NoError(t, err)
		return info, b
	}
	renew := func() (anew bool) {
		was, b := stand()
		require.NotEmpty(t, b)
		changed, err := h.unclean()
		require.NoError(t, err)
		require.NoError(t, h.renew(changed))
		is, now := stand()
		require.Equal(t, b, now)
		return !os.SameFile(was, is)
	}
	require.True(t, renew())
	require.NoError(t, h.noteStop())
	require.False(t, renew())
	require.NoFileExists(t, h.path(renewedFile))
}
