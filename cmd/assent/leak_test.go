package main

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestAServiceLeavesNothingBehind: opened, used and closed again and again in one
// process, as it does itself after an error of the disk, it leaves no goroutine and no
// descriptor.
func TestAServiceLeavesNothingBehind(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ledger")
	cycle := func(n int) {
		h, err := findHome(dir, "")
		require.NoError(t, err)
		s := quietService(t, h)
		s.listen = "127.0.0.1:0"
		defer s.stop()
		require.NoError(t, s.start(t.Context(), plan{Name: "assent"}))
		require.NoError(t, s.admit())
		a := &app{data: dir, as: "clerk", json: true, in: bytes.NewBufferString(parties(n*10, n*10+10)), out: &bytes.Buffer{}, errs: t.Output()}
		require.NoError(t, a.applyAll(t))
	}
	stands := func() (goroutines, descriptors int) {
		fds, err := os.ReadDir("/dev/fd")
		require.NoError(t, err)
		return runtime.NumGoroutine(), len(fds)
	}
	cycle(0)
	cycle(1)
	<-time.After(time.Second) // what is closed on the other side of a connection ends too
	goroutines, descriptors := stands()
	const cycles = 6
	for n := range cycles {
		cycle(2 + n)
	}
	require.Eventually(t, func() bool {
		g, d := stands()
		return g < goroutines+cycles && d < descriptors+cycles
	}, 10*time.Second, 50*time.Millisecond, "it began with %d goroutines and %d descriptors", goroutines, descriptors)
}
