package cloudevent

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/qtccc/assent/domain"
)

// check is what Append and Parse both demand of a document, so that neither takes
// what the other one doesn't; Data was looked at before. After it every string
// stands in the document as it is: no pattern has a character that JSON escapes.
func (d *Document) check() error {
	for _, u := range [...]struct {
		what string
		id   domain.UUID
	}{{"id", d.ID}, {"source", d.Ledger}, {"command", d.Command}} {
		if !domain.IsUUID(string(u.id)) {
			return fmt.Errorf("%s is no UUID in lower case", u.what)
		}
	}
	context, whom := d.Subject.Context()
	switch {
	case d.ID[14] != '7':
		return errors.New("id is a UUID of another version than 7")
	case context != "ledger" && !isID(string(whom)):
		return errors.New("subject names no id")
	case !inYears(d.Time):
		return errors.New("time is missing or beyond the year 9999")
	case d.Seq == 0:
		return errors.New("sequence is missing")
	case !isID(string(d.Actor)):
		return errors.New("actor is no id")
	case d.Rules < 1:
		return errors.New("rules is missing")
	}
	for _, check := range [...]func() error{d.checkType, d.checkProof, d.checkOutcome, d.checkSealed, d.checkObserved} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// checkType: the type is one of the command's, or says that it was refused.
func (d *Document) checkType() error {
	f, ok := forms[d.Name]
	switch {
	case !ok:
		return fmt.Errorf("there is no command %q: %w", d.Name, ErrNewer)
	case d.Type != domain.CommandRefused && !slices.Contains(f.row.Events, d.Type):
		return fmt.Errorf("%s makes no event of the type %q", d.Name, d.Type)
	}
	return nil
}

// checkProof: a signature, or for an access request the gateway's connection.
func (d *Document) checkProof() error {
	var issued domain.Time
	if issued.UnmarshalText([]byte(d.Issued)) != nil {
		return errors.New("data.proof.issued is no time")
	}
	switch {
	case d.Connection == "" && len(d.Signature) != 64:
		return errors.New("data.proof has no signature of 64 bytes")
	case d.Connection != "" && d.Signature != nil:
		return errors.New("data.proof has both a signature and a connection")
	case d.Connection != "" && !isPublicKey(string(d.Connection)):
		return errors.New("data.proof.connection is no public key")
	case d.Connection != "" && d.Name != "access.request":
		return fmt.Errorf("data.proof: a connection stands for no %s", d.Name)
	}
	return nil
}

// checkOutcome: a decision where the row has two events, a refusal where it was
// refused, and nowhere else.
func (d *Document) checkOutcome() error {
	refused := d.Type == domain.CommandRefused
	switch {
	case refused != (d.Refusal != nil):
		return fmt.Errorf("data.refusal and the type %s don't go together", d.Type)
	case (!refused && len(forms[d.Name].row.Events) > 1) != (d.Decision != nil):
		return fmt.Errorf("data.decision and the type %s don't go together", d.Type)
	case refused:
		return checkRefusal(d.Refusal)
	case d.Decision != nil:
		return d.checkDecision()
	}
	return nil
}

func checkRefusal(r *domain.Refusal) error {
	switch {
	case r.Code != domain.Forbidden && r.Code != domain.Refused:
		return errors.New("data.refusal.code is neither forbidden nor refused")
	case r.Clause != "" && clauses[string(r.Clause)] == "":
		return errors.New("data.refusal.clause is none of the statement's")
	case r.Reason != "" && !isID(r.Reason):
		return errors.New("data.refusal.reason is no code")
	}
	return nil
}

func (d *Document) checkDecision() error {
	c := d.Decision
	switch {
	case c.Decision != domain.Granted && c.Decision != domain.Denied || d.Type != "access."+c.Decision:
		return fmt.Errorf("data.decision.decision and the type %s don't go together", d.Type)
	case c.Attempt != d.ID:
		return errors.New("data.decision.attempt is not the event's id")
	case c.Edition < 0 || c.Rules < 1:
		return errors.New("data.decision has no edition or no rules")
	case c.Granted() != (c.Violation == ""):
		return errors.New("data.decision.violation: a denial opens or joins one, a grant doesn't (II.3)")
	case c.Violation != "" && !domain.IsUUID(string(c.Violation)):
		return errors.New("data.decision.violation is no UUID in lower case")
	}
	for i := range c.Reasons {
		if r := &c.Reasons[i]; clauses[string(r.Clause)] == "" || !isID(r.Code) || r.More < 0 ||
			r.Right != "" && !isRef(r.Right) || slices.Contains(r.Refs, 0) ||
			slices.ContainsFunc(r.Evidence, func(id domain.ID) bool { return !isID(string(id)) }) {
			return fmt.Errorf("data.decision.reasons: the one at %d is no reason", i)
		}
	}
	return nil
}

func (d *Document) checkSealed() error {
	s := d.Sealed
	switch {
	case s == nil:
		return nil
	case d.Type == domain.CommandRefused:
		return errors.New("data.sealed: a refused command keeps no openings")
	case s.Of != "ledger" && !isRef(s.Of):
		return errors.New("data.sealed.of is no subject")
	case s.Gen < 1:
		return errors.New("data.sealed.gen is missing")
	case len(s.Boxes) == 0:
		return errors.New("data.sealed.boxes is empty")
	}
	last := ""
	for _, b := range s.Boxes {
		if !isPointer(b.Field) || b.Field <= last || len(b.Box) == 0 {
			return errors.New("data.sealed.boxes are not boxes by ascending field")
		}
		last = b.Field
	}
	return nil
}

func (d *Document) checkObserved() error {
	o := &d.Observed
	switch {
	case slices.ContainsFunc(o.Blank, func(s string) bool { return !isPointer(s) }):
		return errors.New("data.observed.blank holds what is no field")
	case !o.Clock.IsZero() && !inYears(o.Clock):
		return errors.New("data.observed.clock is beyond the year 9999")
	}
	return nil
}

var clauses = func() map[string]domain.Clause {
	m := map[string]domain.Clause{}
	for _, c := range domain.Clauses() {
		m[string(c)] = c
	}
	return m
}()

// inYears: four digits write the year, and the zero time is a missing one.
func inYears(t time.Time) bool {
	return !t.IsZero() && t.UTC().Year() >= 0 && t.UTC().Year() <= 9999
}

// isID: the pattern of domain.ID, without making one (TestPatternsAreTheLaws).
func isID(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '_' || s[0] == '-' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// isPublicKey: the pattern of domain.PublicKey (TestPatternsAreTheLaws).
func isPublicKey(s string) bool {
	if len(s) != 56 || s[0] != 'U' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'A' || c > 'Z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}

// isRef: a kind and an id, such as designation/d1 or client/acme.
func isRef(s string) bool {
	kind, id, ok := strings.Cut(s, "/")
	return ok && isID(kind) && isID(id)
}

// isPointer: a JSON pointer to a field of ours, which is letters and digits.
func isPointer(s string) bool {
	if len(s) < 2 || s[0] != '/' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '/' {
			return false
		}
	}
	return true
}
