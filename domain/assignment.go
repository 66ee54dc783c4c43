package domain

// AssignmentNotify records that a client was told of an assignee, before its data
// is transferred (III.6).
type AssignmentNotify struct {
	Client   ID `json:"client"`
	Assignee ID `json:"assignee"`
	Channel  ID `json:"channel"`
	Evidence ID `json:"evidence,omitzero"`
}

func (c *AssignmentNotify) about(View) Subject { return Subject{Client: c.Client} }

func (c *AssignmentNotify) decide(d *deciding) {
	d.client(c.Client)
	p := d.party("/assignee", c.Assignee)
	d.reference("/evidence", c.Evidence)
	if d.fault == nil && p.Category != Assignee {
		d.refuse("III.6", "not-assignee", "%s is %s, and only an assignee is told of so", c.Assignee, p.Category)
	}
}

func (c *AssignmentNotify) apply(a *applying) {
	a.set(notifiedKey(c.Client, c.Assignee), &Notified{})
}

func notifiedKey(of, assignee ID) Key {
	return Key{Kind: KindNotified, A: string(of), C: string(assignee)}
}
