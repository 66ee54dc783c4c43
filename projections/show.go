package projections

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore"
	"github.com/qtccc/assent/eventstore/cloudevent"
	"github.com/qtccc/assent/eventstore/vault"
)

// Documents are read one by one where they lie apart, side by side; where they lie
// close together the stretch is read in one go.
const (
	closeBy  = 8
	stretch  = 500
	fetchers = 8
)

// A recorded is one event as the log has it, and read.
type recorded struct {
	*cloudevent.Document
	raw []byte // the message, byte for byte
}

// documents reads the events of these sequences from the log.
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
	if len(seqs) == 1 {
		m, err := s.cfg.Log.Get(ctx, seqs[0])
		if err != nil {
			return nil, fmt.Errorf("read event %d: %w", seqs[0], err)
		}
		d, err := parsed(m, seqs[0])
		return []recorded{d}, err
	}
	var docs []recorded
	err := s.cfg.Log.Read(ctx, seqs[0], seqs[len(seqs)-1], func(m eventstore.Message) error {
		if _, wanted := slices.BinarySearch(seqs, m.Seq); !wanted {
			return nil
		}
		d, err := parsed(m, m.Seq)
		docs = append(docs, d)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read events %d to %d: %w", seqs[0], seqs[len(seqs)-1], err)
	}
	return docs, nil
}

// parsed reads a message as the event seq, and keeps its bytes. Nothing that is
// read is trusted: its number and its subject must be what the document itself
// says.
func parsed(m eventstore.Message, seq uint64) (recorded, error) {
	d, err := cloudevent.Parse(m.Data)
	if err != nil {
		return recorded{}, fmt.Errorf("event %d: %w", seq, err)
	}
	if m.Seq != seq || d.Seq != seq || m.Subject != d.NATSSubject() {
		return recorded{}, fmt.Errorf("event %d: the log has it as %d on %s, and it says %d on %s", seq, m.Seq, m.Subject, d.Seq, d.NATSSubject())
	}
	return recorded{d, m.Data}, nil
}

// opened is a † field of an event as people read it: the text that its commitment
// commits to, and where its key is gone, or the box is not that text's, the
// commitment.
func (s *Service) opened(d *cloudevent.Document, field string, commitment domain.Text) string {
	if d == nil || d.Sealed == nil || commitment == "" {
		return string(commitment)
	}
	i := slices.IndexFunc(d.Sealed.Boxes, func(b cloudevent.Box) bool { return b.Field == field })
	if i < 0 {
		return string(commitment)
	}
	place := vault.Place{Subject: d.Sealed.Of, Event: string(d.ID), Field: field}
	plain, err := s.cfg.Ring.Unseal(place, d.Sealed.Gen, d.Sealed.Boxes[i].Box)
	if err != nil {
		if !errors.Is(err, vault.ErrSealed) {
			s.cfg.Logger.Error("a sealed text can't be opened", "seq", d.Seq, "field", field, "err", err)
		}
		return string(commitment)
	}
	o, err := vault.DecodeOpening(plain)
	if err != nil || !o.Opens(string(commitment)) {
		s.cfg.Logger.Error("a sealed text is not what its event commits to", "seq", d.Seq, "field", field)
		return string(commitment)
	}
	return o.Value
}

// openedData is an event's data with its † fields opened.
func (s *Service) openedData(d *cloudevent.Document) (jsontext.Value, error) {
	if d.Sealed == nil {
		return d.Data, nil
	}
	texts := make(map[string]string, len(d.Sealed.Boxes))
	for _, b := range d.Sealed.Boxes {
		texts[b.Field] = ""
	}
	var out bytes.Buffer
	dec := jsontext.NewDecoder(bytes.NewReader(d.Data))
	enc := jsontext.NewEncoder(&out)
	for dec.PeekKind() != 0 {
		t, err := dec.ReadToken()
		if err != nil {
			return nil, fmt.Errorf("event %d: %w", d.Seq, err)
		}
		if depth := dec.StackDepth(); t.Kind() == '"' && depth > 0 {
			kind, n := dec.StackIndex(depth)
			field := string(dec.StackPointer())
			if _, sealed := texts[field]; sealed && (kind != '{' || n%2 == 0) { // a value, not a name
				t = jsontext.String(s.opened(d, field, domain.Text(t.String())))
			}
		}
		if err := enc.WriteToken(t); err != nil {
			return nil, fmt.Errorf("event %d: %w", d.Seq, err)
		}
	}
	return bytes.TrimSpace(out.Bytes()), nil
}
