package domain

import "time"

// PartyRegister makes a person or an institution known that may come near data.
type PartyRegister struct {
	Party    ID        `json:"party"`
	Category Category  `json:"category"`
	Kind     PartyKind `json:"kind"`
	Name     Text      `json:"name"`
	Of       ID        `json:"of,omitzero"` // of a person: its institution
}

func (c *PartyRegister) check() *Fault {
	if c.Of != "" && c.Kind != Person {
		return invalid("/of", "only a person is of an institution")
	}
	return nil
}

func (c *PartyRegister) about(View) Subject { return Subject{Party: c.Party} }

func (c *PartyRegister) decide(d *deciding) {
	of := d.optionalParty("/of", c.Of)
	if of != nil && (of.Kind != Institution || of.Category != c.Category) {
		d.blame(Invalid, "/of", "a person is of an institution of its own category: %s is a %s %s", c.Of, of.Category, of.Kind)
	}
	if p, _ := party(d, c.Party); p != nil {
		d.blame(Exists, "/party", "there is a party %s already", c.Party)
		d.unerased(p.Erased, "party", c.Party)
	}
}

func (c *PartyRegister) apply(a *applying) {
	a.set(partyKey(c.Party), &Party{Category: c.Category, Kind: c.Kind, Of: c.Of, Name: c.Name, NameAt: a.e.Seq})
}

// PartyAmend corrects a party's name.
type PartyAmend struct {
	Party  ID   `json:"party"`
	Name   Text `json:"name"`
	Reason Text `json:"reason"`
}

func (c *PartyAmend) about(View) Subject { return Subject{Party: c.Party} }

func (c *PartyAmend) decide(d *deciding) { d.party("/party", c.Party) }

func (c *PartyAmend) apply(a *applying) {
	change(a, partyKey(c.Party), func(p *Party) { p.Name, p.NameAt = c.Name, a.e.Seq })
}

// PartyRetire takes a party out of service: it comes near no data any more (P.1).
type PartyRetire struct {
	Party  ID   `json:"party"`
	Reason Text `json:"reason"`
}

func (c *PartyRetire) about(View) Subject { return Subject{Party: c.Party} }

func (c *PartyRetire) decide(d *deciding) {
	if p := d.party("/party", c.Party); p != nil && p.Retired {
		d.blame(Ended, "/party", "%s is retired already", c.Party)
	}
}

func (c *PartyRetire) apply(a *applying) {
	change(a, partyKey(c.Party), func(p *Party) { p.Retired, p.RetiredAt = true, a.e.Seq })
}

// PartyRestore brings a retired party back into service.
type PartyRestore struct {
	Party  ID   `json:"party"`
	Reason Text `json:"reason"`
}

func (c *PartyRestore) about(View) Subject { return Subject{Party: c.Party} }

func (c *PartyRestore) decide(d *deciding) {
	if p := d.party("/party", c.Party); p != nil && !p.Retired {
		d.blame(Ended, "/party", "%s is not retired", c.Party)
	}
}

func (c *PartyRestore) apply(a *applying) {
	change(a, partyKey(c.Party), func(p *Party) { p.Retired = false })
}

// TrainingComplete records that a person of the staff was trained to handle client
// data properly (P.2).
type TrainingComplete struct {
	Party  ID   `json:"party"`
	Course ID   `json:"course"`
	Until  Time `json:"until"`
}

func (c *TrainingComplete) about(View) Subject { return Subject{Party: c.Party} }

func (c *TrainingComplete) decide(d *deciding) {
	p := d.party("/party", c.Party)
	d.serving(c.Party)
	switch {
	case d.fault != nil:
	case p.Category != Staff || p.Kind != Person:
		d.refuse("P.2", "not-staff", "only a person of the staff is trained, and %s is a %s %s", c.Party, p.Category, p.Kind)
	case d.isOwn(c.Party):
		d.refuse("II.1", "own-party", "nobody records their own training; let another officer or manager do it")
	}
}

func (c *TrainingComplete) apply(a *applying) {
	k := Key{Kind: KindTraining, A: string(c.Party), C: string(c.Course)}
	if t, _ := get[Training](a, k); t != nil && !t.Until.Before(c.Until.Time) {
		return // the longer one stands
	}
	a.set(k, &Training{Until: c.Until.Time, Seq: a.e.Seq})
}

// trained: P.2. Training is a person's own; any course serves that is still good.
func trained(v View, id ID, at time.Time) bool {
	for _, k := range v.List(KindTraining, string(id), "") {
		if at.Before(k.Fact.(*Training).Until) {
			return true
		}
	}
	return false
}

// UndertakingGive records that a contractor undertook confidentiality (P.3).
type UndertakingGive struct {
	Party    ID   `json:"party"`
	Evidence ID   `json:"evidence"`
	Until    Time `json:"until,omitzero"`
}

func (c *UndertakingGive) about(View) Subject { return Subject{Party: c.Party} }

func (c *UndertakingGive) decide(d *deciding) {
	d.party("/party", c.Party)
	e := d.evidence("/evidence", c.Evidence)
	d.serving(c.Party)
	if d.fault == nil {
		d.fit("P.3", c.Evidence, e, UndertakingPaper, Subject{Party: c.Party}, false)
	}
}

func (c *UndertakingGive) apply(a *applying) {
	k := Key{Kind: KindUndertaking, A: string(c.Party), C: string(c.Evidence)}
	if u, _ := get[Undertaking](a, k); u != nil && (u.Until.IsZero() || !c.Until.IsZero() && !c.Until.After(u.Until)) {
		return // the longer one stands
	}
	a.set(k, &Undertaking{Evidence: c.Evidence, Until: c.Until.Time, Seq: a.e.Seq})
}

// undertaken: P.3. An undertaking ends at its day, and with its paper.
func undertaken(v View, id ID, at time.Time) bool {
	for _, k := range v.List(KindUndertaking, string(id), "") {
		u := k.Fact.(*Undertaking)
		if !passed(u.Until, at) && !void(v, u.Evidence) {
			return true
		}
	}
	return false
}

// passed says whether an end of validity has come; a zero end never does. Bounds
// are half-open: what is valid until T is not valid at T.
func passed(until, at time.Time) bool { return !until.IsZero() && !at.Before(until) }

func partyKey(id ID) Key { return Key{Kind: KindParty, C: string(id)} }

func party(v View, id ID) (*Party, Known) { return get[Party](v, partyKey(id)) }

// party is a party that the command names at the pointer.
func (d *deciding) party(at string, id ID) *Party {
	p, _ := party(d, id)
	if p == nil {
		d.blame(Unknown, at, "there is no party %s", id)
	} else {
		d.unerased(p.Erased, "party", id)
	}
	return p
}

// optionalParty is nil where none is named.
func (d *deciding) optionalParty(at string, id ID) *Party {
	if id == "" {
		return nil
	}
	return d.party(at, id)
}

// serving: P.1. What would give a party access is refused once it is retired.
func (d *deciding) serving(id ID) {
	if p, _ := party(d, id); p != nil && p.Retired {
		d.refuse("P.1", "party-retired", "the party %s is retired; restore it first", id)
	}
}
