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

func (c *IdentityAdd) check() *Fault      { return nil }
func (c *IdentityAdd) about(View) Subject { return Subject{} }

func (c *IdentityAdd) decide(d *deciding) *Fault {
	own, f := d.optionalParty("/party", c.Party)
	if f != nil {
		return f
	}
	if a, _ := actor(d, c.Actor); a != nil {
		return exists("/actor", "there is an actor %s already; an actor's id is taken for ever", c.Actor)
	}
	if f := d.freeKey(c.PublicKey); f != nil {
		return f
	}
	if f := d.servingParty(own, c.Party); f != nil {
		return f
	}
	if d.excepted(c) {
		return nil
	}
	return noStaffParty(c.Role, c.Party, own)
}

// excepted: the identities that opening a ledger makes have no party yet, since
// there is none. They are named after their role and come before anything else.
func (d *deciding) excepted(c *IdentityAdd) bool {
	begun, _ := get[Begun](d, Key{Kind: KindBegun})
	return begun == nil && string(c.Actor) == string(c.Role) && c.Party == ""
}

// noStaffParty: II.1.
func noStaffParty(r Role, id ID, p *Party) *Fault {
	if r != Clerk && r != Officer && r != Manager || p != nil && p.Category == Staff {
		return nil
	}
	if p == nil {
		return refused("II.1", "no-party", "a %s acts for a party of the staff; register the person and name it as the identity's party", r)
	}
	return refused("II.1", "no-party", "a %s acts for a party of the staff, and %s is %s", r, id, p.Category)
}

// freeKey: a public key is one actor's, for ever.
func (d *deciding) freeKey(k PublicKey) *Fault {
	if o, _ := get[KeyOwner](d, Key{Kind: KindPublicKey, C: string(k)}); o != nil {
		return exists("/publicKey", "this key is or was the key of %s; make a new one", o.Actor)
	}
	return nil
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

func (c *IdentityRotate) check() *Fault      { return nil }
func (c *IdentityRotate) about(View) Subject { return Subject{} }

func (c *IdentityRotate) decide(d *deciding) *Fault {
	who, f := d.actorInForce(c.Actor)
	if f != nil {
		return f
	}
	own, f := d.optionalParty("/party", c.Party)
	if f != nil {
		return f
	}
	if who.Revoked {
		return endedActor(c.Actor)
	}
	if c.Party != "" && who.Party != "" && c.Party != who.Party {
		return exists("/party", "%s acts for %s already; revoke it and add another identity", c.Actor, who.Party)
	}
	if f := d.freeKey(c.PublicKey); f != nil {
		return f
	}
	if f := d.servingParty(own, c.Party); f != nil {
		return f
	}
	if c.Party == "" {
		return nil // it keeps the party that it has, or stays excepted
	}
	return noStaffParty(who.Role, c.Party, own)
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

func (c *IdentityRevoke) check() *Fault      { return nil }
func (c *IdentityRevoke) about(View) Subject { return Subject{} }

func (c *IdentityRevoke) decide(d *deciding) *Fault {
	who, f := d.actorInForce(c.Actor)
	if f != nil {
		return f
	}
	if who.Revoked {
		return endedActor(c.Actor)
	}
	if l, _ := get[Ledger](d, Key{Kind: KindLedger}); who.Role == Admin && l.Admins <= 1 {
		return refused("II.1", "last-admin", "%s is the last admin; add another one first", c.Actor)
	}
	return nil
}

func (c *IdentityRevoke) apply(a *applying) {
	who, _ := actor(a, c.Actor)
	change(a, actorKey(c.Actor), func(who *Actor) { who.Revoked = true })
	if who != nil && who.Role == Admin {
		change(a, Key{Kind: KindLedger}, func(l *Ledger) { l.Admins-- })
	}
}

func (d *deciding) actorInForce(id ID) (*Actor, *Fault) {
	who, _ := actor(d, id)
	if who == nil {
		return nil, unknown("/actor", "there is no actor %s", id)
	}
	return who, nil
}

func endedActor(id ID) *Fault { return ended("/actor", "%s was revoked, for good", id) }

func actorKey(id ID) Key { return Key{Kind: KindActor, C: string(id)} }

func actor(v View, id ID) (*Actor, Known) { return get[Actor](v, actorKey(id)) }
