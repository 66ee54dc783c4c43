package lawtest

import (
	"fmt"
	"slices"

	"github.com/qtccc/assent/domain"
)

// give makes up what gives a right.
func (l *Ledger) give(c Chance) domain.Data {
	of, id := l.client(c), l.next("x")
	switch c(8) {
	case 0, 1:
		return &domain.DesignationMake{Client: of, Designation: id, Party: l.outsider(c), Scope: l.scope(c, of), Purposes: l.purposes(c),
			Actions: l.actions(c), Until: l.until(c), Evidence: l.paper(c, domain.ConfirmationLetter, of)}
	case 2:
		d := l.right(c, domain.Designated)
		return &domain.DesignationChange{Client: d.client, Designation: d.id, Scope: l.scope(c, d.client), Purposes: domain.Purposes,
			Actions: domain.Actions, Until: l.until(c), Evidence: l.paper(c, domain.ConfirmationLetter, d.client)}
	case 3:
		d := l.right(c, domain.Designated)
		return &domain.DelegationAuthorize{Client: d.client, Delegation: id, Designation: d.id, Delegate: l.outsider(c), Until: l.until(c),
			Evidence: l.paper(c, domain.SpecialAuthorization, d.client)}
	case 4:
		return &domain.ConsentGive{Client: of, Consent: id, Party: pick(c, l.outsider(c), l.outsider(c), l.a(c, domain.Assignee), l.a(c, domain.Authority), l.party(c)), Scope: l.scope(c, of),
			Purposes: domain.Purposes, Actions: l.actions(c), Until: l.until(c), Evidence: l.paper(c, domain.ConsentPaper, of)}
	case 5:
		e := &domain.EngagementConfirm{Client: of, Engagement: id, Evidence: l.paper(c, domain.EngagementConfirmation, of),
			Purposes: domain.Purposes}
		for i := range c(3) {
			e.Designees = append(e.Designees, domain.Designee{Designation: id + domain.ID(fmt.Sprint("-", i)), Party: l.outsider(c),
				Scope: pick(c, l.scope(c, of), domain.Scope{Engagements: []domain.ID{id}}), Actions: l.actions(c), Until: l.until(c)})
		}
		return e
	default:
		a := &domain.AuthorizationIssue{Client: of, Authorization: id, Party: pick(c, "wu", l.a(c, domain.Staff), l.a(c, domain.Contractor), l.a(c, domain.Authority), l.a(c, domain.Assignee), l.party(c)),
			Scope: l.scope(c, of), Purposes: domain.Purposes, Actions: l.actions(c), Need: Text(1), Until: l.until(c), Evidence: l.attached(c, of)}
		if a.Engagement = l.engagement(c, of); a.Engagement == "none" || c(4) == 0 {
			a.Engagement, a.Purposes = "", pick(c, domain.Purposes[:2], domain.Purposes[:3], domain.Purposes[8:])
		}
		return a
	}
}

// MakeUpTaking makes up what takes a right away, or a party, a paper or a record
// out of reach, or what binds more tightly than before: special terms, an edition.
func (l *Ledger) MakeUpTaking(c Chance) domain.Data {
	of := l.client(c)
	switch c(16) {
	case 0, 1:
		return &domain.EvidenceVoid{Evidence: pick(c, append(l.made.papers, "none")...), Reason: Text(1)}
	case 2:
		r := l.right(c, domain.Designated)
		return &domain.DesignationRevoke{Client: r.client, Designation: r.id, Reason: Text(1)}
	case 3:
		r := l.right(c, domain.Delegated)
		return &domain.DelegationRevoke{Client: r.client, Delegation: r.id, Reason: Text(1)}
	case 4:
		r := l.right(c, domain.Consented)
		return &domain.ConsentWithdraw{Client: r.client, Consent: r.id}
	case 5:
		r := l.right(c, domain.Authorized)
		return &domain.AuthorizationRevoke{Client: r.client, Authorization: r.id, Reason: Text(1)}
	case 6:
		return &domain.EngagementClose{Client: of, Engagement: l.engagement(c, of), Reason: Text(1)}
	case 7:
		return &domain.ContactDrop{Client: of, Party: l.outsider(c)}
	case 8:
		p := l.a(c, pick(c, domain.Categories...))
		if slices.Contains(needed, p) { // whom nobody could restore
			p = "intern"
		}
		return &domain.PartyRetire{Party: p, Reason: Text(1)}
	case 9, 10:
		return l.terms(c)
	case 11:
		if a := l.approval(c); a != nil {
			return &domain.ApprovalWithdraw{Client: a.Client, Approval: a.Approval, Reason: Text(1)}
		}
		return &domain.ApprovalWithdraw{Client: of, Approval: "none", Reason: Text(1)}
	case 12:
		r := l.right(c, domain.Authorized)
		return &domain.ReviewDecide{Review: l.reviewID(c), Client: r.client, Authorization: r.id, Verdict: domain.Revoke, Reason: Text(1)}
	case 13:
		if l.made.leaving != nil {
			return l.made.leaving
		}
		return &domain.ErasureApprove{Client: of}
	case 14:
		return l.publish(c)
	default:
		return l.destroy(c, of, l.record(c, of))
	}
}

func (l *Ledger) destroy(c Chance, of, record domain.ID) domain.Data {
	return &domain.RecordDestroy{Client: of, Record: record, Method: pick(c, domain.Methods...), Operator: "wu",
		Witness: pick[domain.ID](c, "chen", "wu", "boss", "li"), Evidence: pick(c, "", l.paper(c, domain.DestructionRequest, of), l.paper(c, domain.DestructionRequest, of))}
}

// file makes up evidence. Its content is one of a few, so that papers are filed
// again.
func (l *Ledger) file(c Chance) domain.Data {
	e := l.evidence(pick(c, domain.ConfirmationLetter, domain.ConfirmationLetter, domain.SpecialAuthorization, domain.ConsentPaper,
		domain.EngagementConfirmation, domain.ModificationConfirmation, domain.DestructionRequest, domain.OtherPaper, domain.SpecialTerms,
		domain.UndertakingPaper, domain.Notice))
	e.Client, e.SHA256, e.Signed, e.Stamped = l.client(c), Digest(100+c(9)), c(9) > 0, c(6) > 0
	if n := len(l.made.missing); n > 0 && c(4) > 0 {
		e.Kind, e.Client = l.made.missing[n-1].kind, l.made.missing[n-1].of
		l.made.missing = nil
		if c(2) == 0 {
			e.SHA256 = Digest(1000 + len(l.Events))
		}
	}
	if e.Kind == domain.UndertakingPaper {
		e.Client, e.Party = "", l.a(c, domain.Contractor)
	} else if c(9) == 0 {
		e.Record = l.record(c, e.Client)
	}
	switch c(12) {
	case 0:
		e.SignedOn.Time = l.Now.Add(1)
	case 1, 2:
		e.Custody, e.Place = domain.InLedger, ""
	}
	return e
}
