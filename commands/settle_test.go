package commands

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore"
	"github.com/qtccc/assent/eventstore/storetest"
	"github.com/qtccc/assent/projections"
)

var lostAcks = flag.Int("lost-acks", 800, "how many commands TestLostAcksLoseNothing sends")

// effects are what a test's callers were answered: by id, one each.
type effects struct {
	testing.TB
	mu      sync.Mutex
	answers map[domain.UUID]*Answer // guarded by mu
	retries int                     // guarded by mu
}

// insist sends the same command until it is answered.
func (e *effects) insist(svc *Service, l *testLedger, actor domain.ID, name, data string) *Answer {
	id := newID()
	body := l.body(actor, id, name, data)
	for {
		a, err := svc.Do(e.Context(), actor, l.public[actor], body)
		require.NoError(e, err)
		e.mu.Lock()
		if a.Error == nil || a.Error.Code != domain.Unavailable {
			e.answers[id] = a
			e.mu.Unlock()
			return a
		}
		e.retries++
		e.mu.Unlock()
	}
}

// crowd has callers send random commands at a time, each so many one after another.
func (e *effects) crowd(svc *Service, l *testLedger, callers, each int, seed uint64) {
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			for range each {
				actor, name, data := randomStep(r)
				e.insist(svc, l, actor, name, data)
			}
		})
	}
	wg.Wait()
}

// requireOnce holds the stream from begun on against the answers: each has its
// event, each event its answer, and each was decided on all before it.
func (e *effects) requireOnce(l *testLedger, begun uint64) {
	var h domain.History
	seen := map[domain.UUID]bool{}
	for _, d := range l.events(1) {
		ev, err := d.Event()
		require.NoError(e, err)
		requireDecidedAlike(e, &h, ev, l.public)
		h.Record(ev)
		if d.Seq <= begun {
			continue
		}
		require.False(e, seen[d.Command], "command %s took effect twice", d.Command)
		seen[d.Command] = true
		a := e.answers[d.Command]
		require.NotNil(e, a, "event %d was answered", d.Seq)
		require.EqualValues(e, d.Seq, a.Seq)
		require.Equal(e, a.OK, d.Refusal == nil)
	}
	for id, a := range e.answers {
		require.Equal(e, a.Seq != 0, seen[id], "%+v", a)
	}
}

func newEffects(t testing.TB) *effects {
	return &effects{TB: t, answers: map[domain.UUID]*Answer{}}
}

// Every append in its turn fails, recorded or not: what its callers are told is what
// stands, each command takes effect once, and the ledger goes on by itself.
func TestAFailedAppendIsClearedUp(t *testing.T) {
	for _, happens := range []bool{false, true} {
		for _, callers := range []int{1, 40} {
			t.Run(fmt.Sprintf("happens %v, %d callers", happens, callers), func(t *testing.T) {
				l := newTestLedger(t)
				for n, failed := 1, true; failed && n <= 12; n++ {
					var log *storetest.Failing
					reopen(l, func(real *eventstore.Log) Log {
						log = storetest.Fail(real, n, happens, storetest.Append)
						return log
					})
					e, begun := newEffects(t), l.last()
					e.crowd(l.svc, l, callers, 8/callers+1, uint64(n))
					failed = log.Failed()
					e.requireOnce(l, begun)
					requireSameStore(t, l)
					require.Empty(t, l.svc.Alarms())
				}
			})
		}
	}
}

func reopen(l *testLedger, wrap func(*eventstore.Log) Log) {
	l.close()
	l.wrap = wrap
	l.open()
}

// A settling that fails is tried again; meanwhile everything is `unavailable`.
func TestAFailedSettlingIsTriedAgain(t *testing.T) {
	for _, happens := range []bool{false, true} {
		for _, f := range []fate{lost, notRecorded} {
			l := newTestLedger(t)
			reopen(l, func(real *eventstore.Log) Log {
				return storetest.Fail(&lossyLog{Log: real, lose: second(f)}, 1, happens, storetest.Settle)
			})
			e, begun := newEffects(t), l.last()
			e.crowd(l.svc, l, 4, 5, 1)
			e.requireOnce(l, begun)
			require.NotZero(t, e.retries)
			require.Empty(t, l.svc.Alarms())
		}
	}
}

// The state is read anew after a failure; where that can't be, it is tried again.
func TestWhatWasRecordedIsReadAgain(t *testing.T) {
	for _, call := range []storetest.Call{storetest.Read, storetest.Last} {
		l := newTestLedger(t)
		reopen(l, func(real *eventstore.Log) Log {
			// Open asks each once.
			return storetest.Fail(&lossyLog{Log: real, lose: second(lost)}, 2, false, call)
		})
		e, begun := newEffects(t), l.last()
		e.crowd(l.svc, l, 4, 5, 1)
		e.requireOnce(l, begun)
	}
}

// The second answer to an id needs the event of the first.
func TestAFirstAnswerThatCantBeReadIsUnavailable(t *testing.T) {
	l := newTestLedger(t)
	reopen(l, func(real *eventstore.Log) Log { return storetest.Fail(real, 1, false, storetest.Get) })
	body := l.body("gateway", newID(), "access.request", look)
	require.True(t, l.send("gateway", body).OK)
	require.Equal(t, domain.Unavailable, l.send("gateway", body).Error.Code)
	require.True(t, l.send("gateway", body).Again)
}

// A mutedLog never says what became of an append, nor settles, until it is told.
type mutedLog struct {
	Log
	muted chan struct{} // closed: it speaks
}

func (m *mutedLog) Append(after uint64, entries []eventstore.Entry) *eventstore.Ack {
	ack := m.Log.Append(after, entries)
	select {
	case <-m.muted:
		return ack
	default:
	}
	lost, end := eventstore.NewAck()
	go func() {
		_ = ack.Err()
		end(eventstore.ErrUnknown)
	}()
	return lost
}

func (m *mutedLog) Settle(ctx context.Context, after uint64, entries []eventstore.Entry) error {
	select {
	case <-m.muted:
		return m.Log.Settle(ctx, after, entries)
	case <-ctx.Done():
		return errors.Join(eventstore.ErrUnknown, ctx.Err())
	}
}

// While the outcome isn't known everything is `unavailable` at once and the alarm
// says why; questions still have their views; then it heals by itself.
func TestWhileAnOutcomeIsUnknownNothingIsTaken(t *testing.T) {
	var log *mutedLog
	l := newTestLedger(t)
	reopen(l, func(real *eventstore.Log) Log {
		log = &mutedLog{real, make(chan struct{})}
		return log
	})
	begun := l.last()
	body := l.body("gateway", newID(), "access.request", look)
	began := time.Now()
	a := l.send("gateway", body)
	require.Equal(t, domain.Unavailable, a.Error.Code)
	require.Less(t, time.Since(began), 5*time.Second)
	began = time.Now()
	require.Equal(t, domain.Unavailable, l.send("gateway", body).Error.Code)
	require.Less(t, time.Since(began), time.Second)
	require.Len(t, l.svc.Alarms(), 1)
	require.Equal(t, begun, l.svc.Latest(), "what isn't known to stand is not shown")
	_, there := l.store.Live().Get(domain.Key{Kind: domain.KindClient, C: "acme"})
	require.True(t, there)

	close(log.muted)
	e := newEffects(t)
	require.Eventually(t, func() bool { return len(l.svc.Alarms()) == 0 }, 20*time.Second, 10*time.Millisecond)
	a = l.send("gateway", body)
	require.True(t, a.Again, "it had been recorded: %+v", a)
	require.Equal(t, begun+1, l.last())
	e.answers[a.ID] = a
	e.requireOnce(l, begun)
}

func TestAServiceClosesWhileAnOutcomeIsUnknown(t *testing.T) {
	l := newTestLedger(t)
	reopen(l, func(real *eventstore.Log) Log { return &mutedLog{real, make(chan struct{})} })
	require.Equal(t, domain.Unavailable, l.issue("gateway", "access.request", look).Error.Code)
	l.close()
}

// An affirmation of the clock that was not recorded affirms nothing.
func TestALostAffirmationLeavesTheDoubt(t *testing.T) {
	l := newTestLedger(t)
	rival := newRival(l)
	defer rival.Close()
	l.clock.set(-time.Hour)
	e := newEffects(t)
	// The rival's affirmation fences this one's.
	body := l.body("admin", newID(), "clock.affirm", `{}`)
	a, err := rival.Do(t.Context(), "admin", l.public["admin"], body)
	require.NoError(t, err)
	require.True(t, a.OK)
	l.clock.set(-time.Hour)
	a = l.issue("admin", "clock.affirm", `{}`)
	require.Equal(t, domain.Unavailable, a.Error.Code)
	require.Eventually(t, func() bool { return l.svc.Latest() == l.last() }, 10*time.Second, time.Millisecond)
	require.Contains(t, fmt.Sprint(l.svc.Alarms()), "clock.affirm")
	a = e.insist(l.svc, l, "admin", "clock.affirm", `{}`)
	require.True(t, a.OK)
	require.Empty(t, l.svc.Alarms())
}

// newRival is a second writer to the same stream.
func newRival(l *testLedger) *Service {
	nc, err := l.server.Ledger()
	require.NoError(l, err)
	log, err := eventstore.Open(l.Context(), nc, string(theLedger))
	require.NoError(l, err)
	store, err := projections.OpenStore(filepath.Join(l.TempDir(), "rival"), projections.Config{})
	require.NoError(l, err)
	s, err := Open(l.Context(), Config{Ledger: theLedger, Log: log, Store: store, Ring: l.svc.cfg.Ring, Clock: l.clock,
		Say: slog.New(slog.DiscardHandler)})
	require.NoError(l, err)
	l.Cleanup(func() {
		s.Close()
		require.NoError(l, log.Close())
		require.NoError(l, store.Close())
	})
	return s
}

// Two writers, each fenced by the other again and again: no event is decided on less
// than all before it, and no command takes effect twice.
func TestTwoWritersLeaveOneHistory(t *testing.T) {
	l := newTestLedger(t)
	rival := newRival(l)
	defer rival.Close()
	e, begun := newEffects(t), l.last()
	var wg sync.WaitGroup
	wg.Go(func() { e.crowd(l.svc, l, 30, 4, 1) })
	wg.Go(func() { e.crowd(rival, l, 3, 8, 2) })
	wg.Wait()
	require.NotZero(t, e.retries)
	e.insist(l.svc, l, "gateway", "access.request", look) // so that it knows what the rival did last
	e.requireOnce(l, begun)
	requireSameStore(t, l)
}

// A lossyLog loses acks, of appends that were recorded and of those that weren't.
type lossyLog struct {
	Log
	lose func(n int) fate // asked for each append, counted from 1

	mu sync.Mutex
	n  int // guarded by mu: appends so far
}

type fate int

const (
	acknowledged fate = iota
	lost
	notRecorded
)

func (l *lossyLog) Append(after uint64, entries []eventstore.Entry) *eventstore.Ack {
	l.mu.Lock()
	l.n++
	f := l.lose(l.n)
	l.mu.Unlock()
	if f == acknowledged {
		return l.Log.Append(after, entries)
	}
	ack, end := eventstore.NewAck()
	if f == notRecorded {
		end(eventstore.ErrUnknown)
		return ack
	}
	real := l.Log.Append(after, entries)
	go func() {
		_ = real.Err()
		end(eventstore.ErrUnknown)
	}()
	return ack
}

// second loses the ack of the second append.
func second(f fate) func(int) fate {
	return func(n int) fate {
		if n == 2 {
			return f
		}
		return acknowledged
	}
}

// R21, in small: one ack in ten is lost, each command is sent until it is answered,
// and takes effect once.
func TestLostAcksLoseNothing(t *testing.T) {
	losses := 0
	l := newTestLedger(t)
	reopen(l, func(real *eventstore.Log) Log {
		chance := rand.New(rand.NewPCG(1, 2))
		return &lossyLog{Log: real, lose: func(int) fate {
			n := chance.IntN(20)
			if n > 1 {
				return acknowledged
			}
			losses++
			return fate(n + 1)
		}}
	})
	e, begun := newEffects(t), l.last()
	e.crowd(l.svc, l, 20, *lostAcks/20, 3)
	require.NotZero(t, losses)
	e.requireOnce(l, begun)
	requireSameStore(t, l)
	t.Logf("%d commands, %d acknowledgements lost: each took effect once", *lostAcks/20*20, losses)
}
