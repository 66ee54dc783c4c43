package domain

import (
	"errors"
	"slices"
	"strings"
	"time"
)

// Every word below checks itself when it is read (encoding.TextUnmarshaler): a
// value outside its pattern or closed set never becomes one. The zero value is
// "left out".

// An ID is the caller's name for a thing, ^[a-z0-9][a-z0-9_-]{0,62}$. It holds no
// personal data.
type ID string

// UnmarshalText refuses what is outside the pattern.
func (id *ID) UnmarshalText(b []byte) error {
	if !isID(b) {
		return errors.New("an id is 1 to 63 of a-z 0-9 _ -, and starts with a letter or a digit")
	}
	*id = ID(b)
	return nil
}

func isID(b []byte) bool {
	if len(b) == 0 || len(b) > 63 {
		return false
	}
	for i, c := range b {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		case i > 0 && (c == '_' || c == '-'):
		default:
			return false
		}
	}
	return true
}

// A Text is a † field: personal or free text of at most 2,000 characters. The law
// sees its commitment alone, "sha256:" and 64 hex digits (contract, section 7).
type Text string

// UnmarshalText refuses what is no commitment.
func (t *Text) UnmarshalText(b []byte) error {
	rest, ok := strings.CutPrefix(string(b), "sha256:")
	if !ok || !isHex(rest, 64) {
		return errors.New("a † field holds a commitment, sha256: and 64 hex digits")
	}
	*t = Text(b)
	return nil
}

// A Digest is a SHA-256 in 64 lower case hex digits.
type Digest string

// UnmarshalText refuses what is no digest.
func (d *Digest) UnmarshalText(b []byte) error {
	if !isHex(string(b), 64) {
		return errors.New("a digest is 64 lower case hex digits")
	}
	*d = Digest(b)
	return nil
}

func isHex(s string, n int) bool {
	return len(s) == n && strings.Trim(s, "0123456789abcdef") == ""
}

// A UUID in lower case, with its hyphens.
type UUID string

// UnmarshalText refuses what is no UUID in lower case.
func (u *UUID) UnmarshalText(b []byte) error {
	if !IsUUID(string(b)) {
		return errors.New("a UUID is 36 characters, in lower case")
	}
	*u = UUID(b)
	return nil
}

// IsUUID says whether s is a UUID in lower case, with its hyphens.
func IsUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range 36 {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if s[i] != '-' {
				return false
			}
		} else if !lowHex[s[i]] { // looked up: digits and letters come in no order that a processor foresees
			return false
		}
	}
	return true
}

var lowHex = func() (is [256]bool) {
	for _, c := range "0123456789abcdef" {
		is[c] = true
	}
	return is
}()

// A PublicKey is an NKey user key, U and 55 characters of base 32.
type PublicKey string

// UnmarshalText refuses what has not the form of an NKey user key. Its checksum
// is looked at where a signature is (commands).
func (k *PublicKey) UnmarshalText(b []byte) error {
	if len(b) != 56 || b[0] != 'U' || strings.Trim(string(b), "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
		return errors.New("a public key is an NKey user key, U and 55 characters of base 32")
	}
	*k = PublicKey(b)
	return nil
}

// A LogKey is a C2SP verifier key, name+hash+base64.
type LogKey string

// UnmarshalText refuses what has not the form of a verifier key.
func (k *LogKey) UnmarshalText(b []byte) error {
	name, rest, ok := strings.Cut(string(b), "+")
	hash, key, ok2 := strings.Cut(rest, "+")
	if !ok || !ok2 || name == "" || len(b) > 200 || !isHex(hash, 8) || len(key) != 44 ||
		strings.ContainsFunc(string(b), func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("a log key is a C2SP verifier key, name+hash+base64")
	}
	*k = LogKey(b)
	return nil
}

// A MediaType is type/subtype of RFC 6838, without parameters.
type MediaType string

// UnmarshalText refuses what is no media type.
func (m *MediaType) UnmarshalText(b []byte) error {
	kind, sub, ok := strings.Cut(string(b), "/")
	if !ok || !isRestrictedName(kind) || !isRestrictedName(sub) {
		return errors.New("a media type is type/subtype, such as application/pdf")
	}
	*m = MediaType(b)
	return nil
}

func isRestrictedName(s string) bool {
	if s == "" || len(s) > 127 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		alnum := c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z'
		if !alnum && (i == 0 || !strings.ContainsRune("!#$&-^_.+", rune(c))) {
			return false
		}
	}
	return true
}

// A Category says by which clause a party may come near data at all.
type Category string

// The categories, by their clause.
const (
	Staff      Category = "staff"      // III.1
	Contractor Category = "contractor" // III.2, P.3
	External   Category = "external"   // III.3, IV.2: client-related or third persons and institutions
	Authority  Category = "authority"  // III.4
	Assignee   Category = "assignee"   // III.6
)

// A PartyKind is person or institution.
type PartyKind string

// The kinds of party.
const (
	Person      PartyKind = "person"
	Institution PartyKind = "institution"
)

// A Role is what an actor may do.
type Role string

// The roles of actors.
const (
	Clerk      Role = "clerk"
	Officer    Role = "officer" // the confidentiality officer, II.1
	Manager    Role = "manager" // management, II.2
	Auditor    Role = "auditor"
	Gateway    Role = "gateway"
	Subscriber Role = "subscriber"
	Admin      Role = "admin"
)

// A Purpose is a use that I.3 names.
type Purpose string

// The purposes, I.3.1 to I.3.10.
const (
	ServicePlan       Purpose = "service-plan"
	Consultation      Purpose = "consultation"
	EngagementSigning Purpose = "engagement"
	Service           Purpose = "service"
	Notarisation      Purpose = "notarisation"
	Inspection        Purpose = "inspection"
	Registration      Purpose = "registration"
	Fees              Purpose = "fees"
	EngagementRelated Purpose = "engagement-related"
	Relationship      Purpose = "relationship"
)

// needsEngagement: I.3.4 to I.3.9 are uses under an Engagement Confirmation.
func (p Purpose) needsEngagement() bool {
	i := slices.Index(Purposes, p)
	return i >= 3 && i <= 8
}

// An Action is what is done with a record.
type Action string

// The actions.
const (
	Consult  Action = "consult"
	Use      Action = "use"
	Transfer Action = "transfer"
	Modify   Action = "modify"
)

// An EvidenceKind is the kind of a written instrument.
type EvidenceKind string

// The kinds of evidence.
const (
	EngagementConfirmation   EvidenceKind = "engagement-confirmation"
	ConfirmationLetter       EvidenceKind = "confirmation-letter"
	SpecialAuthorization     EvidenceKind = "special-authorization"
	ConsentPaper             EvidenceKind = "consent"
	UndertakingPaper         EvidenceKind = "undertaking"
	SpecialTerms             EvidenceKind = "special-terms"
	ModificationConfirmation EvidenceKind = "modification-confirmation"
	DestructionRequest       EvidenceKind = "destruction-request"
	DestructionCertificate   EvidenceKind = "destruction-certificate"
	Notice                   EvidenceKind = "notice"
	Surveillance             EvidenceKind = "surveillance"
	OtherPaper               EvidenceKind = "other"
)

// A Custody says where the content of evidence lies.
type Custody string

// The places of evidence.
const (
	InLedger Custody = "ledger"
	OnPaper  Custody = "paper"
)

// A Class of record is ordinary or sensitive (II.4).
type Class string

// The classes of records.
const (
	Ordinary  Class = "ordinary"
	Sensitive Class = "sensitive"
)

// A Medium is how a record is kept (II.0).
type Medium string

// The media.
const (
	Electronic Medium = "electronic"
	Physical   Medium = "physical"
)

// A Method of destruction (II.5).
type Method string

// A RetentionStart says from when a record's retention runs.
type RetentionStart string

// Retention runs from registration, or from the last closing of the engagement.
const (
	AfterRegistration RetentionStart = "registration"
	AfterEngagement   RetentionStart = "engagement"
)

// An Effect is what a rule of special terms does (II.6).
type Effect string

// The effects of rules.
const (
	Forbid  Effect = "forbid"
	Only    Effect = "only"
	Approve Effect = "approve"
)

// A Finding is what a violation turned out to be (II.3).
type Finding string

// A State is how a violation stands.
type State string

// The states of a violation. One that is investigated is still open.
const (
	Open         State = "open"
	Investigated State = "investigated"
	Closed       State = "closed"
)

// A VerdictWord is what a review says of an authorisation (II.2).
type VerdictWord string

// The verdicts.
const (
	Keep   VerdictWord = "keep"
	Narrow VerdictWord = "narrow"
	Revoke VerdictWord = "revoke"
)

// An InquiryKind says what an inquiry asks for, an Addressee whom it goes to (IV.4).
type (
	InquiryKind string
	Addressee   string
)

// The closed sets, each in the contract's order. The UnmarshalText of each of their
// types refuses every other word.
var (
	Categories = []Category{Staff, Contractor, External, Authority, Assignee}
	PartyKinds = []PartyKind{Person, Institution}
	Roles      = []Role{Clerk, Officer, Manager, Auditor, Gateway, Subscriber, Admin}
	Purposes   = []Purpose{ServicePlan, Consultation, EngagementSigning, Service, Notarisation,
		Inspection, Registration, Fees, EngagementRelated, Relationship}
	Actions       = []Action{Consult, Use, Transfer, Modify}
	EvidenceKinds = []EvidenceKind{EngagementConfirmation, ConfirmationLetter, SpecialAuthorization, ConsentPaper,
		UndertakingPaper, SpecialTerms, ModificationConfirmation, DestructionRequest, DestructionCertificate, Notice,
		Surveillance, OtherPaper}
	Custodies       = []Custody{InLedger, OnPaper}
	Classes         = []Class{Ordinary, Sensitive}
	Media           = []Medium{Electronic, Physical}
	Methods         = []Method{"shred", "pulp", "incinerate", "wipe", "degauss", "crypto-erase"}
	retentionStarts = []RetentionStart{AfterRegistration, AfterEngagement}
	Effects         = []Effect{Forbid, Only, Approve}
	Findings        = []Finding{"breach", "mistake", "justified"}
	Verdicts        = []VerdictWord{Keep, Narrow, Revoke}
	InquiryKinds    = []InquiryKind{"access", "policy", "correction"}
	Addressees      = []Addressee{"managing-director", "officer"}
)

func (c *Category) UnmarshalText(b []byte) error       { return word(c, b, Categories) }
func (k *PartyKind) UnmarshalText(b []byte) error      { return word(k, b, PartyKinds) }
func (r *Role) UnmarshalText(b []byte) error           { return word(r, b, Roles) }
func (p *Purpose) UnmarshalText(b []byte) error        { return word(p, b, Purposes) }
func (a *Action) UnmarshalText(b []byte) error         { return word(a, b, Actions) }
func (k *EvidenceKind) UnmarshalText(b []byte) error   { return word(k, b, EvidenceKinds) }
func (c *Custody) UnmarshalText(b []byte) error        { return word(c, b, Custodies) }
func (c *Class) UnmarshalText(b []byte) error          { return word(c, b, Classes) }
func (m *Medium) UnmarshalText(b []byte) error         { return word(m, b, Media) }
func (m *Method) UnmarshalText(b []byte) error         { return word(m, b, Methods) }
func (r *RetentionStart) UnmarshalText(b []byte) error { return word(r, b, retentionStarts) }
func (e *Effect) UnmarshalText(b []byte) error         { return word(e, b, Effects) }
func (f *Finding) UnmarshalText(b []byte) error        { return word(f, b, Findings) }
func (v *VerdictWord) UnmarshalText(b []byte) error    { return word(v, b, Verdicts) }
func (k *InquiryKind) UnmarshalText(b []byte) error    { return word(k, b, InquiryKinds) }
func (a *Addressee) UnmarshalText(b []byte) error      { return word(a, b, Addressees) }

// word reads one of a closed set.
func word[W ~string](w *W, b []byte, set []W) error {
	for _, s := range set {
		if string(b) == string(s) {
			*w = s
			return nil
		}
	}
	names := make([]string, len(set))
	for i, s := range set {
		names[i] = string(s)
	}
	return errors.New("one of " + strings.Join(names, " ") + " is wanted")
}

// True is a flag that is given or left out, never given as false.
type True bool

// UnmarshalJSON refuses all but true.
func (t *True) UnmarshalJSON(b []byte) error {
	if string(b) != "true" {
		return errors.New("only true is wanted here")
	}
	*t = true
	return nil
}

// A Time is RFC 3339 with up to nanoseconds. The zero Time is "left out".
type Time struct{ time.Time }

// UnmarshalText refuses what RFC 3339 doesn't know, more than nanoseconds, and what
// is not of the years 2 to 9999 of UTC: the zero time, named as an end, would be one
// that never comes (TestNoTimeThatIsNamedIsLeftOut).
func (t *Time) UnmarshalText(b []byte) error {
	err := t.Time.UnmarshalText(b)
	if y := t.UTC().Year(); err != nil || y < 2 || y > 9999 || !isStrict(string(b)) {
		return errors.New("a time is RFC 3339 with up to nanoseconds, such as 2026-01-31T09:00:00Z")
	}
	return nil
}

// isStrict looks at what the standard library takes beyond RFC 3339
// (golang.org/issue/54580), and for more than nine digits of a second.
func isStrict(s string) bool {
	_, fraction, _ := strings.Cut(s, ".")
	n := len(s)
	return s[len("2006-01-02T15")] == ':' && s[len("2006-01-02T15:04:05")] != ',' && strings.IndexAny(fraction, "Z+-") <= 9 &&
		(s[n-1] == 'Z' || s[n-len("07:00"):n-len(":00")] < "24" && s[n-len("00")] < '6')
}
