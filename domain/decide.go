package domain

import (
	"fmt"
	"slices"
	"time"
)

// An Outcome is what becomes of a command.
type Outcome struct {
	// Type is the event's that is to be recorded; empty where nothing is.
	Type    string
	Subject Subject
	// Decision is that of an access request, Refusal what a command.refused holds.
	Decision *Decision
	Refusal  *Refusal
	// Fault answers the command where it was not accepted.
	Fault *Fault
	// Again is the event that answered the same id of this actor before. Whether
	// the content is the same, and the answer, is for the caller to say: the law
	// doesn't see what commitments hide.
	Again Seq
}

// late is how far a command's `issued` may lie from the ledger's clock.
const late = 5 * time.Minute

// Decide says what becomes of a command, on all that the view knows. At is the
// time that its event would have, id that event's id. It looks at the command in
// the order of the contract's section 2, and the first failure answers
// (TestTheFirstFailureAnswers).
func Decide(v View, c *Command, at time.Time, id UUID) Outcome {
	row, ok := Find(c.Name)
	if !ok {
		return Outcome{Fault: &Fault{Code: Invalid, Field: "/name", Message: "there is no command " + c.Name}}
	}
	if data, ok := c.Data.(checked); ok { // 1
		if f := data.check(); f != nil {
			return Outcome{Fault: f}
		}
	}
	d := &deciding{View: v, cmd: c, at: at, id: id}
	if f := d.known(); f != nil { // 2
		return Outcome{Fault: f}
	}
	if _, again := get[Answered](v, commandKey(c.Actor, c.ID)); again.First != 0 { // 3
		return Outcome{Again: again.First}
	}
	if f := d.timely(); f != nil { // 2: what was answered before is answered first
		return Outcome{Fault: f}
	}
	if d.fault = d.allowed(row); d.fault == nil { // 4
		c.Data.decide(d) // 5, 6, 7
	}
	switch f := d.fault; {
	case f == nil:
		t := row.Events[0]
		if d.decision != nil && !d.decision.Granted() {
			t = row.Events[1]
		}
		s := c.Data.about(v)
		return Outcome{Type: t, Subject: s, Decision: d.decision}
	case f.Recorded():
		return Outcome{Type: CommandRefused, Subject: known(v, c.Data.about(v)),
			Refusal: &Refusal{f.Code, f.Clause, f.Reason}, Fault: f}
	default:
		return Outcome{Fault: f}
	}
}

// Seals is under whose key the † fields of an accepted command are sealed, as subjects
// are written: the client that it is about, without one the party; for an inquiry
// without client, the inquiry; else, and where that one was erased, the ledger. View is
// the one that it was decided on, s what its event is about.
func Seals(v View, data Data, s Subject) string {
	if c, _ := client(v, s.Client); c != nil && c.Erased != 0 {
		return Subject{}.String()
	}
	if p, _ := party(v, s.Party); p != nil && p.Erased != 0 {
		return Subject{}.String()
	}
	id := ID("")
	switch c := data.(type) {
	case *InquiryReceive:
		id = c.Inquiry
	case *InquiryAnswer:
		id = c.Inquiry
	case *ErasureRequest:
		id = c.Inquiry
	}
	if id != "" && s == (Subject{}) {
		return "inquiry/" + string(id)
	}
	return s.String()
}

// known cuts a subject down to what is registered: a refused command may be about
// what is not.
func known(v View, s Subject) Subject {
	if s.Client != "" {
		if c, _ := client(v, s.Client); c == nil {
			s.Client = ""
		}
	}
	if s.Party != "" {
		if p, _ := party(v, s.Party); p == nil {
			s.Party = ""
		}
	}
	return s
}

// deciding is one command being decided.
type deciding struct {
	View
	cmd      *Command
	at       time.Time
	id       UUID
	actor    *Actor
	decision *Decision
	fault    *Fault // that answers, of those found so far
}

// fail notes a fault. Of several the one answers that the contract's section 2
// comes to first, whatever the order in which they are found.
func (d *deciding) fail(f *Fault) {
	if d.fault == nil || f.step() < d.fault.step() {
		d.fault = f
	}
}

// blame fails the command for a field of its data; at is its JSON pointer there.
func (d *deciding) blame(code Code, at, message string, args ...any) {
	d.fail(&Fault{Code: code, Field: "/data" + at, Message: fmt.Sprintf(message, args...)})
}

// refuse fails the command because the statement forbids it.
func (d *deciding) refuse(clause Clause, reason, message string, args ...any) {
	d.fail(&Fault{Code: Refused, Clause: clause, Reason: reason, Message: fmt.Sprintf(message, args...)})
}

// known: the actor is one of the ledger's, in force, and its own key proved it.
// Before the ledger is open only the admin that opens it is known.
func (d *deciding) known() *Fault {
	if l, _ := get[Ledger](d, Key{Kind: KindLedger}); l == nil {
		open, ok := d.cmd.Data.(*LedgerOpen)
		if !ok || d.cmd.Actor != open.Admin.Actor || d.cmd.Key != open.Admin.PublicKey {
			return unproven()
		}
		d.actor = &Actor{ID: open.Admin.Actor, Role: Admin, PublicKey: open.Admin.PublicKey}
		return nil
	}
	d.actor, _ = actor(d, d.cmd.Actor)
	if d.actor == nil || d.actor.Revoked || d.cmd.Key == "" || d.actor.PublicKey != d.cmd.Key {
		return unproven()
	}
	return nil
}

func unproven() *Fault {
	return &Fault{Code: Unauthenticated, Message: "no actor of this ledger proved this command by its key in force"}
}

// timely: a command issued more than 5 minutes from the ledger's clock may be an
// old one sent again, or its sender's clock is wrong.
func (d *deciding) timely() *Fault {
	clock := d.at
	if !d.cmd.Clock.IsZero() {
		clock = d.cmd.Clock
	}
	if d.cmd.Issued.IsZero() || d.cmd.Issued.Sub(clock).Abs() <= late {
		return nil
	}
	return &Fault{Code: Unauthenticated, Field: "/issued",
		Message: "the command was issued more than 5 minutes from the ledger's clock: set the clock that is wrong, and send it anew"}
}

// allowed: the role may issue the command, and nobody of the actor's own party is
// retired.
func (d *deciding) allowed(r *Row) *Fault {
	if _, opens := d.cmd.Data.(*LedgerOpen); opens {
		if l, _ := get[Ledger](d, Key{Kind: KindLedger}); l == nil {
			return nil
		}
	}
	if !slices.Contains(r.Roles, d.actor.Role) {
		return &Fault{Code: Forbidden, Message: string(d.actor.Role) + " may not issue " + r.Command + "; " + whoMay(r)}
	}
	for _, own := range d.own() {
		if p, _ := party(d, own); p != nil && p.Retired {
			return &Fault{Code: Forbidden, Message: "the party " + string(own) + ", which " + string(d.actor.ID) + " acts for, is retired"}
		}
	}
	return nil
}

func whoMay(r *Row) string {
	if len(r.Roles) == 0 {
		return "the ledger is open already"
	}
	s := ""
	for i, role := range r.Roles {
		if i > 0 {
			s += ", "
		}
		s += string(role)
	}
	return s + " may"
}

// own are the actor's own party and the institution that this one is of.
func (d *deciding) own() []ID {
	if d.actor.Party == "" {
		return nil
	}
	own := []ID{d.actor.Party}
	if p, _ := party(d, d.actor.Party); p != nil && p.Of != "" {
		own = append(own, p.Of)
	}
	return own
}

func (d *deciding) isOwn(p ID) bool { return p != "" && slices.Contains(d.own(), p) }

// blank says whether a † field of the command was blank when opened.
func (d *deciding) blank(pointer string) bool { return slices.Contains(d.cmd.Blank, pointer) }
