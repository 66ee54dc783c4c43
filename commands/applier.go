package commands

import (
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/qtccc/assent/projections"
)

// mostBacklog is how many events may wait for the read models before acks do.
const mostBacklog = 8192

// An applier takes recorded events into the read models, in order, as many at a
// time as there are. Nothing of what it is handed is read back from the stream.
type applier struct {
	store *projections.Store
	queue *queue // woken after each step, shut after the last
	say   *slog.Logger

	applied atomic.Uint64 // the last event that the store knows

	mu      sync.Mutex
	changed *sync.Cond            // on mu: any of these
	backlog []projections.Applied // guarded by mu
	busy    bool                  // guarded by mu: some are being applied
	done    bool                  // guarded by mu: no more come
	err     error                 // guarded by mu: the store takes no more, or none that lasts
	over    bool                  // guarded by mu: no more
}

func newApplier(store *projections.Store, q *queue, say *slog.Logger) *applier {
	a := &applier{store: store, queue: q, say: say}
	a.changed = sync.NewCond(&a.mu)
	seq, _ := store.Position()
	a.applied.Store(seq)
	return a
}

// put hands events over. It blocks while too many wait: acks wait then, and the
// queue fills.
func (a *applier) put(ds []decided) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.backlog) >= mostBacklog && !a.over {
		a.changed.Wait()
	}
	if a.over {
		return // the stream has them
	}
	for i := range ds {
		if d := &ds[i]; d.recorded() {
			d.applied.Message = d.entry.Data
			a.backlog = append(a.backlog, d.applied)
		}
	}
	a.changed.Broadcast()
}

// run applies until close, and what is left then.
func (a *applier) run() {
	var batch []projections.Applied
	for {
		a.mu.Lock()
		a.busy = false
		a.changed.Broadcast()
		for len(a.backlog) == 0 && !a.done {
			a.changed.Wait()
		}
		if len(a.backlog) == 0 || a.over {
			a.mu.Unlock()
			return
		}
		clear(batch)
		batch, a.backlog = a.backlog, batch[:0]
		a.busy = true
		a.changed.Broadcast()
		a.mu.Unlock()
		a.apply(batch)
	}
}

// apply applies a batch. Where that fails no more commands are taken; but what is
// recorded already is applied where it can be, so that questions know of it.
func (a *applier) apply(batch []projections.Applied) {
	last := batch[len(batch)-1].Doc.Seq
	err := a.store.Apply(batch)
	at, _ := a.store.Position()
	if err != nil {
		a.mu.Lock()
		first := a.err == nil
		if first {
			a.err = fmt.Errorf("apply events up to %d: %w", last, err)
		}
		a.over = at < last
		a.changed.Broadcast()
		a.mu.Unlock()
		if first {
			a.say.Error("the read models take no more events", "seq", last, "err", err)
			a.queue.end("the ledger can't keep up what it knows: send it again, with the same id, when its operator has mended that")
		}
	}
	if at >= last {
		a.applied.Store(last)
		a.queue.kick()
	}
}

// wait returns once the event seq is applied.
func (a *applier) wait(seq uint64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.applied.Load() < seq && a.err == nil {
		a.changed.Wait()
	}
	return a.err
}

// rest returns once nothing waits and nothing is being applied.
func (a *applier) rest() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for (len(a.backlog) > 0 || a.busy) && a.err == nil {
		a.changed.Wait()
	}
	return a.err
}

// failed is why the store takes no more, if it doesn't.
func (a *applier) failed() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err
}

// close ends run when it has applied what it was handed.
func (a *applier) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.done = true
	a.changed.Broadcast()
}
