//go:build trials

package main

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

var (
	mixFor  = flag.Duration("mix-for", 90*time.Second, "how long TestTheMix goes on")
	mixSeed = flag.Uint64("mix-seed", 0, "from which seed TestTheMix chooses; 0: any")
)

// A mishap befalls a service under load; when it returns, the service is to be
// started, unless it still runs.
type mishap struct {
	name string
	does func(m *mix) (runs bool)
}

// A mix is a ledger on a disk of its own, and what was sent to it.
type mix struct {
	*testing.T
	r      *running
	disk   *disk
	chance *rand.Rand
	cutAt  []time.Time
}

var mishaps = []mishap{
	{"kill", func(m *mix) bool { _ = m.r.signal(syscall.SIGKILL); return false }},
	{"stop", func(m *mix) bool { require.NoError(m, m.r.signal(syscall.SIGTERM)); return false }},
	{"pause", func(m *mix) bool {
		require.NoError(m, m.r.cmd.Process.Signal(syscall.SIGSTOP))
		<-time.After(time.Duration(m.chance.IntN(2000)) * time.Millisecond)
		require.NoError(m, m.r.cmd.Process.Signal(syscall.SIGCONT))
		return true
	}},
	{"power cut", func(m *mix) bool {
		m.cutAt = append(m.cutAt, time.Now())
		m.disk.cut(m.T)
		<-time.After(100 * time.Millisecond)
		_ = m.r.signal(syscall.SIGKILL)
		m.disk.unmount(m.T)
		m.disk.mount(m.T)
		return false
	}},
	{"full disk", func(m *mix) bool {
		m.fill(func() {})
		return true
	}},
	{"full disk, stopped", func(m *mix) bool {
		m.fill(func() { _ = m.r.signal(syscall.SIGTERM) }) // what it can't write it says
		return false
	}},
	{"full disk, killed", func(m *mix) bool {
		m.fill(func() { _ = m.r.signal(syscall.SIGKILL) })
		return false
	}},
	{"flipped bit", func(m *mix) bool {
		require.NoError(m, m.r.signal(syscall.SIGTERM))
		files := slices.DeleteFunc(m.r.files(m), func(f string) bool {
			return !slices.ContainsFunc(parts(), func(p *fileKind) bool { return p.mended && p.has(f) })
		})
		name := files[m.chance.IntN(len(files))]
		at, _ := m.r.flip(m, name, m.chance)
		m.Logf("  %s, byte %d", name, at)
		if out, err := m.r.run("repair", "--data", m.r.data); err != nil {
			m.Fatalf("repair: %v: %s", err, out)
		}
		return false
	}},
	{"models lost", func(m *mix) bool {
		_ = m.r.signal(syscall.SIGKILL)
		require.NoError(m, os.RemoveAll(filepath.Join(m.r.data, "models")))
		return false
	}},
	{"archive lost", func(m *mix) bool {
		_ = m.r.signal(syscall.SIGKILL)
		require.NoError(m, os.RemoveAll(filepath.Join(m.r.data, "archive")))
		return false
	}},
}

// fill has the disk full for a while, and something done before there is room again.
func (m *mix) fill(then func()) {
	ballast := filepath.Join(m.disk.at, "ballast")
	var room unix.Statfs_t
	require.NoError(m, unix.Statfs(m.disk.at, &room))
	most := strconv.FormatInt(int64(room.Bavail)*room.Bsize-256<<20, 10)
	tool(m.T, "fallocate", "-l", most, ballast)                               // so that what follows is quick
	_ = exec.Command("dd", "if=/dev/zero", "of="+ballast+"2", "bs=64k").Run() // ends when the disk is full
	<-time.After(5 * time.Second)                                             // after 3 it is noticed
	then()
	require.NoError(m, os.Remove(ballast))
	require.NoError(m, os.Remove(ballast+"2"))
}

// TestTheMix: one mishap after the other, chosen by a seed, with callers at it all the
// while. After each the service takes commands again within 15 s; in the end every
// command that was acknowledged stands once, where its answer said, all of it verifies,
// and the service has no more descriptors open than after the first mishaps
// (trial R29).
func TestTheMix(t *testing.T) {
	seed := *mixSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	d := newDisk(t)
	m := &mix{T: t, r: &running{bin: binary(t), data: filepath.Join(d.at, "ledger")}, disk: d, chance: rand.New(rand.NewPCG(seed, 29))}
	m.r.start(t)
	t.Cleanup(func() { m.r.kill() })
	t.Logf("seed %d", seed)
	var log []*sent
	var open []int
	befell := map[string]int{}
	slowest := time.Duration(0)
	round := 0
	for began := time.Now(); time.Since(began) < *mixFor; round++ {
		var mu sync.Mutex
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for i := range callers {
			c := m.r.dial(t, role(i))
			wg.Go(func() {
				tried := call(t, c, fmt.Sprintf("%d-%d", round, i), stop)
				mu.Lock()
				defer mu.Unlock()
				log = append(log, tried...)
			})
		}
		<-time.After(time.Duration(200+m.chance.IntN(1500)) * time.Millisecond)
		what := mishaps[m.chance.IntN(len(mishaps))]
		t.Logf("round %d: %s", round, what.name)
		befell[what.name]++
		runs := what.does(m)
		close(stop)
		wg.Wait()
		down := time.Now()
		if !runs {
			m.r.start(t)
		}
		log = append(log, m.serves(round)...)
		slowest = max(slowest, time.Since(down))
		open = append(open, m.descriptors())
	}
	recorded, acks, lost, met := m.r.recorded(t), 0, 0, 0
	for _, s := range log {
		switch e := recorded[string(s.plain.ID)]; {
		case s.answer.open():
		case slices.ContainsFunc(m.cutAt, func(c time.Time) bool { return !s.at.Before(c) && s.at.Sub(c) < 150*time.Millisecond }):
			met++ // see TestPowerCutsLoseNothing
		case len(e) != 1 || e[0].seq != uint64(s.answer.Seq) || e[0].id != string(s.answer.Event):
			lost++
			t.Logf("lost: %s, its answer %s, found %v", s.plain.ID, s.answer.document(), e)
		default:
			acks++
		}
	}
	out, err := m.r.run("redecide", "--as", "auditor", "--data", m.r.data)
	require.NoError(t, err, out)
	require.NoError(t, m.r.signal(syscall.SIGTERM))
	out, err = m.r.run("verify", "--data", m.r.data)
	require.NoError(t, err, out)
	t.Logf("%d mishaps (%v) in %v: %d commands, %d acks, %d lost (%d more as the power was cut, not counted), taken again after %v at most, descriptors %d to %d",
		round, befell, *mixFor, len(log), acks, lost, met, slowest.Round(time.Millisecond), slices.Min(open), slices.Max(open))
	require.Zero(t, lost)
	require.Positive(t, acks)
	if n := len(open); n > 20 { // a table or a block more of a ledger that has grown is none that is lost
		require.LessOrEqual(t, slices.Min(open[n-10:]), slices.Min(open[:10])+16, "descriptors: %v", open)
	}
}

// serves returns once a command is taken, with what was sent for it.
func (m *mix) serves(round int) (log []*sent) {
	var c *client
	for began, n := time.Now(), 0; ; n++ {
		require.Less(m, time.Since(began), 15*time.Second, "it doesn't serve again: %s", m.r.stderr)
		if c == nil || c.nc.IsClosed() {
			a := m.r.app(m, "clerk", "", io.Discard)
			who, err := a.who(m.r.data + "-keys")
			require.NoError(m, err)
			if c, err = a.dial(m.Context(), who); err != nil { // it is being opened anew
				c = nil
				<-time.After(20 * time.Millisecond)
				continue
			}
			m.Cleanup(c.close)
		}
		stop := make(chan struct{})
		time.AfterFunc(20*time.Millisecond, func() { close(stop) })
		tried := call(m.T, c, fmt.Sprintf("%d-after-%d", round, n), stop)
		log = append(log, tried...)
		if slices.ContainsFunc(tried, func(s *sent) bool { return !s.answer.open() }) {
			return log
		}
		<-time.After(100 * time.Millisecond)
	}
}

// descriptors is how many the service has open.
func (m *mix) descriptors() int {
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", m.r.cmd.Process.Pid))
	require.NoError(m, err)
	return len(fds)
}
