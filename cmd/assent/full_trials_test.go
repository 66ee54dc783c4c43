//go:build trials

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A lack is what a disk or a process can be short of.
type lack struct {
	name string
	// make makes a service whose disk can be spoilt, and mended.
	make func(t *testing.T) (s *frail, spoil, mend func(t *testing.T))
	// total: no command can be taken meanwhile. Else what is open already may do.
	total bool
}

var lacks = []lack{
	{"a disk that is full", fullDisk, true},
	{"a disk that became read-only", failing(func(o op) syscall.Errno {
		if o.n > 0 || o.rw {
			return syscall.EROFS
		}
		return 0
	}), true},
	{"a disk on which nothing can be opened", failing(func(o op) syscall.Errno {
		if o.kind == "open" || o.kind == "create" {
			return syscall.EMFILE
		}
		return 0
	}), false},
	{"a process without descriptors", noDescriptors, false},
}

// fullDisk is a tmpfs that is filled up.
func fullDisk(t *testing.T) (s *frail, spoil, mend func(t *testing.T)) {
	at := t.TempDir()
	tool(t, "mount", "-t", "tmpfs", "-o", "size=256m", "trial", at)
	t.Cleanup(func() { _ = exec.Command("umount", at).Run() })
	s = &frail{running: &running{bin: binary(t), data: filepath.Join(at, "ledger")}}
	s.start(t)
	t.Cleanup(func() { s.kill() })
	ballast := filepath.Join(at, "ballast")
	spoil = func(*testing.T) {
		_ = exec.Command("dd", "if=/dev/zero", "of="+ballast, "bs=4k").Run() // ends when the disk is full
	}
	return s, spoil, func(t *testing.T) { require.NoError(t, os.Remove(ballast)) }
}

// failing is a file system of ours.
func failing(fault func(op) syscall.Errno) func(t *testing.T) (s *frail, spoil, mend func(t *testing.T)) {
	return func(t *testing.T) (s *frail, spoil, mend func(t *testing.T)) {
		s = newFrail(t)
		require.NoError(t, s.begin())
		return s, func(*testing.T) { s.fs.set(fault) }, func(*testing.T) { s.fs.set(nil) }
	}
}

// noDescriptors lets the running process open nothing more.
func noDescriptors(t *testing.T) (s *frail, spoil, mend func(t *testing.T)) {
	s = newFrail(t)
	require.NoError(t, s.begin())
	var was unix.Rlimit
	limit := func(t *testing.T, to uint64) {
		require.NoError(t, unix.Prlimit(s.cmd.Process.Pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: to, Max: was.Max}, nil))
	}
	require.NoError(t, unix.Prlimit(s.cmd.Process.Pid, unix.RLIMIT_NOFILE, nil, &was))
	return s, func(t *testing.T) { limit(t, 3) }, func(t *testing.T) { limit(t, was.Cur) }
}

// TestADiskThatTakesNothingHeals: while nothing can be written, or nothing more be
// opened, each command is answered within 5 s, by `unavailable` where it can't be
// recorded, and questions are answered; once that is over, commands are taken again by
// themselves. Nothing that was acknowledged is lost (trials R08, R09 and R10).
func TestADiskThatTakesNothingHeals(t *testing.T) {
	for _, l := range lacks {
		t.Run(l.name, func(t *testing.T) {
			s, spoil, mend := l.make(t)
			require.Equal(t, 50, s.send(t, "before", 1, 50), "it is well at first")
			clerk, auditor := s.reach(t, "clerk"), s.reach(t, "auditor")
			spoil(t)
			// What room the files have yet is used up first, and what is open is closed
			// after a while: so it lasts for as long as such a thing may take.
			var slowest time.Duration
			taken, refused := 0, 0
			for began := time.Now(); time.Since(began) < 6*time.Second || l.total && refused == 0 && time.Since(began) < time.Minute; {
				sentAt := time.Now()
				a := &sent{plain: wanted(clerk, "meanwhile", taken+refused)}
				a.answer = clerk.command(t.Context(), a.plain)
				s.log = append(s.log, a)
				slowest = max(slowest, time.Since(sentAt))
				if taken++; a.answer.open() {
					taken--
					refused++
					<-time.After(200 * time.Millisecond) // as whoever sends it again does
				}
				_, err := auditor.ask(t.Context(), 5*time.Second, map[string]any{"ask": "status"})
				require.NoError(t, err, "questions go on: %d taken, %d not: %s", taken, refused, s.stderr)
			}
			require.False(t, s.gone(), "%s", s.stderr)
			mend(t)
			mended := time.Now()
			clerk.close()
			auditor.close()
			for s.send(t, "again", 1, 1) == 0 {
				require.False(t, s.gone(), "%s", s.stderr)
				require.Less(t, time.Since(mended), 15*time.Second, "it doesn't serve again: %s", s.stderr)
				<-time.After(50 * time.Millisecond)
			}
			healed := time.Since(mended)
			require.Equal(t, 50, s.send(t, "after", 1, 50))
			acks, lost := s.check(t)
			t.Logf("%s: meanwhile %d taken and %d not, after %v at most, serving again after %v: %d acks, %d lost",
				l.name, taken, refused, slowest.Round(time.Millisecond), healed.Round(time.Millisecond), acks, lost)
			require.Less(t, slowest, 5*time.Second)
			require.Equal(t, l.total, refused > 0 && l.total)
			require.Zero(t, lost)
			s.verified(t)
		})
	}
}
