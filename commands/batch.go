package commands

import (
	"time"

	"github.com/qtccc/assent/eventstore"
)

// How events are sent to be recorded. A single append is one sync of the disk; a
// batch costs as much as four of them where it is staged in memory, and else as
// fourteen, however large it is (docs/performance.md). So few events
// go one by one as they come, each without waiting for the one before. Where more
// wait, a batch pays: a handful of callers are waited for until all have come again,
// so that one batch has them all; many make two batches, of which one is filled while
// the other is being synced.
const (
	// quiet is after how many rounds of so few the batches end.
	quiet = 3
	// handful is up to how many callers are waited for.
	handful = 64
	// linger is how long they are waited for once nothing is on its way: about as
	// long as an answer and the next command take.
	linger = time.Millisecond
	// mostBatches are on their way at a time.
	mostBatches = 2
	// mostEvents and mostBytes bound what is decided and not on its way yet, and
	// with it a batch.
	mostEvents = 1000
	mostBytes  = 4 << 20
)

// A price is what a batch costs, told by when it pays.
type price struct {
	few  int // up to how many single appends are on their way at a time
	calm int // from how few events on a batch is more than they are worth
	// again is how many of as many as a batch before had are waited for where there are
	// many callers, in percent.
	again int
}

var (
	stagedOnDisk   = price{few: 18, calm: 6, again: 100}
	stagedInMemory = price{few: 4, calm: 3, again: 50}
)

// A group is what is appended together, and the commands that are answered when it
// is durable: those that it records, and those that were decided on it and record
// nothing.
type group struct {
	after   uint64
	entries []eventstore.Entry
	decided []decided
	notices bool            // some event of it concerns a key
	ack     *eventstore.Ack // nil where there are no entries
	halt    bool            // no group: the writer sends no more until it has recovered
}

// wait returns when it is known what became of the append, or that this is unknown.
func (g *group) wait() error {
	if g.ack == nil {
		return nil
	}
	<-g.ack.Done()
	return g.ack.Err()
}

// last is the sequence of the last event that the group is decided on.
func (g *group) last() uint64 { return g.after + uint64(len(g.entries)) }

// send puts on their way what is decided, as far as that is to be sent now.
func (w *writer) send() {
	if len(w.staged) == 0 {
		return
	}
	singles, batches := int(w.singles.Load()), int(w.batches.Load())
	if !w.bulk && singles+w.events > w.price.few {
		w.bulk, w.quiet, w.crowd, w.sent = true, 0, singles+w.events, [2]int{singles, 0}
	}
	idle := singles+batches == 0
	switch {
	case w.events == 0:
		w.launch(len(w.staged))
	case !w.bulk:
		w.pipeline(share(w.events, singles))
	case w.crowd <= handful && !idle:
		// All that is on its way comes again, and with these it is the next batch.
		w.crowd = w.sent[0] + w.events
	case w.crowd <= handful && w.events < w.crowd && w.linger():
	case w.crowd > handful && (batches >= mostBatches || !idle && w.events < min(max(w.sent[0], w.sent[1])*w.price.again/100, mostEvents)):
		// A batch costs much the same however small, so it waits for those to come again
		// whom the one before the last answered, or half of them, or for all to be done.
	case w.events > w.price.calm:
		w.sent, w.quiet = [2]int{w.events, w.sent[0]}, 0
		if w.crowd = w.events; !idle {
			w.crowd += w.sent[1]
		}
		w.launch(len(w.staged))
	default:
		w.sent, w.crowd = [2]int{w.events, 0}, w.events
		w.quiet++
		w.bulk = w.quiet < quiet
		w.pipeline(w.events)
	}
}

// linger says whether those who were answered last may still be on their way back,
// and has the writer woken when they no longer are.
func (w *writer) linger() bool {
	left := linger - (time.Since(w.began) - time.Duration(w.answered.Load()))
	if left <= 0 {
		return false
	}
	w.lingering.Reset(left)
	return true
}

// share is how many of the events that wait go now, one by one, where some are on
// their way. The server acknowledges together what it found waiting at a time, so
// callers that were answered together come again together, and the disk rests until
// they do. In two halves, one is always being written while the other is answered.
func share(wait, onTheirWay int) int {
	if wait <= onTheirWay+2 {
		return wait
	}
	return (wait + onTheirWay + 1) / 2
}

// pipeline appends events, so many of them, each by itself. A command that records
// nothing is answered with the event before it.
func (w *writer) pipeline(events int) {
	for rest := w.events - events; w.events > rest || rest == 0 && len(w.staged) > 0; {
		n := 1
		for n < len(w.staged) && !w.staged[n].recorded() {
			n++
		}
		w.launch(n)
	}
}

// launch appends the events of the first n that are decided.
func (w *writer) launch(n int) {
	g := &group{after: w.seq - uint64(w.events), decided: w.staged[:n:n], entries: make([]eventstore.Entry, 0, min(n, w.events))}
	for i := range g.decided {
		d := &g.decided[i]
		if !d.recorded() {
			continue
		}
		g.entries = append(g.entries, d.entry)
		g.notices = g.notices || d.notice != nil
		w.events--
		w.bytes -= len(d.entry.Data)
	}
	if w.staged = w.staged[n:]; len(w.staged) == 0 {
		w.staged = make([]decided, 0, n) // the group has the array
	}
	switch len(g.entries) {
	case 0:
	case 1:
		w.singles.Add(1)
		g.ack = w.log.Append(g.after, g.entries)
	default:
		w.batches.Add(1)
		g.ack = w.log.Append(g.after, g.entries)
	}
	w.inflight <- g
}

// acknowledge waits for acks in the order of the appends and answers what they
// cover. It is a goroutine of its own, until the writer's ends.
func (w *writer) acknowledge() {
	for g := range w.inflight {
		switch err := g.wait(); {
		case g.halt:
			w.returned <- nil
		case err != nil:
			w.fail(g, err)
		default:
			w.recorded(g)
		}
	}
}

// fail stops the writer, since what became of an append isn't known (design,
// decision 2). It collects that group and all after it until the writer has heard,
// and gives them back when all their acks have come, or have failed to.
func (w *writer) fail(first *group, err error) {
	w.say.Warn("what became of an append isn't known: nothing is taken until it is", "after", first.after, "events", len(first.entries), "err", err)
	trouble := "it isn't known whether the last events were recorded, so nothing is taken until it is: " +
		"send it again, with the same id, in a moment"
	w.trouble.Store(&trouble)
	w.queue.close(trouble)
	w.queue.kick()
	lost := []*group{first}
	for g := range w.inflight {
		if g.halt {
			w.returned <- lost
			return
		}
		_ = g.wait() // looked at again when it is settled
		lost = append(lost, g)
	}
	for _, g := range lost { // the writer has stopped instead
		w.giveUp(g.decided, stopping)
	}
}

// recorded answers a group that is durable, and hands it to the read models.
func (w *writer) recorded(g *group) {
	if len(g.entries) > 0 {
		w.latest.Store(g.last())
	}
	w.pass(g)
	if g.notices {
		// Whoever looks a key up must find it as it is now before it is acted on.
		w.applier.put(g.decided)
		if err := w.applier.wait(g.last()); err != nil {
			w.say.Error("a key's change is not applied", "seq", g.last(), "err", err)
		}
		for i := range g.decided {
			w.tell(&g.decided[i])
		}
	}
	for i := range g.decided {
		if j := g.decided[i].job; j.again == 0 {
			j.respond(w.say)
		} else {
			w.retries.put(j)
		}
	}
	if !g.notices {
		w.applier.put(g.decided)
	}
	w.answered.Store(int64(time.Since(w.began)))
	switch len(g.entries) {
	case 0:
		return
	case 1:
		w.singles.Add(-1)
	default:
		w.batches.Add(-1)
	}
	w.queue.kick()
}

// pass hands the messages of a group on to whoever keeps a second copy. Where its
// answers wait for that copy and it can't be made, they say that the outcome isn't
// known: it is recorded once, and not twice.
func (w *writer) pass(g *group) {
	if w.told != nil {
		for i := range g.entries {
			w.told(g.after+uint64(i)+1, g.entries[i].Data)
		}
	}
	if w.copied == nil {
		return
	}
	err := w.copied(g.last())
	if err == nil {
		return
	}
	w.say.Error("the second copy can't be written", "seq", g.last(), "err", err)
	for i := range g.decided {
		j := g.decided[i].job
		j.answer = Answer{ID: j.req.ID, Error: unavailable("the ledger can't write its second copy, so it isn't known whether this is safe: " +
			"send it again, with the same id, when the archive can be written")}
		j.again = 0
	}
}

// tell tells whom it concerns that the event changed a key. Who replaced its own is
// answered first, since its connection is about to be closed.
func (w *writer) tell(d *decided) {
	n, j := d.notice, d.job
	if n == nil {
		return
	}
	if n.revoked != "" && n.revoked == j.key {
		j.respond(w.say)
		if j.conn != nil {
			_ = j.conn.FlushTimeout(time.Second) // best effort: the id tells all the same
		}
	}
	w.identity(n)
}

// giveUp answers that it can't be said whether these were recorded, or that they
// weren't.
func (w *writer) giveUp(ds []decided, why string) {
	for i := range ds {
		ds[i].job.refuse(w.say, why)
	}
}
