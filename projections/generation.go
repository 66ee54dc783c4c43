package projections

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/qtccc/assent/domain"
)

// models names the read models and their versions. What was built under another
// name is built anew: whoever changes what a model holds, or how, changes its
// version.
const models = "facts 3, trail 1, due 2, documents 3"

var (
	modelsKey   = []byte{spaceMeta, 'm'} // → models
	positionKey = []byte{spaceMeta, 'p'} // → seq (8) ‖ SHA-256 of its message (32)
)

// errOtherModels says that what lies there was built by another version.
var errOtherModels = errors.New("the read models are of another version")

// A generation is the read models as they were built once, in a directory of their
// own. All of them lie in one Pebble, the documents beside it: one batch takes an
// event into all, so there is one position, one log and one bound on memory, and one
// rename swaps all.
type generation struct {
	name      string
	db        *pebble.DB
	logs      *logged // db's file system
	trail     trail
	documents *documents
	bulk      *bulk // being built as a whole; nil: as events come

	// Owned by the goroutine that applies.
	dead     error // nothing is applied any more
	versions unwritten
	found    mentions
	tail     []byte
	open     openViolations
	untold   untold

	over atomic.Pointer[error] // dead, for who waits
	refs atomic.Int64          // who uses db or documents, and 1 for who opened them; at 0 they are closed

	mu   sync.Mutex
	pos  uint64   // guarded by mu
	hash [32]byte // guarded by mu
}

// createGeneration makes an empty generation where there is nothing, for so many
// events. None survives a crash before finish.
func createGeneration(cfg *Config, dir, name string, events uint64) (*generation, error) {
	logs := newLogged(cfg.fs)
	o := options(cfg, logs)
	o.ErrorIfExists = true
	db, err := openPebble(cfg.fs.PathJoin(dir, name), o, logs)
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", name, err)
	}
	if err := db.Set(modelsKey, []byte(models), pebble.NoSync); err != nil {
		return nil, closing(fmt.Errorf("make %s: %w", name, err), db.Close)
	}
	logs.open.Store(true)
	g := &generation{name: name, db: db, logs: logs, documents: newDocuments(cfg, cfg.fs.PathJoin(dir, name))}
	if events > 0 {
		g.bulk = newBulk(cfg, cfg.fs.PathJoin(dir, name), o, db, events)
	}
	g.refs.Store(1)
	return g, nil
}

// openGeneration opens one that is there and whole.
func openGeneration(cfg *Config, dir, name string) (_ *generation, err error) {
	logs := newLogged(cfg.fs)
	o := options(cfg, logs)
	o.ErrorIfNotExists = true
	db, err := openPebble(cfg.fs.PathJoin(dir, name), o, logs)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	defer func() {
		if err != nil {
			err = closing(fmt.Errorf("open %s: %w", name, err), db.Close)
		}
	}()
	logs.open.Store(true)
	g := &generation{name: name, db: db, logs: logs, documents: newDocuments(cfg, cfg.fs.PathJoin(dir, name))}
	g.refs.Store(1)
	is, err := g.meta(modelsKey)
	if err != nil {
		return nil, err
	}
	if string(is) != models {
		return nil, fmt.Errorf("%w: %q", errOtherModels, is)
	}
	at, err := g.meta(positionKey)
	if err != nil {
		return nil, err
	}
	switch len(at) {
	case 0:
	case 40:
		g.pos = binary.BigEndian.Uint64(at)
		copy(g.hash[:], at[8:])
	default:
		return nil, fmt.Errorf("%w: a position of %d bytes", errDamaged, len(at))
	}
	if err := g.trail.load(db, g.pos); err != nil {
		return nil, err
	}
	if err := g.documents.load(g.pos); err != nil {
		return nil, err
	}
	if g.pos > 0 {
		last, err := g.timeOf(g.pos)
		if err != nil {
			return nil, err
		}
		g.trail.last = last.UnixNano()
	}
	return g, nil
}

// meta is a value; nil where there is none.
func (g *generation) meta(key []byte) ([]byte, error) {
	value, done, err := g.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	value = append([]byte{}, value...)
	return value, done.Close()
}

// enter says whether the generation is open, and keeps it so until leave.
func (g *generation) enter() bool {
	for {
		n := g.refs.Load()
		if n == 0 {
			return false
		}
		if g.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// leave closes the generation where it was the last who used it.
func (g *generation) leave() error {
	if g.refs.Add(-1) > 0 {
		return nil
	}
	err := g.documents.close()
	if err := closing(err, g.db.Close); err != nil {
		return fmt.Errorf("close %s: %w", g.name, err)
	}
	return nil
}

func (g *generation) position() uint64 {
	pos, _ := g.stands()
	return pos
}

func (g *generation) stands() (uint64, [32]byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.pos, g.hash
}

// apply is Store.Apply. One goroutine calls it.
func (g *generation) apply(events []Applied) error {
	if g.dead != nil {
		return g.dead
	}
	if len(events) == 0 {
		return nil
	}
	next := g.position() + 1
	for i := range events {
		if seq := uint64(events[i].Event.Seq); seq != next+uint64(i) {
			return fmt.Errorf("projections: event %d comes where %d is the next", seq, next+uint64(i))
		}
	}
	err := g.commit(next, events)
	if err == nil {
		if err = g.logs.failed(); err == nil {
			return nil
		}
		err = fmt.Errorf("%w: %w", errUnlogged, err)
	}
	err = fmt.Errorf("apply events %d to %d: %w", next, next+uint64(len(events))-1, err)
	if !errors.Is(err, errUnlogged) {
		g.dead = err
		g.over.Store(&err)
	}
	return err
}

// errUnlogged says that events were applied and aren't on the disk, nor will those be
// that are applied after them: they are read from the stream again at the next start.
var errUnlogged = errors.New("kept in memory alone")

func (g *generation) commit(next uint64, events []Applied) (err error) {
	b := g.db.NewBatch()
	defer func() { err = closing(err, b.Close) }()
	g.versions.clear()
	g.tail = g.tail[:0]
	tailFrom, before := next, int64(0)
	for i := range events {
		e := &events[i]
		if err := g.dues(b, e); err != nil {
			return err
		}
		g.found = g.found[:0]
		if err := g.found.of(e.Event, g.lookup); err != nil {
			return err
		}
		seq, at := next+uint64(i), e.Event.Time.UnixNano()
		if g.trail.add(seq, at, g.found) {
			if err := b.Set(backKey(seq), nil, nil); err != nil {
				return err
			}
		}
		if g.bulk == nil {
			g.tail = appendTail(g.tail, before, at, g.found)
			before = at
		}
		if _, place := blockOf(seq); place == blockSize-1 {
			if err := g.seal(b, g.trail.open[len(g.trail.open)-1]); err != nil {
				return err
			}
			g.tail, tailFrom, before = g.tail[:0], seq+1, 0
		}
	}
	if len(g.tail) > 0 {
		if err := b.Set(tailKey(tailFrom), g.tail, nil); err != nil {
			return err
		}
	}
	pos, hash := next+uint64(len(events))-1, sha256.Sum256(events[len(events)-1].Message)
	at := append(binary.BigEndian.AppendUint64(nil, pos), hash[:]...)
	if err := b.Set(positionKey, at, nil); err != nil {
		return err
	}
	if err := g.documents.append(next, events); err != nil {
		return err
	}
	if err := b.Commit(pebble.NoSync); err != nil {
		return err
	}
	g.mu.Lock()
	g.pos, g.hash = pos, hash
	g.mu.Unlock()
	g.trail.sealed()
	return nil
}

func (g *generation) seal(to *pebble.Batch, b *block) error {
	if g.bulk != nil {
		return g.bulk.block(b)
	}
	return b.seal(to)
}

// facts writes what the event changed.
func (g *generation) facts(b *pebble.Batch, e *Applied) error {
	var room [128]byte
	for i, c := range e.Changes {
		v := version{domain.Known{Fact: c.Fact, First: e.Event.Seq, From: e.Event.Seq}, i}
		// A command's id stands in one event, for ever: nothing is looked up.
		if c.Key.Kind == domain.KindCommand {
			v.ord = 0
			if g.bulk != nil {
				if err := g.bulk.command(c.Key, v.From); err != nil {
					return err
				}
				continue
			}
		} else {
			if !c.New {
				was, ok, err := g.was(c.Key)
				if err != nil {
					return err
				}
				if ok {
					v.First, v.ord = was.First, was.ord
				}
			}
			g.versions.set(c.Key, v)
		}
		key, ok := appendPrefix(room[:0], c.Key)
		if !ok || c.Key.Kind >= spaceMeta {
			return errNoKey(c.Key)
		}
		value, err := appendVersion(nil, v)
		if err != nil {
			return err
		}
		if g.bulk != nil && c.Key.Kind != domain.KindCommand {
			g.bulk.written.Add(key)
		}
		if err := b.Set(appendSeq(key, v.From), value, nil); err != nil {
			return err
		}
	}
	return nil
}

// was is the life of a fact in the batch that is being made, or before it.
func (g *generation) was(k domain.Key) (version, bool, error) {
	if v, ok := g.versions.facts[k]; ok {
		return v, true, nil
	}
	return g.life(k)
}

// lookup is fresh for the trail's mentions.
func (g *generation) lookup(k domain.Key) (domain.Fact, error) {
	f, _, err := g.fresh(k)
	return f, err
}

// fresh is a fact in the batch that is being made, or before it.
func (g *generation) fresh(k domain.Key) (domain.Fact, bool, error) {
	if v, ok := g.versions.facts[k]; ok {
		return v.Fact, true, nil
	}
	v, ok, err := g.get(k, now)
	return v.Fact, ok, err
}

// fixed is a generation that nobody swaps, used like a store.
type fixed struct{ *generation }

func (f fixed) use() (*generation, error) {
	if !f.enter() {
		return nil, ErrClosed
	}
	return f.generation, nil
}

func (f fixed) broken(err error) error { return fmt.Errorf("%w: %w", ErrBroken, err) }
