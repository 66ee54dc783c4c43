// Package storetest is what any log must hold, and a log that fails at the n-th
// call, persisted or not.
//
// Run holds a log against every promise of eventstore's Append, Settle, Read, Get
// and Last. Fail wraps a log so that a caller meets each fault in both its shapes:
// the call failed, and the call failed though it happened. A test runs its subject
// for n = 1, 2, … until the n-th call is never made. A Pen writes histories that
// lawtest makes up as a ledger would have recorded them.
package storetest

import (
	"context"

	"github.com/qtccc/assent/eventstore"
)

// A Log is what writers and readers use: *eventstore.Log, and Failing.
type Log interface {
	Append(after eventstore.Seq, entries []eventstore.Entry) *eventstore.Ack
	Settle(ctx context.Context, after eventstore.Seq, entries []eventstore.Entry) error
	Read(ctx context.Context, from, to eventstore.Seq, each func(eventstore.Message) error) error
	Get(ctx context.Context, seq eventstore.Seq) (eventstore.Message, error)
	Last(ctx context.Context) (eventstore.Seq, error)
}

var (
	_ Log = (*eventstore.Log)(nil)
	_ Log = (*Failing)(nil)
)
