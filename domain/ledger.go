package domain

import "fmt"

// LedgerOpen opens the ledger and puts its first edition of the statement in force
// (V.2). It is sequence 1 and only there, signed by the admin that it names.
type LedgerOpen struct {
	Ledger UUID         `json:"ledger"`
	Name   ID           `json:"name"`
	Format int          `json:"format"`
	Log    LogKey       `json:"log"`
	Admin  LedgerAdmin  `json:"admin"`
	Policy LedgerPolicy `json:"policy"`
}

// LedgerAdmin is the first admin.
type LedgerAdmin struct {
	Actor     ID        `json:"actor"`
	PublicKey PublicKey `json:"publicKey"`
}

// LedgerPolicy is the first edition.
type LedgerPolicy struct {
	Edition      int    `json:"edition"`
	Effective    Time   `json:"effective"`
	SHA256       Digest `json:"sha256"`
	ReviewEvery  Period `json:"reviewEvery"`
	NoticeWithin Period `json:"noticeWithin"`
}

// Format is the version of the ledger's formats that this program writes.
const Format = 1

func (c *LedgerOpen) check() *Fault {
	switch {
	case c.Format != Format:
		return invalid("/format", fmt.Sprintf("this program writes format %d", Format))
	case c.Policy.Edition < 1 || c.Policy.Edition > mostEdition:
		return invalid("/policy/edition", "an edition is a number from 1 to 9999")
	}
	return nil
}

// mostEdition bounds an edition's number, which keys of facts write in four digits.
const mostEdition = 9999

func (c *LedgerOpen) about(View) Subject { return Subject{} }

func (c *LedgerOpen) decide(*deciding) {} // looked at before: deciding.known, deciding.allowed

func (c *LedgerOpen) apply(a *applying) {
	a.set(Key{Kind: KindLedger}, &Ledger{ID: c.Ledger, Name: c.Name, Log: c.Log, Admins: 1})
	a.addActor(&Actor{ID: c.Admin.Actor, Role: Admin, PublicKey: c.Admin.PublicKey})
	p := c.Policy
	a.set(editionKey(p.Edition), &Edition{Number: p.Edition, Effective: p.Effective.Time, SHA256: p.SHA256,
		ReviewEvery: p.ReviewEvery, NoticeWithin: p.NoticeWithin})
}

func editionKey(n int) Key { return Key{Kind: KindEdition, C: fmt.Sprintf("%04d", n)} }

// LedgerRekey replaces the key by which the log of this ledger is signed.
type LedgerRekey struct {
	Log LogKey `json:"log"`
}

func (c *LedgerRekey) about(View) Subject { return Subject{} }
func (c *LedgerRekey) decide(*deciding)   {}
func (c *LedgerRekey) apply(a *applying) {
	change(a, Key{Kind: KindLedger}, func(l *Ledger) { l.Log, l.Rekeyed = c.Log, a.e.Time })
}

// ClockAffirm says that the ledger's clock is right and that it may go on.
type ClockAffirm struct{}

func (c *ClockAffirm) about(View) Subject { return Subject{} }
func (c *ClockAffirm) decide(*deciding)   {}
func (c *ClockAffirm) apply(*applying)    {}
