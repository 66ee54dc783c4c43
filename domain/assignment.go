package domain

// AssignmentNotify records that a client was told of an assignee, before its data
// is transferred (III.6).
type AssignmentNotify struct {
	Client   ID `json:"client"`
	Assignee ID `json:"assignee"`
	Channel  ID `json:"channel"`
	Evidence ID `json:"evidence,omitzero"`
}

func (c *AssignmentNotify) check() *Fault      { return nil }
func (c *AssignmentNotify) about(View) Subject { return Subject{Client: c.Client} }

func (c *AssignmentNotify) decide(d *deciding) *Fault {
	if f := d.client(c.Client); f != nil {
		return f
	}
	p, f := d.party("/assignee", c.Assignee)
	if f != nil {
		return f
	}
	if f := d.optionalEvidence("/evidence", c.Evidence); f != nil {
		return f
	}
	if p.Category != Assignee {
		return refused("III.6", "not-assignee", "%s is %s, and only an assignee is told of so", c.Assignee, p.Category)
	}
	return nil
}

func (c *AssignmentNotify) apply(a *applying) {
	a.set(notifiedKey(c.Client, c.Assignee), &Notified{})
}

func notifiedKey(of, assignee ID) Key {
	return Key{Kind: KindNotified, A: string(of), C: string(assignee)}
}
