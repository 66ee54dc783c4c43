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

// A Bundled source gives the messages of a ledger in bundles, each of which it has found
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

// How many events a core takes at a time, and how many signatures, each of which takes
// as long as some ten events.
const (
	eventsOfTask = 32
	signedOfTask = 4
)

// examine takes a bundle for each core at a time, in two steps: of more, what is known of
// the clients lies further away when it is asked for. First each access of them is
// decided on what was known before them all, on all cores. Then one goroutine takes all
// events in, one after the other: what is no access, or asked what was changed meanwhile,
// is decided there. Beside it the signatures of the bundles before are looked at, the
// next ones are parsed, and those after them read.
func examine(ctx context.Context, source Bundled, signatures bool, progress func(done uint64)) (*Examined, error) {
	cores := runtime.GOMAXPROCS(0)
	x := &examination{source: source, now: newLatest(), cores: make([]core, cores), keys: map[domain.PublicKey]nkeys.KeyPair{}, firstWrong: math.MaxUint64}
	for i := range x.cores {
		x.cores[i].latest = x.now
	}
	var turns [4][]bundle
	for i := range turns {
		turns[i] = make([]bundle, 0, cores)
	}
	turn := 0
	of := func(n int) *[]bundle { return &turns[(turn+n)%len(turns)] }
	x.load(of(0))
	x.together(nil)
	x.load(of(1))
	x.parse(*of(0))
	x.together(nil)
	for ; len(*of(0)) > 0 && !x.over.Load() && ctx.Err() == nil; turn++ {
		x.ahead(*of(0))
		x.together(nil)
		if signatures {
			x.sign(*of(3))
		}
		x.load(of(2))
		x.parse(*of(1))
		x.together(func() { x.takeIn(*of(0)) })
		if progress != nil {
			progress(x.Events)
		}
	}
	if signatures {
		x.sign(*of(3))
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
	tasks    []func(*core) // for all cores, in no order
	next     uint64        // the bundle that is to be read next
	now      *latest       // after the last event that was taken in
	event    domain.Event  // that one
	cores    []core
	time     time.Time
	keys     map[domain.PublicKey]nkeys.KeyPair
	accesses accesses

	over       atomic.Bool // something was wrong: nothing further is taken in
	mu         sync.Mutex
	wrong      error  // the first in the order of events that was found
	firstWrong uint64 // which event that is
}

// A core is what one goroutine has for the tasks that it does.
type core struct {
	sight
	signed  []byte
	fetched uint64 // what fetch saw, so that it does look
}

// together does all tasks, on all cores; own is done by the caller first.
func (x *examination) together(own func()) {
	var next atomic.Int64
	work := func(c *core) {
		for n := next.Add(1); int(n) <= len(x.tasks); n = next.Add(1) {
			x.tasks[n-1](c)
		}
	}
	var wg sync.WaitGroup
	for i := range x.cores[1:] {
		wg.Go(func() { work(&x.cores[1+i]) })
	}
	if own != nil {
		own()
	}
	work(&x.cores[0])
	wg.Wait()
	clear(x.tasks)
	x.tasks = x.tasks[:0]
}

// each makes tasks of doing it to n events of the bundles at a time.
func (x *examination) each(bundles []bundle, n int, do func(*core, []examinedEvent)) {
	for i := range bundles {
		for events := range slices.Chunk(bundles[i].events, n) {
			x.tasks = append(x.tasks, func(c *core) { do(c, events) })
		}
	}
}

// found takes note of what is wrong with the event. What is before it is still looked
// at to its end, so that at last the first one is known.
func (x *examination) found(seq uint64, wrong error) {
	x.over.Store(true)
	x.mu.Lock()
	defer x.mu.Unlock()
	if seq < x.firstWrong {
		x.firstWrong, x.wrong = seq, wrong
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

// A bundle is the events of one, as far as they can be read. Another one is read
// into the same memory.
type bundle struct {
	n      uint64
	room   []byte
	events []examinedEvent
	err    error // why there are none
}

type examinedEvent struct {
	seq     uint64
	message []byte
	doc     cloudevent.Document
	data    domain.Data
	err     error // what is wrong with the message alone
	// What was found ahead, on what is in seen; valid where ahead is.
	ahead bool
	seen  seen
	why   string           // how it differs
	proof domain.PublicKey // whose signature is to be looked at; empty: nobody's
	key   nkeys.KeyPair    // that of proof
}

// load has the next bundles read.
func (x *examination) load(into *[]bundle) {
	bundles := (*into)[:min(uint64(cap(*into)), x.source.Bundles()-x.next)]
	for i := range bundles {
		r := &bundles[i]
		r.n = x.next
		x.tasks = append(x.tasks, func(*core) { r.load(x.source) })
		x.next++
	}
	*into = bundles
}

func (r *bundle) load(source Bundled) {
	first, messages, err := source.BundleIn(&r.room, r.n)
	r.err = err
	r.events = slices.Grow(r.events[:0], len(messages))[:len(messages)]
	for i, m := range messages {
		e := &r.events[i]
		e.seq, e.message = first+uint64(i), m
	}
}

// parse has the messages of the bundles parsed.
func (x *examination) parse(bundles []bundle) {
	x.each(bundles, eventsOfTask, func(_ *core, events []examinedEvent) {
		for i := range events {
			events[i].err = events[i].parse()
		}
	})
}

func (e *examinedEvent) parse() error {
	err := e.doc.Parse(e.message)
	if err == nil && e.doc.Seq != e.seq {
		err = fmt.Errorf("it says that it is event %d", e.doc.Seq)
	}
	if err == nil {
		e.data, err = e.doc.ParseData()
	}
	if err != nil {
		return &Wrong{e.seq, err.Error()}
	}
	return nil
}

// ahead has each access of the bundles decided on what is known before them all.
func (x *examination) ahead(bundles []bundle) {
	x.now.round++
	x.each(bundles, eventsOfTask, func(c *core, events []examinedEvent) {
		c.fetch(events)
		for i := range events {
			e := &events[i]
			if e.ahead = e.err == nil && e.doc.Decision != nil; e.ahead {
				c.watch(&e.seen)
				e.derive(&c.sight, false)
			}
		}
	})
}

// fetch looks once at where the facts about each of the clients begin. One look doesn't
// wait for the other, so memory answers them together, where the decisions would wait
// for each.
func (c *core) fetch(events []examinedEvent) {
	var near [eventsOfTask]*holder
	for i := range events {
		near[i] = c.holders[string(events[i].doc.Subject.Client)]
	}
	for _, h := range near[:len(events)] {
		if h != nil {
			c.fetched += uint64(h.tags[0])
		}
	}
	for _, h := range near[:len(events)] {
		if h != nil {
			c.fetched += uint64(h.facts[0].First)
		}
	}
}

// derive derives the event on the view of what is before it, but for its signature:
// here it is only said whose that must be.
func (e *examinedEvent) derive(v domain.View, noAttempt bool) {
	e.proof, e.key = "", nil
	r := derivation{view: v, doc: &e.doc, data: e.data, noAttempt: noAttempt}
	e.why = r.differs(func(key domain.PublicKey) bool {
		e.proof = key
		return true
	})
}

// takeIn takes the bundles' events in, up to the first that is wrong.
func (x *examination) takeIn(bundles []bundle) {
	for i := range bundles {
		r := &bundles[i]
		for i := range r.events {
			if x.over.Load() {
				r.events = r.events[:i]
				break
			}
			if err := x.fold(&r.events[i]); err != nil {
				x.found(r.events[i].seq, err)
				r.events = r.events[:i]
				break
			}
		}
		if r.err != nil && !x.over.Load() {
			x.found(x.Events+1, r.err)
		}
	}
}

// fold looks at one event after those before it, and takes it in.
func (x *examination) fold(e *examinedEvent) error {
	if e.err != nil {
		return e.err
	}
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
		id := attemptIn(e.data, d.Refusal)
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
	x.take(d, e.data)
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
func (x *examination) take(d *cloudevent.Document, data domain.Data) {
	e := &x.event
	d.EventWith(e, data)
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
func (x *examination) sign(bundles []bundle) {
	x.each(bundles, signedOfTask, func(c *core, events []examinedEvent) {
		for i := range events {
			e := &events[i]
			if e.key == nil {
				continue
			}
			c.signed = e.doc.SignedBytes(c.signed[:0])
			if e.key.Verify(c.signed, e.doc.Signature) != nil {
				x.found(e.seq, &Wrong{e.seq, notItsKey(e.doc.Actor)})
			}
		}
	})
}
