package notary

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// A disk is where every effect of the package goes through, so that a test can end,
// fail or forget it between any two.
type disk struct {
	tap func(effect, func() error) error // nil: what is to be done is done
}

// An effect is one thing done to a disk.
type effect struct {
	what string // mkdir, write, overwrite, sync, rename, syncdir or remove
	path string
	to   string // of a rename
	data []byte // of a write
	at   int64  // of an overwrite
}

func (d disk) do(e effect, how func() error) error {
	if d.tap == nil {
		return how()
	}
	return d.tap(e, how)
}

// replace puts data in the place of a file, or where none was. It is durable once the
// directory is synced; where it fails the file is as it was, or it is the new one.
func (d disk) replace(path string, data []byte) error {
	if err := d.write(path+".new", data); err != nil {
		return err
	}
	return d.rename(path+".new", path)
}

// large is from how many bytes on a file is a bundle, or as good as one: it is seldom read
// again, and its memory serves for the next one instead of all that the machine has.
const large = 64 << 10

// write writes a file and syncs it.
func (d disk) write(path string, data []byte) error {
	var f *os.File
	err := d.do(effect{what: "write", path: path, data: data}, func() (err error) {
		if f, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600); err != nil {
			return err
		}
		_, err = f.Write(data)
		return err
	})
	if err == nil {
		err = d.do(effect{what: "sync", path: path}, func() error { return f.Sync() })
	}
	if err == nil && len(data) >= large {
		forget(f)
	}
	if f != nil {
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		_ = d.remove(path) // the disk may be full of it
	}
	return err
}

func (d disk) rename(from, to string) error {
	return d.do(effect{what: "rename", path: from, to: to}, func() error { return os.Rename(from, to) })
}

func (d disk) syncDir(dir string) error {
	return d.do(effect{what: "syncdir", path: dir}, func() error {
		f, err := os.Open(dir)
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	})
}

// mkdir makes a directory where none is.
func (d disk) mkdir(dir string) error {
	return d.do(effect{what: "mkdir", path: dir}, func() error {
		if err := os.Mkdir(dir, 0o700); !errors.Is(err, fs.ErrExist) {
			return err
		}
		return nil
	})
}

// makeDir makes a directory and those above it, durably.
func (d disk) makeDir(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	above := filepath.Dir(dir)
	if above != dir {
		if err := d.makeDir(above); err != nil {
			return err
		}
	}
	if err := d.mkdir(dir); err != nil {
		return err
	}
	return d.syncDir(above)
}

// remove removes what is there, with all that is in it.
func (d disk) remove(path string) error {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return d.do(effect{what: "remove", path: path}, func() error { return os.RemoveAll(path) })
}

// ErrSwapped says that another checkpoint stands where the last one was kept.
var ErrSwapped = errors.New("another checkpoint stands there: something else writes it")

// swap puts next in the place of before, durably, if that is what stands there; or
// next itself, from a time that it was tried without the outcome being known. Before
// nil: nothing is there. Whoever calls it holds the lock of the directory.
func (d disk) swap(path string, before, next []byte) error {
	was, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if !bytes.Equal(was, before) && !bytes.Equal(was, next) {
		return ErrSwapped
	}
	if err := d.replace(path, next); err != nil {
		return err
	}
	return d.syncDir(filepath.Dir(path))
}

// ErrInUse says that another process, or another part of this one, has the directory.
var ErrInUse = errors.New("it is in use by another process")

// lockDir takes a directory for as long as the file is open, however the process ends.
func lockDir(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = ErrInUse
		}
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return f, nil
}

// errLonger says that a file has more bytes than any of its kind.
var errLonger = errors.New("it has more bytes than any such file")

// readFile reads a file of at most so many bytes.
func readFile(fsys fs.FS, name string, most int) ([]byte, error) {
	return readInto(new([]byte), fsys, name, most)
}

// readInto is readFile into room, which grows where it is too small.
func readInto(room *[]byte, fsys fs.FS, name string, most int) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was read only
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > int64(most) {
		return nil, errLonger
	}
	*room = slices.Grow((*room)[:0], int(info.Size()))[:info.Size()]
	_, err = io.ReadFull(f, *room)
	return *room, err
}

// unread is why a file wasn't read. A file that isn't there or that the disk doesn't
// give is damage; that there are no descriptors or no memory, or that it is not
// allowed, is no word about the file.
func unread(path string, err error) error {
	for _, passing := range []error{fs.ErrPermission, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EAGAIN, syscall.ESTALE, syscall.ETIMEDOUT} {
		if errors.Is(err, passing) {
			return fmt.Errorf("notary: %w", err)
		}
	}
	why := err
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		why = e.Err
	}
	return damaged(path, "it can't be read: "+why.Error())
}

// atOnce is how many files are written and synced at once: the disk does them in one go.
const atOnce = 8

// sideBySide does the same with each, several at once, and returns the first error.
func sideBySide[T any](all []T, do func(T) error) error {
	var wg sync.WaitGroup
	var first error
	var once sync.Once
	gate := make(chan struct{}, atOnce)
	for _, one := range all {
		gate <- struct{}{}
		wg.Go(func() {
			defer func() { <-gate }()
			if err := do(one); err != nil {
				once.Do(func() { first = err })
			}
		})
	}
	wg.Wait()
	return first
}
