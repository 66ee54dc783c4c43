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
	KindTerms       Kind = 26 // A: client, C: terms
	KindApproval    Kind = 27 // A: client, C: approval
	KindLooked      Kind = 28 // A: client, B: record, C: party: the last decision on its access to a physical record
	KindLoan        Kind = 29 // A: party, C: client/record that it holds or held
	KindHold        Kind = 30 // A: client, C: hold
	KindErasure     Kind = 31 // A: client, party or inquiry, C: its id
	KindViolation   Kind = 32 // C: violation
	KindViolationOf Kind = 33 // A: client/… or party/…, C: violation
	KindInvolved    Kind = 34 // A: violation, C: party that was bearer, recipient or principal in it
	KindReview      Kind = 35 // C: review
	KindReviews     Kind = 36 // the reviews as a whole
	KindReviewable  Kind = 37 // C: client/authorization that was ever issued
	KindVerdict     Kind = 38 // A: review, C: client/authorization
	KindTaken       Kind = 39 // A: client, C: party: a review took an authorisation from it
	KindTold        Kind = 40 // A: edition, four digits, C: client
	KindInquiry     Kind = 41 // C: inquiry
	KindInquiryOf   Kind = 42 // A: client, C: inquiry
)

// A Ledger is what ledger.opened and ledger.rekeyed said.
type Ledger struct {
	ID      UUID      `json:"id"`
	Name    ID        `json:"name"`
	Log     LogKey    `json:"log"`
	Rekeyed time.Time `json:"rekeyed,omitzero"` // when Log replaced another key
	Admins  int       `json:"admins"`           // that are in force
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
	Summary      Text      `json:"summary,omitzero"`
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
	Erased    Seq  `json:"erased,omitzero"`
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
	Name       Text      `json:"name"`
	NameAt     Seq       `json:"nameAt"`
	Evidence   ID        `json:"evidence,omitzero"`
	Registered time.Time `json:"registered"`
	// Terms counts its terms that nothing has ended, time aside: where there are none,
	// a decision needn't look for them.
	Terms  int `json:"terms,omitzero"`
	Erased Seq `json:"erased,omitzero"`
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
	// Lent is the event that lent it, to Holder; 0 where it is not lent.
	Lent      Seq       `json:"lent,omitzero"`
	Holder    ID        `json:"holder,omitzero"`
	LentUntil time.Time `json:"lentUntil,omitzero"`
	// PhysicalAt is the event since which it is physical.
	PhysicalAt Seq `json:"physicalAt,omitzero"`
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
	// Changes are the events that replaced what a designation says, or narrowed what
	// an authorisation does.
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

// Violating is the earliest open violation of a party at a client, which a denied
// attempt joins (II.3); none is open where it is empty.
type Violating struct {
	Violation UUID `json:"violation,omitzero"`
}

// A Violation is what is investigated (II.3): an attempt that was denied and those
// that joined it, or a report. Its client and party may be such as nobody registered.
type Violation struct {
	Client   ID      `json:"client,omitzero"`
	Party    ID      `json:"party,omitzero"`
	Record   ID      `json:"record,omitzero"` // of a report, or of the attempt that opened it
	Reported bool    `json:"reported,omitzero"`
	State    State   `json:"state"` // Open, Investigated or Closed
	Finding  Finding `json:"finding,omitzero"`
	// Steps are the events that investigated it and closed it.
	Steps []Seq `json:"steps,omitzero"`
}

// ViolationOf says that a violation is of a client, or of a party.
type ViolationOf struct{}

// Involved says that a party was the bearer, the recipient or the principal in an
// attempt of a violation.
type Involved struct{}

// Answered says that the command was answered by its event.
type Answered struct{}

// Notified says that a client was told of an assignee before any transfer (III.6).
type Notified struct{}

// Terms are what both sides specially agreed (II.6). They stay when their paper is
// void: restrictions fail closed.
type Terms struct {
	Evidence ID          `json:"evidence"`
	Rules    []TermsRule `json:"rules"`
	Duties   Text        `json:"duties,omitzero"`
	Until    time.Time   `json:"until,omitzero"`
	Ended    Seq         `json:"ended,omitzero"`
}

// An Approval lets one access pass that special terms want approved (II.6).
type Approval struct {
	Party     ID        `json:"party"`
	Record    ID        `json:"record"`
	Action    Action    `json:"action"`
	Purpose   Purpose   `json:"purpose"`
	Recipient ID        `json:"recipient,omitzero"`
	Until     time.Time `json:"until"`
	Evidence  ID        `json:"evidence,omitzero"`
	GivenBy   ID        `json:"givenBy"`
	Withdrawn Seq       `json:"withdrawn,omitzero"`
	Spent     Seq       `json:"spent,omitzero"` // the grant that used it up
}

// Looked is the last decision on an access of a party to a physical record.
type Looked struct {
	Granted bool      `json:"granted"`
	Time    time.Time `json:"time"`
	Lent    bool      `json:"lent,omitzero"` // used for a loan to the party
}

// A Loan of a physical record to a party (II.0).
type Loan struct {
	Returned Seq `json:"returned,omitzero"`
}

// A Hold keeps records from being destroyed (II.5).
type Hold struct {
	Records  []ID `json:"records,omitzero"` // none: all
	Reason   Text `json:"reason"`
	PlacedBy ID   `json:"placedBy"`
	Role     Role `json:"role"` // of who placed it
	Lifted   Seq  `json:"lifted,omitzero"`
}

// An Erasure is what was asked for last; Approved where it was done (II.5).
type Erasure struct {
	By       ID  `json:"by"`
	Approved Seq `json:"approved,omitzero"`
}

// A Review of the authorisations issued, by management (II.2). What it is of is what
// was in force at the event that opened it.
type Review struct {
	Title     Text      `json:"title"`
	Opened    time.Time `json:"opened"`
	OpenedBy  ID        `json:"openedBy"`
	Closed    Seq       `json:"closed,omitzero"`
	Statement Text      `json:"statement,omitzero"`
}

// Reviews says which review is open, and which was closed last.
type Reviews struct {
	Open   ID  `json:"open,omitzero"`
	Last   ID  `json:"last,omitzero"`
	Closed Seq `json:"closed,omitzero"` // the event that closed Last
}

// Reviewable says that an authorisation was issued, and to whom.
type Reviewable struct {
	Party ID `json:"party"`
}

// A Verdict of a review on an authorisation.
type Verdict struct {
	Verdict VerdictWord `json:"verdict"`
	By      ID          `json:"by"`
	Reason  Text        `json:"reason"`
}

// Taken says that a review took an authorisation from a party, which no manager has
// given one since.
type Taken struct {
	Restored bool `json:"restored,omitzero"`
}

// Told says that a client was told of an edition (V.1).
type Told struct {
	Channel  ID `json:"channel"`
	Evidence ID `json:"evidence,omitzero"`
}

// An Inquiry is a request to consult, or about policy or practice (IV.4).
type Inquiry struct {
	Client   ID          `json:"client,omitzero"`
	Kind     InquiryKind `json:"kind"`
	To       Addressee   `json:"to"`
	From     Text        `json:"from"`
	Text     Text        `json:"text"`
	Answer   Text        `json:"answer,omitzero"`
	Attempt  UUID        `json:"attempt,omitzero"`
	Answered Seq         `json:"answered,omitzero"`
	Erased   Seq         `json:"erased,omitzero"`
}

// InquiryOf says that an inquiry is about a client.
type InquiryOf struct{}

func (*Notified) isFact()     {}
func (*Terms) isFact()        {}
func (*Approval) isFact()     {}
func (*Looked) isFact()       {}
func (*Loan) isFact()         {}
func (*Hold) isFact()         {}
func (*Erasure) isFact()      {}
func (*Violation) isFact()    {}
func (*ViolationOf) isFact()  {}
func (*Involved) isFact()     {}
func (*Review) isFact()       {}
func (*Reviews) isFact()      {}
func (*Reviewable) isFact()   {}
func (*Verdict) isFact()      {}
func (*Taken) isFact()        {}
func (*Told) isFact()         {}
func (*Inquiry) isFact()      {}
func (*InquiryOf) isFact()    {}
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
	KindTerms:       func() Fact { return new(Terms) },
	KindApproval:    func() Fact { return new(Approval) },
	KindLooked:      func() Fact { return new(Looked) },
	KindLoan:        func() Fact { return new(Loan) },
	KindHold:        func() Fact { return new(Hold) },
	KindErasure:     func() Fact { return new(Erasure) },
	KindViolation:   func() Fact { return new(Violation) },
	KindViolationOf: func() Fact { return new(ViolationOf) },
	KindInvolved:    func() Fact { return new(Involved) },
	KindReview:      func() Fact { return new(Review) },
	KindReviews:     func() Fact { return new(Reviews) },
	KindReviewable:  func() Fact { return new(Reviewable) },
	KindVerdict:     func() Fact { return new(Verdict) },
	KindTaken:       func() Fact { return new(Taken) },
	KindTold:        func() Fact { return new(Told) },
	KindInquiry:     func() Fact { return new(Inquiry) },
	KindInquiryOf:   func() Fact { return new(InquiryOf) },
}
