package projections

import (
	"time"

	"github.com/qtccc/assent/domain"
)

// A rightItem is a right, a contact or a delegation as it stood.
type rightItem struct {
	Right    string           `json:"right"` // contact, designation, delegation, consent, authorization
	ID       domain.ID        `json:"id"`    // a contact's is the party's
	Client   domain.ID        `json:"client"`
	Party    domain.ID        `json:"party"`
	Scope    domain.Scope     `json:"scope"`
	Purposes []domain.Purpose `json:"purposes"`
	Actions  []domain.Action  `json:"actions"`
	Until    time.Time        `json:"until,omitzero"`
	From     domain.Seq       `json:"from"`
	Changed  domain.Seq       `json:"changed,omitzero"`
	Evidence domain.ID        `json:"evidence,omitzero"`
	InForce  bool             `json:"inForce"`
	Overdue  bool             `json:"overdue,omitzero"`
	Ended    domain.Seq       `json:"ended,omitzero"`

	Engagement  domain.ID `json:"engagement,omitzero"`
	Designation domain.ID `json:"designation,omitzero"` // of a delegation
	BehalfOf    domain.ID `json:"behalfOf,omitzero"`    // of a delegation: whose designation
	IssuedBy    domain.ID `json:"issuedBy,omitzero"`
}

// A rightsKey is where a page of rights begins: after this fact of this client.
type rightsKey struct {
	client domain.ID
	fact   domain.Key // the zero Key: at the client's first contact
}

// rights: who may come near which data (II.1, II.2, III.3, III.5, IV.2). Client by
// client, in the order of ids; a client's contacts, then its rights by party.
func (a *asking) rights() error {
	if a.record != "" && a.client == "" {
		return wrong("/record", "a record is its client's: name the client too")
	}
	if err := a.named(); err != nil {
		return err
	}
	at, err := a.rightsKey()
	if err != nil {
		return err
	}
	if a.client != "" {
		at.client = a.client
		_, err := a.rightsOf(at)
		return err
	}
	for going := at.client != ""; ; going = false {
		if going { // in the middle of a client
			if done, err := a.rightsOf(at); err != nil || !done {
				return err
			}
		}
		next, more, err := a.clientsAfter(at.client)
		if err != nil {
			return err
		}
		for _, c := range next {
			at = rightsKey{client: c}
			if a.full() {
				a.goOn(at)
				return nil
			}
			a.scanned++
			if done, err := a.rightsOf(at); err != nil || !done {
				return err
			}
		}
		if !more {
			return nil
		}
	}
}

// named: what the question names is known to the ledger, if not then, then later.
// Before it was known nothing held.
func (a *asking) named() error {
	latest := a.s.cfg.Store.At(domain.Seq(a.n))
	for _, n := range [...]struct {
		field string
		key   domain.Key
		given bool
	}{
		{"client", domain.Key{Kind: domain.KindClient, C: string(a.client)}, a.client != ""},
		{"party", domain.Key{Kind: domain.KindParty, C: string(a.party)}, a.party != ""},
		{"record", domain.Key{Kind: domain.KindRecord, A: string(a.client), C: string(a.record)}, a.record != ""},
	} {
		if !n.given {
			continue
		}
		if _, ok := latest.Get(n.key); !ok {
			return absent("/"+n.field, "there is no %s %s", n.field, n.key.C)
		}
	}
	return nil
}

// clientsAfter are clients after this one, and whether there are more.
func (a *asking) clientsAfter(c domain.ID) (ids []domain.ID, more bool, err error) {
	kind, of := domain.KindClient, ""
	if a.party != "" {
		kind, of = domain.KindHolding, string(a.party)
	}
	var after domain.Key
	if c != "" {
		after = domain.Key{Kind: kind, A: of, C: string(c)}
	}
	found, more, err := a.s.cfg.Store.Scan(a.seq, kind, of, "", after, chunk)
	for _, f := range found {
		ids = append(ids, domain.ID(f.Key.C))
	}
	return ids, more, err
}

// rightsOf adds the client's, from the key on. It says false where the page is
// full: the rest is the next page's.
func (a *asking) rightsOf(at rightsKey) (done bool, err error) {
	var record *domain.Record
	if a.record != "" {
		if record, _ = fact[domain.Record](a.view, domain.Key{Kind: domain.KindRecord, A: string(at.client), C: string(a.record)}); record == nil {
			return true, nil // it wasn't there yet
		}
	}
	if at.fact.Kind != domain.KindRight {
		if done, err := a.facts(at, domain.KindContact, a.contact); err != nil || !done {
			return false, err
		}
		at.fact = domain.Key{}
	}
	return a.facts(at, domain.KindRight, func(f Found) *rightItem { return a.right(f, record) })
}

// facts adds the client's facts of a kind, as item shows them; nil is left out.
func (a *asking) facts(at rightsKey, kind domain.Kind, item func(Found) *rightItem) (done bool, err error) {
	for {
		found, more, err := a.scan(at, kind)
		if err != nil {
			return false, err
		}
		for _, f := range found {
			if a.full() {
				a.goOn(at)
				return false, nil
			}
			a.scanned++
			if it := item(f); it != nil {
				if ok, err := a.add(it); err != nil || !ok {
					a.goOn(at)
					return false, err
				}
			}
			at.fact = f.Key
		}
		if !more {
			return true, nil
		}
	}
}

// scan is a page of the client's contacts or rights, the party's alone where the
// question names one.
func (a *asking) scan(at rightsKey, kind domain.Kind) (found []Found, more bool, err error) {
	if kind != domain.KindContact || a.party == "" {
		return a.s.cfg.Store.Scan(a.seq, kind, string(at.client), string(a.party), at.fact, chunk)
	}
	k := domain.Key{Kind: kind, A: string(at.client), C: string(a.party)}
	if known, ok := a.view.Get(k); ok && at.fact != k {
		found = []Found{{k, known}}
	}
	return found, false, nil
}

// goOn says where the next page begins.
func (a *asking) goOn(at rightsKey) {
	kind := ""
	switch at.fact.Kind {
	case domain.KindContact:
		kind = "contact"
	case domain.KindRight:
		kind = "right"
	}
	a.next = []string{string(at.client), kind, at.fact.B, at.fact.C}
}

func (a *asking) rightsKey() (rightsKey, error) {
	k, err := a.key(4)
	if err != nil || k == nil {
		return rightsKey{}, err
	}
	at := rightsKey{client: domain.ID(k[0])}
	switch k[1] {
	case "contact":
		at.fact = domain.Key{Kind: domain.KindContact, A: k[0], C: k[3]}
	case "right":
		at.fact = domain.Key{Kind: domain.KindRight, A: k[0], B: k[2], C: k[3]}
	}
	return at, nil
}

// contact: IV.2. It consults any record of the client, sensitive ones too, for any
// purpose, in its time only.
func (a *asking) contact(f Found) *rightItem {
	client, party := domain.ID(f.Key.A), domain.ID(f.Key.C)
	c, inForce, ok := domain.ContactStanding(a.view, client, party)
	if !ok || !inForce && !a.ended {
		return nil
	}
	it := &rightItem{Right: "contact", ID: party, Client: client, Party: party,
		Scope: domain.Scope{All: true, Sensitive: true}, Purposes: domain.Purposes, Actions: []domain.Action{domain.Consult},
		From: c.Named, Evidence: c.Evidence, InForce: inForce}
	if c.Dropped {
		it.Ended = f.Known.From
	} else if k, _ := fact[domain.Client](a.view, domain.Key{Kind: domain.KindClient, C: string(client)}); k != nil {
		it.Ended = k.Erased
	}
	return it
}

// right shows a right as it stands, if it covers the record.
func (a *asking) right(f Found, record *domain.Record) *rightItem {
	r := f.Known.Fact.(*domain.Right)
	s := r.Standing(a.view, a.moment)
	if !s.InForce && !a.ended {
		return nil
	}
	says := r
	it := &rightItem{Right: string(r.Kind), ID: r.ID, Client: r.Client, Party: r.Party, Until: r.Until, From: r.Made,
		Evidence: r.Evidence, InForce: s.InForce, Overdue: s.Overdue, Ended: s.Ended,
		Engagement: r.Engagement, Designation: r.Designation, BehalfOf: r.Principal, IssuedBy: r.IssuedBy}
	if n := len(r.Changes); n > 0 {
		it.Changed = r.Changes[n-1]
	}
	if r.Kind == domain.Delegated {
		says, _, _ = domain.FindRight(a.view, r.Client, domain.Designated, r.Designation)
		if says == nil {
			return nil // no delegation is without one
		}
	}
	if record != nil && !says.Covers(a.record, record) {
		return nil
	}
	it.Scope, it.Purposes, it.Actions = says.Scope, says.Purposes, says.Actions
	return it
}
