package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestBenchMeasuresAllItSays plays a bench that is too short to mean anything: every
// figure is there, whatever it is, and nothing is left behind.
func TestBenchMeasuresAllItSays(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("ASSENT_SERVER", "nats://127.0.0.1:1") // another ledger is not its business
	var out, errs bytes.Buffer
	args := []string{"bench", "--dir", dir, "--events", "4000", "--clients", "40", "--rounds", "1", "--span", "20ms"}
	require.Equal(t, 0, run(args, strings.NewReader(""), &out, &errs), errs.String())
	for _, figure := range []string{"1,024    unsigned", "1,024    signed", "10,000 rights", "first page of trail", "resident memory", "rebuild of all", "with --two-copies", "verify of all events and decisions", "the same with signatures", "that are all signed"} {
		require.Contains(t, out.String(), figure)
	}
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

// TestABenchSendsAgainWhatIsNotAnswered: one answer in millions never comes.
func TestABenchSendsAgainWhatIsNotAnswered(t *testing.T) {
	r := serveFresh(t)
	l := &load{app: &app{data: r.data}, keys: r.data + "-keys", world: world{clients: 2}, patience: 100 * time.Millisecond}
	defer l.close()
	_, err := l.setup(t.Context())
	require.NoError(t, err)
	lost := 0
	go func() {
		c := l.gateways[0]
		for lost == 0 {
			c.mu.Lock()
			for reply := range c.calls {
				c.calls[reply] = func([]byte, error) {}
				lost++
			}
			c.mu.Unlock()
		}
	}()
	callers := 8
	took, err := l.access(t.Context(), task{Callers: callers, For: 300 * time.Millisecond})
	require.NoError(t, err)
	require.Greater(t, took.Count, callers)
	require.Positive(t, lost)
	_, err = l.access(t.Context(), task{Callers: callers, Events: 20})
	require.NoError(t, err)
}

// TestMedianOfTheRoundsIsGiven: one slow round moves no figure.
func TestMedianOfTheRoundsIsGiven(t *testing.T) {
	second := func(n int, p50 time.Duration) report { return report{Count: n, Took: time.Second, P50: p50} }
	f := compared(16, []report{second(90, 3), second(1, 900), second(100, 2)}, []report{second(100, 1), second(100, 1), second(50, 1)})
	require.InDelta(t, 90, f.Rate, 1e-9)
	require.InDelta(t, 0.9, f.Ratio, 1e-9)
	require.Equal(t, time.Duration(3), f.P50)
	f = compared(1, []report{second(1, 20), second(1, 30), second(1, 40)}, []report{second(1, 10), second(1, 10), second(1, 10)})
	require.InDelta(t, 3, f.Ratio, 1e-9, "for one caller it is of the times")
}
