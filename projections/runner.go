package projections

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore"
	"github.com/qtccc/assent/eventstore/cloudevent"
)

// A Reader reads the stream, as *eventstore.Log does.
type Reader interface {
	// Last is the sequence of the last message; 0: none.
	Last(ctx context.Context) (uint64, error)
	// Read gives the messages from..to, in order and without a gap, and stops at
	// the first error of each. What it gives is good only until each returns.
	Read(ctx context.Context, from, to uint64, each func(eventstore.Message) error) error
}

// ErrForeign says that the stream holds what this ledger can't have recorded there:
// a gap, an event under another's sequence or subject, a document that can't be
// read. Nothing is applied from there on.
var ErrForeign = errors.New("the stream holds what the ledger didn't record there")

// ErrNewer says that an event was made under a newer version of the law than this
// program knows: what it changes can't be told. Nothing is applied from there on.
var ErrNewer = errors.New("the event was made under a newer version of the law")

// Replay brings the store to the last event that the log held when it was called.
// The position's hash is compared with the message there first; where it differs,
// where the log is shorter, and where the models are of another version or were
// damaged, they are built anew beside what is there and swapped in once they are
// whole. Progress, where it isn't nil, is told now and then how far it is.
func Replay(ctx context.Context, log Reader, store *Store, progress func(done, total uint64)) error {
	last, err := log.Last(ctx)
	if err != nil {
		return fmt.Errorf("projections: %w", err)
	}
	if store.gen.Load() == nil {
		return store.rebuild(ctx, log, last, progress)
	}
	pos, hash := store.Position()
	same, err := stands(ctx, log, pos, last, hash)
	if err != nil {
		return err
	}
	if !same {
		store.cfg.Log.Warn("the read models are not of this stream, and built anew", "position", pos, "last", last)
		return store.rebuild(ctx, log, last, progress)
	}
	return run(ctx, log, store.Live(), store.Apply, pos+1, last, progress)
}

// stands says whether the message at the position is the one that was applied.
func stands(ctx context.Context, log Reader, pos, last uint64, hash [32]byte) (same bool, err error) {
	if pos == 0 || pos > last {
		return pos == 0, nil
	}
	err = log.Read(ctx, pos, pos, func(m eventstore.Message) error {
		same = m.Seq == pos && sha256.Sum256(m.Data) == hash
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("projections: compare event %d: %w", pos, err)
	}
	return same, nil
}

const (
	// batchSize is how many events are decoded by one worker, and applied in one
	// batch.
	batchSize = 256
	// ahead is how many batches are read before they are applied: few, so that what
	// was decoded is still near when it is.
	ahead = 3
	// kept is how many facts a replay keeps in memory.
	kept = 1 << 18
)

// A batch is events on their way from the stream into the models. Once they are
// applied others are read into its memory.
type batch struct {
	messages []eventstore.Message // Data of each is a part of one buffer
	buf      []byte
	applied  []Applied
	err      error
	ready    chan struct{} // closed when applied, or err, is there
}

// run applies the events from..last, which follow what base knows. Reading, decoding
// (on all cores) and applying (in order) go side by side.
func run(ctx context.Context, log Reader, base domain.View, apply func([]Applied) error, from, last uint64, progress func(done, total uint64)) error {
	if from > last {
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		wg      sync.WaitGroup
		work    = make(chan *batch)        // to the decoders
		ordered = make(chan *batch, ahead) // to the one that applies
		applied = make(chan *batch, ahead) // back to the one that reads
	)
	wg.Go(func() {
		defer close(work)
		defer close(ordered)
		if err := read(ctx, log, from, last, work, ordered, applied); err != nil {
			cancel(err)
		}
	})
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for b := range work {
				b.decode()
				close(b.ready)
			}
		})
	}
	err := applyAll(ctx, ordered, applied, base, apply, from, last, progress)
	cancel(err)
	for range ordered { // let the reader end
	}
	wg.Wait()
	return err
}

// read cuts the stream into batches.
func read(ctx context.Context, log Reader, from, last uint64, work, ordered chan<- *batch, applied <-chan *batch) error {
	next := from
	empty := func() *batch {
		select {
		case b := <-applied:
			*b = batch{messages: b.messages[:0], buf: b.buf[:0], applied: b.applied, ready: make(chan struct{})}
			return b
		default:
			return &batch{messages: make([]eventstore.Message, 0, batchSize), buf: make([]byte, 0, batchSize*1024), ready: make(chan struct{})}
		}
	}
	b := empty()
	send := func() error {
		select {
		case ordered <- b:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		work <- b // the decoders always come
		if next <= last {
			b = empty()
		}
		return nil
	}
	err := log.Read(ctx, from, last, func(m eventstore.Message) error {
		if m.Seq != next {
			return fmt.Errorf("%w: message %d comes where %d is the next", ErrForeign, m.Seq, next)
		}
		next++
		n := len(b.buf)
		b.buf = append(b.buf, m.Data...)
		m.Data = b.buf[n:len(b.buf):len(b.buf)]
		b.messages = append(b.messages, m)
		if len(b.messages) == batchSize || next > last {
			return send()
		}
		return nil
	})
	switch {
	case err != nil:
		return fmt.Errorf("projections: read the stream: %w", err)
	case next <= last:
		return fmt.Errorf("%w: the stream ends before event %d", ErrForeign, next)
	}
	return nil
}

// decode reads the documents and looks at what each says of itself.
func (b *batch) decode() {
	b.applied = slices.Grow(b.applied[:0], len(b.messages))[:len(b.messages)]
	for i := range b.messages {
		m := &b.messages[i]
		a := &b.applied[i]
		switch err := a.read(m); {
		case errors.Is(err, ErrNewer):
			b.err = fmt.Errorf("event %d: %w", m.Seq, err)
			return
		case err != nil:
			b.err = fmt.Errorf("%w: event %d: %w", ErrForeign, m.Seq, err)
			return
		}
		a.Message = m.Data
	}
}

// read: nothing read is trusted. What was read into a before is gone.
func (a *Applied) read(m *eventstore.Message) error {
	if a.Doc == nil {
		a.Doc, a.Event = &cloudevent.Document{}, &domain.Event{}
	}
	if err := a.Doc.Parse(m.Data); err != nil {
		return err
	}
	if a.Doc.Rules > domain.Rules {
		return fmt.Errorf("%w: version %d, and this program knows %d: start a newer one", ErrNewer, a.Doc.Rules, domain.Rules)
	}
	if a.Doc.Seq != m.Seq {
		return fmt.Errorf("the document says that it is event %d", a.Doc.Seq)
	}
	if of := a.Doc.NATSSubject(); of != m.Subject {
		return fmt.Errorf("it stands under the subject %s, and belongs under %s", m.Subject, of)
	}
	return a.Doc.EventIn(a.Event)
}

// applyAll applies the batches in order.
func applyAll(ctx context.Context, ordered <-chan *batch, applied chan<- *batch, base domain.View, apply func([]Applied) error, from, last uint64, progress func(done, total uint64)) error {
	facts := NewOverlay(base, kept)
	next := from
	var clients []string
	for b := range ordered {
		<-b.ready
		if b.err != nil {
			return b.err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		err := Guard(func() {
			for i := range b.applied {
				if i%Together == 0 {
					clients = clients[:0]
					for _, next := range b.applied[i:min(i+Together, len(b.applied))] {
						clients = append(clients, string(next.Event.Subject.Client))
					}
					facts.Near(clients)
				}
				a := &b.applied[i]
				a.Changes = domain.Apply(facts, a.Event)
				facts.Set(a.Event.Seq, others(a.Changes))
			}
		})
		if err == nil {
			err = apply(b.applied)
		}
		if err != nil {
			return err
		}
		next += uint64(len(b.applied))
		facts.Clean(domain.Seq(next - 1))
		select {
		case applied <- b:
		default:
		}
		if progress != nil {
			progress(next-1, last)
		}
	}
	if next <= last {
		return context.Cause(ctx)
	}
	return nil
}

// others are the changes without that of the command's id, which no event's changes
// depend on: only a decision asks for it.
func others(all []domain.Change) []domain.Change {
	if len(all) > 0 && all[0].Key.Kind == domain.KindCommand {
		return all[1:]
	}
	return all
}
