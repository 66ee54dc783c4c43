package projections

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
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

// Examine derives everything anew, from nothing: it reads all events, checks that each
// is what it says, that its actor's key in force signed it, and that the law decides
// as it was decided, on what the events before it say. Nothing of the ledger's own
// read models is used. The error is a *Wrong for the first event that differs.
func Examine(ctx context.Context, source Bundled, progress func(done uint64)) (*Examined, error) {
	return examine(ctx, source, true, progress)
}

// ExamineUnsigned is Examine that takes every signature for good: what all the rest of
// it costs. Who is to believe a ledger asks Examine.
func ExamineUnsigned(ctx context.Context, source Bundled) (*Examined, error) {
	return examine(ctx, source, false, nil)
}

// examine has some goroutines take one run after the other. Each reads its own and
// looks at its signatures beside the others, and folds it when all before it are: what
// it has just read is at hand then.
func examine(ctx context.Context, source Bundled, signatures bool, progress func(done uint64)) (*Examined, error) {
	x := &examination{now: newLatest(), keys: map[domain.PublicKey]nkeys.KeyPair{}, firstWrong: math.MaxUint64}
	all, readers := source.Bundles(), uint64(runtime.GOMAXPROCS(0)+1)
	turns := make([]chan struct{}, readers) // of the run n to be folded, at n%readers
	for i := range turns {
		turns[i] = make(chan struct{}, 1)
	}
	turns[0] <- struct{}{}
	var next atomic.Uint64
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			for n := next.Add(1) - 1; n < all; n = next.Add(1) - 1 {
				run := parseRun(source, n)
				<-turns[n%readers]
				going := ctx.Err() == nil && !x.over.Load()
				if going {
					x.foldRun(&run, n)
					if progress != nil {
						progress(x.Events)
					}
				}
				turns[(n+1)%readers] <- struct{}{}
				if !going {
					return
				}
				if signatures {
					x.sign(&run, n)
				}
			}
		})
	}
	wg.Wait()
	if x.wrong != nil {
		return nil, x.wrong
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &x.Examined, nil
}

// An examination is one Examine. Whose turn it is to fold owns it, but for what is
// below over.
type examination struct {
	Examined
	now      *latest   // after the last event that was taken in
	time     time.Time // its own
	keys     map[domain.PublicKey]nkeys.KeyPair
	accesses accesses

	over       atomic.Bool // something was wrong: no further run is folded
	mu         sync.Mutex
	wrong      error  // the first in the order of events that was found
	firstWrong uint64 // where that is
}

// found takes note of what is wrong with the event i of the run n. Runs before it are
// still looked at to their ends, so that in the end the first one is known.
func (x *examination) found(n uint64, i int, wrong error) {
	x.over.Store(true)
	x.mu.Lock()
	defer x.mu.Unlock()
	if at := n<<32 | uint64(i); at < x.firstWrong {
		x.firstWrong, x.wrong = at, wrong
	}
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

// foldRun derives a run's events one after the other, up to the first that is wrong.
func (x *examination) foldRun(run *parsedRun, n uint64) {
	for i := range run.events {
		if err := x.fold(&run.events[i]); err != nil {
			run.events = run.events[:i]
			x.found(n, i, err)
			return
		}
	}
	if run.err != nil {
		x.found(n, len(run.events), run.err)
	}
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
	// Signatures are looked at beside what others fold: here only by whose key.
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

// sign looks at the signatures of the events that were folded.
func (x *examination) sign(run *parsedRun, n uint64) {
	var short [1024]byte
	for i := range run.events {
		e := &run.events[i]
		if e.key != nil && e.key.Verify(e.doc.SignedBytes(short[:0]), e.doc.Signature) != nil {
			x.found(n, i, &Wrong{e.doc.Seq, "the key of " + string(e.doc.Actor) + " that was in force did not sign its command"})
			return
		}
	}
}
