package projections

import (
	"errors"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/nats-io/nkeys"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore/cloudevent"
)

// A difference is an event that the law, on the history before it, makes another one
// of than the one that was recorded.
type difference struct {
	Seq      uint64         `json:"seq"`
	Type     string         `json:"type"`
	Recorded jsontext.Value `json:"recorded"`
	Derived  jsontext.Value `json:"derived"`
}

// A tallied is the last item of redecide: what was looked at, and how much of it
// differs.
type tallied struct {
	Decisions   int `json:"decisions"`
	Refusals    int `json:"refusals"`
	Accepted    int `json:"accepted"`
	Differences int `json:"differences"`
}

// mostRedecided is how many events one page derives, and redeciding for how long: a
// client with thousands of rights costs more than one with ten, and whoever asks waits.
const (
	mostRedecided = 10_000
	redeciding    = 2 * time.Second
)

// redecide derives every recorded decision anew, each from what was recorded before
// it: accesses, refusals, and that every other command was accepted.
func (a *asking) redecide() error {
	q := TrailQuery{}
	if err := a.span(&q); err != nil {
		return err
	}
	next, t, err := a.redecideKey(max(q.From, 1))
	if err != nil {
		return err
	}
	last, began := min(q.To-1, next+mostRedecided-1), time.Now()
	err = a.s.read(a.ctx, next, last, func(m message) error {
		d, err := parsed(m, m.Seq)
		if err != nil {
			return err
		}
		if !a.within(d.Time) {
			next++
			return nil
		}
		diff, err := a.s.rederive(d)
		if err != nil {
			return err
		}
		if diff != nil {
			if ok, err := a.add(diff); err != nil || !ok {
				if err == nil {
					err = errFound // the page is full: this one is the next page's
				}
				return err
			}
			t.Differences++
		}
		t.count(d.Document)
		next++
		if time.Since(began) > redeciding {
			return errFound
		}
		return nil
	})
	if err != nil && !errors.Is(err, errFound) {
		return err
	}
	if next < q.To && (errors.Is(err, errFound) || next > last) {
		a.next = []string{number(next), strconv.Itoa(t.Decisions), strconv.Itoa(t.Refusals), strconv.Itoa(t.Accepted), strconv.Itoa(t.Differences)}
		return nil
	}
	if ok, err := a.add(t); err != nil || !ok {
		a.next = []string{number(next), strconv.Itoa(t.Decisions), strconv.Itoa(t.Refusals), strconv.Itoa(t.Accepted), strconv.Itoa(t.Differences)}
		return err
	}
	return nil
}

func (t *tallied) count(d *cloudevent.Document) {
	switch {
	case d.Refusal != nil:
		t.Refusals++
	case d.Decision != nil:
		t.Decisions++
	default:
		t.Accepted++
	}
}

// redecideKey is where a page begins, and what was counted before it.
func (a *asking) redecideKey(from uint64) (next uint64, t tallied, err error) {
	k, err := a.key(5)
	if err != nil || k == nil {
		return from, t, err
	}
	next, err = strconv.ParseUint(k[0], 10, 64)
	for i, n := range [...]*int{&t.Decisions, &t.Refusals, &t.Accepted, &t.Differences} {
		if err == nil {
			*n, err = strconv.Atoi(k[i+1])
		}
	}
	if err != nil {
		return 0, t, wrong("/cursor", errCursor.Error())
	}
	return next, t, nil
}

// rederive derives one event on the store's view of what was before it, nil where it
// is the same.
func (s *Service) rederive(d recorded) (*difference, error) {
	e, err := d.Event()
	if err != nil {
		return nil, err
	}
	r := derivation{view: &once{View: s.cfg.Store.At(e.Seq - 1)}, doc: d.Document, event: e}
	why := r.differs(func(key domain.PublicKey) bool {
		pair, err := nkeys.FromPublicKey(string(key))
		var short [1024]byte
		return err == nil && pair.Verify(d.SignedBytes(short[:0]), d.Signature) == nil
	})
	if why == "" {
		return nil, nil
	}
	diff := &difference{Seq: d.Seq, Type: d.Type, Recorded: outcome(d.Decision, d.Refusal, d.Type, "")}
	diff.Derived = outcome(r.out.Decision, r.out.Refusal, r.out.Type, why)
	return diff, nil
}

// outcome is what became of a command, as it is shown: a decision, a refusal, or the
// event's type.
func outcome(c *domain.Decision, r *domain.Refusal, eventType, why string) jsontext.Value {
	if c != nil {
		return cloudevent.AppendDecision(nil, c)
	}
	b, err := json.Marshal(struct {
		Type    string          `json:"type,omitzero"`
		Refusal *domain.Refusal `json:"refusal,omitzero"`
		Why     string          `json:"why,omitzero"`
	}{eventType, r, why})
	if err != nil {
		panic("projections: " + err.Error()) // words always go
	}
	return b
}
