package projections

import "github.com/qtccc/assent/domain"

type inquiryItem struct {
	Inquiry    domain.ID          `json:"inquiry"`
	Client     domain.ID          `json:"client,omitzero"`
	From       string             `json:"from"`
	Kind       domain.InquiryKind `json:"kind"`
	To         domain.Addressee   `json:"to"`
	Text       string             `json:"text"`
	ReceivedBy domain.ID          `json:"receivedBy"`
	Seq        domain.Seq         `json:"seq"`
	State      string             `json:"state"`
	Answered   domain.Seq         `json:"answered,omitzero"`
	AnsweredBy domain.ID          `json:"answeredBy,omitzero"`
	Answer     string             `json:"answer,omitzero"`
	Attempt    domain.UUID        `json:"attempt,omitzero"` // the access that was the answer
	Erased     domain.Seq         `json:"erased,omitzero"`
}

// inquiries: what was asked of the managing director or the officer (IV.4). One is
// erased with its client, too: its texts were its client's.
func (a *asking) inquiries() error {
	wanted := func(q *domain.Inquiry) bool { return !a.open || q.Answered == 0 }
	return a.list(register{kind: domain.KindInquiry,
		texts: func(f Found) []domain.Seq {
			q := f.Known.Fact.(*domain.Inquiry)
			switch {
			case !wanted(q):
				return nil
			case q.Answered != 0:
				return []domain.Seq{f.Known.First, q.Answered}
			}
			return []domain.Seq{f.Known.First}
		},
		item: func(f Found, docs map[uint64]recorded) (any, error) {
			q := f.Known.Fact.(*domain.Inquiry)
			if !wanted(q) {
				return nil, nil
			}
			it := &inquiryItem{Inquiry: domain.ID(f.Key.C), Client: q.Client, From: a.text(docs, f.Known.First, "/from", q.From),
				Kind: q.Kind, To: q.To, Text: a.text(docs, f.Known.First, "/text", q.Text), ReceivedBy: docs[uint64(f.Known.First)].Actor,
				Seq: f.Known.First, State: state(q.Answered != 0, stateAnswered, stateOpen), Answered: q.Answered, Attempt: q.Attempt, Erased: q.Erased}
			if q.Answered != 0 {
				it.AnsweredBy, it.Answer = docs[uint64(q.Answered)].Actor, a.text(docs, q.Answered, "/text", q.Answer)
			}
			if it.Erased == 0 && q.Client != "" {
				it.Erased = a.erased(q.Client)
			}
			if it.Erased != 0 {
				it.State = stateErased
			}
			return it, nil
		}})
}
