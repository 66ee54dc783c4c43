package projections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/qtccc/assent/domain"
)

// bare is an event of a history that says nothing but its sequence.
func bare(seq uint64, history string) Applied {
	message := []byte(fmt.Sprintf("%s %d %s", history, seq, strings.Repeat("x", int(seq*7%40))))
	return Applied{Event: &domain.Event{Seq: domain.Seq(seq), Type: "clock.affirmed", Data: &domain.ClockAffirm{}},
		Message: message}
}

func bares(from, to uint64, history string) (all []Applied) {
	for seq := from; seq <= to; seq++ {
		all = append(all, bare(seq, history))
	}
	return all
}

// onDisk is a store with small segments.
func onDisk(t testing.TB, disk vfs.FS, per uint64) *Store {
	s, err := OpenStore("models", Config{fs: disk, Cache: 4 << 20, segment: per})
	require.NoError(t, err)
	if s.gen.Load() == nil {
		require.NoError(t, Replay(t.Context(), nothing{}, s, nil))
	}
	return s
}

// right demands that every document is the one that was applied, or missing, and
// says how many are there.
func right(t require.TestingT, s *Store, applied []Applied) (there int) {
	for i := range applied {
		seq := uint64(applied[i].Event.Seq)
		message, ok, err := s.Document(seq)
		require.NoError(t, err)
		if ok {
			there++
			require.Equal(t, string(applied[i].Message), string(message), seq)
		}
	}
	return there
}

// What was applied is there at once, in any batches and over any number of segments,
// and after the store was opened again; what wasn't, is not.
func TestADocumentIsThereOnceItIsApplied(t *testing.T) {
	disk := vfs.NewMem()
	s := onDisk(t, disk, 5)
	all := bares(1, 60, "a")
	for done := 0; done < len(all); {
		n := min(1+done%7, len(all)-done)
		require.NoError(t, s.Apply(all[done:done+n]))
		done += n
		require.Equal(t, done, right(t, s, all))
		if done%4 == 0 {
			require.NoError(t, s.Close())
			_, _, err := s.Document(1)
			require.ErrorIs(t, err, ErrClosed)
			s = onDisk(t, disk, 5)
			require.Equal(t, done, right(t, s, all))
		}
	}
	_, ok, err := s.Document(0)
	require.NoError(t, err)
	require.False(t, ok)
	require.NoError(t, s.Close())
}

// Messages of the greatest size, and none at all.
func TestDocumentsOfAnySize(t *testing.T) {
	s := onDisk(t, vfs.NewMem(), 0)
	var all []Applied
	for seq, n := range []int{0, mostDocument, 1, mostDocument + 1, mostDocument} {
		a := bare(uint64(seq+1), "a")
		a.Message = []byte(strings.Repeat("m", n))
		all = append(all, a)
	}
	for seq := uint64(6); seq <= 50; seq++ { // more than is written at a time
		a := bare(seq, "a")
		a.Message = []byte(strings.Repeat(string(rune('a'+seq%26)), mostDocument))
		all = append(all, a)
	}
	require.NoError(t, s.Apply(all))
	require.Equal(t, len(all)-2, right(t, s, all))
	require.NoError(t, s.Close())
}

// Whatever becomes of the files, a document is what was recorded or missing; the
// store goes on, and what is applied then is there.
func TestADocumentIsWhatWasRecordedOrMissing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		disk := vfs.NewMem()
		s := onDisk(t, disk, rapid.Uint64Range(1, 20).Draw(rt, "segment"))
		n := rapid.Uint64Range(1, 60).Draw(rt, "events")
		all := bares(1, n, "a")
		require.NoError(rt, s.Apply(all))
		if rapid.Bool().Draw(rt, "read before") {
			require.Equal(rt, len(all), right(rt, s, all))
		}
		reopened := rapid.Bool().Draw(rt, "reopen")
		if reopened {
			require.NoError(rt, s.Close())
		}
		for range rapid.IntRange(1, 4).Draw(rt, "damages") {
			damage(rt, disk, "models/g-000001/documents", reopened)
		}
		if reopened {
			s = onDisk(t, disk, 7)
		}
		right(rt, s, all)
		if !reopened {
			require.NoError(rt, s.Close())
			s = onDisk(t, disk, 7)
		}
		more := bares(n+1, n+20, "a")
		require.NoError(rt, s.Apply(more))
		right(rt, s, all)
		require.Equal(rt, len(more), right(rt, s, more))
		require.NoError(rt, s.Close())
	})
}

// damage does to one of the files what a crash or a bad disk may.
func damage(t *rapid.T, disk *vfs.MemFS, dir string, closed bool) {
	names, err := disk.List(dir)
	require.NoError(t, err)
	if len(names) == 0 {
		return
	}
	slices.Sort(names)
	path := disk.PathJoin(dir, rapid.SampledFrom(names).Draw(t, "file"))
	b, err := disk.UnsafeGetFileDataBuffer(path)
	require.NoError(t, err)
	from := rapid.IntRange(0, len(b)).Draw(t, "from")
	to := rapid.IntRange(from, len(b)).Draw(t, "to")
	switch kind := rapid.IntRange(0, 6).Draw(t, "damage"); {
	case kind == 0:
		clear(b[from:to])
	case kind == 1:
		for i := range b[from:to] {
			b[from+i] ^= byte(rapid.IntRange(1, 255).Draw(t, "bits"))
		}
	case kind == 2: // other's bytes
		copy(b[from:], b[:to-from])
	case !closed: // a file that is open has no other size all at once
	case kind == 3:
		rewrite(t, disk, path, b[:from])
	case kind == 4:
		rewrite(t, disk, path, append(append(append([]byte{}, b[:from]...), b[from:to]...), b[from:]...))
	case kind == 5:
		rewrite(t, disk, path, append(append([]byte{}, b[:from]...), b[to:]...))
	case kind == 6:
		require.NoError(t, disk.Remove(path))
	}
}

func rewrite(t require.TestingT, disk vfs.FS, path string, b []byte) {
	b = append([]byte{}, b...)
	f, err := disk.Create(path, vfs.WriteCategoryUnspecified)
	require.NoError(t, err)
	_, err = f.Write(b)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

// After a power cut documents are missing at most, also after several: what the
// position covers by then is the document that was applied last under its sequence,
// even where the stream lost its end and took other events there.
func TestNoDocumentOfAnotherHistoryIsSeen(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		disk := vfs.NewCrashableMem()
		per := rapid.Uint64Range(1, 12).Draw(rt, "segment")
		s := onDisk(t, disk, per)
		var all []Applied
		for life := range rapid.IntRange(2, 5).Draw(rt, "lives") {
			pos := uint64(len(all))
			all = append(all, bares(pos+1, pos+rapid.Uint64Range(1, 30).Draw(rt, "events"), fmt.Sprint("life ", life))...)
			kept := rapid.Uint64Range(pos, uint64(len(all))).Draw(rt, "durable")
			apply := func(to uint64) {
				for from := pos; from < to; {
					n := rapid.Uint64Range(1, to-from).Draw(rt, "batch")
					require.NoError(rt, s.Apply(all[from:from+n]))
					from += n
				}
				pos = to
			}
			apply(kept)
			if rapid.Bool().Draw(rt, "synced") {
				require.NoError(rt, s.gen.Load().db.LogData(nil, pebble.Sync))
			}
			apply(uint64(len(all)))
			require.Equal(rt, len(all[kept:]), right(rt, s, all[kept:]))
			crashed := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rapid.IntRange(0, 100).Draw(rt, "percent"),
				RNG: rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))})
			require.NoError(rt, s.Close())
			disk, s = crashed, onDisk(t, crashed, per)
			pos, _ = s.Position()
			all = all[:pos] // the stream lost the rest, too
			right(rt, s, all)
		}
		require.NoError(rt, s.Close())
	})
}

// The end of a process loses nothing that was applied, though nothing was closed;
// what was written for events beyond the position is not looked at.
func TestAProcessThatIsKilledLosesNoDocument(t *testing.T) {
	disk := vfs.NewCrashableMem()
	s := onDisk(t, disk, 10)
	old := bares(1, 34, "old")
	require.NoError(t, s.Apply(old[:27]))
	g := s.gen.Load()
	require.NoError(t, g.db.LogData(nil, pebble.Sync))   // Pebble hands its log to the system when it likes
	require.NoError(t, g.documents.append(28, old[27:])) // and killed before the position moved
	killed := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
	require.NoError(t, s.Close())
	s = onDisk(t, killed, 10)
	pos, _ := s.Position()
	require.Equal(t, uint64(27), pos)
	require.Equal(t, 27, right(t, s, old[:27]))
	_, ok, err := s.Document(28)
	require.NoError(t, err)
	require.False(t, ok)
	other := bares(28, 40, "new")
	require.NoError(t, s.Apply(other))
	require.Equal(t, len(other), right(t, s, other))
	names, err := killed.List("models/g-000001/documents")
	require.NoError(t, err)
	require.NotContains(t, names, "00000000000000000031.index", "it was of events that aren't applied")
	require.NoError(t, s.Close())

	for _, kind := range []string{indexFile, documentsFile} { // and no other segment stands for one that is lost
		path := "models/g-000001/documents/00000000000000000028" + kind
		whole, err := killed.UnsafeGetFileDataBuffer(path)
		require.NoError(t, err)
		require.NoError(t, killed.Remove(path))
		s = onDisk(t, killed, 10)
		require.Zero(t, right(t, s, other[:10]))
		require.Equal(t, 3, right(t, s, other[10:]))
		require.NoError(t, s.Close())
		rewrite(t, killed, path, whole)
	}
}

// An entry is of one event: what of it slipped into another's place, from whichever
// of its bytes on, stands for nothing there.
func TestAnEntryInAnothersPlaceIsMissing(t *testing.T) {
	for within := range entrySize {
		disk := vfs.NewMem()
		s := onDisk(t, disk, 0)
		all := bares(1, 9, "a")
		require.NoError(t, s.Apply(all))
		b, err := disk.UnsafeGetFileDataBuffer("models/g-000001/documents/00000000000000000001" + indexFile)
		require.NoError(t, err)
		copy(b[4*entrySize+within:], b[3*entrySize+within:8*entrySize])
		require.Less(t, right(t, s, all), 9)
		_, ok, err := s.Document(6) // all of it came from the entry before
		require.NoError(t, err)
		require.False(t, ok)
		require.NoError(t, s.Close())
	}
}

// The writer, a replay, and a rebuild of any size keep the same documents, whose
// bytes are the stream's.
func TestEveryWayInKeepsTheSameDocuments(t *testing.T) {
	l := some(t)
	replayed := built(t, l)
	written := memory(t, vfs.NewMem())
	defer written.Close()
	require.NoError(t, written.Apply(l.events))
	s := built(t, l)
	require.NoError(t, Rebuild(t.Context(), l, s, nil))
	for _, s := range []*Store{replayed, written, s} {
		for _, m := range l.messages {
			message, ok, err := s.Document(m.Seq)
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, m.Data, message)
		}
	}
	for _, name := range []string{".documents", ".index"} {
		path := "/documents/00000000000000000001" + name
		want, err := replayed.cfg.fs.(*vfs.MemFS).UnsafeGetFileDataBuffer("models/g-000001" + path)
		require.NoError(t, err)
		is, err := written.cfg.fs.(*vfs.MemFS).UnsafeGetFileDataBuffer("models/g-000001" + path)
		require.NoError(t, err)
		require.Equal(t, want, is)
	}
}

// However many segments there are and however many read them while more is applied
// and the models are rebuilt, few files are open, and none once the store is closed.
func TestDocumentsTakeFewFilesAndReadersAreSafe(t *testing.T) {
	const events, lasting = 400, 200
	dir := t.TempDir()
	s, err := OpenStore(filepath.Join(dir, "models"), Config{Cache: 4 << 20, segment: 3})
	require.NoError(t, err)
	require.NoError(t, Replay(t.Context(), nothing{}, s, nil))
	all := bares(1, events, "a")
	require.NoError(t, s.Apply(all[:lasting]))
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for reader := range uint64(4) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(reader, 1))
			for ctx.Err() == nil {
				pos, _ := s.Position()
				seq := 1 + r.Uint64N(pos)
				message, ok, err := s.Document(seq)
				if err != nil || !ok || string(message) != string(all[seq-1].Message) {
					t.Errorf("document %d: %q, %v, %v", seq, message, ok, err)
					return
				}
			}
		})
	}
	for seq := lasting; seq < events; seq++ {
		require.NoError(t, s.Apply(all[seq:seq+1]))
		d := s.gen.Load().documents
		d.mu.Lock()
		open := len(d.open)
		d.mu.Unlock()
		require.LessOrEqual(t, open, mostSegments)
	}
	cancel()
	wg.Wait()
	require.Equal(t, events, right(t, s, all))
	require.LessOrEqual(t, openFiles(t, dir), 2*mostSegments+2)
	require.NoError(t, s.Close())
	require.Zero(t, openFiles(t, dir))
}

// openFiles counts the documents that this process has open, where the system tells.
func openFiles(t *testing.T, dir string) (n int) {
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	for _, fd := range fds {
		if path, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && strings.HasPrefix(path, dir) && strings.Contains(path, "/documents/") {
			n++
		}
	}
	return n
}

// A rebuild swaps documents in with all else, and whoever reads them meanwhile goes
// on.
func TestDocumentsAreThereWhileTheModelsAreRebuilt(t *testing.T) {
	l := some(t)
	s := built(t, l)
	asked := 0
	check := func(uint64, uint64) {
		asked++
		require.Equal(t, len(l.events), right(t, s, l.events))
	}
	require.NoError(t, Rebuild(t.Context(), l, s, check))
	check(0, 0)
	require.Greater(t, asked, 1)
}

// Where documents can't be written, nothing is applied any more; where they can't be
// read, they are missing, and an operator hears of it.
func TestADiskThatFailsUnderTheDocuments(t *testing.T) {
	for _, kind := range []string{documentsFile, indexFile} {
		var writes, reads bool
		full := errors.New("the disk is full")
		var said strings.Builder
		s, err := OpenStore("models", Config{Log: slog.New(slog.NewTextHandler(&said, nil)),
			fs: errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
				if strings.HasSuffix(op.Path, kind) && (writes && op.Kind == errorfs.OpFileWrite || reads && op.Kind == errorfs.OpFileReadAt) {
					return full
				}
				return nil
			}))})
		require.NoError(t, err)
		require.NoError(t, Replay(t.Context(), nothing{}, s, nil))
		all := bares(1, 20, "a")
		require.NoError(t, s.Apply(all[:10]))
		reads = true
		require.Zero(t, right(t, s, all))
		require.Contains(t, said.String(), "the disk is full")
		reads = false
		require.Equal(t, 10, right(t, s, all))
		writes = true
		err = s.Apply(all[10:])
		require.ErrorIs(t, err, ErrBroken)
		require.ErrorIs(t, err, full)
		require.Equal(t, 10, right(t, s, all))
		require.NoError(t, s.Close())
	}
}
