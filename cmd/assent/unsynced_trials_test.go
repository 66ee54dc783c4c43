//go:build trials

package main

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A journal is what was written into a file and isn't surely on the disk, oldest first.
// Without all of it the file is as the disk surely has it.
type journal struct {
	f       *os.File
	changes []change
}

// A change is a write, or a cut to a length. It knows what was there before.
type change struct {
	off  int64
	new  []byte
	cuts bool

	old  []byte
	size int64
	fate fate
}

// A fate is what becomes of a change once the power is cut.
type fate int

const (
	chance fate = iota // nobody knows
	synced             // it is kept
	doomed             // a sync of it failed: it is lost, whatever a later sync says, though it is read until then
)

// remember is called before a change.
func (f *faultFS) remember(path string, c change) syscall.Errno {
	ino, ok := inode(path)
	if !ok { // a file without a name: nothing is left of it
		return 0
	}
	j := f.files[ino]
	if j == nil {
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return syscall.EIO
		}
		j = &journal{f: file}
		f.files[ino] = j
	}
	info, err := j.f.Stat()
	if err != nil {
		return syscall.EIO
	}
	c.size = info.Size()
	c.new = slices.Clone(c.new)
	c.old = make([]byte, len(c.new))
	if c.cuts {
		c.old = make([]byte, max(0, c.size-c.off))
	}
	n, err := readUpTo(j.f, c.old, c.off)
	if err != nil {
		return syscall.EIO
	}
	c.old = c.old[:n]
	j.changes = append(j.changes, c)
	return 0
}

// settle says what became of all changes of the file whose fate nobody knew.
func (f *faultFS) settle(path string, as fate) {
	ino, _ := inode(path)
	j := f.files[ino]
	if j == nil {
		return
	}
	for i := range j.changes {
		if j.changes[i].fate == chance {
			j.changes[i].fate = as
		}
	}
	if !slices.ContainsFunc(j.changes, func(c change) bool { return c.fate != synced }) {
		f.drop(ino)
	}
}

// forget is called before the file loses its name.
func (f *faultFS) forget(path string) {
	if ino, ok := inode(path); ok {
		f.drop(ino)
	}
}

func (f *faultFS) drop(ino uint64) {
	if j := f.files[ino]; j != nil {
		_ = j.f.Close()
		delete(f.files, ino)
	}
}

// A left is what a power cut left of the changes that were not synced.
type left struct{ kept, torn, lost, doomed int }

// powerCut has the disk be what a power cut may leave of it: of each write that was not
// synced it is a matter of chance whether it is kept, and the last one that is kept of
// each file is torn at some byte. Nothing may have the file system mounted.
func (f *faultFS) powerCut(t testing.TB, r *rand.Rand, keep float64) (c left) {
	for _, dir := range linkedFrom(t, f.back) {
		require.NoError(t, os.RemoveAll(dir))
	}
	for _, ino := range slices.Sorted(maps.Keys(f.files)) {
		j := f.files[ino]
		for _, ch := range slices.Backward(j.changes) {
			require.NoError(t, ch.undo(j.f))
		}
		last := -1
		for i := range j.changes {
			ch := &j.changes[i]
			switch {
			case ch.fate == chance && r.Float64() < keep:
				last = i
				c.kept++
			case ch.fate == chance:
				ch.fate = doomed
				c.lost++
			case ch.fate == doomed:
				c.doomed++
			}
		}
		for i, ch := range j.changes {
			if ch.fate == doomed {
				continue
			}
			if i == last && len(ch.new) > 0 {
				ch.new = ch.new[:r.IntN(len(ch.new))]
				c.torn++
			}
			require.NoError(t, ch.redo(j.f))
		}
		f.drop(ino)
	}
	return c
}

// linkedFrom are the directories in memory that something below dir links to: a power cut
// takes them.
func linkedFrom(t testing.TB, dir string) (dirs []string) {
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // it is in use
			return nil
		}
		if err != nil || d.Type() != fs.ModeSymlink {
			return err
		}
		if to, err := os.Readlink(path); err == nil {
			dirs = append(dirs, to)
		}
		return nil
	}))
	return dirs
}

func (c *change) undo(f *os.File) error {
	_, err := f.WriteAt(c.old, c.off)
	return errors.Join(err, f.Truncate(c.size))
}

func (c *change) redo(f *os.File) error {
	if c.cuts {
		return f.Truncate(c.off)
	}
	_, err := f.WriteAt(c.new, c.off)
	return err
}

// TestAPowerCutOfOursTakesWhatIsNotSynced: the file system that the trials rest on keeps
// what was synced, and of the rest what chance has kept, the last of it torn.
func TestAPowerCutOfOursTakesWhatIsNotSynced(t *testing.T) {
	f := newFaultFS(t)
	write := func(sync bool) {
		file, err := os.OpenFile(f.at+"/file", os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
		require.NoError(t, err)
		defer file.Close()
		for range 100 {
			_, err := file.Write([]byte("0123456789"))
			require.NoError(t, err)
		}
		if sync {
			require.NoError(t, file.Sync())
		}
	}
	cut := func(keep float64) []byte {
		f.unmount(t)
		f.powerCut(t, rand.New(rand.NewPCG(1, 1)), keep)
		f.mount(t)
		b, err := os.ReadFile(f.at + "/file")
		require.NoError(t, err)
		return b
	}
	write(true)
	write(false)
	require.Len(t, cut(0), 1000)
	write(false)
	b := cut(0.5)
	require.Greater(t, len(b), 1000)
	require.Less(t, len(b), 2000)
	require.Contains(t, string(b), "\x00", "a hole")
	write(true)
	n := len(b) + 1000
	f.set(func(o op) syscall.Errno {
		if o.kind == "sync" {
			return syscall.EIO
		}
		return 0
	})
	file, err := os.OpenFile(f.at+"/file", os.O_RDWR, 0)
	require.NoError(t, err)
	_, err = file.WriteAt([]byte("lost"), 0)
	require.NoError(t, err)
	require.ErrorIs(t, file.Sync(), syscall.EIO)
	f.set(nil)
	require.NoError(t, file.Sync(), "it says so, and it isn't")
	_, err = file.Seek(0, io.SeekStart)
	require.NoError(t, err)
	b, err = io.ReadAll(file)
	require.NoError(t, err)
	require.Equal(t, "lost", string(b[:4]), "read until the power is cut")
	require.NoError(t, file.Close())
	b = cut(1)
	require.Len(t, b, n)
	require.Equal(t, "0123", string(b[:4]))
}
