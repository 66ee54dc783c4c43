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
	DueForDestruction     int         `json:"dueForDestruction"`
	LateNotices           int         `json:"lateNotices"`
	WithoutParty          []domain.ID `json:"withoutParty"`
	Alarms                []string    `json:"alarms"`
}

// status: what an officer, management and a monitor look at first (II.1 to II.5).
// It costs what it counts, not what the ledger holds. No notice is late: a ledger
// opens with its first edition, of which no client could be told, and nothing
// publishes another one yet (V.1).
func (a *asking) status() error {
	it := statusItem{Ledger: a.s.cfg.Ledger, Alarms: a.s.cfg.Alarms()}
	if it.Alarms == nil {
		it.Alarms = []string{}
	}
	n, t, err := a.s.cfg.Store.tally(func(n uint64) (time.Time, domain.Period, error) {
		now, err := a.s.now(n)
		v := a.s.cfg.Store.At(domain.Seq(n))
		if l, _ := fact[domain.Ledger](v, domain.Key{Kind: domain.KindLedger}); l != nil {
			it.Name = l.Name
		}
		e := domain.EditionInForce(v, now)
		if e == nil {
			e = &domain.Edition{}
		}
		it.Edition, it.Clock = e.Number, now.UTC()
		return now, e.ReviewEvery, err
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
	it.OpenViolations, it.OverdueAuthorizations, it.DueForDestruction, it.WithoutParty = t.openViolations, t.overdue, t.due, t.withoutParty
	_, err = a.add(it)
	return err
}
