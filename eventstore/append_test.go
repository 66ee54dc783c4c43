package eventstore

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
)

// last is the sequence at which the log ends.
func last(t testing.TB, l *Log) Seq {
	seq, err := l.Last(soon(t))
	require.NoError(t, err)
	return seq
}

// standing are the entries that the log holds.
func standing(t testing.TB, l *Log) (list []Entry) {
	require.NoError(t, l.Read(soon(t), 1, 0, func(m Message) error {
		list = append(list, Entry{Subject: m.Subject, Data: m.Data})
		return nil
	}))
	return list
}

// lose makes the log lose what it publishes, where lost says so, and not wait long
// for an answer. With nil it loses nothing any more.
func lose(l *Log, lost func(*nats.Msg) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if lost == nil {
		l.publish, l.within = l.nc.PublishMsg, ackWithin
		return
	}
	l.within = 30 * time.Millisecond
	l.publish = func(m *nats.Msg) error {
		if lost(m) {
			return nil
		}
		return l.nc.PublishMsg(m)
	}
}

func commits(m *nats.Msg) bool  { return m.Header.Get(batchCommit) != "" }
func everything(*nats.Msg) bool { return true }
func answered(m *nats.Msg) bool { return m.Reply != "" }
func staged(m *nats.Msg) bool   { return m.Header.Get(batchSeq) == "2" && m.Reply == "" }
func abandons(m *nats.Msg) bool { return m.Header.Get(batchSeq) == "0" }
func onlyFirst() func(*nats.Msg) bool {
	n := 0
	return func(m *nats.Msg) bool {
		if m.Reply != "" {
			n++
		}
		return n == 1 && m.Reply != ""
	}
}

func TestLostPublishIsUnknownAndSettled(t *testing.T) {
	for name, lost := range map[string]func(*nats.Msg) bool{
		"all of it":           everything,
		"what records it":     answered,
		"a part of a batch":   staged,
		"also the abandoning": func(m *nats.Msg) bool { return commits(m) || abandons(m) },
	} {
		for _, n := range []int{1, 5} {
			if n == 1 && name != "all of it" && name != "what records it" {
				continue
			}
			t.Run(fmt.Sprint(name, " ", n), func(t *testing.T) {
				l, _ := fresh(t)
				fill(t, l, 1)
				list := entries(1, n)
				lose(l, lost)
				require.ErrorIs(t, l.Append(1, list).Err(), ErrUnknown)
				lose(l, nil)
				require.EqualValues(t, 1, last(t, l))
				require.NoError(t, l.Settle(soon(t), 1, list))
				require.NoError(t, l.Append(Seq(1+n), entries(1+n, 1)).Err())
				require.Equal(t, entries(0, n+2), standing(t, l))
			})
		}
	}
}

// deaf makes the log hear no acknowledgement until the function is called.
func deaf(t testing.TB, l *Log) (hear func()) {
	require.NoError(t, l.acks.Unsubscribe())
	require.NoError(t, l.nc.Flush())
	lose(l, func(*nats.Msg) bool { return false })
	return func() {
		lose(l, nil)
		var err error
		l.acks, err = l.nc.Subscribe(l.inbox+"*", l.acknowledged)
		require.NoError(t, err)
		require.NoError(t, l.nc.Flush())
	}
}

func TestLostAcknowledgementIsUnknownAndSettled(t *testing.T) {
	for _, n := range []int{1, 5, 100} {
		l, _ := fresh(t)
		fill(t, l, 1)
		list := entries(1, n)
		hear := deaf(t, l)
		require.ErrorIs(t, l.Append(1, list).Err(), ErrUnknown)
		hear()
		require.Eventually(t, func() bool { return last(t, l) == Seq(1+n) }, 10*time.Second, time.Millisecond, "it was recorded")
		require.NoError(t, l.Settle(soon(t), 1, list))
		require.EqualValues(t, 1+n, last(t, l), "and not once more")
		require.NoError(t, l.Append(Seq(1+n), entries(1+n, 1)).Err())
		require.Equal(t, entries(0, n+2), standing(t, l))
	}
}

func TestLostPublishTakesThePipelineWithIt(t *testing.T) {
	for _, size := range []int{1, 4} {
		l, _ := fresh(t)
		fill(t, l, 1)
		list := entries(1, 5*size)
		lose(l, onlyFirst())
		var acks []*Ack
		for i := range 5 {
			acks = append(acks, l.Append(Seq(1+i*size), list[i*size:(i+1)*size]))
		}
		for _, a := range acks {
			require.Error(t, a.Err())
		}
		lose(l, nil)
		require.EqualValues(t, 1, last(t, l))
		for i := range acks {
			require.NoError(t, l.Settle(soon(t), Seq(1+i*size), list[i*size:(i+1)*size]))
		}
		require.Equal(t, entries(0, 1+5*size), standing(t, l))
	}
}

// Far more batches than the server keeps open lose their commit, one at a time. By
// itself it would forget them after 10 s.
func TestLostCommitsDontWedge(t *testing.T) {
	l, _ := fresh(t)
	lose(l, commits)
	l.within = 2 * time.Millisecond
	list := entries(0, 3)
	require.ErrorIs(t, l.Append(0, list).Err(), ErrUnknown)
	for range 120 {
		l.mu.Lock()
		ack := l.launch(0, list).ack // as Settle does, if all of its attempts are lost
		l.mu.Unlock()
		require.ErrorIs(t, ack.Err(), ErrUnknown)
	}
	lose(l, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	require.NoError(t, l.Settle(ctx, 0, list))
	require.Equal(t, list, standing(t, l))
}

// Settle is waited for while all that it publishes is lost, and hears its context.
func TestSettleHearsItsContext(t *testing.T) {
	l, _ := fresh(t)
	list := entries(0, 1)
	lose(l, everything)
	require.ErrorIs(t, l.Append(0, list).Err(), ErrUnknown)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err := l.Settle(ctx, 0, list)
	require.ErrorIs(t, err, ErrUnknown)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	lose(l, func(*nats.Msg) bool { return false })
	require.ErrorIs(t, l.Append(1, list).Err(), ErrUnknown, "nothing is appended before it is settled")
	require.NoError(t, l.Settle(soon(t), 0, list))
}

func TestSettlingOutOfTurnIsRefused(t *testing.T) {
	l, _ := fresh(t)
	fill(t, l, 1)
	lose(l, everything)
	a, b := l.Append(1, entries(1, 1)), l.Append(2, entries(2, 1))
	require.Error(t, a.Err())
	require.Error(t, b.Err())
	lose(l, nil)
	err := l.Settle(soon(t), 2, entries(2, 1))
	require.Error(t, err)
	require.NotErrorIs(t, err, ErrFenced)
	require.EqualValues(t, 1, last(t, l))
	require.NoError(t, l.Settle(soon(t), 1, entries(1, 1)))
	require.NoError(t, l.Settle(soon(t), 2, entries(2, 1)))
}

func TestAcknowledgementNotAsForeseenIsUnknown(t *testing.T) {
	for _, answer := range []string{
		`{"stream":"LEDGER","seq":2,"duplicate":true}`,
		`{"stream":"LEDGER","seq":3}`,
		`{"stream":"OTHER","seq":2}`,
		`{"stream":"LEDGER","seq":2,"domain":"d"}`,
		`{"stream":"LEDGER","seq":2,"batch":"b","count":1}`,
		`{"stream":"LEDGER","seq":2,"new":1}`,
		`{"stream":"LEDGER","seq":2}{}`,
		`{"error":{"code":503,"err_code":10077,"description":"no space"},"stream":"LEDGER","seq":0}`,
		`{}`, `x`, ``,
	} {
		l, _ := fresh(t)
		fill(t, l, 1)
		lose(l, everything)
		list := entries(1, 1)
		a := l.Append(1, list)
		lose(l, nil)
		require.NoError(t, l.nc.Publish(l.inbox+"2", []byte(answer)))
		require.ErrorIs(t, a.Err(), ErrUnknown, answer)
		require.NoError(t, l.Settle(soon(t), 1, list), answer)
		require.Equal(t, entries(0, 2), standing(t, l), answer)
	}
}

// The stream is gone, so nobody answers.
func TestNoStreamIsUnknownAtOnce(t *testing.T) {
	l, _ := fresh(t)
	require.NoError(t, l.js.DeleteStream(soon(t), Stream))
	err := l.Append(0, entries(0, 1)).Err()
	require.ErrorIs(t, err, ErrUnknown)
	require.ErrorContains(t, err, "503")
}

func TestClosedConnectionIsUnknownAtOnce(t *testing.T) {
	for _, n := range []int{1, 5} {
		l, s := fresh(t)
		l.nc.Close()
		require.ErrorIs(t, l.Append(0, entries(0, n)).Err(), ErrUnknown)
		require.ErrorIs(t, l.Settle(soon(t), 0, entries(0, n)), nats.ErrConnectionClosed)
		// Over a new connection it is settled.
		l, err := Open(soon(t), connect(t, s), ledger)
		require.NoError(t, err)
		require.NoError(t, l.Settle(soon(t), 0, entries(0, n)))
		require.Equal(t, entries(0, n), standing(t, l))
	}
}

func TestCloseEndsWhatIsInFlight(t *testing.T) {
	l, _ := fresh(t)
	lose(l, everything)
	acks := []*Ack{l.Append(0, entries(0, 1)), l.Append(1, entries(1, 3)), l.Append(4, entries(4, 1))}
	require.NoError(t, l.Close())
	for _, a := range acks {
		require.ErrorIs(t, a.Err(), ErrUnknown)
	}
	require.ErrorIs(t, l.Append(0, entries(0, 1)).Err(), ErrClosed)
	require.ErrorIs(t, l.Settle(soon(t), 0, entries(0, 1)), ErrClosed)
	require.NoError(t, l.Close())
}

// The server is killed with appends in flight: what an Ack confirmed is there after
// the restart, and the rest can be settled.
func TestStopWithAppendsInFlightLosesNothingConfirmed(t *testing.T) {
	dir := t.TempDir()
	s := serve(t, dir)
	l, err := Create(soon(t), connect(t, s), ledger)
	require.NoError(t, err)
	list := entries(0, 400)
	var acks []*Ack
	for i := 0; i < len(list); i += 4 {
		acks = append(acks, l.Append(Seq(i), list[i:i+1]), l.Append(Seq(i+1), list[i+1:i+4]))
	}
	require.NoError(t, acks[20].Err())
	s.Stop()
	require.NoError(t, l.Close())
	confirmed := 0
	for _, a := range acks {
		if a.Err() == nil {
			confirmed++
		}
	}
	s = serve(t, dir)
	l, err = Open(soon(t), connect(t, s), ledger)
	require.NoError(t, err)
	end := last(t, l)
	require.GreaterOrEqual(t, end, Seq(confirmed/2*4+confirmed%2))
	require.Equal(t, list[:end], standing(t, l))
	for i := confirmed / 2 * 4; i < len(list); i += 4 {
		require.NoError(t, l.Settle(soon(t), Seq(i), list[i:i+1]))
		require.NoError(t, l.Settle(soon(t), Seq(i+1), list[i+1:i+4]))
	}
	require.Equal(t, list, standing(t, l))
}

// Whoever uses a message id first would have the log's own entry taken for a
// duplicate. Ids can't be foreseen; this one is told.
func TestPoisonedMessageIDIsUnknownAndSettled(t *testing.T) {
	l, _ := fresh(t)
	fill(t, l, 1)
	_, err := l.js.PublishMsg(soon(t), &nats.Msg{Subject: Root + "x", Header: nats.Header{messageID: {l.ids + "2"}}})
	require.NoError(t, err)
	list := entries(2, 1)
	late, err := Open(soon(t), l.nc, ledger)
	require.NoError(t, err)
	late.ids, late.token = l.ids, 1
	require.ErrorIs(t, late.Append(2, list).Err(), ErrUnknown)
	require.NoError(t, late.Settle(soon(t), 2, list))
	require.EqualValues(t, 3, last(t, l))
}

// Two batches are in flight: the second one's messages are with the server before
// the first is acknowledged, its commit only then.
func TestSecondBatchCommitsAfterTheFirstIsAcknowledged(t *testing.T) {
	l, _ := fresh(t)
	var sent []string
	l.publish = func(m *nats.Msg) error {
		sent = append(sent, m.Header.Get(batchSeq)+strings.Repeat("!", len(m.Header[batchCommit])))
		return nil
	}
	l.Append(0, entries(0, 3))
	l.Append(3, entries(3, 2))
	l.Append(5, entries(5, 1))
	l.mu.Lock()
	first := l.flight[0]
	l.mu.Unlock()
	require.Equal(t, []string{"1", "2", "3!", "1"}, sent)
	l.acknowledged(&nats.Msg{Subject: l.inbox + "1", Data: foreseen(nil, 3, first.batch, 3)})
	require.Equal(t, []string{"1", "2", "3!", "1", "2!", ""}, sent)
	require.NoError(t, first.ack.Err())
	require.NoError(t, l.Close())
}
