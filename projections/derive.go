package projections

import (
	"fmt"
	"strings"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore/cloudevent"
)

// A derivation derives one event anew, on the view of what was recorded before it.
// What deciding took from outside history stands in the event, and is an input.
type derivation struct {
	view domain.View
	doc  *cloudevent.Document
	data domain.Data // the document's
	// noAttempt says that the access which the event names is none of those before it.
	noAttempt bool
	out       domain.Outcome // what the law makes of it; zero where it didn't come to that
}

// differs says how the event differs from what the keys and the law make of its
// command, empty where it doesn't. Signed is asked whether a key made its signature.
func (r *derivation) differs(signed func(domain.PublicKey) bool) string {
	d := r.doc
	if d.Rules > domain.Rules {
		return fmt.Sprintf("it was made by version %d of the rules, and this program knows up to %d: use a later one", d.Rules, domain.Rules)
	}
	proof, why := r.proof()
	if why != "" {
		return why
	}
	if d.Connection == "" && !signed(proof) {
		return notItsKey(d.Actor)
	}
	out := domain.Decide(r.view, &domain.Command{ID: d.Command, Actor: d.Actor, Name: d.Name, Key: proof, Data: r.data, NoAttempt: r.noAttempt, Observed: d.Observed}, d.Time, d.ID)
	r.out = out
	switch {
	case out.Again != 0:
		return fmt.Sprintf("its command was answered by event %d already", out.Again)
	case out.Type == "":
		return "its command adds nothing: " + out.Fault.Error()
	case out.Type != d.Type:
		return "it is " + d.Type + ", and the law makes it " + out.Type
	case out.Subject != d.Subject && out.Subject.String() != d.Subject.String():
		return "it is about " + d.Subject.String() + ", and the law has it about " + out.Subject.String()
	case out.Refusal != nil && *out.Refusal != *d.Refusal:
		return "it was " + told(d.Refusal) + ", and the law has it " + told(out.Refusal)
	case out.Decision != nil && !out.Decision.Equal(d.Decision):
		return "its decision is not the one that the law makes"
	}
	if d.Sealed != nil {
		if of := domain.Seals(r.view, r.data, out.Subject); of != d.Sealed.Of {
			return "its texts are sealed for " + d.Sealed.Of + ", and the law seals them for " + of
		}
	}
	return ""
}

func notItsKey(actor domain.ID) string {
	return "the key of " + string(actor) + " that was in force did not sign its command"
}

// attemptIn is the access that an event names (IV.4); empty where it names none.
func attemptIn(data domain.Data, refused *domain.Refusal) domain.UUID {
	if a, ok := data.(*domain.InquiryAnswer); ok && refused == nil {
		return a.Attempt
	}
	return ""
}

// told is a refusal in words: refused by II.2 no-need, or forbidden.
func told(r *domain.Refusal) string {
	s := string(r.Code)
	if r.Clause != "" {
		s += " by " + string(r.Clause)
	}
	return strings.TrimSpace(s + " " + r.Reason)
}

// proof is the key that the event's actor proved itself by: of its connection, if it
// is a gateway, else the one in force.
func (r *derivation) proof() (key domain.PublicKey, why string) {
	if open, ok := r.data.(*domain.LedgerOpen); ok && r.doc.Seq == 1 {
		return open.Admin.PublicKey, ""
	}
	a, _ := fact[domain.Actor](r.view, domain.Key{Kind: domain.KindActor, C: string(r.doc.Actor)})
	switch {
	case a == nil || a.Revoked:
		return "", "its actor " + string(r.doc.Actor) + " was not known, or its key not in force"
	case r.doc.Connection != "" && a.Role != domain.Gateway:
		return "", "a connection stands for " + string(r.doc.Actor) + ", which is no gateway"
	case r.doc.Connection != "":
		return r.doc.Connection, ""
	}
	return a.PublicKey, ""
}
