package domain

import (
	"fmt"
	"time"
)

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

func (c *PartyRegister) decide(d *deciding) *Fault {
	of, f := d.optionalParty("/of", c.Of)
	if f != nil {
		return f
	}
	if of != nil && (of.Kind != Institution || of.Category != c.Category) {
		return invalid("/of", fmt.Sprintf("a person is of an institution of its own category: %s is a %s %s", c.Of, of.Category, of.Kind))
	}
	if p, _ := party(d, c.Party); p != nil {
		return exists("/party", "there is a party %s already", c.Party)
	}
	return nil
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

func (c *PartyAmend) check() *Fault      { return nil }
func (c *PartyAmend) about(View) Subject { return Subject{Party: c.Party} }

func (c *PartyAmend) decide(d *deciding) *Fault {
	_, f := d.party("/party", c.Party)
	return f
}

func (c *PartyAmend) apply(a *applying) {
	change(a, partyKey(c.Party), func(p *Party) { p.Name, p.NameAt = c.Name, a.e.Seq })
}

// PartyRetire takes a party out of service: it comes near no data any more (P.1).
type PartyRetire struct {
	Party  ID   `json:"party"`
	Reason Text `json:"reason"`
}

func (c *PartyRetire) check() *Fault      { return nil }
func (c *PartyRetire) about(View) Subject { return Subject{Party: c.Party} }

func (c *PartyRetire) decide(d *deciding) *Fault {
	p, f := d.party("/party", c.Party)
	if f == nil && p.Retired {
		f = ended("/party", "%s is retired already", c.Party)
	}
	return f
}

func (c *PartyRetire) apply(a *applying) {
	change(a, partyKey(c.Party), func(p *Party) { p.Retired, p.RetiredAt = true, a.e.Seq })
}

// PartyRestore brings a retired party back into service.
type PartyRestore struct {
	Party  ID   `json:"party"`
	Reason Text `json:"reason"`
}

func (c *PartyRestore) check() *Fault      { return nil }
func (c *PartyRestore) about(View) Subject { return Subject{Party: c.Party} }

func (c *PartyRestore) decide(d *deciding) *Fault {
	p, f := d.party("/party", c.Party)
	if f == nil && !p.Retired {
		f = ended("/party", "%s is not retired", c.Party)
	}
	return f
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

func (c *TrainingComplete) check() *Fault      { return nil }
func (c *TrainingComplete) about(View) Subject { return Subject{Party: c.Party} }

func (c *TrainingComplete) decide(d *deciding) *Fault {
	p, f := d.party("/party", c.Party)
	switch {
	case f != nil:
		return f
	case p.Retired:
		return retired(c.Party)
	case p.Category != Staff || p.Kind != Person:
		return refused("P.2", "not-staff", "only a person of the staff is trained, and %s is a %s %s", c.Party, p.Category, p.Kind)
	case d.isOwn(c.Party):
		return refused("II.1", "own-party", "nobody records their own training; let another officer or manager do it")
	}
	return nil
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

func (c *UndertakingGive) check() *Fault      { return nil }
func (c *UndertakingGive) about(View) Subject { return Subject{Party: c.Party} }

func (c *UndertakingGive) decide(d *deciding) *Fault {
	p, f := d.party("/party", c.Party)
	if f != nil {
		return f
	}
	e, f := d.evidence("/evidence", c.Evidence)
	if f != nil {
		return f
	}
	if p.Retired {
		return retired(c.Party)
	}
	if !e.fits(UndertakingPaper, "", c.Party) {
		return e.unfit("P.3", c.Evidence, UndertakingPaper, "party "+string(c.Party), false)
	}
	return nil
}

func (c *UndertakingGive) apply(a *applying) {
	a.set(Key{Kind: KindUndertaking, A: string(c.Party), C: string(c.Evidence)},
		&Undertaking{Evidence: c.Evidence, Until: c.Until.Time, Seq: a.e.Seq})
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
func (d *deciding) party(at string, id ID) (*Party, *Fault) {
	p, _ := party(d, id)
	if p == nil {
		return nil, unknown(at, "there is no party %s", id)
	}
	return p, nil
}

// optionalParty is nil where none is named.
func (d *deciding) optionalParty(at string, id ID) (*Party, *Fault) {
	if id == "" {
		return nil, nil
	}
	return d.party(at, id)
}

// servingParty: an identity for a retired party could do nothing (P.1).
func (d *deciding) servingParty(p *Party, id ID) *Fault {
	if p != nil && p.Retired {
		return retired(id)
	}
	return nil
}

// retired: P.1. What would give a party access is refused once it is retired.
func retired(id ID) *Fault {
	return refused("P.1", "party-retired", "the party %s is retired; restore it first", id)
}
