package domain

// DesignationMake records whom the client designates by a stamped and signed letter
// (III.3).
type DesignationMake struct {
	Client      ID        `json:"client"`
	Designation ID        `json:"designation"`
	Party       ID        `json:"party"`
	Scope       Scope     `json:"scope"`
	Purposes    []Purpose `json:"purposes,omitzero"` // left out: all
	Actions     []Action  `json:"actions,omitzero"`  // left out: consult
	Until       Time      `json:"until,omitzero"`
	Evidence    ID        `json:"evidence"`
}

func (c *DesignationMake) check() *Fault      { return c.Scope.check("/scope") }
func (c *DesignationMake) about(View) Subject { return Subject{Client: c.Client} }

func (c *DesignationMake) decide(d *deciding) {
	d.client(c.Client)
	p := d.party("/party", c.Party)
	d.scope("/scope", c.Client, &c.Scope, "")
	e := d.evidence("/evidence", c.Evidence)
	d.free("/designation", c.Client, Designated, c.Designation)
	d.serving(c.Party)
	if d.fault != nil {
		return
	}
	if p.Category != External {
		d.refuse("III.3", "not-external", "a designee is an external party, and %s is %s", c.Party, p.Category)
	}
	d.letter(c.Client, c.Evidence, e, c.Party)
}

// letter: III.3. A change of designees needs a letter, signed and stamped, that
// hasn't had its day.
func (d *deciding) letter(of, id ID, e *Evidence, party ID) {
	d.fit("III.3", id, e, ConfirmationLetter, Subject{Client: of}, true)
	d.unused("III.3", of, id, e, party)
}

func (c *DesignationMake) apply(a *applying) {
	purposes := c.Purposes
	if purposes == nil {
		purposes = Purposes
	}
	a.makeRight(&Right{Kind: Designated, ID: c.Designation, Client: c.Client, Party: c.Party, Scope: c.Scope, Purposes: purposes,
		Actions: orConsult(c.Actions), Until: c.Until.Time, Evidence: c.Evidence})
}

// DesignationChange replaces all that a designation says but its party, and ends
// the delegations from it (III.3).
type DesignationChange struct {
	Client      ID        `json:"client"`
	Designation ID        `json:"designation"`
	Scope       Scope     `json:"scope"`
	Purposes    []Purpose `json:"purposes"`
	Actions     []Action  `json:"actions"`
	Until       Time      `json:"until,omitzero"`
	Evidence    ID        `json:"evidence"`
}

func (c *DesignationChange) check() *Fault      { return c.Scope.check("/scope") }
func (c *DesignationChange) about(View) Subject { return Subject{Client: c.Client} }

func (c *DesignationChange) decide(d *deciding) {
	r := d.right("/designation", c.Client, Designated, c.Designation)
	d.scope("/scope", c.Client, &c.Scope, "")
	e := d.evidence("/evidence", c.Evidence)
	if d.fault != nil {
		return
	}
	d.serving(r.Party)
	if !r.inForce(d, d.at) {
		d.refuse("III.3", "designation-ended", "the designation %s is not in force; make a new one", c.Designation)
	}
	d.letter(c.Client, c.Evidence, e, r.Party)
}

func (c *DesignationChange) apply(a *applying) {
	r, _, ok := FindRight(a, c.Client, Designated, c.Designation)
	if !ok {
		return
	}
	next := *r
	next.Scope, next.Purposes, next.Actions, next.Until = c.Scope, c.Purposes, c.Actions, c.Until.Time
	next.Evidence = c.Evidence
	next.Changes = append(r.Changes[:len(r.Changes):len(r.Changes)], a.e.Seq)
	a.set(rightKey(c.Client, r.Party, Designated, c.Designation), &next)
	a.rest(&next)
}

// DesignationRevoke ends a designation, and what was delegated from it.
type DesignationRevoke struct {
	Client      ID   `json:"client"`
	Designation ID   `json:"designation"`
	Reason      Text `json:"reason"`
	Evidence    ID   `json:"evidence,omitzero"`
}

func (c *DesignationRevoke) about(View) Subject { return Subject{Client: c.Client} }

func (c *DesignationRevoke) decide(d *deciding) {
	d.ends("/designation", c.Client, Designated, c.Designation)
	d.reference("/evidence", c.Evidence)
}

func (c *DesignationRevoke) apply(a *applying) { a.endRight(c.Client, Designated, c.Designation) }
