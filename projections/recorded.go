package projections

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/qtccc/assent/eventstore"
	"github.com/qtccc/assent/eventstore/cloudevent"
)

// Documents are read side by side. What the store lacks is read from the log: one by
// one where they lie apart; where they lie close together the stretch is read in one
// go.
const (
	closeBy  = 8
	stretch  = 500
	fetchers = 8
)

// A message is one event as it was read, from the store or from the log.
type message struct {
	eventstore.Message
	// kept: from the store, which took it in under the subject that it implies, and
	// doesn't keep the subject.
	kept bool
}

// A recorded is one event as it was read, and parsed.
type recorded struct {
	*cloudevent.Document
	raw []byte // the message, byte for byte
}

// documents reads the events of these sequences.
func (s *Service) documents(ctx context.Context, seqs []uint64) (map[uint64]recorded, error) {
	seqs = slices.Clone(seqs)
	slices.Sort(seqs)
	seqs = slices.Compact(seqs)
	var runs [][]uint64
	for i, seq := range seqs {
		if i > 0 && seq-seqs[i-1] <= closeBy && seq-runs[len(runs)-1][0] < stretch {
			runs[len(runs)-1] = append(runs[len(runs)-1], seq)
		} else {
			runs = append(runs, []uint64{seq})
		}
	}
	var mu sync.Mutex
	docs := make(map[uint64]recorded, len(seqs)) // guarded by mu
	var failed error                             // guarded by mu
	next := make(chan []uint64)
	var wg sync.WaitGroup
	for range min(fetchers, len(runs)) {
		wg.Go(func() {
			for run := range next {
				read, err := s.run(ctx, run)
				mu.Lock()
				if err != nil && failed == nil {
					failed = err
				}
				for _, d := range read {
					docs[d.Seq] = d
				}
				mu.Unlock()
			}
		})
	}
	for _, run := range runs {
		next <- run
	}
	close(next)
	wg.Wait()
	return docs, failed
}

// run reads events that lie close together.
func (s *Service) run(ctx context.Context, seqs []uint64) ([]recorded, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	docs := make([]recorded, 0, len(seqs))
	take := func(m message, seq uint64) error {
		d, err := parsed(m, seq)
		if err == nil {
			docs = append(docs, d)
		}
		return err
	}
	var lost []uint64
	for _, seq := range seqs {
		m, ok, err := s.kept(seq)
		switch {
		case err != nil:
			return nil, err
		case !ok:
			lost = append(lost, seq)
		default:
			if err := take(m, seq); err != nil {
				return nil, err
			}
		}
	}
	switch len(lost) {
	case 0:
		return docs, nil
	case 1:
		m, err := s.cfg.Log.Get(ctx, lost[0])
		if err != nil {
			return nil, fmt.Errorf("read event %d: %w", lost[0], err)
		}
		return docs, take(message{Message: m}, lost[0])
	}
	from, to := lost[0], lost[len(lost)-1]
	err := s.cfg.Log.Read(ctx, from, to, func(m eventstore.Message) error {
		if _, wanted := slices.BinarySearch(lost, m.Seq); !wanted {
			return nil
		}
		return take(message{Message: m}, m.Seq)
	})
	if err != nil {
		return nil, fmt.Errorf("read events %d to %d: %w", from, to, err)
	}
	return docs, nil
}

// read gives each of the events from..to, in order and none left out; it stops at
// the first error of each and returns it.
func (s *Service) read(ctx context.Context, from, to uint64, each func(message) error) error {
	for from <= to {
		if err := ctx.Err(); err != nil {
			return err
		}
		m, ok, err := s.kept(from)
		if err != nil {
			return err
		}
		if ok {
			if err := each(m); err != nil {
				return err
			}
			from++
			continue
		}
		// Where one is lost, those after it are likely to be.
		last := min(to, from+stretch-1)
		err = s.cfg.Log.Read(ctx, from, last, func(m eventstore.Message) error { return each(message{Message: m}) })
		if err != nil {
			return fmt.Errorf("read events %d to %d: %w", from, last, err)
		}
		from = last + 1
	}
	return nil
}

// kept is the event as the store has it, if it does.
func (s *Service) kept(seq uint64) (message, bool, error) {
	data, ok, err := s.cfg.Store.Document(seq)
	return message{eventstore.Message{Seq: seq, Data: data}, true}, ok, err
}

// parsed reads a message as the event seq, and keeps its bytes. Nothing that is
// read is trusted: its number and its subject must be what the document itself
// says.
func parsed(m message, seq uint64) (recorded, error) {
	d, err := cloudevent.Parse(m.Data)
	if err != nil {
		return recorded{}, fmt.Errorf("event %d: %w", seq, err)
	}
	if m.kept {
		m.Subject = d.NATSSubject()
	}
	if m.Seq != seq || d.Seq != seq || m.Subject != d.NATSSubject() {
		return recorded{}, fmt.Errorf("event %d: the log has it as %d on %s, and it says %d on %s", seq, m.Seq, m.Subject, d.Seq, d.NATSSubject())
	}
	return recorded{d, m.Data}, nil
}
