package eventstore

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// damage flips one byte of an entry on disk, below a server that has stopped.
func damage(t testing.TB, dir string, e Entry) {
	blocks, err := filepath.Glob(filepath.Join(dir, "jetstream", "LEDGER", "streams", Stream, "msgs", "*.blk"))
	require.NoError(t, err)
	for _, name := range blocks {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		// The subject stands before, the headers between, a checksum behind.
		if i := bytes.Index(b, append([]byte("\r\n\r\n"), e.Data...)); i >= 0 {
			b[i+4] ^= 1
			require.NoError(t, os.WriteFile(name, b, 0o600))
			return
		}
	}
	t.Fatalf("%s is in no block", e.Data)
}

// named are n entries none of which begins as another one does.
func named(n int) []Entry {
	list := make([]Entry, n)
	for i := range list {
		list[i] = Entry{Subject: Root + "x", Data: fmt.Appendf(nil, "entry %06d", i+1)}
	}
	return list
}

// A byte flipped on disk, and the server serves on: its consumers leave the message
// out and say nothing.
func TestReadMissesNothing(t *testing.T) {
	const n = 3000
	for _, gone := range []Seq{1, 2, 1000, 1001, 1500, n - 1, n} {
		t.Run(fmt.Sprint(gone), func(t *testing.T) {
			dir := t.TempDir()
			s := serve(t, dir)
			l, err := Create(soon(t), connect(t, s), ledger)
			require.NoError(t, err)
			list := named(n)
			for i := 0; i < n; i += MaxBatch {
				require.NoError(t, l.Append(Seq(i), list[i:i+MaxBatch]).Err())
			}
			s.Stop()
			damage(t, dir, list[gone-1])
			l, err = Open(soon(t), connect(t, serve(t, dir)), ledger)
			require.NoError(t, err)
			require.EqualValues(t, n, last(t, l), "the server misses nothing")

			for _, from := range []Seq{1, max(gone, 10) - 9} {
				next := from
				err = l.Read(soon(t), from, 0, func(m Message) error {
					require.Equal(t, next, m.Seq)
					require.Equal(t, list[m.Seq-1].Data, m.Data)
					next++
					return nil
				})
				require.ErrorIs(t, err, ErrGap)
				require.ErrorContains(t, err, fmt.Sprint("at ", gone))
				require.Equal(t, gone, next, "all before it was given, and nothing after")
			}
			_, err = l.Get(soon(t), gone)
			require.Error(t, err)
		})
	}
}

// The consumer of a read goes away in the middle of it: the read goes on with
// another.
func TestReadOutlivesItsConsumer(t *testing.T) {
	l, _ := fresh(t)
	const n = 12 * pull
	fill(t, l, n)
	next := Seq(1)
	require.NoError(t, l.Read(soon(t), 1, 0, func(m Message) error {
		require.Equal(t, next, m.Seq)
		if next++; m.Seq%(3*pull) == 100 {
			for name := range l.stream.ConsumerNames(soon(t)).Name() {
				require.NoError(t, l.stream.DeleteConsumer(soon(t), name))
			}
		}
		return nil
	}))
	require.EqualValues(t, n+1, next)
}

// Entries of 64 KB are more than what is read ahead: pulls end by their bytes.
func TestReadBoundsWhatItHoldsAhead(t *testing.T) {
	l, _ := fresh(t)
	const n = 1000
	large := make([]Entry, 100)
	for i := range large {
		large[i] = Entry{Subject: Root + "x", Data: bytes.Repeat([]byte{byte(i)}, MaxData)}
	}
	for at := Seq(0); at < n; at += 100 {
		require.NoError(t, l.Append(at, large).Err())
	}
	next, before := Seq(1), l.nc.Stats().InBytes
	require.NoError(t, l.Read(soon(t), 1, 0, func(m Message) error {
		require.Equal(t, next, m.Seq)
		require.Len(t, m.Data, MaxData)
		ahead := l.nc.Stats().InBytes - before - MaxData*next
		require.Less(t, ahead, uint64(2*pullBytes+1<<20))
		next++
		return nil
	}))
	require.EqualValues(t, n+1, next)
}

// Nothing is left of a read, however it ended.
func TestReadLeavesNoConsumer(t *testing.T) {
	l, _ := fresh(t)
	fill(t, l, 100)
	require.NoError(t, l.Read(soon(t), 1, 0, func(Message) error { return nil }))
	require.Error(t, l.Read(soon(t), 1, 0, func(Message) error { return context.Canceled }))
	ctx, cancel := context.WithCancel(t.Context())
	require.Error(t, l.Read(ctx, 1, 0, func(m Message) error { cancel(); return ctx.Err() }))
	info, err := l.stream.Info(soon(t))
	require.NoError(t, err)
	require.Zero(t, info.State.Consumers)
}

func TestReadOverAClosedConnectionFails(t *testing.T) {
	l, _ := fresh(t)
	fill(t, l, 3*pull)
	err := l.Read(soon(t), 1, 0, func(m Message) error {
		l.nc.Close()
		return nil
	})
	require.ErrorIs(t, err, nats.ErrConnectionClosed)
	_, err = l.Get(soon(t), 1)
	require.Error(t, err)
	_, err = l.Last(soon(t))
	require.Error(t, err)
}

// A subscriber's place in the log stays his.
func TestAddConsumerKeepsItsPlace(t *testing.T) {
	l, _ := fresh(t)
	fill(t, l, 5)
	require.NoError(t, l.AddConsumer(soon(t), "reader-1"))
	take := func() (got []uint64) {
		c, err := l.js.Consumer(soon(t), Stream, "reader-1")
		require.NoError(t, err)
		batch, err := c.FetchNoWait(3)
		require.NoError(t, err)
		for m := range batch.Messages() {
			meta, err := m.Metadata()
			require.NoError(t, err)
			got = append(got, meta.Sequence.Stream)
			require.NoError(t, m.DoubleAck(soon(t)))
		}
		return got
	}
	require.Equal(t, []uint64{1, 2, 3}, take())
	require.NoError(t, l.AddConsumer(soon(t), "reader-1"))
	require.Equal(t, []uint64{4, 5}, take())

	c, err := l.js.Consumer(soon(t), Stream, "reader-1")
	require.NoError(t, err)
	cfg := c.CachedInfo().Config
	require.Equal(t, "reader-1", cfg.Durable)
	require.Equal(t, jetstream.AckExplicitPolicy, cfg.AckPolicy)

	require.NoError(t, l.DropConsumer(soon(t), "reader-1"))
	require.NoError(t, l.DropConsumer(soon(t), "reader-1"))
	_, err = l.js.Consumer(soon(t), Stream, "reader-1")
	require.ErrorIs(t, err, jetstream.ErrConsumerNotFound)
	require.Error(t, l.AddConsumer(soon(t), "no.name"))
}
