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

func (c *ConsentGive) decide(d *deciding) {
	d.client(c.Client)
	p := d.party("/party", c.Party)
	d.scope("/scope", c.Client, &c.Scope, "")
	e := d.evidence("/evidence", c.Evidence)
	d.free("/consent", c.Client, Consented, c.Consent)
	d.serving(c.Party)
	switch {
	case d.fault != nil:
	case p.Category == Staff || p.Category == Contractor:
		d.refuse("II.0", "needs-authorization", "%s is %s, and needs an authorisation, not a consent", c.Party, p.Category)
	default:
		d.fit("II.1", c.Evidence, e, ConsentPaper, Subject{Client: c.Client}, p.Category == External)
		d.unused("II.1", c.Client, c.Evidence, e, c.Party)
	}
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

func (c *ConsentWithdraw) about(View) Subject { return Subject{Client: c.Client} }

func (c *ConsentWithdraw) decide(d *deciding) {
	d.ends("/consent", c.Client, Consented, c.Consent)
	d.reference("/evidence", c.Evidence)
}

func (c *ConsentWithdraw) apply(a *applying) { a.endRight(c.Client, Consented, c.Consent) }
