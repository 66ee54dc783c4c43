package domain

import (
	"slices"
	"time"
)

// A Command is what an actor asks of the ledger, its form checked (section 2, 1).
type Command struct {
	ID    UUID
	Actor ID
	Name  string
	// Key is the public key that proved the actor: of the signature, or of the
	// gateway's connection. Empty where the proof failed.
	Key PublicKey
	// Issued is the sender's clock. Zero where it isn't to be looked at: an event
	// that is derived anew.
	Issued time.Time
	Data   Data
	// NoAttempt says that the access that the data names is none of the ledger's. Who
	// reads the log knows; an event that stands named one.
	NoAttempt bool
	Observed
}

// Observed is what deciding takes from outside history.
type Observed struct {
	// Blank are the † fields, as JSON pointers into data, that were blank when opened.
	Blank []string
	// Content says whether content kept in the ledger was there and hashed right;
	// nil where the command names none.
	Content *bool
	// Clock is what the clock said where the event's time stood still; else zero.
	Clock time.Time
}

// An Event is one thing that happened, as the stream holds it: a command that was
// accepted, or the refusal of one.
type Event struct {
	Seq     Seq
	ID      UUID // version 7
	Type    string
	Subject Subject
	Time    time.Time
	Actor   ID
	Command UUID
	// Name is the command's. A refusal's type is CommandRefused, whatever the name.
	Name string
	// Rules is the version of the law's code that made the event.
	Rules    int
	Data     Data
	Decision *Decision // of access.granted and access.denied
	Refusal  *Refusal  // of command.refused
	Observed
}

// CommandRefused is the type of the event that records a command forbidden or
// refused.
const CommandRefused = "command.refused"

// A Refusal is what stands in a command.refused.
type Refusal struct {
	Code   Code   `json:"code"`
	Clause Clause `json:"clause,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// A Subject says whom an event is about: a client, else a party, else the ledger
// itself (contract, section 4).
type Subject struct{ Client, Party ID }

// String is the subject as events write it: client/acme, party/p-17 or ledger.
func (s Subject) String() string {
	switch {
	case s.Client != "":
		return "client/" + string(s.Client)
	case s.Party != "":
		return "party/" + string(s.Party)
	}
	return "ledger"
}

// first is the client alone where there is one: an event is about one of them.
func (s Subject) first() Subject {
	if s.Client != "" {
		s.Party = ""
	}
	return s
}

// Context is the subject's two parts: client, party or ledger, and the
// id, which is empty for the ledger.
func (s Subject) Context() (context string, whom ID) {
	switch {
	case s.Client != "":
		return "client", s.Client
	case s.Party != "":
		return "party", s.Party
	}
	return "ledger", ""
}

// A Decision is the ledger's answer to an access request (contract, section 3).
type Decision struct {
	Decision string `json:"decision"` // Granted or Denied
	Attempt  UUID   `json:"attempt"`
	Edition  int    `json:"edition"`
	Rules    int    `json:"rules"`
	// Violation is the one that a denial opened or joined (II.3).
	Violation UUID     `json:"violation,omitempty"`
	Reasons   []Reason `json:"reasons"`
}

// The two decisions.
const (
	Granted = "granted"
	Denied  = "denied"
)

// Equal says whether both decide the same, for the same reasons.
func (d *Decision) Equal(o *Decision) bool {
	return o != nil && d.Decision == o.Decision && d.Attempt == o.Attempt && d.Edition == o.Edition && d.Rules == o.Rules &&
		d.Violation == o.Violation && sameReasons(d.Reasons, o.Reasons)
}

func sameReasons(as, bs []Reason) bool {
	if len(as) != len(bs) {
		return false
	}
	for i := range as {
		a, b := &as[i], &bs[i]
		if a.Clause != b.Clause || a.Code != b.Code || a.Right != b.Right || a.More != b.More ||
			!slices.Equal(a.Refs, b.Refs) || !slices.Equal(a.Evidence, b.Evidence) {
			return false
		}
	}
	return true
}

// Granted says whether the access was allowed.
func (d *Decision) Granted() bool { return d.Decision == Granted }
