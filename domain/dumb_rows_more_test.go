package domain_test

import (
	"reflect"
	"slices"
	"time"

	"github.com/qtccc/assent/domain"
)

// erased says of which clients, parties and inquiries the erasure was approved.
func (l literal) erased() (clients, parties, inquiries []domain.ID) {
	each(l, func(_ *domain.Event, d *domain.ErasureApprove) {
		clients, parties, inquiries = append(clients, d.Client), append(parties, d.Party), append(inquiries, d.Inquiry)
	})
	return clients, parties, inquiries
}

// partyFields are those that name parties, in the data of any row.
var partyFields = []string{"Party", "Of", "Contacts", "Delegate", "Assignee", "Holder", "Operator", "Witness", "Recipient", "Parties"}

// erasedIn says whether what the command is about, or names, was erased. Violations
// go on, and what was asked may be answered.
func (l literal) erasedIn(data domain.Data) bool {
	switch data.(type) {
	case *domain.ViolationReport, *domain.ViolationInvestigate, *domain.ViolationClose, *domain.InquiryAnswer, *domain.AccessRequest:
		return false
	}
	clients, parties, inquiries := l.erased()
	gone := func(of []domain.ID, id domain.ID) bool { return id != "" && slices.Contains(of, id) }
	if d, ok := data.(*domain.EvidenceVoid); ok { // by the thing that it names
		f, _ := l.paper(d.Evidence)
		return gone(clients, f.Client) || gone(parties, f.Party)
	}
	found := false
	var look func(v reflect.Value)
	look = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Struct:
			if _, is := v.Interface().(time.Time); is {
				return
			}
			for i := range v.NumField() {
				name, f := v.Type().Field(i).Name, v.Field(i)
				id, _ := f.Interface().(domain.ID)
				ids, _ := f.Interface().([]domain.ID)
				for _, id := range append(ids, id) {
					found = found || name == "Client" && gone(clients, id) || name == "Inquiry" && gone(inquiries, id) ||
						slices.Contains(partyFields, name) && gone(parties, id)
				}
				look(f)
			}
		case reflect.Slice:
			for i := range v.Len() {
				look(v.Index(i))
			}
		case reflect.Pointer:
			if !v.IsNil() {
				look(v.Elem())
			}
		}
	}
	look(reflect.ValueOf(data))
	if d, ok := data.(*domain.ErasureRequest); ok {
		found = found || gone(clients, l.asker(d.Inquiry))
	}
	if d, ok := data.(*domain.ErasureApprove); ok {
		found = found || gone(clients, l.asker(d.Inquiry))
	}
	return found
}

// asker is the inquiry's client.
func (l literal) asker(inquiry domain.ID) (client domain.ID) {
	each(l, func(_ *domain.Event, q *domain.InquiryReceive) {
		if q.Inquiry == inquiry {
			client = q.Client
		}
	})
	return client
}

// remaining is what an erasure waits for.
func (l literal) remaining(client, party, inquiry domain.ID) refusing {
	switch {
	case client != "":
		records, engagements, asked := false, false, false
		each(l, func(_ *domain.Event, d *domain.RecordRegister) {
			_, destroyed, _ := l.record(client, d.Record)
			records = records || d.Client == client && !destroyed
		})
		each(l, func(_ *domain.Event, d *domain.EngagementConfirm) {
			engagements = engagements || d.Client == client && !l.closed(client, d.Engagement)
		})
		each(l, func(_ *domain.Event, d *domain.InquiryReceive) {
			asked = asked || d.Client == client && !l.answered(d.Inquiry)
		})
		return refusing{{records, "II.5 records-remain"}, {engagements, "II.5 engagement-open"}, {l.held(client, ""), "II.5 held"},
			{l.violated(func(v *literalViolation) bool { return v.client == client }), "II.3 violation-open"}, {asked, "IV.4 inquiry-open"}}
	case party != "":
		p, _ := l.party(party)
		return refusing{{!p.retired || l.named(party), "II.5 in-use"},
			{l.violated(func(v *literalViolation) bool { return v.party == party }), "II.3 violation-open"}}
	}
	return refusing{{!l.answered(inquiry), "IV.4 inquiry-open"}}
}

func (l literal) violated(of func(*literalViolation) bool) bool {
	return slices.ContainsFunc(l.violations(), func(v *literalViolation) bool { return !v.closed && of(v) })
}

// named: by a right or delegation in force, a contact, a loan or an identity not
// revoked.
func (l literal) named(party domain.ID) (is bool) {
	rights := l.rights()
	for _, r := range rights {
		from := r.kind != "delegation" || slices.ContainsFunc(rights, func(d *literalRight) bool {
			return d.kind == "designation" && d.client == r.client && d.id == r.designation && l.inForce(d)
		})
		is = is || r.party == party && l.inForce(r) && from
	}
	each(l, func(_ *domain.Event, d *domain.ClientRegister) { is = is || l.contact(d.Client, party) })
	each(l, func(_ *domain.Event, d *domain.RecordLend) { is = is || l.holder(d.Client, d.Record) == party })
	identity := func(actor, of domain.ID) {
		revoked, parties := false, []domain.ID{of}
		each(l, func(_ *domain.Event, r *domain.IdentityRevoke) { revoked = revoked || r.Actor == actor })
		each(l, func(_ *domain.Event, r *domain.IdentityRotate) {
			if r.Actor == actor {
				parties = append(parties, r.Party)
			}
		})
		is = is || !revoked && slices.Contains(parties, party)
	}
	each(l, func(_ *domain.Event, d *domain.LedgerOpen) { identity(d.Admin.Actor, "") })
	each(l, func(_ *domain.Event, d *domain.IdentityAdd) { identity(d.Actor, d.Party) })
	return is
}

// reviewed is the authorisation as it stood when the review was opened, where it was
// in force then, and as it stands now.
func (l literal) reviewed(review, client, id domain.ID) (then, now *literalRight) {
	find := func(l literal) *literalRight {
		for _, r := range l.rights() {
			if r.kind == "authorization" && r.client == client && r.id == id {
				return r
			}
		}
		return nil
	}
	now = find(l)
	each(l, func(e *domain.Event, d *domain.ReviewOpen) {
		if d.Review == review {
			opened := literal{l.events[:e.Seq], e.Time}
			if r := find(opened); r != nil && opened.inForce(r) {
				then = r
			}
		}
	})
	return then, now
}

func (l literal) reviewClosed(review domain.ID) (is bool) {
	each(l, func(_ *domain.Event, d *domain.ReviewClose) { is = is || d.Review == review })
	return is
}

// widens: narrower is `all` to anything, engagements to some of them or to records now
// in them, records to some of them, no purpose or action more, no later until, never
// sensitive anew.
func (l literal) widens(d *domain.ReviewDecide, r *literalRight) bool {
	for _, p := range d.Purposes {
		if !slices.Contains(r.purposes, p) {
			return true
		}
	}
	for _, a := range d.Actions {
		if !slices.Contains(r.actions, a) && !(r.actions == nil && a == domain.Consult) {
			return true
		}
	}
	if !d.Until.IsZero() && !r.until.IsZero() && d.Until.After(r.until.Time) {
		return true
	}
	if d.Scope == nil {
		return false
	}
	if d.Scope.Sensitive && !r.scope.Sensitive || bool(d.Scope.All) && !bool(r.scope.All) {
		return true
	}
	if r.scope.All {
		return false
	}
	for _, e := range d.Scope.Engagements {
		if !slices.Contains(r.scope.Engagements, e) {
			return true
		}
	}
	for _, id := range d.Scope.Records {
		record, _, _ := l.record(d.Client, id)
		if !slices.Contains(r.scope.Records, id) && !(record.Engagement != "" && slices.Contains(r.scope.Engagements, record.Engagement)) {
			return true
		}
	}
	return false
}

// publishing compares an edition with the last and with the one in force.
func (l literal) publishing(d *domain.PolicyPublish) refusing {
	last, inForce := domain.PolicyPublish{}, domain.PolicyPublish{}
	take := func(p domain.PolicyPublish) {
		if p.Edition > last.Edition {
			last = p
		}
		if !l.at.Before(p.Effective.Time) && p.Edition > inForce.Edition {
			inForce = p
		}
	}
	each(l, func(_ *domain.Event, d *domain.LedgerOpen) {
		p := d.Policy
		take(domain.PolicyPublish{Edition: p.Edition, Effective: p.Effective, ReviewEvery: p.ReviewEvery, NoticeWithin: p.NoticeWithin})
	})
	each(l, func(e *domain.Event, p *domain.PolicyPublish) {
		next := *p
		if next.Effective.IsZero() {
			next.Effective.Time = e.Time
		}
		take(next)
	})
	from := d.Effective.Time
	if from.IsZero() {
		from = l.at
	}
	longer := func(a, b domain.Period) bool { return later(from, a).After(later(from, b)) }
	return refusing{
		{d.Edition <= last.Edition || from.Before(l.at) || !from.After(inForce.Effective.Time), "V.2 not-later"},
		{longer(d.ReviewEvery, last.ReviewEvery) || longer(d.NoticeWithin, last.NoticeWithin), "V.1 loosens"},
	}
}
