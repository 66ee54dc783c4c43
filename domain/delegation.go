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

func (c *DelegationAuthorize) about(View) Subject { return Subject{Client: c.Client} }

func (c *DelegationAuthorize) decide(d *deciding) {
	from := d.right("/designation", c.Client, Designated, c.Designation)
	p := d.party("/delegate", c.Delegate)
	e := d.evidence("/evidence", c.Evidence)
	d.free("/delegation", c.Client, Delegated, c.Delegation)
	d.serving(c.Delegate)
	if d.fault != nil {
		return
	}
	if p.Category != External {
		d.refuse("III.5", "not-external", "a delegate is an external party, and %s is %s", c.Delegate, p.Category)
	}
	d.fit("III.5", c.Evidence, e, SpecialAuthorization, Subject{Client: c.Client}, true)
	d.unused("III.5", c.Client, c.Evidence, e, c.Delegate)
	if !from.inForce(d, d.at) {
		d.refuse("III.5", "designation-ended", "the designation %s is not in force, so nothing can be delegated from it", c.Designation)
	}
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

func (c *DelegationRevoke) about(View) Subject { return Subject{Client: c.Client} }

func (c *DelegationRevoke) decide(d *deciding) {
	d.ends("/delegation", c.Client, Delegated, c.Delegation)
}

func (c *DelegationRevoke) apply(a *applying) { a.endRight(c.Client, Delegated, c.Delegation) }
