package main

import (
	"fmt"

	"github.com/qtccc/assent/commands"
	"github.com/qtccc/assent/domain"
)

// An answer is what one command got.
type answer struct {
	commands.Answer
	raw []byte // as it came; nil where the answer was made here
}

// readAnswer reads what the ledger answered to a command. What can't be read leaves the
// outcome unknown, and so does the answer to another command: the server tells the
// callers of a moment apart by six characters (docs/decisions/0014). One that names no
// command couldn't be read.
func readAnswer(id domain.UUID, b []byte) *answer {
	a, err := commands.ParseAnswer(b)
	if err != nil {
		return faulty(id, unavailable("the ledger's answer can't be read"))
	}
	if id != "" && a.ID != "" && a.ID != id {
		return faulty(id, unavailable("the answer to another command came"))
	}
	return &answer{Answer: *a, raw: b}
}

// faulty is an answer made here.
func faulty(id domain.UUID, f *domain.Fault) *answer {
	return &answer{Answer: commands.Answer{ID: id, Error: f}}
}

// unavailable is the fault of a command of which nothing is known.
func unavailable(why string) *domain.Fault {
	return &domain.Fault{Code: domain.Unavailable, Message: why + "; the outcome is unknown until the same id is sent again"}
}

// open says whether the outcome isn't known yet.
func (a *answer) open() bool { return a.Error != nil && a.Error.Code == domain.Unavailable }

// document is the answer as the contract has it.
func (a *answer) document() []byte {
	if a.raw != nil {
		return a.raw
	}
	return a.Append(nil)
}

// line is the answer for a person, in one line.
func (a *answer) line(lang language) string {
	s := ""
	if a.Seq != 0 {
		s = fmt.Sprintf("#%d ", a.Seq)
	}
	switch {
	case a.Error != nil:
		s += lang.explain(a.Error)
	case a.Decision != nil:
		s += a.Decision.Decision + ": " + reasons(decoded(a.Decision)["reasons"], "; ")
	default:
		s += a.Type
	}
	if a.Again {
		s += " (as answered before)"
	}
	return s
}

// tell writes the answer for a person, with all that a decision says.
func (a *answer) tell(p *printer) error {
	d := a.Decision
	if d == nil {
		_, err := fmt.Fprintln(p.out, shown(a.line(p.lang)))
		return err
	}
	head := fmt.Sprintf("#%d %s", a.Seq, d.Decision)
	if a.Again {
		head += " (as answered before)"
	}
	if _, err := fmt.Fprintln(p.out, shown(head)); err != nil {
		return err
	}
	if err := printReasons(p, decoded(d)["reasons"]); err != nil {
		return err
	}
	tail := "attempt " + string(d.Attempt)
	if d.Violation != "" {
		tail += ", violation " + string(d.Violation)
	}
	_, err := fmt.Fprintln(p.out, shown(tail))
	return err
}
