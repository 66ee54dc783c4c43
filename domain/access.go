package domain

import (
	"cmp"
	"slices"
	"time"
)

// AccessRequest asks whether a party may do something with a record (II.0, II.1).
// It is never refused and never unknown: it is decided, recorded and answered.
type AccessRequest struct {
	Client       ID     `json:"client"`
	Record       ID     `json:"record"`
	Party        ID     `json:"party"`
	Action       Action `json:"action"`
	Purpose      ID     `json:"purpose"` // any id: one that I.3 doesn't know is a bar
	Bearer       ID     `json:"bearer,omitzero"`
	Recipient    ID     `json:"recipient,omitzero"`
	BehalfOf     ID     `json:"behalfOf,omitzero"`
	Confirmation ID     `json:"confirmation,omitzero"`
	Approval     ID     `json:"approval,omitzero"`
}

func (c *AccessRequest) check() *Fault {
	if c.Recipient != "" && c.Action != Transfer {
		return invalid("/recipient", "only a transfer has a recipient")
	}
	return nil
}

func (c *AccessRequest) about(v View) Subject {
	if k, _ := client(v, c.Client); k == nil || k.Erased != 0 {
		return Subject{}
	}
	return Subject{Client: c.Client}
}

func (c *AccessRequest) decide(d *deciding) { d.decision = DecideAccess(d.View, c, d.at, d.id) }

func (c *AccessRequest) apply(a *applying) {
	d := a.e.Decision
	if d == nil {
		return
	}
	c.looked(a, d.Granted())
	if !d.Granted() {
		a.denied(c, d.Violation)
		return
	}
	if c.Action == Modify {
		if e, _ := evidence(a, c.Confirmation); e != nil {
			a.set(spentKey(c.Client, e.Kind, e.SHA256), &Spent{})
		}
	}
	if slices.ContainsFunc(d.Reasons, func(r Reason) bool { return r.Clause == "II.6" && r.Code == "approved" }) {
		change(a, approvalKey(c.Client, c.Approval), func(g *Approval) { g.Spent = a.e.Seq })
	}
}

// looked notes the last decision on each party's access to a record that can be
// lent to it.
func (c *AccessRequest) looked(a *applying, granted bool) {
	if r, _ := record(a, c.Client, c.Record); r == nil || r.Medium != Physical {
		return
	}
	for _, id := range [...]ID{c.Party, c.Bearer, c.Recipient} {
		if id == "" {
			continue
		}
		if p, _ := party(a, id); p != nil {
			a.set(lookedKey(c.Client, c.Record, id), &Looked{Granted: granted, Time: a.e.Time})
		}
	}
}

// DecideAccess looks at every bar even after the first that stands: the officer
// needs to see all that would have to change. With no bar, one basis grants
// (contract, section 3). Attempt is the id of the event that records the decision.
func DecideAccess(v View, req *AccessRequest, at time.Time, attempt UUID) *Decision {
	d := &Decision{Decision: Denied, Attempt: attempt, Rules: Rules}
	a, missing := look(v, req, at)
	if a.edition != nil {
		d.Edition = a.edition.Number
	}
	if missing != nil {
		d.Reasons = merged(missing)
	} else {
		d.Decision, d.Reasons = a.decide()
	}
	if d.Granted() {
		return d
	}
	d.Violation = cmp.Or(openViolation(v, req.Client, req.Party), attempt)
	return d
}

// An access is one request with all that is known of its parts.
type access struct {
	View
	*AccessRequest
	at      time.Time
	edition *Edition // in force; nil where none is yet
	record  *Record
	// The one that asks, and the one that it would reach in a transfer.
	sender, recipient side
	bearer            *Party
	principal         *Party // of behalfOf; nil where it isn't registered
	purpose           Purpose
	terms             []agreed // in force
	// used are the confirmation and the approval that a grant uses up.
	used []Reason
}

// A side is a party before one of the client's records.
type side struct {
	id       ID
	party    *Party
	since    Seq // the event that registered it
	action   Action
	behalfOf ID   // in whose place it comes
	receives bool // it is the recipient
}

// look finds what the request names. Where client, record, party or bearer is not
// registered, all that apply are the only reasons (II.0).
func look(v View, req *AccessRequest, at time.Time) (*access, []Reason) {
	a := &access{View: v, AccessRequest: req, at: at, edition: EditionInForce(v, at)}
	var missing []Reason
	unregistered := func(code string) { missing = append(missing, Reason{Clause: "II.0", Code: code}) }
	c, _ := client(v, req.Client)
	if c == nil || c.Erased != 0 {
		unregistered("unknown-client")
	} else if a.record, _ = record(v, req.Client, req.Record); a.record == nil {
		unregistered("unknown-record")
	}
	p, k := registered(v, req.Party)
	a.sender = side{req.Party, p, k.First, req.Action, req.BehalfOf, false}
	if req.Bearer != "" {
		a.bearer, _ = registered(v, req.Bearer)
	}
	if p == nil || req.Bearer != "" && a.bearer == nil {
		unregistered("unknown-party")
	}
	if missing != nil {
		return a, missing
	}
	if req.BehalfOf != "" {
		a.principal, _ = registered(v, req.BehalfOf)
	}
	if req.Recipient != "" {
		p, k := registered(v, req.Recipient)
		a.recipient = side{req.Recipient, p, k.First, Consult, "", true}
	}
	a.terms = a.termsInForce(c)
	if p := Purpose(req.Purpose); slices.Contains(Purposes, p) {
		a.purpose = p
	}
	return a, nil
}

// registered is a party that wasn't erased.
func registered(v View, id ID) (*Party, Known) {
	p, k := party(v, id)
	if p != nil && p.Erased != 0 {
		return nil, Known{}
	}
	return p, k
}

// decide: every bar denies; with no bar, the first basis that serves grants.
func (a *access) decide() (string, []Reason) {
	var against []Reason
	for _, bar := range bars {
		against = append(against, bar(a)...)
	}
	serves, why := a.basis(a.sender)
	if serves && a.Recipient != "" && a.recipient.party != nil {
		// It was a bar where the recipient's had none; here it is a part of the grant.
		_, theirs := a.basis(a.recipient)
		why = append(why, prefixed(theirs)...)
	}
	switch {
	case !serves:
		return Denied, merged(append(against, why...))
	case len(against) > 0:
		return Denied, merged(against)
	}
	return Granted, merged(append(why, a.used...))
}

// prefixed are the reasons of a recipient.
func prefixed(rs []Reason) []Reason {
	for i := range rs {
		rs[i].Code = "recipient-" + rs[i].Code
	}
	return rs
}

// Check looks at what the request's fields say of each other, for a question that
// decides it without recording it.
func (c *AccessRequest) Check() *Fault { return c.check() }
