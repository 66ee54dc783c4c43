package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore/cloudevent"
)

// asked says of each question how a person asks it and reads the answer
// (TestEveryQuestionHasAPage).
var asked = map[string]words{
	"rights": {
		short:   "who may come near which records, and on whose written word",
		long:    "A client or a party is wanted. Only rights in force are shown, unless --ended.",
		example: "  assent rights --as auditor --client acme --at 120",
		print: columns("right", "id", "client", "party", "scope", column{"purposes", purposesOf}, "actions", "until", "from", "evidence",
			column{"state", stateOfRight}),
	},
	"trail": {
		short:   "what was recorded, and what it rests on",
		example: "  assent trail --as auditor --client acme --decision denied",
		print:   columns("seq", "time", "type", "actor", "subject", column{"what", whatHappened}),
	},
	"trace": askTrace,
	"explain": {
		short:   "why an access was decided so, derived anew from history",
		long:    "An attempt or a request is wanted.",
		example: "  assent explain --as auditor --attempt 0191e7a4-8000-7000-8000-00000000002a",
		print:   printExplained,
	},
	"redecide": askRedecide,
	"reviews": {
		short:   "when management looked at the authorisations",
		example: "  assent reviews --as manager",
		print:   columns("review", "title", "state", "opened", "openedBy", "closed", "closedBy", "statement", "seq"),
	},
	"review": {
		short: "the authorisations of a review, their use and the verdicts; its subcommands hold one and write its record",
		long: `They are shown as they were when it was opened, used as they were since the last one was closed. With --unseen those
			that were issued and ended before it was opened, which no review looked at.`,
		example: "  assent review --as manager --review rv-1",
		print: columns("client", "authorization", "party", "issuedBy", "need", "overdue", "granted", "denied", "lastUsed", "verdict",
			"decidedBy", column{"since", sinceReview}),
	},
	"records": {
		short:   "a client's records",
		example: "  assent records --as clerk --client acme",
		print: columns("record", "title", "class", "medium", "encrypted", "engagement", "custody", "retention",
			column{"state", stateOfRecord}, "seq"),
	},
	"clients": {
		short:   "the data subjects",
		example: "  assent clients --as clerk",
		print:   columns("client", "name", "contacts", "state", "seq"),
	},
	"parties": {
		short:   "the persons and institutions that may come near data",
		example: "  assent parties --as clerk --category staff",
		print:   columns("party", "name", "category", "kind", "of", "state", "seq"),
	},
	"evidence": {
		short:   "the written instruments that are filed; its subcommands file and void them",
		example: "  assent evidence --as clerk --client acme",
		print: columns("evidence", "kind", "client", "party", "record", "signed", "stamped", "signedOn", "custody", "place", "state",
			"seq"),
	},
	"engagements": {
		short:   "a client's Engagement Confirmations",
		example: "  assent engagements --as clerk --client acme",
		print:   columns("engagement", "client", "purposes", "evidence", "state", "seq"),
	},
	"violations":  askViolations,
	"destruction": askDestruction,
	"notices":     askNotices,
	"inquiries":   askInquiries,
	"terms":       askTerms,
	"approvals":   askApprovals,
	"holds":       askHolds,
	"editions":    askEditions,
	"identities": {
		short:   "the actors, their roles and keys",
		example: "  assent identities --as admin",
		print:   columns("actor", "role", "party", "publicKey", "state", "seq"),
	},
	"status": {
		short:   "how the ledger stands, and what is due",
		example: "  assent status --as auditor",
		print:   printStatus,
	},
}

// A column of a table: its head, and what it says of an item.
type column struct {
	head string
	cell func(item) string
}

// columns prints items as a table. A string is a column of the item's member of
// that name.
func columns(cols ...any) func(*printer, []item) error {
	all := make([]column, len(cols))
	heads := make([]string, len(cols))
	for i, c := range cols {
		switch c := c.(type) {
		case string:
			all[i] = column{c, func(it item) string { return text(it[c]) }}
		case column:
			all[i] = c
		}
		heads[i] = strings.ToUpper(all[i].head)
	}
	return func(p *printer, items []item) error {
		rows := make([][]string, len(items))
		for i, it := range items {
			for _, c := range all {
				rows[i] = append(rows[i], c.cell(it))
			}
		}
		return p.table(heads, rows)
	}
}

// text is a value as a cell shows it.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		if strings.HasPrefix(v, "sha256:") && len(v) == 71 {
			return "(sealed)" // a commitment that can't be opened here
		}
		return v
	case bool:
		return map[bool]string{true: "yes", false: "no"}[v]
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = text(v[i])
		}
		return strings.Join(parts, ",")
	case map[string]any:
		return members(v, nil)
	}
	return fmt.Sprint(v)
}

// members writes an object as name=value pairs, those named first before the
// others.
func members(v map[string]any, first []string) string {
	rank := func(name string) int {
		if i := slices.Index(first, name); i >= 0 {
			return i
		}
		return len(first)
	}
	names := slices.SortedFunc(maps.Keys(v), func(a, b string) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	parts := make([]string, len(names))
	for i, n := range names {
		value := text(v[n])
		switch v[n].(type) {
		case map[string]any:
			value = "{" + value + "}"
		case string:
			if value == "" || strings.ContainsAny(value, ` ="`) {
				value = `"` + strings.ReplaceAll(value, `"`, `\"`) + `"`
			}
		case bool:
			if v[n] == true {
				parts[i] = n
				continue
			}
		}
		parts[i] = n + "=" + value
	}
	return strings.Join(parts, " ")
}

// purposesOf are a right's, in one word where it has all.
func purposesOf(it item) string {
	if list, ok := it["purposes"].([]any); ok && len(list) == len(domain.Purposes) {
		return "all"
	}
	return text(it["purposes"])
}

func stateOfRight(it item) string {
	switch {
	case it["ended"] != nil:
		return "ended #" + text(it["ended"])
	case it["inForce"] == true && it["overdue"] == true:
		return "review overdue"
	case it["inForce"] == true:
		return "in force"
	}
	return "ended"
}

// sinceReview is what has become of an authorisation since the review was opened.
func sinceReview(it item) string {
	var parts []string
	switch {
	case it["ended"] != nil:
		parts = append(parts, "ended #"+text(it["ended"]))
	case it["inForce"] == false:
		parts = append(parts, "ran out")
	}
	if it["changed"] != nil {
		parts = append(parts, "narrowed #"+text(it["changed"]))
	}
	if it["again"] != nil {
		parts = append(parts, "issued again: "+again(it))
	}
	if it["takenBefore"] != nil {
		parts = append(parts, "taken before #"+text(it["takenBefore"]))
	}
	return strings.Join(parts, ", ")
}

// whatHappened is one event in one line: the decision or the refusal first, then
// what the command said.
func whatHappened(it item) string {
	var parts []string
	if d, ok := it["decision"].(map[string]any); ok {
		parts = append(parts, text(d["decision"])+": "+reasons(d["reasons"], "; "))
	}
	if r, ok := it["refusal"].(map[string]any); ok {
		parts = append(parts, strings.Join(strings.Fields(text(r["code"])+" "+text(r["clause"])+" "+text(r["reason"])), " "))
	}
	if e, ok := it["event"].(map[string]any); ok && len(e) > 0 {
		parts = append(parts, members(e, fieldOrder(text(it["type"]))))
	}
	return strings.Join(parts, "  ")
}

// fieldOrder is the order of the fields in the row that makes events of the type.
func fieldOrder(eventType string) (names []string) {
	for i := range domain.Catalogue {
		if row := &domain.Catalogue[i]; slices.Contains(row.Events, eventType) {
			for _, f := range cloudevent.Fields(row) {
				names = append(names, f.Name)
			}
		}
	}
	return names
}

// reasons are those of a decision: clause, code and what they rest on.
func reasons(v any, between string) string {
	list, _ := v.([]any)
	parts := make([]string, 0, len(list))
	for _, r := range list {
		r, _ := r.(map[string]any)
		part := text(r["clause"]) + " " + text(r["code"])
		if r["right"] != nil {
			part += " " + text(r["right"])
		}
		if refs, ok := r["refs"].([]any); ok {
			for _, ref := range refs {
				part += " #" + text(ref)
			}
		}
		if r["more"] != nil {
			part += " and " + text(r["more"]) + " more"
		}
		if papers, ok := r["evidence"].([]any); ok && len(papers) > 0 {
			part += " by " + text(papers)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, between)
}

func printExplained(p *printer, items []item) error {
	for _, it := range items {
		if it["seq"] != nil {
			if _, err := fmt.Fprintf(p.out, "event %s\n", shown(text(it["seq"]))); err != nil {
				return err
			}
		}
		for _, which := range []string{"recorded", "derived"} {
			d, ok := it[which].(map[string]any)
			if !ok {
				continue
			}
			if _, err := fmt.Fprintf(p.out, "%s\n", shown(which+": "+text(d["decision"])+" by edition "+text(d["edition"])+", rules "+text(d["rules"]))); err != nil {
				return err
			}
			if err := printReasons(p, d["reasons"]); err != nil {
				return err
			}
		}
		if same, ok := it["same"].(bool); ok {
			line := "history gives the same decision again"
			if !same {
				line = "HISTORY GIVES ANOTHER DECISION than the one recorded"
			}
			if _, err := fmt.Fprintln(p.out, line); err != nil {
				return err
			}
		}
	}
	return nil
}

// statusOrder is the order in which people read a status; what else it says comes
// after.
var statusOrder = []string{"ledger", "name", "seq", "time", "edition", "openViolations", "overdueAuthorizations",
	"overdueSoon", "dueForDestruction", "lateNotices", "withoutParty", "lastReview", "checkpoint", "alarms"}

func printStatus(p *printer, items []item) error {
	for _, it := range items {
		var rows [][]string
		for _, name := range statusOrder {
			if v, ok := it[name]; ok {
				rows = append(rows, []string{name, text(v)})
			}
		}
		for _, name := range slices.Sorted(maps.Keys(it)) {
			if !slices.Contains(statusOrder, name) {
				rows = append(rows, []string{name, text(it[name])})
			}
		}
		if err := p.table([]string{"STATUS", ""}, rows); err != nil {
			return err
		}
	}
	return nil
}

// decoded is a decision as an item has it.
func decoded(d *domain.Decision) item {
	var it item
	if b, err := json.Marshal(d); err == nil {
		_ = decode(b, &it) // of our own making
	}
	return it
}

// printReasons prints each reason, and below it what its clause and code mean.
func printReasons(p *printer, v any) error {
	list, _ := v.([]any)
	for _, r := range list {
		said := "  " + shown(reasons([]any{r}, "")) + "\n"
		if sentence := p.lang.meaning(r); sentence != "" {
			said += "    " + sentence + "\n"
		}
		if _, err := io.WriteString(p.out, said); err != nil {
			return err
		}
	}
	return nil
}
