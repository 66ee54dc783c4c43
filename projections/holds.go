package projections

import "github.com/qtccc/assent/domain"

type holdItem struct {
	Client   domain.ID   `json:"client"`
	Hold     domain.ID   `json:"hold"`
	Records  []domain.ID `json:"records,omitzero"` // none: all, later ones too
	Reason   string      `json:"reason"`
	PlacedBy domain.ID   `json:"placedBy"`
	Role     domain.Role `json:"role"` // of who placed it: what a manager placed a manager lifts
	Seq      domain.Seq  `json:"seq"`
	State    string      `json:"state"`
	Lifted   domain.Seq  `json:"lifted,omitzero"`
	LiftedBy domain.ID   `json:"liftedBy,omitzero"`
	Why      string      `json:"liftReason,omitzero"`
}

// holds: what keeps records from being destroyed (II.5), of the client or of all.
func (a *asking) holds() error {
	if err := a.named(); err != nil {
		return err
	}
	return a.list(register{kind: domain.KindHold, of: string(a.client),
		texts: func(f Found) []domain.Seq {
			if lifted := f.Known.Fact.(*domain.Hold).Lifted; lifted != 0 {
				return []domain.Seq{f.Known.First, lifted}
			}
			return []domain.Seq{f.Known.First}
		},
		item: func(f Found, docs map[uint64]recorded) (any, error) {
			h := f.Known.Fact.(*domain.Hold)
			it := &holdItem{Client: domain.ID(f.Key.A), Hold: domain.ID(f.Key.C), Records: h.Records,
				Reason: a.text(docs, f.Known.First, "/reason", h.Reason), PlacedBy: h.PlacedBy, Role: h.Role,
				Seq: f.Known.First, State: state(h.Lifted != 0, stateLifted, stateStanding), Lifted: h.Lifted}
			if h.Lifted == 0 {
				return it, nil
			}
			lift := docs[uint64(h.Lifted)]
			e, err := lift.Event()
			if err != nil {
				return nil, err
			}
			it.LiftedBy, it.Why = lift.Actor, a.text(docs, h.Lifted, "/reason", e.Data.(*domain.HoldLift).Reason)
			return it, nil
		}})
}
