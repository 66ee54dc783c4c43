package domain

// ApprovalGive lets one access pass that special terms want approved (II.6).
type ApprovalGive struct {
	Client    ID      `json:"client"`
	Approval  ID      `json:"approval"`
	Party     ID      `json:"party"`
	Record    ID      `json:"record"`
	Action    Action  `json:"action"`
	Purpose   Purpose `json:"purpose"`
	Recipient ID      `json:"recipient,omitzero"`
	Until     Time    `json:"until"`
	Evidence  ID      `json:"evidence,omitzero"`
}

func (c *ApprovalGive) check() *Fault {
	if (c.Action == Transfer) != (c.Recipient != "") {
		return invalid("/recipient", "a transfer has a recipient, and nothing else has one")
	}
	return nil
}

func (c *ApprovalGive) about(View) Subject { return Subject{Client: c.Client} }

func (c *ApprovalGive) decide(d *deciding) {
	d.record("/record", c.Client, c.Record)
	d.party("/party", c.Party)
	d.optionalParty("/recipient", c.Recipient)
	d.reference("/evidence", c.Evidence)
	if g, _ := approval(d, c.Client, c.Approval); g != nil {
		d.blame(Exists, "/approval", "%s has an approval %s already", c.Client, c.Approval)
	}
	d.serving(c.Party)
	if d.isOwn(c.Party) || d.isOwn(c.Recipient) {
		d.refuse("II.6", "self-approved", "nobody approves an access of their own, or to themselves")
	}
}

func (c *ApprovalGive) apply(a *applying) {
	a.set(approvalKey(c.Client, c.Approval), &Approval{Party: c.Party, Record: c.Record, Action: c.Action, Purpose: c.Purpose,
		Recipient: c.Recipient, Until: c.Until.Time, Evidence: c.Evidence, GivenBy: a.e.Actor})
}

// ApprovalWithdraw takes an approval back.
type ApprovalWithdraw struct {
	Client   ID   `json:"client"`
	Approval ID   `json:"approval"`
	Reason   Text `json:"reason"`
}

func (c *ApprovalWithdraw) about(View) Subject { return Subject{Client: c.Client} }

func (c *ApprovalWithdraw) decide(d *deciding) {
	d.client(c.Client)
	switch g, _ := approval(d, c.Client, c.Approval); {
	case g == nil:
		d.blame(Unknown, "/approval", "%s has no approval %s", c.Client, c.Approval)
	case g.Withdrawn != 0:
		d.blame(Ended, "/approval", "the approval %s was withdrawn already", c.Approval)
	}
}

func (c *ApprovalWithdraw) apply(a *applying) {
	change(a, approvalKey(c.Client, c.Approval), func(g *Approval) { g.Withdrawn = a.e.Seq })
}

func approvalKey(of, id ID) Key { return Key{Kind: KindApproval, A: string(of), C: string(id)} }

func approval(v View, of, id ID) (*Approval, Known) { return get[Approval](v, approvalKey(of, id)) }

// allows says whether the approval is of this very access, and in force.
func (g *Approval) allows(a *access) bool {
	return g.Withdrawn == 0 && !passed(g.Until, a.at) && g.Party == a.Party && g.Record == a.AccessRequest.Record &&
		g.Action == a.Action && ID(g.Purpose) == a.Purpose && g.Recipient == a.Recipient
}
