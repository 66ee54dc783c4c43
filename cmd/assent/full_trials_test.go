//go:build trials

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/commands"
)

// TestAFullDiskHeals: on a full disk commands are `unavailable` within 5 s and
// questions are answered; once there is room, commands are taken again by themselves,
// and nothing acknowledged is lost (trial R08).
func TestAFullDiskHeals(t *testing.T) {
	at := t.TempDir()
	tool(t, "mount", "-t", "tmpfs", "-o", "size=256m", "trial", at)
	t.Cleanup(func() { _ = exec.Command("umount", at).Run() })
	r := &running{bin: binary(t), data: filepath.Join(at, "ledger")}
	r.start(t)
	t.Cleanup(func() { r.kill() })
	c := r.dial(t, "clerk")
	var log []*sent
	n := 0
	send := func() *answer {
		n++
		if c.nc.IsClosed() { // the ledger was opened anew
			c = r.dial(t, "clerk")
		}
		plain := &commands.Plain{Name: "party.register", Data: fmt.Appendf(nil,
			`{"party":"p%d","category":"external","kind":"person","name":"Person"}`, n)}
		s := &sent{plain, c.command(t.Context(), plain), time.Now()}
		log = append(log, s)
		return s.answer
	}
	for range 50 {
		require.False(t, send().open())
	}
	ballast := filepath.Join(at, "ballast")
	_ = exec.Command("dd", "if=/dev/zero", "of="+ballast, "bs=4k").Run() // ends when the disk is full
	var took time.Duration
	for { // what room the files have yet is used up first
		began := time.Now()
		a := send()
		took = time.Since(began)
		if a.open() {
			break
		}
		require.Less(t, n, 20_000, "the disk is never full")
	}
	replayed(t, r) // questions go on
	require.NoError(t, os.Remove(ballast))
	freed := time.Now()
	for send().open() {
		require.Less(t, time.Since(freed), 15*time.Second, "it doesn't serve again: %s", r.stderr)
		<-time.After(50 * time.Millisecond)
	}
	healed := time.Since(freed)
	recorded, acks, lost := r.recorded(t), 0, 0
	for _, s := range log {
		if s.answer.open() {
			continue
		}
		acks++
		if e := recorded[string(s.plain.ID)]; len(e) != 1 || e[0].seq != uint64(s.answer.Seq) {
			lost++
		}
	}
	t.Logf("unavailable after %v, serving again %v after there was room: %d acks, %d lost", took, healed, acks, lost)
	require.Less(t, took, 5*time.Second)
	require.Zero(t, lost)
}
