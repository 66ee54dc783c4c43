package domain

import "time"

// Retention says from when and for how long a record is kept (II.5).
type Retention struct {
	After RetentionStart `json:"after"`
	Keep  Period         `json:"keep"`
}

// RecordRegister registers one item of client data that the agency holds. The
// ledger never holds its content.
type RecordRegister struct {
	Client     ID        `json:"client"`
	Record     ID        `json:"record"`
	Engagement ID        `json:"engagement,omitzero"`
	Title      Text      `json:"title"`
	Class      Class     `json:"class"`
	Medium     Medium    `json:"medium"`
	Custody    Text      `json:"custody,omitzero"`
	Encrypted  bool      `json:"encrypted"`
	Retention  Retention `json:"retention"`
}

func (c *RecordRegister) check() *Fault {
	if c.Retention.After == AfterEngagement && c.Engagement == "" {
		return invalid("/retention/after", "retention after the engagement needs one; name it with engagement")
	}
	return nil
}

func (c *RecordRegister) about(View) Subject { return Subject{Client: c.Client} }

func (c *RecordRegister) decide(d *deciding) {
	d.client(c.Client)
	if c.Engagement != "" {
		d.engagement("/engagement", c.Client, c.Engagement)
	}
	if r, _ := record(d, c.Client, c.Record); r != nil {
		d.blame(Exists, "/record", "%s has a record %s already", c.Client, c.Record)
	}
	d.keepable(c.Client, c.Record, &Record{Engagement: c.Engagement, Class: c.Class, Medium: c.Medium, Encrypted: c.Encrypted,
		NoCustody: c.Custody == "" || d.blank("/custody")}, c.Engagement != "")
}

// keepable refuses what may not be kept so: II.5, II.4, II.0.
func (d *deciding) keepable(of, id ID, r *Record, moved bool) {
	if g, _ := engagement(d, of, r.Engagement); moved && g != nil && g.Closed {
		d.refuse("II.5", "engagement-closed", "the engagement %s is closed; reopen it, or register %s without it", r.Engagement, id)
	}
	if r.Class == Sensitive && r.Medium == Electronic && !r.Encrypted {
		d.refuse("II.4", "unencrypted", "%s is sensitive and electronic, so it is kept encrypted", id)
	}
	if r.Medium == Physical && r.NoCustody {
		d.refuse("II.0", "no-custody", "%s is physical; say with custody where it is locked away", id)
	}
}

func (c *RecordRegister) apply(a *applying) {
	a.set(recordKey(c.Client, c.Record), &Record{Engagement: c.Engagement, Title: c.Title, TitleAt: a.e.Seq, Class: c.Class,
		Medium: c.Medium, Custody: c.Custody, CustodyAt: seqIf(c.Custody != "", a.e.Seq), NoCustody: c.Custody == "" || a.blank("/custody"),
		Encrypted: c.Encrypted, Retention: c.Retention, Registered: a.e.Time, PhysicalAt: seqIf(c.Medium == Physical, a.e.Seq)})
}

func seqIf(given bool, n Seq) Seq {
	if given {
		return n
	}
	return 0
}

// RecordAmend changes what is said of a record. What is left out stays.
type RecordAmend struct {
	Client     ID     `json:"client"`
	Record     ID     `json:"record"`
	Title      Text   `json:"title,omitzero"`
	Engagement ID     `json:"engagement,omitzero"`
	Class      Class  `json:"class,omitzero"`
	Medium     Medium `json:"medium,omitzero"`
	Custody    Text   `json:"custody,omitzero"`
	Encrypted  *bool  `json:"encrypted,omitzero"`
	Reason     Text   `json:"reason"`
}

func (c *RecordAmend) about(View) Subject { return Subject{Client: c.Client} }

func (c *RecordAmend) decide(d *deciding) {
	r := d.record("/record", c.Client, c.Record)
	if c.Engagement != "" {
		d.engagement("/engagement", c.Client, c.Engagement)
	}
	if d.fault != nil {
		return
	}
	d.standing(c.Record, r)
	next := *r
	c.amend(&next, d.blank("/custody"))
	if next.Medium != r.Medium {
		d.unlent(c.Record, r)
	}
	moved := next.Engagement != r.Engagement
	d.keepable(c.Client, c.Record, &next, moved)
	switch {
	case d.actor.Role == Officer:
	case r.Class == Sensitive && next.Class == Ordinary:
		d.refuse("II.4", "declassified", "%s is sensitive; only the officer makes it ordinary", c.Record)
	case moved:
		d.refuse("II.1", "moved", "only the officer moves %s to another engagement, since rights may reach it there", c.Record)
	}
}

func (c *RecordAmend) amend(r *Record, blankCustody bool) {
	if c.Engagement != "" {
		r.Engagement = c.Engagement
	}
	if c.Class != "" {
		r.Class = c.Class
	}
	if c.Medium != "" {
		r.Medium = c.Medium
	}
	if c.Encrypted != nil {
		r.Encrypted = *c.Encrypted
	}
	if c.Custody != "" {
		r.Custody, r.NoCustody = c.Custody, blankCustody
	}
}

func (c *RecordAmend) apply(a *applying) {
	change(a, recordKey(c.Client, c.Record), func(r *Record) {
		if c.Medium == Physical && r.Medium != Physical {
			r.PhysicalAt = a.e.Seq
		}
		c.amend(r, a.blank("/custody"))
		if c.Custody != "" {
			r.CustodyAt = a.e.Seq
		}
		if c.Title != "" {
			r.Title, r.TitleAt = c.Title, a.e.Seq
		}
	})
}

// RecordDestroy records that a record was destroyed, by whom, and who witnessed it
// (II.5).
type RecordDestroy struct {
	Client   ID     `json:"client"`
	Record   ID     `json:"record"`
	Method   Method `json:"method"`
	Operator ID     `json:"operator"`
	Witness  ID     `json:"witness"`
	Evidence ID     `json:"evidence,omitzero"`
}

func (c *RecordDestroy) about(View) Subject { return Subject{Client: c.Client} }

func (c *RecordDestroy) decide(d *deciding) {
	r := d.record("/record", c.Client, c.Record)
	d.party("/operator", c.Operator)
	witness := d.party("/witness", c.Witness)
	d.reference("/evidence", c.Evidence)
	if d.fault != nil {
		return
	}
	d.standing(c.Record, r)
	d.unlent(c.Record, r)
	if h := Held(d, c.Client, c.Record); h != "" {
		d.refuse("II.5", "held", "the hold %s keeps %s", h, c.Record)
	}
	if due, runs := Due(d, c.Client, r); (runs || d.at.Before(due)) && !c.requested(d) {
		until := "until its engagement is closed, and then for " + r.Retention.Keep.String()
		if !runs {
			until = "until " + due.UTC().Format(time.RFC3339)
		}
		d.refuse("II.5", "retention-runs", "%s is kept %s; sooner only by a signed destruction-request of %s, named with --evidence", c.Record, until, c.Client)
	}
	switch {
	case c.Operator == c.Witness:
		d.refuse("II.5", "no-witness", "%s can't witness its own work; name another witness", c.Operator)
	case witness.Category != Staff || witness.Retired:
		d.refuse("II.5", "no-witness", "a witness is of the staff and in service, and %s is not", c.Witness)
	}
}

// requested: the client may ask for a destruction before retention has run, for
// this record or, in a request that names none, for what it had here when it asked.
func (c *RecordDestroy) requested(v View) bool {
	e, filed := evidence(v, c.Evidence)
	if e == nil || !e.fits(DestructionRequest, Subject{Client: c.Client}) {
		return false
	}
	_, r := record(v, c.Client, c.Record)
	return e.Record == c.Record || e.Record == "" && filed.First > r.First
}

func (c *RecordDestroy) apply(a *applying) {
	change(a, recordKey(c.Client, c.Record), func(r *Record) { r.Destroyed = a.e.Seq })
}

// Due is when a record's retention has run. It runs on, without an end yet, while
// the engagement that it waits for is open.
func Due(v View, of ID, r *Record) (due time.Time, runs bool) {
	if r.Retention.After == AfterRegistration {
		return r.Retention.Keep.After(r.Registered), false
	}
	g, _ := engagement(v, of, r.Engagement)
	if g == nil || !g.Closed {
		return time.Time{}, true
	}
	return r.Retention.Keep.After(g.ClosedAt), false
}

// standing refuses what is about a record that is no more (II.5).
func (d *deciding) standing(id ID, r *Record) {
	if r.Destroyed != 0 {
		d.refuse("II.5", "destroyed", "%s was destroyed", id)
	}
}

func recordKey(of, id ID) Key { return Key{Kind: KindRecord, A: string(of), C: string(id)} }

func record(v View, of, id ID) (*Record, Known) { return get[Record](v, recordKey(of, id)) }

// record is one of the client's that the command names at the pointer.
func (d *deciding) record(at string, of, id ID) *Record {
	d.client(of)
	r, _ := record(d, of, id)
	if r == nil {
		d.blame(Unknown, at, "%s has no record %s", of, id)
	}
	return r
}
