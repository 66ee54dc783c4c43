package domain

import (
	"slices"
	"strconv"
)

// TermsAgree records special terms that both sides agreed in writing (II.6). Terms
// only ever restrict.
type TermsAgree struct {
	Client   ID          `json:"client"`
	Terms    ID          `json:"terms"`
	Evidence ID          `json:"evidence"`
	Rules    []TermsRule `json:"rules" may:"empty"`
	Duties   Text        `json:"duties,omitzero"`
	Until    Time        `json:"until,omitzero"`
}

// A TermsRule of special terms. It matches an access that fits every field given,
// any value of a field.
type TermsRule struct {
	Effect     Effect     `json:"effect"`
	Parties    []ID       `json:"parties,omitzero"`
	Categories []Category `json:"categories,omitzero"`
	Actions    []Action   `json:"actions,omitzero"`
	Purposes   []Purpose  `json:"purposes,omitzero"`
	Records    []ID       `json:"records,omitzero"`
	Classes    []Class    `json:"classes,omitzero"`
}

func (c *TermsAgree) about(View) Subject { return Subject{Client: c.Client} }

func (c *TermsAgree) decide(d *deciding) {
	d.client(c.Client)
	e := d.evidence("/evidence", c.Evidence)
	for i, r := range c.Rules {
		at := "/rules/" + strconv.Itoa(i)
		for j, id := range r.Parties {
			d.party(at+"/parties/"+strconv.Itoa(j), id)
		}
		for j, id := range r.Records {
			d.record(at+"/records/"+strconv.Itoa(j), c.Client, id)
		}
	}
	if t, _ := terms(d, c.Client, c.Terms); t != nil {
		d.blame(Exists, "/terms", "%s has terms %s already", c.Client, c.Terms)
	}
	if d.fault == nil {
		d.fit("II.6", c.Evidence, e, SpecialTerms, Subject{Client: c.Client}, false)
	}
}

func (c *TermsAgree) apply(a *applying) {
	a.set(termsKey(c.Client, c.Terms), &Terms{Evidence: c.Evidence, Rules: c.Rules, Duties: c.Duties, Until: c.Until.Time})
	change(a, clientKey(c.Client), func(k *Client) { k.Terms++ })
}

// TermsEnd ends special terms, by a paper of both sides that is another one than
// any by which they agreed.
type TermsEnd struct {
	Client   ID `json:"client"`
	Terms    ID `json:"terms"`
	Evidence ID `json:"evidence"`
}

func (c *TermsEnd) about(View) Subject { return Subject{Client: c.Client} }

func (c *TermsEnd) decide(d *deciding) {
	d.client(c.Client)
	e := d.evidence("/evidence", c.Evidence)
	switch t, _ := terms(d, c.Client, c.Terms); {
	case t == nil:
		d.blame(Unknown, "/terms", "%s has no terms %s", c.Client, c.Terms)
	case t.Ended != 0:
		d.blame(Ended, "/terms", "the terms %s of %s have ended already", c.Terms, c.Client)
	}
	if d.fault != nil {
		return
	}
	d.fit("II.6", c.Evidence, e, SpecialTerms, Subject{Client: c.Client}, false)
	for k, known := range d.List(KindTerms, string(c.Client), "") {
		if by, _ := evidence(d, known.Fact.(*Terms).Evidence); by.Kind == e.Kind && by.SHA256 == e.SHA256 {
			d.refuse("II.6", "evidence-unfit", "by %s the terms %s were agreed; what ends terms is another paper", c.Evidence, k.C)
			return
		}
	}
}

func (c *TermsEnd) apply(a *applying) {
	change(a, termsKey(c.Client, c.Terms), func(t *Terms) { t.Ended = a.e.Seq })
	change(a, clientKey(c.Client), func(k *Client) { k.Terms-- })
}

func termsKey(of, id ID) Key { return Key{Kind: KindTerms, A: string(of), C: string(id)} }

func terms(v View, of, id ID) (*Terms, Known) { return get[Terms](v, termsKey(of, id)) }

// agreed are special terms in force, and the event by which they were agreed.
type agreed struct {
	*Terms
	by Seq
}

// termsInForce are the client's. A void paper ends none of them.
func (a *access) termsInForce(of *Client) []agreed {
	if of.Terms == 0 {
		return nil
	}
	var in []agreed // not a result: that would be an allocation where there are none
	for _, k := range a.List(KindTerms, string(a.Client), "") {
		if t := k.Fact.(*Terms); t.Ended == 0 && !passed(t.Until, a.at) {
			in = append(in, agreed{t, k.First})
		}
	}
	return in
}

// matches says whether the access, on the one side of it, fits the rule. A transfer
// is held against every rule twice: as the sender's `transfer`, and as the
// recipient's, where `transfer` or `consult` fits. Whom an `only` rule names is no
// condition of it.
func (r *TermsRule) matches(a *access, s side) bool {
	return (r.Effect == Only || r.names(a, s)) &&
		(fits(r.Actions, s.action) || s.receives && slices.Contains(r.Actions, Transfer)) &&
		fits(r.Purposes, Purpose(a.Purpose)) && fits(r.Records, a.AccessRequest.Record) && fits(r.Classes, a.record.Class)
}

// fits: a field that isn't given fits everything.
func fits[W comparable](field []W, w W) bool { return field == nil || slices.Contains(field, w) }

// names says whether the party, its bearer or the one it acts for fits `parties`
// and `categories`.
func (r *TermsRule) names(a *access, s side) bool {
	party, category := r.Parties == nil, r.Categories == nil
	for id, p := range a.who(s) {
		party = party || slices.Contains(r.Parties, id)
		category = category || p != nil && slices.Contains(r.Categories, p.Category)
	}
	return party && category
}

// allows: an `only` rule names who remains allowed, by itself or by its category,
// and whoever comes in another's place needs both to be.
func (r *TermsRule) allows(s side, principal *Party) bool {
	named := func(id ID, p *Party) bool {
		return slices.Contains(r.Parties, id) || p != nil && slices.Contains(r.Categories, p.Category)
	}
	return named(s.id, s.party) && (s.behalfOf == "" || named(s.behalfOf, principal))
}

// who yields the parties on one side of the access; one that isn't registered, as
// nil.
func (a *access) who(s side) func(yield func(ID, *Party) bool) {
	return func(yield func(ID, *Party) bool) {
		if !yield(s.id, s.party) || s.receives {
			return
		}
		if a.Bearer != "" && !yield(a.Bearer, a.bearer) {
			return
		}
		if a.BehalfOf != "" {
			yield(a.BehalfOf, a.principal)
		}
	}
}
