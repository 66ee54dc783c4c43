package projections

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore/cloudevent"
)

// An explanation holds two decisions against each other: the one that was recorded,
// and what the law makes of the same request on the same history today.
type explanation struct {
	Seq      uint64         `json:"seq"`
	Time     time.Time      `json:"time"`
	Request  jsontext.Value `json:"request"`
	Recorded jsontext.Value `json:"recorded"`
	Derived  jsontext.Value `json:"derived"`
	Same     bool           `json:"same"`
}

// A hypothesis is what would be decided; nothing is recorded of it.
type hypothesis struct {
	Derived any `json:"derived"`
}

// A derived is a decision that no event records: it has no attempt, and a violation
// only where it would join an open one.
type derived struct {
	Decision  string          `json:"decision"`
	Edition   int             `json:"edition"`
	Rules     int             `json:"rules"`
	Violation domain.UUID     `json:"violation,omitzero"`
	Reasons   []domain.Reason `json:"reasons"`
}

// explain: why an access was granted or denied (IV.4), or would be.
func (a *asking) explain() error {
	switch {
	case (a.attempt == "") == (a.request == nil):
		return wrong("/attempt", "explain an attempt, or a request: one of them")
	case a.attempt != "" && a.at.given():
		return wrong("/at", "an attempt was decided when it was made; at goes with a request")
	case a.request != nil:
		return a.suppose()
	}
	d, err := a.s.attempt(a, a.attempt)
	if err != nil {
		return err
	}
	e, err := d.Event()
	if err != nil {
		return err
	}
	again := domain.DecideAccess(&once{View: a.s.cfg.Store.At(e.Seq - 1)}, e.Data.(*domain.AccessRequest), e.Time, e.ID)
	it := explanation{Seq: d.Seq, Time: d.Time, Request: d.Data,
		Recorded: cloudevent.AppendDecision(nil, d.Decision), Derived: cloudevent.AppendDecision(nil, again)}
	it.Same = bytes.Equal(it.Recorded, it.Derived)
	_, err = a.add(it)
	return err
}

// suppose decides a request as it would be decided at the moment that is asked for.
func (a *asking) suppose() error {
	const nobody = domain.UUID("00000000-0000-0000-0000-000000000000")
	d := domain.DecideAccess(a.view, a.request, a.moment, nobody)
	out := derived{Decision: d.Decision, Edition: d.Edition, Rules: d.Rules, Reasons: d.Reasons}
	if d.Violation != nobody {
		out.Violation = d.Violation
	}
	_, err := a.add(hypothesis{out})
	return err
}

// errFound ends a search.
var errFound = errors.New("found")

// attempt is the access that an id is of. The id, a UUID of version 7, says in which
// millisecond it was made, and so does its event's time: all events of that
// millisecond are looked at, of which there are few, but where the clock stood
// still.
func (s *Service) attempt(a *asking, id domain.UUID) (recorded, error) {
	none := absent("/attempt", "there is no access %s", id)
	ms, err := strconv.ParseInt(string(id[:8]+id[9:13]), 16, 64)
	if err != nil || id[14] != '7' {
		return recorded{}, none
	}
	q := TrailQuery{To: a.n + 1}
	t := time.UnixMilli(ms)
	if q.From, err = s.cfg.Store.firstAt(t); err != nil {
		return recorded{}, err
	}
	last, err := s.cfg.Store.SeqAt(t.Add(time.Millisecond - 1))
	if err != nil {
		return recorded{}, err
	}
	if last = min(last, a.n); q.From > last {
		return recorded{}, none
	}
	var found recorded
	start := []byte(`"id":"` + string(id) + `"`)
	err = s.read(a.ctx, q.From, last, func(m message) error {
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
	switch {
	case err != nil && !errors.Is(err, errFound):
		return recorded{}, fmt.Errorf("look for the event %s: %w", id, err)
	case found.Document == nil || found.ID != id || found.Decision == nil:
		return recorded{}, none
	}
	return found, nil
}
