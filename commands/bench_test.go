package commands

import (
	"testing"

	"github.com/qtccc/assent/projections"
)

// What the writer's goroutine does for one access request: at 30,000 a second it has
// 33 µs.
func BenchmarkDecide(b *testing.B) {
	l := newTestLedger(b)
	w := &writer{ledger: theLedger, say: l.svc.say, queue: l.svc.w.queue, watch: newWatch(l.clock, testTime),
		overlay: projections.NewOverlay(l.store.Live(), cachedFacts), seq: l.last()}
	bodies := make([]*Request, 4096)
	for i := range bodies {
		bodies[i] = parseUnsigned(l.body("gateway", "", "access.request", look))
	}
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		r := bodies[n%len(bodies)]
		if n++; n%len(bodies) == 0 {
			w.overlay.Reset()
			w.staged, w.events, w.bytes = w.staged[:0], 0, 0
		}
		w.clock = w.watch.look()
		w.decide(&job{door: "gateway", key: l.public["gateway"], proof: l.public["gateway"], req: r})
	}
}

func BenchmarkCompose(b *testing.B) {
	s := Sender{Ledger: theLedger, Actor: "gateway"}
	for b.Loop() {
		if _, err := s.Compose(&Plain{Name: "access.request", Data: []byte(look)}, testTime); err != nil {
			b.Fatal(err)
		}
	}
}
