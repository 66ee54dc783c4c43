package main

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestABlockOfAKilledServiceIsWrittenAnew: what a start reads of it may never have come
// to the disk. Of one that was stopped cleanly it has.
func TestABlockOfAKilledServiceIsWrittenAnew(t *testing.T) {
	r := serveFresh(t)
	require.NoError(t, r.app(t, "clerk", parties(0, 5), &bytes.Buffer{}).applyAll(t))
	block := filepath.Join(r.data, blockDir, "1.blk")
	look := func() (os.FileInfo, []byte) {
		info, err := os.Stat(block)
		require.NoError(t, err)
		b, err := os.ReadFile(block)
		require.NoError(t, err)
		return info, b
	}
	for _, c := range []struct {
		sig  syscall.Signal
		anew bool
	}{{syscall.SIGKILL, true}, {syscall.SIGTERM, false}} {
		_ = r.signal(c.sig)
		was, held := look()
		h, err := findHome(r.data, "")
		require.NoError(t, err)
		aside, err := h.setAside()
		require.NoError(t, err)
		require.Equal(t, c.anew, aside)
		is, holds := look()
		require.Equal(t, c.anew, !os.SameFile(was, is))
		require.Equal(t, held, holds)
		require.Equal(t, was.Mode(), is.Mode())
		require.NoFileExists(t, h.path("block"))
		r.start(t)
	}
}
