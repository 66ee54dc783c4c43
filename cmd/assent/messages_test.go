package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/domain"
)

// besideTheTables is what the contract's section 2 says in other words than "II.0
// `lent`": what is erased, in the order in which a command is looked at.
const besideTheTables = "II.5 erased"

var (
	paired = regexp.MustCompile("((?:P|I|II|III|IV|V)\\.[0-9]+|…) (`[^`]+`(?: `[^`]+`)*)")
	quoted = regexp.MustCompile("`([^`]+)`")
)

// contractsPairs are the clauses, each with a code, that one of the contract's tables
// names.
func contractsPairs(t *testing.T, table string) (pairs []string) {
	b, err := os.ReadFile(filepath.Join("../../domain/testdata", table))
	require.NoError(t, err)
	for _, m := range paired.FindAllStringSubmatch(string(b), -1) {
		for _, code := range quoted.FindAllStringSubmatch(m[2], -1) {
			pairs = append(pairs, m[1]+" "+code[1])
		}
	}
	require.Greater(t, len(pairs), 40, "%s isn't read", table)
	return pairs
}

// TestEveryReasonHasASentenceInBothLanguages: every bar, basis, failed check and
// refusal of the contract, and nothing that the contract doesn't have; in the
// statement's order, each once, and short enough to stand below a reason.
func TestEveryReasonHasASentenceInBothLanguages(t *testing.T) {
	decisions := contractsPairs(t, "contract-decision.md")
	want := append(contractsPairs(t, "contract-commands.md"), decisions...)
	want = append(want, besideTheTables)
	rank := func(clause string) int {
		if i := slices.Index(domain.Clauses(), domain.Clause(clause)); i >= 0 {
			return i
		}
		return len(domain.Clauses())
	}
	var lines []saying
	for line := range strings.Lines(catalogue) {
		cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		require.Len(t, cells, 4, line)
		lines = append(lines, saying{cells[0], cells[1]})
		pair := cells[0] + " " + cells[1]
		assert.Contains(t, want, pair, "the contract has no such reason")
		assert.True(t, strings.ContainsFunc(cells[2], han), "%s: no Chinese", pair)
		assert.NotEmpty(t, cells[3], "%s: no English", pair)
		assert.False(t, strings.ContainsFunc(cells[3], han), "%s: Chinese as English", pair)
		assert.NotContains(t, ".。 ", string([]rune(cells[2])[len([]rune(cells[2]))-1]), pair)
		assert.NotContains(t, ".。 ", cells[3][len(cells[3])-1:], pair)
	}
	assert.True(t, slices.IsSortedFunc(lines, func(a, b saying) int {
		if a == b {
			t.Errorf("%s %s stands twice", a.clause, a.code)
		}
		return cmp.Or(rank(a.clause)-rank(b.clause), strings.Compare(a.code, b.code))
	}), "it isn't in the statement's order")
	for _, l := range []language{english, chinese} {
		for _, pair := range want {
			clause, code, _ := strings.Cut(pair, " ")
			sentence := l.says(clause, code)
			assert.NotEmpty(t, sentence, "%s in %v", pair, l)
			assert.LessOrEqual(t, wide(sentence), 96, sentence)
		}
		for _, pair := range decisions {
			clause, code, _ := strings.Cut(pair, " ")
			if strings.HasPrefix(code, "recipient-") || slices.Contains(decisions, clause+" recipient-"+code) {
				continue // it has words of its own
			}
			sentence := l.says(clause, "recipient-"+code)
			assert.Contains(t, sentence, l.says(clause, code))
			assert.NotEqual(t, sentence, l.says(clause, code))
			assert.LessOrEqual(t, wide(sentence), 96, sentence)
		}
	}
}

func han(r rune) bool { return unicode.Is(unicode.Han, r) }

// TestRecipientsReasonIsTheBaseOneInItsCase, and what a later ledger says that this
// program doesn't know has no sentence.
func TestRecipientsReasonIsTheBaseOneInItsCase(t *testing.T) {
	assert.Equal(t, "as recipient: the party has no authorisation for this client's data", english.says("II.2", "recipient-no-authorization"))
	assert.Equal(t, "就接收方而言："+chinese.says("II.2", "no-authorization"), chinese.says("II.2", "recipient-no-authorization"))
	assert.Equal(t, "the recipient is not registered", english.says("II.0", "recipient-unknown-party"))
	for _, code := range []string{"", "recipient-", "recipient-CODE", "of-tomorrow", "recipient-of-tomorrow"} {
		assert.Empty(t, english.says("IV.1", code), code)
	}
}

// TestLanguageIsTheEnvironmentsWhereNoneIsSaid: LC_ALL before LC_MESSAGES before
// LANG; a flag before all.
func TestLanguageIsTheEnvironmentsWhereNoneIsSaid(t *testing.T) {
	for _, c := range []struct {
		all, messages, lang string
		want                language
	}{
		{"", "", "", english},
		{"", "", "zh_CN.UTF-8", chinese},
		{"", "", "zh", chinese},
		{"", "", "de_DE.UTF-8", english},
		{"", "en_US.UTF-8", "zh_CN.UTF-8", english},
		{"", "zh_TW", "en_US.UTF-8", chinese},
		{"C", "zh_CN", "zh_CN", english},
		{"zh_CN.UTF-8", "C", "C", chinese},
	} {
		env := map[string]string{"LC_ALL": c.all, "LC_MESSAGES": c.messages, "LANG": c.lang}
		assert.Equal(t, c.want, languageOf(func(name string) string { return env[name] }), "%v", env)
	}
}

// TestRefusalIsSaidInChineseWithItsIds: the sentence, clause and code first, then the
// ledger's own words, and whatever was said around them.
func TestRefusalIsSaidInChineseWithItsIds(t *testing.T) {
	refused := fmt.Errorf("%w; and so on", &domain.Fault{Code: domain.Refused, Clause: "III.5", Reason: "evidence-unfit",
		Message: "letter-7 is not stamped"})
	assert.Equal(t, "委托代理人须有资料当事人盖章签字的特别书面授权 (III.5 evidence-unfit): letter-7 is not stamped; and so on",
		chinese.explain(refused))
	for _, err := range []error{errors.New("no fault"), &domain.Fault{Code: domain.Forbidden, Message: "no clause"},
		&domain.Fault{Code: domain.Refused, Clause: "III.5", Reason: "of-tomorrow", Message: "a later ledger's"}} {
		assert.Equal(t, err.Error(), chinese.explain(err))
	}
	assert.Equal(t, refused.Error(), english.explain(refused))
}

// TestChineseIsFoldedBetweenCharacters: in the columns that there are, no line
// beginning with a mark that ends a phrase.
func TestChineseIsFoldedBetweenCharacters(t *testing.T) {
	var out bytes.Buffer
	s := newStage(&out, chinese)
	for pair := range sentences() {
		s.reasons(item{"reasons": []any{map[string]any{"clause": pair.clause, "code": pair.code, "right": "designation/d1"}}})
	}
	require.NoError(t, s.failed())
	for l := range strings.Lines(out.String()) {
		require.LessOrEqual(t, wide(strings.TrimRight(l, "\n")), s.width, l)
	}
	assert.Equal(t, []string{"客户的同意", "已撤回、"}, folded("客户的同意已撤回、", 10))
	assert.Equal(t, []string{"a bc", "d 资", "料"}, folded("a bc d 资料", 4))
}
