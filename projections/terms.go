package projections

import (
	"time"

	"github.com/qtccc/assent/domain"
)

type termsItem struct {
	Client   domain.ID          `json:"client"`
	Terms    domain.ID          `json:"terms"`
	Evidence domain.ID          `json:"evidence"`
	Rules    []domain.TermsRule `json:"rules"`
	Duties   string             `json:"duties,omitzero"`
	Until    time.Time          `json:"until,omitzero"`
	Seq      domain.Seq         `json:"seq"`
	State    string             `json:"state"`
	Ended    domain.Seq         `json:"ended,omitzero"` // by another paper, or with its client's erasure
}

// terms: what a client and the agency specially agreed (II.6). A void paper ends
// none of them.
func (a *asking) specialTerms() error {
	if err := a.named(); err != nil {
		return err
	}
	return a.list(register{kind: domain.KindTerms, of: string(a.client),
		texts: func(f Found) []domain.Seq {
			if f.Known.Fact.(*domain.Terms).Duties == "" {
				return nil
			}
			return []domain.Seq{f.Known.First}
		},
		item: func(f Found, docs map[uint64]recorded) (any, error) {
			t := f.Known.Fact.(*domain.Terms)
			it := &termsItem{Client: a.client, Terms: domain.ID(f.Key.C), Evidence: t.Evidence, Rules: t.Rules,
				Duties: a.text(docs, f.Known.First, "/duties", t.Duties), Until: t.Until, Seq: f.Known.First, Ended: t.Ended}
			if it.Ended == 0 {
				it.Ended = a.erased(a.client)
			}
			it.State = state(it.Ended != 0, stateEnded, state(a.over(t.Until), stateExpired, stateInForce))
			return it, nil
		}})
}

// over says whether what is valid until then, if ever, isn't any more.
func (a *asking) over(until time.Time) bool { return !until.IsZero() && !a.moment.Before(until) }

// erased is the event that erased the client; 0: none did.
func (a *asking) erased(client domain.ID) domain.Seq {
	if c, _ := fact[domain.Client](a.view, domain.Key{Kind: domain.KindClient, C: string(client)}); c != nil {
		return c.Erased
	}
	return 0
}
