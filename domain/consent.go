package domain

// ConsentGive records the client's written consent that a party may come near its
// data (II.1).
type ConsentGive struct {
	Client   ID        `json:"client"`
	Consent  ID        `json:"consent"`
	Party    ID        `json:"party"`
	Scope    Scope     `json:"scope"`
	Purposes []Purpose `json:"purposes"`
	Actions  []Action  `json:"actions,omitzero"` // left out: consult
	Until    Time      `json:"until,omitzero"`
	Evidence ID        `json:"evidence"`
}

func (c *ConsentGive) check() *Fault      { return c.Scope.check("/scope") }
func (c *ConsentGive) about(View) Subject { return Subject{Client: c.Client} }

func (c *ConsentGive) decide(d *deciding) *Fault {
	if f := d.client(c.Client); f != nil {
		return f
	}
	p, f := d.party("/party", c.Party)
	if f != nil {
		return f
	}
	if f := d.scope("/scope", c.Client, &c.Scope, ""); f != nil {
		return f
	}
	e, f := d.evidence("/evidence", c.Evidence)
	if f != nil {
		return f
	}
	if f := d.freeRight("/consent", c.Client, Consented, c.Consent); f != nil {
		return f
	}
	stamped := p.Category == External
	switch {
	case p.Retired:
		return retired(c.Party)
	case p.Category == Staff || p.Category == Contractor:
		return refused("II.0", "needs-authorization", "%s is %s, and needs an authorisation, not a consent", c.Party, p.Category)
	case !e.fits(ConsentPaper, c.Client, "") || stamped && !e.Stamped:
		return e.unfit("II.1", c.Evidence, ConsentPaper, "client "+string(c.Client), stamped)
	case d.used(c.Client, e, c.Party):
		return usedPaper("II.1", c.Evidence, c.Party)
	}
	return nil
}

func (c *ConsentGive) apply(a *applying) {
	a.makeRight(&Right{Kind: Consented, ID: c.Consent, Client: c.Client, Party: c.Party, Scope: c.Scope, Purposes: c.Purposes,
		Actions: orConsult(c.Actions), Until: c.Until.Time, Evidence: c.Evidence})
}

// ConsentWithdraw ends a consent.
type ConsentWithdraw struct {
	Client   ID   `json:"client"`
	Consent  ID   `json:"consent"`
	Reason   Text `json:"reason,omitzero"`
	Evidence ID   `json:"evidence,omitzero"`
}

func (c *ConsentWithdraw) check() *Fault      { return nil }
func (c *ConsentWithdraw) about(View) Subject { return Subject{Client: c.Client} }

func (c *ConsentWithdraw) decide(d *deciding) *Fault {
	if _, f := d.right("/consent", c.Client, Consented, c.Consent); f != nil {
		return f
	}
	if f := d.optionalEvidence("/evidence", c.Evidence); f != nil {
		return f
	}
	return d.liveRight("/consent", c.Client, Consented, c.Consent)
}

func (c *ConsentWithdraw) apply(a *applying) { a.endRight(c.Client, Consented, c.Consent) }
