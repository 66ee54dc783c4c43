package projections

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/domain"
)

// TestStories plays testdata/ask, each file on a ledger of its own with one
// identity a role (#1 to #7). Verbs: "on" sets the ledger's clock, "given" records
// commands, an actor, a name and data a line, and says which event each became,
// "ask" asks a question and shows the answer. Run with -rewrite after a change, and
// read the diff as an auditor would.
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/ask", func(t *testing.T, path string) {
		b := newBook(t)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			b.t = t
			switch d.Cmd {
			case "on":
				var err error
				b.clock, err = time.Parse(time.RFC3339, strings.TrimSpace(d.Input))
				require.NoError(t, err)
				return ""
			case "given":
				var out strings.Builder
				for line := range strings.Lines(d.Input) {
					actor, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
					name, data, _ := strings.Cut(rest, " ")
					e, f := b.issue(actor, name, withDefaults(t, name, data))
					require.NotNil(t, e, "%s: %v", line, f)
					fmt.Fprintf(&out, "#%d %s\n", e.Seq, e.Type)
				}
				return out.String()
			case "ask":
				as := "auditor"
				d.MaybeScanArgs(t, "as", &as)
				return b.shown(b.ask(as, strings.TrimSpace(d.Input)), d.Input)
			}
			d.Fatalf(t, "unknown verb %q", d.Cmd)
			return ""
		})
	})
}

// withDefaults fills in what a story leaves out of the filing of evidence: signed
// paper, its digest made of its id.
func withDefaults(t testing.TB, name, data string) string {
	if name != "evidence.file" {
		return data
	}
	all := map[string]any{"size": 1000, "mediaType": "application/pdf", "signedOn": "2026-01-02T00:00:00Z", "custody": "paper",
		"place": "cabinet 3", "signed": true, "stamped": true}
	require.NoError(t, json.Unmarshal([]byte(data), &all), data)
	if all["sha256"] == nil {
		all["sha256"] = fmt.Sprintf("%064x", []byte(all["evidence"].(string)))
	}
	b, err := json.Marshal(all)
	require.NoError(t, err)
	return string(b)
}

// shown is an answer for people.
func (b *book) shown(a reply, question string) string {
	if a.Error != nil {
		return strings.TrimSpace(fmt.Sprintf("%s %s", a.Error.Code, a.Error.Field)) + "\n" + a.Error.Message + "\n"
	}
	if a.Item != nil {
		a.Items = append(a.Items, a.Item)
	}
	show := shownItem
	switch {
	case strings.Contains(question, `"rights"`):
		show = shownRight
	case strings.Contains(question, `"trail"`):
		show = shownEvent
	case strings.Contains(question, `"explain"`):
		show = shownExplanation
	}
	out := fmt.Sprintf("at #%d\n", a.At)
	for _, it := range a.Items {
		out += "  " + show(b.t, it) + "\n"
	}
	return out
}

func shownRight(t testing.TB, raw json.RawMessage) string {
	var r rightItem
	require.NoError(t, json.Unmarshal(raw, &r))
	s := fmt.Sprintf("%s %s of %s for %s:", r.Right, r.ID, r.Client, r.Party)
	if r.BehalfOf != "" {
		s += fmt.Sprintf(" in the place of %s,", r.BehalfOf)
	}
	switch {
	case bool(r.Scope.All):
		s += " all"
	default:
		for _, id := range append(slices.Clone(r.Scope.Records), r.Scope.Engagements...) {
			s += " " + string(id)
		}
	}
	if r.Scope.Sensitive {
		s += " (sensitive too)"
	}
	if len(r.Purposes) == len(domain.Purposes) {
		s += "; any purpose;"
	} else {
		s += fmt.Sprintf("; %s;", join(r.Purposes))
	}
	s += fmt.Sprintf(" %s; #%d", join(r.Actions), r.From)
	if r.Evidence != "" {
		s += " by " + string(r.Evidence)
	}
	if !r.Until.IsZero() {
		s += " until " + r.Until.Format(time.DateOnly)
	}
	switch {
	case r.Overdue:
		s += ", review overdue"
	case r.InForce:
	case r.Ended != 0:
		s += fmt.Sprintf(", ended #%d", r.Ended)
	default:
		s += ", not in force"
	}
	return s
}

func join[W ~string](words []W) string {
	s := make([]string, len(words))
	for i, w := range words {
		s[i] = string(w)
	}
	return strings.Join(s, " ")
}

func shownEvent(t testing.TB, raw json.RawMessage) string {
	var it trailItem
	require.NoError(t, json.Unmarshal(raw, &it))
	s := fmt.Sprintf("#%d %s by %s, %s: %s", it.Seq, it.Type, it.Actor, it.Subject, masked(it.Event))
	if it.Decision != nil {
		s += reasons(t, it.Decision)
	}
	if r := it.Refusal; r != nil {
		s += strings.TrimRight(fmt.Sprintf("\n      %s %s %s", r.Code, r.Clause, r.Reason), " ")
	}
	return s
}

func reasons(t testing.TB, decision []byte) (s string) {
	var d domain.Decision
	require.NoError(t, json.Unmarshal(decision, &d))
	for _, r := range d.Reasons {
		s += fmt.Sprintf("\n      %s %s", r.Clause, r.Code)
		for _, n := range r.Refs {
			s += fmt.Sprintf(" #%d", n)
		}
		for _, e := range r.Evidence {
			s += " by " + string(e)
		}
	}
	return s
}

func shownExplanation(t testing.TB, raw json.RawMessage) string {
	var it struct {
		explanation
		Derived json.RawMessage `json:"derived"`
	}
	require.NoError(t, json.Unmarshal(raw, &it))
	var d domain.Decision
	require.NoError(t, json.Unmarshal(it.Derived, &d))
	if it.Seq == 0 {
		return "would be " + d.Decision + reasons(t, it.Derived)
	}
	require.Equal(t, it.Same, string(it.Recorded) == string(it.Derived))
	return fmt.Sprintf("#%d %s, derived the same: %v%s", it.Seq, d.Decision, it.Same, reasons(t, it.Derived))
}

func shownItem(_ testing.TB, raw json.RawMessage) string { return masked(raw) }

// masked leaves out of JSON what is another one at each run: keys and commitments.
func masked(raw []byte) string {
	s := string(raw)
	for _, start := range []string{`"publicKey":"U`, `"sha256:`} {
		for i := 0; ; {
			at := strings.Index(s[i:], start)
			if at < 0 {
				break
			}
			i += at + len(start)
			s = s[:i] + "…" + s[i+strings.IndexByte(s[i:], '"'):]
		}
	}
	return s
}
