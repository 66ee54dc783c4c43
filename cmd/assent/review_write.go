package main

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"strings"

	"github.com/qtccc/assent/domain"
)

// sum says in a line what the review found.
func (r *reviewed) sum() string {
	n := map[string]int{}
	for _, it := range r.items {
		verdict := text(it["verdict"])
		switch {
		case undecided(it):
			verdict = "undecided"
		case verdict == "":
			verdict = "ended before"
		}
		n[verdict]++
	}
	s := fmt.Sprintf("%d in force when it was opened", len(r.items))
	between := ": "
	for _, v := range []struct{ word, says string }{{string(domain.Keep), "kept"}, {string(domain.Narrow), "narrowed"},
		{string(domain.Revoke), "revoked"}, {"ended before", "ended before a verdict"}, {"undecided", "undecided"}} {
		if n[v.word] > 0 {
			s += fmt.Sprintf("%s%d %s", between, n[v.word], v.says)
			between = ", "
		}
	}
	return s
}

func undecided(it item) bool { return it["verdict"] == nil && it["inForce"] == true }

// A section of the record.
type section struct {
	title, says string
	items       []item
	columns     []column
}

// sections are the record's sections, the table of all first.
func (r *reviewed) sections() []section {
	which := func(items []item, wanted func(item) bool) (some []item) {
		for _, it := range items {
			if wanted(it) {
				some = append(some, it)
			}
		}
		return some
	}
	given := func(name string) func(item) bool { return func(it item) bool { return it[name] != nil } }
	what := []column{named("client"), named("authorization"), named("party")}
	with := func(more ...column) []column { return append(what[:len(what):len(what)], more...) }
	return []section{
		{"Authorisations", "As they were when the review was opened. Their use is counted up to then.", r.items, with(
			named("need"), named("scope"), column{"purposes", purposesOf}, named("actions"), named("until"), named("engagement"),
			column{"issued by", member("issuedBy")}, named("granted"), named("denied"), column{"last used", member("lastUsed")},
			named("verdict"), named("reason"), column{"decided by", member("decidedBy")}, column{"event", member("decided")})},
		{"Undecided", "Still in force, and nobody has said what becomes of them.", which(r.items, undecided), with(
			named("need"), column{"issued by", member("issuedBy")}, named("granted"))},
		{"Overdue when opened", "Not reviewed in time when the review was opened: they served nobody.",
			which(r.items, func(it item) bool { return it["overdue"] == true }), with(
				column{"reviewed last", member("reviewed")}, named("verdict"))},
		{"Changed since", "Ended or narrowed since the review was opened, by its verdicts or otherwise.",
			which(r.items, func(it item) bool { return it["inForce"] == false || it["changed"] != nil }), with(
				named("verdict"), column{"ended", ended}, column{"narrowed", member("changed")}, column{"to", member("now")})},
		{"Looked at by nobody", "Issued after the review before this one was opened, and ended before this one was.", r.unseen, with(
			named("need"), named("scope"), column{"purposes", purposesOf}, column{"issued by", member("issuedBy")}, column{"issued", member("from")},
			column{"ended", ended}, named("granted"), named("denied"), column{"last used", member("lastUsed")})},
		{"Issued again", "Issued to the party after an earlier review took one from it (by the event), or again after this one did.",
			which(r.items, func(it item) bool { return given("takenBefore")(it) || given("again")(it) }), with(
				column{"issued by", member("issuedBy")}, column{"taken before by", member("takenBefore")}, named("verdict"), column{"issued again", again})},
	}
}

func named(name string) column { return column{name, member(name)} }

// member is what a member of the item says.
func member(name string) func(item) string { return func(it item) string { return text(it[name]) } }

func ended(it item) string {
	switch {
	case it["ended"] != nil:
		return "event " + text(it["ended"])
	case it["inForce"] == true:
		return ""
	}
	return "by its day"
}

func again(it item) string {
	s := text(it["again"])
	if it["more"] != nil {
		s += " and " + text(it["more"]) + " more"
	}
	return s
}

// markdown writes the record for people.
func (r *reviewed) markdown(to io.Writer) error {
	w := bufio.NewWriter(to)
	fmt.Fprintf(w, "# Management review %s: %s\n\n", plain(r.id), plain(text(r.review["title"])))
	about := [][2]string{
		{"State", map[bool]string{true: "closed: signed off", false: "open: not signed off"}[r.review["closed"] != nil]},
		{"Opened", fmt.Sprintf("%s by %s, event %s", text(r.review["opened"]), text(r.review["openedBy"]), text(r.review["seq"]))},
	}
	if r.review["closed"] != nil {
		about = append(about, [2]string{"Closed", fmt.Sprintf("%s by %s, event %s", text(r.review["closed"]), text(r.review["closedBy"]), text(r.review["closedSeq"]))},
			[2]string{"Statement", text(r.review["statement"])})
	}
	since := "the ledger's first event"
	if r.review["last"] != nil {
		since = fmt.Sprintf("the closing of %s, event %s", text(r.review["last"]), text(r.review["since"]))
	}
	about = append(about,
		[2]string{"Edition in force", fmt.Sprintf("%s, which wants a review every %s", text(r.review["edition"]), text(r.review["reviewEvery"]))},
		[2]string{"Use counted from", since},
		[2]string{"Authorisations", r.sum()},
		[2]string{"Ledger", string(r.ledger)},
		[2]string{"As of", fmt.Sprintf("event %d", r.at)})
	rows := make([][]string, len(about))
	for i, a := range about {
		rows[i] = a[:]
	}
	markdownTable(w, []string{"", ""}, rows)
	for _, p := range r.sections() {
		fmt.Fprintf(w, "\n## %s\n\n%s\n\n", p.title, p.says)
		if len(p.items) == 0 {
			fmt.Fprintln(w, "None.")
			continue
		}
		heads, rows := p.cells()
		markdownTable(w, heads, rows)
	}
	return w.Flush()
}

func (p *section) cells() (heads []string, rows [][]string) {
	for _, c := range p.columns {
		heads = append(heads, sentence(c.head))
	}
	for _, it := range p.items {
		row := make([]string, len(p.columns))
		for i, c := range p.columns {
			row[i] = c.cell(it)
		}
		rows = append(rows, row)
	}
	return heads, rows
}

func markdownTable(w io.Writer, heads []string, rows [][]string) {
	fmt.Fprintf(w, "| %s |\n|%s\n", strings.Join(heads, " | "), strings.Repeat(" --- |", len(heads)))
	for _, row := range rows {
		for i := range row {
			row[i] = plain(row[i])
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(row, " | "))
	}
}

// plain is text that Markdown takes for nothing but text, in one line.
func plain(s string) string {
	return markdownMeans.Replace(shown(s))
}

var markdownMeans = func() *strings.Replacer {
	var pairs []string
	for _, c := range "\\`*_[]<>&|~#$" {
		pairs = append(pairs, string(c), `\`+string(c))
	}
	return strings.NewReplacer(pairs...)
}()

// csvColumns are those of the CSV: all that the question says of an authorisation.
var csvColumns = []column{named("client"), named("authorization"), named("party"), named("issuedBy"), named("from"), named("need"),
	named("scope"), {"purposes", member("purposes")}, named("actions"), named("until"), named("engagement"), named("evidence"), named("reviewed"),
	named("overdue"), named("granted"), named("denied"), named("lastUsed"), named("verdict"), named("reason"), named("decidedBy"),
	named("decided"), named("inForce"), named("ended"), named("changed"), named("now"), named("takenBefore"), {"again", again}}

// csv writes one row an authorisation (RFC 4180), after a row of heads. The second
// column tells what was in force from what nobody looked at.
func (r *reviewed) csv(to io.Writer) error {
	w := csv.NewWriter(to)
	w.UseCRLF = true
	heads := []string{"review", "part"}
	for _, c := range csvColumns {
		heads = append(heads, c.head)
	}
	if err := w.Write(heads); err != nil {
		return err
	}
	for _, of := range []struct {
		name  string
		items []item
	}{{"in force", r.items}, {"unseen", r.unseen}} {
		for _, it := range of.items {
			row := []string{r.id, of.name}
			for _, c := range csvColumns {
				row = append(row, uncalculated(shown(c.cell(it))))
			}
			if err := w.Write(row); err != nil {
				return err
			}
		}
	}
	w.Flush()
	return w.Error()
}

// uncalculated is a cell that no spreadsheet takes for a formula.
func uncalculated(s string) string {
	if s != "" && strings.ContainsRune("=+-@", rune(s[0])) {
		return "'" + s
	}
	return s
}
