package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/qtccc/assent/eventstore"
)

// A scrub reads everything that was recorded, the stream and the archive, against the
// tree, over and over: a disk loses what nobody reads. One goroutine runs it; where it
// stands anybody may ask.
type scrub struct {
	s    *service
	over time.Duration // in which it reads all

	done atomic.Uint64 // events of this round
	of   atomic.Uint64 // events that it reads in this round
	last atomic.Int64  // when a round ended, in Unix ns; 0: none did
}

// scrubOver is how long a round takes, where the ledger is large: a disk is read once
// a day. scrubAtLeast is how many events a second are read whatever its size.
const (
	scrubOver    = 24 * time.Hour
	scrubAtLeast = 2560
)

// run scrubs until the context ends, or something is not what was recorded.
func (c *scrub) run(ctx context.Context) {
	for ctx.Err() == nil {
		switch err := c.s.nats.CheckBlocks(ctx); {
		case err != nil && differs(err):
			c.s.report(err)
			return
		case err != nil && ctx.Err() == nil:
			c.s.log.Warn("the blocks of the stream can't be looked through; the scrub reads them", "err", err)
		}
		size := c.s.notary.Size()
		c.of.Store(size)
		c.done.Store(0)
		pause := min(c.over/time.Duration(size/bundleEvents+1), time.Second*bundleEvents/scrubAtLeast)
		for bundle := uint64(0); bundle*bundleEvents < size; bundle++ {
			switch err := c.read(ctx, bundle); {
			case err != nil && differs(err):
				c.s.report(err)
				return
			case err != nil && ctx.Err() == nil:
				c.s.log.Warn("the scrub can't read; it goes on", "events", bundle*bundleEvents+1, "err", err)
			}
			c.done.Store(min(size, (bundle+1)*bundleEvents))
			if !rest(ctx, pause) {
				return
			}
		}
		c.last.Store(time.Now().UnixNano())
		if !rest(ctx, time.Minute) {
			return
		}
	}
}

// bundleEvents is how many events a bundle of the archive has.
const bundleEvents = 256

// read reads one bundle, and the events of it in the stream, which checks what it
// reads.
func (c *scrub) read(ctx context.Context, bundle uint64) error {
	first, count, err := c.s.notary.CheckBundle(bundle)
	if err != nil || count == 0 {
		return err
	}
	return c.s.events.Read(ctx, first, first+count-1, func(eventstore.Message) error { return nil })
}

// rest waits, and says whether the context still goes on.
func rest(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// report is told of what is not what was recorded, by whoever read it. The service
// serves nothing from then on.
func (s *service) report(err error) {
	s.wrong.Store(true)
	s.log.Error("the ledger is not what was recorded", "err", err)
	s.end(err)
}

// end has the service end, and say why.
func (s *service) end(why error) {
	select {
	case s.ending <- why:
	default: // it is ending already
	}
}
