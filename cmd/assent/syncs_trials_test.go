//go:build trials

package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var syncs = flag.Int("syncs", 24, "how often TestAnErrorOfASyncIsNoAck has a sync fail")

// gone says whether the service has ended by itself.
func (s *frail) gone() bool {
	select {
	case err := <-s.ended:
		s.ended <- err
		return true
	default:
		return false
	}
}

// clearly says that a service which ended said why in one line, and didn't break down.
func clearly(t testing.TB, said string) string {
	lines := strings.Split(strings.TrimSpace(strings.TrimPrefix(said, "serve said nothing: ")), "\n")
	last := lines[len(lines)-1]
	if !strings.HasPrefix(last, "assent: ") || strings.Contains(said, "goroutine ") {
		t.Errorf("it ended without saying why: %s", said)
	}
	return last
}

// TestAnErrorOfASyncIsNoAck: the n-th sync of a file of the stream, the archive, the
// checkpoint or the read models fails, once or from then on, as the ledger is made,
// started again, served or stopped. The disk loses what that sync was to save, and says no more
// of it: the next sync succeeds. Nothing that was acknowledged is lost, whenever that
// was: the service goes on soundly, or takes no command, or ends and says why; once the
// disk is well it serves again, by itself or started anew, and is sound after a power
// cut (trial R05).
func TestAnErrorOfASyncIsNoAck(t *testing.T) {
	r := rand.New(rand.NewPCG(*faultSeed, 5))
	began, all, acks, lost, failed := time.Now(), left{}, 0, 0, 0
	ends := map[string]int{}
	for i := range *syncs {
		c := syncCase{
			part: []string{"nats", "archive", "notary", "models", ""}[i%5],
			when: []string{"made", "started", "served", "served", "stopped"}[r.IntN(5)],
			then: []string{"mended", "mended", "stopped", "killed", "cut off"}[r.IntN(5)],
			all:  r.IntN(2) == 0,
		}
		most := map[string]int{"made": 12, "started": 8, "served": 30, "stopped": 4}[c.when]
		if c.part != "nats" && c.when == "served" {
			most = 5 // they are synced twice a second
		}
		c.n = 1 + r.IntN(most)
		s := newFrail(t)
		n, at, end := c.play(t, s, r)
		failed += n
		if n == 0 {
			end = "not reached"
		}
		ends[end]++
		s.kill()
		s.fs.unmount(t)
		here := s.fs.powerCut(t, r, r.Float64())
		all.doomed += here.doomed
		s.fs.mount(t)
		name := fmt.Sprintf("case %d: %+v: %s: %+v, then %+v", i, c, end, at, here)
		if err := s.begin(); err != nil {
			t.Errorf("%s: it doesn't start after the power cut: %s", name, err)
			continue
		}
		a, l := s.check(t)
		acks, lost = acks+a, lost+l
		s.verified(t)
		s.fs.unmount(t)
		if l > 0 {
			t.Errorf("%s: %d acks, %d lost", name, a, l)
		}
	}
	t.Logf("%d cases in %v, %d syncs failed, %d writes lost by it: %v; %d acks, %d lost",
		*syncs, time.Since(began).Round(time.Second), failed, all.doomed, ends, acks, lost)
	require.Positive(t, failed)
	require.Zero(t, lost)
}

// A syncCase is which sync fails, and what is done about it.
type syncCase struct {
	part string // of the data directory
	n    int    // the how-manieth
	all  bool   // and those after it
	when string // what the service is doing
	then string // what becomes of it
}

// play plays the case. It says how many syncs failed, the first of them, and how the
// service took it.
func (c *syncCase) play(t *testing.T, s *frail, r *rand.Rand) (failed int, at *op, end string) {
	if c.when != "made" {
		require.NoError(t, s.begin())
		s.send(t, "first", 4, 10)
	}
	if c.when == "started" {
		_ = s.signal([]syscall.Signal{syscall.SIGTERM, syscall.SIGKILL}[r.IntN(2)])
	}
	seen := 0
	s.fs.set(func(o op) syscall.Errno {
		if o.kind != "sync" || o.done || !o.under(c.part) {
			return 0
		}
		if seen++; seen != c.n && (!c.all || seen < c.n) {
			return 0
		}
		if at == nil {
			at = &o
		}
		failed++
		return syscall.EIO
	})
	anew := func(how string) (int, *op, string) {
		s.fs.set(nil)
		s.kill()
		if err := s.begin(); err != nil {
			t.Errorf("%+v: %s: it doesn't start once the disk is well: %s", c, how, err)
			return failed, at, how
		}
		s.send(t, "last", 4, 10)
		return failed, at, how
	}
	if c.when == "made" || c.when == "started" {
		if err := s.begin(); err != nil {
			t.Logf("%+v: %s", c, clearly(t, strings.TrimSuffix(err.Error(), "\n\nexit status 1")))
			return anew("didn't start")
		}
	}
	if c.when == "stopped" {
		if err := s.signal(syscall.SIGTERM); err != nil {
			t.Logf("%+v: %v: %s", c, err, clearly(t, s.stderr.String()))
		}
		return anew("stopped")
	}
	s.send(t, "then", 4, 40)
	if s.gone() {
		t.Logf("%+v: %s", c, clearly(t, s.stderr.String()))
		return anew("ended")
	}
	switch c.then {
	case "stopped":
		if err := s.signal(syscall.SIGTERM); err != nil {
			t.Logf("%+v: %v: %s", c, err, clearly(t, s.stderr.String()))
		}
		return anew("stopped since")
	case "killed":
		return anew("killed since")
	case "cut off":
		return failed, at, "cut off"
	}
	s.fs.set(nil)
	mended := time.Now()
	for n := 0; s.send(t, fmt.Sprint("mended-", n), 1, 1) == 0; n++ {
		if s.gone() || time.Since(mended) > 15*time.Second {
			t.Errorf("%+v: it doesn't serve again: %s", c, s.stderr)
			return failed, at, "never mended"
		}
		<-time.After(50 * time.Millisecond)
	}
	s.send(t, "last", 4, 10)
	if strings.Contains(s.stderr.String(), errAnew.Error()) {
		return failed, at, "mended itself"
	}
	return failed, at, "went on"
}
