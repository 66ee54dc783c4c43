package commands

import (
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore/cloudevent"
)

// An Answer is what a command is answered (contract, section 2).
type Answer struct {
	ID       domain.UUID      `json:"id,omitzero"` // the command's; none where it couldn't be read
	OK       bool             `json:"ok"`
	Seq      domain.Seq       `json:"seq,omitzero"`   // of the event that was recorded, a refusal's too
	Event    domain.UUID      `json:"event,omitzero"` // its id, where OK
	Type     string           `json:"type,omitzero"`  // its type, where OK
	Decision *domain.Decision `json:"decision,omitzero"`
	Error    *domain.Fault    `json:"error,omitzero"` // where not OK
	// Again: the command was answered before, and this is that answer.
	Again bool `json:"again,omitzero"`
}

// Append appends the answer's JSON to dst.
func (a *Answer) Append(dst []byte) []byte {
	b := append(dst, '{')
	if a.ID != "" {
		b = append(append(append(b, `"id":"`...), a.ID...), `",`...)
	}
	b = strconv.AppendBool(append(b, `"ok":`...), a.OK)
	if a.Seq != 0 {
		b = strconv.AppendUint(append(b, `,"seq":`...), uint64(a.Seq), 10)
	}
	if a.OK {
		b = append(append(b, `,"event":"`...), a.Event...)
		b = append(append(append(b, `","type":"`...), a.Type...), '"')
		if a.Decision != nil {
			b = cloudevent.AppendDecision(append(b, `,"decision":`...), a.Decision)
		}
	}
	if a.Error != nil {
		b = appendFault(append(b, `,"error":`...), a.Error)
	}
	if a.Again {
		b = append(b, `,"again":true`...)
	}
	return append(b, '}')
}

func appendFault(b []byte, f *domain.Fault) []byte {
	b = append(append(b, `{"code":"`...), f.Code...)
	if f.Clause != "" {
		b = append(append(b, `","clause":"`...), f.Clause...)
	}
	if f.Reason != "" {
		b = append(append(b, `","reason":"`...), f.Reason...)
	}
	b = append(b, '"')
	if f.Field != "" {
		b = appendString(append(b, `,"field":`...), f.Field)
	}
	b = appendString(append(b, `,"message":`...), f.Message)
	return append(b, '}')
}

// appendString appends s as a JSON string. What isn't UTF-8 in it becomes U+FFFD.
func appendString(b []byte, s string) []byte {
	quoted, _ := jsontext.AppendQuote(b, s) // its one error is that very replacement
	return quoted
}

// ParseAnswer reads what Append wrote. Members that it doesn't know are left alone:
// a later ledger may say more.
func ParseAnswer(b []byte) (*Answer, error) {
	a := &Answer{}
	if err := json.Unmarshal(b, a); err != nil {
		return nil, fmt.Errorf("commands: this is no answer of a ledger: %w", err)
	}
	if a.OK == (a.Error != nil) {
		return nil, fmt.Errorf("commands: this is no answer of a ledger: it says neither what was done nor what is wrong")
	}
	return a, nil
}

// unavailable is the answer where nothing can be said, or recorded, at present.
func unavailable(message string) *domain.Fault {
	return &domain.Fault{Code: domain.Unavailable, Message: message}
}
