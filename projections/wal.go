package projections

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// logged is the file system of one Pebble. Once its log or its manifest can't be
// written any more, Pebble would end the process, or keep its locks for ever. So it
// isn't told: what it writes to them from then on goes nowhere, nothing is removed or
// used again that they may still name, and failed says why, which everyone who commits
// asks. What lies on disk is as if the process had been killed at the first write that
// failed.
type logged struct {
	vfs.FS
	open atomic.Bool // Pebble is open; before, it is told everything
	why  atomic.Pointer[error]

	table    atomic.Pointer[error] // the last one of writing a table
	errors   atomic.Int64          // how many there were
	said     atomic.Int64          // when the last one was logged, Unix ns
	hopeless chan struct{}         // closed when there were too many
}

func newLogged(fs vfs.FS) *logged { return &logged{FS: fs, hopeless: make(chan struct{})} }

// Pebble writes a table that couldn't be written again at once, for as long as it
// takes, its lock held as it says so.
const (
	mostErrors = 3                     // before an attempt to open it is given up
	breath     = 20 * time.Millisecond // before it tries again
	sayEvery   = time.Second
)

// background hears of tables that couldn't be written.
func (l *logged) background(log *slog.Logger, err error) {
	l.table.Store(&err)
	if l.errors.Add(1) == mostErrors {
		close(l.hopeless)
	}
	if now, said := time.Now().UnixNano(), l.said.Load(); now-said >= int64(sayEvery) && l.said.CompareAndSwap(said, now) {
		log.Error("the read models can't be written", "err", err)
	}
	time.Sleep(breath)
}

// isLog says whether a file is one of Pebble's logs.
func isLog(name string) bool { return strings.HasSuffix(name, ".log") }

// isManifest says whether a file is a manifest, which is the log of Pebble's tables, or
// says which manifest is the last.
func isManifest(name string) bool {
	base := filepath.Base(name)
	return strings.HasPrefix(base, "MANIFEST-") || strings.HasPrefix(base, "marker.")
}

// failed is why the log isn't written any more; nil: it is.
func (l *logged) failed() error {
	if err := l.why.Load(); err != nil {
		return fmt.Errorf("write the log: %w", *err)
	}
	return nil
}

// fails takes note of the first error, and keeps it from Pebble. Of a manifest it is
// never told: as it is opened, too, it writes that in goroutines of its own.
func (l *logged) fails(name string, err error) error {
	if err == nil || !l.open.Load() && !isManifest(name) {
		return err
	}
	l.why.CompareAndSwap(nil, &err)
	return nil
}

// Unwrap is vfs.FS's.
func (l *logged) Unwrap() vfs.FS { return l.FS }

// Create is vfs.FS's.
func (l *logged) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if !isLog(name) && !isManifest(name) {
		return l.FS.Create(name, c)
	}
	return l.log(name, func() (vfs.File, error) { return l.FS.Create(name, c) })
}

// ReuseForWrite is vfs.FS's.
func (l *logged) ReuseForWrite(was, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if !isLog(name) {
		return l.FS.ReuseForWrite(was, name, c)
	}
	return l.log(name, func() (vfs.File, error) { return l.FS.ReuseForWrite(was, name, c) })
}

// Remove is vfs.FS's.
func (l *logged) Remove(name string) error {
	if l.failed() != nil {
		return nil
	}
	return l.FS.Remove(name)
}

// OpenDir is vfs.FS's: a new log is one once its directory is synced.
func (l *logged) OpenDir(name string) (vfs.File, error) {
	d, err := l.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &logDir{d, l}, nil
}

func (l *logged) log(name string, create func() (vfs.File, error)) (vfs.File, error) {
	var f vfs.File
	err := l.failed()
	if err == nil {
		f, err = create()
	}
	if err != nil {
		if err = l.fails(name, err); err != nil {
			return nil, err
		}
		if f, err = vfs.NewMem().Create("nowhere", vfs.WriteCategoryUnspecified); err != nil {
			return nil, err
		}
	}
	return &logFile{f, l, name}, nil
}

// logDir is the directory of Pebble's logs. Where it can't be synced Pebble panics, as it
// is opened too, in a goroutine of its own: so it is never told.
type logDir struct {
	vfs.File
	of *logged
}

// Sync is vfs.File's.
func (d *logDir) Sync() error {
	if d.of.failed() == nil {
		if err := d.File.Sync(); err != nil {
			d.of.why.CompareAndSwap(nil, &err)
		}
	}
	return nil
}

// logFile is one of Pebble's logs, or a manifest, being written.
type logFile struct {
	vfs.File
	of   *logged
	name string
}

func (f *logFile) do(what func() error) error {
	if f.of.failed() != nil {
		return nil
	}
	return f.of.fails(f.name, what())
}

// Write is vfs.File's.
func (f *logFile) Write(b []byte) (n int, err error) {
	err = f.do(func() error { n, err = f.File.Write(b); return err })
	if err == nil {
		n = len(b)
	}
	return n, err
}

// Preallocate is vfs.File's.
func (f *logFile) Preallocate(offset, length int64) error {
	return f.do(func() error { return f.File.Preallocate(offset, length) })
}

// Sync is vfs.File's.
func (f *logFile) Sync() error { return f.do(f.File.Sync) }

// SyncData is vfs.File's.
func (f *logFile) SyncData() error { return f.do(f.File.SyncData) }

// SyncTo is vfs.File's.
func (f *logFile) SyncTo(length int64) (all bool, err error) {
	err = f.do(func() error { all, err = f.File.SyncTo(length); return err })
	return all, err
}

// Close is vfs.File's.
func (f *logFile) Close() error { return f.of.fails(f.name, f.File.Close()) }
