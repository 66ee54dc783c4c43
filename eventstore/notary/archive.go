package notary

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// An archive is a directory of tiles and entry bundles. What is in it under its
// final name was synced before it got there. One goroutine writes it.
type archive struct {
	disk
	dir    string
	queued []file
	bytes  int             // of queued
	room   [][]byte        // what was queued before, to be filled again
	dirty  map[string]bool // directories in which something has a new name
	seen   map[string]bool // directories that are known to be there, durably once synced
}

type file struct {
	path string
	data []byte
}

func newArchive(dir string, d disk) *archive {
	return &archive{disk: d, dir: dir, dirty: map[string]bool{}, seen: map[string]bool{}}
}

// mostQueued bounds the bytes of files that wait to be written together.
const mostQueued = 2 << 20

// mostRooms are kept to be filled again, of so many bytes at most.
const (
	mostRooms = 16
	mostRoom  = 512 << 10
)

// next is room for the data of a file that is put then.
func (a *archive) next(size int) []byte {
	if n := len(a.room); n > 0 {
		b := a.room[n-1]
		a.room = a.room[:n-1]
		return slices.Grow(b[:0], size)
	}
	return make([]byte, 0, size)
}

// put has a file written with those before it, at sync at the latest; it keeps the data.
// Whatever was there under the name is replaced as a whole. Where it fails, or sync does,
// some of the files put since the last sync are there and some aren't.
func (a *archive) put(name string, data []byte) error {
	a.queued = append(a.queued, file{a.path(name), data})
	if a.bytes += len(data); a.bytes < mostQueued {
		return nil
	}
	return a.flush()
}

// flush writes what is queued, durably but for its directories, which sync is for.
func (a *archive) flush() error {
	files := a.queued
	a.queued, a.bytes = nil, 0
	for _, f := range files {
		if err := a.below(filepath.Dir(f.path)); err != nil {
			return err
		}
	}
	err := sideBySide(files, func(f file) error { return a.write(f.path+".new", f.data) })
	for _, f := range files {
		if err == nil {
			a.dirty[filepath.Dir(f.path)] = true
			err = a.rename(f.path+".new", f.path)
		}
		if len(a.room) < mostRooms && cap(f.data) <= mostRoom {
			a.room = append(a.room, f.data)
		}
	}
	return err
}

// below makes a directory below the archive's, and those on the way. Their parents are
// synced with the rest, also of those that are there: whoever made them may have been
// killed before.
func (a *archive) below(dir string) error {
	if a.seen[dir] || dir == a.dir {
		return nil
	}
	if err := a.below(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := a.mkdir(dir); err != nil {
		return err
	}
	a.dirty[filepath.Dir(dir)], a.seen[dir] = true, true
	return nil
}

func (a *archive) path(name string) string { return filepath.Join(a.dir, filepath.FromSlash(name)) }

// sync makes durable all that was put, and under which names it is.
func (a *archive) sync() error {
	if err := a.flush(); err != nil {
		return err
	}
	if err := sideBySide(slices.Collect(maps.Keys(a.dirty)), a.syncDir); err != nil {
		return err
	}
	clear(a.dirty)
	return nil
}

// sweep removes the partial tiles and bundles of a number that is full now.
func (a *archive) sweep(level int, n uint64) error {
	partial := []string{tilePath(level, n, 1)}
	if level == 0 {
		partial = append(partial, bundlePath(n, 1))
	}
	for _, name := range partial {
		dir := filepath.Dir(a.path(name))
		delete(a.seen, dir)
		delete(a.dirty, dir)
		if err := a.remove(dir); err != nil {
			return err
		}
	}
	return nil
}

// empty says whether nothing was ever archived here.
func (a *archive) empty() (bool, error) {
	names, err := os.ReadDir(a.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return !slices.ContainsFunc(names, func(d fs.DirEntry) bool { return d.Name() == "tile" }), err
}
