package main

import (
	"context"
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

const (
	// growth is by how much the heap may grow before it is collected, in percent of
	// what lives: collecting at every doubling, Go's own default, costs a sixth of
	// the answers that many callers get (docs/performance.md).
	growth = 400
	// roomy is how much memory a process may have before that is held back, in bytes.
	roomy = 472 << 20
	// settle is how often the bound is looked at again.
	settle = 10 * time.Second
)

// tendHeap lets the heap of a process grow freely up to a bound, and beyond that only
// as what lives grows: a bound below what lives would be collecting without end. It
// returns when the context ends. Who sets GOGC or GOMEMLIMIT has it as they say.
func tendHeap(ctx context.Context, room int64) {
	if tendedByOthers() {
		return
	}
	percent, limit := debug.SetGCPercent(growth), debug.SetMemoryLimit(room)
	defer func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	}()
	again := time.NewTicker(settle)
	defer again.Stop()
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	for {
		select {
		case <-again.C:
			metrics.Read(live)
			debug.SetMemoryLimit(heapBound(room, live[0].Value.Uint64()))
		case <-ctx.Done():
			return
		}
	}
}

func tendedByOthers() bool { return os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" }

// widenHeap is for a process that is there to stay: filling huge pages costs one that soon
// ends more than they give it.
var widenHeap = sync.OnceFunc(func() {
	if !tendedByOthers() {
		hugePages(roomy)
	}
})

// withRoom has the heap tended until the function that it returns is called.
func withRoom(ctx context.Context, room int64) (end func()) {
	ctx, stop := context.WithCancel(ctx)
	tended := make(chan struct{})
	go func() { defer close(tended); tendHeap(ctx, room) }()
	return func() { stop(); <-tended }
}

// heapBound is the memory that a process may have of whose heap so much lives.
func heapBound(room int64, live uint64) int64 {
	return int64(min(max(uint64(room), 2*live+64<<20), math.MaxInt64))
}
