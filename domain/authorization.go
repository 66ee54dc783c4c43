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

func (c *AuthorizationIssue) decide(d *deciding) *Fault {
	if f := d.client(c.Client); f != nil {
		return f
	}
	p, f := d.party("/party", c.Party)
	if f != nil {
		return f
	}
	var under *Engagement
	if c.Engagement != "" {
		if under, f = d.engagement("/engagement", c.Client, c.Engagement); f != nil {
			return f
		}
	}
	if f := d.scope("/scope", c.Client, &c.Scope, ""); f != nil {
		return f
	}
	if f := d.optionalEvidence("/evidence", c.Evidence); f != nil {
		return f
	}
	if f := d.freeRight("/authorization", c.Client, Authorized, c.Authorization); f != nil {
		return f
	}
	switch {
	case p.Retired:
		return retired(c.Party)
	case d.blank("/need"):
		return refused("II.2", "no-need", "say why %s needs to know; data is consulted on a need-to-know basis only", c.Party)
	case under == nil && slices.ContainsFunc(c.Purposes, Purpose.needsEngagement):
		return refused("II.2", "no-relation", "purposes from service to engagement-related are under an engagement; name it")
	case under != nil && under.Closed:
		return refused("II.2", "no-relation", "the engagement %s is closed", c.Engagement)
	case p.Category == External:
		return refused("III.3", "external", "%s is external: the client designates it, or consents", c.Party)
	case p.Category == Contractor && !undertaken(d, c.Party, d.at):
		return refused("P.3", "no-undertaking", "the contractor %s has no undertaking of confidentiality in force; record it first", c.Party)
	case d.isOwn(c.Party):
		return refused("II.2", "self-issued", "nobody authorises themselves or their own institution")
	}
	return nil
}

func (c *AuthorizationIssue) apply(a *applying) {
	a.makeRight(&Right{Kind: Authorized, ID: c.Authorization, Client: c.Client, Party: c.Party, Scope: c.Scope, Purposes: c.Purposes,
		Actions: orConsult(c.Actions), Until: c.Until.Time, Evidence: c.Evidence, Engagement: c.Engagement,
		Reviewed: a.e.Time, IssuedBy: a.e.Actor, Need: c.Need})
}

// AuthorizationRevoke ends an authorisation.
type AuthorizationRevoke struct {
	Client        ID   `json:"client"`
	Authorization ID   `json:"authorization"`
	Reason        Text `json:"reason"`
}

func (c *AuthorizationRevoke) check() *Fault      { return nil }
func (c *AuthorizationRevoke) about(View) Subject { return Subject{Client: c.Client} }

func (c *AuthorizationRevoke) decide(d *deciding) *Fault {
	return d.liveRight("/authorization", c.Client, Authorized, c.Authorization)
}

func (c *AuthorizationRevoke) apply(a *applying) { a.endRight(c.Client, Authorized, c.Authorization) }
