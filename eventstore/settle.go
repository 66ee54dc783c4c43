package eventstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// How long Settle waits between two attempts, doubled each time.
const (
	firstPause = 10 * time.Millisecond
	mostPause  = time.Second
)

// Settle clears up an append that ended in ErrFenced or ErrUnknown, once those
// before it are. It publishes the same entries under the same expectation until an
// acknowledgement or a fence comes, since until then a publish that is queued
// somewhere may still land, and then compares what stands there.
//
// Nil: these very bytes stand at after+1 and on, all of them, and the log goes on
// behind them. ErrFenced: somebody else's do, or the log ends before; nothing of
// these entries was recorded, nothing of what was in flight behind them, and the
// next append may begin anywhere. ErrUnknown, with the context's error or that of a
// closed connection: nothing is settled, and Settle is wanted again. ErrGap: the
// log is damaged.
func (l *Log) Settle(ctx context.Context, after Seq, entries []Entry) error {
	if err := fit(entries); err != nil {
		return fmt.Errorf("eventstore: settle after %d: %w", after, err)
	}
	if err := l.settle(ctx, after, entries); err != nil {
		return fmt.Errorf("eventstore: settle after %d: %w", after, err)
	}
	return nil
}

func (l *Log) settle(ctx context.Context, after Seq, entries []Entry) error {
	if err := l.landed(ctx); err != nil {
		return err
	}
	if err := l.settles(after); err != nil {
		return err
	}
	for pause := firstPause; ; pause = min(2*pause, mostPause) {
		err := l.retry(ctx, after, entries)
		if errors.Is(err, ErrFenced) {
			if err = l.stands(ctx, after, entries); errors.Is(err, ErrFenced) {
				l.settled(0, after+1)
				return err
			}
		}
		switch {
		case err == nil:
			l.settled(after+Seq(len(entries)), 0)
			return nil
		case !errors.Is(err, ErrUnknown):
			return err
		case l.nc.IsClosed():
			return fmt.Errorf("%w: %w", ErrUnknown, nats.ErrConnectionClosed)
		case len(entries) > 1 && l.restage != nil:
			l.restage()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", err, context.Cause(ctx))
		case <-time.After(pause):
		}
	}
}

// landed waits until nothing is in flight.
func (l *Log) landed(ctx context.Context) error {
	for {
		var ack *Ack
		l.mu.Lock()
		if n := len(l.flight); n > 0 {
			ack = l.flight[n-1].ack
		}
		l.mu.Unlock()
		if ack == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrUnknown, context.Cause(ctx))
		case <-ack.Done():
		}
	}
}

// settles says whether an append after this sequence is the one to settle.
func (l *Log) settles(after Seq) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return fmt.Errorf("%w: %w", ErrUnknown, ErrClosed)
	case l.lost != 0 && after >= l.lost:
		return fmt.Errorf("%w: one before it was", ErrFenced)
	case l.known && after > l.tip:
		return fmt.Errorf("not before what was appended after %d is settled", l.tip)
	}
	return nil
}

// retry publishes once, and waits for the answer.
func (l *Log) retry(ctx context.Context, after Seq, entries []Entry) error {
	l.mu.Lock()
	ack := l.launch(after, entries).ack
	l.mu.Unlock()
	select {
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrUnknown, context.Cause(ctx))
	case <-ack.Done():
		return ack.Err()
	}
}

// stands compares what is recorded from after+1 on with the entries, once it is
// known that something is. ErrUnknown: as yet nothing is after all.
func (l *Log) stands(ctx context.Context, after Seq, entries []Entry) error {
	last, err := l.Last(ctx)
	if errors.Is(err, ErrGap) {
		return err
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	if last < after {
		return fmt.Errorf("%w: it ends at %d", ErrFenced, last)
	}
	to := min(last, after+Seq(len(entries)))
	err = l.Read(ctx, after+1, to, func(m Message) error {
		e := &entries[m.Seq-after-1]
		if m.Subject != e.Subject || !bytes.Equal(m.Data, e.Data) {
			return fmt.Errorf("%w: another message stands at %d", ErrFenced, m.Seq)
		}
		return nil
	})
	switch {
	case errors.Is(err, ErrFenced), errors.Is(err, ErrGap):
		return err
	case err != nil:
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	case to < after+Seq(len(entries)):
		return fmt.Errorf("%w: only %d of %d entries stand there", ErrUnknown, to-after, len(entries))
	}
	return nil
}

// settled lets appends begin again: at tip, or anywhere where a stranger's entry is
// at lost.
func (l *Log) settled(tip, lost Seq) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.broken, l.lost = nil, lost
	l.known = lost == 0
	if l.known {
		l.tip = max(l.tip, tip)
	} else {
		l.tip = 0
	}
}
