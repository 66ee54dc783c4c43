package eventstore

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/qtccc/assent/eventstore/natsd"
)

const ledger = "0191e7a4-7c1b-7d6e-9f00-3a5b8c2d1e4f"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ctx ends what hangs.
func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// serve starts a server in dir; it stops with the test, or before.
func serve(t testing.TB, dir string) *natsd.Server {
	s, err := natsd.Start(t.Context(), natsd.Config{StoreDir: dir, Name: ledger})
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	return s
}

func connect(t testing.TB, s *natsd.Server) *nats.Conn {
	nc, err := s.Ledger()
	require.NoError(t, err)
	return nc
}

// fresh makes an empty log.
func fresh(t testing.TB, options ...Option) (*Log, *natsd.Server) {
	s := serve(t, t.TempDir())
	l, err := Create(t.Context(), connect(t, s), ledger, options...)
	require.NoError(t, err)
	return l, s
}

// entries are n entries that differ, from the one with this number on.
func entries(from, n int) []Entry {
	list := make([]Entry, n)
	for i := range list {
		list[i] = Entry{Subject: fmt.Sprintf("assent.evt.client.%02x.consent.given", (from+i)%256), Data: fmt.Appendf(nil, "entry %d", from+i)}
	}
	return list
}

// fill appends n entries.
func fill(t testing.TB, l *Log, n int) {
	last, err := l.Last(t.Context())
	require.NoError(t, err)
	for n > 0 {
		k := min(n, MaxBatch)
		require.NoError(t, l.Append(last, entries(int(last), k)).Err())
		last, n = last+Seq(k), n-k
	}
}
