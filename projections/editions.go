package projections

import (
	"time"

	"github.com/qtccc/assent/domain"
)

type editionItem struct {
	Edition      int           `json:"edition"`
	Effective    time.Time     `json:"effective"`
	Major        bool          `json:"major"`
	SHA256       domain.Digest `json:"sha256"`
	ReviewEvery  domain.Period `json:"reviewEvery"`
	NoticeWithin domain.Period `json:"noticeWithin"`
	Summary      string        `json:"summary,omitzero"` // none: the one that the ledger opened with
	Seq          domain.Seq    `json:"seq"`
	State        string        `json:"state"`
}

// editions: those of the statement (V.1, V.2).
func (a *asking) editions() error {
	var all []*domain.Edition
	for _, k := range a.view.List(domain.KindEdition, "", "") {
		all = append(all, k.Fact.(*domain.Edition))
	}
	in := domain.EditionInForce(a.view, a.moment)
	return a.list(register{kind: domain.KindEdition,
		texts: func(f Found) []domain.Seq {
			if f.Known.Fact.(*domain.Edition).Summary == "" {
				return nil
			}
			return []domain.Seq{f.Known.First}
		},
		item: func(f Found, docs map[uint64]recorded) (any, error) {
			e := f.Known.Fact.(*domain.Edition)
			it := &editionItem{Edition: e.Number, Effective: e.Effective, Major: e.Major, SHA256: e.SHA256, ReviewEvery: e.ReviewEvery,
				NoticeWithin: e.NoticeWithin, Summary: a.text(docs, f.Known.First, "/summary", e.Summary), Seq: f.Known.First, State: stateLapsed}
			switch {
			case in != nil && in.Number == e.Number:
				it.State = stateInForce
			case e.Effective.After(a.moment) && !overtaken(e, all):
				it.State = stateToCome
			}
			return it, nil
		}})
}

// overtaken: a higher edition takes effect no later, so this one never will be in
// force.
func overtaken(e *domain.Edition, all []*domain.Edition) bool {
	for _, other := range all {
		if other.Number > e.Number && !other.Effective.After(e.Effective) {
			return true
		}
	}
	return false
}
