package projections

import (
	"fmt"
	"time"

	"github.com/qtccc/assent/domain"
)

type violationItem struct {
	Violation  domain.UUID     `json:"violation"`
	Client     domain.ID       `json:"client,omitzero"`
	Party      domain.ID       `json:"party,omitzero"`
	Record     domain.ID       `json:"record,omitzero"` // of the report, or of the attempt that opened it
	State      domain.State    `json:"state"`
	Finding    domain.Finding  `json:"finding,omitzero"`
	Reported   bool            `json:"reported,omitzero"` // no attempt opened it
	ReportedBy domain.ID       `json:"reportedBy,omitzero"`
	Note       string          `json:"note,omitzero"` // the report's
	Evidence   domain.ID       `json:"evidence,omitzero"`
	Opened     domain.Seq      `json:"opened"`
	Time       time.Time       `json:"time"` // when it was opened
	Attempts   []uint64        `json:"attempts"`
	More       bool            `json:"more,omitzero"` // other attempts joined it, or may have
	Steps      []violationStep `json:"steps,omitzero"`
	Earlier    int             `json:"earlier,omitzero"` // steps that were left out
}

// A violationStep is what was found out, or in the end found.
type violationStep struct {
	Seq      domain.Seq     `json:"seq"`
	Time     time.Time      `json:"time"`
	Actor    domain.ID      `json:"actor"`
	Finding  domain.Finding `json:"finding,omitzero"`
	Note     string         `json:"note"`
	Evidence domain.ID      `json:"evidence,omitzero"`
}

const (
	// mostAttempts are shown of a violation, the first ones, and so many denials of
	// its party at its client are looked at for them.
	mostAttempts = 1000
	mostDenials  = 2000
	// mostSteps are shown of a violation, the last ones: with notes as long as they
	// may be they fit into an answer.
	mostSteps = 50
)

// violations: what is investigated (II.3). Its client and party may be such as nobody
// registered, so none that is asked for is unknown.
func (a *asking) violations() error {
	l := register{kind: domain.KindViolation}
	if of := (domain.Subject{Client: a.client, Party: a.party}); of != (domain.Subject{}) {
		l.kind, l.of = domain.KindViolationOf, of.String()
	}
	find := func(f Found) (*domain.Violation, domain.Known) {
		return fact[domain.Violation](a.view, domain.Key{Kind: domain.KindViolation, C: f.Key.C})
	}
	wanted := func(v *domain.Violation) bool {
		return (!a.open || v.State != domain.Closed) && (a.client == "" || v.Client == a.client) && (a.party == "" || v.Party == a.party)
	}
	l.texts = func(f Found) []domain.Seq {
		v, known := find(f)
		if v == nil || !wanted(v) {
			return nil
		}
		return append([]domain.Seq{known.First}, lastSteps(v)...)
	}
	l.item = func(f Found, docs map[uint64]recorded) (any, error) {
		v, known := find(f)
		if v == nil {
			return nil, fmt.Errorf("violation %s was opened and isn't known", f.Key.C)
		}
		if !wanted(v) {
			return nil, nil
		}
		return a.violation(domain.UUID(f.Key.C), v, known.First, docs)
	}
	return a.list(l)
}

func lastSteps(v *domain.Violation) []domain.Seq { return v.Steps[max(0, len(v.Steps)-mostSteps):] }

func (a *asking) violation(id domain.UUID, v *domain.Violation, opened domain.Seq, docs map[uint64]recorded) (it *violationItem, err error) {
	it = &violationItem{Violation: id, Client: v.Client, Party: v.Party, Record: v.Record, State: v.State, Finding: v.Finding,
		Reported: v.Reported, Opened: opened, Time: docs[uint64(opened)].Time}
	if v.Reported {
		e, err := docs[uint64(opened)].Event()
		if err != nil {
			return nil, err
		}
		c := e.Data.(*domain.ViolationReport)
		it.ReportedBy, it.Evidence, it.Note = e.Actor, c.Evidence, a.text(docs, opened, "/note", c.Note)
	}
	steps := lastSteps(v)
	it.Earlier = len(v.Steps) - len(steps)
	for _, seq := range steps {
		e, err := docs[uint64(seq)].Event()
		if err != nil {
			return nil, err
		}
		s := violationStep{Seq: seq, Time: e.Time, Actor: e.Actor}
		var note domain.Text
		switch c := e.Data.(type) {
		case *domain.ViolationInvestigate:
			note, s.Evidence = c.Note, c.Evidence
		case *domain.ViolationClose:
			note, s.Evidence, s.Finding = c.Note, c.Evidence, c.Finding
		}
		s.Note = a.text(docs, seq, "/note", note)
		it.Steps = append(it.Steps, s)
	}
	it.Attempts, it.More, err = a.attempts(id, v, opened)
	return it, err
}

// attempts are the denied ones of a violation, the earliest first: those denials
// that name its client and its party, from the event that opened it to the one that
// closed it, whose decision says so.
func (a *asking) attempts(id domain.UUID, v *domain.Violation, opened domain.Seq) (seqs []uint64, more bool, err error) {
	seqs = []uint64{}
	if v.Client == "" || v.Party == "" {
		return seqs, false, nil // no denial joins what has none
	}
	q := TrailQuery{Client: v.Client, Party: v.Party, Decision: domain.Denied, From: uint64(opened), To: uint64(a.seq) + 1}
	if v.State == domain.Closed {
		q.To = uint64(v.Steps[len(v.Steps)-1])
	}
	for after, looked := uint64(0), 0; looked < mostDenials; {
		found, others, err := a.s.cfg.Store.Trail(q, after, chunk)
		if err != nil {
			return nil, false, err
		}
		docs, err := a.s.documents(a.ctx, found)
		if err != nil {
			return nil, false, err
		}
		a.scanned += len(found)
		for _, seq := range found {
			if d := docs[seq].Decision; d == nil || d.Violation != id {
				continue
			}
			if len(seqs) == mostAttempts {
				return seqs, true, nil
			}
			seqs = append(seqs, seq)
		}
		if !others {
			return seqs, false, nil
		}
		looked += len(found)
		after = found[len(found)-1]
	}
	return seqs, true, nil
}
