package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/qtccc/assent/eventstore"
	"github.com/qtccc/assent/eventstore/natsd"
)

const ledger = "0191e7a4-7c1b-7d6e-9f00-3a5b8c2d1e4f"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open makes an empty log on a server of its own.
func open(t testing.TB) (Log, func() Log) {
	s, err := natsd.Start(t.Context(), natsd.Config{StoreDir: t.TempDir(), Name: ledger})
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	again := func() Log {
		nc, err := s.Ledger()
		require.NoError(t, err)
		l, err := eventstore.Create(t.Context(), nc, ledger)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, l.Close()) })
		return l
	}
	return again(), again
}

func TestJetStreamHolds(t *testing.T) { Run(t, open) }

// counted are the entries that a log holds.
func counted(t *testing.T, l Log) (n int) {
	require.NoError(t, l.Read(t.Context(), 1, 0, func(eventstore.Message) error {
		n++
		return nil
	}))
	return n
}

func TestFailingFailsTheOneCallInBothShapes(t *testing.T) {
	for _, happens := range []bool{false, true} {
		log, _ := open(t)
		one := entries("a", 1)
		f := Fail(log, 2, happens, Append)
		require.NoError(t, f.Append(0, one).Err())
		require.False(t, f.Failed())
		err := f.Append(1, one).Err()
		require.ErrorIs(t, err, eventstore.ErrUnknown)
		require.ErrorIs(t, err, ErrFault)
		require.True(t, f.Failed())
		want := 1
		if happens {
			want = 2
		}
		require.Equal(t, want, counted(t, log))
		require.NoError(t, f.Settle(t.Context(), 1, one))
		require.NoError(t, f.Append(2, one).Err())
		require.Equal(t, 3, counted(t, log))

		f = Fail(lossy{log}, 1, happens, Settle)
		require.ErrorIs(t, f.Append(3, one).Err(), eventstore.ErrUnknown)
		require.ErrorIs(t, f.Settle(t.Context(), 3, one), eventstore.ErrUnknown)
		require.Equal(t, want+2, counted(t, log))
		require.NoError(t, f.Settle(t.Context(), 3, one))
		require.Equal(t, 4, counted(t, log))
	}
}

// lossy is a log that loses what is appended.
type lossy struct{ Log }

func (lossy) Append(uint64, []eventstore.Entry) *eventstore.Ack {
	ack, end := eventstore.NewAck()
	end(eventstore.ErrUnknown)
	return ack
}

func TestFailingFailsReading(t *testing.T) {
	log, _ := open(t)
	require.NoError(t, log.Append(0, entries("a", 3)).Err())
	for _, happens := range []bool{false, true} {
		n := 0
		err := Fail(log, 1, happens).Read(t.Context(), 1, 0, func(eventstore.Message) error {
			n++
			return nil
		})
		require.ErrorIs(t, err, ErrFault)
		require.Equal(t, happens, n == 3)
		_, err = Fail(log, 1, happens, Get).Get(t.Context(), 1)
		require.ErrorIs(t, err, ErrFault)
		_, err = Fail(log, 1, happens, Last).Last(t.Context())
		require.ErrorIs(t, err, ErrFault)
	}
}

func TestFailingPanicsAtItsCallersMistakes(t *testing.T) {
	log, _ := open(t)
	a := entries("a", 2)
	f := Fail(log, 2, false, Append)
	require.NoError(t, f.Append(0, a).Err())
	require.Panics(t, func() { f.Append(1, a) }, "an append that doesn't follow")
	require.Panics(t, func() { f.Append(2, nil) }, "an append of nothing")
	require.Panics(t, func() { _ = f.Settle(t.Context(), 0, a) }, "a settle of what was recorded")
	require.Error(t, f.Append(2, a[:1]).Err())
	require.Error(t, f.Append(3, a[1:]).Err())
	require.Panics(t, func() { _ = f.Settle(t.Context(), 3, a[1:]) }, "a settle before its turn")
	require.Panics(t, func() { _ = f.Settle(t.Context(), 2, a[1:]) }, "a settle of other bytes")
	require.NoError(t, f.Settle(t.Context(), 2, a[:1]))
	require.NoError(t, f.Settle(t.Context(), 3, a[1:]))
	require.NoError(t, f.Append(4, a).Err())
}
