package commands

import (
	"context"
	"errors"
	"time"

	"github.com/qtccc/assent/eventstore"
	"github.com/qtccc/assent/projections"
)

const (
	// patience is how long those who wait for an answer are kept waiting for the
	// outcome of an append, before they are told that it isn't known.
	patience = time.Second
	// attempt is how long one attempt to find it out lasts then.
	attempt = 10 * time.Second
	// pause comes after an attempt that failed at once; each is twice as long as the
	// one before, where the state is read anew.
	pause = 200 * time.Millisecond
)

const (
	unsettled = "it isn't known yet whether this was recorded: send it again, with the same id, and the answer tells"
	fenced    = "another writer was there first, and this was not recorded: send it again, with the same id"
)

// recover makes the state certain again after an append without a good ack (design,
// decision 2). It runs in the writer's goroutine, and decides nothing before it is
// done: what it finds recorded is answered, everything else was not recorded, and
// the state is read anew.
func (w *writer) recover(ctx context.Context) {
	w.inflight <- &group{halt: true}
	lost := <-w.returned
	stands, before := true, (*watchState)(nil)
	for i, g := range lost {
		if stands {
			err := w.settle(ctx, g, lost[i:])
			if err == nil {
				w.recorded(g)
				continue
			}
			if ctx.Err() != nil {
				w.giveUpAll(lost[i:], stopping)
				return
			}
			w.say.Error("another writer appends to this ledger; what was decided meanwhile is dropped", "after", g.after)
			stands = false
		}
		before = earliest(before, g.decided)
		w.giveUp(g.decided, fenced)
	}
	before = earliest(before, w.staged)
	w.giveUp(w.staged, "it was not recorded: send it again, with the same id")
	w.staged, w.events, w.bytes = nil, 0, 0
	for wait := pause; ctx.Err() == nil; wait = min(2*wait, attempt) {
		err := w.reload(ctx, before)
		if err == nil {
			w.say.Info("it is known what was recorded; commands are taken again", "seq", w.seq)
			return
		}
		w.say.Error("the state can't be read anew", "err", err)
		sleep(ctx, wait)
	}
}

// settle finds out whether the group stands, however long that takes. Those who wait
// are answered before long.
func (w *writer) settle(ctx context.Context, g *group, rest []*group) error {
	if g.wait() == nil {
		return nil // nothing to settle, or behind one that was, and recorded as well
	}
	for wait := patience; ; wait = attempt {
		once, cancel := context.WithTimeout(ctx, wait)
		err := w.log.Settle(once, g.after, g.entries)
		cancel()
		if err == nil || errors.Is(err, eventstore.ErrFenced) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		w.giveUpAll(rest, unsettled)
		w.giveUp(w.staged, unsettled)
		w.say.Error("it still isn't known what became of an append: is the disk full, or failing?", "after", g.after, "err", err)
		sleep(ctx, pause)
	}
}

// earliest is what the first clock.affirm of those that weren't recorded put an end
// to.
func earliest(before *watchState, ds []decided) *watchState {
	for i := range ds {
		if before == nil {
			before = ds[i].before
		}
	}
	return before
}

// reload reads the state as the stream has it, which may hold another's events, and
// opens the queue.
func (w *writer) reload(ctx context.Context, before *watchState) error {
	if err := w.applier.rest(); err != nil {
		return err
	}
	if err := projections.Replay(ctx, w.log, w.store, nil); err != nil {
		return err
	}
	last, _ := w.store.Position()
	at, err := lastTime(w.store, last)
	if err != nil {
		return err
	}
	w.overlay.Reset()
	w.watch.restore(at, before)
	w.seq = last
	w.latest.Store(last)
	w.applier.applied.Store(last)
	w.singles.Store(0)
	w.batches.Store(0)
	w.bulk = false
	w.trouble.Store(nil)
	w.queue.open()
	return nil
}

func lastTime(s *projections.Store, seq uint64) (at time.Time, err error) {
	if seq > 0 {
		at, err = s.TimeOf(seq)
	}
	return at, err
}

func (w *writer) giveUpAll(groups []*group, why string) {
	for _, g := range groups {
		w.giveUp(g.decided, why)
	}
}

// sleep waits for a while, or for the context's end.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
