package projections

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// In the directory of the models lie
//
//	current   the name of the generation that answers, and a line feed
//	g-000001  that generation; others are what a crash left
//	lock      so that only one process opens them
const (
	pointerFile = "current"
	namePrefix  = "g-"
)

func (s *Store) path(name string) string { return s.cfg.fs.PathJoin(s.dir, name) }

// current is the name of the generation that answers; "" where none does.
func (s *Store) current() (string, error) {
	f, err := s.cfg.fs.Open(s.path(pointerFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("projections: %w", err)
	}
	b, err := io.ReadAll(f)
	if err = closing(err, f.Close); err != nil {
		return "", fmt.Errorf("projections: read %s: %w", pointerFile, err)
	}
	name, whole := strings.CutSuffix(string(b), "\n")
	if _, ok := numberOf(name); !ok || !whole {
		return "", nil
	}
	return name, nil
}

func numberOf(name string) (int, bool) {
	digits, ok := strings.CutPrefix(name, namePrefix)
	n, err := strconv.Atoi(digits)
	return n, ok && err == nil && n > 0 && name == nameOf(n)
}

func nameOf(n int) string { return fmt.Sprintf("%s%06d", namePrefix, n) }

// next is a name that no generation has.
func (s *Store) next() (string, error) {
	names, err := s.cfg.fs.List(s.dir)
	if err != nil {
		return "", fmt.Errorf("projections: %w", err)
	}
	last := 0
	for _, name := range names {
		if n, ok := numberOf(name); ok {
			last = max(last, n)
		}
	}
	return nameOf(last + 1), nil
}

// sweep removes every generation but one, and a pointer that was never put in place.
func (s *Store) sweep(keep string) error {
	names, err := s.cfg.fs.List(s.dir)
	if err != nil {
		return fmt.Errorf("projections: %w", err)
	}
	for _, name := range names {
		if _, ok := numberOf(name); ok && name != keep || name == pointerFile+".new" {
			if err := s.cfg.fs.RemoveAll(s.path(name)); err != nil {
				return fmt.Errorf("projections: remove what an earlier build left: %w", err)
			}
		}
	}
	return nil
}

// point makes the generation the one that answers, for good: when it returns nil,
// the pointer is on disk.
func (s *Store) point(name string) error {
	f, err := s.cfg.fs.Create(s.path(pointerFile+".new"), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, bytes.NewReader([]byte(name+"\n")))
	if err == nil {
		err = f.Sync()
	}
	if err = closing(err, f.Close); err != nil {
		return err
	}
	if err := s.cfg.fs.Rename(s.path(pointerFile+".new"), s.path(pointerFile)); err != nil {
		return err
	}
	return s.syncDir(s.dir)
}

func (s *Store) syncDir(dir string) error {
	d, err := s.cfg.fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return closing(d.Sync(), d.Close)
}

// condemn lets the next start build the models anew.
func (s *Store) condemn() {
	err := s.cfg.fs.Remove(s.path(pointerFile))
	if err == nil {
		err = s.syncDir(s.dir)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.cfg.Log.Error("damaged read models can't be put aside: remove their directory", "dir", s.dir, "err", err)
	}
}

// Rebuild builds all models anew from the first event on, beside those that are
// there, which answer as long, and swaps them in once they are whole. In order:
//
//  1. a generation with a new name is made
//  2. all events are applied to it
//  3. it is flushed: all of it is on disk, but the documents, which the operating
//     system writes when it likes
//  4. `current` is replaced (written, synced, renamed, the directory synced)
//  5. it answers, and the old generation is removed
//
// It isn't closed and opened again meanwhile: both would wait for what Pebble has
// begun to merge, most of a second. A crash before 4 leaves the old generation, one
// after it the new one, and the next
// OpenStore removes the other (TestACrashAtAnyMomentOfARebuildIsHarmless).
func Rebuild(ctx context.Context, log Reader, store *Store, progress func(done, total uint64)) error {
	last, err := log.Last(ctx)
	if err != nil {
		return fmt.Errorf("projections: %w", err)
	}
	return store.rebuild(ctx, log, last, progress)
}

func (s *Store) rebuild(ctx context.Context, log Reader, last uint64, progress func(done, total uint64)) (err error) {
	name, err := s.next()
	if err != nil {
		return err
	}
	var g *generation
	defer func() {
		if err == nil {
			return
		}
		if g != nil {
			err = closing(err, g.leave)
		}
		err = closing(err, func() error { return s.cfg.fs.RemoveAll(s.path(name)) })
	}()
	if g, err = createGeneration(&s.cfg, s.dir, name, last); err != nil {
		return fmt.Errorf("projections: %w", err)
	}
	if err := run(ctx, log, view{fixed{g}, now}, g.apply, 1, last, progress); err != nil {
		return err
	}
	if err := g.finish(); err != nil {
		return fmt.Errorf("projections: %w", err)
	}
	if err := s.point(name); err != nil {
		return fmt.Errorf("projections: swap the read models: %w", err)
	}
	if err := s.swap(g); err != nil {
		s.cfg.Log.Warn("the old read models weren't closed well", "err", err)
	}
	if err := s.sweep(name); err != nil {
		s.cfg.Log.Warn("the old read models lie there still", "err", err)
	}
	return nil
}

// finish puts on disk what was applied in bulk; from then on events are taken as they
// come.
func (g *generation) finish() error {
	if g.bulk == nil {
		return nil
	}
	if err := g.bulk.commands(); err != nil {
		return err
	}
	if err := g.bulk.blocks(); err != nil {
		return err
	}
	for _, b := range g.trail.open {
		if err := g.db.Set(tailKey(firstOf(b.number)), b.asTail(), pebble.NoSync); err != nil {
			return err
		}
	}
	if err := g.db.Flush(); err != nil {
		return err
	}
	g.bulk = nil
	return g.logs.failed()
}
