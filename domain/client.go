package domain

import "strconv"

// ClientRegister opens the file of a data subject and names its contacts (I.1,
// IV.2).
type ClientRegister struct {
	Client   ID   `json:"client"`
	Name     Text `json:"name"`
	Contacts []ID `json:"contacts" may:"empty"`
	Evidence ID   `json:"evidence,omitzero"`
}

func (c *ClientRegister) about(View) Subject { return Subject{Client: c.Client} }

func (c *ClientRegister) decide(d *deciding) {
	for i, id := range c.Contacts {
		d.party("/contacts/"+strconv.Itoa(i), id)
		d.serving(id)
	}
	d.reference("/evidence", c.Evidence)
	if known, _ := client(d, c.Client); known != nil {
		d.blame(Exists, "/client", "there is a client %s already", c.Client)
		d.unerased(known.Erased, "client", c.Client)
	}
	for _, id := range c.Contacts {
		d.contactable(id)
	}
}

func (c *ClientRegister) apply(a *applying) {
	a.set(clientKey(c.Client), &Client{Name: c.Name, NameAt: a.e.Seq, Evidence: c.Evidence, Registered: a.e.Time})
	for _, id := range c.Contacts {
		a.nameContact(c.Client, id, c.Evidence)
	}
}

// ClientAmend corrects a client's name.
type ClientAmend struct {
	Client ID   `json:"client"`
	Name   Text `json:"name"`
	Reason Text `json:"reason"`
}

func (c *ClientAmend) about(View) Subject { return Subject{Client: c.Client} }

func (c *ClientAmend) decide(d *deciding) { d.client(c.Client) }

func (c *ClientAmend) apply(a *applying) {
	change(a, clientKey(c.Client), func(k *Client) { k.Name, k.NameAt = c.Name, a.e.Seq })
}

// ContactName names a party as a contact of the client (IV.2).
type ContactName struct {
	Client   ID `json:"client"`
	Party    ID `json:"party"`
	Evidence ID `json:"evidence,omitzero"`
}

func (c *ContactName) about(View) Subject { return Subject{Client: c.Client} }

func (c *ContactName) decide(d *deciding) {
	d.client(c.Client)
	d.party("/party", c.Party)
	d.reference("/evidence", c.Evidence)
	if k, _ := contact(d, c.Client, c.Party); k != nil && !k.Dropped {
		d.blame(Exists, "/party", "%s is a contact of %s already", c.Party, c.Client)
	}
	d.serving(c.Party)
	d.contactable(c.Party)
}

func (c *ContactName) apply(a *applying) { a.nameContact(c.Client, c.Party, c.Evidence) }

// contactable: IV.2. A contact is the client's own, or a third person's.
func (d *deciding) contactable(id ID) {
	if p, _ := party(d, id); p != nil && p.Category != External {
		d.refuse("IV.2", "not-external", "a contact is an external party, and %s is %s", id, p.Category)
	}
}

func (a *applying) nameContact(of, party, evidence ID) {
	a.set(contactKey(of, party), &Contact{Named: a.e.Seq, Evidence: evidence})
	a.hold(party, of)
}

// hold notes that the party is or was a contact of the client, or has or had a
// right there.
func (a *applying) hold(party, at ID) {
	k := Key{Kind: KindHolding, A: string(party), C: string(at)}
	if h, _ := get[Holding](a, k); h == nil {
		a.set(k, &Holding{})
	}
}

// ContactDrop ends a party's standing as a contact.
type ContactDrop struct {
	Client   ID `json:"client"`
	Party    ID `json:"party"`
	Evidence ID `json:"evidence,omitzero"`
}

func (c *ContactDrop) about(View) Subject { return Subject{Client: c.Client} }

func (c *ContactDrop) decide(d *deciding) {
	d.client(c.Client)
	d.party("/party", c.Party)
	if k, _ := contact(d, c.Client, c.Party); k == nil || k.Dropped {
		d.blame(Unknown, "/party", "%s is no contact of %s", c.Party, c.Client)
	}
	d.reference("/evidence", c.Evidence)
}

func (c *ContactDrop) apply(a *applying) {
	change(a, contactKey(c.Client, c.Party), func(k *Contact) { k.Dropped = true })
}

func contactKey(of, party ID) Key {
	return Key{Kind: KindContact, A: string(of), C: string(party)}
}

func contact(v View, of, party ID) (*Contact, Known) {
	return get[Contact](v, contactKey(of, party))
}

func clientKey(id ID) Key { return Key{Kind: KindClient, C: string(id)} }

func client(v View, id ID) (*Client, Known) { return get[Client](v, clientKey(id)) }

// client is the client that the command is about.
func (d *deciding) client(id ID) {
	if c, _ := client(d, id); c == nil {
		d.blame(Unknown, "/client", "there is no client %s", id)
	} else {
		d.unerased(c.Erased, "client", id)
	}
}
