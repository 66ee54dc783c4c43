package lawtest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/qtccc/assent/domain"
)

// Erase goes the whole way of an erasure of a party or a client, with other steps
// between, and says whose it was.
func (l *Ledger) Erase(c Chance) *domain.ErasureApprove {
	for {
		var e *domain.Event
		if c(3) == 0 {
			e = l.Step(c)
		} else {
			data := l.leave(c)
			_, e = l.Do(l.who(c, data), data)
		}
		if e == nil || e.Type != "erasure.approved" {
			continue
		}
		if of := e.Data.(*domain.ErasureApprove); of.Inquiry == "" {
			return of
		}
	}
}

// leave makes up the next step of an erasure: somebody or something to be erased,
// what stands in its way, the request, the approval.
func (l *Ledger) leave(c Chance) domain.Data {
	if l.made.leaving == nil || c(40) == 0 { // or it is given up
		l.made.leaving = l.leaver(c)
	}
	of := l.made.leaving
	request := &domain.ErasureRequest{Client: of.Client, Party: of.Party, Inquiry: of.Inquiry, Reason: Text(1)}
	if c(4) == 0 {
		return pick[domain.Data](c, request, request, request, of) // too early
	}
	if of.Client != "" && c(12) == 0 {
		return l.remain(c, of.Client)
	}
	out := domain.Decide(l.View(), l.Command("officer", request), l.Now, l.Next())
	switch {
	case out.Fault != nil && out.Fault.Reason == "":
		l.made.leaving = nil // it isn't there
		return l.Request(c)
	case out.Fault != nil:
		return l.makeWay(c, of, out.Fault.Reason)
	}
	asked, ok := l.View().Get(domain.Key{Kind: domain.KindErasure, A: whose(of), C: string(of.Client + of.Party + of.Inquiry)})
	if !ok || c(4) == 0 || asked.Fact.(*domain.Erasure).By == "officer-2" && c(2) == 0 {
		return request
	}
	return of
}

// remain makes up what a client's erasure has to wait for.
func (l *Ledger) remain(c Chance, of domain.ID) domain.Data {
	switch c(4) {
	case 0:
		return &domain.HoldPlace{Client: of, Hold: l.next("h"), Reason: Text(1)}
	case 1:
		return &domain.ViolationReport{Client: of, Note: Text(1)}
	case 2:
		return &domain.InquiryReceive{Inquiry: l.next("q"), Client: of, From: Text(1), Kind: domain.InquiryKinds[0], To: domain.Addressees[0], Text: Text(2)}
	default:
		return l.register(c, of, l.next("x"))
	}
}

func whose(of *domain.ErasureApprove) string {
	switch {
	case of.Client != "":
		return "client"
	case of.Party != "":
		return "party"
	}
	return "inquiry"
}

// leaver is an inquiry, a party or a client, mostly one that little depends on.
func (l *Ledger) leaver(c Chance) *domain.ErasureApprove {
	var late, of []domain.ID
	for _, id := range l.made.parties {
		switch {
		case slices.Contains(needed, id):
		case slices.Contains(settled, id):
			of = append(of, id)
		default:
			late = append(late, id)
		}
	}
	if id := l.named(c); id != "" && c(4) == 0 {
		return &domain.ErasureApprove{Party: id}
	}
	switch n := c(8); {
	case n == 0:
		return &domain.ErasureApprove{Inquiry: l.inquiry(c)}
	case n < 5 && len(late) > 0 && c(4) > 0:
		return &domain.ErasureApprove{Party: pick(c, late...)}
	case n < 4 && len(of) > 0:
		return &domain.ErasureApprove{Party: pick(c, of...)}
	case len(l.made.clients) > 1 && c(8) > 0:
		return &domain.ErasureApprove{Client: pick(c, l.made.clients[1:]...)}
	}
	return &domain.ErasureApprove{Client: l.client(c)}
}

// named is who was named last as the holder of a loan, as a contact or as whom an
// identity acts for; empty where that one can't go.
func (l *Ledger) named(c Chance) (id domain.ID) {
	as := c(3)
	for i := len(l.Events) - 1; i >= max(0, len(l.Events)-300) && id == ""; i-- {
		if l.Events[i].Refusal != nil {
			continue
		}
		if d, ok := l.Events[i].Data.(*domain.RecordLend); ok && as == 0 {
			id = d.Holder
		} else if d, ok := l.Events[i].Data.(*domain.ContactName); ok && as == 1 {
			id = d.Party
		} else if d, ok := l.Events[i].Data.(*domain.IdentityAdd); ok && as == 2 {
			id = d.Party
		}
	}
	if slices.Contains(l.made.erased, id) || slices.Contains(needed, id) {
		return ""
	}
	return id
}

// settled are parties that Settle registers, needed those of them that its actors act
// for.
var settled = []domain.ID{"intern", "courier", "driver", "li", "firm", "lawyer", "agent", "nmpa", "buyer"}

var needed = []domain.ID{"agency", "wu", "chen", "boss", "vice"}

// makeWay makes up what takes away the reason for which it isn't erased yet.
func (l *Ledger) makeWay(c Chance, of *domain.ErasureApprove, why string) domain.Data {
	switch v := l.View(); why {
	case "records-remain":
		return l.clearRecords(c, of.Client)
	case "engagement-open":
		for k, known := range v.List(domain.KindEngagement, string(of.Client), "") {
			if !known.Fact.(*domain.Engagement).Closed {
				return &domain.EngagementClose{Client: of.Client, Engagement: domain.ID(k.C), Reason: Text(1)}
			}
		}
	case "held":
		return &domain.HoldLift{Client: of.Client, Hold: domain.Held(v, of.Client, ""), Reason: Text(1)}
	case "violation-open":
		for k := range v.List(domain.KindViolationOf, domain.Subject{Client: of.Client, Party: of.Party}.String(), "") {
			known, _ := v.Get(domain.Key{Kind: domain.KindViolation, C: k.C})
			if known.Fact.(*domain.Violation).State != domain.Closed {
				return &domain.ViolationClose{Violation: domain.UUID(k.C), Finding: pick(c, domain.Findings...), Note: Text(1)}
			}
		}
	case "inquiry-open":
		if of.Inquiry != "" {
			return &domain.InquiryAnswer{Inquiry: of.Inquiry, Text: Text(1)}
		}
		for k := range v.List(domain.KindInquiryOf, string(of.Client), "") {
			known, _ := v.Get(domain.Key{Kind: domain.KindInquiry, C: k.C})
			if known.Fact.(*domain.Inquiry).Answered == 0 {
				return &domain.InquiryAnswer{Inquiry: domain.ID(k.C), Text: Text(1)}
			}
		}
	case "in-use":
		return l.clearParty(of.Party)
	}
	l.made.leaving = nil // erased already
	return l.Request(c)
}

// clearRecords destroys the first record that is not, and does before what that
// needs.
func (l *Ledger) clearRecords(c Chance, of domain.ID) domain.Data {
	v := l.View()
	for k, known := range v.List(domain.KindRecord, string(of), "") {
		id, r := domain.ID(k.C), known.Fact.(*domain.Record)
		if r.Destroyed != 0 {
			continue
		}
		if r.Lent != 0 {
			return &domain.RecordReturn{Client: of, Record: id}
		}
		if h := domain.Held(v, of, id); h != "" {
			return &domain.HoldLift{Client: of, Hold: h, Reason: Text(1)}
		}
		d := &domain.RecordDestroy{Client: of, Record: id, Method: pick(c, domain.Methods...), Operator: "wu", Witness: "boss"}
		for f, filed := range v.List(domain.KindFiled, "client/"+string(of), "") {
			e, _ := v.Get(domain.Key{Kind: domain.KindEvidence, C: f.C})
			if p := e.Fact.(*domain.Evidence); p.Kind == domain.DestructionRequest && p.Signed && p.Voided == 0 && p.Record == "" && filed.First > known.First {
				d.Evidence = domain.ID(f.C)
			}
		}
		if due, runs := domain.Due(v, of, r); d.Evidence == "" && (runs || l.Now.Before(due)) {
			e := l.evidence(domain.DestructionRequest)
			e.Client, e.SHA256 = of, Digest(1000+len(l.Events))
			return e
		}
		return d
	}
	panic("no record remains")
}

// clearParty takes a party out of service and ends what still names it.
func (l *Ledger) clearParty(id domain.ID) domain.Data {
	v := l.View()
	if known, _ := v.Get(domain.Key{Kind: domain.KindParty, C: string(id)}); !known.Fact.(*domain.Party).Retired {
		return &domain.PartyRetire{Party: id, Reason: Text(1)}
	}
	for _, of := range l.made.clients {
		if known, ok := v.Get(domain.Key{Kind: domain.KindContact, A: string(of), C: string(id)}); ok && !known.Fact.(*domain.Contact).Dropped {
			return &domain.ContactDrop{Client: of, Party: id}
		}
		for _, known := range v.List(domain.KindRight, string(of), string(id)) {
			r := known.Fact.(*domain.Right)
			if !r.Standing(v, l.Now).InForce {
				continue
			}
			switch r.Kind {
			case domain.Designated:
				return &domain.DesignationRevoke{Client: of, Designation: r.ID, Reason: Text(1)}
			case domain.Delegated:
				return &domain.DelegationRevoke{Client: of, Delegation: r.ID, Reason: Text(1)}
			case domain.Consented:
				return &domain.ConsentWithdraw{Client: of, Consent: r.ID}
			default:
				return &domain.AuthorizationRevoke{Client: of, Authorization: r.ID, Reason: Text(1)}
			}
		}
	}
	for k, known := range v.List(domain.KindLoan, string(id), "") {
		if known.Fact.(*domain.Loan).Returned == 0 {
			of, record, _ := strings.Cut(k.C, "/")
			return &domain.RecordReturn{Client: domain.ID(of), Record: domain.ID(record)}
		}
	}
	for _, known := range v.List(domain.KindActor, "", "") {
		if a := known.Fact.(*domain.Actor); a.Party == id && !a.Revoked {
			return &domain.IdentityRevoke{Actor: a.ID}
		}
	}
	panic(fmt.Sprint("nothing names ", id))
}
