package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/commands"
)

var rounds = flag.Int("rounds", 3, "how often TestKillLoop kills the service")

// callers is how many there are in TestKillLoop, half of them clerks, half gateways.
const callers = 8

// A sent is one command of TestKillLoop, and its first answer where one came.
type sent struct {
	plain  *commands.Plain
	answer *answer
	at     time.Time // when it came
}

// TestKillLoop: the service is killed again and again while callers are at it, now
// and then by a SIGTERM, else by a SIGKILL. In
// the end every command that was acknowledged is found in replay, at the sequence
// and under the event id that its answer said; every id sent once more gets the
// first answer; and each id has taken effect exactly once.
func TestKillLoop(t *testing.T) {
	r := serveFresh(t)
	var logs [callers][]*sent
	began := time.Now()
	for round := range *rounds {
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for i := range callers {
			c := r.dial(t, role(i))
			wg.Go(func() { logs[i] = append(logs[i], call(t, c, fmt.Sprintf("%d-%d", round, i), stop)...) })
		}
		<-time.After(time.Duration(50+rand.IntN(250)) * time.Millisecond) // at a moment that nobody chose
		if round%5 == 1 {
			require.NoError(t, r.signal(syscall.SIGTERM), "told to stop, it finishes what is under way and ends well")
		} else {
			_ = r.signal(syscall.SIGKILL)
		}
		close(stop)
		wg.Wait()
		down := time.Now()
		r.start(t)
		t.Logf("round %d: serving again after %v", round+1, time.Since(down).Round(time.Millisecond))
	}
	recorded := r.recorded(t)
	commands, acknowledged := 0, 0
	for i := range callers {
		for _, s := range logs[i] {
			commands++
			if s.answer.open() {
				continue
			}
			acknowledged++
			require.True(t, s.answer.OK, "%s: %v", s.plain.ID, s.answer.Error)
			e := recorded[string(s.plain.ID)]
			require.Len(t, e, 1, "command %s", s.plain.ID)
			require.EqualValues(t, s.answer.Seq, e[0].seq, "command %s", s.plain.ID)
			require.EqualValues(t, s.answer.Event, e[0].id, "command %s", s.plain.ID)
		}
	}
	require.Positive(t, acknowledged, "nothing was acknowledged")

	var wg sync.WaitGroup
	for i := range callers {
		c := r.dial(t, role(i))
		wg.Go(func() {
			for _, s := range logs[i] {
				again := c.command(t.Context(), s.plain)
				if !assert.True(t, again.OK, "%s: %v", s.plain.ID, again.Error) {
					return
				}
				if s.answer.open() {
					continue
				}
				first := s.answer.Answer
				first.Again = true
				assert.Equal(t, string(first.Append(nil)), string(again.document()), "another answer to the same id")
			}
		})
	}
	wg.Wait()
	after := r.recorded(t)
	for i := range callers {
		for _, s := range logs[i] {
			require.Len(t, after[string(s.plain.ID)], 1, "command %s took effect more than once", s.plain.ID)
		}
	}
	t.Logf("%d rounds in %v: %d commands, %d acknowledged before a kill, 0 lost, each took effect once",
		*rounds, time.Since(began).Round(time.Second), commands, acknowledged)
}

func role(caller int) string { return []string{"clerk", "gateway"}[caller%2] }

// call sends commands one after the other until it is told to stop or the
// connection is lost.
func call(t *testing.T, c *client, name string, stop chan struct{}) (log []*sent) {
	for n := 0; ; n++ {
		select {
		case <-stop:
			return log
		default:
		}
		plain := &commands.Plain{Name: "party.register",
			Data: fmt.Appendf(nil, `{"party":"p%s-%d","category":"external","kind":"person","name":"Person"}`, name, n)}
		if c.who.actor == "gateway" {
			plain = &commands.Plain{Name: "access.request",
				Data: fmt.Appendf(nil, `{"client":"acme","record":"r%d","party":"p%s","action":"consult","purpose":"fees"}`, n, name)}
		}
		s := &sent{plain: plain, answer: c.command(t.Context(), plain)}
		s.at = time.Now()
		log = append(log, s)
		if s.answer.open() {
			return log
		}
	}
}

type recordedEvent struct {
	seq uint64
	id  string
}

// recorded are the events in replay, by their command.
func (r *running) recorded(t testing.TB) map[string][]recordedEvent {
	events := map[string][]recordedEvent{}
	for i, line := range replayed(t, r) {
		var d struct{ Sequence, ID, Command string }
		require.NoError(t, json.Unmarshal([]byte(line), &d))
		require.Equal(t, fmt.Sprintf("%020d", i+1), d.Sequence, "a gap")
		events[d.Command] = append(events[d.Command], recordedEvent{uint64(i + 1), d.ID})
	}
	return events
}
