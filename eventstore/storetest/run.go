package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/eventstore"
)

// Run holds a log against what any log must hold. Open makes an empty one, and
// gives besides a function that opens the same one once more, as another writer
// would.
func Run(t *testing.T, open func(t testing.TB) (log Log, again func() Log)) {
	for _, p := range promises {
		t.Run(p.name, func(t *testing.T) {
			log, again := open(t)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			p.hold(&trial{T: t, ctx: ctx, Log: log, again: again})
		})
	}
}

// A trial is one promise being tried.
type trial struct {
	*testing.T
	Log
	ctx   context.Context
	again func() Log
}

var promises = []struct {
	name string
	hold func(*trial)
}{
	{"an empty log ends at 0", emptyLog},
	{"entries stand in the order in which they were appended", order},
	{"a pipeline stands in its order", pipeline},
	{"batches in flight one behind the other stand in their order", batches},
	{"single entries and batches mix", mixed},
	{"an append elsewhere than at the end is fenced", elsewhere},
	{"a fenced batch leaves nothing", fencedBatch},
	{"a pipeline fails as a whole", wholePipeline},
	{"a stranger's entry doesn't stand in for one's own", stranger},
	{"a stranger between batches takes those behind it", strangerBatches},
	{"nothing is appended between a failure and its settling", unsettled},
	{"a stranger is found by settling, and appending goes on behind it", settleStranger},
	{"nothing behind a stranger can be settled", settleBehindStranger},
	{"settling finds what was recorded", settleRecorded},
	{"settling records what was not", settleLost},
	{"a pipeline of which one call fails is settled whole", settlePipeline},
	{"settling twice changes nothing", settleTwice},
	{"the largest entry and the largest batch are taken", largest},
	{"what a log doesn't take is not sent", unfit},
	{"a part is read gap-free, and no more", part},
	{"a read ends with the first error of its caller", readStops},
	{"a read hears its context", readHears},
	{"what was read is the caller's", callers},
	{"only what is there can be got", get},
}

// make n entries that differ from all others.
func entries(mark string, n int) []eventstore.Entry {
	list := make([]eventstore.Entry, n)
	for i := range list {
		list[i] = eventstore.Entry{Subject: fmt.Sprintf("assent.evt.client.%02x.record.registered", i%256), Data: fmt.Appendf(nil, "%s %d", mark, i)}
	}
	return list
}

// appends appends and waits.
func (t *trial) appends(after uint64, list []eventstore.Entry) {
	t.Helper()
	require.NoError(t, t.Append(after, list).Err())
}

// holds reads the whole log and compares it.
func (t *trial) holds(lists ...[]eventstore.Entry) {
	t.Helper()
	var want, have []string
	for _, list := range lists {
		for _, e := range list {
			want = append(want, fmt.Sprint(len(want)+1, " ", e.Subject, " ", string(e.Data)))
		}
	}
	require.NoError(t, t.Read(t.ctx, 1, 0, func(m eventstore.Message) error {
		have = append(have, fmt.Sprint(m.Seq, " ", m.Subject, " ", string(m.Data)))
		return nil
	}))
	require.Equal(t, want, have)
	last, err := t.Last(t.ctx)
	require.NoError(t, err)
	require.EqualValues(t, len(want), last)
}

func emptyLog(t *trial) {
	t.holds()
	require.NoError(t, t.Read(t.ctx, 1, 0, func(eventstore.Message) error { return errors.New("a message") }))
}

func order(t *trial) {
	a, b, c := entries("a", 1), entries("b", 40), entries("c", 1)
	t.appends(0, a)
	t.appends(1, b)
	t.appends(41, c)
	t.holds(a, b, c)
}

func pipeline(t *trial) {
	list := entries("a", 100)
	t.flies(list, 1)
	t.holds(list)
}

func batches(t *trial) {
	list := entries("a", 120)
	t.flies(list, 12)
	t.holds(list)
}

func mixed(t *trial) {
	list := entries("a", 60)
	t.flies(list, 1, 3, 1, 1, 7, 2, 1, 4)
	t.holds(list)
}

// launch appends the list in groups of these sizes, over and over, without waiting.
func (t *trial) launch(after uint64, list []eventstore.Entry, sizes ...int) []*eventstore.Ack {
	var acks []*eventstore.Ack
	for i := 0; len(list) > 0; i++ {
		n := min(sizes[i%len(sizes)], len(list))
		acks = append(acks, t.Append(after, list[:n:n]))
		after, list = after+uint64(n), list[n:]
	}
	return acks
}

func (t *trial) flies(list []eventstore.Entry, sizes ...int) {
	t.Helper()
	for _, a := range t.launch(0, list, sizes...) {
		require.NoError(t, a.Err())
	}
}

func elsewhere(t *trial) {
	a, b := entries("a", 2), entries("b", 1)
	t.appends(0, a)
	for _, after := range []uint64{0, 1, 3, 1 << 40} {
		require.ErrorIs(t, t.again().Append(after, b).Err(), eventstore.ErrFenced)
	}
	t.holds(a)
}

func fencedBatch(t *trial) {
	a, b := entries("a", 1), entries("b", 100)
	t.appends(0, a)
	require.ErrorIs(t, t.again().Append(0, b).Err(), eventstore.ErrFenced)
	require.ErrorIs(t, t.again().Append(2, b).Err(), eventstore.ErrFenced)
	t.holds(a)
}

// fail asks that all of the acks failed, and none says that its entries are there.
func (t *trial) fail(acks []*eventstore.Ack) {
	t.Helper()
	for i, a := range acks {
		err := a.Err()
		require.Truef(t, errors.Is(err, eventstore.ErrFenced) || errors.Is(err, eventstore.ErrUnknown), "ack %d: %v", i, err)
	}
}

func wholePipeline(t *trial) {
	for _, sizes := range [][]int{{1}, {5}, {1, 5}, {5, 1}} {
		after, err := t.Last(t.ctx)
		require.NoError(t, err)
		other := t.again()
		t.appends(after, entries("a", 2))
		// This one believes that the log still ends at after.
		trial := &trial{T: t.T, ctx: t.ctx, Log: other, again: t.again}
		t.fail(trial.launch(after, entries("b", 20), sizes...))
		last, err := t.Last(t.ctx)
		require.NoError(t, err)
		require.Equal(t, after+2, last)
	}
}

// A stranger takes the sequence of an append in flight: the one behind it finds the
// log as long as it expects, and must fail all the same.
func stranger(t *trial) {
	a, x := entries("a", 1), entries("x", 1)
	t.appends(0, a)
	require.NoError(t, t.again().Append(1, x).Err())
	t.fail(t.launch(1, entries("b", 8), 1))
	t.holds(a, x)
}

func strangerBatches(t *trial) {
	for i, sizes := range [][]int{{4}, {1, 4}, {4, 1}, {4, 1, 1, 4}} {
		log := &trial{T: t.T, ctx: t.ctx, Log: t.again(), again: t.again}
		last, err := t.Last(t.ctx)
		require.NoError(t, err)
		log.appends(last, entries(fmt.Sprint("a", i), 1))
		// As many as the first group has, so that the second finds its sequence.
		require.NoError(t, t.again().Append(last+1, entries(fmt.Sprint("x", i), sizes[0])).Err())
		t.fail(log.launch(last+1, entries(fmt.Sprint("b", i), 40), sizes...))
		end, err := t.Last(t.ctx)
		require.NoError(t, err)
		require.Equal(t, last+1+uint64(sizes[0]), end)
	}
}

// Two strangers' entries make the log as long as the third append expects.
func unsettled(t *trial) {
	a, x, b := entries("a", 1), entries("x", 2), entries("b", 3)
	t.appends(0, a)
	late := &trial{T: t.T, ctx: t.ctx, Log: t.again(), again: t.again}
	t.appends(1, x)
	t.fail(late.launch(1, b[:1], 1))
	t.fail(late.launch(2, b[1:2], 1))
	t.fail(late.launch(3, b[2:], 1))
	require.ErrorIs(t, late.Settle(t.ctx, 1, b[:1]), eventstore.ErrFenced)
	late.appends(3, b[2:])
	t.holds(a, x, b[2:])
}

func settleStranger(t *trial) {
	a, x, b := entries("a", 1), entries("x", 3), entries("b", 2)
	t.appends(0, a)
	require.NoError(t, t.again().Append(1, x).Err())
	t.fail([]*eventstore.Ack{t.Append(1, b)})
	require.ErrorIs(t, t.Settle(t.ctx, 1, b), eventstore.ErrFenced)
	t.appends(4, b)
	t.holds(a, x, b)
}

func settleBehindStranger(t *trial) {
	a, x, b := entries("a", 1), entries("x", 1), entries("b", 2)
	t.appends(0, a)
	require.NoError(t, t.again().Append(1, x).Err())
	t.fail(t.launch(1, b, 1))
	require.ErrorIs(t, t.Settle(t.ctx, 1, b[:1]), eventstore.ErrFenced)
	// It would find the log as long as it expects.
	require.ErrorIs(t, t.Settle(t.ctx, 2, b[1:]), eventstore.ErrFenced)
	t.holds(a, x)
}

func settleRecorded(t *trial) {
	t.settles(true)
}

func settleLost(t *trial) {
	t.settles(false)
}

// settles appends a single entry and a batch, of which the answer is lost.
func (t *trial) settles(happens bool) {
	a, b, c := entries("a", 1), entries("b", 1), entries("c", 30)
	t.appends(0, a)
	for _, list := range [][]eventstore.Entry{b, c} {
		after, err := t.Last(t.ctx)
		require.NoError(t, err)
		f := Fail(t.Log, 1, happens, Append)
		require.ErrorIs(t, f.Append(after, list).Err(), eventstore.ErrUnknown)
		require.NoError(t, f.Settle(t.ctx, after, list))
	}
	t.holds(a, b, c)
	t.appends(32, a)
	t.holds(a, b, c, a)
}

func settlePipeline(t *trial) {
	var all [][]eventstore.Entry
	for _, happens := range []bool{false, true} {
		for n := 1; ; n++ {
			after, err := t.Last(t.ctx)
			require.NoError(t, err)
			f := Fail(t.Log, n, happens, Append)
			list := entries(fmt.Sprint(happens, n), 9)
			log := &trial{T: t.T, ctx: t.ctx, Log: f, again: t.again}
			acks := log.launch(after, list, 1, 3)
			at := 0
			for _, a := range acks {
				size := 1 + 2*(at%4&1)
				if a.Err() != nil {
					require.NoError(t, f.Settle(t.ctx, after+uint64(at), list[at:at+size]))
				}
				at += size
			}
			all = append(all, list)
			t.holds(all...)
			if !f.Failed() {
				break
			}
		}
	}
}

func settleTwice(t *trial) {
	a, b := entries("a", 2), entries("b", 1)
	t.appends(0, a)
	require.NoError(t, t.Settle(t.ctx, 0, a))
	require.NoError(t, t.Settle(t.ctx, 0, a))
	t.appends(2, b)
	t.holds(a, b)
}
