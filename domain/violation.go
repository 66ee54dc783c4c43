package domain

import "slices"

// ViolationReport opens a violation that no denied attempt opened (II.3).
type ViolationReport struct {
	Client   ID   `json:"client,omitzero"`
	Party    ID   `json:"party,omitzero"`
	Record   ID   `json:"record,omitzero"` // the client's
	Note     Text `json:"note"`
	Evidence ID   `json:"evidence,omitzero"`
}

func (c *ViolationReport) check() *Fault {
	if c.Record != "" && c.Client == "" {
		return invalid("/record", "a record is its client's; name the client too")
	}
	return nil
}

func (c *ViolationReport) about(View) Subject {
	return Subject{Client: c.Client, Party: c.Party}.first()
}

// decide: a violation may be of a client or a party that was erased.
func (c *ViolationReport) decide(d *deciding) {
	if k, _ := client(d, c.Client); k == nil && c.Client != "" {
		d.blame(Unknown, "/client", "there is no client %s", c.Client)
	}
	if p, _ := party(d, c.Party); p == nil && c.Party != "" {
		d.blame(Unknown, "/party", "there is no party %s", c.Party)
	}
	if r, _ := record(d, c.Client, c.Record); r == nil && c.Record != "" {
		d.blame(Unknown, "/record", "%s has no record %s", c.Client, c.Record)
	}
	d.reference("/evidence", c.Evidence)
}

func (c *ViolationReport) apply(a *applying) {
	a.openViolation(a.e.ID, &Violation{Client: c.Client, Party: c.Party, Record: c.Record, Reported: true, State: Open})
}

// openViolation makes a violation known. It is the one that later denials join, if
// it is the earliest that is open.
func (a *applying) openViolation(id UUID, v *Violation) {
	a.begin(id, violationKey(id), v)
	if v.Client != "" {
		a.begin(id, violationOfKey(Subject{Client: v.Client}, id), &ViolationOf{})
	}
	if v.Party != "" {
		a.begin(id, violationOfKey(Subject{Party: v.Party}, id), &ViolationOf{})
	}
	if v.Client != "" && v.Party != "" && openViolation(a, v.Client, v.Party) == "" {
		a.set(violatingKey(v.Client, v.Party), &Violating{Violation: id})
	}
}

// openViolation is the one that a denied attempt joins; empty where it opens one.
func openViolation(v View, of, party ID) UUID {
	if open, _ := get[Violating](v, violatingKey(of, party)); open != nil {
		return open.Violation
	}
	return ""
}

// denied: II.3. Every denied attempt opens a violation, or joins the earliest open
// one of the same party and client.
func (a *applying) denied(c *AccessRequest, violation UUID) {
	if openViolation(a, c.Client, c.Party) == "" {
		a.openViolation(violation, &Violation{Client: c.Client, Party: c.Party, Record: c.Record, State: Open})
	}
	for _, p := range [...]ID{c.Bearer, c.Recipient, c.BehalfOf} {
		if p == "" {
			continue
		}
		k := involvedKey(violation, p)
		if violation == a.e.ID {
			a.begin(violation, k, &Involved{})
		} else if known, _ := get[Involved](a, k); known == nil {
			a.set(k, &Involved{})
		}
	}
}

// ViolationInvestigate records what was found out of a violation so far.
type ViolationInvestigate struct {
	Violation UUID `json:"violation"`
	Note      Text `json:"note"`
	Evidence  ID   `json:"evidence,omitzero"`
}

func (c *ViolationInvestigate) about(v View) Subject { return subjectOfViolation(v, c.Violation) }

func (c *ViolationInvestigate) decide(d *deciding) {
	d.investigable(c.Violation)
	d.reference("/evidence", c.Evidence)
}

func (c *ViolationInvestigate) apply(a *applying) {
	change(a, violationKey(c.Violation), func(v *Violation) {
		v.State, v.Steps = Investigated, append(slices.Clip(v.Steps), a.e.Seq)
	})
}

// ViolationClose ends a violation with what it was found to be.
type ViolationClose struct {
	Violation UUID    `json:"violation"`
	Finding   Finding `json:"finding"`
	Note      Text    `json:"note"`
	Evidence  ID      `json:"evidence,omitzero"`
}

func (c *ViolationClose) about(v View) Subject { return subjectOfViolation(v, c.Violation) }

func (c *ViolationClose) decide(d *deciding) {
	d.investigable(c.Violation)
	d.reference("/evidence", c.Evidence)
}

func (c *ViolationClose) apply(a *applying) {
	change(a, violationKey(c.Violation), func(v *Violation) {
		v.State, v.Finding, v.Steps = Closed, c.Finding, append(slices.Clip(v.Steps), a.e.Seq)
	})
	v, _ := violation(a, c.Violation)
	if v != nil && openViolation(a, v.Client, v.Party) == c.Violation {
		a.set(violatingKey(v.Client, v.Party), &Violating{Violation: a.nextOpen(v.Client, v.Party)})
	}
}

// nextOpen is the earliest violation of the party at the client that is open now.
func (a *applying) nextOpen(of, party ID) UUID {
	for k := range a.List(KindViolationOf, Subject{Client: of}.String(), "") {
		if v, _ := violation(a, UUID(k.C)); v.Party == party && v.State != Closed {
			return UUID(k.C)
		}
	}
	return ""
}

// investigable: the violation is there and open, and nobody judges in their own
// matter (II.3).
func (d *deciding) investigable(id UUID) {
	v, _ := violation(d, id)
	if v == nil {
		d.blame(Unknown, "/violation", "there is no violation %s", id)
		return
	}
	if v.State == Closed {
		d.refuse("II.3", "closed", "the violation %s is closed", id)
	}
	for _, own := range d.own() {
		if in, _ := get[Involved](d, involvedKey(id, own)); in != nil || own == v.Party {
			d.refuse("II.3", "own-violation", "%s had a part in it, and %s acts for %s; let another investigate", own, d.actor.ID, own)
		}
	}
}

// anyOpenViolation is one of the client or the party that is open; empty where none
// is.
func anyOpenViolation(v View, of Subject) UUID {
	for k := range v.List(KindViolationOf, of.String(), "") {
		if it, _ := violation(v, UUID(k.C)); it.State != Closed {
			return UUID(k.C)
		}
	}
	return ""
}

func subjectOfViolation(v View, id UUID) Subject {
	it, _ := violation(v, id)
	if it == nil {
		return Subject{}
	}
	return known(v, Subject{Client: it.Client, Party: it.Party}).first()
}

func violationKey(id UUID) Key { return Key{Kind: KindViolation, C: string(id)} }

func violation(v View, id UUID) (*Violation, Known) { return get[Violation](v, violationKey(id)) }

func violationOfKey(of Subject, id UUID) Key {
	return Key{Kind: KindViolationOf, A: of.String(), C: string(id)}
}

func involvedKey(violation UUID, party ID) Key {
	return Key{Kind: KindInvolved, A: string(violation), C: string(party)}
}

func violatingKey(of, party ID) Key {
	return Key{Kind: KindViolating, A: string(of), C: string(party)}
}
