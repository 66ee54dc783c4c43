package main

import (
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/qtccc/assent/domain"
)

// catalogue says of every clause and code of a decision or a refusal what it means
// to a clerk or a client, in the statement's own words: clause TAB code TAB Chinese
// TAB English LF, in the statement's order of clauses, then by code
// (TestEveryReasonHasASentenceInBothLanguages). The last line puts what is said of a
// party into the recipient's case, "…" standing for it.
//
//go:embed messages.tsv
var catalogue string

// A language is one that a person reads sentences of the catalogue in. Ids, clauses,
// codes and documents are the same in all.
type language int

const (
	english language = iota
	chinese
)

var languages = [...]string{english: "en", chinese: "zh"}

// languageOf is the language that the environment asks for: the first of LC_ALL,
// LC_MESSAGES and LANG that is set says it.
func languageOf(getenv func(string) string) language {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := getenv(name); v != "" {
			if strings.HasPrefix(strings.ToLower(v), "zh") {
				return chinese
			}
			return english
		}
	}
	return english
}

// String, Set and Type make it a flag.
func (l language) String() string { return languages[l] }

func (l *language) Set(s string) error {
	for i, name := range languages {
		if s == name {
			*l = language(i)
			return nil
		}
	}
	return errors.New("the languages are zh and en")
}

func (l *language) Type() string { return "language" }

// A saying is the clause and the code of a reason or a refusal.
type saying struct {
	clause, code string
}

// ofRecipient is the line of the catalogue for the recipient's reasons, named as the
// contract names it.
var ofRecipient = saying{"…", "recipient-CODE"}

// sentences is the catalogue as it is looked up.
var sentences = sync.OnceValue(func() map[saying][len(languages)]string {
	all := map[saying][len(languages)]string{}
	for line := range strings.Lines(catalogue) {
		if cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t"); len(cells) == 4 {
			all[saying{cells[0], cells[1]}] = [...]string{chinese: cells[2], english: cells[3]}
		}
	}
	return all
})

// says is the sentence for a clause and a code; empty for one of a later ledger that
// the catalogue doesn't know.
func (l language) says(clause, code string) string {
	if s, ok := sentences()[saying{clause, code}]; ok {
		return s[l]
	}
	base, ok := strings.CutPrefix(code, "recipient-")
	s := sentences()[saying{clause, base}][l]
	if !ok || s == "" {
		return ""
	}
	return strings.Replace(sentences()[ofRecipient][l], ofRecipient.clause, s, 1)
}

// meaning is the sentence for a reason as a decision has it.
func (l language) meaning(reason any) string {
	r, _ := reason.(map[string]any)
	return l.says(text(r["clause"]), text(r["code"]))
}

// explain is an error as a person reads it. Where a clause stands against a command,
// the catalogue's sentence comes first and then the ledger's own, which is English
// and has the ids; a reader of English gets that one alone.
func (l language) explain(err error) string {
	said := err.Error()
	var f *domain.Fault
	if l == english || !errors.As(err, &f) {
		return said
	}
	sentence := l.says(string(f.Clause), f.Reason)
	if sentence == "" {
		return said
	}
	return strings.Replace(said, f.Error(), fmt.Sprintf("%s (%s %s): %s", sentence, f.Clause, f.Reason, f.Message), 1)
}
