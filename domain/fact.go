package domain

import "time"

// A Fact is one thing that is known. Only Apply makes facts.
//
//sumtype:decl
type Fact interface{ isFact() }

// A Kind says what a fact is about, and what its Key's A, B and C are. The numbers
// are written to disk: one that was used keeps its meaning.
type Kind uint8

// The kinds of facts.
const (
	KindLedger      Kind = 1  // the ledger itself
	KindBegun       Kind = 2  // known from the first event on that isn't about identities
	KindEdition     Kind = 3  // C: number, four digits
	KindActor       Kind = 4  // C: actor
	KindPublicKey   Kind = 5  // C: public key
	KindParty       Kind = 6  // C: party
	KindTraining    Kind = 7  // A: party, C: course
	KindUndertaking Kind = 8  // A: party, C: evidence
	KindClient      Kind = 9  // C: client
	KindContact     Kind = 10 // A: client, C: party
	KindHolding     Kind = 11 // A: party, C: client where it is or was a contact, or has or had a right
	KindEvidence    Kind = 12 // C: evidence
	KindFiled       Kind = 13 // A: client/… or party/…, C: evidence filed for it
	KindPaper       Kind = 14 // A: client/… or party/…, C: kind/sha256
	KindRested      Kind = 15 // A: client, B: kind/sha256/party, C: the right that rests or rested on that paper
	KindSpent       Kind = 16 // A: client, C: kind/sha256 of a paper that was used up
	KindEngagement  Kind = 17 // A: client, C: engagement
	KindRecord      Kind = 18 // A: client, C: record
	KindRight       Kind = 19 // A: client, B: party, C: "designation/d1"
	KindRightID     Kind = 20 // A: client, C: "designation/d1"
	KindDesignated  Kind = 21 // A: client
	KindDesignating Kind = 22 // A: client, C: evidence that designated somebody
	KindViolating   Kind = 23 // A: client, C: party: its open violation
	KindCommand     Kind = 24 // A: actor, C: command id
	KindNotified    Kind = 25 // A: client, C: assignee that it was told of
)

// A Ledger is what ledger.opened and ledger.rekeyed said.
type Ledger struct {
	ID     UUID   `json:"id"`
	Name   ID     `json:"name"`
	Log    LogKey `json:"log"`
	Admins int    `json:"admins"` // that are in force
}

// Begun is known once anything but the ledger's opening and identities happened.
type Begun struct{}

// An Edition of the statement.
type Edition struct {
	Number       int       `json:"number"`
	Effective    time.Time `json:"effective"`
	SHA256       Digest    `json:"sha256"`
	Major        bool      `json:"major,omitzero"`
	ReviewEvery  Period    `json:"reviewEvery"`
	NoticeWithin Period    `json:"noticeWithin"`
}

// An Actor is who issues commands. It is revoked once, for good.
type Actor struct {
	ID        ID        `json:"id"`
	Role      Role      `json:"role"`
	PublicKey PublicKey `json:"publicKey"`
	Party     ID        `json:"party,omitzero"`
	Revoked   bool      `json:"revoked,omitzero"`
}

// A KeyOwner is whose key a public key is or was.
type KeyOwner struct {
	Actor ID `json:"actor"`
}

// A Party may come near data: a person or an institution.
type Party struct {
	Category Category  `json:"category"`
	Kind     PartyKind `json:"kind"`
	Of       ID        `json:"of,omitzero"`
	Retired  bool      `json:"retired,omitzero"`
	// RetiredAt is the event that retired it last.
	RetiredAt Seq  `json:"retiredAt,omitzero"`
	Name      Text `json:"name"`
	NameAt    Seq  `json:"nameAt"` // the event that holds the opening of Name
}

// A Training of a person of the staff in one course (P.2): the latest until that
// was recorded.
type Training struct {
	Until time.Time `json:"until"`
	Seq   Seq       `json:"seq"` // of the event that said so
}

// An Undertaking of confidentiality (P.3).
type Undertaking struct {
	Evidence ID        `json:"evidence"`
	Until    time.Time `json:"until,omitzero"`
	Seq      Seq       `json:"seq"`
}

// A Client is a data subject.
type Client struct {
	Name     Text `json:"name"`
	NameAt   Seq  `json:"nameAt"`
	Evidence ID   `json:"evidence,omitzero"`
}

// A Contact is a party that the client named to us before anything was signed
// (IV.2).
type Contact struct {
	Named    Seq  `json:"named"` // the event that named it last
	Evidence ID   `json:"evidence,omitzero"`
	Dropped  bool `json:"dropped,omitzero"`
}

// Holding says that a party is or was a contact of a client, or has or had a right.
type Holding struct{}

// Evidence is a written instrument as filed.
type Evidence struct {
	Client    ID           `json:"client,omitzero"`
	Party     ID           `json:"party,omitzero"`
	Kind      EvidenceKind `json:"kind"`
	Record    ID           `json:"record,omitzero"`
	SHA256    Digest       `json:"sha256"`
	Size      int64        `json:"size"`
	MediaType MediaType    `json:"mediaType"`
	Signed    bool         `json:"signed"`
	Stamped   bool         `json:"stamped"`
	SignedOn  time.Time    `json:"signedOn,omitzero"`
	SignedBy  Text         `json:"signedBy,omitzero"`
	Custody   Custody      `json:"custody"`
	Place     Text         `json:"place,omitzero"`
	FiledBy   ID           `json:"filedBy"`
	Voided    Seq          `json:"voided,omitzero"` // the event that voided it
}

// Filed says that evidence was filed for a client or a party.
type Filed struct{}

// A Paper is an instrument by its content: the evidence that filed it last.
type Paper struct {
	Evidence ID `json:"evidence"`
}

// Rested says that a right rests or once rested on a paper.
type Rested struct{}

// Spent is a paper that was used up: a confirmation that made an engagement, or
// that a granted modification used.
type Spent struct {
	By ID `json:"by,omitzero"` // the engagement that it confirmed
}

// An Engagement is what a client confirmed in writing (I.1, IV.1).
type Engagement struct {
	Evidence ID        `json:"evidence"`
	Purposes []Purpose `json:"purposes"`
	Closed   bool      `json:"closed,omitzero"`
	// Closings are the events that closed it, ClosedAt the time of the last.
	Closings []Seq     `json:"closings,omitzero"`
	ClosedAt time.Time `json:"closedAt,omitzero"`
}

// A Record is one item of client data, registered, its content elsewhere.
type Record struct {
	Engagement ID        `json:"engagement,omitzero"`
	Title      Text      `json:"title"`
	TitleAt    Seq       `json:"titleAt"`
	Class      Class     `json:"class"`
	Medium     Medium    `json:"medium"`
	Custody    Text      `json:"custody,omitzero"`
	CustodyAt  Seq       `json:"custodyAt,omitzero"`
	NoCustody  bool      `json:"noCustody,omitzero"` // left out, or blank when opened
	Encrypted  bool      `json:"encrypted"`
	Retention  Retention `json:"retention"`
	Registered time.Time `json:"registered"`
	Destroyed  Seq       `json:"destroyed,omitzero"`
}

// A RightKind is what gives a party its right.
type RightKind string

// The kinds of rights, and the delegation of one.
const (
	Designated RightKind = "designation"
	Consented  RightKind = "consent"
	Authorized RightKind = "authorization"
	Delegated  RightKind = "delegation"
)

// A Right is a designation, a consent, an authorisation, or the delegation of a
// designation. It stays known when it has ended.
type Right struct {
	Kind   RightKind `json:"kind"`
	ID     ID        `json:"id"`
	Client ID        `json:"client"`
	// Party holds it. A delegation's is the delegate.
	Party    ID        `json:"party"`
	Made     Seq       `json:"made"`           // the event that made it
	Scope    Scope     `json:"scope,omitzero"` // none: a delegation
	Purposes []Purpose `json:"purposes,omitzero"`
	Actions  []Action  `json:"actions,omitzero"`
	Until    time.Time `json:"until,omitzero"` // zero: open-ended
	Evidence ID        `json:"evidence,omitzero"`
	// Engagement is the one whose confirmation made a designation, or that an
	// authorisation names and ends with.
	Engagement ID `json:"engagement,omitzero"`
	// Designation and Principal are what a delegation comes from, and whose.
	Designation ID `json:"designation,omitzero"`
	Principal   ID `json:"principal,omitzero"`
	// Changes are the events that replaced what a designation says.
	Changes []Seq `json:"changes,omitzero"`
	// Reviewed is when an authorisation was issued, kept or narrowed last.
	Reviewed time.Time `json:"reviewed,omitzero"`
	IssuedBy ID        `json:"issuedBy,omitzero"`
	Need     Text      `json:"need,omitzero"`
	Ended    Seq       `json:"ended,omitzero"` // the command's event that ended it
}

// A RightID says who holds the right of that kind and id.
type RightID struct {
	Party ID `json:"party"`
}

// DesignatedBy counts the papers, not void, by which a client ever designated
// anybody (IV.2).
type DesignatedBy struct {
	Papers int `json:"papers"`
}

// Designating is a paper by which a client designated somebody.
type Designating struct{}

// Violating is the open violation that a denied attempt joins (II.3).
type Violating struct {
	Violation UUID `json:"violation"`
}

// Answered says that the command was answered by its event.
type Answered struct{}

// Notified says that a client was told of an assignee before any transfer (III.6).
type Notified struct{}

func (*Notified) isFact()     {}
func (*Ledger) isFact()       {}
func (*Begun) isFact()        {}
func (*Edition) isFact()      {}
func (*Actor) isFact()        {}
func (*KeyOwner) isFact()     {}
func (*Party) isFact()        {}
func (*Training) isFact()     {}
func (*Undertaking) isFact()  {}
func (*Client) isFact()       {}
func (*Contact) isFact()      {}
func (*Holding) isFact()      {}
func (*Evidence) isFact()     {}
func (*Filed) isFact()        {}
func (*Paper) isFact()        {}
func (*Rested) isFact()       {}
func (*Spent) isFact()        {}
func (*Engagement) isFact()   {}
func (*Record) isFact()       {}
func (*Right) isFact()        {}
func (*RightID) isFact()      {}
func (*DesignatedBy) isFact() {}
func (*Designating) isFact()  {}
func (*Violating) isFact()    {}
func (*Answered) isFact()     {}

// NewFact is an empty fact of the kind, to be read into; nil where the kind isn't
// known.
func NewFact(k Kind) Fact {
	if int(k) >= len(newFact) || newFact[k] == nil {
		return nil
	}
	return newFact[k]()
}

var newFact = [...]func() Fact{
	KindLedger:      func() Fact { return new(Ledger) },
	KindBegun:       func() Fact { return new(Begun) },
	KindEdition:     func() Fact { return new(Edition) },
	KindActor:       func() Fact { return new(Actor) },
	KindPublicKey:   func() Fact { return new(KeyOwner) },
	KindParty:       func() Fact { return new(Party) },
	KindTraining:    func() Fact { return new(Training) },
	KindUndertaking: func() Fact { return new(Undertaking) },
	KindClient:      func() Fact { return new(Client) },
	KindContact:     func() Fact { return new(Contact) },
	KindHolding:     func() Fact { return new(Holding) },
	KindEvidence:    func() Fact { return new(Evidence) },
	KindFiled:       func() Fact { return new(Filed) },
	KindPaper:       func() Fact { return new(Paper) },
	KindRested:      func() Fact { return new(Rested) },
	KindSpent:       func() Fact { return new(Spent) },
	KindEngagement:  func() Fact { return new(Engagement) },
	KindRecord:      func() Fact { return new(Record) },
	KindRight:       func() Fact { return new(Right) },
	KindRightID:     func() Fact { return new(RightID) },
	KindDesignated:  func() Fact { return new(DesignatedBy) },
	KindDesignating: func() Fact { return new(Designating) },
	KindViolating:   func() Fact { return new(Violating) },
	KindCommand:     func() Fact { return new(Answered) },
	KindNotified:    func() Fact { return new(Notified) },
}
