package domain_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/qtccc/assent/domain"
)

// TestTheRowsRefuseAsTheirTextDoes holds Decide to the last column of the contract's
// table, read off the list of events as the decision is in
// TestTheLawDecidesAsItsTextDoes: what comes to step 7 is accepted, or refused for
// the first of the row's reasons; and where something was erased, for that. Rows
// that literal.refusal doesn't have are looked at for what was erased alone.
func TestTheRowsRefuseAsTheirTextDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := settled(t)
		for _, e := range l.Events[7:] {
			cmd := &domain.Command{Actor: e.Actor, Name: e.Name, Data: e.Data, Observed: e.Observed}
			if e.Refusal == nil {
				refusesAsTheText(t, literal{l.Events[:e.Seq-1], e.Time}, cmd, "")
			} else if e.Refusal.Code == domain.Refused {
				refusesAsTheText(t, literal{l.Events[:e.Seq-1], e.Time}, cmd, string(e.Refusal.Clause)+" "+e.Refusal.Reason)
			}
		}
		c := chance(t)
		for range 40 {
			cmd := l.Command(l.MakeUp(c))
			switch f := domain.Decide(l.View(), cmd, l.Now, l.Next()).Fault; {
			case f == nil:
				refusesAsTheText(t, literal{l.Events, l.Now}, cmd, "")
			case f.Code == domain.Refused:
				refusesAsTheText(t, literal{l.Events, l.Now}, cmd, string(f.Clause)+" "+f.Reason)
			}
		}
	})
}

func refusesAsTheText(t *rapid.T, text literal, cmd *domain.Command, got string) {
	want, has := text.refusal(cmd)
	if has && got != want || !has && got == "II.5 erased" {
		t.Fatalf("%s: %s %+v at %s, after #%d:\n got %q\nwant %q", cmd.Actor, cmd.Name, cmd.Data, text.at, len(text.events), got, want)
	}
}

// own are the actor's own parties; issuers of rights that were revoked since have
// theirs still.
func (l literal) own(id domain.ID) (role domain.Role, own []domain.ID) {
	each(l, func(_ *domain.Event, d *domain.LedgerOpen) {
		if d.Admin.Actor == id {
			role = domain.Admin
		}
	})
	each(l, func(_ *domain.Event, d *domain.IdentityAdd) {
		if d.Actor == id {
			role, own = d.Role, append(own, d.Party)
		}
	})
	each(l, func(_ *domain.Event, d *domain.IdentityRotate) {
		if d.Actor == id {
			own = append(own, d.Party)
		}
	})
	own = slices.DeleteFunc(own, func(p domain.ID) bool { return p == "" })
	if len(own) > 0 {
		each(l, func(_ *domain.Event, d *domain.PartyRegister) {
			if d.Party == own[0] && d.Of != "" {
				own = append(own, d.Of)
			}
		})
	}
	return role, own
}

// signed says whether the paper is signed evidence of the client, of that kind.
func (l literal) signed(id domain.ID, kind domain.EvidenceKind, client domain.ID) bool {
	f, void := l.paper(id)
	return f != nil && f.Kind == kind && f.Client == client && f.Signed && !void
}

// A refusing row goes through its reasons from left to right.
type refusing []struct {
	stands bool
	why    string
}

func (rs refusing) first() string {
	for _, r := range rs {
		if r.stands {
			return r.why
		}
	}
	return ""
}

// refusal is for what the command is refused at step 7, and whether the row is one
// that is read here.
func (l literal) refusal(c *domain.Command) (why string, has bool) {
	role, own := l.own(c.Actor)
	is := func(p domain.ID) bool { return slices.Contains(own, p) }
	by := func(a domain.ID) bool { // this actor, or its own party
		_, theirs := l.own(a)
		return a == c.Actor || len(theirs) > 0 && is(theirs[0])
	}
	retired := func(p domain.ID) bool { q, _ := l.party(p); return q.retired }
	if l.erasedIn(c.Data) {
		return "II.5 erased", true
	}
	var rs refusing
	switch d := c.Data.(type) {
	case *domain.TermsAgree:
		rs = refusing{{!l.signed(d.Evidence, domain.SpecialTerms, d.Client), "II.6 evidence-unfit"}}
	case *domain.TermsEnd:
		f, _ := l.paper(d.Evidence)
		agreed := false
		each(l, func(_ *domain.Event, t *domain.TermsAgree) {
			g, _ := l.paper(t.Evidence)
			agreed = agreed || t.Client == d.Client && g.SHA256 == f.SHA256
		})
		rs = refusing{{agreed || !l.signed(d.Evidence, domain.SpecialTerms, d.Client), "II.6 evidence-unfit"}}
	case *domain.ApprovalGive:
		rs = refusing{{retired(d.Party), "P.1 party-retired"}, {is(d.Party) || is(d.Recipient), "II.6 self-approved"}}
	case *domain.AuthorizationIssue:
		p, _ := l.party(d.Party)
		q := &domain.AccessRequest{Client: d.Client}
		needs := slices.ContainsFunc(d.Purposes, func(p domain.Purpose) bool { return slices.Contains(domain.Purposes[3:9], p) })
		rs = refusing{
			{p.retired, "P.1 party-retired"},
			{slices.Contains(c.Blank, "/need"), "II.2 no-need"},
			{d.Engagement == "" && needs || d.Engagement != "" && l.closed(d.Client, d.Engagement), "II.2 no-relation"},
			{p.Category == domain.External, "III.3 external"},
			{p.Category == domain.Contractor && l.standing(q, d.Party, d.Party) != nil, "P.3 no-undertaking"},
			{is(d.Party), "II.2 self-issued"},
			{l.taken(d.Client, d.Party) && role != domain.Manager, "II.2 review-revoked"},
		}
	case *domain.RecordLend:
		r, destroyed, _ := l.record(d.Client, d.Record)
		rs = refusing{
			{r.Medium != domain.Physical, "II.0 not-physical"},
			{destroyed, "II.5 destroyed"},
			{l.holder(d.Client, d.Record) != "", "II.0 lent"},
			{!l.lendable(d), "II.0 no-grant"},
		}
	case *domain.RecordDestroy:
		_, destroyed, _ := l.record(d.Client, d.Record)
		w, _ := l.party(d.Witness)
		rs = refusing{
			{destroyed, "II.5 destroyed"},
			{l.holder(d.Client, d.Record) != "", "II.0 lent"},
			{l.held(d.Client, d.Record), "II.5 held"},
			{l.kept(d), "II.5 retention-runs"},
			{d.Operator == d.Witness || w.Category != domain.Staff || w.retired, "II.5 no-witness"},
		}
	case *domain.HoldLift:
		placed := domain.Role("")
		each(l, func(e *domain.Event, h *domain.HoldPlace) {
			if h.Client == d.Client && h.Hold == d.Hold {
				placed, _ = l.own(e.Actor)
			}
		})
		rs = refusing{{placed == domain.Manager && role != domain.Manager, "II.5 held"}}
	case *domain.ErasureRequest:
		rs = l.remaining(d.Client, d.Party, d.Inquiry)
	case *domain.ErasureApprove:
		asked := domain.ID("")
		each(l, func(e *domain.Event, r *domain.ErasureRequest) {
			if r.Client == d.Client && r.Party == d.Party && r.Inquiry == d.Inquiry {
				asked = e.Actor
			}
		})
		rs = append(refusing{{asked == "", "II.5 not-requested"}, {asked != "" && by(asked), "II.5 self-approved"}}, l.remaining(d.Client, d.Party, d.Inquiry)...)
	case *domain.ViolationInvestigate:
		rs = l.judging(d.Violation, own)
	case *domain.ViolationClose:
		rs = l.judging(d.Violation, own)
	case *domain.ReviewOpen:
		open := 0
		each(l, func(*domain.Event, *domain.ReviewOpen) { open++ })
		each(l, func(*domain.Event, *domain.ReviewClose) { open-- })
		rs = refusing{{open > 0, "II.2 review-open"}}
	case *domain.ReviewDecide:
		then, now := l.reviewed(d.Review, d.Client, d.Authorization)
		rs = refusing{
			{l.reviewClosed(d.Review) || then == nil, "II.2 not-in-review"},
			{!l.inForce(now), "II.2 authorization-ended"},
			{d.Verdict != domain.Revoke && (by(now.issuedBy) || is(now.party)), "II.2 self-review"},
			{d.Verdict == domain.Narrow && l.widens(d, now), "II.2 widens"},
		}
	case *domain.ReviewClose:
		undecided := false
		for _, r := range l.rights() {
			if then, _ := l.reviewed(d.Review, r.client, r.id); r.kind != "authorization" || then == nil || !l.inForce(r) {
				continue
			}
			decided := false
			each(l, func(_ *domain.Event, v *domain.ReviewDecide) {
				decided = decided || v.Review == d.Review && v.Client == r.client && v.Authorization == r.id
			})
			undecided = undecided || !decided
		}
		rs = refusing{{undecided, "II.2 undecided"}}
	case *domain.PolicyPublish:
		rs = l.publishing(d)
	case *domain.InquiryAnswer:
		rs = refusing{{l.answered(d.Inquiry), "IV.4 answered"}}
	default:
		return "", false
	}
	return rs.first(), true
}

// closed: the engagement is closed now.
func (l literal) closed(client, id domain.ID) (is bool) {
	for _, e := range l.events {
		switch d := e.Data.(type) {
		case *domain.EngagementClose:
			is = is || e.Refusal == nil && d.Client == client && d.Engagement == id
		case *domain.EngagementReopen:
			is = is && !(e.Refusal == nil && d.Client == client && d.Engagement == id)
		}
	}
	return is
}

// taken: a review revoked one of this party for this client, and no manager has
// issued one to it since.
func (l literal) taken(client, party domain.ID) (is bool) {
	rights := l.rights()
	for _, e := range l.events {
		if e.Refusal != nil {
			continue
		}
		switch d := e.Data.(type) {
		case *domain.ReviewDecide:
			is = is || d.Verdict == domain.Revoke && d.Client == client && slices.ContainsFunc(rights, func(r *literalRight) bool {
				return r.kind == "authorization" && r.client == client && r.party == party && r.id == d.Authorization
			})
		case *domain.AuthorizationIssue:
			if role, _ := l.own(e.Actor); d.Client == client && d.Party == party && role == domain.Manager {
				is = false
			}
		}
	}
	return is
}

// holder is whom the record is lent to.
func (l literal) holder(client, record domain.ID) (to domain.ID) {
	for _, e := range l.events {
		switch d := e.Data.(type) {
		case *domain.RecordLend:
			if e.Refusal == nil && d.Client == client && d.Record == record {
				to = d.Holder
			}
		case *domain.RecordReturn:
			if e.Refusal == nil && d.Client == client && d.Record == record {
				to = ""
			}
		}
	}
	return to
}

// lendable: the last decision on an access of the holder to the record is a grant, at
// most 24 hours old, and not used for a loan to it; of what was decided while the
// record was electronic nothing counts (docs/decisions/0010).
func (l literal) lendable(d *domain.RecordLend) (may bool) {
	medium := domain.Medium("")
	for _, e := range l.events {
		if e.Refusal != nil {
			continue
		}
		switch was := e.Data.(type) {
		case *domain.RecordRegister:
			if was.Client == d.Client && was.Record == d.Record {
				medium = was.Medium
			}
		case *domain.RecordAmend:
			if was.Client == d.Client && was.Record == d.Record && was.Medium != "" && was.Medium != medium {
				medium, may = was.Medium, false
			}
		case *domain.AccessRequest:
			if was.Client == d.Client && was.Record == d.Record && slices.Contains([]domain.ID{was.Party, was.Bearer, was.Recipient}, d.Holder) {
				may = e.Decision.Granted() && l.at.Sub(e.Time) <= 24*time.Hour && medium == domain.Physical
			}
		case *domain.RecordLend:
			if was.Client == d.Client && was.Record == d.Record && was.Holder == d.Holder {
				may = false
			}
		}
	}
	return may
}

// held: a hold stands over the record, or with no record, over any.
func (l literal) held(client, record domain.ID) (is bool) {
	each(l, func(_ *domain.Event, h *domain.HoldPlace) {
		lifted := h.Client != client
		each(l, func(_ *domain.Event, u *domain.HoldLift) { lifted = lifted || u.Client == client && u.Hold == h.Hold })
		is = is || !lifted && (record == "" || h.Records == nil || slices.Contains(h.Records, record))
	})
	return is
}

// kept: retention runs, and no request of the client's lets it be destroyed sooner.
func (l literal) kept(d *domain.RecordDestroy) bool {
	r, _, _ := l.record(d.Client, d.Record)
	var registered, asked domain.Seq
	var from time.Time
	each(l, func(e *domain.Event, was *domain.RecordRegister) {
		if was.Client == d.Client && was.Record == d.Record {
			registered, from = e.Seq, e.Time
		}
	})
	each(l, func(e *domain.Event, f *domain.EvidenceFile) {
		if f.Evidence == d.Evidence {
			asked = e.Seq
		}
	})
	if f, _ := l.paper(d.Evidence); l.signed(d.Evidence, domain.DestructionRequest, d.Client) &&
		(f.Record == d.Record || f.Record == "" && asked > registered) {
		return false
	}
	if r.Retention.After == domain.AfterEngagement {
		if !l.closed(d.Client, r.Engagement) {
			return true
		}
		each(l, func(e *domain.Event, was *domain.EngagementClose) {
			if was.Client == d.Client && was.Engagement == r.Engagement {
				from = e.Time
			}
		})
	}
	return l.at.Before(later(from, r.Retention.Keep))
}

func (l literal) answered(inquiry domain.ID) (is bool) {
	each(l, func(_ *domain.Event, a *domain.InquiryAnswer) { is = is || a.Inquiry == inquiry })
	return is
}

// judging: the violation is open, and no own party had a part in it.
func (l literal) judging(id domain.UUID, own []domain.ID) (rs refusing) {
	for _, v := range l.violations() {
		if v.id == id {
			mine := slices.ContainsFunc(v.involved, func(p domain.ID) bool { return p != "" && slices.Contains(own, p) })
			rs = refusing{{v.closed, "II.3 closed"}, {mine, "II.3 own-violation"}}
		}
	}
	return rs
}
