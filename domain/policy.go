package domain

import "fmt"

// PolicyPublish revises the statement (V.1, V.2).
type PolicyPublish struct {
	Edition      int    `json:"edition"`
	Effective    Time   `json:"effective,omitzero"` // left out: at once
	Major        bool   `json:"major"`
	SHA256       Digest `json:"sha256"`
	ReviewEvery  Period `json:"reviewEvery"`
	NoticeWithin Period `json:"noticeWithin"`
	Summary      Text   `json:"summary"`
}

func (c *PolicyPublish) check() *Fault { return checkEdition("/edition", c.Edition) }

func checkEdition(at string, n int) *Fault {
	if n < 1 || n > mostEdition {
		return invalid(at, fmt.Sprintf("an edition is a number from 1 to %d", mostEdition))
	}
	return nil
}

func (c *PolicyPublish) about(View) Subject { return Subject{} }

func (c *PolicyPublish) decide(d *deciding) {
	effective := c.Effective.Time
	if effective.IsZero() {
		effective = d.at
	}
	var last *Edition
	for _, k := range d.List(KindEdition, "", "") {
		if e := k.Fact.(*Edition); last == nil || e.Number > last.Number {
			last = e
		}
	}
	if in := EditionInForce(d, d.at); c.Edition <= last.Number {
		d.refuse("V.2", "not-later", "the last edition is %d; a new one has a higher number", last.Number)
	} else if effective.Before(d.at) || in != nil && !effective.After(in.Effective) {
		d.refuse("V.2", "not-later", "an edition takes effect at once or on a later day, and after the one in force")
	}
	if c.ReviewEvery.After(effective).After(last.ReviewEvery.After(effective)) {
		d.refuse("V.1", "loosens", "reviewEvery is longer than edition %d has it, %s; a revision makes the policy stricter", last.Number, last.ReviewEvery)
	}
	if c.NoticeWithin.After(effective).After(last.NoticeWithin.After(effective)) {
		d.refuse("V.1", "loosens", "noticeWithin is longer than edition %d has it, %s; a revision makes the policy stricter", last.Number, last.NoticeWithin)
	}
}

func (c *PolicyPublish) apply(a *applying) {
	e := &Edition{Number: c.Edition, Effective: c.Effective.Time, SHA256: c.SHA256, Major: c.Major, ReviewEvery: c.ReviewEvery,
		NoticeWithin: c.NoticeWithin, Summary: c.Summary}
	if e.Effective.IsZero() {
		e.Effective = a.e.Time
	}
	a.set(editionKey(c.Edition), e)
}

// PolicyNotify records that a client was told of an edition (V.1).
type PolicyNotify struct {
	Edition  int `json:"edition"`
	Client   ID  `json:"client"`
	Channel  ID  `json:"channel"`
	Evidence ID  `json:"evidence,omitzero"`
}

func (c *PolicyNotify) check() *Fault      { return checkEdition("/edition", c.Edition) }
func (c *PolicyNotify) about(View) Subject { return Subject{Client: c.Client} }

func (c *PolicyNotify) decide(d *deciding) {
	if e, _ := get[Edition](d, editionKey(c.Edition)); e == nil {
		d.blame(Unknown, "/edition", "there is no edition %d", c.Edition)
	}
	d.client(c.Client)
	d.reference("/evidence", c.Evidence)
}

func (c *PolicyNotify) apply(a *applying) {
	a.set(toldKey(c.Edition, c.Client), &Told{Channel: c.Channel, Evidence: c.Evidence})
}

func toldKey(edition int, of ID) Key {
	return Key{Kind: KindTold, A: editionKey(edition).C, C: string(of)}
}
