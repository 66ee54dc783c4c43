package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/eventstore/notary"
)

// signs says whether the key signed the ledger's last checkpoint.
func (r *running) signs(t testing.TB, public string) bool {
	h, err := findHome(r.data, "")
	require.NoError(t, err)
	signed, err := os.ReadFile(filepath.Join(h.notaryDir(), checkpointName))
	require.NoError(t, err)
	known, err := knownKeys(public)
	require.NoError(t, err)
	_, err = notary.OpenCheckpoint(signed, originOf(h), known)
	return err == nil
}

func (r *running) logKey(t testing.TB) string {
	h, err := findHome(r.data, "")
	require.NoError(t, err)
	key, err := h.logKey()
	require.NoError(t, err)
	return key
}

// does runs the binary on this ledger, and is to succeed.
func (r *running) does(t testing.TB, args ...string) string {
	t.Helper()
	out, err := r.run(append(args, "--data", r.data)...)
	require.NoError(t, err, "%v: %s", args, out)
	return out
}

// rekeyed replaces the log's key, and returns once its file is in place.
func (r *running) rekeyed(t testing.TB) string {
	said := r.does(t, "ledger", "rekey", "--as", "admin")
	_, key, ok := strings.Cut(strings.TrimSpace(said), "the log's key is now ")
	require.True(t, ok, said)
	require.Eventually(t, func() bool {
		h, err := findHome(r.data, "")
		require.NoError(t, err)
		is, err := h.logKey()
		return err == nil && is == key
	}, 10*time.Second, 10*time.Millisecond)
	return key
}

// TestTheLogsKeyIsReplaced: ledger.rekey names a new key. From the checkpoint on that
// has it both sign; whoever knows one of them can verify, and an earlier checkpoint, of
// the old key alone, is gone on from (design, 9).
func TestTheLogsKeyIsReplaced(t *testing.T) {
	r := serveFresh(t)
	require.NoError(t, r.app(t, "clerk", parties(0, 5), &bytes.Buffer{}).applyAll(t))
	first := r.logKey(t)
	require.NoError(t, r.signal(syscall.SIGTERM))
	earlier := filepath.Join(t.TempDir(), "earlier")
	require.NoError(t, copyFile(filepath.Join(r.data, "notary", checkpointName), earlier))
	r.start(t)

	second := r.rekeyed(t)
	require.NotEqual(t, first, second)
	require.NoFileExists(t, r.at("keys/log.key.next"))
	require.NoError(t, r.app(t, "clerk", parties(5, 10), &bytes.Buffer{}).applyAll(t))
	r.restart(t, syscall.SIGKILL)
	require.NoError(t, r.signal(syscall.SIGTERM))
	require.True(t, r.signs(t, first), "for 30 days")
	require.True(t, r.signs(t, second))
	require.Contains(t, r.does(t, "verify"), second)
	r.does(t, "verify", "--key", first)
	require.Contains(t, r.does(t, "verify", "--key", second, "--checkpoint", earlier), "goes on from the checkpoint")
	bundle := filepath.Join(t.TempDir(), "ledger.assent")
	r.does(t, "export", "--out", bundle)
	out, err := r.run("verify", bundle, "--key", second)
	require.NoError(t, err, out)

	// Once more, and killed at once: the next start finishes it.
	r.start(t)
	_, err = r.run("ledger", "rekey", "--as", "admin", "--data", r.data)
	require.NoError(t, err)
	r.restart(t, syscall.SIGKILL)
	require.NoError(t, r.app(t, "clerk", parties(10, 15), &bytes.Buffer{}).applyAll(t))
	require.NoError(t, r.signal(syscall.SIGTERM))
	third := r.logKey(t)
	require.NotEqual(t, second, third)
	require.True(t, r.signs(t, second))
	require.True(t, r.signs(t, third))
	require.False(t, r.signs(t, first))
	require.Contains(t, r.does(t, "verify", "--checkpoint", earlier), "goes on from the checkpoint")
	out, err = r.run("verify", "--key", first, "--data", r.data)
	require.Error(t, err)
	require.Contains(t, out, "did not sign the checkpoint")
}

// TestALostLogKeyIsReplaced: without it the ledger doesn't start unless it is told to;
// then it takes commands, and signs nothing before ledger.rekey names another key.
func TestALostLogKeyIsReplaced(t *testing.T) {
	r := serveFresh(t)
	require.NoError(t, r.app(t, "clerk", parties(0, 5), &bytes.Buffer{}).applyAll(t))
	r.restart(t, syscall.SIGKILL)
	require.NoError(t, r.app(t, "clerk", parties(5, 10), &bytes.Buffer{}).applyAll(t))
	_ = r.signal(syscall.SIGKILL) // with events that no checkpoint has
	first := r.logKey(t)
	require.NoError(t, os.Remove(r.at("keys/log.key")))
	said, started := r.tryStart(t)
	require.False(t, started)
	require.Contains(t, said, "if it is lost, start with --lost-log-key and replace it with `assent ledger rekey`")

	s, line, err := startServe(r.bin, ".", os.Environ(), "--data", r.data, "--lost-log-key")
	require.NoError(t, err, line)
	r.served = s
	require.NoError(t, r.app(t, "clerk", parties(10, 15), &bytes.Buffer{}).applyAll(t))
	status := ""
	require.Eventually(t, func() bool {
		status = r.does(t, "status", "--as", "auditor", "--json")
		return strings.Contains(status, "no checkpoint has them")
	}, 10*time.Second, 50*time.Millisecond)
	require.Contains(t, status, "the log's key is to be "+first)
	second := r.rekeyed(t)
	require.Eventually(t, func() bool {
		return !strings.Contains(r.does(t, "status", "--as", "auditor", "--json"), "log's key")
	}, 10*time.Second, 50*time.Millisecond)
	require.NoError(t, r.signal(syscall.SIGTERM))
	require.True(t, r.signs(t, second))
	require.NoFileExists(t, r.at("keys/log.key.before"))
	r.start(t)
	require.NoError(t, r.signal(syscall.SIGTERM))
	require.Contains(t, r.does(t, "verify"), "the checkpoint of root")
}

// TestTheOldKeySignsFor30Days, and no longer; a key that isn't here is an alarm.
func TestTheOldKeySignsFor30Days(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ledger")
	code, _, errs := assent(t, "init", "--data", dir)
	require.Equal(t, 0, code, errs)
	h, err := findHome(dir, "")
	require.NoError(t, err)
	first, err := h.logKey()
	require.NoError(t, err)
	s := quietService(t, h)
	s.listen = "127.0.0.1:0"
	stop := func() { s.stop() }
	defer func() { stop() }()
	require.NoError(t, s.start(t.Context(), plan{}))
	require.NoError(t, s.admit())
	began := time.Now()
	inPlace := func(want string) {
		require.Eventually(t, func() bool {
			l, err := s.ledger()
			require.NoError(t, err)
			return string(l.Log) == want && s.rekeyed.Load() == 0
		}, 10*time.Second, 10*time.Millisecond)
	}
	code, out, errs := assent(t, "ledger", "rekey", "--data", dir, "--as", "admin")
	require.Equal(t, 0, code, errs)
	require.Contains(t, out, "the log's key is now ")
	_, second, _ := strings.Cut(strings.TrimSpace(out), "the log's key is now ")
	inPlace(second)
	s.settleLogKeys(began.Add(bothSign - time.Minute))
	_, keys, err := h.logKeys()
	require.NoError(t, err)
	require.Len(t, keys, 2)
	require.Equal(t, first, keys[1])
	s.settleLogKeys(time.Now().Add(bothSign))
	_, keys, err = h.logKeys()
	require.NoError(t, err)
	require.Len(t, keys, 1)
	require.Equal(t, second, keys[0])
	require.Empty(t, s.allAlarms())

	code, _, errs = assent(t, "ledger", "rekey", "--data", dir, "--as", "admin", "--log", first)
	require.Equal(t, 0, code, errs)
	inPlace(first)
	s.settleLogKeys(time.Now())
	require.Contains(t, strings.Join(s.allAlarms(), "\n"), "the log's key is to be "+first)
	require.Contains(t, strings.Join(s.allAlarms(), "\n"), h.logKeyPath(nextSuffix), "in the place of the one that signs it would be no key of the last checkpoint")
	stop()
	stop = func() {}
	r := &running{bin: binary(t), data: dir}
	out, err = r.run("verify", "--data", dir)
	require.Error(t, err)
	require.Contains(t, out, "the key of the log that is in force, "+first+", did not sign the checkpoint")
}
