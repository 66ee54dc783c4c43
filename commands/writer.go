package commands

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore"
	"github.com/qtccc/assent/eventstore/cloudevent"
	"github.com/qtccc/assent/eventstore/vault"
	"github.com/qtccc/assent/projections"
)

// A writer decides commands one by one, on a view that knows every event it decided
// before, recorded or still on its way, and has them recorded in that order. What
// it needs of the past, the store knows; what the store doesn't know yet, the
// overlay does.
type writer struct {
	ledger domain.UUID
	log    Log
	store  *projections.Store
	ring   *vault.Ring
	say    *slog.Logger

	queue    *queue
	watch    *watch
	applier  *applier
	retries  *retries
	identity func(*notice) // tells whom it concerns
	told     func(seq uint64, message []byte)
	copied   func(seq uint64) error
	price    price // of a batch

	// The writer's goroutine owns these.
	known   *projections.Lookups // what overlay lies over
	overlay *projections.Overlay
	clock   reading // at the beginning of this step
	ids     idMaker
	seq     uint64 // of the last event that was decided on
	taken   []*job
	clients []string  // room for near
	staged  []decided // decided, not yet on their way
	events  int       // in staged
	bytes   int       // in staged
	bulk    bool      // batches, not single appends
	quiet   int       // rounds without a batch, while bulk
	sent    [2]int    // events sent last, and before
	crowd   int       // about how many callers there are, while bulk
	// lingering wakes the writer when it has waited long enough for more.
	lingering *time.Timer

	inflight chan *group   // to the goroutine that waits for acks, in order
	returned chan []*group // from it, after a halt: what has no good ack, and all after it
	singles  atomic.Int32  // on their way
	batches  atomic.Int32  // on their way
	latest   atomic.Uint64 // the last event that is durable
	began    time.Time     // never changes
	answered atomic.Int64  // when the last group was, in ns since began
	trouble  atomic.Pointer[string]
}

// A decided is a command with its outcome: an answer, and an event unless nothing
// is to be recorded.
type decided struct {
	job     *job
	entry   eventstore.Entry
	applied projections.Applied // Doc is nil: nothing is recorded
	notice  *notice
	before  *watchState // of a clock.affirm: what it put an end to
}

func (d *decided) recorded() bool { return d.applied.Doc != nil }

// A notice says what an event did to an actor's key.
type notice struct {
	added   bool // of actor, in its role
	actor   domain.ID
	role    domain.Role
	revoked domain.PublicKey // no key in force any more; empty: none
}

// run decides until the context ends. It is the writer's goroutine.
func (w *writer) run(ctx context.Context) {
	defer close(w.inflight)
	defer w.lingering.Stop()
	defer w.known.Rest()
	for {
		select {
		case <-w.queue.wake:
		case <-w.lingering.C:
		case <-ctx.Done():
			w.giveUp(w.staged, stopping)
			return
		}
		w.overlay.Clean(domain.Seq(w.applier.applied.Load()))
		if w.trouble.Load() != nil {
			w.recover(ctx)
			continue
		}
		for w.step() {
		}
		w.known.Rest()
	}
}

const stopping = "the ledger is stopping: send it again, with the same id, when it is back"

// step decides what waits, as far as there is room, and sends what may be sent. It
// says whether more may wait.
func (w *writer) step() bool {
	room := mostEvents - w.events
	if w.bytes >= mostBytes {
		room = 0
	}
	if w.taken = w.queue.take(w.taken[:0], room); len(w.taken) == 0 {
		w.send()
		return false
	}
	w.clock = w.watch.look()
	for i, j := range w.taken {
		if i%projections.Together == 0 {
			w.near(w.taken[i:])
		}
		w.decide(j)
		w.taken[i] = nil
	}
	w.send()
	return w.trouble.Load() == nil
}

// near brings the clients of the next accesses near.
func (w *writer) near(jobs []*job) {
	w.clients = w.clients[:0]
	for _, j := range jobs[:min(len(jobs), projections.Together)] {
		if r, ok := j.req.data.(*domain.AccessRequest); ok {
			w.clients = append(w.clients, string(r.Client))
		}
	}
	w.overlay.Near(w.clients)
}

// decide makes one job a decided one.
func (w *writer) decide(j *job) {
	d := decided{job: j}
	j.answer.ID = j.req.ID
	if j.fault != nil {
		j.answer.Error = j.fault
	} else if err := projections.Guard(func() { w.rule(&d) }); err != nil {
		w.say.Error("the read models can't be read", "actor", j.door, "command", j.req.ID, "err", err)
		d = decided{job: j}
		j.answer = Answer{ID: j.req.ID, Error: unavailable("the ledger can't read what it knows: its operator is told why")}
	}
	w.staged = append(w.staged, d)
	if d.recorded() {
		w.seq++
		w.events++
		w.bytes += len(d.entry.Data)
	}
}

// rule finds the outcome of a command whose form is right. The overlay changes last,
// and only if there is an event.
func (w *writer) rule(d *decided) {
	j, r := d.job, d.job.req
	clock := w.clock
	_, affirms := r.data.(*domain.ClockAffirm)
	if clock.doubt != "" && !affirms {
		j.answer.Error = unavailable(clock.doubt)
		return
	}
	at := clock.at
	if affirms {
		at = clock.now // even before the last event's: that is what it is for
	}
	c := &domain.Command{ID: r.ID, Actor: r.Actor, Name: r.Name, Key: j.proof, Issued: r.issued, Data: r.data,
		NoAttempt: j.noAttempt, Observed: observe(r, at, clock.now)}
	if r.Signature == nil && j.proof != "" && !isGateway(w.overlay, r.Actor) {
		c.Key, j.unproven = "", "it has no signature, and its actor is no gateway"
	}
	id := w.ids.next(at)
	out := domain.Decide(w.overlay, c, at, id)
	if affirms && out.Refusal != nil {
		if clock.doubt != "" {
			j.answer.Error = unavailable(clock.doubt) // a refusal has its time like any other event
			return
		}
		c.Observed = observe(r, clock.at, clock.now)
		at = clock.at
	}
	switch {
	case out.Again != 0:
		j.again = out.Again
	case out.Type == "":
		j.answer.Error = out.Fault
	default:
		w.record(d, c, &out, at, id)
	}
}

// observe is what deciding takes from outside history.
func observe(r *Request, at, now time.Time) (o domain.Observed) {
	for i := range r.Openings {
		if strings.TrimSpace(r.Openings[i].Value) == "" {
			o.Blank = append(o.Blank, r.Openings[i].Field)
		}
	}
	if e, ok := r.data.(*domain.EvidenceFile); ok && e.Custody == domain.InLedger {
		there := false // no content is kept yet
		o.Content = &there
	}
	if !at.Equal(now) {
		o.Clock = now
	}
	return o
}

// usual is how many bytes a document seldom exceeds.
const usual = 1024

// record makes the event and its document. Where it can't be made the command is
// answered so, and nothing has changed.
func (w *writer) record(d *decided, c *domain.Command, out *domain.Outcome, at time.Time, id domain.UUID) {
	j, r, seq := d.job, d.job.req, w.seq+1
	doc := &cloudevent.Document{
		Ledger: w.ledger, ID: id, Type: out.Type, Subject: out.Subject, Time: at, Seq: seq,
		Actor: r.Actor, Command: r.ID, Rules: domain.Rules, Data: r.Data,
		Decision: out.Decision, Refusal: out.Refusal,
		Name: r.Name, Issued: r.Issued, Signature: r.Signature, Observed: c.Observed,
	}
	if r.Signature == nil {
		doc.Connection = j.proof
	}
	if out.Refusal == nil && len(r.Openings) > 0 {
		var err error
		if doc.Sealed, err = w.seal(doc, domain.Seals(w.overlay, c.Data, out.Subject), r.Openings); err != nil {
			w.say.Warn("nothing personal can be sealed", "actor", r.Actor, "command", r.ID, "err", err)
			j.answer.Error = unavailable("the ledger's key ring is missing or damaged, so it takes no personal text: " +
				"its operator must put the ring back and start it again")
			return
		}
	}
	data, err := doc.Append(make([]byte, 0, usual))
	if err != nil {
		w.say.Error("an event can't be written", "actor", r.Actor, "command", r.ID, "name", r.Name, "err", err)
		j.answer.Error = unavailable("the ledger can't write this event: its operator is told why")
		return
	}
	e := &domain.Event{
		Seq: domain.Seq(seq), ID: id, Type: out.Type, Subject: out.Subject, Time: at, Actor: r.Actor, Command: r.ID,
		Name: r.Name, Rules: domain.Rules, Data: r.data, Decision: out.Decision, Refusal: out.Refusal, Observed: c.Observed,
	}
	d.notice = w.notice(e)
	changes := domain.Apply(w.overlay, e)
	w.overlay.Set(e.Seq, changes)
	if out.Type == "clock.affirmed" {
		before := w.watch.affirmed(at)
		d.before = &before
		w.clock = w.watch.look()
	} else {
		w.watch.passed(at)
	}
	d.entry = eventstore.Entry{Subject: doc.NATSSubject(), Data: data}
	d.applied = projections.Applied{Doc: doc, Event: e, Changes: changes}
	j.answer.Seq = e.Seq
	if out.Fault != nil {
		j.answer.Error = out.Fault
		return
	}
	j.answer.OK, j.answer.Event, j.answer.Type, j.answer.Decision = true, id, out.Type, out.Decision
}

// seal puts the openings into boxes under the key of a subject.
func (w *writer) seal(doc *cloudevent.Document, subject string, openings []FieldOpening) (*cloudevent.Sealed, error) {
	s := &cloudevent.Sealed{Of: subject}
	for i := range openings {
		o := &openings[i]
		box, gen, err := w.ring.Seal(vault.Place{Subject: s.Of, Event: string(doc.ID), Field: o.Field}, o.Encode())
		if err != nil {
			return nil, err
		}
		s.Gen = gen
		s.Boxes = append(s.Boxes, cloudevent.Box{Field: o.Field, Box: box})
	}
	return s, nil
}

// notice is what an accepted event will have done to a key, nil for most. It looks
// before the event is applied, since a key that is replaced is the old one.
func (w *writer) notice(e *domain.Event) *notice {
	if e.Refusal != nil {
		return nil
	}
	switch c := e.Data.(type) {
	case *domain.LedgerOpen:
		return &notice{added: true, actor: c.Admin.Actor, role: domain.Admin}
	case *domain.IdentityAdd:
		return &notice{added: true, actor: c.Actor, role: c.Role}
	case *domain.IdentityRotate:
		return w.old(c.Actor)
	case *domain.IdentityRevoke:
		return w.old(c.Actor)
	}
	return nil
}

func (w *writer) old(actor domain.ID) *notice {
	known, _ := w.overlay.Get(domain.Key{Kind: domain.KindActor, C: string(actor)})
	a, ok := known.Fact.(*domain.Actor)
	if !ok {
		return nil
	}
	return &notice{actor: actor, role: a.Role, revoked: a.PublicKey}
}
