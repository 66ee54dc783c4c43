package domain

import "time"

// RecordLend records that a physical record leaves its lock with a party (II.0),
// which was granted access to it before.
type RecordLend struct {
	Client ID   `json:"client"`
	Record ID   `json:"record"`
	Holder ID   `json:"holder"`
	Until  Time `json:"until,omitzero"`
}

// fresh is how long a grant may have been made before a loan rests on it.
const fresh = 24 * time.Hour

func (c *RecordLend) about(View) Subject { return Subject{Client: c.Client} }

func (c *RecordLend) decide(d *deciding) {
	r := d.record("/record", c.Client, c.Record)
	d.party("/holder", c.Holder)
	if d.fault != nil {
		return
	}
	if r.Medium != Physical {
		d.refuse("II.0", "not-physical", "%s is electronic; only an original is lent", c.Record)
	}
	d.standing(c.Record, r)
	d.unlent(c.Record, r)
	last, k := get[Looked](d, lookedKey(c.Client, c.Record, c.Holder))
	if last == nil || !last.Granted || last.Lent || k.From < r.PhysicalAt || d.at.Sub(last.Time) > fresh {
		d.refuse("II.0", "no-grant", "%s was not granted access to %s within 24 hours, or that grant served a loan already; ask for access first", c.Holder, c.Record)
	}
}

// unlent refuses what can't be done with a record that is lent (II.0).
func (d *deciding) unlent(id ID, r *Record) {
	if r.Lent != 0 {
		d.refuse("II.0", "lent", "%s is lent to %s; it has to be returned first", id, r.Holder)
	}
}

func (c *RecordLend) apply(a *applying) {
	change(a, recordKey(c.Client, c.Record), func(r *Record) { r.Lent, r.Holder, r.LentUntil = a.e.Seq, c.Holder, c.Until.Time })
	change(a, lookedKey(c.Client, c.Record, c.Holder), func(l *Looked) { l.Lent = true })
	a.set(loanKey(c.Holder, c.Client, c.Record), &Loan{})
}

// RecordReturn records that a record that was lent is back.
type RecordReturn struct {
	Client ID `json:"client"`
	Record ID `json:"record"`
}

func (c *RecordReturn) about(View) Subject { return Subject{Client: c.Client} }

func (c *RecordReturn) decide(d *deciding) {
	if r := d.record("/record", c.Client, c.Record); r != nil && r.Lent == 0 {
		d.blame(Ended, "/record", "%s is not lent", c.Record)
	}
}

func (c *RecordReturn) apply(a *applying) {
	if r, _ := record(a, c.Client, c.Record); r != nil {
		a.set(loanKey(r.Holder, c.Client, c.Record), &Loan{Returned: a.e.Seq})
	}
	change(a, recordKey(c.Client, c.Record), func(r *Record) { r.Lent, r.Holder, r.LentUntil = 0, "", time.Time{} })
}

func lookedKey(of, record, party ID) Key {
	return Key{Kind: KindLooked, A: string(of), B: string(record), C: string(party)}
}

func loanKey(holder, of, record ID) Key {
	return Key{Kind: KindLoan, A: string(holder), C: string(of) + "/" + string(record)}
}
