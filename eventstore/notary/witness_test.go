package notary_test

import (
	"encoding/base64"
	"fmt"
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
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/qtccc/assent/eventstore/notary"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// A watcher is a witness that is served over HTTP.
type watcher struct {
	cfg  notary.WitnessConfig
	vkey string
	*httptest.Server
	mu      sync.Mutex
	witness *notary.Witness // guarded by mu
}

// newWatcher cosigns for these logs.
func newWatcher(t testing.TB, name string, logs ...*log) *watcher {
	secret, public, err := notary.GenerateCosigner(name)
	require.NoError(t, err)
	signer, err := notary.NewCosigner(secret)
	require.NoError(t, err)
	w := &watcher{vkey: public, cfg: notary.WitnessConfig{Dir: memory(t), Signer: signer, Logs: map[string]note.Verifiers{}, Clock: func() time.Time { return noon }}}
	for _, l := range logs {
		w.cfg.Logs[l.cfg.Origin] = l.cfg.Known
	}
	w.Server = httptest.NewServer(http.StripPrefix("/w", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		now := w.witness
		w.mu.Unlock()
		now.ServeHTTP(rw, r)
	})))
	t.Cleanup(func() {
		w.Close()
		require.NoError(t, w.witness.Close())
	})
	w.restart(t)
	return w
}

func (w *watcher) restart(t testing.TB) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.witness != nil {
		require.NoError(t, w.witness.Close())
	}
	var err error
	w.witness, err = notary.OpenWitness(w.cfg)
	require.NoError(t, err)
}

func (w *watcher) at(t testing.TB) notary.WitnessAt {
	key, err := notary.NewCosignatureVerifier(w.vkey)
	require.NoError(t, err)
	return notary.WitnessAt{URL: w.URL + "/w/", Key: key}
}

// post is what the witness answers.
func (w *watcher) post(t testing.TB, body string) (status int, kind, answer string) {
	resp, err := w.Client().Post(w.URL+"/w/add-checkpoint", "", strings.NewReader(body))
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, resp.Header.Get("Content-Type"), string(b)
}

// A history is the checkpoints of a log at each size, and what proves that it goes on.
type history struct {
	t      testing.TB
	log    *log
	hashes []tlog.Hash
	size   int64
}

func (h *history) ReadHashes(indexes []int64) (out []tlog.Hash, err error) {
	for _, i := range indexes {
		out = append(out, h.hashes[i])
	}
	return out, nil
}

func newHistory(t testing.TB, l *log) *history {
	h := &history{t: t, log: l}
	for _, m := range l.messages {
		more, err := tlog.StoredHashes(h.size, m, h)
		require.NoError(t, err)
		h.hashes = append(h.hashes, more...)
		h.size++
	}
	return h
}

// signed is the checkpoint of a size, with further lines if there are any.
func (h *history) signed(size int64, more ...string) string {
	root, err := tlog.TreeHash(size, h)
	require.NoError(h.t, err)
	c := notary.Checkpoint{Origin: h.log.cfg.Origin, Size: uint64(size), Root: root}
	b, err := note.Sign(&note.Note{Text: c.String() + strings.Join(more, "")}, h.log.cfg.Signers...)
	require.NoError(h.t, err)
	return string(b)
}

// submission is what is posted so that the witness goes on from old.
func (h *history) submission(old, size int64) string {
	b := fmt.Sprintf("old %d\n", old)
	if 0 < old && old < size {
		proof, err := tlog.ProveTree(size, old, h)
		require.NoError(h.t, err)
		for _, hash := range proof {
			b += hash.String() + "\n"
		}
	}
	return b + "\n" + h.signed(size)
}

// TestAWitnessAnswersAsSpecified: C2SP tlog-witness, add-checkpoint, each status.
func TestAWitnessAnswersAsSpecified(t *testing.T) {
	l, other := emptyLog(t), emptyLog(t)
	l.record(40, "message")
	other.record(40, "another")
	w := newWatcher(t, "witness.example/w1", l)
	h, forged := newHistory(t, l), newHistory(t, other)
	rewritten := &history{t: t, log: &log{cfg: l.cfg}, hashes: forged.hashes, size: forged.size}
	unknown := &history{t: t, log: &log{cfg: l.cfg}, hashes: h.hashes, size: h.size}
	unknown.log.cfg.Origin = "assent/nobody"
	zero := tlog.Hash{}.String() + "\n"

	ask := func(what, body string, status int, answer string) {
		got, kind, text := w.post(t, body)
		require.Equal(t, status, got, "%s: %s", what, text)
		if status == http.StatusConflict {
			require.Equal(t, "text/x.tlog.size", kind, what)
		}
		if answer != "" {
			require.Equal(t, answer, text, what)
		}
	}
	ask("no checkpoint", "old 0\n", 400, "")
	ask("no old size", "\n"+h.signed(5), 400, "")
	ask("an old size with a zero before it", "old 00\n\n"+h.signed(5), 400, "")
	ask("an old size below zero", "old -1\n\n"+h.signed(5), 400, "")
	ask("a proof line that is no hash", "old 0\nAAAA\n\n"+h.signed(5), 400, "")
	ask("64 proof lines", "old 3\n"+strings.Repeat(zero, 64)+"\n"+h.signed(5), 400, "")
	ask("a checkpoint that is no note", "old 0\n\n"+l.cfg.Origin+"\n5\n", 400, "")
	ask("a note that is no checkpoint", "old 0\n\n"+strings.Replace(h.signed(5), "\n5\n", "\n05\n", 1), 403, "")
	ask("a signed note that is no checkpoint", "old 0\n\n"+mustSign(t, l, l.cfg.Origin+"\n05\n"+zero), 400, "")
	ask("an unknown log", unknown.submission(0, 5), 404, "")
	ask("another's signature", forged.submission(0, 5), 403, "")
	ask("an altered signature", strings.Replace(h.submission(0, 5), "\n5\n", "\n6\n", 1), 403, "")
	ask("an old size beyond the checkpoint's", "old 6\n\n"+h.signed(5), 400, "")
	ask("an old size that was never cosigned", h.submission(3, 5), 409, "0\n")
	ask("a proof from nothing", "old 0\n"+zero+"\n"+h.signed(5), 422, "")
	ask("too many bytes", "old 0\n\n"+h.signed(5)+strings.Repeat("— x AAAAAAA=\n", 20_000), 413, "")

	ask("the first", h.submission(0, 5), 200, "")
	ask("the same from nothing", h.submission(0, 5), 409, "5\n")
	ask("the same", h.submission(5, 5), 200, "")
	ask("the same with a proof", "old 5\n"+zero+"\n"+h.signed(5), 422, "")
	ask("another of that size", rewritten.submission(5, 5), 409, "5\n")
	ask("an earlier one", h.submission(0, 3), 409, "5\n")
	ask("an earlier one from itself", h.submission(3, 3), 409, "5\n")
	ask("a later one with no proof", "old 5\n\n"+h.signed(9), 422, "")
	ask("a later one with another's proof", strings.Replace(h.submission(5, 9), "\n\n"+h.signed(9), "\n\n"+h.signed(10), 1), 422, "")
	ask("a later one of a rewritten log", rewritten.submission(5, 9), 422, "")
	w.restart(t)
	ask("a later one", h.submission(5, 9), 200, "")
	ask("one with further lines", "old 9\n\n"+h.signed(9, "more\n"), 200, "")
	for size := int64(10); size <= 40; size++ {
		ask("the next", h.submission(size-1, size), 200, "")
	}
	resp, err := w.Client().Get(w.URL + "/w/add-checkpoint")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusMethodNotAllowed, resp.StatusCode)

	// What it answers is a cosignature to whoever reads the specification.
	_, _, line := w.post(t, "old 40\n\n"+h.signed(40, "more\n"))
	text, err := noteText(h.signed(40, "more\n")+line, w.vkey)
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(text, "more\n"))
	raw, err := base64.StdEncoding.DecodeString(strings.Fields(line)[2])
	require.NoError(t, err)
	require.Len(t, raw, 4+8+64)
	require.EqualValues(t, noon.Unix(), int64(raw[8])<<24|int64(raw[9])<<16|int64(raw[10])<<8|int64(raw[11]))
	// Two signed trees of one size are kept: the proof that the log was rewritten.
	disputed, err := filepath.Glob(filepath.Join(w.cfg.Dir, "*.disputed"))
	require.NoError(t, err)
	require.Len(t, disputed, 1)
	b, err := os.ReadFile(disputed[0])
	require.NoError(t, err)
	require.Contains(t, string(b), h.signed(5))
	require.Contains(t, string(b), rewritten.signed(5))
}

func mustSign(t testing.TB, l *log, text string) string {
	b, err := note.Sign(&note.Note{Text: text}, l.cfg.Signers...)
	require.NoError(t, err)
	return string(b)
}

// TestAWitnessAskedAtOnceNeverGoesBack: of many that submit at once each is cosigned on
// what was cosigned before it, or told what was.
func TestAWitnessAskedAtOnceNeverGoesBack(t *testing.T) {
	l := emptyLog(t)
	l.record(60, "message")
	w := newWatcher(t, "witness.example/w1", l)
	h := newHistory(t, l)
	bodies := map[[2]int64]string{}
	for old := int64(0); old <= 60; old++ {
		for size := max(old, 1); size <= 60; size++ {
			bodies[[2]int64{old, size}] = h.submission(old, size)
		}
	}
	var mu sync.Mutex
	steps := map[int64]int64{} // guarded by mu: from which size to which, where it grew
	var all sync.WaitGroup
	for worker := range int64(8) {
		all.Go(func() {
			old := int64(0)
			for size := 1 + worker; size <= 60; {
				status, _, answer := w.post(t, bodies[[2]int64{old, size}])
				switch status {
				case http.StatusOK:
					mu.Lock()
					if was, ok := steps[old]; ok && old != size && was != size {
						t.Errorf("it went from %d to %d and to %d", old, was, size)
					}
					if old != size {
						steps[old] = size
					}
					mu.Unlock()
					old, size = size, size+1+worker%3
				case http.StatusConflict:
					if _, err := fmt.Sscan(answer, &old); err != nil {
						t.Error(err)
						return
					}
					size = max(size, old)
				default:
					t.Errorf("%d %s", status, answer)
					return
				}
			}
		})
	}
	all.Wait()
	at := int64(0)
	for ; steps[at] != 0; at = steps[at] {
		require.Greater(t, steps[at], at)
	}
	status, _, answer := w.post(t, bodies[[2]int64{0, 60}])
	require.Equal(t, http.StatusConflict, status)
	require.Equal(t, fmt.Sprintln(at), answer) // what it answered is a chain, to its end
}

// TestAWitnessKeyHasOneSpelling: and a secret one is never said.
func TestAWitnessKeyHasOneSpelling(t *testing.T) {
	secret, public, err := notary.GenerateCosigner("witness.example/w1")
	require.NoError(t, err)
	signer, err := notary.NewCosigner(secret)
	require.NoError(t, err)
	v, err := notary.NewCosignatureVerifier(public)
	require.NoError(t, err)
	require.Equal(t, v, signer.Verifier())
	_, logs, err := note.GenerateKey(nil, "log")
	require.NoError(t, err)
	for _, bad := range []string{"", "a", "a+b", logs, public + "A", public[:len(public)-1], strings.ToUpper(public), " " + public, strings.Replace(public, "w1", "w2", 1), secret} {
		_, err := notary.NewCosignatureVerifier(bad)
		require.ErrorIs(t, err, notary.ErrKey, bad)
	}
	for _, bad := range []string{"", public, secret + "A", strings.Replace(secret, "w1", "w2", 1), strings.TrimPrefix(secret, "PRIVATE+")} {
		_, err := notary.NewCosigner(bad)
		require.ErrorIs(t, err, notary.ErrKey)
		require.Less(t, len(err.Error()), 80)
	}
	for _, name := range []string{"", "a b", "a+b", "a\n"} {
		_, _, err := notary.GenerateCosigner(name)
		require.ErrorIs(t, err, notary.ErrKey, "%q", name)
	}
}
