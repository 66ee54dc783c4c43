//go:build trials

package main

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/eventstore/yardstick"
)

var torn = flag.Int("torn", 30, "how often TestTornAndUnsyncedWritesLoseNothing cuts the power")

// TestTornAndUnsyncedWritesLoseNothing: the power is cut at some operation while a
// ledger is made, served or started again; of what was not synced chance keeps some
// writes and not others, and tears the last of each file. All that was acknowledged is
// there, and all of it verifies (trials R06 and R07).
func TestTornAndUnsyncedWritesLoseNothing(t *testing.T) {
	const lives = 10 // of one ledger
	r := rand.New(rand.NewPCG(*faultSeed, 6))
	began, all, acks, lost := time.Now(), left{}, 0, 0
	var s *frail
	for i := range *torn {
		if i%lives == 0 {
			s = newFrail(t)
		}
		keep := []float64{0, 0.5, 0.9, 1}[r.IntN(4)]
		s.cut(t, r, keep, func() {
			s.live(t, fmt.Sprint("life-", i), 1+r.IntN(600), r.IntN(2) == 0, 110)
		}, &all)
		if i%lives == lives-1 || i == *torn-1 {
			require.NoError(t, s.begin(), "round %d", i)
			s.send(t, "last", 2, 2)
			a, l := s.check(t)
			acks, lost = acks+a, lost+l
			s.verified(t)
			s.fs.unmount(t)
			t.Logf("round %d: %d acks, %d lost", i, a, l)
		}
	}
	t.Logf("%d power cuts in %v: %d writes that were not synced kept, %d of them torn, %d not: %d acks, %d lost",
		*torn, time.Since(began).Round(time.Second), all.kept, all.torn, all.lost, acks, lost)
	require.Positive(t, all.torn)
	require.Positive(t, all.lost)
	require.Zero(t, lost)
}

// cut has the power cut at the end of a life.
func (s *frail) cut(t testing.TB, r *rand.Rand, keep float64, live func(), all *left) {
	live()
	s.fs.unmount(t)
	c := s.fs.powerCut(t, r, keep)
	s.fs.mount(t)
	all.kept, all.torn, all.lost, all.doomed = all.kept+c.kept, all.torn+c.torn, all.lost+c.lost, all.doomed+c.doomed
}

// TestTheDiskOfOursTakesWhatAStreamDoesNotSync: the same file system takes acknowledged
// messages from a stream that is synced lazily, without which R06 says nothing.
func TestTheDiskOfOursTakesWhatAStreamDoesNotSync(t *testing.T) {
	f := newFaultFS(t)
	acks, kept := 0, uint64(0)
	lazily := func(do func(jetstream.JetStream)) {
		s, err := yardstick.StartLazy(f.at + "/lazy")
		require.NoError(t, err)
		defer s.Stop()
		nc, err := s.Connect()
		require.NoError(t, err)
		defer nc.Close()
		js, err := jetstream.New(nc)
		require.NoError(t, err)
		do(js)
	}
	lazily(func(js jetstream.JetStream) {
		_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}})
		require.NoError(t, err)
		for range 500 {
			_, err := js.Publish(t.Context(), "s", []byte("message"))
			require.NoError(t, err)
			acks++
		}
		f.end()
	})
	f.unmount(t)
	c := f.powerCut(t, rand.New(rand.NewPCG(1, 1)), 0.5)
	f.mount(t)
	lazily(func(js jetstream.JetStream) {
		if s, err := js.Stream(t.Context(), "S"); err == nil {
			kept = s.CachedInfo().State.Msgs
		} else {
			require.ErrorIs(t, err, jetstream.ErrStreamNotFound)
		}
	})
	t.Logf("1 power cut: %d acks, %d lost, %+v", acks, uint64(acks)-kept, c)
	require.Less(t, kept, uint64(acks), "nothing is lost: the trial is blind")
}

// TestAFileWrittenInPlaceIsTornAtSomeStep: ended at each of its operations in turn, what
// puts a file in the place of another leaves the old or the new one, and what writes it
// in place leaves neither at some (the control of trial R04); a power cut as well (R06).
func TestAFileWrittenInPlaceIsTornAtSomeStep(t *testing.T) {
	was, is := bytes.Repeat([]byte("old\n"), 1000), bytes.Repeat([]byte("new\n"), 3000)
	half := func(cut bool, put func(path string) error) (torn int) {
		for n, over := 1, false; !over; n++ {
			f := newFaultFS(t)
			require.NoError(t, os.WriteFile(f.back+"/file", was, 0o600))
			f.set(func(o op) syscall.Errno {
				if o.n > n {
					return syscall.EIO
				}
				return 0
			})
			over = put(f.at+"/file") == nil
			f.unmount(t)
			if cut {
				f.powerCut(t, rand.New(rand.NewPCG(uint64(n), 1)), 0.5)
			}
			b, err := os.ReadFile(f.back + "/file")
			require.NoError(t, err)
			if !bytes.Equal(b, was) && !bytes.Equal(b, is) {
				torn++
			}
		}
		return torn
	}
	for _, cut := range []bool{false, true} {
		require.Zero(t, half(cut, func(path string) error { return replaceFile(path, is, 0o600) }))
		require.Positive(t, half(cut, func(path string) error { return os.WriteFile(path, is, 0o600) }))
	}
	require.Positive(t, half(true, func(path string) error { // not synced before it is renamed
		err := os.WriteFile(path+".new", is, 0o600)
		if err == nil {
			err = os.Rename(path+".new", path)
		}
		return err
	}))
}
