package main

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"github.com/qtccc/assent/commands"
	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore/cloudevent"
	"github.com/qtccc/assent/projections"
)

// words splits a command line as a shell does, as far as our examples need it.
func shellWords(line string) (words []string) {
	var word strings.Builder
	quote, any := rune(0), false
	for _, r := range line {
		switch {
		case r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote, any = r, true
		case quote == 0 && r == ' ':
			if any {
				words = append(words, word.String())
			}
			word.Reset()
			any = false
		default:
			word.WriteRune(r)
			any = true
		}
	}
	if any {
		words = append(words, word.String())
	}
	return words
}

// TestEveryCommandHasAPageWhoseExampleIsTaken: what the help of a command shows is,
// flag by flag, a command whose form the ledger takes.
func TestEveryCommandHasAPageWhoseExampleIsTaken(t *testing.T) {
	for i := range domain.Catalogue {
		row := &domain.Catalogue[i]
		if len(row.Roles) == 0 {
			continue
		}
		page := manual[row.Command]
		require.NotEmpty(t, page.short, row.Command)
		noun, verb, _ := strings.Cut(row.Command, ".")
		require.NotEmpty(t, nouns[noun], noun)

		a := &app{out: io.Discard, errs: io.Discard}
		cmd := &cobra.Command{Use: verb}
		ins := inputs(cmd, cloudevent.Fields(row))
		require.NoError(t, cmd.ParseFlags(shellWords(page.example)), row.Command)
		data := map[string]any{}
		for _, in := range ins {
			require.NoError(t, in(data), row.Command)
		}
		switch { // of the key file that is made
		case row.Command == "ledger.rekey":
			data["log"] = "assent/0191e7a4-7c1b-7d6e-9f00-3a5b8c2d1e4f+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
		case prepared[row.Command] != nil:
			data["publicKey"] = "UAKI6QKBK26M4MGFKO5GLMXTHOBK7MQV2PDADT6CEL5WA2RV36KCXMMZ"
		}
		b, err := json.Marshal(data)
		require.NoError(t, err)
		_, err = commands.Sender{Ledger: aLedger, Actor: "clerk"}.Compose(&commands.Plain{Name: row.Command, Data: b}, time.Now())
		require.NoError(t, err, "%s: %s", row.Command, b)

		whole := find(t, rootCommand(a), noun, verb)
		require.Contains(t, whole.Example, page.example)
		require.True(t, strings.HasPrefix(whole.Example, "  assent "+noun+" "+verb), whole.Example)
	}
	require.Len(t, manual, len(domain.Catalogue)-1, "a page for a command that isn't there")
}

func find(t *testing.T, root *cobra.Command, words ...string) *cobra.Command {
	cmd, rest, err := root.Find(words)
	require.NoError(t, err)
	require.Empty(t, rest)
	return cmd
}

// TestEveryQuestionHasAPage, but for events, which replay and watch ask for.
func TestEveryQuestionHasAPage(t *testing.T) {
	root := rootCommand(&app{out: io.Discard, errs: io.Discard})
	for _, q := range projections.Questions {
		if q.Ask == "events" {
			continue
		}
		w, ok := asked[q.Ask]
		require.True(t, ok, q.Ask)
		require.NotEmpty(t, w.short, q.Ask)
		require.NotNil(t, w.print, q.Ask)
		cmd := find(t, root, q.Ask)
		require.NotEmpty(t, cmd.Example, q.Ask)
		for _, f := range q.Fields {
			require.NotNil(t, cmd.Flags().Lookup(f.Name), "%s --%s", q.Ask, f.Name)
		}
	}
}

// TestEveryHelpHasAnExample: of every command that does something.
func TestEveryHelpHasAnExample(t *testing.T) {
	var look func(*cobra.Command)
	look = func(cmd *cobra.Command) {
		name := cmd.Name()
		if name == "help" || name == "completion" || cmd.Hidden {
			return
		}
		if cmd.Runnable() && !cmd.HasSubCommands() {
			require.NotEmpty(t, cmd.Example, cmd.CommandPath())
		}
		require.NotEmpty(t, cmd.Short, cmd.CommandPath())
		for _, c := range cmd.Commands() {
			look(c)
		}
	}
	look(rootCommand(&app{out: io.Discard, errs: io.Discard}))
}

// TestCompletionKnowsTheClosedSets: commands, flags, and the words of closed sets.
func TestCompletionKnowsTheClosedSets(t *testing.T) {
	complete := func(args ...string) string {
		var out bytes.Buffer
		root := rootCommand(&app{out: &out, errs: io.Discard})
		root.SetArgs(append([]string{cobra.ShellCompNoDescRequestCmd}, args...))
		require.NoError(t, root.Execute())
		return out.String()
	}
	require.Contains(t, complete("cons"), "consent\n")
	require.Contains(t, complete("consent", ""), "give\n")
	require.Contains(t, complete("party", "register", "--category", ""), "contractor\n")
	require.Contains(t, complete("consent", "give", "--actions", ""), "consult\n")
	require.Contains(t, complete("record", "register", "--after", ""), "engagement\n")
	require.Contains(t, complete("trail", "--type", "acc"), "access.denied\n")
	require.Contains(t, complete("access", "request", "--behalf"), "--behalfOf\n")
}

// TestShownIsNeverObeyed: S19. What a terminal would take for an instruction is
// written out.
func TestShownIsNeverObeyed(t *testing.T) {
	for in, want := range map[string]string{
		"Acme 化妆品":           "Acme 化妆品",
		"\x1b[2J\x07":        `\x1b[2J\a`,
		"a\r\nb\tc":          `a\r\nb\tc`,
		"\u202egnihton":      `\u202egnihton`,
		"\u009b2J":           `\u009b2J`,
		"\xff\xfe":           `\xff\xfe`,
		"line\u2028break":    `line\u2028break`,
		"\x00":               `\x00`,
		"e\u0301 is printed": "e\u0301 is printed",
	} {
		require.Equal(t, want, shown(in))
	}
}

// TestColumnsStandUnderTheirHeads: over pages, and where characters are wide.
func TestColumnsStandUnderTheirHeads(t *testing.T) {
	var out bytes.Buffer
	p := &printer{out: &out}
	require.NoError(t, p.table([]string{"CLIENT", "NAME", "SEQ"}, [][]string{{"acme", "化妆品公司", "1"}, {"b", "Li", "2"}}))
	require.NoError(t, p.table([]string{"CLIENT", "NAME", "SEQ"}, [][]string{{"c", "X", "3"}}))
	require.Equal(t, `CLIENT  NAME        SEQ
acme    化妆品公司  1
b       Li          2
c       X           3
`, out.String())
}

// TestLogKeyIsItsOwnVerifier: what init records verifies what the log's key signs.
func TestLogKeyIsItsOwnVerifier(t *testing.T) {
	for range 50 { // the base64 of some has a + in it
		secret, public, err := note.GenerateKey(nil, "assent/"+aLedger)
		require.NoError(t, err)
		got, err := verifierOf(secret)
		require.NoError(t, err)
		require.Equal(t, public, got)
	}
	_, err := verifierOf("PRIVATE+KEY+x")
	require.Error(t, err)
}
