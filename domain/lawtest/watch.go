package lawtest

import (
	"slices"
	"strings"

	"github.com/qtccc/assent/domain"
)

// watch makes up what the officer and management do about violations, holds,
// editions and inquiries.
func (l *Ledger) watch(c Chance) domain.Data {
	of := l.client(c)
	switch c(14) {
	case 0:
		r := &domain.ViolationReport{Client: pick(c, of, ""), Party: pick(c, l.party(c), ""), Note: Text(1)}
		if c(2) == 0 { // one more of whom there is one
			a := l.again(c, &domain.AccessRequest{})
			r.Client, r.Party = a.Client, a.Party
		}
		if r.Client != "" {
			r.Record = pick(c, "", l.record(c, r.Client))
		}
		return r
	case 1, 2:
		return &domain.ViolationInvestigate{Violation: l.violation(c), Note: Text(1), Evidence: l.attached(c, of)}
	case 3, 4:
		return &domain.ViolationClose{Violation: l.violation(c), Finding: pick(c, domain.Findings...), Note: Text(1)}
	case 5:
		h := &domain.HoldPlace{Client: of, Hold: l.next("h"), Reason: Text(1)}
		if c(2) == 0 {
			h.Records = []domain.ID{l.record(c, of)}
		}
		return h
	case 6, 7:
		if len(l.made.holds) == 0 {
			return &domain.HoldLift{Client: of, Hold: "none", Reason: Text(1)}
		}
		h := late(c, 3, l.made.holds)
		return &domain.HoldLift{Client: h.client, Hold: h.id, Reason: Text(1)}
	case 8:
		return l.loosen(c, l.publish(c))
	case 9:
		return &domain.PolicyNotify{Edition: l.made.edition, Client: of, Channel: "letter", Evidence: pick(c, "", l.paper(c, domain.Notice, of))}
	case 10:
		return &domain.InquiryReceive{Inquiry: l.next("q"), Client: pick(c, of, ""), From: Text(1), Kind: pick(c, domain.InquiryKinds...),
			To: pick(c, domain.Addressees...), Text: Text(2)}
	case 11: // by a request of before it was there, too
		return l.destroy(c, of, last(l.made.records[of]))
	default:
		return &domain.InquiryAnswer{Inquiry: l.inquiry(c), Text: Text(1), Attempt: pick(c, "", l.attempt())}
	}
}

// loosen makes an edition one that comes too early, or is looser, now and then.
func (l *Ledger) loosen(c Chance, p *domain.PolicyPublish) domain.Data {
	switch c(6) {
	case 0:
		p.ReviewEvery = months(12)
	case 1:
		p.NoticeWithin = domain.Period{Days: 40}
	case 2:
		p.Effective = domain.Time{Time: l.Now.Add(-1)}
	case 3:
		p.Edition = l.made.edition
	}
	return p
}

// violation is one of the last, open or not, or one of several that are open of the
// same party and client.
func (l *Ledger) violation(c Chance) domain.UUID {
	if len(l.made.violations) == 0 {
		return UUID(7, 0)
	}
	open, several := map[of][]domain.UUID{}, []domain.UUID(nil)
	for _, id := range l.made.violations[max(0, len(l.made.violations)-60):] {
		known, _ := l.View().Get(domain.Key{Kind: domain.KindViolation, C: string(id)})
		v := known.Fact.(*domain.Violation)
		if k := (of{v.Client, v.Party}); v.State != domain.Closed && v.Client != "" && v.Party != "" {
			if open[k] = append(open[k], id); len(open[k]) > 1 {
				several = open[k]
			}
		}
	}
	if several != nil && c(2) == 0 {
		return pick(c, several...)
	}
	return late(c, 10, l.made.violations)
}

func (l *Ledger) inquiry(c Chance) domain.ID {
	if len(l.made.inquiries) == 0 {
		return "none"
	}
	return late(c, 2, l.made.inquiries)
}

// attempt is the last access that was decided; none where none was.
func (l *Ledger) attempt() domain.UUID {
	for i := len(l.Events) - 1; i >= 0; i-- {
		if l.Events[i].Decision != nil {
			return l.Events[i].ID
		}
	}
	return ""
}

func (l *Ledger) reviewID(c Chance) domain.ID {
	if len(l.made.reviews) == 0 {
		return "none"
	}
	return late(c, 2, l.made.reviews)
}

// review makes up a review of management's: it opens one, decides what is undecided,
// and closes it.
func (l *Ledger) review(c Chance) domain.Data {
	open := domain.ID("")
	if known, ok := l.View().Get(domain.Key{Kind: domain.KindReviews}); ok {
		open = known.Fact.(*domain.Reviews).Open
	}
	if len(l.made.rights[domain.Authorized]) < 2 {
		return l.give(c)
	}
	if open == "" && c(12) > 0 || c(25) == 0 {
		return &domain.ReviewOpen{Review: l.next("r"), Title: Text(1)}
	}
	if open == "" {
		open = l.reviewID(c)
	}
	undecided := l.undecided(open)
	if len(undecided) == 0 && c(2) > 0 || c(15) == 0 {
		return &domain.ReviewClose{Review: open, Statement: Text(1)}
	}
	r := l.right(c, domain.Authorized)
	d := &domain.ReviewDecide{Review: open, Client: r.client, Authorization: r.id, Reason: Text(1)}
	if decided := l.decided(open); len(decided) > 0 && c(3) == 0 {
		of := pick(c, decided...)
		d.Client, d.Authorization = of.client, of.id
	} else if len(undecided) > 0 && c(6) > 0 {
		of := pick(c, undecided...)
		d.Client, d.Authorization = of.client, of.id
	}
	if d.Verdict = pick(c, domain.Keep, domain.Keep, domain.Narrow, domain.Narrow, domain.Revoke); d.Verdict == domain.Narrow {
		l.narrow(c, d)
	}
	return d
}

// undecided are the authorisations that the review is yet to decide.
func (l *Ledger) undecided(review domain.ID) (us []of) {
	v := l.View()
	known, ok := v.Get(domain.Key{Kind: domain.KindReview, C: string(review)})
	if !ok {
		return nil
	}
	for k := range v.List(domain.KindReviewable, "", "") {
		client, id, _ := strings.Cut(k.C, "/")
		r, _, _ := domain.FindRight(v, domain.ID(client), domain.Authorized, domain.ID(id))
		_, decided := v.Get(domain.Key{Kind: domain.KindVerdict, A: string(review), C: k.C})
		if !decided && r.InReview(v, known.Fact.(*domain.Review), known.First) && r.Standing(v, l.Now).InForce {
			us = append(us, of{r.Client, r.ID})
		}
	}
	return us
}

// decided are those that it has decided.
func (l *Ledger) decided(review domain.ID) (ds []of) {
	for k := range l.View().List(domain.KindVerdict, string(review), "") {
		client, id, _ := strings.Cut(k.C, "/")
		ds = append(ds, of{domain.ID(client), domain.ID(id)})
	}
	return ds
}

// narrow says something of the authorisation anew, mostly something narrower.
func (l *Ledger) narrow(c Chance, d *domain.ReviewDecide) {
	r, _, ok := domain.FindRight(l.View(), d.Client, domain.Authorized, d.Authorization)
	if !ok || c(6) == 0 {
		d.Actions = domain.Actions
		return
	}
	if r.Scope.Engagements != nil && c(2) == 0 {
		d.Scope = &domain.Scope{Records: []domain.ID{l.inside(c, d.Client, r.Scope.Engagements)}}
		return
	}
	switch c(5) {
	case 0:
		d.Actions = r.Actions[:1+c(len(r.Actions))]
	case 1:
		d.Purposes = r.Purposes[:1+c(len(r.Purposes))]
	case 2:
		d.Until = l.day(c, 60)
		if c(4) == 0 {
			d.Until.Time = l.Now.AddDate(0, 0, -60)
		}
	case 3:
		s := l.scope(c, d.Client)
		d.Scope = &s
	default:
		s := r.Scope
		s.Sensitive = false
		d.Scope = &s
	}
}

// inside is a record of one of the engagements, where there is one.
func (l *Ledger) inside(c Chance, of domain.ID, engagements []domain.ID) domain.ID {
	for k, known := range l.View().List(domain.KindRecord, string(of), "") {
		if slices.Contains(engagements, known.Fact.(*domain.Record).Engagement) {
			return domain.ID(k.C)
		}
	}
	return l.record(c, of)
}
