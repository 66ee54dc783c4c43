package domain

import "slices"

// AuthorizationIssue lets a party of the agency's side consult, because it needs to
// know (II.2).
type AuthorizationIssue struct {
	Client        ID        `json:"client"`
	Authorization ID        `json:"authorization"`
	Party         ID        `json:"party"`
	Engagement    ID        `json:"engagement,omitzero"`
	Scope         Scope     `json:"scope"`
	Purposes      []Purpose `json:"purposes"`
	Actions       []Action  `json:"actions,omitzero"` // left out: consult
	Need          Text      `json:"need"`
	Until         Time      `json:"until,omitzero"`
	Evidence      ID        `json:"evidence,omitzero"`
}

func (c *AuthorizationIssue) check() *Fault      { return c.Scope.check("/scope") }
func (c *AuthorizationIssue) about(View) Subject { return Subject{Client: c.Client} }

func (c *AuthorizationIssue) decide(d *deciding) {
	d.client(c.Client)
	p := d.party("/party", c.Party)
	var under *Engagement
	if c.Engagement != "" {
		under = d.engagement("/engagement", c.Client, c.Engagement)
	}
	d.scope("/scope", c.Client, &c.Scope, "")
	d.reference("/evidence", c.Evidence)
	d.free("/authorization", c.Client, Authorized, c.Authorization)
	d.serving(c.Party)
	switch {
	case d.fault != nil:
	case d.blank("/need"):
		d.refuse("II.2", "no-need", "say why %s needs to know; data is consulted on a need-to-know basis only", c.Party)
	case under == nil && slices.ContainsFunc(c.Purposes, Purpose.needsEngagement):
		d.refuse("II.2", "no-relation", "purposes from service to engagement-related are under an engagement; name it")
	case under != nil && under.Closed:
		d.refuse("II.2", "no-relation", "the engagement %s is closed", c.Engagement)
	case p.Category == External:
		d.refuse("III.3", "external", "%s is external: the client designates it, or consents", c.Party)
	case p.Category == Contractor && !undertaken(d, c.Party, d.at):
		d.refuse("P.3", "no-undertaking", "the contractor %s has no undertaking of confidentiality in force; record it first", c.Party)
	case d.isOwn(c.Party):
		d.refuse("II.2", "self-issued", "nobody authorises themselves or their own institution")
	case d.actor.Role != Manager && taken(d, c.Client, c.Party):
		d.refuse("II.2", "review-revoked", "a review took an authorisation for %s from %s; only a manager issues one again", c.Client, c.Party)
	}
}

func (c *AuthorizationIssue) apply(a *applying) {
	a.makeRight(&Right{Kind: Authorized, ID: c.Authorization, Client: c.Client, Party: c.Party, Scope: c.Scope, Purposes: c.Purposes,
		Actions: orConsult(c.Actions), Until: c.Until.Time, Evidence: c.Evidence, Engagement: c.Engagement,
		Reviewed: a.e.Time, IssuedBy: a.e.Actor, Need: c.Need})
	if by, _ := actor(a, a.e.Actor); by != nil && by.Role == Manager && taken(a, c.Client, c.Party) {
		a.set(takenKey(c.Client, c.Party), &Taken{Restored: true})
	}
}

// taken says whether a review revoked an authorisation of the party for the client,
// and no manager has issued one to it since.
func taken(v View, of, party ID) bool {
	t, _ := get[Taken](v, takenKey(of, party))
	return t != nil && !t.Restored
}

// AuthorizationRevoke ends an authorisation.
type AuthorizationRevoke struct {
	Client        ID   `json:"client"`
	Authorization ID   `json:"authorization"`
	Reason        Text `json:"reason"`
}

func (c *AuthorizationRevoke) about(View) Subject { return Subject{Client: c.Client} }

func (c *AuthorizationRevoke) decide(d *deciding) {
	d.ends("/authorization", c.Client, Authorized, c.Authorization)
}

func (c *AuthorizationRevoke) apply(a *applying) { a.endRight(c.Client, Authorized, c.Authorization) }
