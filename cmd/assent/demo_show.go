package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// A stage is where the demo is shown: plain text, 80 to 100 columns wide, with
// colours on a terminal that wants them.
type stage struct {
	out    io.Writer
	lang   language // of what is said of reasons; the story is in English
	width  int
	colour bool
	err    error // the first one of out; nothing is written after it
}

func newStage(out io.Writer, lang language) *stage {
	s := &stage{out: out, lang: lang, width: 96}
	f, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return s
	}
	if w, _, err := term.GetSize(int(f.Fd())); err == nil {
		s.width = min(max(w, 80), 100)
	}
	s.colour = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return s
}

// Marks of a terminal for what isn't plain text.
const (
	bold   = "1"
	faint  = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
)

func (s *stage) paint(mark, text string) string {
	if !s.colour || mark == "" || text == "" {
		return text
	}
	return "\x1b[" + mark + "m" + text + "\x1b[0m"
}

func (s *stage) line(text string) {
	if s.err == nil {
		_, s.err = fmt.Fprintln(s.out, text)
	}
}

func (s *stage) failed() error {
	if s.err != nil {
		return fmt.Errorf("show the story: %w", s.err)
	}
	return nil
}

func (s *stage) title(name, what string) {
	s.line(s.paint(bold, name) + ": " + what)
	s.line("")
}

// scene begins one: its title, the clauses that it shows, and what happens.
func (s *stage) scene(n int, sc *scene) {
	head := fmt.Sprintf("%d  %s", n, sc.title)
	s.line("")
	s.line(s.paint(bold, head) + strings.Repeat(" ", max(2, s.width-wide(head)-wide(sc.clauses))) + s.paint(faint, sc.clauses))
	s.para(sc.tells)
	s.line("")
}

func (s *stage) heading(title, command string) {
	s.line("")
	s.line(s.paint(bold, title))
	s.command(command)
	s.line("")
}

func (s *stage) para(text string) {
	for _, l := range folded(text, s.width-3) {
		s.line("   " + l)
	}
}

// command shows a command line as it could be typed; what is long goes on below,
// digests shortened.
func (s *stage) command(line string) {
	parts := strings.Fields(line)
	for i, p := range parts {
		if len(p) == 64 && strings.Trim(p, "0123456789abcdef") == "" {
			parts[i] = p[:8] + "…"
		}
	}
	for i, l := range folded(strings.Join(parts, " "), s.width-15) {
		lead := "$ "
		if i > 0 {
			lead = "      "
		}
		s.line("   " + s.paint(faint, lead+l))
	}
}

// The columns of a step: who, what, the clause, the event, what became of it.
const (
	whoColumn    = 10
	whatColumn   = 44
	clauseColumn = 6
	seqColumn    = 5
	indent       = 3 + whoColumn
)

// step shows who did what, what the ledger answered, and why.
func (s *stage) step(st *step, a *answer) {
	clause, said, mark := st.clause, "  "+a.Type, ""
	switch d := a.Decision; {
	case a.Error != nil:
		clause, said, mark = string(a.Error.Clause), "✗ "+string(a.Error.Code), yellow
	case d != nil && d.Granted():
		clause, said, mark = "", "✓ "+d.Decision, green
	case d != nil:
		clause, said, mark = "", "✗ "+d.Decision, red
	}
	seq := fmt.Sprintf("#%d", a.Seq)
	s.line("   " + s.paint(faint, padded(st.as, whoColumn)) + padded(st.tells, whatColumn) +
		s.paint(faint, padded(clause, clauseColumn)+fmt.Sprintf("%*s ", seqColumn, seq)) + s.paint(mark, shown(said)))
	if a.Error != nil {
		why := a.Error.Reason + ": " + a.Error.Message
		if s.lang != english {
			why = s.lang.explain(a.Error)
		}
		s.why(why)
	}
	if a.Decision != nil {
		s.reasons(decoded(a.Decision))
	}
}

// reasons shows why a decision is what it is: each clause and code with what they
// mean, and what of the ledger it rests on.
func (s *stage) reasons(decision item) {
	list, _ := decision["reasons"].([]any)
	for _, r := range list {
		line := codes([]any{r})
		rests := strings.TrimPrefix(reasons([]any{r}, ""), line)
		if sentence := s.lang.meaning(r); sentence != "" {
			line += ": " + sentence
		}
		if rests != "" {
			line += " (" + strings.TrimSpace(rests) + ")"
		}
		s.why(line)
	}
}

// why shows a reason below what it is the reason of.
func (s *stage) why(text string) {
	for i, l := range folded(shown(text), s.width-indent-2) {
		lead := "└ "
		if i > 0 {
			lead = "  "
		}
		s.line(strings.Repeat(" ", indent) + s.paint(faint, lead+l))
	}
}

// rights shows who may come near the data, the ended ones too.
func (s *stage) rights(items []item) error {
	return columns(
		column{"right", func(it item) string { return text(it["right"]) + "/" + text(it["id"]) }}, "party", "scope",
		column{"purposes", func(it item) string { return clipped(text(it["purposes"]), 20) }},
		"evidence", column{"state", stateOfRight})(&printer{out: s}, items)
}

// trail shows what was recorded about the client.
func (s *stage) trail(items []item) error {
	return columns(
		column{"event", func(it item) string { return "#" + text(it["seq"]) }}, "type", "actor",
		column{"what", func(it item) string { return clipped(happened(it), s.width-45) }})(&printer{out: s}, items)
}

// happened is one event in a few words: what it is about, and what was decided.
func happened(it item) string {
	e, _ := it["event"].(map[string]any)
	if d, ok := it["decision"].(map[string]any); ok {
		who := text(e["party"])
		if e["behalfOf"] != nil {
			who += " for " + text(e["behalfOf"])
		}
		return who + ", " + text(e["record"]) + ": " + codes(d["reasons"])
	}
	if r, ok := it["refusal"].(map[string]any); ok {
		return text(it["name"]) + ": " + text(r["clause"]) + " " + text(r["reason"])
	}
	var parts []string
	about, _, _ := strings.Cut(text(it["type"]), ".")
	if v := text(e[about]); v != "" && about != "client" {
		parts = append(parts, v)
	}
	for _, name := range []string{"kind", "class", "contacts", "party", "delegate", "scope", "method", "witness"} {
		if v := text(e[name]); v != "" {
			parts = append(parts, v)
		}
	}
	if v := text(e["evidence"]); v != "" && it["type"] != "evidence.filed" {
		parts = append(parts, "by "+v)
	}
	return strings.Join(parts, ", ")
}

// codes are the reasons of a decision without what they rest on.
func codes(v any) string {
	list, _ := v.([]any)
	parts := make([]string, len(list))
	for i, r := range list {
		r, _ := r.(map[string]any)
		parts[i] = text(r["clause"]) + " " + text(r["code"])
	}
	return strings.Join(parts, ", ")
}

// explained shows what was recorded of a decision, and what comes of the same
// request on the same history now.
func (s *stage) explained(items []item) error {
	for _, it := range items {
		request, _ := it["request"].(map[string]any)
		s.field("asked", members(request, fieldOrder("access.denied")))
		for _, which := range []string{"recorded", "derived"} {
			d, _ := it[which].(map[string]any)
			s.field(which, text(d["decision"])+", by edition "+text(d["edition"])+" of the statement and version "+text(d["rules"])+" of its rules")
			s.reasons(d)
			s.why("II.3 to be investigated: violation " + text(d["violation"]))
		}
		if it["same"] == true {
			s.field("same", "yes: history gives the same decision again")
		} else {
			s.field("same", "NO: history gives another decision than the one recorded")
		}
	}
	return s.failed()
}

func (s *stage) field(name, value string) {
	s.line("   " + s.paint(faint, padded(name, whoColumn)) + shown(value))
}

// Write lets tables be written to the stage, a little to the right.
func (s *stage) Write(b []byte) (int, error) {
	for l := range strings.Lines(string(b)) {
		s.line("   " + strings.TrimRight(l, "\n"))
	}
	return len(b), s.err
}

// close says how to go on.
func (s *stage) close() {
	s.line("")
	s.para("That ledger is gone now. One of your own: assent serve, then assent --help. docs/guide.md goes on from there.")
}

// clipped is as much of the text as fits.
func clipped(text string, width int) string {
	if wide(text) <= width {
		return text
	}
	for wide(text) > width-1 {
		_, n := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-n]
	}
	return strings.TrimRight(text, " ,") + "…"
}

func padded(text string, width int) string {
	return text + strings.Repeat(" ", max(1, width-wide(text)))
}

// folded breaks the text into lines of at most so many columns: between words, and
// in Chinese between characters.
func folded(text string, width int) (lines []string) {
	line := ""
	for _, w := range strings.Fields(text) {
		gap := " "
		for _, piece := range pieces(w) {
			if line != "" && wide(line+gap+piece) > width {
				lines = append(lines, line)
				line = ""
			}
			if line != "" {
				line += gap
			}
			line += piece
			gap = ""
		}
	}
	return append(lines, line)
}

// pieces are what a word may be broken into: one, or in Chinese its characters, each
// with the marks that don't begin a line, or don't end one.
func pieces(word string) (all []string) {
	start, last := 0, rune(0)
	for i, r := range word {
		broad := wide(string(r)) == 2 || wide(string(last)) == 2
		if i > 0 && broad && !strings.ContainsRune("，。；：、）》", r) && !strings.ContainsRune("（《", last) {
			all = append(all, word[start:i])
			start = i
		}
		last = r
	}
	return append(all, word[start:])
}
