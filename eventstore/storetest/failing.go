package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/qtccc/assent/eventstore"
)

// ErrFault is what the call that fails answers; an Append and a Settle say
// eventstore.ErrUnknown besides.
var ErrFault = errors.New("storetest: this call fails")

// A Call is one of a log's.
type Call string

// The calls that may fail.
const (
	Append Call = "Append"
	Settle Call = "Settle"
	Read   Call = "Read"
	Get    Call = "Get"
	Last   Call = "Last"
)

// Failing is a log of which one call fails. It panics where its caller breaks the
// rules of eventstore: an Append that begins elsewhere than the one before it
// ended, a Settle of something that didn't fail, before its turn, or with other
// bytes.
type Failing struct {
	log     Log
	nth     int
	happens bool
	which   []Call

	mu     sync.Mutex
	calls  int        // guarded by mu: of which
	open   []appended // guarded by mu: not known to be recorded, in order
	end    uint64     // guarded by mu: where the last append ends
	chosen bool       // guarded by mu: whether the next append must begin there
}

type appended struct {
	after   uint64
	entries []eventstore.Entry // copies
	ack     *eventstore.Ack
}

// Fail wraps a log so that its n-th call (the first is 1) of those named, of any
// where none is, fails: without having reached the log, or, where it happens, after
// it really did.
func Fail(log Log, n int, happens bool, which ...Call) *Failing {
	return &Failing{log: log, nth: n, happens: happens, which: which}
}

// Failed says whether the call that fails was made.
func (f *Failing) Failed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls >= f.nth
}

// fails counts a call and says whether it is the one.
func (f *Failing) fails(c Call) bool {
	if len(f.which) > 0 && !slices.Contains(f.which, c) {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	return f.calls == f.nth
}

// Append is the log's, and fails with ErrUnknown.
func (f *Failing) Append(after uint64, entries []eventstore.Entry) *eventstore.Ack {
	f.begins(after, entries)
	ack := f.append(after, entries)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.prune()
	f.open = append(f.open, appended{after, clone(entries), ack})
	return ack
}

func (f *Failing) append(after uint64, entries []eventstore.Entry) *eventstore.Ack {
	if !f.fails(Append) {
		return f.log.Append(after, entries)
	}
	ack, end := eventstore.NewAck()
	fault := fmt.Errorf("append after %d: %w: %w", after, eventstore.ErrUnknown, ErrFault)
	if !f.happens {
		end(fault)
		return ack
	}
	real := f.log.Append(after, entries)
	go func() { // it ends with the Ack, and every Ack ends
		if err := real.Err(); err != nil {
			fault = err
		}
		end(fault)
	}()
	return ack
}

// begins panics at an append that its caller should not make.
func (f *Failing) begins(after uint64, entries []eventstore.Entry) {
	if len(entries) == 0 || len(entries) > eventstore.MaxBatch {
		panic(fmt.Sprintf("storetest: append of %d entries", len(entries)))
	}
	for i, e := range entries {
		if e.Subject == "" || len(e.Data) > eventstore.MaxData {
			panic(fmt.Sprintf("storetest: append after %d: entry %d has subject %q and %d bytes", after, i, e.Subject, len(e.Data)))
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.chosen && after != f.end {
		panic(fmt.Sprintf("storetest: append after %d, the one before it ends at %d", after, f.end))
	}
	f.chosen, f.end = true, after+uint64(len(entries))
}

// Settle is the log's.
func (f *Failing) Settle(ctx context.Context, after uint64, entries []eventstore.Entry) error {
	f.turn(after, entries)
	err := f.settle(ctx, after, entries)
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case err == nil:
		f.open = f.open[1:]
	case errors.Is(err, eventstore.ErrFenced):
		f.open, f.chosen = nil, false
	}
	return err
}

func (f *Failing) settle(ctx context.Context, after uint64, entries []eventstore.Entry) error {
	if !f.fails(Settle) {
		return f.log.Settle(ctx, after, entries)
	}
	if f.happens {
		if err := f.log.Settle(ctx, after, entries); err != nil {
			return err
		}
	}
	return fmt.Errorf("settle after %d: %w: %w", after, eventstore.ErrUnknown, ErrFault)
}

// turn panics unless this is the first append that failed, bytes and all.
func (f *Failing) turn(after uint64, entries []eventstore.Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.prune()
	if len(f.open) == 0 {
		panic(fmt.Sprintf("storetest: settle after %d: nothing failed", after))
	}
	a := f.open[0]
	switch {
	case after != a.after:
		panic(fmt.Sprintf("storetest: settle after %d before what was appended after %d", after, a.after))
	case !slices.EqualFunc(entries, a.entries, same):
		panic(fmt.Sprintf("storetest: settle after %d with other bytes than were appended", after))
	}
	select {
	case <-a.ack.Done():
	default:
		panic(fmt.Sprintf("storetest: settle after %d: it didn't fail yet", after))
	}
}

// prune takes what is known to be recorded off the front of open. Called with mu
// held.
func (f *Failing) prune() {
	for len(f.open) > 0 && recorded(f.open[0].ack) {
		f.open = f.open[1:]
	}
}

// recorded says whether an append is known to have been recorded.
func recorded(a *eventstore.Ack) bool {
	select {
	case <-a.Done():
		return a.Err() == nil
	default:
		return false
	}
}

func same(a, b eventstore.Entry) bool {
	return a.Subject == b.Subject && bytes.Equal(a.Data, b.Data)
}

func clone(entries []eventstore.Entry) []eventstore.Entry {
	list := slices.Clone(entries)
	for i := range list {
		list[i].Data = bytes.Clone(list[i].Data)
	}
	return list
}

// Read is the log's. Where its failure happens, every message was given.
func (f *Failing) Read(ctx context.Context, from, to uint64, each func(eventstore.Message) error) error {
	fails := f.fails(Read)
	if fails && !f.happens {
		return fmt.Errorf("read from %d: %w", from, ErrFault)
	}
	err := f.log.Read(ctx, from, to, each)
	if err == nil && fails {
		err = fmt.Errorf("read from %d: %w", from, ErrFault)
	}
	return err
}

// Get is the log's.
func (f *Failing) Get(ctx context.Context, seq uint64) (eventstore.Message, error) {
	if f.fails(Get) {
		return eventstore.Message{}, fmt.Errorf("get %d: %w", seq, ErrFault)
	}
	return f.log.Get(ctx, seq)
}

// Last is the log's.
func (f *Failing) Last(ctx context.Context) (uint64, error) {
	if f.fails(Last) {
		return 0, fmt.Errorf("last: %w", ErrFault)
	}
	return f.log.Last(ctx)
}
