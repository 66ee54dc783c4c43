package projections

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore/cloudevent"
)

// Config says how a store is kept. The zero Config is right for a service.
type Config struct {
	// Cache bounds, in bytes, what Pebble keeps in memory: blocks read and the
	// tables being filled. 0: 32 MiB. A rebuild takes as much again, and 100 MiB
	// for what it sorts, as long as it lasts.
	Cache int64
	// Log takes what an operator should know: models built anew, and why. Nil:
	// nothing is said.
	Log *slog.Logger

	fs      vfs.FS // the disk; a test's own
	segment uint64 // how many documents a file holds; 0: 65,536
}

// Applied is one event as it goes into the read models, decoded, with what it
// changes. Changes are those that domain.Apply gave on the view after the event
// before it. All of it is only read, and not after Apply.
type Applied struct {
	Doc     *cloudevent.Document
	Event   *domain.Event
	Changes []domain.Change
	Message []byte // byte for byte as the stream has it
}

// A Store holds the read models. Views and questions may be asked from any
// goroutine, and while events are applied; Apply, Replay and Rebuild belong to one
// goroutine at a time.
type Store struct {
	dir  string
	cfg  Config
	lock io.Closer

	gen atomic.Pointer[generation] // nil: nothing is built, or closed

	mu    sync.Mutex
	moved chan struct{} // guarded by mu; closed at the next change of the position, nil: nobody waits
	done  bool          // guarded by mu; closed
}

// ErrClosed says that the store was closed.
var ErrClosed = errors.New("projections: the store is closed")

// ErrBroken says that the models can't be read or written: the disk fails, or they
// are damaged. Damaged ones are built anew at the next start.
var ErrBroken = errors.New("projections: the read models can't be read")

// ErrNotBuilt says that there are no models: Replay builds them.
var ErrNotBuilt = errors.New("projections: the read models aren't built")

// OpenStore opens the models in dir, which is made where it isn't there and
// belongs to nothing else. What is damaged, of another version, or was never
// finished is put aside, and Replay builds it anew. So every caller calls Replay
// next, and asks nothing before (ErrNotBuilt).
func OpenStore(dir string, cfg Config) (_ *Store, err error) {
	if cfg.fs == nil {
		cfg.fs = vfs.Default
	}
	if cfg.Cache == 0 {
		cfg.Cache = 32 << 20
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{dir: dir, cfg: cfg}
	if err := cfg.fs.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("projections: make %s: %w", dir, err)
	}
	if err := s.syncDir(cfg.fs.PathDir(dir)); err != nil {
		return nil, fmt.Errorf("projections: make %s: %w", dir, err)
	}
	if s.lock, err = cfg.fs.Lock(cfg.fs.PathJoin(dir, "lock")); err != nil {
		return nil, fmt.Errorf("projections: %s is in use: %w", dir, err)
	}
	name, err := s.current()
	if err != nil {
		return nil, closing(err, s.lock.Close)
	}
	if name != "" {
		g, err := openGeneration(&s.cfg, dir, name)
		if err != nil {
			cfg.Log.Warn("the read models are built anew", "err", err)
		} else {
			s.gen.Store(g)
		}
	}
	if err := s.sweep(name); err != nil {
		return nil, closing(err, s.Close)
	}
	return s, nil
}

// use is the generation that answers; the caller leaves it.
func (s *Store) use() (*generation, error) {
	for {
		g := s.gen.Load()
		if g == nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.done {
				return nil, ErrClosed
			}
			return nil, ErrNotBuilt
		}
		if g.enter() {
			return g, nil
		}
	}
}

// swap puts a generation in the place of the one that answers, which is closed once
// nobody uses it.
func (s *Store) swap(g *generation) error {
	old := s.gen.Swap(g)
	s.announce()
	if old == nil {
		return nil
	}
	return old.leave()
}

// Position is the last event that is applied, and the SHA-256 of its message: what
// the store answers holds after it. 0: none yet.
func (s *Store) Position() (uint64, [32]byte) {
	if g := s.gen.Load(); g != nil {
		return g.stands()
	}
	return 0, [32]byte{}
}

// Apply takes the events, in order and without a gap after Position, into all
// models, in one unsynced batch together with the new position: after a crash the
// store stands at an earlier position, and whole but for documents, which are read
// from the log then. When it returns, views and
// questions know them. Events that don't follow are an error and nothing is
// applied. After an error of the disk the store takes no more (ErrBroken); but where it is
// the log that can't be written, it takes them still, in memory alone, and says so each
// time (ErrBroken, and Position has moved).
func (s *Store) Apply(events []Applied) error {
	g, err := s.use()
	if err != nil {
		return err
	}
	defer g.leave()
	if err = g.apply(events); err != nil && (g.dead != nil || errors.Is(err, errUnlogged)) {
		err = s.broken(err)
	}
	s.announce()
	return err
}

// Wait returns nil once the event seq is applied, else the context's error, ErrClosed,
// or ErrBroken where it won't be.
func (s *Store) Wait(ctx context.Context, seq uint64) error {
	for {
		s.mu.Lock()
		if s.done {
			s.mu.Unlock()
			return ErrClosed
		}
		if s.moved == nil {
			s.moved = make(chan struct{})
		}
		moved := s.moved
		s.mu.Unlock()
		if pos, _ := s.Position(); pos >= seq { // after moved was there: no move is missed
			return nil
		}
		if err := s.over(); err != nil {
			return fmt.Errorf("wait for event %d: %w", seq, err)
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("wait for event %d: %w", seq, ctx.Err())
		}
	}
}

// over says why nothing is applied any more; nil: it is.
func (s *Store) over() error {
	if g := s.gen.Load(); g != nil {
		if why := g.over.Load(); why != nil {
			return fmt.Errorf("%w: %w", ErrBroken, *why)
		}
	}
	return nil
}

// announce wakes who waits.
func (s *Store) announce() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.moved != nil {
		close(s.moved)
		s.moved = nil
	}
}

// Close closes the store; what is being asked is finished before. Nothing that was
// applied is lost by it.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.done {
		s.mu.Unlock()
		return nil
	}
	s.done = true
	s.mu.Unlock()
	err := s.swap(nil)
	return closing(err, s.lock.Close)
}

// broken makes an error of the models what a caller sees. Where they are damaged,
// they are built anew at the next start.
func (s *Store) broken(err error) error {
	if errors.Is(err, errDamaged) || pebble.IsCorruptionError(err) {
		s.condemn()
	}
	return fmt.Errorf("%w: %w", ErrBroken, err)
}

// broken is what a view panics with.
type broken struct{ error }

// Guard calls f, which asks views of a store, and gives the error for which one of
// them gave up (ErrBroken, ErrClosed, ErrNotBuilt). Other panics pass.
func Guard(f func()) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case *broken:
			err = p.error
		default:
			panic(p)
		}
	}()
	f()
	return nil
}
