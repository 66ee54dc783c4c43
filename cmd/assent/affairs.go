package main

import (
	"fmt"
	"strings"
)

// How a person asks what the agency has to look after, and reads the answer.
var (
	askViolations = words{
		short:   "what is investigated, with every denied attempt that joined it (II.3)",
		example: "  assent violations --as officer --open",
		print: columns("violation", "client", "party", "record", "state", "finding", column{"attempts", attemptsOf}, "opened",
			column{"said last", saidLast}),
	}
	askDestruction = words{
		short: "which records are due for destruction, what keeps them, and by whom the others were destroyed (II.5)",
		long: `With --by those that are still there and whose retention has run before then. Its subcommand certificate writes down the
			destruction of one.`,
		example: "  assent destruction --as officer --by 2027-01-01T00:00:00Z",
		print:   columns("client", "record", "title", "retention", "due", column{"state", stateOfRecord}, "method", "operator", "witness", "event"),
	}
	askNotices = words{
		short:   "who was told of an edition of the statement, and who is still to be (V.1)",
		example: "  assent notices --as clerk --edition 7",
		print:   columns("client", "state", "by", column{"told", told}),
	}
	askInquiries = words{
		short:   "who wanted to consult or asked about policy, and the answers (IV.4)",
		example: "  assent inquiries --as clerk --open",
		print:   columns("inquiry", "client", "from", "kind", "to", "text", "state", "answer", "seq"),
	}
	askTerms = words{
		short:   "a client's special terms (II.6); its subcommands agree and end them",
		example: "  assent terms --as clerk --client acme",
		print:   columns("terms", "client", "evidence", column{"rules", rulesOf}, "duties", "until", "state", "seq"),
	}
	askApprovals = words{
		short:   "the accesses that were approved for a client, as special terms want it (II.6)",
		example: "  assent approvals --as clerk --client acme",
		print:   columns("approval", "client", "party", "record", "action", "purpose", "recipient", "until", "givenBy", "state", "seq"),
	}
	askHolds = words{
		short:   "what keeps records from being destroyed (II.5)",
		example: "  assent holds --as officer --client acme",
		print:   columns("hold", "client", "records", "reason", "placedBy", "state", "seq"),
	}
	askEditions = words{
		short:   "the editions of the statement (V.1, V.2)",
		example: "  assent editions --as clerk",
		print:   columns("edition", "effective", "major", "reviewEvery", "noticeWithin", "summary", "state", "seq"),
	}
)

// fewAttempts are named in a table; --json has them all.
const fewAttempts = 4

func attemptsOf(it item) string {
	list, _ := it["attempts"].([]any)
	s := fmt.Sprint(len(list))
	if it["more"] == true {
		s += " and more"
	}
	for i, seq := range list {
		if i == fewAttempts {
			return s + " …"
		}
		s += " #" + text(seq)
	}
	return s
}

// saidLast is what was said of a violation last: how it was closed, what was found
// out, what was reported.
func saidLast(it item) string {
	if steps, ok := it["steps"].([]any); ok && len(steps) > 0 {
		if last, ok := steps[len(steps)-1].(map[string]any); ok {
			return text(last["note"])
		}
	}
	return text(it["note"])
}

func stateOfRecord(it item) string {
	s := text(it["state"])
	switch {
	case s == "lent":
		s += " to " + text(it["holder"])
	case s == "held":
		s += " by " + text(it["hold"])
	}
	return s
}

func told(it item) string {
	t, ok := it["told"].(map[string]any)
	if !ok {
		return ""
	}
	s := text(t["time"]) + " by " + text(t["channel"]) + " #" + text(t["seq"])
	if t["evidence"] != nil {
		s += " " + text(t["evidence"])
	}
	return s
}

func rulesOf(it item) string {
	list, _ := it["rules"].([]any)
	rules := make([]string, len(list))
	for i, r := range list {
		r, _ := r.(map[string]any)
		rules[i] = text(r["effect"])
		for _, name := range []string{"parties", "categories", "actions", "purposes", "records", "classes"} {
			if r[name] != nil {
				rules[i] += " " + name + "=" + text(r[name])
			}
		}
	}
	return strings.Join(rules, "; ")
}
