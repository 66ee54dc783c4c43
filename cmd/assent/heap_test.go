package main

import (
	"context"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

// A bound that what lives has outgrown would be collecting without end.
func TestTheHeapAlwaysHasRoom(t *testing.T) {
	for _, live := range []uint64{0, 1 << 20, 200 << 20, 1 << 30, 1 << 40} {
		require.GreaterOrEqual(t, uint64(heapBound(roomy, live)), max(roomy, 2*live), "%d bytes live", live)
	}
	require.Equal(t, int64(roomy), heapBound(roomy, 100<<20))
}

// Who says how the heap is to be collected has it so, and the process is as it was
// when the service has ended.
func TestTheHeapIsTendedUnlessSomebodySaysOtherwise(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, env := range []string{"", "100"} {
		t.Setenv("GOGC", env)
		tendHeap(ended, roomy)
		require.Equal(t, before, debug.SetMemoryLimit(-1))
	}
}
