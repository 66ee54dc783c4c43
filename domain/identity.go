package domain

// IdentityAdd makes an actor known by its public key. Clerks, officers and managers
// act for a party of the staff, so that nobody can judge in their own matter under
// another name (II.1).
type IdentityAdd struct {
	Actor     ID        `json:"actor"`
	Role      Role      `json:"role"`
	PublicKey PublicKey `json:"publicKey"`
	Party     ID        `json:"party,omitzero"`
}

func (c *IdentityAdd) about(View) Subject { return Subject{} }

func (c *IdentityAdd) decide(d *deciding) {
	own := d.optionalParty("/party", c.Party)
	if a, _ := actor(d, c.Actor); a != nil {
		d.blame(Exists, "/actor", "there is an actor %s already; an actor's id is taken for ever", c.Actor)
	}
	d.freeKey(c.PublicKey)
	if !d.excepted(c) {
		d.staffParty(c.Role, c.Party, own)
	}
}

// excepted: the identities that opening a ledger makes have no party yet, since
// there is none. They are named after their role and come before anything else.
func (d *deciding) excepted(c *IdentityAdd) bool {
	begun, _ := get[Begun](d, Key{Kind: KindBegun})
	return begun == nil && string(c.Actor) == string(c.Role) && c.Party == ""
}

// staffParty: II.1. Whoever decides or records here is a person of the staff.
func (d *deciding) staffParty(r Role, id ID, p *Party) {
	switch {
	case r != Clerk && r != Officer && r != Manager || p != nil && p.Category == Staff:
	case p == nil:
		d.refuse("II.1", "no-party", "a %s acts for a party of the staff; register the person and name it as the identity's party", r)
	default:
		d.refuse("II.1", "no-party", "a %s acts for a party of the staff, and %s is %s", r, id, p.Category)
	}
}

// freeKey: a public key is one actor's, for ever.
func (d *deciding) freeKey(k PublicKey) {
	if o, _ := get[KeyOwner](d, Key{Kind: KindPublicKey, C: string(k)}); o != nil {
		d.blame(Exists, "/publicKey", "this key is or was the key of %s; make a new one", o.Actor)
	}
}

func (c *IdentityAdd) apply(a *applying) {
	a.addActor(&Actor{ID: c.Actor, Role: c.Role, PublicKey: c.PublicKey, Party: c.Party})
	if c.Role == Admin {
		change(a, Key{Kind: KindLedger}, func(l *Ledger) { l.Admins++ })
	}
}

func (a *applying) addActor(who *Actor) {
	a.set(actorKey(who.ID), who)
	a.set(Key{Kind: KindPublicKey, C: string(who.PublicKey)}, &KeyOwner{Actor: who.ID})
}

// IdentityRotate puts a new key in the place of an actor's old one, from now on.
type IdentityRotate struct {
	Actor     ID        `json:"actor"`
	PublicKey PublicKey `json:"publicKey"`
	Party     ID        `json:"party,omitzero"` // where it had none
}

func (c *IdentityRotate) about(View) Subject { return Subject{} }

func (c *IdentityRotate) decide(d *deciding) {
	own := d.optionalParty("/party", c.Party)
	who := d.endsActor(c.Actor)
	if who != nil && c.Party != "" { // else it keeps the party that it has, or stays excepted
		if who.Party != "" && c.Party != who.Party {
			d.blame(Exists, "/party", "%s acts for %s already; revoke it and add another identity", c.Actor, who.Party)
		}
		d.staffParty(who.Role, c.Party, own)
	}
	d.freeKey(c.PublicKey)
}

func (c *IdentityRotate) apply(a *applying) {
	change(a, actorKey(c.Actor), func(who *Actor) {
		who.PublicKey = c.PublicKey
		if c.Party != "" {
			who.Party = c.Party
		}
	})
	a.set(Key{Kind: KindPublicKey, C: string(c.PublicKey)}, &KeyOwner{Actor: c.Actor})
}

// IdentityRevoke ends an actor, for good.
type IdentityRevoke struct {
	Actor ID `json:"actor"`
}

func (c *IdentityRevoke) about(View) Subject { return Subject{} }

func (c *IdentityRevoke) decide(d *deciding) {
	who := d.endsActor(c.Actor)
	if l, _ := get[Ledger](d, Key{Kind: KindLedger}); who != nil && who.Role == Admin && l.Admins <= 1 {
		d.refuse("II.1", "last-admin", "%s is the last admin; add another one first", c.Actor)
	}
}

func (c *IdentityRevoke) apply(a *applying) {
	who, _ := actor(a, c.Actor)
	change(a, actorKey(c.Actor), func(who *Actor) { who.Revoked = true })
	if who != nil && who.Role == Admin {
		change(a, Key{Kind: KindLedger}, func(l *Ledger) { l.Admins-- })
	}
}

// endsActor is an actor that is revoked, or whose key is replaced.
func (d *deciding) endsActor(id ID) *Actor {
	who, _ := actor(d, id)
	switch {
	case who == nil:
		d.blame(Unknown, "/actor", "there is no actor %s", id)
	case who.Revoked:
		d.blame(Ended, "/actor", "%s was revoked, for good", id)
	}
	return who
}

func actorKey(id ID) Key { return Key{Kind: KindActor, C: string(id)} }

func actor(v View, id ID) (*Actor, Known) { return get[Actor](v, actorKey(id)) }
