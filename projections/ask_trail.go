package projections

import (
	"slices"
	"sort"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore/cloudevent"
)

// A trailItem is one event as people read it.
type trailItem struct {
	Seq      uint64         `json:"seq"`
	Time     time.Time      `json:"time"`
	Type     string         `json:"type"`
	Actor    domain.ID      `json:"actor"`
	Subject  string         `json:"subject"`
	Event    jsontext.Value `json:"event"` // the command's data, † fields opened
	Decision jsontext.Value `json:"decision,omitzero"`
	Refusal  *refusalItem   `json:"refusal,omitzero"`
	ID       domain.UUID    `json:"id"`
	Command  domain.UUID    `json:"command"`
	Name     string         `json:"name"` // the command's: a refused one's type doesn't tell
}

type refusalItem struct {
	Code   domain.Code   `json:"code"`
	Clause domain.Clause `json:"clause,omitzero"`
	Reason string        `json:"reason,omitzero"`
}

// The first page of a trail is small, so that it is there at once; whoever wants
// all of it gets larger ones then.
const (
	firstTrail = 100
	trailChunk = 200
)

// trail: what happened, in the order in which it did (II.1, II.3).
func (a *asking) trail() error {
	q := TrailQuery{Client: a.client, Record: a.record, Party: a.party, Actor: a.actor, Evidence: a.evidence,
		Type: a.kind, Clause: a.clause, Decision: a.decision}
	if err := a.span(&q); err != nil {
		return err
	}
	after, err := a.seqKey()
	if err != nil {
		return err
	}
	most := mostItems
	if a.cursor == nil {
		most = firstTrail
	}
	for {
		seqs, more, err := a.s.cfg.Store.Trail(q, after, min(trailChunk, most-a.count))
		if err != nil {
			return err
		}
		docs, err := a.s.documents(a.ctx, seqs)
		if err != nil {
			return err
		}
		for _, seq := range seqs {
			d := docs[seq]
			if !a.within(d.Time) {
				after = seq
				continue
			}
			item, err := a.s.trailItem(d)
			if err != nil {
				return err
			}
			if ok, err := a.add(item); err != nil || !ok {
				a.next = []string{number(after)}
				return err
			}
			after = seq
		}
		if !more {
			return nil
		}
		if a.scanned += len(seqs); a.full() || a.count >= most {
			a.next = []string{number(after)}
			return nil
		}
	}
}

// span bounds the sequences that `from` and `to` leave. Times are half-open too;
// where the clock went back within them, within tells what the span can't.
func (a *asking) span(q *TrailQuery) error {
	q.From, q.To = a.from.seq, a.n+1
	if a.to.seq != 0 {
		q.To = min(q.To, a.to.seq)
	}
	if t := a.to.time; !t.IsZero() {
		n, err := a.s.cfg.Store.SeqAt(t.Add(-1))
		if err != nil {
			return err
		}
		q.To = min(q.To, n+1)
	}
	if t := a.from.time; !t.IsZero() {
		n, err := a.s.cfg.Store.firstAt(t)
		if err != nil {
			return err
		}
		q.From = n
	}
	return nil
}

func (a *asking) within(t time.Time) bool {
	return (a.from.time.IsZero() || !t.Before(a.from.time)) && (a.to.time.IsZero() || t.Before(a.to.time))
}

func (s *Service) trailItem(d recorded) (*trailItem, error) {
	event, err := s.openedData(d.Document)
	if err != nil {
		return nil, err
	}
	it := &trailItem{Seq: d.Seq, Time: d.Time, Type: d.Type, Actor: d.Actor, Subject: d.Subject.String(), Event: event,
		ID: d.ID, Command: d.Command, Name: d.Name}
	if d.Decision != nil {
		it.Decision = cloudevent.AppendDecision(nil, d.Decision)
	}
	if r := d.Refusal; r != nil {
		it.Refusal = &refusalItem{r.Code, r.Clause, r.Reason}
	}
	return it, nil
}

// firstAt is the first event whose time is not earlier than t, the one after the
// last where there is none.
func (s *Store) firstAt(t time.Time) (uint64, error) {
	g, err := s.use()
	if err != nil {
		return 0, err
	}
	defer g.leave()
	end := g.position() + 1
	g.trail.mu.Lock()
	spans := append(slices.Clone(g.trail.back), end) // up to each, times don't fall
	g.trail.mu.Unlock()
	begin := uint64(1)
	for _, next := range spans {
		next = min(next, end)
		n := sort.Search(int(next-begin), func(i int) bool {
			at, timeErr := g.timeOf(begin + uint64(i))
			if timeErr != nil {
				err = timeErr
			}
			return !at.Before(t)
		})
		if err != nil {
			return 0, s.broken(err)
		}
		if begin += uint64(n); begin < next {
			return begin, nil
		}
	}
	return end, nil
}
