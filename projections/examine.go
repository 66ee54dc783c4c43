package projections

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
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
	BundleIn(room *[]byte, n uint64) (first uint64, messages [][]byte, err error)
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

// runsOfCore is how many runs a core is given at a time, and signedAtATime how many of
// their signatures.
const (
	runsOfCore    = 2
	signedAtATime = 32
)

// examine takes some runs at a time, in two steps. First each access of them is decided
// on what was known before them all, on all cores. Then one goroutine takes all events in,
// one after the other: what is no access, or asked what was changed meanwhile, is decided
// there. Beside it the next runs are read, and the signatures of the last ones looked at.
func examine(ctx context.Context, source Bundled, signatures bool, progress func(done uint64)) (*Examined, error) {
	cores := runtime.GOMAXPROCS(0)
	x := &examination{source: source, cores: cores, now: newLatest(), keys: map[domain.PublicKey]nkeys.KeyPair{}, firstWrong: math.MaxUint64}
	var turns [3][]parsedRun // which are read, taken in, and signed
	for i := range turns {
		turns[i] = make([]parsedRun, 0, runsOfCore*cores)
	}
	x.read(&turns[0])
	x.together(nil)
	turn := 0
	for ; len(turns[turn%3]) > 0 && !x.over.Load() && ctx.Err() == nil; turn++ {
		runs := turns[turn%3]
		x.ahead(runs)
		x.together(nil)
		x.read(&turns[(turn+1)%3])
		if signatures {
			x.sign(turns[(turn+2)%3])
		}
		x.together(func() { x.takeIn(runs) })
		if progress != nil {
			progress(x.Events)
		}
	}
	if signatures {
		x.sign(turns[(turn+2)%3])
		x.together(nil)
	}
	if x.wrong != nil {
		return nil, x.wrong
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &x.Examined, nil
}

// An examination is one Examine. Whoever takes events in owns it, but for what is below
// over.
type examination struct {
	Examined
	source   Bundled
	cores    int
	tasks    []func() // for all cores, in no order
	run      uint64   // the next one that is to be read
	now      *latest  // after the last event that was taken in
	time     time.Time
	keys     map[domain.PublicKey]nkeys.KeyPair
	accesses accesses

	over       atomic.Bool // something was wrong: nothing further is taken in
	mu         sync.Mutex
	wrong      error  // the first in the order of events that was found
	firstWrong uint64 // where that is
}

// together does all tasks, on all cores; own is done by the caller first.
func (x *examination) together(own func()) {
	var next atomic.Int64
	work := func() {
		for n := next.Add(1); int(n) <= len(x.tasks); n = next.Add(1) {
			x.tasks[n-1]()
		}
	}
	var wg sync.WaitGroup
	for range x.cores - 1 {
		wg.Go(work)
	}
	if own != nil {
		own()
	}
	work()
	wg.Wait()
	clear(x.tasks)
	x.tasks = x.tasks[:0]
}

// found takes note of what is wrong with the event i of the run. What is before it is
// still looked at to its end, so that at last the first one is known.
func (x *examination) found(run uint64, i int, wrong error) {
	x.over.Store(true)
	x.mu.Lock()
	defer x.mu.Unlock()
	if at := run<<32 | uint64(i); at < x.firstWrong {
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

// A parsedRun is the events of one bundle, as far as they can be read. Another one is
// read into the same memory.
type parsedRun struct {
	n      uint64
	room   []byte
	events []examinedEvent
	err    error // what is wrong with the one after them
}

type examinedEvent struct {
	doc   cloudevent.Document
	event domain.Event
	// What was found ahead, on what is in seen; valid where ahead is.
	ahead bool
	seen  seen
	why   string           // how it differs
	proof domain.PublicKey // whose signature is to be looked at; empty: nobody's
	key   nkeys.KeyPair    // that of proof
}

// read has the next runs read.
func (x *examination) read(into *[]parsedRun) {
	runs := (*into)[:min(uint64(cap(*into)), x.source.Bundles()-x.run)]
	for i := range runs {
		r := &runs[i]
		r.n = x.run
		x.tasks = append(x.tasks, func() { r.read(x.source) })
		x.run++
	}
	*into = runs
}

func (r *parsedRun) read(source Bundled) {
	r.events, r.err = r.events[:0], nil
	first, messages, err := source.BundleIn(&r.room, r.n)
	if err != nil {
		r.err = err
		return
	}
	r.events = slices.Grow(r.events, len(messages))
	for i, m := range messages {
		r.events = r.events[:i+1]
		e, seq := &r.events[i], first+uint64(i)
		err := e.doc.Parse(m)
		if err == nil && e.doc.Seq != seq {
			err = fmt.Errorf("it says that it is event %d", e.doc.Seq)
		}
		if err == nil {
			err = e.doc.EventIn(&e.event)
		}
		if err != nil {
			r.events, r.err = r.events[:i], &Wrong{seq, err.Error()}
			return
		}
	}
}

// ahead has each access of the runs decided on what is known before them all.
func (x *examination) ahead(runs []parsedRun) {
	x.now.round++
	for i := range runs {
		events := runs[i].events
		x.tasks = append(x.tasks, func() {
			v := &sight{latest: x.now}
			for i := range events {
				e := &events[i]
				if e.ahead = e.doc.Decision != nil; e.ahead {
					v.watch(&e.seen)
					e.derive(v, false)
				}
			}
		})
	}
}

// derive derives the event on the view of what is before it, but for its signature:
// here it is only said whose that must be.
func (e *examinedEvent) derive(v domain.View, noAttempt bool) {
	e.proof, e.key = "", nil
	r := derivation{view: v, doc: &e.doc, event: &e.event, noAttempt: noAttempt}
	e.why = r.differs(func(key domain.PublicKey) bool {
		e.proof = key
		return true
	})
}

// takeIn takes the runs' events in, up to the first that is wrong.
func (x *examination) takeIn(runs []parsedRun) {
	for i := range runs {
		r := &runs[i]
		if x.over.Load() {
			r.events = r.events[:0]
			continue
		}
		for i := range r.events {
			if err := x.fold(&r.events[i]); err != nil {
				r.events, r.err = r.events[:i], err
				break
			}
		}
		if r.err != nil {
			x.found(r.n, len(r.events), r.err)
		}
	}
}

// fold looks at one event after those before it, and takes it in.
func (x *examination) fold(e *examinedEvent) error {
	d := &e.doc
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
	if !e.ahead || e.seen.stale(x.now) {
		id := attemptIn(&e.event)
		e.derive(&x.now.own, id != "" && !x.accesses.have(id))
	}
	if e.why != "" {
		return wrong("%s", e.why)
	}
	if e.proof != "" {
		var err error
		if e.key, err = x.pair(e.proof); err != nil {
			return wrong("%s", notItsKey(d.Actor))
		}
		x.Signatures++
	}
	x.take(d, &e.event)
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

// sign has the signatures of events that were taken in looked at.
func (x *examination) sign(runs []parsedRun) {
	for i := range runs {
		r := &runs[i]
		for from := 0; from < len(r.events); from += signedAtATime {
			x.tasks = append(x.tasks, func() { x.signed(r, from, min(from+signedAtATime, len(r.events))) })
		}
	}
}

func (x *examination) signed(r *parsedRun, from, to int) {
	var short [1024]byte
	for i := from; i < to; i++ {
		e := &r.events[i]
		if e.key != nil && e.key.Verify(e.doc.SignedBytes(short[:0]), e.doc.Signature) != nil {
			x.found(r.n, i, &Wrong{e.doc.Seq, notItsKey(e.doc.Actor)})
			return
		}
	}
}
