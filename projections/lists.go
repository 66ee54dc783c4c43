package projections

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/qtccc/assent/domain"
)

// A register is how the facts of a kind are shown: what was said of a thing, as last
// amended, the event that made it known, and its state.
type register struct {
	kind domain.Kind
	of   string // the key's A; "": all of the kind
	only string // the key's C, where of is the only A; "": all of them
	// texts are the events that an item is shown with, for their † fields above all.
	// Nil: none.
	texts func(Found) []domain.Seq
	// item shows a fact; nil leaves it out.
	item func(Found, map[uint64]recorded) (any, error)
}

// list answers with the facts of a kind, in the order of their ids; where they are
// of many clients, client by client.
func (a *asking) list(l register) error {
	after := domain.Key{}
	if k, err := a.key(2); err != nil {
		return err
	} else if k != nil {
		after = domain.Key{Kind: l.kind, A: k[0], C: k[1]}
	}
	for {
		found, more, err := a.some(l, after)
		if err != nil {
			return err
		}
		var docs map[uint64]recorded
		if l.texts != nil {
			var seqs []uint64
			for _, f := range found {
				for _, seq := range l.texts(f) {
					seqs = append(seqs, uint64(seq))
				}
			}
			if docs, err = a.s.documents(a.ctx, seqs); err != nil {
				return err
			}
		}
		for _, f := range found {
			if a.full() {
				a.next = []string{after.A, after.C}
				return nil
			}
			it, err := l.item(f, docs)
			if err != nil {
				return err
			}
			if it != nil {
				if ok, err := a.add(it); err != nil || !ok {
					a.next = []string{after.A, after.C}
					return err
				}
			}
			a.scanned++
			after = f.Key
		}
		if !more {
			return nil
		}
	}
}

// some are facts of the list after the key, and whether there are more.
func (a *asking) some(l register, after domain.Key) ([]Found, bool, error) {
	if l.only == "" {
		return a.s.cfg.Store.Scan(a.seq, l.kind, l.of, "", after, chunk)
	}
	k := domain.Key{Kind: l.kind, A: l.of, C: l.only}
	if known, ok := a.view.Get(k); ok && after != k {
		return []Found{{k, known}}, false, nil
	}
	return nil, false, nil
}

// text is a † field opened, of the event that gave it its text.
func (a *asking) text(docs map[uint64]recorded, seq domain.Seq, field string, commitment domain.Text) string {
	return a.s.opened(docs[uint64(seq)].Document, field, commitment)
}

// The states of what is listed. Those that a domain.State says are its words.
const (
	stateRegistered = "registered" // a client
	stateErased     = "erased"     // a client, a party or an inquiry
	stateInService  = "in-service" // a party
	stateRetired    = "retired"
	stateKept       = "kept" // a record
	stateLent       = "lent"
	stateHeld       = "held"
	stateDue        = "due"
	stateRunning    = "running"
	stateDestroyed  = "destroyed"
	stateFiled      = "filed" // evidence
	stateVoid       = "void"
	stateOpen       = "open" // an engagement, an inquiry, a notice
	stateClosed     = "closed"
	stateAnswered   = "answered" // an inquiry
	stateInForce    = "in-force" // an identity, terms, an approval, an edition
	stateRevoked    = "revoked"
	stateEnded      = "ended" // terms, an approval
	stateExpired    = "expired"
	stateSpent      = "spent" // an approval
	stateWithdrawn  = "withdrawn"
	stateStanding   = "standing" // a hold
	stateLifted     = "lifted"
	stateLapsed     = "lapsed" // an edition
	stateToCome     = "to-come"
	stateTold       = "told" // a notice
	stateLate       = "late"
)

func state(ended bool, end, begin string) string {
	if ended {
		return end
	}
	return begin
}

type recordItem struct {
	Client     domain.ID        `json:"client"`
	Record     domain.ID        `json:"record"`
	Engagement domain.ID        `json:"engagement,omitzero"`
	Title      string           `json:"title"`
	Class      domain.Class     `json:"class"`
	Medium     domain.Medium    `json:"medium"`
	Custody    string           `json:"custody,omitzero"`
	Encrypted  bool             `json:"encrypted"`
	Retention  domain.Retention `json:"retention"`
	Seq        domain.Seq       `json:"seq"`
	State      string           `json:"state"`
	Due        time.Time        `json:"due,omitzero"` // none: its retention has no end yet
	Lent       domain.Seq       `json:"lent,omitzero"`
	Holder     domain.ID        `json:"holder,omitzero"` // to whom it is lent
	Until      time.Time        `json:"until,omitzero"`  // that it is lent
	Destroyed  domain.Seq       `json:"destroyed,omitzero"`
}

// records: what the agency holds of a client (II.0).
func (a *asking) records() error {
	if err := a.named(); err != nil {
		return err
	}
	return a.list(register{kind: domain.KindRecord, of: string(a.client),
		texts: func(f Found) []domain.Seq {
			r := f.Known.Fact.(*domain.Record)
			if r.CustodyAt == 0 {
				return []domain.Seq{r.TitleAt}
			}
			return []domain.Seq{r.TitleAt, r.CustodyAt}
		},
		item: func(f Found, docs map[uint64]recorded) (any, error) {
			r := f.Known.Fact.(*domain.Record)
			due, _ := domain.Due(a.view, a.client, r)
			return &recordItem{Client: a.client, Record: domain.ID(f.Key.C), Engagement: r.Engagement,
				Title: a.text(docs, r.TitleAt, "/title", r.Title), Class: r.Class, Medium: r.Medium,
				Custody: a.text(docs, r.CustodyAt, "/custody", r.Custody), Encrypted: r.Encrypted, Retention: r.Retention,
				Seq: f.Known.First, State: state(r.Destroyed != 0, stateDestroyed, state(r.Lent != 0, stateLent, stateKept)), Due: due,
				Lent: r.Lent, Holder: r.Holder, Until: r.LentUntil, Destroyed: r.Destroyed}, nil
		}})
}

type clientItem struct {
	Client   domain.ID   `json:"client"`
	Name     string      `json:"name"`
	Contacts []domain.ID `json:"contacts"` // as they are, the first 1,000 by id
	More     bool        `json:"more,omitzero"`
	Evidence domain.ID   `json:"evidence,omitzero"`
	Seq      domain.Seq  `json:"seq"`
	State    string      `json:"state"`
	Erased   domain.Seq  `json:"erased,omitzero"`
}

// mostContacts bounds the contacts that are shown of a client.
const mostContacts = 1000

// clients: the data subjects.
func (a *asking) clients() error {
	return a.list(register{kind: domain.KindClient,
		texts: func(f Found) []domain.Seq { return []domain.Seq{f.Known.Fact.(*domain.Client).NameAt} },
		item: func(f Found, docs map[uint64]recorded) (any, error) {
			c := f.Known.Fact.(*domain.Client)
			it := &clientItem{Client: domain.ID(f.Key.C), Name: a.text(docs, c.NameAt, "/name", c.Name), Contacts: []domain.ID{},
				Evidence: c.Evidence, Seq: f.Known.First, State: state(c.Erased != 0, stateErased, stateRegistered), Erased: c.Erased}
			if c.Erased != 0 { // which ended its contacts
				return it, nil
			}
			contacts, more, err := a.s.cfg.Store.Scan(a.seq, domain.KindContact, f.Key.C, "", domain.Key{}, mostContacts)
			it.More = more
			for _, k := range contacts {
				if !k.Known.Fact.(*domain.Contact).Dropped {
					it.Contacts = append(it.Contacts, domain.ID(k.Key.C))
				}
			}
			a.scanned += len(contacts)
			return it, err
		}})
}

type partyItem struct {
	Party    domain.ID        `json:"party"`
	Category domain.Category  `json:"category"`
	Kind     domain.PartyKind `json:"kind"`
	Name     string           `json:"name"`
	Of       domain.ID        `json:"of,omitzero"`
	Seq      domain.Seq       `json:"seq"`
	State    string           `json:"state"`
	Erased   domain.Seq       `json:"erased,omitzero"`
}

// parties: the persons and institutions that may come near data (III).
func (a *asking) parties() error {
	wanted := func(f Found) bool {
		return a.category == "" || f.Known.Fact.(*domain.Party).Category == a.category
	}
	return a.list(register{kind: domain.KindParty,
		texts: func(f Found) []domain.Seq {
			if !wanted(f) {
				return nil
			}
			return []domain.Seq{f.Known.Fact.(*domain.Party).NameAt}
		},
		item: func(f Found, docs map[uint64]recorded) (any, error) {
			if !wanted(f) {
				return nil, nil
			}
			p := f.Known.Fact.(*domain.Party)
			return &partyItem{Party: domain.ID(f.Key.C), Category: p.Category, Kind: p.Kind,
				Name: a.text(docs, p.NameAt, "/name", p.Name), Of: p.Of, Seq: f.Known.First,
				State: state(p.Erased != 0, stateErased, state(p.Retired, stateRetired, stateInService)), Erased: p.Erased}, nil
		}})
}

type evidenceItem struct {
	Evidence  domain.ID           `json:"evidence"`
	Client    domain.ID           `json:"client,omitzero"`
	Party     domain.ID           `json:"party,omitzero"`
	Kind      domain.EvidenceKind `json:"kind"`
	Record    domain.ID           `json:"record,omitzero"`
	SHA256    domain.Digest       `json:"sha256"`
	Size      int64               `json:"size"`
	MediaType domain.MediaType    `json:"mediaType"`
	Signed    bool                `json:"signed"`
	Stamped   bool                `json:"stamped"`
	SignedOn  time.Time           `json:"signedOn,omitzero"`
	SignedBy  string              `json:"signedBy,omitzero"`
	Custody   domain.Custody      `json:"custody"`
	Place     string              `json:"place,omitzero"`
	Seq       domain.Seq          `json:"seq"`
	State     string              `json:"state"`
	FiledBy   domain.ID           `json:"filedBy"`
	Voided    domain.Seq          `json:"voided,omitzero"`
}

// evidences: the written instruments (II.1).
func (a *asking) evidences() error {
	if a.client != "" && a.party != "" {
		return wrong("/party", "evidence is filed for a client or for a party, not for both: name one of them")
	}
	if err := a.named(); err != nil {
		return err
	}
	l := register{kind: domain.KindEvidence}
	paper := func(f Found) (*domain.Evidence, domain.Known) { return f.Known.Fact.(*domain.Evidence), f.Known }
	if whose := (domain.Subject{Client: a.client, Party: a.party}); whose != (domain.Subject{}) {
		l.kind, l.of = domain.KindFiled, whose.String()
		paper = func(f Found) (*domain.Evidence, domain.Known) {
			return fact[domain.Evidence](a.view, domain.Key{Kind: domain.KindEvidence, C: f.Key.C})
		}
	}
	l.texts = func(f Found) []domain.Seq {
		if e, known := paper(f); e != nil && (e.SignedBy != "" || e.Place != "") {
			return []domain.Seq{known.First}
		}
		return nil
	}
	l.item = func(f Found, docs map[uint64]recorded) (any, error) {
		e, known := paper(f)
		if e == nil {
			return nil, fmt.Errorf("evidence %s was filed and isn't known", f.Key.C)
		}
		return &evidenceItem{Evidence: domain.ID(f.Key.C), Client: e.Client, Party: e.Party, Kind: e.Kind, Record: e.Record,
			SHA256: e.SHA256, Size: e.Size, MediaType: e.MediaType, Signed: e.Signed, Stamped: e.Stamped, SignedOn: e.SignedOn,
			SignedBy: a.text(docs, known.First, "/signedBy", e.SignedBy), Custody: e.Custody,
			Place: a.text(docs, known.First, "/place", e.Place), Seq: known.First,
			State: state(e.Voided != 0, stateVoid, stateFiled), FiledBy: e.FiledBy, Voided: e.Voided}, nil
	}
	return a.list(l)
}

type engagementItem struct {
	Client     domain.ID        `json:"client"`
	Engagement domain.ID        `json:"engagement"`
	Evidence   domain.ID        `json:"evidence"`
	Purposes   []domain.Purpose `json:"purposes"`
	Designees  jsontext.Value   `json:"designees,omitzero"` // as confirmed; rights tells what became of them
	Seq        domain.Seq       `json:"seq"`
	State      string           `json:"state"`
}

// engagements: what a client confirmed in writing (I.1, IV.1).
func (a *asking) engagements() error {
	if err := a.named(); err != nil {
		return err
	}
	return a.list(register{kind: domain.KindEngagement, of: string(a.client),
		texts: func(f Found) []domain.Seq { return []domain.Seq{f.Known.First} },
		item: func(f Found, docs map[uint64]recorded) (any, error) {
			g := f.Known.Fact.(*domain.Engagement)
			var confirmed struct {
				Designees jsontext.Value `json:"designees"`
			}
			if err := json.Unmarshal(docs[uint64(f.Known.First)].Data, &confirmed); err != nil {
				return nil, fmt.Errorf("event %d: %w", f.Known.First, err)
			}
			return &engagementItem{Client: a.client, Engagement: domain.ID(f.Key.C), Evidence: g.Evidence, Purposes: g.Purposes,
				Designees: confirmed.Designees, Seq: f.Known.First, State: state(g.Closed, stateClosed, stateOpen)}, nil
		}})
}

type identityItem struct {
	Actor     domain.ID        `json:"actor"`
	Role      domain.Role      `json:"role"`
	PublicKey domain.PublicKey `json:"publicKey"`
	Party     domain.ID        `json:"party,omitzero"`
	Seq       domain.Seq       `json:"seq"`
	State     string           `json:"state"`
	Changed   domain.Seq       `json:"changed,omitzero"` // the event that rotated or revoked it last
}

// identities: who issues commands and asks questions.
func (a *asking) identities() error {
	return a.list(register{kind: domain.KindActor,
		item: func(f Found, _ map[uint64]recorded) (any, error) {
			who := f.Known.Fact.(*domain.Actor)
			it := &identityItem{Actor: domain.ID(f.Key.C), Role: who.Role, PublicKey: who.PublicKey, Party: who.Party,
				Seq: f.Known.First, State: state(who.Revoked, stateRevoked, stateInForce)}
			if f.Known.From != f.Known.First {
				it.Changed = f.Known.From
			}
			return it, nil
		}})
}
