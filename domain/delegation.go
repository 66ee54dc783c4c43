package domain

// DelegationAuthorize records that a designee may send another in its place, by the
// client's special written authorisation (III.5).
type DelegationAuthorize struct {
	Client      ID   `json:"client"`
	Delegation  ID   `json:"delegation"`
	Designation ID   `json:"designation"`
	Delegate    ID   `json:"delegate"`
	Until       Time `json:"until,omitzero"`
	Evidence    ID   `json:"evidence"`
}

func (c *DelegationAuthorize) check() *Fault      { return nil }
func (c *DelegationAuthorize) about(View) Subject { return Subject{Client: c.Client} }

func (c *DelegationAuthorize) decide(d *deciding) *Fault {
	from, f := d.right("/designation", c.Client, Designated, c.Designation)
	if f != nil {
		return f
	}
	p, f := d.party("/delegate", c.Delegate)
	if f != nil {
		return f
	}
	e, f := d.evidence("/evidence", c.Evidence)
	if f != nil {
		return f
	}
	if f := d.freeRight("/delegation", c.Client, Delegated, c.Delegation); f != nil {
		return f
	}
	switch {
	case p.Retired:
		return retired(c.Delegate)
	case p.Category != External:
		return refused("III.5", "not-external", "a delegate is an external party, and %s is %s", c.Delegate, p.Category)
	case !e.fits(SpecialAuthorization, c.Client, "") || !e.Stamped:
		return e.unfit("III.5", c.Evidence, SpecialAuthorization, "client "+string(c.Client), true)
	case d.used(c.Client, e, c.Delegate):
		return usedPaper("III.5", c.Evidence, c.Delegate)
	case !from.inForce(d, d.at):
		return refused("III.5", "designation-ended", "the designation %s is not in force, so nothing can be delegated from it", c.Designation)
	}
	return nil
}

func (c *DelegationAuthorize) apply(a *applying) {
	from, _, ok := FindRight(a, c.Client, Designated, c.Designation)
	if !ok {
		return
	}
	a.makeRight(&Right{Kind: Delegated, ID: c.Delegation, Client: c.Client, Party: c.Delegate, Designation: c.Designation,
		Principal: from.Party, Until: c.Until.Time, Evidence: c.Evidence})
}

// DelegationRevoke ends a delegation.
type DelegationRevoke struct {
	Client     ID   `json:"client"`
	Delegation ID   `json:"delegation"`
	Reason     Text `json:"reason"`
}

func (c *DelegationRevoke) check() *Fault      { return nil }
func (c *DelegationRevoke) about(View) Subject { return Subject{Client: c.Client} }

func (c *DelegationRevoke) decide(d *deciding) *Fault {
	return d.liveRight("/delegation", c.Client, Delegated, c.Delegation)
}

func (c *DelegationRevoke) apply(a *applying) { a.endRight(c.Client, Delegated, c.Delegation) }
