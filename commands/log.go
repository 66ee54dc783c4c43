package commands

import (
	"context"

	"github.com/qtccc/assent/eventstore"
)

// A Log is where events are recorded: *eventstore.Log, or one that fails
// (storetest). Its methods may be called from any goroutine, Append from one.
type Log interface {
	// Append records the entries at the sequences that follow after, all in this
	// order or none: one as a message of its own, up to 1,000 as one batch. It
	// returns at once. Appends may follow each other without waiting: they are
	// recorded in their order. The ack comes in bounded time, with nil once they
	// are durable, eventstore.ErrFenced where something else stands there, or
	// eventstore.ErrUnknown.
	Append(after uint64, entries []eventstore.Entry) *eventstore.Ack
	// Settle finds out what became of an append that had no good ack, publishing
	// it again under the same expectation until that is certain: nil, and it
	// stands there, durable; eventstore.ErrFenced, and it never will; or the
	// context's error, and nothing is known.
	Settle(ctx context.Context, after uint64, entries []eventstore.Entry) error
	// Last is the sequence of the last event; 0: none.
	Last(ctx context.Context) (uint64, error)
	// Read gives the messages from..to in order and without a gap.
	Read(ctx context.Context, from, to uint64, each func(eventstore.Message) error) error
	// Get is the one message seq.
	Get(ctx context.Context, seq uint64) (eventstore.Message, error)
}
