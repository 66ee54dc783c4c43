package cloudevent

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/qtccc/assent/domain"
)

// schemas is what dataschema begins with; a type and a version follow.
const schemas = "https://github.com/qtccc/assent/schema/"

// Append appends the document's bytes to dst. It writes nothing that Parse would
// not read: what is unfit for the record is an error, ErrTooLarge among them, and
// dst comes back as it was.
func (d *Document) Append(dst []byte) ([]byte, error) {
	err := d.check()
	if err == nil && !isData(d.Data) {
		err = errors.New("data.event is no object in canonical form (RFC 8785)")
	}
	if err != nil {
		return dst, fmt.Errorf("event %d (%s) can't be written: %w", d.Seq, d.Type, err)
	}
	b := d.appendAttributes(dst)
	b = append(append(b, `,"data":{"event":`...), d.Data...)
	if d.Decision != nil {
		b = AppendDecision(append(b, `,"decision":`...), d.Decision)
	}
	if d.Refusal != nil {
		b = appendRefusal(append(b, `,"refusal":`...), d.Refusal)
	}
	b = d.appendProof(b)
	if d.Sealed != nil {
		b = appendSealed(b, d.Sealed)
	}
	b = append(appendObserved(b, &d.Observed), "}}"...)
	if n := len(b) - len(dst); n > MaxSize {
		return dst, fmt.Errorf("event %d (%s) has %d bytes: %w", d.Seq, d.Type, n, ErrTooLarge)
	}
	return b, nil
}

func (d *Document) appendAttributes(b []byte) []byte {
	b = append(append(b, `{"specversion":"1.0","id":"`...), d.ID...)
	b = append(append(b, `","source":"urn:uuid:`...), d.Ledger...)
	b = append(append(b, `","type":"`...), d.Type...)
	b = appendSubject(append(b, `","subject":"`...), d.Subject)
	b = appendTime(append(b, `","time":"`...), d.Time)
	b = append(b, `","datacontenttype":"application/json","dataschema":"`+schemas...)
	b = strconv.AppendInt(append(append(b, d.Type...), '/'), schemaVersion, 10)
	b = appendSequence(append(b, `","sequence":"`...), d.Seq)
	b = append(append(b, `","actor":"`...), d.Actor...)
	b = append(append(b, `","command":"`...), d.Command...)
	return strconv.AppendInt(append(b, `","rules":`...), int64(d.Rules), 10)
}

func appendSubject(b []byte, s domain.Subject) []byte {
	context, whom := s.Context()
	b = append(b, context...)
	if whom != "" {
		b = append(append(b, '/'), whom...)
	}
	return b
}

func appendTime(b []byte, t time.Time) []byte {
	return t.UTC().AppendFormat(b, time.RFC3339Nano)
}

// appendSequence pads to 20 digits, as many as the largest has, so that sequences
// sort as text.
func appendSequence(b []byte, seq uint64) []byte {
	var digits [20]byte
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i] = '0' + byte(seq%10)
		seq /= 10
	}
	return append(b, digits[:]...)
}

// AppendDecision appends the decision as events and answers write it (contract,
// section 3). Two decisions are the same if these bytes are.
func AppendDecision(b []byte, d *domain.Decision) []byte {
	b = append(append(b, `{"decision":"`...), d.Decision...)
	b = append(append(b, `","attempt":"`...), d.Attempt...)
	b = strconv.AppendInt(append(b, `","edition":`...), int64(d.Edition), 10)
	b = strconv.AppendInt(append(b, `,"rules":`...), int64(d.Rules), 10)
	if d.Violation != "" {
		b = append(append(append(b, `,"violation":"`...), d.Violation...), '"')
	}
	b = append(b, `,"reasons":[`...)
	for i := range d.Reasons {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendReason(b, &d.Reasons[i])
	}
	return append(b, "]}"...)
}

func appendReason(b []byte, r *domain.Reason) []byte {
	b = append(append(b, `{"clause":"`...), r.Clause...)
	b = append(append(b, `","code":"`...), r.Code...)
	if r.Right != "" {
		b = append(append(b, `","right":"`...), r.Right...)
	}
	b = append(b, `","refs":[`...)
	for i, seq := range r.Refs {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, uint64(seq), 10)
	}
	b = append(b, `],"evidence":[`...)
	for i, id := range r.Evidence {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), id...), '"')
	}
	b = append(b, ']')
	if r.More != 0 {
		b = strconv.AppendInt(append(b, `,"more":`...), int64(r.More), 10)
	}
	return append(b, '}')
}

func appendRefusal(b []byte, r *domain.Refusal) []byte {
	b = append(append(b, `{"code":"`...), r.Code...)
	if r.Clause != "" {
		b = append(append(b, `","clause":"`...), r.Clause...)
	}
	if r.Reason != "" {
		b = append(append(b, `","reason":"`...), r.Reason...)
	}
	return append(b, `"}`...)
}

func (d *Document) appendProof(b []byte) []byte {
	b = append(append(b, `,"proof":{"name":"`...), d.Name...)
	b = append(append(b, `","issued":"`...), d.Issued...)
	if d.Connection != "" {
		b = append(append(b, `","connection":"`...), d.Connection...)
	} else {
		b = base64.StdEncoding.AppendEncode(append(b, `","signature":"`...), d.Signature)
	}
	return append(b, `"}`...)
}

func appendSealed(b []byte, s *Sealed) []byte {
	b = append(append(b, `,"sealed":{"of":"`...), s.Of...)
	b = strconv.AppendInt(append(b, `","gen":`...), int64(s.Gen), 10)
	b = append(b, `,"boxes":{`...)
	for i, box := range s.Boxes {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), box.Field...), `":"`...)
		b = append(base64.StdEncoding.AppendEncode(b, box.Box), '"')
	}
	return append(b, "}}"...)
}

func appendObserved(b []byte, o *domain.Observed) []byte {
	if len(o.Blank) == 0 && o.Content == nil && o.Clock.IsZero() {
		return b
	}
	b = append(b, `,"observed":{`...)
	if len(o.Blank) > 0 {
		b = append(b, `"blank":[`...)
		for i, field := range o.Blank {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(append(append(b, '"'), field...), '"')
		}
		b = append(b, `],`...)
	}
	if o.Content != nil {
		b = append(strconv.AppendBool(append(b, `"content":`...), *o.Content), ',')
	}
	if !o.Clock.IsZero() {
		b = append(appendTime(append(b, `"clock":"`...), o.Clock), `",`...)
	}
	b[len(b)-1] = '}' // in the place of the last comma
	return b
}
