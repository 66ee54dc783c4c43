package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/qtccc/assent/eventstore"
	"github.com/qtccc/assent/eventstore/yardstick"
)

// A rawStream is what the ledger is measured by: JetStream by itself, synced always,
// in a process that has nothing else to do, its stream configured as the ledger's
// is. What of it goes on in that process has no socket between.
type rawStream struct {
	server  *yardstick.Server
	log     *eventstore.Log
	own     *nats.Conn
	payload []byte
}

// rawCallers are publishers in the callers' process: they come over the same way as
// access requests do, and over as many connections.
type rawCallers struct {
	conns   []*nats.Conn
	payload []byte
}

func (w *worker) rawTask(ctx context.Context, t task) (r *report, err error) {
	switch t.Do {
	case "raw open":
		w.raw, r, err = openRaw(ctx, t)
	case "raw connect":
		w.callers, err = connectRaw(t)
		r = &report{}
	case "raw publish":
		r, err = w.callers.publish(ctx, t.Callers, t.For)
	case "raw inside":
		r, err = (&rawCallers{[]*nats.Conn{w.raw.own}, w.raw.payload}).publish(ctx, t.Callers, t.For)
	case "raw fill":
		r, err = w.raw.fill(ctx, t.Events)
	case "raw consume":
		r, err = w.raw.consume(ctx)
	}
	return r, err
}

func openRaw(ctx context.Context, t task) (r *rawStream, _ *report, err error) {
	r = &rawStream{payload: payloadOf(t.Size)}
	if r.server, err = yardstick.Start(t.Dir); err != nil {
		return nil, nil, err
	}
	if r.own, err = r.server.Connect(); err == nil {
		r.log, err = eventstore.Create(ctx, r.own, uuid.NewString())
	}
	return r, &report{URL: r.server.URL()}, err
}

func connectRaw(t task) (*rawCallers, error) {
	c := &rawCallers{payload: payloadOf(t.Size)}
	for range gateways {
		nc, err := nats.Connect(t.URL)
		if err != nil {
			c.close()
			return nil, fmt.Errorf("connect to the raw stream: %w", err)
		}
		c.conns = append(c.conns, nc)
	}
	return c, nil
}

func (c *rawCallers) close() {
	for _, nc := range c.conns {
		nc.Close()
	}
}

func payloadOf(size int) []byte {
	b := make([]byte, size)
	_, _ = rand.Read(b) // never fails
	return b
}

// rawSubject spreads the messages as events are.
func rawSubject(i int) string {
	return fmt.Sprintf("assent.evt.client.%02x.access.granted", i%256)
}

// publish has callers publish, each waiting for its acknowledgement.
func (c *rawCallers) publish(ctx context.Context, callers int, span time.Duration) (*report, error) {
	took := make([][]time.Duration, callers)
	errs := make([]error, callers)
	began := time.Now()
	end := began.Add(span)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			nc, subject := c.conns[i%len(c.conns)], rawSubject(i)
			for time.Now().Before(end) && ctx.Err() == nil {
				sent := time.Now()
				ack, err := nc.Request(subject, c.payload, patience)
				if err == nil && bytes.Contains(ack.Data, []byte(`"error"`)) {
					err = errors.New(string(ack.Data))
				}
				if err != nil {
					errs[i] = fmt.Errorf("publish: %w", err)
					return
				}
				took[i] = append(took[i], time.Since(sent))
			}
		})
	}
	wg.Wait()
	return summed(took, time.Since(began)), errors.Join(errors.Join(errs...), ctx.Err())
}

// summed is the report of all that was timed.
func summed(took [][]time.Duration, whole time.Duration) *report {
	all := slices.Concat(took...)
	slices.Sort(all)
	r := &report{Count: len(all), Took: whole}
	if n := len(all); n > 0 {
		r.P50, r.P99 = all[n/2], all[n*99/100]
	}
	return r
}

// fill brings the stream to so many messages.
func (r *rawStream) fill(ctx context.Context, events int) (*report, error) {
	last, err := r.log.Last(ctx)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	before, done := eventstore.NewAck()
	done(nil)
	for left := events - int(last); left > 0; {
		n := min(left, eventstore.MaxBatch)
		entries := make([]eventstore.Entry, n)
		for i := range entries {
			entries[i] = eventstore.Entry{Subject: rawSubject(int(last) + i), Data: r.payload}
		}
		ack := r.log.Append(last, entries)
		if err := before.Err(); err != nil {
			return nil, err
		}
		before, last, left = ack, last+uint64(n), left-n
	}
	return &report{Count: int(last), Took: time.Since(began)}, before.Err()
}

// consume reads the whole stream with an ordered consumer.
func (r *rawStream) consume(ctx context.Context) (*report, error) {
	last, err := r.log.Last(ctx)
	if err != nil {
		return nil, err
	}
	js, err := jetstream.New(r.own)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	c, err := js.OrderedConsumer(ctx, eventstore.Stream, jetstream.OrderedConsumerConfig{})
	if err != nil {
		return nil, err
	}
	left, all := last, make(chan struct{})
	cc, err := c.Consume(func(jetstream.Msg) {
		if left--; left == 0 {
			close(all)
		}
	}, jetstream.PullMaxMessages(5000))
	if err != nil {
		return nil, err
	}
	defer func() { cc.Stop(); <-cc.Closed() }()
	select {
	case <-all:
		return &report{Count: int(last), Took: time.Since(began)}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
