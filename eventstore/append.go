package eventstore

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// Headers by which a publish is conditional, and part of a batch.
const (
	expectedLastSeq = "Nats-Expected-Last-Sequence"
	expectedLastID  = "Nats-Expected-Last-Msg-Id"
	messageID       = "Nats-Msg-Id"
	batchID         = "Nats-Batch-Id"
	batchSeq        = "Nats-Batch-Sequence"
	batchCommit     = "Nats-Batch-Commit"
)

// An attempt is an append in flight.
type attempt struct {
	ack     *Ack
	token   uint64
	after   Seq
	count   int
	subject string    // of its last entry
	id      string    // message id of its last entry
	batch   string    // the batch's id; empty for a single entry
	last    *nats.Msg // what records it, until that is sent
	sent    time.Time // when it was
	done    bool
}

func (a *attempt) end() Seq { return a.after + uint64(a.count) }

// Append publishes the entries, 1 to MaxBatch of them, to stand at after+1 and on:
// all, in this order, or none. It doesn't wait; the Ack tells, after the time of
// AckWithin at the latest. Appends may be in flight one behind the other, each
// naming as after where the one before it ends. When one fails, so do those behind
// it, though it was recorded perhaps (ErrUnknown): doc.go has what the caller does
// then. One entry is a plain publish and costs the server one sync; more are a
// batch, which costs as much as several of them, however many it has.
//
// Data is the server's until the Ack is done.
func (l *Log) Append(after Seq, entries []Entry) *Ack {
	if err := fit(entries); err != nil {
		return ended(fmt.Errorf("eventstore: append after %d: %w", after, err))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.follows(after); err != nil {
		return ended(fmt.Errorf("eventstore: append after %d: %w", after, err))
	}
	l.lost = 0
	return l.launch(after, entries).ack
}

// ended is an Ack that says err at once.
func ended(err error) *Ack {
	a, end := NewAck()
	end(err)
	return a
}

// fit says whether the log takes these entries at all.
func fit(entries []Entry) error {
	if len(entries) == 0 || len(entries) > MaxBatch {
		return fmt.Errorf("%d entries, not 1 to %d", len(entries), MaxBatch)
	}
	for i := range entries {
		if n := len(entries[i].Data); n > MaxData {
			return fmt.Errorf("entry %d has %d bytes, more than %d", i, n, MaxData)
		}
		if s := entries[i].Subject; len(s) <= len(Root) || !strings.HasPrefix(s, Root) || strings.ContainsAny(s, "*> \t\r\n") {
			return fmt.Errorf("entry %d: %q is no subject below %s", i, s, Root)
		}
	}
	return nil
}

// follows says whether an append may begin there now. Called with mu held.
func (l *Log) follows(after Seq) error {
	if l.broken != nil {
		return fmt.Errorf("one before it failed: %w", l.broken)
	}
	end, known := l.tip, l.known
	if n := len(l.flight); n > 0 {
		end, known = l.flight[n-1].end(), true
	}
	if known && after != end {
		return fmt.Errorf("%w: this writer's end is %d", ErrFenced, end)
	}
	return nil
}

// launch sends what may be sent. Called with mu held.
func (l *Log) launch(after Seq, entries []Entry) *attempt {
	l.token++
	token := strconv.FormatUint(l.token, 36)
	last := &entries[len(entries)-1]
	a := &attempt{token: l.token, after: after, count: len(entries), subject: last.Subject, id: l.ids + token}
	a.ack, _ = NewAck()
	a.last = &nats.Msg{
		Subject: last.Subject,
		Data:    last.Data,
		Reply:   l.inbox + token,
		Header:  nats.Header{messageID: {a.id}},
	}
	expected := strconv.FormatUint(after, 10)
	l.flight = append(l.flight, a)
	if len(entries) == 1 {
		a.last.Header[expectedLastSeq] = []string{expected}
		if n := len(l.flight); n > 1 {
			a.last.Header[expectedLastID] = []string{l.flight[n-2].id}
		}
	} else {
		a.batch = a.id
		a.last.Header[batchID] = []string{a.batch}
		a.last.Header[batchSeq] = []string{strconv.Itoa(len(entries))}
		a.last.Header[batchCommit] = []string{"1"}
		if err := l.stage(a.batch, expected, entries[:len(entries)-1]); err != nil {
			l.fail(len(l.flight)-1, err)
			return a
		}
	}
	l.advance()
	return a
}

// stage sends the messages of a batch that don't commit it. Called with mu held.
func (l *Log) stage(batch, expected string, entries []Entry) error {
	seq := []string{""}
	m := nats.Msg{Header: nats.Header{batchID: {batch}, batchSeq: seq, expectedLastSeq: {expected}}}
	for i := range entries {
		m.Subject, m.Data, seq[0] = entries[i].Subject, entries[i].Data, strconv.Itoa(i+1)
		if err := l.publish(&m); err != nil {
			return unknown("publish: %v", err)
		}
		if i == 0 {
			delete(m.Header, expectedLastSeq)
		}
	}
	return nil
}

// advance sends the last message of each attempt whose turn it is: a single entry
// when the one before it is sent, a batch when all before it are acknowledged.
// Called with mu held.
func (l *Log) advance() {
	for l.out < len(l.flight) {
		a := l.flight[l.out]
		if a.batch != "" && l.out > 0 {
			return
		}
		if err := l.publish(a.last); err != nil {
			l.fail(l.out, unknown("publish: %v", err))
			return
		}
		a.last, a.sent = nil, time.Now()
		l.out++
		if l.expiry == nil {
			l.expiry = time.AfterFunc(l.within, l.expire)
		} else if l.out == 1 {
			l.expiry.Reset(l.within)
		}
	}
}

// acknowledged takes in an answer of the server.
func (l *Log) acknowledged(m *nats.Msg) {
	token, err := strconv.ParseUint(strings.TrimPrefix(m.Subject, l.inbox), 36, 64)
	if err != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, a := range l.flight[:l.out] { // the first one, all but always
		if a.token == token && !a.done {
			l.land(i, verdict(m, a.end(), a.batch, a.count))
			return
		}
	}
}

// land ends the attempt at i, which was sent. Called with mu held.
func (l *Log) land(i int, err error) {
	if err != nil {
		l.fail(i, err)
		return
	}
	a := l.flight[i]
	a.finish(nil)
	l.tip, l.known = max(l.tip, a.end()), true
	l.clear()
	l.advance()
}

// fail ends the attempt at i, and those that aren't sent: they never will be. The
// others have answers of their own to come. Nothing is appended until Settle.
// Called with mu held.
func (l *Log) fail(i int, err error) {
	if l.broken == nil {
		l.broken = err
	}
	l.flight[i].finish(err)
	if i < l.out && errors.Is(err, ErrUnknown) {
		l.abandon(l.flight[i])
	}
	for _, a := range l.flight[l.out:] {
		if !a.done {
			a.finish(fmt.Errorf("eventstore: append after %d: not sent, one before it failed: %w", a.after, err))
		}
		l.abandon(a)
	}
	l.flight = l.flight[:l.out]
	l.clear()
}

func (a *attempt) finish(err error) {
	a.done = true
	a.ack.end(err)
}

// abandon lets the server forget a batch whose commit didn't get there. By itself
// it does after 10 s, and takes no more than 50 at a time. A sequence out of turn
// ends one that is open, and nothing else. Called with mu held.
func (l *Log) abandon(a *attempt) {
	if a.batch != "" {
		_ = l.publish(&nats.Msg{Subject: a.subject, Header: nats.Header{batchID: {a.batch}, batchSeq: {"0"}}})
	}
}

// clear takes what is done off the front of flight. Called with mu held.
func (l *Log) clear() {
	for len(l.flight) > 0 && l.flight[0].done {
		l.flight[0] = nil
		l.flight = l.flight[1:]
		l.out--
	}
}

// expire ends what has waited too long for its answer.
func (l *Log) expire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.out > 0 {
		// The first one is never done, and was sent before all others.
		if left := l.within - time.Since(l.flight[0].sent); left > 0 {
			l.expiry.Reset(left)
			return
		}
		l.fail(0, unknown("no acknowledgement within %v", l.within))
	}
}
