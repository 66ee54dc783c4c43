package domain

import (
	"fmt"
	"slices"
)

// A Code is how a command failed (contract, section 2).
type Code string

// The codes of a failed command.
const (
	Invalid         Code = "invalid"
	Unauthenticated Code = "unauthenticated"
	Conflict        Code = "conflict"
	Forbidden       Code = "forbidden"
	Unknown         Code = "unknown"
	Exists          Code = "exists"
	Ended           Code = "ended"
	Refused         Code = "refused"
	Unavailable     Code = "unavailable"
)

// A Fault is why a command was not accepted. It is an answer, not an accident:
// one that is Forbidden or Refused is itself recorded.
type Fault struct {
	Code   Code   `json:"code"`
	Clause Clause `json:"clause,omitempty"`
	Reason string `json:"reason,omitempty"` // of the contract's tables, such as "evidence-unfit"
	Field  string `json:"field,omitempty"`  // JSON pointer
	// Message is for a person. It holds ids only, no personal data.
	Message string `json:"message"`
}

func (f *Fault) Error() string {
	switch {
	case f.Clause != "":
		return fmt.Sprintf("%s under %s (%s): %s", f.Code, f.Clause, f.Reason, f.Message)
	case f.Field != "":
		return fmt.Sprintf("%s %s: %s", f.Code, f.Field, f.Message)
	}
	return fmt.Sprintf("%s: %s", f.Code, f.Message)
}

// Recorded says whether the fault is itself an event.
func (f *Fault) Recorded() bool { return f.Code == Forbidden || f.Code == Refused }

// step is when the contract's section 2 looks at a fault: the first step that fails
// answers. What is erased comes after what is unknown, P.1 before the row's own
// refusals.
func (f *Fault) step() int {
	switch f.Reason {
	case erasedCode:
		return 2*slices.Index(steps, Unknown) + 1
	case "party-retired":
		return 2*slices.Index(steps, Refused) - 1
	}
	return 2 * slices.Index(steps, f.Code)
}

var steps = []Code{Invalid, Unauthenticated, Forbidden, Unknown, Exists, Ended, Refused}

// invalid blames a value of the command; at is its JSON pointer into the data.
func invalid(at, message string) *Fault {
	return &Fault{Code: Invalid, Field: "/data" + at, Message: message}
}
