package projections

import (
	"time"

	"github.com/qtccc/assent/domain"
)

type approvalItem struct {
	Client    domain.ID      `json:"client"`
	Approval  domain.ID      `json:"approval"`
	Party     domain.ID      `json:"party"`
	Record    domain.ID      `json:"record"`
	Action    domain.Action  `json:"action"`
	Purpose   domain.Purpose `json:"purpose"`
	Recipient domain.ID      `json:"recipient,omitzero"`
	Until     time.Time      `json:"until"`
	Evidence  domain.ID      `json:"evidence,omitzero"`
	GivenBy   domain.ID      `json:"givenBy"`
	Seq       domain.Seq     `json:"seq"`
	State     string         `json:"state"`
	Spent     domain.Seq     `json:"spent,omitzero"` // the grant that used it up
	Withdrawn domain.Seq     `json:"withdrawn,omitzero"`
}

// approvals: the single accesses that were approved where special terms want it
// (II.6).
func (a *asking) approvals() error {
	if err := a.named(); err != nil {
		return err
	}
	return a.list(register{kind: domain.KindApproval, of: string(a.client),
		item: func(f Found, _ map[uint64]recorded) (any, error) {
			g := f.Known.Fact.(*domain.Approval)
			it := &approvalItem{Client: a.client, Approval: domain.ID(f.Key.C), Party: g.Party, Record: g.Record, Action: g.Action,
				Purpose: g.Purpose, Recipient: g.Recipient, Until: g.Until, Evidence: g.Evidence, GivenBy: g.GivenBy,
				Seq: f.Known.First, State: stateInForce, Spent: g.Spent, Withdrawn: g.Withdrawn}
			switch {
			case g.Spent != 0:
				it.State = stateSpent
			case g.Withdrawn != 0:
				it.State = stateWithdrawn
			case a.over(g.Until):
				it.State = stateExpired
			case a.erased(a.client) != 0:
				it.State = stateEnded
			}
			return it, nil
		}})
}
