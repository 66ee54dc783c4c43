package notary_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/eventstore/notary"
)

// benchLog is a log on the disk of temporary files, of messages as long as a granted
// access is.
func benchLog(b *testing.B) *log {
	l := emptyLog(b)
	dir := b.TempDir()
	l.cfg.Dir, l.cfg.Archive = filepath.Join(dir, "notary"), filepath.Join(dir, "archive")
	return l
}

func (l *log) random(count int) {
	for range count {
		m := make([]byte, 932)
		_, _ = rand.Read(m)
		l.messages = append(l.messages, m)
	}
}

// BenchmarkArchive: in rounds of so many messages, each round waited for: until there
// is a checkpoint, and until there is a copy, as --two-copies does.
func BenchmarkArchive(b *testing.B) {
	for name, wait := range map[string]func(*notary.Notary, context.Context, uint64) error{
		"checkpoint": (*notary.Notary).Wait, "copy": (*notary.Notary).Copied} {
		for _, round := range []int{1, 16, 256, 4_096, 16_384} {
			b.Run(fmt.Sprint(name, "/", round), func(b *testing.B) {
				l := benchLog(b)
				l.cfg.Every = 0
				l.random(round)
				all := &endless{log: l}
				l.cfg.Stream = all
				n, err := notary.Open(b.Context(), l.cfg)
				require.NoError(b, err)
				b.SetBytes(int64(round) * 932)
				seq := uint64(0)
				for b.Loop() {
					for i := range round {
						seq++
						n.Take(seq, l.messages[i])
					}
					require.NoError(b, wait(n, context.Background(), seq))
				}
				b.ReportMetric(float64(seq)/b.Elapsed().Seconds(), "messages/s")
				require.NoError(b, n.Close())
			})
		}
	}
}

// endless is a stream of the same messages over and over.
type endless struct{ *log }

func (e *endless) Last(context.Context) (uint64, error) { return 0, nil }

func (e *endless) Read(_ context.Context, from, to uint64, each func(uint64, []byte) error) error {
	for seq := from; seq <= to; seq++ {
		if err := each(seq, e.messages[(seq-1)%uint64(len(e.messages))]); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkBundle: read and found right, on as many cores as -cpu says. The files are
// in the system's cache.
func BenchmarkBundle(b *testing.B) {
	l := benchLog(b)
	l.random(100_000)
	n, err := notary.Open(b.Context(), l.cfg)
	require.NoError(b, err)
	c, err := notary.OpenCheckpoint(n.Signed(), origin, l.cfg.Known)
	require.NoError(b, err)
	require.NoError(b, n.Close())
	b.ResetTimer()
	a, err := notary.OpenArchive(os.DirFS(l.cfg.Archive), l.cfg.Archive, c)
	require.NoError(b, err)
	var at atomic.Uint64
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, _, err := a.Bundle(at.Add(1) % (a.Bundles() - 1)); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(256*float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

// BenchmarkCheck: of messages one after the other, and anywhere.
func BenchmarkCheck(b *testing.B) {
	l := benchLog(b)
	l.random(100_000)
	n, err := notary.Open(b.Context(), l.cfg)
	require.NoError(b, err)
	for name, step := range map[string]uint64{"in order": 1, "anywhere": 25_771} {
		b.Run(name, func(b *testing.B) {
			seq := uint64(0)
			for b.Loop() {
				seq = (seq + step) % 100_000
				if err := n.Check(seq+1, l.messages[seq]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	require.NoError(b, n.Close())
}

// BenchmarkOpen: of a ledger of 100,000 events.
func BenchmarkOpen(b *testing.B) {
	l := benchLog(b)
	l.random(100_000)
	n, err := notary.Open(b.Context(), l.cfg)
	require.NoError(b, err)
	require.NoError(b, n.Close())
	for b.Loop() {
		n, err := notary.Open(b.Context(), l.cfg)
		require.NoError(b, err)
		require.NoError(b, n.Close())
	}
}

// BenchmarkCosign: over HTTP on this machine, the witness' disk and all.
func BenchmarkCosign(b *testing.B) {
	l := emptyLog(b)
	l.record(5_000, "message")
	w := newWatcher(b, "witness.example", l)
	w.cfg.Dir = b.TempDir()
	w.restart(b)
	h := newHistory(b, l)
	bodies := make([]string, 5_000)
	for i := range bodies {
		bodies[i] = h.submission(int64(i), int64(i+1))
	}
	var once sync.Once
	at := 0
	for b.Loop() {
		if at == len(bodies) {
			once.Do(func() { b.Log("the log is short for that") })
			break
		}
		status, _, _ := w.post(b, bodies[at])
		require.Equal(b, 200, status)
		at++
	}
}
