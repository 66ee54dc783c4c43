package domain_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/domain/lawtest"
)

// reached is what made-up histories come to: how often each type of event, each
// reason of a decision, and each refusal of a command.
func reached(seeds, steps int) (types, reasons, refusals map[string]int) {
	types, reasons, refusals = map[string]int{}, map[string]int{}, map[string]int{}
	for seed := range seeds {
		l, c := lawtest.Open(newYear), lawtest.Chance(rand.New(rand.NewPCG(uint64(seed), 1)).IntN)
		l.Settle()
		for range steps {
			l.Step(c)
		}
		for _, e := range l.Events {
			types[e.Type]++
			if e.Refusal != nil {
				refusals[fmt.Sprint(e.Name, " ", e.Refusal.Clause, " ", e.Refusal.Reason)]++
			}
			if e.Decision != nil {
				for _, why := range e.Decision.Reasons {
					reasons[fmt.Sprint(why.Clause, " ", why.Code)]++
				}
			}
		}
	}
	return types, reasons, refusals
}

// TestMadeUpHistoriesReachTheWholeLaw: what is said of generated histories is said of
// every type of event, every reason of a decision and every refusal of a row, or it
// would hold of nothing.
func TestMadeUpHistoriesReachTheWholeLaw(t *testing.T) {
	types, reasons, refusals := reached(160, 200)
	for _, r := range domain.Catalogue {
		for _, e := range r.Events {
			assert.Positive(t, types[e], e)
		}
	}
	assert.Positive(t, types[domain.CommandRefused])

	b, err := os.ReadFile("testdata/contract-decision.md")
	require.NoError(t, err)
	for _, c := range codes(string(b)) {
		if !strings.HasSuffix(c, "-CODE") {
			assert.Positive(t, reasons[c], c)
		}
	}
	for clause, of := range recipients {
		for _, c := range strings.Fields(of) {
			assert.Positive(t, reasons[clause+" recipient-"+c], "%s recipient-%s", clause, c)
		}
	}

	for _, r := range contractRows(t) {
		want := codes(r.refusals)
		if slices.Contains(forRetired, r.command) {
			want = append(want, "P.1 party-retired")
		}
		for _, c := range want {
			n := 0
			for _, other := range contractRows(t) { // a line of several commands doesn't say whose each code is
				if other.refusals == r.refusals {
					n += refusals[other.command+" "+c]
				}
			}
			assert.Positive(t, n, "%s refused %s", r.command, c)
		}
	}
}

// recipients are the reasons that a recipient may give, by their clause.
var recipients = map[string]string{
	"P.1": "party-retired", "P.2": "untrained", "P.3": "no-undertaking", "I.3": "purpose-not-covered",
	"II.0": "unknown-party", "II.1": "missing consented consent-ended outside-scope action-not-covered",
	"II.2":  "authorized no-authorization authorization-ended review-overdue outside-scope action-not-covered",
	"II.4":  "sensitive-not-covered",
	"II.6":  "terms-forbid",
	"III.1": "staff", "III.2": "contractor", "III.3": "designated", "III.4": "authority", "III.6": "assignee not-notified",
	"IV.1": "not-designated designation-ended outside-scope action-not-covered",
	"IV.2": "contact not-contact",
}

// forRetired are the commands that give a party something (P.1).
var forRetired = strings.Fields(`client.register contact.name engagement.confirm training.complete undertaking.give
	designation.make designation.change delegation.authorize consent.give authorization.issue approval.give`)
