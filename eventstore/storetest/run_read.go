package storetest

import (
	"context"
	"errors"

	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/eventstore"
)

// What a log takes, and how it is read.

func largest(t *trial) {
	one := []eventstore.Entry{{Subject: "assent.evt.ledger.00.ledger.opened", Data: make([]byte, eventstore.MaxData)}}
	for i := range one[0].Data {
		one[0].Data[i] = byte(i)
	}
	many := entries("a", eventstore.MaxBatch)
	t.appends(0, one)
	t.appends(1, many)
	t.appends(1+eventstore.MaxBatch, append(one[:1:1], one...))
	t.holds(one, many, one, one)
}

func unfit(t *trial) {
	a := entries("a", 1)
	t.appends(0, a)
	for name, list := range map[string][]eventstore.Entry{
		"none":             nil,
		"too many":         entries("a", eventstore.MaxBatch+1),
		"too large":        {{Subject: a[0].Subject, Data: make([]byte, eventstore.MaxData+1)}},
		"no subject":       {{Data: a[0].Data}},
		"wildcard":         {{Subject: "assent.evt.>", Data: a[0].Data}},
		"foreign subject":  {{Subject: "assent.cmd.alice", Data: a[0].Data}},
		"one of two wrong": {a[0], {Subject: "assent.evt.", Data: a[0].Data}},
	} {
		err := t.Append(1, list).Err()
		require.Error(t, err, name)
		require.NotErrorIs(t, err, eventstore.ErrUnknown, name)
		require.NotErrorIs(t, err, eventstore.ErrFenced, name)
		require.Error(t, t.Settle(t.ctx, 1, list), name)
	}
	t.holds(a)
	t.appends(1, a)
}

func part(t *trial) {
	const n = 2500
	for last := 0; last < n; last += 500 {
		t.appends(uint64(last), entries("a", 500))
	}
	for _, r := range []struct{ from, to, first, end uint64 }{
		{1, 1, 1, 1}, {7, 7, 7, 7}, {0, 3, 1, 3}, {1, 2500, 1, 2500}, {2, 2499, 2, 2499},
		{1001, 2000, 1001, 2000}, {2490, 0, 2490, 2500}, {2500, 0, 2500, 2500}, {9, 8, 9, 8}, {2501, 0, 2501, 2500},
	} {
		next := r.first
		require.NoError(t, t.Read(t.ctx, r.from, r.to, func(m eventstore.Message) error {
			require.Equal(t, next, m.Seq)
			next++
			return nil
		}))
		require.Equal(t, r.end+1, next, "%d..%d", r.from, r.to)
	}
	for _, to := range []uint64{2501, 2600} {
		require.ErrorIs(t, t.Read(t.ctx, 2400, to, func(eventstore.Message) error { return nil }), eventstore.ErrGap)
		require.ErrorIs(t, t.Read(t.ctx, 2500, to, func(eventstore.Message) error { return nil }), eventstore.ErrGap)
	}
}

func readStops(t *trial) {
	t.appends(0, entries("a", 100))
	enough := errors.New("enough")
	for _, to := range []uint64{10, 100} {
		n := 0
		require.ErrorIs(t, t.Read(t.ctx, 1, to, func(eventstore.Message) error {
			if n++; n == 7 {
				return enough
			}
			return nil
		}), enough)
		require.Equal(t, 7, n)
	}
}

func readHears(t *trial) {
	t.appends(0, entries("a", 1000))
	t.appends(1000, entries("a", 1000))
	ctx, cancel := context.WithCancel(t.ctx)
	n := 0
	require.ErrorIs(t, t.Read(ctx, 1, 0, func(eventstore.Message) error {
		if n++; n == 10 {
			cancel()
		}
		return nil
	}), context.Canceled)
	require.Less(t, n, 2000)
	require.Error(t, t.Read(ctx, 1, 5, func(eventstore.Message) error { return nil }))
}

func callers(t *trial) {
	a := entries("a", 40)
	t.appends(0, a)
	var kept []eventstore.Message
	require.NoError(t, t.Read(t.ctx, 1, 0, func(m eventstore.Message) error {
		kept = append(kept, m)
		return nil
	}))
	for i, m := range kept {
		require.Equal(t, string(a[i].Data), string(m.Data))
		clear(m.Data)
	}
	t.holds(a)
}

func get(t *trial) {
	a := entries("a", 3)
	t.appends(0, a)
	for i, e := range a {
		m, err := t.Get(t.ctx, uint64(i+1))
		require.NoError(t, err)
		require.Equal(t, eventstore.Message{Seq: uint64(i + 1), Subject: e.Subject, Data: e.Data}, m)
	}
	for _, seq := range []uint64{0, 4, 1 << 40} {
		_, err := t.Get(t.ctx, seq)
		require.ErrorIs(t, err, eventstore.ErrNoMessage)
	}
}
