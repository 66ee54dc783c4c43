//go:build trials

package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var ooms = flag.Int("ooms", 5, "how often TestOutOfMemoryIsAKill has the kernel kill the service")

// A group is a control group whose memory can be limited.
type group struct{ dir, limit, usage, events string }

func newGroup(t *testing.T) *group {
	g := &group{"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "memory.oom_control"}
	if isFile("/sys/fs/cgroup/cgroup.controllers") {
		g = &group{"/sys/fs/cgroup", "memory.max", "memory.current", "memory.events"}
	}
	g.dir = filepath.Join(g.dir, fmt.Sprintf("assent-trial-%d", os.Getpid()))
	require.NoError(t, os.Mkdir(g.dir, 0o755), "control groups of memory, as root, are wanted")
	t.Cleanup(func() { _ = os.Remove(g.dir) })
	return g
}

func (g *group) path(name string) string { return filepath.Join(g.dir, name) }

// within is a program that runs another one in the group.
func (g *group) within(t *testing.T, bin string) string {
	path := filepath.Join(t.TempDir(), "within")
	script := fmt.Sprintf("#!/bin/sh\necho $$ > %s && exec %s \"$@\"\n", g.path("cgroup.procs"), bin)
	require.NoError(t, os.WriteFile(path, []byte(script), 0o700))
	return path
}

// tighten sets the limit to what is used, and some bytes; where that can't be at once,
// it is left as it is.
func (g *group) tighten(t *testing.T, more int) {
	b, err := os.ReadFile(g.path(g.usage))
	require.NoError(t, err)
	used, err := strconv.Atoi(strings.TrimSpace(string(b)))
	require.NoError(t, err)
	_ = os.WriteFile(g.path(g.limit), []byte(strconv.Itoa(used+more)), 0)
}

func (g *group) loosen(t *testing.T) {
	require.NoError(t, os.WriteFile(g.path(g.limit), []byte(strconv.Itoa(4<<30)), 0))
}

// kills is how often the kernel killed a process of the group.
func (g *group) kills(t *testing.T) int {
	b, err := os.ReadFile(g.path(g.events))
	require.NoError(t, err)
	m := regexp.MustCompile(`(?m)^oom_kill (\d+)$`).FindSubmatch(b)
	require.NotNil(t, m, "%s", b)
	n, err := strconv.Atoi(string(m[1]))
	require.NoError(t, err)
	return n
}

// TestOutOfMemoryIsAKill: the kernel kills the service under callers for want of memory.
// It starts again, all that was acknowledged is there, and all of it verifies (trial R11).
func TestOutOfMemoryIsAKill(t *testing.T) {
	g := newGroup(t)
	s := &frail{running: &running{served: &served{}, bin: g.within(t, binary(t)), data: filepath.Join(t.TempDir(), "ledger")}}
	g.loosen(t)
	s.start(t)
	t.Cleanup(func() { s.kill() })
	slowest := time.Duration(0)
	for round := range *ooms {
		require.Positive(t, s.send(t, fmt.Sprint("before-", round), 4, 20))
		ended := make(chan struct{})
		go func() { // less and less, until it is too little
			defer close(ended)
			for more := 4 << 20; !s.gone(); more /= 2 {
				g.tighten(t, more)
				<-time.After(20 * time.Millisecond)
			}
		}()
		for n := 0; !s.gone(); n++ {
			require.Less(t, n, 1000, "it is never killed")
			s.send(t, fmt.Sprintf("under-%d-%d", round, n), 4, 200)
		}
		<-ended
		require.Equal(t, round+1, g.kills(t), "it ended otherwise: %s", s.stderr)
		g.loosen(t)
		down := time.Now()
		s.start(t)
		slowest = max(slowest, time.Since(down))
	}
	require.Equal(t, 2, s.send(t, "last", 1, 2))
	acks, lost := s.check(t)
	t.Logf("%d kills for want of memory: %d acks, %d lost, serving again after %v at most", *ooms, acks, lost, slowest.Round(time.Millisecond))
	require.Zero(t, lost)
	require.NoError(t, s.signal(syscall.SIGTERM))
	out, err := s.run("verify", "--data", s.data)
	require.NoError(t, err, out)
}
