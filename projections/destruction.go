package projections

import (
	"fmt"
	"time"

	"github.com/qtccc/assent/domain"
)

type destructionItem struct {
	Client     domain.ID        `json:"client"`
	Record     domain.ID        `json:"record"`
	Engagement domain.ID        `json:"engagement,omitzero"`
	Title      string           `json:"title"`
	Class      domain.Class     `json:"class"`
	Medium     domain.Medium    `json:"medium"`
	Retention  domain.Retention `json:"retention"`
	Due        time.Time        `json:"due,omitzero"` // none: its retention has no end yet
	State      string           `json:"state"`
	Holder     domain.ID        `json:"holder,omitzero"` // to whom it is lent
	Hold       domain.ID        `json:"hold,omitzero"`   // the first that keeps it
	destroyed
}

// destroyed is what the event says that destroyed a record; zero: none did.
type destroyed struct {
	Event        domain.Seq    `json:"event,omitzero"`
	Time         time.Time     `json:"time,omitzero"`
	Actor        domain.ID     `json:"actor,omitzero"`
	Method       domain.Method `json:"method,omitzero"`
	Operator     domain.ID     `json:"operator,omitzero"`
	OperatorName string        `json:"operatorName,omitzero"`
	Witness      domain.ID     `json:"witness,omitzero"`
	WitnessName  string        `json:"witnessName,omitzero"`
	Evidence     domain.ID     `json:"evidence,omitzero"`
}

// destruction: which records are due for destruction, what keeps them, and by whom
// the others were destroyed (II.5). With `by` those that are still there and whose
// retention has run before that moment.
func (a *asking) destruction() error {
	if a.record != "" && a.client == "" {
		return wrong("/record", "a record is its client's: name the client too")
	}
	if err := a.named(); err != nil {
		return err
	}
	by, err := a.momentOf(a.by, "/by")
	if err != nil {
		return err
	}
	wanted := func(f Found) bool {
		r := f.Known.Fact.(*domain.Record)
		if !a.by.given() {
			return true
		}
		due, runs := domain.Due(a.view, domain.ID(f.Key.A), r)
		return r.Destroyed == 0 && !runs && due.Before(by)
	}
	var of holdsOf
	return a.list(register{kind: domain.KindRecord, of: string(a.client), only: string(a.record),
		texts: func(f Found) []domain.Seq {
			r := f.Known.Fact.(*domain.Record)
			switch {
			case !wanted(f):
				return nil
			case r.Destroyed != 0:
				return []domain.Seq{r.TitleAt, r.Destroyed}
			}
			return []domain.Seq{r.TitleAt}
		},
		item: func(f Found, docs map[uint64]recorded) (any, error) {
			if !wanted(f) {
				return nil, nil
			}
			client, id, r := domain.ID(f.Key.A), domain.ID(f.Key.C), f.Known.Fact.(*domain.Record)
			it := &destructionItem{Client: client, Record: id, Engagement: r.Engagement, Title: a.text(docs, r.TitleAt, "/title", r.Title), Class: r.Class,
				Medium: r.Medium, Retention: r.Retention, Holder: r.Holder}
			if r.Destroyed != 0 {
				it.State = stateDestroyed
				it.Due, _ = domain.Due(a.view, client, r)
				it.destroyed, err = a.destroyedBy(docs[uint64(r.Destroyed)])
				return it, err
			}
			due, runs := domain.Due(a.view, client, r)
			it.Due, it.Hold = due, of.keeps(a.view, client, id)
			switch {
			case r.Lent != 0:
				it.State = stateLent
			case it.Hold != "":
				it.State = stateHeld
			case !runs && !a.moment.Before(due):
				it.State = stateDue
			default:
				it.State = stateRunning
			}
			return it, nil
		}})
}

// momentOf is when an event was, or the time itself; zero where neither is given.
func (a *asking) momentOf(w when, field string) (time.Time, error) {
	switch {
	case w.seq > a.n:
		return time.Time{}, wrong(field, fmt.Sprintf("the last event is %d", a.n))
	case w.seq != 0:
		return a.s.cfg.Store.TimeOf(w.seq)
	}
	return w.time, nil
}

func (a *asking) destroyedBy(d recorded) (destroyed, error) {
	e, err := d.Event()
	if err != nil {
		return destroyed{}, err
	}
	c := e.Data.(*domain.RecordDestroy)
	out := destroyed{Event: e.Seq, Time: e.Time, Actor: e.Actor, Method: c.Method, Operator: c.Operator, Witness: c.Witness, Evidence: c.Evidence}
	if out.OperatorName, err = a.nameOf(c.Operator); err != nil {
		return destroyed{}, err
	}
	out.WitnessName, err = a.nameOf(c.Witness)
	return out, err
}

// nameOf is a party's, opened.
func (a *asking) nameOf(id domain.ID) (string, error) {
	p, _ := fact[domain.Party](a.view, domain.Key{Kind: domain.KindParty, C: string(id)})
	if p == nil {
		return "", nil
	}
	docs, err := a.s.documents(a.ctx, []uint64{uint64(p.NameAt)})
	return a.text(docs, p.NameAt, "/name", p.Name), err
}

// holdsOf are the holds of one client, looked up once for all of its records.
type holdsOf struct {
	client domain.ID
	ids    []domain.ID
	holds  []*domain.Hold
}

// keeps is the first hold that stands over the record; empty where none does.
func (h *holdsOf) keeps(v domain.View, client, record domain.ID) domain.ID {
	if client != h.client {
		*h = holdsOf{client: client}
		for k, known := range v.List(domain.KindHold, string(client), "") {
			h.ids, h.holds = append(h.ids, domain.ID(k.C)), append(h.holds, known.Fact.(*domain.Hold))
		}
	}
	for i, hold := range h.holds {
		if hold.Keeps(record) {
			return h.ids[i]
		}
	}
	return ""
}
