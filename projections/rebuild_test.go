package projections

import (
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/domain"
)

// Questions are answered from the old models as long as a rebuild lasts, and from
// the new ones after it; views that were taken before go on.
func TestARebuildIsSwappedInUnderThoseWhoAsk(t *testing.T) {
	l := some(t)
	s := built(t, l)
	want := digest(t, s)
	live := s.Live()
	asked := 0
	require.NoError(t, Rebuild(t.Context(), l, s, func(done, total uint64) {
		asked++
		require.Equal(t, want, digest(t, s))
		_, ok := live.Get(domain.Key{Kind: domain.KindClient, C: "client-7"})
		require.True(t, ok)
	}))
	require.Positive(t, asked)
	require.Equal(t, "g-000002", s.gen.Load().name)
	require.Equal(t, want, digest(t, s))
	_, ok := live.Get(domain.Key{Kind: domain.KindClient, C: "client-7"})
	require.True(t, ok)
	names, err := s.cfg.fs.List("models")
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"current", "g-000002", "lock"}, names)
	l.client("late")
	require.NoError(t, s.Apply(l.events[len(l.events)-3:][:0]))
	require.NoError(t, Replay(t.Context(), l, s, nil))
}

// Models of another version are built anew, and kept until the new ones are whole.
func TestModelsOfAnotherVersionAreBuiltAnew(t *testing.T) {
	l := newLedger(t)
	l.client("acme")
	mem := vfs.NewMem()
	s, err := OpenStore("models", Config{fs: mem})
	require.NoError(t, err)
	require.NoError(t, Replay(t.Context(), l, s, nil))
	want := digest(t, s)
	require.NoError(t, s.gen.Load().db.Set(modelsKey, []byte("facts 0"), nil))
	require.NoError(t, s.Close())

	s, err = OpenStore("models", Config{fs: mem})
	require.NoError(t, err)
	require.ErrorIs(t, s.Apply(nil), ErrNotBuilt)
	names, err := mem.List("models")
	require.NoError(t, err)
	require.Contains(t, names, "g-000001")
	require.NoError(t, Replay(t.Context(), l, s, nil))
	require.Equal(t, want, digest(t, s))
	require.NoError(t, s.Close())
}

// The power goes at some operation on the disk during a rebuild: the next start has
// the old models or the new, and both are right.
func TestACrashAtAnyMomentOfARebuildIsHarmless(t *testing.T) {
	l := newLedger(t)
	l.client("acme")
	start := vfs.NewCrashableMem()
	s, err := OpenStore("models", Config{fs: start})
	require.NoError(t, err)
	require.NoError(t, Replay(t.Context(), l, s, nil))
	want := digest(t, s)
	require.NoError(t, s.Close())

	finished := false
	for at := int64(0); !finished; at++ {
		for _, percent := range []int{0, 50, 100} {
			disk := start.CrashClone(vfs.CrashCloneCfg{})
			var after *vfs.MemFS
			var n atomic.Int64
			cut := errorfs.InjectorFunc(func(errorfs.Op) error {
				if n.Add(1) == at+1 {
					after = disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(uint64(at), 1))})
				}
				return nil
			})
			s, err := OpenStore("models", Config{fs: disk})
			require.NoError(t, err)
			s.cfg.fs = errorfs.Wrap(disk, cut)
			require.NoError(t, Rebuild(t.Context(), l, s, nil))
			finished = n.Load() <= at
			require.NoError(t, s.Close())
			if finished {
				break
			}

			s, err = OpenStore("models", Config{fs: after})
			require.NoError(t, err)
			require.NoError(t, Replay(t.Context(), l, s, nil), "after operation %d", at)
			require.Equal(t, want, digest(t, s), "after operation %d", at)
			require.NoError(t, s.Close())
			names, err := after.List("models")
			require.NoError(t, err)
			require.Len(t, names, 3, "%v after operation %d", names, at)
		}
	}
}

// A disk that fails at some operation breaks the rebuild off: the old models answer.
func TestADiskThatFailsDuringARebuildLeavesTheOldModels(t *testing.T) {
	l := newLedger(t)
	l.client("acme")
	disk := vfs.NewMem()
	s, err := OpenStore("models", Config{fs: disk})
	require.NoError(t, err)
	require.NoError(t, Replay(t.Context(), l, s, nil))
	want := digest(t, s)
	full := errors.New("the disk is full")
	for _, what := range []string{"current.new", ".log", "MANIFEST"} {
		s.cfg.fs = errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind == errorfs.OpCreate && contains(op.Path, what) {
				return full
			}
			return nil
		}))
		require.ErrorIs(t, Rebuild(t.Context(), l, s, nil), full, what)
		require.Equal(t, want, digest(t, s))
		s.cfg.fs = disk
		names, err := disk.List("models")
		require.NoError(t, err)
		require.NotContains(t, names, "g-000002", what)
	}
	require.NoError(t, Rebuild(t.Context(), l, s, nil))
	require.Equal(t, want, digest(t, s))
	require.NoError(t, s.Close())
}

func contains(path, what string) bool {
	for i := range len(path) - len(what) + 1 {
		if path[i:i+len(what)] == what {
			return true
		}
	}
	return false
}

// Where the log of the models can't be written any more, Apply says so and nothing
// else goes wrong: what is recorded is known still, and the next start stands at an
// earlier event.
func TestADiskThatFailsBreaksTheStoreAndNothingElse(t *testing.T) {
	l := some(t)
	want := digest(t, built(t, l))
	full := errors.New("the disk is full")
	for _, kind := range []errorfs.OpKind{errorfs.OpFileWrite, errorfs.OpCreate, errorfs.OpFileSyncData, errorfs.OpFileSync} {
		disk := vfs.NewCrashableMem()
		var fails atomic.Bool
		s, err := OpenStore("models", Config{fs: errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if fails.Load() && op.Kind == kind && (contains(op.Path, ".log") || kind == errorfs.OpFileSync) {
				return full
			}
			return nil
		}))})
		require.NoError(t, err)
		short := &spoilt{ledger: l, messages: l.messages[:100]}
		require.NoError(t, run(t.Context(), short, domainView(t, s), s.Apply, 1, 100, nil))
		fails.Store(true)
		i := 100
		for ; err == nil && i < len(l.events); i++ {
			err = s.Apply(l.events[i : i+1])
		}
		for ; i < len(l.events); i++ {
			require.ErrorIs(t, err, ErrBroken, kind)
			require.ErrorContains(t, err, "the disk is full")
			err = s.Apply(l.events[i : i+1])
		}
		require.ErrorIs(t, err, ErrBroken)
		require.NoError(t, s.Wait(t.Context(), uint64(len(l.events))))
		require.Equal(t, want, digest(t, s), kind)
		_, ok := s.Live().Get(domain.Key{Kind: domain.KindClient, C: "client-1"})
		require.True(t, ok)
		require.NoError(t, s.Close())
		s, err = OpenStore("models", Config{fs: disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})})
		require.NoError(t, err)
		require.NoError(t, Replay(t.Context(), l, s, nil))
		require.Equal(t, want, digest(t, s), kind)
		require.NoError(t, s.Close())
	}
}

// The same for the manifest, while tables are written and merged: Pebble would end the
// process. What it still names must not be removed, since the next start needs it.
func TestAManifestThatCantBeWrittenBreaksTheStoreAndNothingElse(t *testing.T) {
	l := some(t)
	want := digest(t, built(t, l))
	full := errors.New("the disk is full")
	const killed = -1 // the process is, and the power stays
	for _, kind := range []errorfs.OpKind{errorfs.OpFileWrite, errorfs.OpFileSync} {
		for _, synced := range []int{0, 50, 100, killed} {
			disk := vfs.NewCrashableMem()
			var fails atomic.Bool
			s, err := OpenStore("models", Config{fs: errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
				if fails.Load() && op.Kind == kind && contains(op.Path, "MANIFEST") {
					return full
				}
				return nil
			}))})
			require.NoError(t, err)
			require.NoError(t, Replay(t.Context(), nothing{}, s, nil))
			next := 0
			more := func(to int) {
				require.NoError(t, s.Apply(l.events[next:to]))
				next = to
			}
			db := s.gen.Load().db
			for _, to := range []int{50, 100, 150} {
				more(to)
				require.NoError(t, db.Flush())
			}
			more(160)
			fails.Store(true)
			_ = db.Flush()
			_ = db.Compact(t.Context(), []byte{0}, []byte{255}, false)
			for i := next; i < len(l.events); i++ {
				err = s.Apply(l.events[i : i+1])
				require.ErrorIs(t, err, ErrBroken, kind)
				require.ErrorContains(t, err, "the disk is full")
			}
			require.Equal(t, want, digest(t, s), kind)
			require.NoError(t, s.Close())
			if synced != killed {
				disk = disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: synced, RNG: rand.New(rand.NewPCG(1, 1))})
			}
			s, err = OpenStore("models", Config{fs: disk})
			require.NoError(t, err)
			at, _ := s.Position()
			require.GreaterOrEqual(t, at, uint64(150), "it is as it was before")
			require.NoError(t, Replay(t.Context(), l, s, nil))
			require.Equal(t, want, digest(t, s), kind)
			require.NoError(t, s.Close())
		}
	}
}

// Where a directory or a table can't be synced as the models are opened, once or from
// then on, that is an error, if it matters, and nothing breaks down or waits for ever: the
// next start, even after the power went, has all.
func TestASyncThatFailsAsTheModelsAreOpenedIsAnError(t *testing.T) {
	l := some(t)
	want := digest(t, built(t, l))
	start := vfs.NewCrashableMem()
	s, err := OpenStore("models", Config{fs: start})
	require.NoError(t, err)
	short := &spoilt{ledger: l, messages: l.messages[:100]}
	require.NoError(t, run(t.Context(), short, domainView(t, s), s.Apply, 1, 100, nil))
	lost := errors.New("input/output error")
	errs := 0
	for at, reached := int64(1), true; reached; at++ {
		for _, once := range []bool{true, false} {
			disk := start.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
			var n atomic.Int64
			var well atomic.Bool
			s, err := OpenStore("models", Config{fs: errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
				if op.Kind != errorfs.OpFileSync || well.Load() {
					return nil
				}
				if k := n.Add(1); k == at || !once && k > at {
					return lost
				}
				return nil
			}))})
			if err == nil {
				err = Replay(t.Context(), l, s, nil)
				well.Store(true)
				_ = s.Close()
			}
			well.Store(true)
			reached = n.Load() >= at
			if err != nil {
				errs++
				require.ErrorIs(t, err, lost)
			}
			s, err = OpenStore("models", Config{fs: disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rand.New(rand.NewPCG(uint64(at), 1))})})
			require.NoError(t, err)
			require.NoError(t, Replay(t.Context(), l, s, nil))
			require.Equal(t, want, digest(t, s), "sync %d", at)
			require.NoError(t, s.Close())
		}
	}
	require.Positive(t, errs)
	require.NoError(t, s.Close())
}

func domainView(t *testing.T, s *Store) domain.View {
	require.NoError(t, Replay(t.Context(), nothing{}, s, nil))
	return s.Live()
}
