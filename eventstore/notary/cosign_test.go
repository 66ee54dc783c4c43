package notary_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/qtccc/assent/eventstore/notary"
)

// watched is a log that asks these.
func watched(t testing.TB, l *log, watchers ...*watcher) *notary.Notary {
	l.cfg.Witnesses, l.cfg.Pace = nil, time.Millisecond
	for _, w := range watchers {
		l.cfg.Witnesses = append(l.cfg.Witnesses, w.at(t))
	}
	n, err := notary.Open(t.Context(), l.cfg)
	require.NoError(t, err)
	return n
}

func eventually(t testing.TB, is func() bool) {
	require.Eventually(t, is, 30*time.Second, time.Millisecond)
}

// TestCheckpointsAreCosigned: in the background, and the last one shows it everywhere.
func TestCheckpointsAreCosigned(t *testing.T) {
	l := emptyLog(t)
	one, two := newWatcher(t, "witness.example/w1", l), newWatcher(t, "witness.example/w2", l)
	n := watched(t, l, one, two)
	require.True(t, n.Unwitnessed(2).IsZero()) // there is nothing to cosign
	for range 3 {
		l.take(t, n, 300, "message")
		eventually(t, func() bool { return bytes.Count(n.Signed(), []byte("\n— ")) == 3 })
		require.True(t, n.Unwitnessed(2).IsZero())
		for _, w := range n.Witnesses() {
			require.Equal(t, n.Size(), w.Size)
			require.NoError(t, w.Err)
		}
		signed, by := n.Cosigned()
		require.Equal(t, 2, by)
		require.Equal(t, n.Signed(), signed)
		for _, path := range []string{filepath.Join(l.cfg.Archive, "checkpoint"), filepath.Join(l.cfg.Dir, "checkpoint")} {
			eventually(t, func() bool {
				b, err := os.ReadFile(path)
				return err == nil && bytes.Equal(b, signed)
			})
		}
		for _, key := range []string{l.vkey, one.vkey, two.vkey} {
			_, err := noteText(string(signed), key)
			require.NoError(t, err)
		}
		p, err := n.Prove(7, l.messages[6])
		require.NoError(t, err)
		require.Equal(t, signed, p.Checkpoint)
		_, err = p.Verify(l.messages[6], origin, l.cfg.Known)
		require.NoError(t, err)
	}
	signed := n.Signed()
	require.NoError(t, n.Close())
	n = watched(t, l, one, two)
	require.Equal(t, signed, n.Signed())
	eventually(t, func() bool { return n.Unwitnessed(2).IsZero() })
	require.NoError(t, n.Close())
	// A cosignature that was altered on the disk isn't shown, nor one of nobody known.
	path := filepath.Join(l.cfg.Dir, "checkpoint")
	bad := bytes.Clone(signed)
	if at := &bad[len(bad)-20]; *at == 'A' {
		*at = 'B'
	} else {
		*at = 'A'
	}
	require.NoError(t, os.WriteFile(path, bad, 0o600))
	n = watched(t, l, one)
	require.Equal(t, 2, bytes.Count(n.Signed(), []byte("\n— ")))
	require.True(t, bytes.HasPrefix(signed, n.Signed()))
	require.NoError(t, n.Close())
}

// TestAWitnessHoldsUpNothing: one that never answers; and what it leaves is said.
func TestAWitnessHoldsUpNothing(t *testing.T) {
	l := emptyLog(t)
	asked, never := make(chan struct{}, 1), make(chan struct{})
	silent := newWatcher(t, "witness.example/silent", l)
	silent.Config.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		select {
		case asked <- struct{}{}:
		default:
		}
		<-never
	})
	w := newWatcher(t, "witness.example/w1", l)
	before := time.Now()
	n := watched(t, l, silent, w)
	for range 20 {
		l.take(t, n, 10, "message")
	}
	<-asked
	eventually(t, func() bool { return n.Unwitnessed(1).IsZero() })
	since := n.Unwitnessed(2)
	require.False(t, since.Before(before))
	require.False(t, since.After(time.Now()))
	l.take(t, n, 10, "message")
	require.Equal(t, since, n.Unwitnessed(2))
	require.Equal(t, since, n.Witnesses()[0].Since)
	require.False(t, n.Unwitnessed(3).IsZero())
	require.NoError(t, n.Close())
	close(never)
}

// TestSinceIsTheFirstThatIsntCosigned: not the last, and not the one that a witness is
// asked for when it answers late.
func TestSinceIsTheFirstThatIsntCosigned(t *testing.T) {
	l := emptyLog(t)
	w := newWatcher(t, "witness.example/w1", l)
	sound := w.Config.Handler
	asked, answer := make(chan struct{}, 100), make(chan struct{})
	always := sync.OnceFunc(func() { close(answer) })
	t.Cleanup(always)
	w.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-answer
		sound.ServeHTTP(rw, r)
	})
	n := watched(t, l, w)
	l.take(t, n, 10, "message")
	<-asked
	from := time.Now()
	l.take(t, n, 10, "message")
	to := time.Now()
	l.take(t, n, 10, "message")
	answer <- struct{}{}
	<-asked // for the next
	require.EqualValues(t, 10, n.Witnesses()[0].Size)
	since := n.Unwitnessed(1)
	require.False(t, since.Before(from))
	require.False(t, since.After(to))
	always() // it may be asked for the second before the third
	eventually(t, func() bool { return n.Unwitnessed(1).IsZero() })
	require.NoError(t, n.Close())
}

// TestAWitnessThatComesBackCatchesUp: it is asked for the last checkpoint, not for all.
func TestAWitnessThatComesBackCatchesUp(t *testing.T) {
	l := emptyLog(t)
	w := newWatcher(t, "witness.example/w1", l)
	sound := w.Config.Handler
	var mu sync.Mutex
	down, asked := true, 0
	w.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked++
		is := down
		mu.Unlock()
		if is {
			http.Error(rw, "not now", http.StatusServiceUnavailable)
			return
		}
		sound.ServeHTTP(rw, r)
	})
	n := watched(t, l, w)
	for range 50 {
		l.take(t, n, 3, "message")
	}
	eventually(t, func() bool { return n.Witnesses()[0].Err != nil })
	require.ErrorContains(t, n.Witnesses()[0].Err, "503")
	require.NoError(t, n.Disputed())
	mu.Lock()
	down = false
	mu.Unlock()
	eventually(t, func() bool { return n.Unwitnessed(1).IsZero() })
	require.EqualValues(t, 150, n.Witnesses()[0].Size)
	require.NoError(t, n.Witnesses()[0].Err)
	require.NoError(t, n.Close())
}

// TestARolledBackLogIsExposed: the whole of it, checkpoint, archive and stream; and one
// that was rewritten with the log's own key, at any length.
func TestARolledBackLogIsExposed(t *testing.T) {
	for name, again := range map[string]struct {
		count   int
		history string
		why     string
	}{
		"rolled back":                  {50, "message", "it has cosigned 100 events, and this log has 50: the log was rolled back"},
		"rewritten":                    {100, "another", "it has cosigned another tree of 100 events: the log was rewritten"},
		"rewritten, and longer":        {120, "another", "it doesn't find that the log's 120 events go on from the 100 that it cosigned: the log was rewritten"},
		"what it was, and then longer": {120, "message", ""},
	} {
		l := emptyLog(t)
		w := newWatcher(t, "witness.example/w1", l)
		n := watched(t, l, w)
		l.take(t, n, 100, "message")
		eventually(t, func() bool { return n.Unwitnessed(1).IsZero() })
		require.NoError(t, n.Close())

		fresh := emptyLog(t)
		fresh.cfg.Signers, fresh.cfg.Known = l.cfg.Signers, l.cfg.Known
		fresh.record(again.count, again.history)
		w.restart(t)
		n = watched(t, fresh, w)
		if again.why == "" {
			eventually(t, func() bool { return n.Unwitnessed(1).IsZero() })
			require.NoError(t, n.Disputed(), name)
		} else {
			eventually(t, func() bool { return n.Disputed() != nil })
			require.EqualError(t, n.Disputed(), "the witness witness.example/w1: "+again.why, name)
			require.False(t, n.Unwitnessed(1).IsZero())
			require.Equal(t, 1, bytes.Count(n.Signed(), []byte("\n— ")))
			// It serves on, if its owner wants that.
			fresh.take(t, n, 1, again.history)
		}
		require.NoError(t, n.Close())
	}
}

// TestCosignTakesNothingElse: what a witness answers is believed if its key signed it.
func TestCosignTakesNothingElse(t *testing.T) {
	l := emptyLog(t)
	l.record(9, "message")
	h := newHistory(t, l)
	w, stranger := newWatcher(t, "witness.example/w1", l), newWatcher(t, "witness.example/w1", l)
	_, _, ours := w.post(t, h.submission(0, 5))
	_, _, theirs := stranger.post(t, h.submission(0, 5))
	_, _, later := w.post(t, h.submission(5, 9))
	status, kind, answer := 200, "", ""
	fake := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", kind)
		rw.WriteHeader(status)
		_, _ = io.WriteString(rw, answer)
	}))
	defer fake.Close()
	at := w.at(t)
	at.URL = fake.URL
	cosign := func(now int, is, text string) ([]byte, error) {
		status, kind, answer = now, is, text
		return notary.Cosign(t.Context(), fake.Client(), at, []byte(h.signed(5)), 0, func(uint64) ([]tlog.Hash, error) { return nil, errors.New("nothing to prove") })
	}
	lines, err := cosign(200, "", theirs+ours)
	require.NoError(t, err)
	require.Equal(t, ours, string(lines))
	for what, text := range map[string]string{"nothing": "", "another's": theirs, "of another checkpoint": later, "no signature": "hello\n", "a text of its own": "\nx\n\n" + ours,
		"cut": ours[:len(ours)-1], "too much": ours + strings.Repeat("— x AAAAAAA=\n", 10_000), "altered": strings.Replace(ours, "/w1 ", "/w1 B", 1)} {
		_, err := cosign(200, "", text)
		require.Error(t, err, what)
		require.False(t, errors.As(err, new(*notary.Dispute)), what)
	}
	for kind, text := range map[string]string{"": "3\n", "text/x.tlog.size": "3", "text/x.tlog.size; a=b": "03\n", "text/plain": "3\n"} {
		_, err = cosign(409, kind, text)
		require.ErrorContains(t, err, "409 without a size")
	}
	_, err = cosign(409, "text/x.tlog.size", "3\n")
	require.ErrorContains(t, err, "nothing to prove")
	_, err = cosign(404, "", "")
	require.ErrorContains(t, err, "404")
	at.URL = "http://127.0.0.1:1"
	_, err = cosign(200, "", "")
	require.ErrorContains(t, err, "ask the witness witness.example/w1")
}
