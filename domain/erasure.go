package domain

// ErasureRequest asks that what is personal of a client, a party or an inquiry be
// destroyed (II.5). Asked again, the new request counts.
type ErasureRequest struct {
	Client  ID   `json:"client,omitzero"`
	Party   ID   `json:"party,omitzero"`
	Inquiry ID   `json:"inquiry,omitzero"`
	Reason  Text `json:"reason"`
}

func (c *ErasureRequest) check() *Fault        { return erasing(c.Client, c.Party, c.Inquiry).check() }
func (c *ErasureRequest) about(v View) Subject { return erasing(c.Client, c.Party, c.Inquiry).about(v) }

func (c *ErasureRequest) decide(d *deciding) {
	what := erasing(c.Client, c.Party, c.Inquiry)
	d.erasable(what)
	what.refuse(d)
}

func (c *ErasureRequest) apply(a *applying) {
	a.set(erasing(c.Client, c.Party, c.Inquiry).key(), &Erasure{By: a.e.Actor})
}

// ErasureApprove lets management agree to it. It ends every right, contact,
// delegation and term of a client.
type ErasureApprove struct {
	Client  ID `json:"client,omitzero"`
	Party   ID `json:"party,omitzero"`
	Inquiry ID `json:"inquiry,omitzero"`
}

func (c *ErasureApprove) check() *Fault        { return erasing(c.Client, c.Party, c.Inquiry).check() }
func (c *ErasureApprove) about(v View) Subject { return erasing(c.Client, c.Party, c.Inquiry).about(v) }

func (c *ErasureApprove) decide(d *deciding) {
	what := erasing(c.Client, c.Party, c.Inquiry)
	d.erasable(what)
	if asked, _ := get[Erasure](d, what.key()); asked == nil {
		d.refuse("II.5", "not-requested", "nobody requested the erasure; the officer does, with `erasure request`")
	} else if d.mine(asked.By) {
		d.refuse("II.5", "self-approved", "%s requested it; another manager approves it", asked.By)
	}
	what.refuse(d)
}

func (c *ErasureApprove) apply(a *applying) {
	change(a, erasing(c.Client, c.Party, c.Inquiry).key(), func(e *Erasure) { e.Approved = a.e.Seq })
	switch {
	case c.Client != "":
		change(a, clientKey(c.Client), func(k *Client) { k.Erased, k.Terms = a.e.Seq, 0 })
	case c.Party != "":
		change(a, partyKey(c.Party), func(p *Party) { p.Erased = a.e.Seq })
	default:
		change(a, inquiryKey(c.Inquiry), func(q *Inquiry) { q.Erased = a.e.Seq })
	}
}

// An erased is what an erasure is of: one of the three.
type erased struct{ client, party, inquiry ID }

func erasing(client, party, inquiry ID) erased { return erased{client, party, inquiry} }

func (w erased) check() *Fault {
	n := 0
	for _, id := range [...]ID{w.client, w.party, w.inquiry} {
		if id != "" {
			n++
		}
	}
	switch {
	case n == 0:
		return invalid("/client", "say what is to be erased: a client, a party or an inquiry")
	case n > 1 && w.inquiry != "":
		return invalid("/inquiry", "one of client, party and inquiry is erased at a time")
	case n > 1:
		return invalid("/party", "one of client, party and inquiry is erased at a time")
	}
	return nil
}

func (w erased) about(v View) Subject {
	if w.inquiry != "" {
		return subjectOfInquiry(v, w.inquiry)
	}
	return Subject{Client: w.client, Party: w.party}
}

func (w erased) key() Key {
	switch {
	case w.client != "":
		return Key{Kind: KindErasure, A: "client", C: string(w.client)}
	case w.party != "":
		return Key{Kind: KindErasure, A: "party", C: string(w.party)}
	}
	return Key{Kind: KindErasure, A: "inquiry", C: string(w.inquiry)}
}

// erasable: it is there, and not erased yet.
func (d *deciding) erasable(w erased) {
	switch {
	case w.client != "":
		d.client(w.client)
	case w.party != "":
		d.party("/party", w.party)
	default:
		if q := d.inquiry(w.inquiry); q != nil {
			if q.Client != "" {
				d.client(q.Client)
			}
			d.unerased(q.Erased, "inquiry", w.inquiry)
		}
	}
}

// refuse: nothing is erased that is still needed.
func (w erased) refuse(d *deciding) {
	switch {
	case d.fault != nil:
	case w.client != "":
		d.clientDone(w.client)
	case w.party != "":
		d.partyDone(w.party)
	default:
		if q, _ := inquiry(d, w.inquiry); q.Answered == 0 {
			d.refuse("IV.4", "inquiry-open", "the inquiry %s is not answered yet", w.inquiry)
		}
	}
}

func (d *deciding) clientDone(id ID) {
	for k, known := range d.List(KindRecord, string(id), "") {
		if known.Fact.(*Record).Destroyed == 0 {
			d.refuse("II.5", "records-remain", "the record %s is not destroyed yet", k.C)
			break
		}
	}
	for k, known := range d.List(KindEngagement, string(id), "") {
		if !known.Fact.(*Engagement).Closed {
			d.refuse("II.5", "engagement-open", "the engagement %s is open; close it first", k.C)
			break
		}
	}
	if h := Held(d, id, ""); h != "" {
		d.refuse("II.5", "held", "the hold %s stands", h)
	}
	if v := anyOpenViolation(d, Subject{Client: id}); v != "" {
		d.refuse("II.3", "violation-open", "the violation %s is not closed", v)
	}
	if q := openInquiry(d, id); q != "" {
		d.refuse("IV.4", "inquiry-open", "the inquiry %s is not answered yet", q)
	}
}

func (d *deciding) partyDone(id ID) {
	if p, _ := party(d, id); !p.Retired {
		d.refuse("II.5", "in-use", "the party %s is in service; retire it first", id)
	} else if by := d.uses(id); by != "" {
		d.refuse("II.5", "in-use", "the party %s is named by %s; end that first", id, by)
	}
	if v := anyOpenViolation(d, Subject{Party: id}); v != "" {
		d.refuse("II.3", "violation-open", "the violation %s is not closed", v)
	}
}

// uses is what still names a party: a right or delegation in force, a contact, a
// loan, or an identity not revoked; empty where nothing does.
func (d *deciding) uses(id ID) string {
	for k := range d.List(KindHolding, string(id), "") {
		of := ID(k.C)
		if it, _ := client(d, of); it.Erased != 0 {
			continue
		}
		if c, _ := contact(d, of, id); c != nil && !c.Dropped {
			return "its place as a contact of " + string(of)
		}
		for _, known := range d.List(KindRight, string(of), string(id)) {
			if r := known.Fact.(*Right); r.Standing(d, d.at).InForce {
				return "the " + string(r.Kind) + " " + string(r.ID) + " of " + string(of)
			}
		}
	}
	for k, known := range d.List(KindLoan, string(id), "") {
		if known.Fact.(*Loan).Returned == 0 {
			return "the loan of " + k.C
		}
	}
	for _, known := range d.List(KindActor, "", "") {
		if a := known.Fact.(*Actor); a.Party == id && !a.Revoked {
			return "the identity " + string(a.ID)
		}
	}
	return ""
}

// unerased refuses what is about one that was erased (II.5).
func (d *deciding) unerased(at Seq, what string, id ID) {
	if at != 0 {
		d.refuse("II.5", erasedCode, "the %s %s was erased", what, id)
	}
}

const erasedCode = "erased"
