package commands

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore/cloudevent"
	"github.com/qtccc/assent/eventstore/vault"
	"github.com/qtccc/assent/projections"
)

const (
	// retriers answer commands that were answered before, so that a flood of them
	// keeps nobody else waiting.
	retriers = 4
	// mostRetries wait for them at a time.
	mostRetries = 1024
	// looking is how long one may look for the first answer.
	looking = 5 * time.Second
)

// retries answer commands whose id was answered before: with that answer, made again
// from its event, or with `conflict` (design, decision 4). The event is durable when
// they get to it.
type retries struct {
	log   Log
	store *projections.Store
	ring  *vault.Ring
	say   *slog.Logger
	jobs  chan *job
	wg    sync.WaitGroup
}

func newRetries(log Log, store *projections.Store, ring *vault.Ring, say *slog.Logger) *retries {
	r := &retries{log: log, store: store, ring: ring, say: say, jobs: make(chan *job, mostRetries)}
	for range retriers {
		r.wg.Go(r.run)
	}
	return r
}

// put takes a job in and never blocks.
func (r *retries) put(j *job) {
	if j.answered {
		return
	}
	select {
	case r.jobs <- j:
	default:
		j.refuse(r.say, "more commands are sent again than the ledger takes: send it again, with the same id, in a moment")
	}
}

// close waits until all that was put is answered.
func (r *retries) close() {
	close(r.jobs)
	r.wg.Wait()
}

func (r *retries) run() {
	for j := range r.jobs {
		ctx, cancel := context.WithTimeout(context.Background(), looking)
		a, err := r.answer(ctx, j.req, j.again)
		cancel()
		if err != nil {
			r.say.Error("the first answer can't be found", "seq", j.again, "actor", j.door, "command", j.req.ID, "err", err)
			a = &Answer{ID: j.req.ID, Error: unavailable("the first answer to this id can't be found at present: send it again in a moment")}
		}
		j.answer = *a
		j.respond(r.say)
	}
}

// answer makes the first answer again from the event that recorded it.
func (r *retries) answer(ctx context.Context, req *Request, seq domain.Seq) (*Answer, error) {
	m, err := r.log.Get(ctx, uint64(seq))
	if err != nil {
		return nil, err
	}
	doc, err := cloudevent.Parse(m.Data)
	if err != nil {
		return nil, err
	}
	if doc.Seq != uint64(seq) || doc.Actor != req.Actor || doc.Command != req.ID {
		return nil, fmt.Errorf("event %d is not of command %s of %s", seq, req.ID, req.Actor)
	}
	same, err := r.same(doc, req)
	if err != nil {
		return nil, err
	}
	if !same {
		return &Answer{ID: req.ID, Error: &domain.Fault{Code: domain.Conflict, Field: "/id",
			Message: fmt.Sprintf("this id was used for another command, which event %d records; a new command wants a new id", seq)}}, nil
	}
	a := &Answer{ID: req.ID, Seq: seq, Again: true}
	if doc.Refusal != nil {
		a.Error, err = r.refusal(ctx, doc)
		return a, err
	}
	a.OK, a.Event, a.Type, a.Decision = true, doc.ID, doc.Type, doc.Decision
	return a, nil
}

// refusal is what a refused command was answered. The event keeps its code, clause
// and reason; the words for a person follow from history.
func (r *retries) refusal(ctx context.Context, doc *cloudevent.Document) (*domain.Fault, error) {
	f := &domain.Fault{Code: doc.Refusal.Code, Clause: doc.Refusal.Clause, Reason: doc.Refusal.Reason,
		Message: fmt.Sprintf("event %d records it", doc.Seq)}
	if err := r.store.Wait(ctx, doc.Seq); err != nil {
		return nil, err
	}
	e, err := doc.Event()
	if err != nil {
		return nil, err
	}
	err = projections.Guard(func() {
		view := r.store.At(e.Seq - 1)
		c := &domain.Command{ID: e.Command, Actor: e.Actor, Name: e.Name, Data: e.Data, Observed: e.Observed}
		known, _ := view.Get(domain.Key{Kind: domain.KindActor, C: string(e.Actor)})
		if a, ok := known.Fact.(*domain.Actor); ok {
			c.Key = a.PublicKey
		}
		// Another version of the law may word it otherwise, or decide otherwise.
		first := domain.Decide(view, c, e.Time, e.ID).Fault
		if first != nil && first.Code == f.Code && first.Clause == f.Clause && first.Reason == f.Reason {
			f = first
		}
	})
	return f, err
}

// same says whether the request has the event's content (contract, section 7): the
// same name and data, commitments opened; a † field that either side can't open
// counts as the same.
func (r *retries) same(doc *cloudevent.Document, req *Request) (bool, error) {
	if doc.Name != req.Name {
		return false, nil
	}
	if string(doc.Data) == string(req.Data) {
		return true, nil
	}
	first, err := membersOf(doc.Data)
	if err != nil {
		return false, err
	}
	now, err := membersOf(req.Data)
	if err != nil || len(first) != len(now) {
		return false, err
	}
	for name, value := range now {
		old, ok := first[name]
		if !ok {
			return false, nil
		}
		if old == value {
			continue
		}
		o := req.opening(pointer(name))
		if o == nil || !r.sameText(doc, o) {
			return false, nil
		}
	}
	return true, nil
}

// sameText says whether the event's box of the field holds the same text, as far as
// there is a box and it opens.
func (r *retries) sameText(doc *cloudevent.Document, o *FieldOpening) bool {
	if doc.Sealed == nil {
		return true
	}
	for _, b := range doc.Sealed.Boxes {
		if b.Field != o.Field {
			continue
		}
		text, err := r.ring.Unseal(vault.Place{Subject: doc.Sealed.Of, Event: string(doc.ID), Field: b.Field}, doc.Sealed.Gen, b.Box)
		if err != nil {
			return true
		}
		first, err := vault.DecodeOpening(text)
		return err != nil || first.Value == o.Value
	}
	return true
}

// membersOf are the members of canonical data, as they stand there.
func membersOf(data []byte) (map[string]string, error) {
	d := jsontext.NewDecoder(bytes.NewReader(data))
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	m := map[string]string{}
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		key := name.String()
		value, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		m[key] = string(value)
	}
	return m, nil
}
