package projections

import (
	"bytes"
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

// attempt is the access that an id is of.
func (s *Service) attempt(a *asking, id domain.UUID) (recorded, error) {
	d, err := s.cfg.Store.attempt(id, a.n, func(from, to uint64, each func(message) error) error { return s.read(a.ctx, from, to, each) })
	if err == nil && d.Document == nil {
		err = absent("/attempt", "there is no access %s", id)
	}
	return d, err
}
