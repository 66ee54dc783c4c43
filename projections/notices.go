package projections

import (
	"time"

	"github.com/qtccc/assent/domain"
)

type noticeItem struct {
	Client domain.ID `json:"client"`
	State  string    `json:"state"`
	By     time.Time `json:"by"` // before which it is to be told
	Told   *toldItem `json:"told,omitzero"`
}

// A toldItem is the notice that was given last.
type toldItem struct {
	Seq      domain.Seq `json:"seq"`
	Time     time.Time  `json:"time"`
	Channel  domain.ID  `json:"channel"`
	Evidence domain.ID  `json:"evidence,omitzero"`
	First    domain.Seq `json:"first,omitzero"` // the notice that was given first, where there were several
}

// notices: which clients were told of an edition, and which are still to be (V.1).
func (a *asking) notices() error {
	key := editionKey(a.edition)
	if _, ok := a.s.cfg.Store.At(domain.Seq(a.n)).Get(key); !ok {
		return absent("/edition", "there is no edition %d", a.edition)
	}
	e, _ := fact[domain.Edition](a.view, key)
	if e == nil {
		return nil // it wasn't published yet
	}
	return a.list(register{kind: domain.KindClient,
		item: func(f Found, _ map[uint64]recorded) (any, error) {
			if !concerned(f.Known.Fact.(*domain.Client), e.Effective) {
				return nil, nil
			}
			it := &noticeItem{Client: domain.ID(f.Key.C), By: noticeBy(e)}
			told, known := fact[domain.Told](a.view, toldKey(e.Number, f.Key.C))
			if told == nil {
				it.State = state(noticeLate(e, a.moment), stateLate, stateOpen)
				return it, nil
			}
			t, err := a.s.cfg.Store.TimeOf(uint64(known.From))
			it.State, it.Told = stateTold, &toldItem{Seq: known.From, Time: t, Channel: told.Channel, Evidence: told.Evidence}
			if known.First != known.From {
				it.Told.First = known.First
			}
			return it, err
		}})
}
