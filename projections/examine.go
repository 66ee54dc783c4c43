package projections

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	guid "github.com/google/uuid"
	"github.com/nats-io/nkeys"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore/cloudevent"
)

// A Bundled source gives the messages of a ledger in runs, each of which it has found
// to be what was recorded. Bundle may be called from many goroutines.
type Bundled interface {
	Bundles() uint64
	Bundle(n uint64) (first uint64, messages [][]byte, err error)
}

// An Examined ledger is what Examine found: so many events, each of which follows
// from those before it.
type Examined struct {
	Ledger                       domain.UUID
	Events, Signatures, Accepted uint64
	Decisions, Refusals          uint64
	Log                          domain.LogKey   // in force after the last event
	LogsBefore                   []domain.LogKey // in force before it, the first one first
}

// A Wrong is the first event that is not what the law and the keys make of those
// before it.
type Wrong struct {
	Seq uint64
	Why string
}

func (w *Wrong) Error() string { return fmt.Sprintf("event %d: %s", w.Seq, w.Why) }

// runsAhead is how many runs are read and parsed before the one that is folded.
const runsAhead = 16

// Examine derives everything anew, from nothing: it reads all events, checks that each
// is what it says, that its actor's key in force signed it, and that the law decides
// as it was decided, on what the events before it say. Nothing of the ledger's own
// read models is used. The error is a *Wrong for the first event that differs.
func Examine(ctx context.Context, source Bundled, progress func(done uint64)) (*Examined, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	x := &examination{now: newLatest(), keys: map[domain.PublicKey]nkeys.KeyPair{}, failed: make(chan error, 1)}
	runs := make(chan chan parsedRun, runsAhead)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	wg.Go(func() {
		defer close(runs)
		for n := range source.Bundles() {
			out := make(chan parsedRun, 1)
			select {
			case runs <- out:
			case <-ctx.Done():
				return
			}
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				out <- parseRun(source, n)
			})
		}
	})
	for out := range runs {
		run := <-out
		for i := range run.events {
			if err := x.fold(&run.events[i]); err != nil {
				return nil, err
			}
		}
		if run.err != nil {
			return nil, run.err
		}
		if err := x.sign(&run, slots); err != nil {
			return nil, err
		}
		if progress != nil {
			progress(x.Events)
		}
	}
	x.signing.Wait()
	select {
	case err := <-x.failed:
		return nil, err
	default:
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &x.Examined, nil
}

// An examination is one Examine. The caller's goroutine owns it, but for failed.
type examination struct {
	Examined
	now      *latest   // after the last event that was taken in
	time     time.Time // its own
	keys     map[domain.PublicKey]nkeys.KeyPair
	accesses accesses
	signing  sync.WaitGroup
	failed   chan error // holds the first signature that was found wrong
}

// accesses are the ids of all accesses, which are as many as events, and seldom asked
// for: they are looked up once somebody does.
type accesses struct {
	ids   []guid.UUID
	known map[guid.UUID]struct{} // of the first so many of ids
}

func (a *accesses) add(id domain.UUID) {
	if u, err := guid.Parse(string(id)); err == nil {
		a.ids = append(a.ids, u)
	}
}

func (a *accesses) have(id domain.UUID) bool {
	u, err := guid.Parse(string(id))
	if err != nil {
		return false
	}
	if a.known == nil {
		a.known = map[guid.UUID]struct{}{}
	}
	for _, id := range a.ids[len(a.known):] {
		a.known[id] = struct{}{}
	}
	_, there := a.known[u]
	return there
}

// A parsedRun is the events of one bundle, as far as they can be read.
type parsedRun struct {
	events []examinedEvent
	err    error // what is wrong with the one after them
}

type examinedEvent struct {
	doc   *cloudevent.Document
	event *domain.Event
	key   nkeys.KeyPair // whose signature is to be looked at; nil: none
}

func parseRun(source Bundled, n uint64) (run parsedRun) {
	first, messages, err := source.Bundle(n)
	if err != nil {
		return parsedRun{err: err}
	}
	run.events = make([]examinedEvent, 0, len(messages))
	for i, m := range messages {
		seq := first + uint64(i)
		d, err := cloudevent.Parse(m)
		if err == nil && d.Seq != seq {
			err = fmt.Errorf("it says that it is event %d", d.Seq)
		}
		var e *domain.Event
		if err == nil {
			e, err = d.Event()
		}
		if err != nil {
			run.err = &Wrong{seq, err.Error()}
			return run
		}
		run.events = append(run.events, examinedEvent{doc: d, event: e})
	}
	return run
}

// fold derives one event on those before it, and takes it in.
func (x *examination) fold(e *examinedEvent) error {
	d := e.doc
	wrong := func(why string, args ...any) error { return &Wrong{d.Seq, fmt.Sprintf(why, args...)} }
	if x.Events == 0 {
		x.Ledger = d.Ledger
	}
	if d.Ledger != x.Ledger {
		return wrong("it is of the ledger %s, not of %s", d.Ledger, x.Ledger)
	}
	if d.Time.Before(x.time) && d.Type != "clock.affirmed" {
		return wrong("its time is before the last event's")
	}
	x.time = d.Time
	// Signatures are looked at beside what is folded next: here only by whose key.
	r := derivation{view: x.now, doc: d, event: e.event}
	if id := attemptIn(e.event); id != "" {
		r.noAttempt = !x.accesses.have(id)
	}
	var noKey error
	why := r.differs(func(key domain.PublicKey) bool {
		e.key, noKey = x.pair(key)
		x.Signatures++
		return noKey == nil
	})
	if why != "" {
		return wrong("%s", why)
	}
	x.take(d, e.event)
	return nil
}

func (x *examination) pair(k domain.PublicKey) (nkeys.KeyPair, error) {
	if pair := x.keys[k]; pair != nil {
		return pair, nil
	}
	pair, err := nkeys.FromPublicKey(string(k))
	if err == nil {
		x.keys[k] = pair
	}
	return pair, err
}

// take counts an event and keeps what it changed.
func (x *examination) take(d *cloudevent.Document, e *domain.Event) {
	x.now.record(e)
	x.Events++
	if e.Decision != nil {
		x.accesses.add(e.ID)
	}
	switch c := e.Data.(type) {
	case *domain.LedgerOpen:
		if e.Refusal == nil {
			x.Log = c.Log
		}
	case *domain.LedgerRekey:
		if e.Refusal == nil {
			x.Log, x.LogsBefore = c.Log, append(x.LogsBefore, x.Log)
		}
	}
	switch {
	case d.Refusal != nil:
		x.Refusals++
	case d.Decision != nil:
		x.Decisions++
	default:
		x.Accepted++
	}
}

// sign has the signatures of a run looked at, beside what is folded next.
func (x *examination) sign(run *parsedRun, slots chan struct{}) error {
	select {
	case err := <-x.failed:
		return err
	default:
	}
	slots <- struct{}{}
	x.signing.Go(func() {
		defer func() { <-slots }()
		var short [1024]byte
		for i := range run.events {
			e := &run.events[i]
			if e.key == nil || e.key.Verify(e.doc.SignedBytes(short[:0]), e.doc.Signature) == nil {
				continue
			}
			select {
			case x.failed <- &Wrong{e.doc.Seq, "the key of " + string(e.doc.Actor) + " that was in force did not sign its command"}:
			default: // an earlier one was found
			}
			return
		}
	})
	return nil
}
