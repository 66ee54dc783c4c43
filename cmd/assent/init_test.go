package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// binary is the program under test: this test, called by the program's name.
func binary(t testing.TB) string {
	self, err := os.Executable()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "assent")
	require.NoError(t, os.Symlink(self, path))
	return path
}

// assent runs a command in this process.
func assent(t testing.TB, args ...string) (code int, out, errs string) {
	var o, e bytes.Buffer
	code = run(args, strings.NewReader(""), &o, &e)
	return code, o.String(), e.String()
}

// whole says that the ledger in dir is there with all that init makes.
func whole(t testing.TB, dir string) {
	code, _, errs := assent(t, "init", "--data", dir)
	require.Equal(t, 0, code, errs)
	h, err := findHome(dir, "")
	require.NoError(t, err)
	require.Equal(t, made, h.state)
	s := quietService(t, h)
	defer s.stop()
	require.NoError(t, s.start(t.Context(), plan{}))
	last, err := s.events.Last(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, len(firstRoles), last, "an event for each identity, and no more")
	for _, r := range firstRoles {
		who, err := openIdentity(h.keys, string(r))
		require.NoError(t, err)
		public, err := who.public()
		require.NoError(t, err)
		_, ok := s.gate.letIn(string(public))
		require.True(t, ok, "%s is known by the key in its file", r)
	}
	require.FileExists(t, filepath.Join(h.keys, "identities", "subscriber.json"))
	in, _ := s.gate.subscribers()
	require.Equal(t, []string{"subscriber"}, in)
}

func quietService(t testing.TB, h *home) *service {
	return &service{home: h, log: (&app{errs: t.Output()}).logger()}
}

// TestInitKilledAnywhereIsFinished: an init that ended after any of its steps, by
// the numbers of doc.go, is finished by the next one.
func TestInitKilledAnywhereIsFinished(t *testing.T) {
	p := plan{Name: "assent"}
	cut := func(t *testing.T, n int) (more bool) {
		h, err := findHome(filepath.Join(t.TempDir(), "ledger"), "")
		require.NoError(t, err)
		s := quietService(t, h)
		require.NoError(t, h.take())
		var steps []func(context.Context) error
		for _, step := range h.founding(p) {
			steps = append(steps, func(context.Context) error { return step() })
		}
		steps = append(steps, s.floors()...)
		for i := 0; i < n; i++ {
			if i == len(steps) && s.commands != nil {
				steps = append(steps, s.opening()...)
			}
			if i >= len(steps) {
				break
			}
			require.NoError(t, steps[i](t.Context()))
			more = i < len(steps)-1 || h.state != made
		}
		s.stop()
		// What a write that was cut short leaves is never read.
		for _, half := range []string{h.path("begun.json.new"), h.identity("clerk") + ".new"} {
			if _, err := os.Stat(filepath.Dir(half)); err == nil && h.state != made {
				require.NoError(t, os.WriteFile(half, []byte("hal"), 0o600))
			}
		}
		whole(t, h.data)
		return n == 0 || more
	}
	for n := 0; cut(t, n); n++ {
		require.Less(t, n, 50)
	}
}

// TestInitSurvivesKill: the process itself, killed at moments that nobody chose.
func TestInitSurvivesKill(t *testing.T) {
	bin := binary(t)
	for i := range 6 {
		dir := filepath.Join(t.TempDir(), "ledger")
		cmd := exec.Command(bin, "init", "--data", dir)
		require.NoError(t, cmd.Start())
		kill := time.AfterFunc(time.Duration(5+11*i)*time.Millisecond, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		kill.Stop()
		whole(t, dir)
	}
}

// TestALedgerThatLostItsEventsIsNotMadeAnew: once it is made, what is missing is
// lost.
func TestALedgerThatLostItsEventsIsNotMadeAnew(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ledger")
	code, _, errs := assent(t, "init", "--data", dir)
	require.Equal(t, 0, code, errs)
	require.NoError(t, os.Rename(filepath.Join(dir, "nats"), filepath.Join(dir, "aside")))
	h, err := findHome(dir, "")
	require.NoError(t, err)
	s := quietService(t, h)
	require.ErrorContains(t, s.start(t.Context(), plan{}), "has lost its events")
	s.stop()
	require.NoDirExists(t, filepath.Join(dir, "nats"))

	// An empty store in their place is no better.
	require.NoError(t, os.Mkdir(filepath.Join(dir, "nats"), 0o700))
	h, err = findHome(dir, "")
	require.NoError(t, err)
	s = quietService(t, h)
	require.ErrorContains(t, s.start(t.Context(), plan{}), "open the ledger's events")
	s.stop()
}

// TestALedgerWithoutItsRingServesBlind: the keys directory is there, the ring in it
// isn't.
func TestALedgerWithoutItsRingServesBlind(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ledger")
	code, _, errs := assent(t, "init", "--data", dir)
	require.Equal(t, 0, code, errs)
	require.NoError(t, os.RemoveAll(filepath.Join(dir+"-keys", "ring")))
	h, err := findHome(dir, "")
	require.NoError(t, err)
	s := quietService(t, h)
	s.listen = "127.0.0.1:0"
	defer s.stop()
	require.NoError(t, s.start(t.Context(), plan{}))
	require.NoError(t, s.admit())
	code, out, errs := assent(t, "status", "--data", dir, "--as", "auditor", "--json")
	require.Equal(t, 0, code, errs)
	require.Contains(t, out, "the key ring is missing or damaged")
	code, _, errs = assent(t, "party", "register", "--data", dir, "--as", "clerk", "--party", "li", "--category", "external", "--kind", "person", "--name", "Li Wei")
	require.Equal(t, 1, code)
	require.Contains(t, errs, "unavailable")
	require.NoDirExists(t, filepath.Join(dir+"-keys", "ring"), "a lost ring is not made anew")
}
