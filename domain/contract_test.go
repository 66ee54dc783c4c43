package domain_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore/cloudevent"
)

// A contractRow is one command of the contract's table of commands.
type contractRow struct {
	command, refusals string
	events, roles     []string
	fields            []string // as the contract writes them: name†, of?
}

var quoted = regexp.MustCompile("`([^`]+)`")

// contractRows reads testdata/contract-commands.md, the table of section 2 word by
// word. A line of it that has several commands is as many rows; they share what it
// refuses.
func contractRows(t *testing.T) (rows []contractRow) {
	b, err := os.ReadFile("testdata/contract-commands.md")
	require.NoError(t, err)
	for _, line := range strings.Split(strings.TrimSpace(string(b)), "\n")[2:] {
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		require.GreaterOrEqual(t, len(cells), 3, line)
		cells = append(cells, "")
		var commands, events []string
		for _, part := range strings.Split(cells[0], "; ") {
			before, after, _ := strings.Cut(part, " → ")
			for _, c := range quoted.FindAllStringSubmatch(before, -1) {
				commands = append(commands, c[1])
			}
			for _, e := range quoted.FindAllStringSubmatch(after, -1) {
				events = append(events, e[1])
			}
		}
		data, roles := strings.Split(cells[1], " ; "), strings.Split(cells[2], " ; ")
		for i, c := range commands {
			of := events[min(i, len(events)-1):]
			if len(commands) > 1 {
				of = of[:1]
			}
			r := contractRow{command: c, refusals: cells[3], fields: fieldsOf(data[min(i, len(data)-1)]),
				roles: strings.Fields(roles[min(i, len(roles)-1)])}
			if before, without, ok := strings.Cut(data[min(i, len(data)-1)], "the same without "); ok && before == "" {
				r.fields = slices.DeleteFunc(fieldsOf(data[0]), func(f string) bool { return strings.TrimSuffix(f, "†") == without })
			}
			for _, e := range of {
				if strings.HasPrefix(e, ".") {
					e = c[:strings.Index(c, ".")] + e
				}
				r.events = append(r.events, e)
			}
			rows = append(rows, r)
		}
	}
	return rows
}

// fieldsOf are the names in a cell of the table's data, outside its brackets.
func fieldsOf(cell string) (fields []string) {
	depth, flat := 0, ""
	for _, c := range cell {
		switch {
		case strings.ContainsRune("({[", c):
			depth++
		case strings.ContainsRune(")}]", c):
			depth--
		case depth == 0:
			flat += string(c)
		}
	}
	oneOf := strings.Contains(flat, " or ") && !strings.Contains(flat, "? or ") // of "client, party or inquiry" any may be left out
	for _, f := range strings.Split(strings.ReplaceAll(flat, " or ", ", "), ", ") {
		f, _, _ = strings.Cut(strings.TrimSpace(f), ":")
		if f = strings.TrimSpace(f); oneOf && !strings.HasSuffix(f, "†") {
			f += "?"
		}
		if f != "" && !strings.Contains(f, " ") {
			fields = append(fields, f)
		}
	}
	return fields
}

// TestCatalogueIsTheContractsTable: names, events, roles and fields of every row, in
// the table's order.
func TestCatalogueIsTheContractsTable(t *testing.T) {
	at := 0
	for _, want := range contractRows(t) {
		require.Less(t, at, len(domain.Catalogue), want.command)
		row := &domain.Catalogue[at]
		at++
		var roles, fields []string
		for _, r := range row.Roles {
			roles = append(roles, string(r))
		}
		for _, f := range cloudevent.Fields(row) {
			name := f.Name
			if f.Kind == cloudevent.KindText {
				name += "†"
			}
			if !f.Required {
				name += "?"
			}
			fields = append(fields, name)
		}
		if want.command == "ledger.open" {
			want.roles = nil // `init`: before there are roles
		}
		assert.Equal(t, want.command, row.Command)
		assert.Equal(t, want.events, row.Events, row.Command)
		assert.Equal(t, want.roles, roles, row.Command)
		assert.Equal(t, want.fields, fields, row.Command)
	}
	assert.Equal(t, len(domain.Catalogue), at)
}

var code = regexp.MustCompile("((?:P|I|II|III|IV|V)\\.[0-9]+) (`[^`]+`(?: `[^`]+`)*)")

// codes are what a text of the contract names as "II.0 `lent`", or several codes
// behind a clause.
func codes(text string) (found []string) {
	for _, m := range code.FindAllStringSubmatch(text, -1) {
		for _, c := range quoted.FindAllStringSubmatch(m[2], -1) {
			found = append(found, m[1]+" "+c[1])
		}
	}
	return found
}

// told is what the stories show: the refusals of each command, and the reasons of
// decisions with the kind of right that gave them.
func told(t *testing.T) (refusals map[string]bool, reasons map[string]bool) {
	refusals, reasons = map[string]bool{}, map[string]bool{}
	paths, err := filepath.Glob("testdata/stories/*")
	require.NoError(t, err)
	reason := regexp.MustCompile(`(?m)(?:^ |: )\s*(\S+ \S+)(?: \((\w+)/)?.*$`)
	for _, path := range paths {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		require.LessOrEqual(t, strings.Count(string(b), "\n"), 80, path)
		require.Regexp(t, `^# (P|I|II|III|IV|V)\.[0-9]`, string(b), "a story says first of which clause it is")
		for _, block := range strings.Split(string(b), "\n\n") {
			asked, answered, _ := strings.Cut(block, "\n----\n")
			said := strings.Split(strings.TrimSpace(answered), "\n")
			if _, lines, _ := strings.Cut(asked, "\n"); strings.HasPrefix(asked, "refuse") {
				asks := strings.Split(lines, "\n")
				require.Len(t, said, len(asks), "%s: run TestStories with -rewrite first", path)
				for i, line := range asks {
					w := strings.Fields(line)
					refusals[w[2]+"."+w[3]+" "+strings.Join(strings.Fields(said[i])[:min(3, len(strings.Fields(said[i])))], " ")] = true
				}
			} else {
				for _, m := range reason.FindAllStringSubmatch(answered, -1) {
					reasons[m[1]] = true
					reasons[m[1]+" "+m[2]] = true
				}
			}
		}
	}
	return refusals, reasons
}

// TestEveryRefusalIsInAStory: each code of each row, and P.1 wherever something is
// given to a party.
func TestEveryRefusalIsInAStory(t *testing.T) {
	refusals, _ := told(t)
	shared := map[string]string{"designation.change": "designation.make", "record.amend": "record.register"} // "as above", "as for"
	rows := map[string]contractRow{}
	for _, r := range contractRows(t) {
		rows[r.command] = r
	}
	for _, r := range domain.Catalogue {
		want := codes(rows[r.Command].refusals)
		for _, c := range codes(rows[shared[r.Command]].refusals) {
			if c != "III.3 not-external" { // a party's category can't change
				want = append(want, c)
			}
		}
		if slices.Contains([]string{"client.register", "contact.name", "engagement.confirm", "training.complete", "undertaking.give", "designation.make",
			"designation.change", "delegation.authorize", "consent.give", "authorization.issue", "approval.give"}, r.Command) {
			want = append(want, "P.1 party-retired")
		}
		for _, c := range want {
			told := refusals[r.Command+" refused "+c]
			for other := range rows { // a line of several commands doesn't say whose each code is
				told = told || rows[other].refusals == rows[r.Command].refusals && refusals[other+" refused "+c]
			}
			assert.True(t, told, "%s: no story refuses it under %s", r.Command, c)
		}
	}
}

// TestEveryReasonIsInAStory: each bar, each basis, and each check failed by each kind
// of right.
func TestEveryReasonIsInAStory(t *testing.T) {
	_, reasons := told(t)
	b, err := os.ReadFile("testdata/contract-decision.md")
	require.NoError(t, err)
	kinds := []string{"", "designation", "authorization", "consent"}
	for _, line := range strings.Split(string(b), "\n") {
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		if strings.HasPrefix(line, "| ") && len(cells) >= 3 && kinds[1] != "" && slices.Contains(strings.Fields("exists in reviewed scope sensitive purpose action"), strings.Fields(cells[0])[0]) {
			for i, cell := range cells[1:] {
				if cell == "same" {
					cell = cells[1]
				}
				for _, c := range codes(cell) {
					if kind := kinds[i+1]; cells[0] != "exists" && !strings.HasPrefix(c, "IV.2") {
						c += " " + kind
					}
					assert.True(t, reasons[c], "no story has the reason %s", c)
				}
			}
			continue
		}
		for _, c := range codes(line) {
			if !strings.HasSuffix(c, "-CODE") {
				assert.True(t, reasons[c], "no story has the reason %s", c)
			}
		}
	}
	for _, c := range []string{"P.1 recipient-party-retired", "P.2 recipient-untrained", "P.3 recipient-no-undertaking", "II.6 recipient-terms-forbid", "III.6 recipient-not-notified",
		"II.2 recipient-no-authorization", "IV.1 recipient-not-designated", "IV.2 recipient-not-contact", "III.3 recipient-designated"} {
		assert.True(t, reasons[c], "no story has the reason %s", c)
	}
}
