package notary

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"
)

// copies records messages one after the other, each of them promised by its copy, some
// by a checkpoint besides. It ends at the first error; seen is what was promised until
// then.
func (k *kit) copies(t *testing.T) (seen uint64, err error) {
	for range 2 {
		n, err := Open(t.Context(), k.cfg)
		if err != nil {
			return seen, err
		}
		for i, count := range []int{1, 200, 1, 60, 2} {
			k.told(n, count)
			last := uint64(len(k.stream.messages))
			err = n.Copied(t.Context(), last)
			if err == nil && i == 2 {
				err = n.Wait(t.Context(), last)
			}
			if err != nil {
				break
			}
			seen = last
		}
		if err != nil {
			_ = n.Close() // its disk is gone
			return seen, err
		}
		if err := n.Close(); err != nil {
			return seen, err
		}
	}
	return seen, nil
}

// second is what the archive alone has: up to the checkpoint and beyond.
func (k *kit) second(t *testing.T) (messages [][]byte) {
	signed, err := os.ReadFile(filepath.Join(k.cfg.Dir, checkpointFile))
	if err != nil {
		return nil
	}
	c, err := OpenCheckpoint(signed, origin, k.cfg.Known)
	require.NoError(t, err)
	a, err := OpenArchive(os.DirFS(k.cfg.Archive), k.cfg.Archive, c)
	require.NoError(t, err)
	for i := range a.Bundles() {
		_, more, err := a.Bundle(i)
		require.NoError(t, err)
		messages = append(messages, more...)
	}
	more, err := a.Beyond()
	require.NoError(t, err)
	return append(messages, more...)
}

// TestACopyOutlivesAPowerCut: what Copied promised the archive has by itself, wherever
// the power goes.
func TestACopyOutlivesAPowerCut(t *testing.T) {
	chance := rand.New(rand.NewPCG(5, 5))
	for at := range effects(t, small, (*kit).copies) {
		k := newKit(t)
		small(k)
		base := memory(t)
		k.cfg.Dir, k.cfg.Archive = filepath.Join(base, "notary"), filepath.Join(base, "archive")
		l := &lossy{base: base, left: at, root: learn(t, base)}
		k.cfg.tap = l.tap
		seen, _ := k.copies(t)
		again := *k
		into := memory(t)
		again.cfg.Dir, again.cfg.Archive = filepath.Join(into, "notary"), filepath.Join(into, "archive")
		again.stream = &held{messages: slices.Clone(k.stream.messages)}
		again.cfg.Stream = again.stream
		l.root.after(t, chance, into)
		has := again.second(t)
		require.GreaterOrEqual(t, uint64(len(has)), seen, "effect %d", at)
		for i, m := range has {
			require.Equal(t, k.stream.messages[i], m)
		}
		again.cfg.tap = (&fault{}).tap
		again.recovered(t, 0)
	}
}

// TestAJournalThatFailsOnce: whatever fails, what waits is promised in the end, and what
// was promised stays promised, also where the process ends then.
func TestAJournalThatFailsOnce(t *testing.T) {
	counts := []int{1, 200, 1, 60, 2}
	for at := range effects(t, small, (*kit).copies) {
		for _, happens := range []bool{false, true} {
			f := &fault{left: at + 1, happens: happens, once: true, roots: map[uint64]tlog.Hash{}}
			k := newKit(t)
			small(k)
			k.cfg.tap = f.tap
			n, err := Open(t.Context(), k.cfg)
			if err != nil {
				n = k.open(t)
			}
			for _, count := range counts[:1+at%len(counts)] {
				k.told(n, count)
				last := uint64(len(k.stream.messages))
				require.Eventually(t, func() bool { return n.Copied(t.Context(), last) == nil }, time.Minute, time.Millisecond)
			}
			f.end()
			_ = n.Close() // its disk is gone
			require.NoError(t, f.twice)
			require.Equal(t, k.stream.messages, k.second(t))
			k.recovered(t, 0)
		}
	}
}

// small has a journal that goes round in no time.
func small(k *kit) { k.cfg.segment = 5_000 }

// TestAStreamThatLostWhatWasCopiedIsRefused: what it acknowledged is in the archive,
// though no checkpoint has it.
func TestAStreamThatLostWhatWasCopiedIsRefused(t *testing.T) {
	k := newKit(t)
	f := &fault{left: -1, roots: map[uint64]tlog.Hash{}}
	k.cfg.tap = f.tap
	n := k.open(t)
	k.take(t, n, 300)
	k.told(n, 5)
	require.NoError(t, n.Copied(t.Context(), 305))
	require.EqualValues(t, 300, n.Size())
	f.end()
	require.Error(t, n.Close())
	k.cfg.tap = nil
	require.Equal(t, k.stream.messages, k.second(t))
	all := k.stream.messages
	k.stream.messages = all[:303]
	require.Equal(t, "the stream: it ends at event 303, and the archive has 305", k.refusedBy(t).Error())
	k.stream.messages = append(slices.Clone(all[:303]), []byte("another"), all[304])
	require.Equal(t, "event 304: the stream holds other bytes than the archive", k.refusedBy(t).Error())
	k.stream.messages = all
	k.recovered(t, 0)
	require.Equal(t, k.stream.messages, k.second(t))
}

// TestTheJournalGoesRound: through more than both of its files, with several that wait.
func TestTheJournalGoesRound(t *testing.T) {
	k := newKit(t)
	k.cfg.segment = 500_000
	n := k.open(t)
	for range 5 {
		var all sync.WaitGroup
		for range 40 {
			k.stream.mu.Lock()
			k.stream.messages = append(k.stream.messages, bytes.Repeat([]byte{byte(len(k.stream.messages))}, 60_000))
			seq := uint64(len(k.stream.messages))
			n.Take(seq, k.stream.messages[seq-1])
			k.stream.mu.Unlock()
			all.Go(func() {
				if err := n.Copied(t.Context(), seq); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		for range 3 {
			k.told(n, 1)
			require.NoError(t, n.Copied(t.Context(), uint64(len(k.stream.messages))))
		}
	}
	require.NoError(t, n.Close())
	k.recovered(t, 0)
}

// TestAnAlteredJournalGivesNothingElse: it ends before what is altered.
func TestAnAlteredJournalGivesNothingElse(t *testing.T) {
	j, err := openJournal(memory(t), disk{}, 5_000)
	require.NoError(t, err)
	messages := [][]byte{[]byte("one"), []byte("two"), {}, []byte("four")}
	n, err := j.put(6, 7, messages)
	require.NoError(t, err)
	require.Equal(t, 4, n)
	require.NoError(t, j.close())
	path := filepath.Join(j.dir, segmentName(0))
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	end := 4*recordHeader + 10
	for at := range end + recordHeader {
		for bit := range 8 {
			bad := bytes.Clone(b[:end+100])
			bad[at] ^= 1 << bit
			count := 0
			records(bad, func(seq uint64, m []byte) {
				require.Equal(t, messages[seq-7], append([]byte{}, m...))
				count++
			})
			require.Equal(t, at >= end, count == 4)
		}
	}
}

// FuzzRecords: what is read is what was written, and nothing panics.
func FuzzRecords(f *testing.F) {
	f.Add(appendRecord(appendRecord(nil, 1, []byte("a")), 2, nil))
	f.Add(make([]byte, 40))
	f.Fuzz(func(t *testing.T, b []byte) {
		var again []byte
		records(b, func(seq uint64, m []byte) { again = appendRecord(again, seq, m) })
		require.True(t, bytes.HasPrefix(b, again))
	})
}
