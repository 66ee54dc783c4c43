package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/commands"
	"github.com/qtccc/assent/domain"
)

var (
	races     = flag.Int("races", 60, "how many races TestNoGrantComesAfterItsRevocation runs")
	histories = flag.Int("histories", 2, "how many histories TestAnswersAreInTheOrderOfTime has, each ended by a kill")
)

// A raced event is one of replay, as far as a race needs it.
type raced struct {
	Sequence, Type string
	Data           struct {
		Event struct{ Party, Consent, Client string }
	}
}

// grantsAfter are the grants to a party at a sequence after its consent was withdrawn.
// Consent c-N is p-N's.
func grantsAfter(t testing.TB, lines []string) (late []string, before, denied int) {
	withdrawn := map[string]string{}
	for _, line := range lines {
		var e raced
		require.NoError(t, json.Unmarshal([]byte(line), &e))
		switch e.Type {
		case "consent.withdrawn":
			withdrawn["p"+strings.TrimPrefix(e.Data.Event.Consent, "c")] = e.Sequence
		case "access.granted":
			if at, ok := withdrawn[e.Data.Event.Party]; ok && e.Sequence > at {
				late = append(late, line)
			}
			before++
		case "access.denied":
			denied++
		}
	}
	return late, before, denied
}

// TestNoGrantComesAfterItsRevocation: on one connection parties ask for access, on
// another their consents are withdrawn at the same time. Each is granted until the
// withdrawal's sequence, and denied from then on; who was told that the withdrawal is
// recorded is granted nothing any more (II.1; trial R22).
func TestNoGrantComesAfterItsRevocation(t *testing.T) {
	r := serveFresh(t)
	var in bytes.Buffer
	fmt.Fprintln(&in, `{"as":"clerk","name":"client.register","data":{"client":"acme","name":"Acme","contacts":[]}}`)
	fmt.Fprintln(&in, `{"as":"clerk","name":"record.register","data":{"client":"acme","record":"label","title":"Label","class":"ordinary","medium":"electronic","encrypted":false,"retention":{"after":"registration","keep":"P1Y"}}}`)
	for i := range *races {
		fmt.Fprintf(&in, `{"as":"clerk","name":"party.register","data":{"party":"p-%d","category":"external","kind":"institution","name":"P"}}`+"\n", i)
		fmt.Fprintf(&in, `{"as":"clerk","name":"evidence.file","data":{"evidence":"e-%d","client":"acme","kind":"consent","sha256":"%064x","size":1,"mediaType":"application/pdf","signed":true,"stamped":true,"signedOn":"2026-01-02T00:00:00Z","custody":"paper","place":"cabinet"}}`+"\n", i, i+1)
		fmt.Fprintf(&in, `{"as":"clerk","name":"consent.give","data":{"client":"acme","consent":"c-%d","party":"p-%d","scope":{"records":["label"]},"purposes":["relationship"],"evidence":"e-%d"}}`+"\n", i, i, i)
	}
	require.NoError(t, r.app(t, "", in.String(), io.Discard).applyAll(t))
	gateway, clerk := r.dial(t, "gateway"), r.dial(t, "clerk")
	access := func(i int) *answer {
		return gateway.command(t.Context(), &commands.Plain{Name: "access.request",
			Data: fmt.Appendf(nil, `{"client":"acme","record":"label","party":"p-%d","action":"consult","purpose":"relationship"}`, i)})
	}
	began := time.Now()
	const abreast = 8 // races
	turn := make(chan int)
	var wg sync.WaitGroup
	var told atomic.Int64
	for range abreast {
		wg.Go(func() {
			for i := range turn {
				var race sync.WaitGroup
				for range 3 {
					race.Go(func() {
						if a := access(i); !a.OK {
							t.Errorf("p-%d: %v", i, a.Error)
						}
					})
				}
				race.Go(func() {
					if rand.IntN(2) == 0 {
						<-time.After(time.Duration(rand.IntN(2000)) * time.Microsecond) // at a moment that nobody chose
					}
					a := clerk.command(t.Context(), &commands.Plain{Name: "consent.withdraw", Data: fmt.Appendf(nil, `{"client":"acme","consent":"c-%d"}`, i)})
					if !a.OK {
						t.Errorf("c-%d: %v", i, a.Error)
					}
					if b := access(i); !b.OK || b.Seq <= a.Seq || b.Decision.Decision == domain.Granted {
						t.Errorf("p-%d was granted access at %d, after it was told of the withdrawal at %d", i, b.Seq, a.Seq)
					}
					told.Add(1)
				})
				race.Wait()
			}
		})
	}
	for i := range *races {
		turn <- i
	}
	close(turn)
	wg.Wait()
	lines := replayed(t, r)
	late, before, denied := grantsAfter(t, lines)
	require.Empty(t, late)
	require.EqualValues(t, 4**races, before+denied)
	require.Positive(t, before, "nobody came before a withdrawal: no race")
	require.Greater(t, denied, *races, "nobody but those who waited came after a withdrawal: no race")
	t.Logf("%d races in %v: %d granted before the withdrawal, %d denied after it, 0 granted after it", *races, time.Since(began).Round(time.Millisecond), before, denied)

	// What looks for late grants finds one.
	for _, line := range lines {
		if strings.Contains(line, `"type":"access.granted"`) {
			lines = append(lines, strings.Replace(line, `"sequence":"0`, `"sequence":"9`, 1))
			break
		}
	}
	late, _, _ = grantsAfter(t, lines)
	require.Len(t, late, 1)
}

// An operation is one command of a history: the highest sequence that anybody was
// told before it was sent, and its own.
type operation struct {
	id         domain.UUID
	after, seq uint64 // seq 0: no answer came
}

// disordered are the operations whose sequence is not above all that was told before
// they were sent. Where there are none, the order of sequences is one in which each
// took effect at one moment between its sending and its answer.
func disordered(ops []operation) (bad []operation) {
	for _, op := range ops {
		if op.seq != 0 && op.seq <= op.after {
			bad = append(bad, op)
		}
	}
	return bad
}

// TestAnswersAreInTheOrderOfTime: 50 callers on 5 connections, the service killed under
// them. A command that was sent after another was answered stands after it, also where
// the answer was lost and it is found in replay; and each decision is the one that
// history at its sequence gives (trial R20: linearizable, the order being known).
func TestAnswersAreInTheOrderOfTime(t *testing.T) {
	r := serveFresh(t)
	var told atomic.Uint64
	var mu sync.Mutex
	var ops []operation
	tell := func(seq uint64) {
		for old := told.Load(); old < seq && !told.CompareAndSwap(old, seq); old = told.Load() {
		}
	}
	for round := range *histories {
		var wg sync.WaitGroup
		for i := range 5 {
			c := r.dial(t, role(i))
			for j := range 10 {
				wg.Go(func() {
					for n := 0; ; n++ {
						plain := &commands.Plain{Name: "party.register",
							Data: fmt.Appendf(nil, `{"party":"p%d-%d-%d-%d","category":"external","kind":"person","name":"P"}`, round, i, j, n)}
						if c.who.actor == "gateway" {
							plain = &commands.Plain{Name: "access.request",
								Data: fmt.Appendf(nil, `{"client":"acme","record":"r%d","party":"p%d","action":"consult","purpose":"fees"}`, j, n)}
						}
						op := operation{after: told.Load()}
						a := c.command(t.Context(), plain)
						op.id = plain.ID
						if !a.open() {
							op.seq = uint64(a.Seq)
							tell(op.seq)
						}
						mu.Lock()
						ops = append(ops, op)
						mu.Unlock()
						if a.open() {
							return
						}
					}
				})
			}
		}
		<-time.After(time.Duration(200+rand.IntN(200)) * time.Millisecond) // at a moment that nobody chose
		_ = r.signal(syscall.SIGKILL)
		wg.Wait()
		r.start(t)
	}
	recorded, lost, landed := r.recorded(t), 0, 0
	for i := range ops {
		e := recorded[string(ops[i].id)]
		require.LessOrEqual(t, len(e), 1)
		if ops[i].seq == 0 {
			if lost++; len(e) == 1 {
				landed++
				ops[i].seq = e[0].seq
			}
			continue
		}
		require.Len(t, e, 1)
		require.Equal(t, ops[i].seq, e[0].seq)
	}
	require.Empty(t, disordered(ops))
	out, err := r.run("redecide", "--as", "auditor", "--json", "--data", r.data)
	require.NoError(t, err, out)
	t.Logf("%d histories, %d commands, %d without an answer, of which %d had taken effect: all in the order of time", *histories, len(ops), lost, landed)

	// What looks for disorder finds two that were exchanged.
	for i, op := range ops {
		if op.seq > 0 && op.after > 0 {
			ops[i].seq = op.after
			break
		}
	}
	require.Len(t, disordered(ops), 1)
}
