package notary

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"
)

// A fault is a disk on which the n-th effect ends, or fails, or both: it happened
// though. It keeps every checkpoint that was ever written.
type fault struct {
	mu      sync.Mutex
	left    int  // guarded by mu: effects that come before the fault
	happens bool // the effect of the fault happens
	once    bool // guarded by mu: what comes after it goes well; else nothing happens any more
	struck  bool // guarded by mu
	count   int  // guarded by mu: effects so far
	roots   map[uint64]tlog.Hash
	twice   error // guarded by mu: two checkpoints of one size
}

var errDead = fmt.Errorf("the disk: %w", syscall.EIO)

func (f *fault) tap(e effect, do func() error) error {
	f.mu.Lock()
	f.count++
	f.left--
	now := f.left == 0
	gone := f.struck && !f.once
	f.struck = f.struck || now
	if e.what == "write" && filepath.Base(e.path) == checkpointFile+".new" && f.roots != nil && !gone {
		f.keep(e.data)
	}
	f.mu.Unlock()
	if gone || now && !f.happens {
		return errDead
	}
	var err error
	if e.what != "sync" && e.what != "syncdir" { // a process that ends doesn't take the disk with it
		err = do()
	}
	if now {
		return errDead
	}
	return err
}

// end has nothing happen any more.
func (f *fault) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.struck, f.once = true, false
}

func (f *fault) keep(signed []byte) {
	c, err := Unsigned(signed)
	if err != nil {
		f.twice = err
		return
	}
	if was, ok := f.roots[c.Size]; ok && was != c.Root {
		f.twice = fmt.Errorf("two checkpoints of %d events", c.Size)
	}
	f.roots[c.Size] = c.Root
}

// story records, through restarts, at sizes around a tile's width. It ends at the first
// error; seen is what was promised until then.
func (k *kit) story(t *testing.T) (seen uint64, err error) {
	for _, counts := range [][]int{{1}, {254, 3}, {}, {300}} {
		n, err := Open(t.Context(), k.cfg)
		if err != nil {
			return seen, err
		}
		seen = n.Size()
		for _, count := range counts {
			k.told(n, count)
			if err = n.Wait(t.Context(), uint64(len(k.stream.messages))); err != nil {
				break
			}
			seen = uint64(len(k.stream.messages))
		}
		if err := errors.Join(err, n.Close()); err != nil {
			return seen, err
		}
	}
	return seen, nil
}

// recovered says that the notary goes on: what was promised stands, all that the stream
// has is archived, and nothing of it is another than it was.
func (k *kit) recovered(t *testing.T, seen uint64) {
	k.cfg.tap = nil
	before := Checkpoint{}
	if signed, err := os.ReadFile(filepath.Join(k.cfg.Dir, checkpointFile)); err == nil {
		before, err = OpenCheckpoint(signed, origin, k.cfg.Known)
		require.NoError(t, err)
		require.LessOrEqual(t, before.Size, uint64(len(k.stream.messages)))
		require.Equal(t, k.stream.root(before.Size), before.Root)
	}
	require.GreaterOrEqual(t, before.Size, seen)
	n := k.open(t)
	require.EqualValues(t, len(k.stream.messages), n.Size())
	k.take(t, n, 3)
	require.NoError(t, n.Close())
	k.whole(t)
}

// whole says that the archive has the stream's messages and nothing that is no use.
func (k *kit) whole(t *testing.T) {
	a, err := OpenArchive(os.DirFS(k.cfg.Archive), k.cfg.Archive, k.shown(t))
	require.NoError(t, err)
	var messages [][]byte
	for i := range a.Bundles() {
		_, more, err := a.Bundle(i)
		require.NoError(t, err)
		messages = append(messages, more...)
	}
	require.Equal(t, k.stream.messages, messages)
	require.NoError(t, filepath.WalkDir(k.cfg.Archive, func(path string, d fs.DirEntry, err error) error {
		if full, partial := strings.CutSuffix(path, ".p"); partial {
			require.NoFileExists(t, full)
		}
		require.NotEqual(t, "renewed", d.Name())
		return err
	}))
}

// effects is how many effects a story has that nothing disturbs.
func effects(t *testing.T, prepare func(*kit), story func(*kit, *testing.T) (uint64, error)) int {
	f := &fault{roots: map[uint64]tlog.Hash{}}
	k := newKit(t)
	prepare(k)
	k.cfg.tap = f.tap
	_, err := story(k, t)
	require.NoError(t, err)
	require.NoError(t, f.twice)
	return f.count
}

func nothing(*kit) {}

// wiped is a ledger whose archive is gone.
func wiped(t *testing.T) func(*kit) {
	return func(k *kit) {
		k.cfg.tap = (&fault{roots: map[uint64]tlog.Hash{}}).tap
		n := k.open(t)
		k.take(t, n, 2*tileWidth+20)
		require.NoError(t, n.Close())
		require.NoError(t, os.RemoveAll(k.cfg.Archive))
	}
}

// TestACrashAtEachStep: wherever a process ends, before an effect or after it, the next
// one goes on: no checkpoint is lost, none is of more than was taken, and there are
// never two of one size.
func TestACrashAtEachStep(t *testing.T) {
	for name, prepare := range map[string]func(*kit){"a new archive": nothing, "an archive made anew": wiped(t)} {
		for at := range effects(t, prepare, (*kit).story) {
			for _, happens := range []bool{false, true} {
				f := &fault{left: at + 1, happens: happens, roots: map[uint64]tlog.Hash{}}
				k := newKit(t)
				prepare(k)
				k.cfg.tap = f.tap
				seen, err := k.story(t)
				if !f.struck {
					continue // what is written at once is not always in the same order
				}
				if err == nil {
					require.True(t, happens || at > 0) // only tidying up was left
				}
				require.NoError(t, f.twice)
				k.recovered(t, seen)
				if t.Failed() {
					t.Fatalf("%s, effect %d, happened %v", name, at+1, happens)
				}
			}
		}
	}
}

// TestADiskThatFailsOnce: whatever fails, and whether it happened or not, is done again
// without a restart, or by the next start where it was at a start.
func TestADiskThatFailsOnce(t *testing.T) {
	for at := range effects(t, nothing, (*kit).story) {
		for _, happens := range []bool{false, true} {
			f := &fault{left: at + 1, happens: happens, once: true, roots: map[uint64]tlog.Hash{}}
			k := newKit(t)
			k.cfg.tap = f.tap
			var n *Notary
			for restart := range 4 {
				var err error
				if n, err = Open(t.Context(), k.cfg); err != nil {
					require.ErrorIs(t, err, errDead)
					require.False(t, errors.As(err, new(*Damage)))
					n = k.open(t)
				}
				for range restart {
					k.told(n, 150)
					if n.Wait(t.Context(), uint64(len(k.stream.messages))) != nil {
						k.told(n, 1) // what is tried again isn't what was tried
						require.Eventually(t, func() bool { return n.Wait(t.Context(), uint64(len(k.stream.messages))) == nil }, time.Minute, time.Millisecond)
					}
				}
				if err := n.Close(); err != nil {
					require.ErrorIs(t, err, errDead)
				}
			}
			require.NoError(t, f.twice)
			k.recovered(t, uint64(len(k.stream.messages)))
			if t.Failed() {
				t.Fatalf("effect %d, happened %v", at+1, happens)
			}
		}
	}
}

// A lossy disk remembers what of it would be there after the power went: of what isn't
// synced each thing or nothing of it.
type lossy struct {
	mu   sync.Mutex
	base string
	left int   // guarded by mu: effects until the power goes
	root *node // guarded by mu
}

// A node is a file or a directory.
type node struct {
	now, synced map[string]*node // of a directory: as it is seen, and as it was synced
	data, kept  []byte           // of a file: the same; nil: it wasn't synced yet
}

func newDir() *node { return &node{now: map[string]*node{}, synced: map[string]*node{}} }

// at is what is there, and the directory that it is in.
func (l *lossy) at(path string) (in *node, name string) {
	rel, _ := filepath.Rel(l.base, path)
	in = l.root
	for dir := filepath.Dir(rel); dir != "."; {
		first, rest, more := strings.Cut(dir, "/")
		in = in.now[first]
		if dir = rest; !more {
			break
		}
	}
	return in, filepath.Base(rel)
}

func (l *lossy) tap(e effect, do func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left == 0 {
		return errDead
	}
	l.left--
	in, name := l.at(e.path)
	switch e.what {
	case "write":
		in.now[name] = &node{data: slices.Clone(e.data)}
	case "sync":
		in.now[name].kept = slices.Clone(in.now[name].data)
		return nil
	case "overwrite":
		copy(in.now[name].data[e.at:], e.data)
	case "mkdir":
		if in.now[name] == nil {
			in.now[name] = newDir()
		}
	case "rename":
		to, as := l.at(e.to)
		to.now[as] = in.now[name]
		delete(in.now, name)
	case "remove":
		delete(in.now, name)
	case "syncdir":
		dir := l.root
		if e.path != l.base {
			dir = in.now[name]
		}
		dir.synced = maps.Clone(dir.now)
		return nil
	}
	return do()
}

// after writes what is left of a directory.
func (d *node) after(t *testing.T, chance *rand.Rand, into string) {
	left := maps.Clone(d.synced)
	for _, name := range slices.Sorted(maps.Keys(d.now)) {
		if d.synced[name] != d.now[name] && chance.IntN(2) == 0 {
			left[name] = d.now[name]
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.synced)) {
		if d.now[name] == nil && chance.IntN(2) == 0 {
			delete(left, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		path, n := filepath.Join(into, name), left[name]
		if n.now != nil {
			require.NoError(t, os.MkdirAll(path, 0o700))
			n.after(t, chance, path)
			continue
		}
		require.NoError(t, os.WriteFile(path, n.left(chance), 0o600))
	}
}

// TestAPowerCutAtEachStep: what was promised stands, whichever of the things that
// weren't synced are lost.
func TestAPowerCutAtEachStep(t *testing.T) {
	chance := rand.New(rand.NewPCG(5, 5))
	for name, prepare := range map[string]func(*kit){"a new archive": nothing, "an archive made anew": wiped(t)} {
		for at := range effects(t, prepare, (*kit).story) {
			k := newKit(t)
			base := memory(t)
			k.cfg.Dir, k.cfg.Archive = filepath.Join(base, "notary"), filepath.Join(base, "archive")
			prepare(k)
			l := &lossy{base: base, left: at, root: learn(t, base)}
			k.cfg.tap = l.tap
			seen, _ := k.story(t)
			for range 2 {
				again := *k
				into := memory(t)
				again.cfg.Dir, again.cfg.Archive = filepath.Join(into, "notary"), filepath.Join(into, "archive")
				again.stream = &held{messages: slices.Clone(k.stream.messages)}
				again.cfg.Stream = again.stream
				l.root.after(t, chance, into)
				again.cfg.tap = (&fault{roots: map[uint64]tlog.Hash{}}).tap
				again.recovered(t, seen)
				if t.Failed() {
					t.Fatalf("%s, effect %d", name, at)
				}
			}
		}
	}
}

// left is what a file has: of what wasn't synced any part.
func (n *node) left(chance *rand.Rand) []byte {
	if n.kept == nil {
		return n.data[:chance.IntN(len(n.data)+1)]
	}
	data := slices.Clone(n.kept)
	for at := 0; at < len(data); at += 512 {
		if sector := n.data[at:min(at+512, len(data))]; chance.IntN(2) == 0 {
			copy(data[at:], sector)
		}
	}
	return data
}

// learn takes what is in a directory as synced.
func learn(t *testing.T, dir string) *node {
	d := newDir()
	names, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range names {
		n := &node{}
		if path := filepath.Join(dir, e.Name()); e.IsDir() {
			n = learn(t, path)
		} else {
			n.data, err = os.ReadFile(path)
			require.NoError(t, err)
			n.kept = slices.Clone(n.data)
		}
		d.now[e.Name()], d.synced[e.Name()] = n, n
	}
	return d
}
