package eventstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// few is how many messages are read one by one, without a consumer.
	few = 16
	// pull is how many messages are asked for at a time; two pulls are open. More lie
	// further away when they are looked at.
	pull = 200
	// pullBytes is how much they are together: what is read ahead is bounded by
	// twice that.
	pullBytes = 8 << 20
	// patience is how long the server holds a pull open. Nothing comes for twice as
	// long: the reader looks why.
	patience = 5 * time.Second
	// tick is how often it looks whether the connection is there at all.
	tick = time.Second
	// idle is how long the server keeps a consumer whose reader has gone.
	idle = time.Minute
)

// Get reads the message at seq. ErrNoMessage: there is none that can be read.
func (l *Log) Get(ctx context.Context, seq Seq) (Message, error) {
	if seq == 0 {
		return Message{}, fmt.Errorf("eventstore: get 0: %w", ErrNoMessage)
	}
	m, err := l.stream.GetMsg(ctx, seq)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound), err == nil && m.Sequence != seq:
		return Message{}, fmt.Errorf("eventstore: get %d: %w", seq, ErrNoMessage)
	case err != nil:
		return Message{}, fmt.Errorf("eventstore: get %d: %w", seq, err)
	}
	got := Message{Seq: seq, Subject: m.Subject, Data: m.Data}
	if l.check != nil {
		if err := l.check(got); err != nil {
			return Message{}, fmt.Errorf("eventstore: get %d: %w", seq, err)
		}
	}
	return got, nil
}

// Read gives each of the messages from..to, in order and none left out; to 0 is the
// last one as of the call. It stops at the first error of each and returns it.
// ErrGap: a message isn't there or can't be read, and none from it on was given
// (TestReadMissesNothing). Each is called by the caller's goroutine.
func (l *Log) Read(ctx context.Context, from, to Seq, each func(Message) error) error {
	from = max(from, 1)
	if to == 0 {
		last, err := l.Last(ctx)
		if err != nil {
			return err
		}
		to = last
	}
	if to < from {
		return nil
	}
	if to-from < few {
		return l.readFew(ctx, from, to, each)
	}
	if l.check != nil {
		next := each
		each = func(m Message) error {
			if err := l.check(m); err != nil {
				return fmt.Errorf("eventstore: read %d: %w", m.Seq, err)
			}
			return next(m)
		}
	}
	r := reader{log: l, next: from, to: to, each: each}
	return r.run(ctx)
}

func (l *Log) readFew(ctx context.Context, from, to Seq, each func(Message) error) error {
	for seq := from; seq <= to; seq++ {
		m, err := l.Get(ctx, seq)
		if errors.Is(err, ErrNoMessage) {
			return fmt.Errorf("eventstore: read: %w at %d", ErrGap, seq)
		}
		if err != nil {
			return err
		}
		if err := each(m); err != nil {
			return err
		}
	}
	return nil
}

// A reader is one Read: a consumer in the server's memory, pulled twice ahead.
type reader struct {
	log  *Log
	next Seq
	to   Seq
	each func(Message) error

	// Of one consumer.
	name  string
	inbox string
	come  chan *nats.Msg
	asked int // how many messages are asked for and haven't come
	tick  *time.Ticker
}

// errAgain says that the consumer gives no more though there is more.
var errAgain = errors.New("the consumer ended")

func (r *reader) run(ctx context.Context) error {
	for tries := 0; ; tries++ {
		from := r.next
		err := r.consume(ctx)
		if !errors.Is(err, errAgain) {
			return err
		}
		if r.next > from {
			tries = 0
		}
		switch _, err := r.log.Get(ctx, r.next); {
		case errors.Is(err, ErrNoMessage), err == nil && tries == 3:
			return fmt.Errorf("eventstore: read: %w at %d", ErrGap, r.next)
		case err != nil:
			return err
		}
	}
}

// consume reads with one consumer. ErrAgain: it came to an end before to.
func (r *reader) consume(ctx context.Context) error {
	r.name, r.inbox, r.asked = rand.Text(), nats.NewInbox(), 0
	// All that is asked for fits, so the connection drops nothing.
	r.come = make(chan *nats.Msg, 2*pull+few)
	sub, err := r.log.nc.ChanSubscribe(r.inbox, r.come)
	if err != nil {
		return fmt.Errorf("eventstore: read: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }() // the one error: the connection is closed
	_, err = r.log.stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		Name:              r.name,
		AckPolicy:         jetstream.AckNonePolicy,
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       r.next,
		MemoryStorage:     true,
		Replicas:          1,
		InactiveThreshold: idle,
	})
	if err != nil {
		return fmt.Errorf("eventstore: read from %d: %w", r.next, err)
	}
	defer r.drop(ctx)
	r.tick = time.NewTicker(tick)
	defer r.tick.Stop()
	for r.next <= r.to {
		if err := r.ask(); err != nil {
			return err
		}
		m, err := r.receive(ctx)
		if err != nil {
			return err
		}
		if err := r.take(m); err != nil {
			return err
		}
	}
	return nil
}

// drop deletes the consumer; where that fails the server does, when it is idle.
func (r *reader) drop(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	_ = r.log.stream.DeleteConsumer(ctx, r.name)
}

// ask keeps between one and two pulls open, and asks for nothing beyond to.
func (r *reader) ask() error {
	for r.asked <= pull {
		n := min(pull, int(min(r.to-r.next+1, 1<<30))-r.asked)
		if n <= 0 {
			return nil
		}
		body := `{"batch":` + strconv.Itoa(n) + `,"max_bytes":` + strconv.Itoa(pullBytes) + `,"no_wait":true,"expires":` + strconv.FormatInt(int64(patience), 10) + `}`
		if err := r.log.nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT."+Stream+"."+r.name, r.inbox, []byte(body)); err != nil {
			return fmt.Errorf("eventstore: read from %d: %w", r.next, err)
		}
		r.asked += n
	}
	return nil
}

// receive waits for the next message of any kind.
func (r *reader) receive(ctx context.Context) (*nats.Msg, error) {
	select {
	case m := <-r.come:
		if r.next%256 == 0 && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return m, nil
	default:
	}
	// The connection delivers one by one, and would wake whoever waits for each: let
	// it go on first.
	runtime.Gosched()
	for began := time.Now(); time.Since(began) < 2*patience; {
		select {
		case m := <-r.come:
			return m, nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-r.tick.C:
			if r.log.nc.IsClosed() {
				return nil, fmt.Errorf("eventstore: read from %d: %w", r.next, nats.ErrConnectionClosed)
			}
		}
	}
	return nil, errAgain
}

// take gives a message on, or looks what the server says instead of one.
func (r *reader) take(m *nats.Msg) error {
	seq, ok := sequence(m.Reply)
	if !ok {
		return r.status(m)
	}
	if seq != r.next {
		return fmt.Errorf("eventstore: read: %w at %d: %d came", ErrGap, r.next, seq)
	}
	r.asked--
	r.next++
	return r.each(Message{Seq: seq, Subject: m.Subject, Data: m.Data})
}

// sequence is the message's place in the stream, from the subject that
// acknowledges it:
//
//	$JS.ACK.<stream>.<consumer>.<deliveries>.<sequence>.<consumer's sequence>.<time>.<pending>
func sequence(reply string) (Seq, bool) {
	s, ok := strings.CutPrefix(reply, "$JS.ACK."+Stream+".")
	if !ok {
		return 0, false
	}
	_, s, _ = strings.Cut(s, ".")
	_, s, _ = strings.Cut(s, ".")
	s, _, _ = strings.Cut(s, ".")
	seq, err := strconv.ParseUint(s, 10, 64)
	return seq, err == nil
}

// status takes in that a pull has ended, wholly or before it was served.
func (r *reader) status(m *nats.Msg) error {
	left, err := strconv.Atoi(m.Header.Get("Nats-Pending-Messages"))
	if err != nil || left < 0 {
		return errAgain // refused as a whole, or of a consumer that is gone
	}
	r.asked -= left
	if left > 0 && m.Header.Get("Status") != "409" {
		return errAgain // no more messages
	}
	return nil
}
