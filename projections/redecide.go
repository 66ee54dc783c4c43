package projections

import (
	"bytes"
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

// mostRedecided is how many events one page derives, and redeciding for how long:
// whoever asks waits. What the events of a page changed lies in memory until it is
// done, and of what they read redecidedKept facts.
const (
	mostRedecided = 10_000
	redeciding    = 2 * time.Second
	redecidedKept = 1 << 15
)

// A redecided is how far redecide has come, over all pages until now.
type redecided struct {
	next uint64 // the event that comes next
	to   uint64 // the one after the last
	tallied
}

// redecide derives every recorded decision anew, each from what was recorded before
// it: accesses, refusals, and that every other command was accepted
// (TestRedecideShowsWhatWasAltered, TestAnotherLawIsNoticed).
func (a *asking) redecide() error { return a.redecidePage(mostRedecided) }

func (a *asking) redecidePage(most uint64) error {
	q := TrailQuery{}
	if err := a.span(&q); err != nil {
		return err
	}
	r := redecided{next: max(q.From, 1), to: q.To}
	if err := r.resume(a); err != nil {
		return err
	}
	last, began := min(r.to-1, r.next+most-1), time.Now()
	// The store's view before the page, and over it what each event changed: the view
	// before the next one, without asking the store for it all over again, which costs
	// four times as much where clients have a long history (TestRedecideTurnsPages: it
	// is the same one).
	before := NewOverlay(a.s.cfg.Store.At(domain.Seq(r.next-1)), redecidedKept)
	err := a.s.read(a.ctx, r.next, last, func(m message) error {
		d, err := parsed(m, m.Seq)
		if err != nil {
			return err
		}
		e, err := d.Event()
		if err != nil {
			return err
		}
		if a.within(d.Time) {
			diff, err := a.rederive(before, d.Document, e)
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
				r.Differences++
			}
			r.count(d.Document)
		}
		r.next++
		before.Set(e.Seq, domain.Apply(before, e))
		if time.Since(began) > redeciding {
			return errFound
		}
		return nil
	})
	if err != nil && !errors.Is(err, errFound) {
		return err
	}
	if r.next < r.to {
		a.next = r.key()
		return nil
	}
	if ok, err := a.add(r.tallied); err != nil || !ok {
		a.next = r.key()
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

// key is how far it has come, as the cursor carries it.
func (r *redecided) key() []string {
	return []string{number(r.next), number(r.to), strconv.Itoa(r.Decisions), strconv.Itoa(r.Refusals), strconv.Itoa(r.Accepted), strconv.Itoa(r.Differences)}
}

// parse reads what key wrote.
func (r *redecided) parse(key []string) (err error) {
	if len(key) != 6 {
		return errCursor
	}
	for i, n := range [...]*uint64{&r.next, &r.to} {
		if *n, err = strconv.ParseUint(key[i], 10, 64); err != nil {
			return errCursor
		}
	}
	for i, n := range [...]*int{&r.Decisions, &r.Refusals, &r.Accepted, &r.Differences} {
		if *n, err = strconv.Atoi(key[2+i]); err != nil {
			return errCursor
		}
	}
	return nil
}

// resume goes on where the page before ended, if there was one. A cursor doesn't say
// what is asked: to is as it was, or the cursor isn't this ledger's.
func (r *redecided) resume(a *asking) error {
	if a.cursor == nil {
		return nil
	}
	is := *r
	if err := r.parse(a.cursor.Key); err != nil || r.to != is.to || r.next < is.next || r.next > r.to {
		return wrong("/cursor", errCursor.Error())
	}
	return nil
}

// Redecided says of an answer's cursor how many events redecide has derived until
// then, and of how many. It is for whoever watches; false: the cursor doesn't say.
func Redecided(cursor []byte) (done, of uint64, ok bool) {
	c, err := parseCursor(cursor)
	if err != nil {
		return 0, 0, false
	}
	var r redecided
	if r.parse(c.Key) != nil || r.next > r.to {
		return 0, 0, false
	}
	done = uint64(r.Decisions) + uint64(r.Refusals) + uint64(r.Accepted)
	return done, done + r.to - r.next, true
}

// rederive derives one event on the view of what was before it, nil where it is the
// same.
func (a *asking) rederive(before domain.View, d *cloudevent.Document, e *domain.Event) (*difference, error) {
	r := derivation{view: before, doc: d, data: e.Data}
	if id := attemptIn(e.Data, e.Refusal); id != "" {
		there, err := a.s.cfg.Store.attempt(id, d.Seq-1, func(from, to uint64, each func(message) error) error {
			return a.s.read(a.ctx, from, to, each)
		})
		if err != nil {
			return nil, err
		}
		r.noAttempt = there.Document == nil
	}
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
	if bytes.Equal(diff.Recorded, diff.Derived) { // the decision is the same, its subject isn't
		diff.Derived = outcome(nil, nil, r.out.Type, why)
	}
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
