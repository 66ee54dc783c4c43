package domain

import (
	"slices"
	"strconv"
)

// EngagementConfirm records a signed Engagement Confirmation, and whom the client
// names in it who may consult (I.1, III.3, IV.1).
type EngagementConfirm struct {
	Client     ID         `json:"client"`
	Engagement ID         `json:"engagement"`
	Evidence   ID         `json:"evidence"`
	Purposes   []Purpose  `json:"purposes"`
	Designees  []Designee `json:"designees,omitzero"`
}

// A Designee is one whom an Engagement Confirmation names.
type Designee struct {
	Designation ID        `json:"designation"`
	Party       ID        `json:"party"`
	Scope       Scope     `json:"scope"`
	Purposes    []Purpose `json:"purposes,omitzero"` // left out: the engagement's
	Actions     []Action  `json:"actions,omitzero"`  // left out: consult
	Until       Time      `json:"until,omitzero"`
}

func (c *EngagementConfirm) check() *Fault {
	for i, d := range c.Designees {
		at := "/designees/" + strconv.Itoa(i)
		if f := d.Scope.check(at + "/scope"); f != nil {
			return f
		}
		if slices.ContainsFunc(c.Designees[:i], func(e Designee) bool { return e.Designation == d.Designation }) {
			return invalid(at+"/designation", "two designees have the same designation id")
		}
	}
	return nil
}

func (c *EngagementConfirm) about(View) Subject { return Subject{Client: c.Client} }

func (c *EngagementConfirm) decide(d *deciding) {
	d.client(c.Client)
	e := d.evidence("/evidence", c.Evidence)
	if g, _ := engagement(d, c.Client, c.Engagement); g != nil {
		d.blame(Exists, "/engagement", "%s has an engagement %s already", c.Client, c.Engagement)
	}
	for i := range c.Designees {
		at, n := "/designees/"+strconv.Itoa(i), &c.Designees[i]
		d.party(at+"/party", n.Party)
		d.scope(at+"/scope", c.Client, &n.Scope, c.Engagement)
		d.free(at+"/designation", c.Client, Designated, n.Designation)
		d.serving(n.Party)
	}
	if d.fault != nil {
		return
	}
	d.fit("IV.1", c.Evidence, e, EngagementConfirmation, Subject{Client: c.Client}, false)
	if s, _ := get[Spent](d, spentKey(c.Client, e.Kind, e.SHA256)); s != nil {
		d.refuse("IV.1", "evidence-used", "%s confirmed the engagement %s; each engagement has a confirmation of its own", c.Evidence, s.By)
	}
	for _, n := range c.Designees {
		if p, _ := party(d, n.Party); p.Category != External {
			d.refuse("III.3", "not-external", "a designee is an external party, and %s is %s", n.Party, p.Category)
		}
	}
	for _, n := range c.Designees {
		if n.Scope.beyond(c.Engagement) && !e.Stamped && d.engaged(c.Client) {
			d.refuse("III.3", "evidence-unfit", "%s may consult more than %s by this, which changes whom %s designated: %s must be stamped too",
				n.Party, c.Engagement, c.Client, c.Evidence)
		}
	}
}

// engaged says whether the client ever confirmed an engagement.
func (d *deciding) engaged(of ID) bool {
	for range d.List(KindEngagement, string(of), "") {
		return true
	}
	return false
}

func (c *EngagementConfirm) apply(a *applying) {
	a.set(engagementKey(c.Client, c.Engagement), &Engagement{Evidence: c.Evidence, Purposes: c.Purposes})
	if e, _ := evidence(a, c.Evidence); e != nil {
		a.set(spentKey(c.Client, e.Kind, e.SHA256), &Spent{By: c.Engagement})
	}
	for _, n := range c.Designees {
		purposes := n.Purposes
		if purposes == nil {
			purposes = c.Purposes
		}
		a.makeRight(&Right{Kind: Designated, ID: n.Designation, Client: c.Client, Party: n.Party, Scope: n.Scope, Purposes: purposes,
			Actions: orConsult(n.Actions), Until: n.Until.Time, Evidence: c.Evidence, Engagement: c.Engagement})
	}
}

// EngagementClose ends an engagement, and for good the authorisations that name it.
type EngagementClose struct {
	Client     ID   `json:"client"`
	Engagement ID   `json:"engagement"`
	Reason     Text `json:"reason"`
}

func (c *EngagementClose) about(View) Subject { return Subject{Client: c.Client} }

func (c *EngagementClose) decide(d *deciding) {
	if g := d.engagement("/engagement", c.Client, c.Engagement); g != nil && g.Closed {
		d.blame(Ended, "/engagement", "%s is closed already", c.Engagement)
	}
}

func (c *EngagementClose) apply(a *applying) {
	change(a, engagementKey(c.Client, c.Engagement), func(g *Engagement) {
		g.Closed, g.ClosedAt = true, a.e.Time
		g.Closings = append(slices.Clip(g.Closings), a.e.Seq)
	})
}

// EngagementReopen brings a closed engagement back; the authorisations that named
// it stay ended.
type EngagementReopen struct {
	Client     ID   `json:"client"`
	Engagement ID   `json:"engagement"`
	Reason     Text `json:"reason"`
}

func (c *EngagementReopen) about(View) Subject { return Subject{Client: c.Client} }

func (c *EngagementReopen) decide(d *deciding) {
	if g := d.engagement("/engagement", c.Client, c.Engagement); g != nil && !g.Closed {
		d.blame(Ended, "/engagement", "%s is not closed", c.Engagement)
	}
}

func (c *EngagementReopen) apply(a *applying) {
	change(a, engagementKey(c.Client, c.Engagement), func(g *Engagement) { g.Closed = false })
}

func engagementKey(of, id ID) Key { return Key{Kind: KindEngagement, A: string(of), C: string(id)} }

func engagement(v View, of, id ID) (*Engagement, Known) {
	return get[Engagement](v, engagementKey(of, id))
}

// engagement is one of the client's that the command names at the pointer.
func (d *deciding) engagement(at string, of, id ID) *Engagement {
	d.client(of)
	g, _ := engagement(d, of, id)
	if g == nil {
		d.blame(Unknown, at, "%s has no engagement %s", of, id)
	}
	return g
}
