package projections

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore"
)

// errFound ends a search.
var errFound = errors.New("found")

// An asOf reads the events from..to, in order and none left out.
type asOf func(from, to uint64, each func(message) error) error

// attempt is the access whose event has the id, among the events up to last; no
// document where there is none. The id, a UUID of version 7, says in which
// millisecond it was made, and so does its event's time: all events of that
// millisecond are looked at, of which there are few, but where the clock stood
// still.
func (s *Store) attempt(id domain.UUID, last uint64, read asOf) (recorded, error) {
	ms, err := strconv.ParseInt(string(id[:8]+id[9:13]), 16, 64)
	if err != nil || id[14] != '7' {
		return recorded{}, nil
	}
	t := time.UnixMilli(ms)
	from, err := s.firstAt(t)
	if err != nil {
		return recorded{}, err
	}
	to, err := s.SeqAt(t.Add(time.Millisecond - 1))
	if err != nil {
		return recorded{}, err
	}
	var found recorded
	start := []byte(`"id":"` + string(id) + `"`)
	err = read(from, min(to, last), func(m message) error {
		// Every document has its id near its beginning, so most needn't be read.
		if !bytes.Contains(m.Data[:min(len(m.Data), 100)], start) {
			return nil
		}
		d, err := parsed(m, m.Seq)
		if err != nil {
			return err
		}
		found = d
		return errFound
	})
	if err != nil && !errors.Is(err, errFound) {
		return recorded{}, fmt.Errorf("look for the event %s: %w", id, err)
	}
	if found.Document != nil && (found.ID != id || found.Decision == nil) {
		return recorded{}, nil
	}
	return found, nil
}

// Attempted says whether an access with the id was decided by the events up to last.
// It waits until they are applied; what the store has no document of, it reads from
// the log.
func (s *Store) Attempted(ctx context.Context, log Reader, id domain.UUID, last uint64) (bool, error) {
	if err := s.Wait(ctx, last); err != nil {
		return false, err
	}
	d, err := s.attempt(id, last, func(from, to uint64, each func(message) error) error {
		for seq := from; seq <= to; seq++ {
			data, ok, err := s.Document(seq)
			switch {
			case err != nil:
				return err
			case !ok:
				return log.Read(ctx, seq, to, func(m eventstore.Message) error { return each(message{Message: m}) })
			}
			if err := each(message{eventstore.Message{Seq: seq, Data: data}, true}); err != nil {
				return err
			}
		}
		return nil
	})
	return d.Document != nil, err
}
