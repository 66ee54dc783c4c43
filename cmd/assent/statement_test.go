package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/projections"
)

// A clauseSection is what docs/statement.md says of one clause.
type clauseSection struct {
	clause domain.Clause
	level  int      // of its heading; a purpose of I.3 has a section below I.3's
	quote  []string // the text and its translation, a paragraph each
	body   string   // all of it, in one line
}

var (
	clauseHeading = regexp.MustCompile(`^(##+) ([PIV]+\.[0-9.]*[0-9])\b`)
	codeSpan      = regexp.MustCompile("`([^`]+)`")
	fileAndFuncs  = regexp.MustCompile(`^([\w./-]+/[\w.-]+\.(?:go|md|tsv))(?:: (\w+(?:\.\w+)?(?:, \w+(?:\.\w+)?)*))?$`)
	testName      = regexp.MustCompile(`^Test[A-Z]\w+$`)
	clauseAndCode = regexp.MustCompile(`^([PIV]+\.[0-9]+) ([a-z-]+)$`)
	testInGo      = regexp.MustCompile(`(?m)^func (Test[A-Z]\w*)\(`)
)

// TestTheStatementIsAnsweredClauseByClause: docs/statement.md has a section for each
// clause, in the statement's order, with the text of the edition in force, a rule in
// both languages, where it is in the code, what holds it, and how we read it. What a
// section names is there, and each code that an answer can have is in the section of
// its clause.
func TestTheStatementIsAnsweredClauseByClause(t *testing.T) {
	whole, sections := readStatement(t)
	texts := map[domain.Clause]string{}
	for line := range strings.Lines(string(edition6)) {
		clause, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		texts[domain.Clause(clause)] = text
	}
	var clauses []domain.Clause
	for _, s := range sections {
		clauses = append(clauses, s.clause)
		require.Len(t, s.quote, 2, "%s: its text, and a translation", s.clause)
		assert.Equal(t, texts[s.clause], s.quote[0], "%s: the text is not the edition's", s.clause)
		assert.Regexp(t, `[a-z]{3}`, s.quote[1], "%s: no translation", s.clause)
		if s.level > 2 {
			continue
		}
		for _, part := range []string{"**Rule.**", "**规则**", "**Asked.**", "**Code.**", "**Held by.**", "**Open.**"} {
			assert.Equal(t, 1, strings.Count(s.body, part), "%s: %s", s.clause, part)
		}
		_, held, _ := strings.Cut(s.body, "**Held by.**")
		assert.Contains(t, held, "`scenarios/"+string(s.clause)+"-", "%s: no scenario of its own", s.clause)
	}
	assert.Equal(t, domain.Clauses(), clauses, "a section for each clause, in the statement's order")

	spans := map[domain.Clause][]string{"": spansOf(whole)}
	for _, s := range sections {
		spans[s.clause] = spansOf(s.body)
	}
	for line := range strings.Lines(catalogue) {
		cells := strings.Split(line, "\t")
		clause, code := domain.Clause(cells[0]), cells[1]
		if slices.Contains(domain.Clauses(), clause) { // the recipient's are others' codes
			named := slices.Contains(spans[clause], code) || slices.Contains(spans[clause], string(clause)+" "+code)
			assert.True(t, named, "the section of %s doesn't say what %s is", clause, code)
		}
	}
	for _, span := range spans[""] {
		if m := clauseAndCode.FindStringSubmatch(span); m != nil {
			assert.True(t, strings.Contains("\n"+catalogue, "\n"+m[1]+"\t"+m[2]+"\t"), "no answer says %s", span)
		}
	}
}

// TestWhatTheStatementsPageNamesIsThere: files and their functions, Go tests, stories and
// scenarios, questions and commands, and the places in the page itself that its table
// leads to. No scenario is left out.
func TestWhatTheStatementsPageNamesIsThere(t *testing.T) {
	whole, sections := readStatement(t)
	tests := goTests(t)
	root := rootCommand(&app{out: io.Discard, errs: io.Discard})
	var scenarios []string
	for _, span := range spansOf(whole) {
		switch file, named, _ := strings.Cut(span, "/"); {
		case testName.MatchString(span):
			assert.True(t, tests[span], "there is no test %s", span)
		case file == "stories" && named != "…":
			assert.FileExists(t, filepath.Join("../../domain/testdata/stories", named))
		case file == "scenarios" && named != "….jsonl":
			scenarios = append(scenarios, named)
			assert.FileExists(t, filepath.Join("testdata/scenarios", named))
		case strings.HasPrefix(span, "assent "):
			find(t, root, strings.Fields(span)[1:]...)
		case fileAndFuncs.MatchString(span):
			m := fileAndFuncs.FindStringSubmatch(span)
			b, err := os.ReadFile(filepath.Join("../..", m[1]))
			if !assert.NoError(t, err) || m[2] == "" {
				continue
			}
			for _, name := range strings.Split(m[2], ", ") {
				assert.True(t, declared(name).Match(b), "%s has no %s", m[1], name)
			}
		}
	}
	for _, path := range glob(t, "testdata/scenarios/*.jsonl") {
		if name := filepath.Base(path); name != "agency.jsonl" { // of all clauses
			assert.Contains(t, scenarios, name, "a scenario that no section names")
		}
	}
	beside := regexp.MustCompile(`\([^)]*\)`) // an answer's fields, and what is remarked
	for _, s := range sections {
		_, asked, _ := strings.Cut(s.body, "**Asked.** ")
		asked, _, _ = strings.Cut(asked, "**")
		for _, span := range spansOf(beside.ReplaceAllString(asked, "")) {
			if !strings.ContainsAny(span, " .") { // neither a command nor a type of event
				assert.True(t, slices.ContainsFunc(projections.Questions, func(q projections.Question) bool { return q.Ask == span }), "%s: nothing is asked as %s", s.clause, span)
			}
		}
	}

	places := map[string]bool{}
	for line := range strings.Lines(whole) {
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && line[0] == '#' {
			places[placeOf(title)] = true
		}
	}
	links := regexp.MustCompile(`\]\(#([^)]+)\)`).FindAllStringSubmatch(whole, -1)
	assert.NotEmpty(t, links)
	for _, m := range links {
		assert.True(t, places[m[1]], "a link leads to #%s, which is no heading", m[1])
	}
}

// readStatement is the page, and its sections.
func readStatement(t *testing.T) (whole string, sections []clauseSection) {
	b, err := os.ReadFile("../../docs/statement.md")
	require.NoError(t, err)
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSuffix(line, "\n")
		switch m := clauseHeading.FindStringSubmatch(line); {
		case m != nil:
			sections = append(sections, clauseSection{clause: domain.Clause(m[2]), level: len(m[1])})
			continue
		case len(sections) == 0:
			continue
		}
		s := &sections[len(sections)-1]
		s.body += line + " "
		if text, ok := strings.CutPrefix(line, "> "); ok {
			s.quote = append(s.quote, text)
		}
	}
	return string(b), sections
}

// spansOf are the words in the text that are set as code.
func spansOf(text string) (spans []string) {
	for _, m := range codeSpan.FindAllStringSubmatch(strings.ReplaceAll(text, "\n", " "), -1) {
		spans = append(spans, m[1])
	}
	return spans
}

// placeOf is what a link to a heading says.
func placeOf(title string) string {
	title = regexp.MustCompile(`[^\p{L}\p{N} -]`).ReplaceAllString(strings.ToLower(title), "")
	return strings.ReplaceAll(strings.TrimSpace(title), " ", "-")
}

// declared finds the declaration of a function, a type's method, or a table.
func declared(name string) *regexp.Regexp {
	if of, method, ok := strings.Cut(name, "."); ok {
		return regexp.MustCompile(`(?m)^func \(\w* ?\*?` + of + `\) ` + method + `\(`)
	}
	return regexp.MustCompile(`(?m)^(?:func ` + name + `\(|(?:var |\t)` + name + `\s+=)`)
}

func glob(t *testing.T, pattern string) []string {
	paths, err := filepath.Glob(pattern)
	require.NoError(t, err)
	require.NotEmpty(t, paths, pattern)
	return paths
}

// goTests are the names of all tests of the tree.
func goTests(t *testing.T) map[string]bool {
	names := map[string]bool{}
	for _, floor := range floors {
		for _, pattern := range []string{"*_test.go", "*/*_test.go"} {
			paths, err := filepath.Glob(filepath.Join("../..", floor, pattern))
			require.NoError(t, err)
			for _, path := range paths {
				b, err := os.ReadFile(path)
				require.NoError(t, err)
				for _, m := range testInGo.FindAllStringSubmatch(string(b), -1) {
					names[m[1]] = true
				}
			}
		}
	}
	require.Greater(t, len(names), 100, "no tests found")
	return names
}
