package projections

import (
	"time"

	"github.com/qtccc/assent/domain"
)

// A statusItem says how the ledger stands.
type statusItem struct {
	Ledger domain.UUID `json:"ledger"`
	Name   domain.ID   `json:"name,omitzero"`
	Seq    uint64      `json:"seq"`
	Time   time.Time   `json:"time,omitzero"` // of the last event
	Clock  time.Time   `json:"clock"`         // the ledger's, now: bounds are judged at it
	// Edition is the one in force, 0 before the ledger is open.
	Edition               int         `json:"edition"`
	OpenViolations        int         `json:"openViolations"`
	OverdueAuthorizations int         `json:"overdueAuthorizations"`
	OverdueSoon           int         `json:"overdueSoon"` // others, within 30 days
	DueForDestruction     int         `json:"dueForDestruction"`
	LateNotices           int         `json:"lateNotices"`
	WithoutParty          []domain.ID `json:"withoutParty"`
	LastReview            *lastReview `json:"lastReview,omitzero"`
	Checkpoint            *Proven     `json:"checkpoint,omitzero"`
	Scrub                 *Scrubbed   `json:"scrub,omitzero"`
	Alarms                []string    `json:"alarms"`
}

// A Proven is the last signed checkpoint: how many events it has, and the root of the
// tree over them in BASE64.
type Proven struct {
	Size     uint64 `json:"size"`
	Root     string `json:"root"`
	Cosigned int    `json:"cosigned,omitzero"` // by so many witnesses
}

// A Scrubbed is how far a scrub is that reads everything against the tree.
type Scrubbed struct {
	Read uint64    `json:"read"` // events, of this round
	Of   uint64    `json:"of"`
	Last time.Time `json:"last,omitzero"` // when a round ended
}

// A lastReview is the review that was closed last (II.2).
type lastReview struct {
	Review domain.ID  `json:"review"`
	Closed time.Time  `json:"closed"`
	Seq    domain.Seq `json:"seq"` // of the event that closed it
}

// status: what an officer, management and a monitor look at first (II.1 to II.5,
// V.1). It costs what it counts, not what the ledger holds.
func (a *asking) status() error {
	it := statusItem{Ledger: a.s.cfg.Ledger, Alarms: a.s.cfg.Alarms()}
	if a.s.cfg.Proof != nil {
		it.Checkpoint, it.Scrub = a.s.cfg.Proof()
	}
	if it.Alarms == nil {
		it.Alarms = []string{}
	}
	n, t, err := a.s.cfg.Store.tally(func(n uint64) (present, error) {
		at, err := a.s.now(n)
		if err != nil {
			return present{}, err
		}
		v := a.s.cfg.Store.At(domain.Seq(n))
		if l, _ := fact[domain.Ledger](v, domain.Key{Kind: domain.KindLedger}); l != nil {
			it.Name = l.Name
		}
		if it.LastReview, err = a.s.lastReview(v); err != nil {
			return present{}, err
		}
		p := presentAt(v, at)
		if it.Clock = at.UTC(); p.edition != nil {
			it.Edition = p.edition.Number
		}
		return p, nil
	})
	if err != nil {
		return err
	}
	if n > 0 {
		if it.Time, err = a.s.cfg.Store.TimeOf(n); err != nil {
			return err
		}
	}
	a.n, a.seq, it.Seq = n, domain.Seq(n), n
	it.OpenViolations, it.OverdueAuthorizations, it.OverdueSoon = t.openViolations, t.overdue, t.overdueSoon
	it.DueForDestruction, it.LateNotices, it.WithoutParty = t.due, t.late, t.withoutParty
	_, err = a.add(it)
	return err
}

func (s *Service) lastReview(v domain.View) (*lastReview, error) {
	r, _ := fact[domain.Reviews](v, domain.Key{Kind: domain.KindReviews})
	if r == nil || r.Closed == 0 {
		return nil, nil
	}
	t, err := s.cfg.Store.TimeOf(uint64(r.Closed))
	return &lastReview{Review: r.Last, Closed: t, Seq: r.Closed}, err
}
