package domain_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/domain/lawtest"
)

var newYear = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// chance is rapid's by its seed alone: what is drawn for one step says nothing to
// who reads a failure, and how many steps it takes is drawn, and shrunk, apart.
func chance(t *rapid.T) lawtest.Chance { return seeded(rapid.Uint32().Draw(t, "seed")) }

func seeded[N uint32 | int](seed N) lawtest.Chance {
	return rand.New(rand.NewPCG(uint64(seed), 0)).IntN
}

// steps are 0 to 255, each number as likely: rapid's own ranges are mostly near their
// beginning, where nothing has happened yet. They still shrink to few.
var steps = rapid.Custom(func(t *rapid.T) (n int) {
	for range 8 {
		n *= 2
		if rapid.Bool().Draw(t, "one") {
			n++
		}
	}
	return n
})

// settled is an agency's ledger after some steps that chance makes.
func settled(t *rapid.T) *lawtest.Ledger {
	l := lawtest.Open(newYear)
	l.Settle()
	c := chance(t)
	for range steps.Draw(t, "steps") {
		l.Step(c)
	}
	return l
}

// requests are what is asked of a ledger before and after something happens to it.
func requests(t *rapid.T, l *lawtest.Ledger) []*domain.AccessRequest {
	rs, c := make([]*domain.AccessRequest, 12), chance(t)
	for i := range rs {
		rs[i] = l.Request(c)
	}
	return rs
}

func decideAll(l *lawtest.Ledger, rs []*domain.AccessRequest) (ds []*domain.Decision) {
	for _, r := range rs {
		ds = append(ds, decide(l, r))
	}
	return ds
}

func decide(l *lawtest.Ledger, r *domain.AccessRequest) *domain.Decision {
	return domain.DecideAccess(l.View(), r, l.Now, l.Next())
}

// TestTakingARightAwayNeverGrants: revoking, withdrawing, voiding, closing, dropping,
// retiring, destroying, erasing, special terms and an edition that are added turn no
// denial into a grant, but for a contact: a voided paper may give it its time back
// (IV.2).
func TestTakingARightAwayNeverGrants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := settled(t)
		rs := requests(t, l)
		before := decideAll(l, rs)
		for range 4 {
			on, taken := l.Fork(), l.MakeUpTaking(chance(t))
			row, _ := domain.Find(lawtest.Name(taken))
			on.Do(domain.ID(row.Roles[len(row.Roles)-1]), taken)
			_, voids := taken.(*domain.EvidenceVoid)
			for i, after := range decideAll(on, rs) {
				contact := slices.ContainsFunc(after.Reasons, func(r domain.Reason) bool {
					return r.Clause == "IV.2" && (r.Code == "contact" || r.Code == "recipient-contact")
				})
				if !before[i].Granted() && after.Granted() && !(voids && contact) {
					t.Fatalf("%T %+v granted %+v: %s", taken, taken, rs[i], ruling(after))
				}
			}
		}
	})
}

// TestTimeAloneNeverGrants, but where special terms ran out that alone stood against
// it (II.6).
func TestTimeAloneNeverGrants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := settled(t)
		rs := requests(t, l)
		before, terms := decideAll(l, rs), literal{l.Events, l.Now}
		l.Now = l.Now.AddDate(0, 0, rapid.IntRange(1, 200).Draw(t, "days"))
		for i, after := range decideAll(l, rs) {
			if before[i].Granted() || !after.Granted() {
				continue
			}
			others := slices.ContainsFunc(before[i].Reasons, func(r domain.Reason) bool { return r.Clause != "II.6" })
			ran := len(terms.terms(rs[i].Client)) > len(literal{l.Events, l.Now}.terms(rs[i].Client))
			if others || !ran {
				t.Fatalf("%+v was denied and is granted: %s\n%s", rs[i], ruling(before[i]), ruling(after))
			}
		}
	})
}

// TestAddingABarNeverGrants: a request with one more thing against it, or a party
// retired under it, or special terms agreed against it, is never granted.
func TestAddingABarNeverGrants(t *testing.T) {
	bars := map[string]func(*domain.AccessRequest){
		"I.3 unknown-purpose":          func(r *domain.AccessRequest) { r.Purpose = "curiosity" },
		"II.0 unknown-client":          func(r *domain.AccessRequest) { r.Client = "nobody" },
		"II.0 unknown-record":          func(r *domain.AccessRequest) { r.Record = "none" },
		"II.0 unknown-party":           func(r *domain.AccessRequest) { r.Bearer = "nobody" },
		"II.0 recipient-unknown-party": func(r *domain.AccessRequest) { r.Action, r.Recipient = domain.Transfer, "nobody" },
		"II.1 recipient-missing":       func(r *domain.AccessRequest) { r.Action, r.Recipient = domain.Transfer, "" },
		"III.5 not-of-party":           func(r *domain.AccessRequest) { r.Bearer = "boss" },
		"IV.3 confirmation-missing":    func(r *domain.AccessRequest) { r.Action, r.Confirmation, r.Recipient = domain.Modify, "", "" },
	}
	rapid.Check(t, func(t *rapid.T) {
		l := settled(t)
		rs := requests(t, l)
		parties, clients := map[domain.ID]bool{}, map[domain.ID]bool{}
		for _, r := range rs {
			for bar, raise := range bars {
				barred := *r
				raise(&barred)
				if d := decide(l, &barred); d.Granted() {
					t.Fatalf("%s: %+v was granted: %s", bar, barred, ruling(d))
				}
			}
			clients[r.Client] = true
			for _, id := range []domain.ID{r.Party, r.Bearer, r.BehalfOf, r.Recipient} {
				parties[id] = true
			}
		}
		for _, retire := range slices.Sorted(maps.Keys(parties)) {
			fork := l.Fork()
			fork.Do("officer", &domain.PartyRetire{Party: retire, Reason: lawtest.Text(1)})
			for _, r := range rs {
				named := slices.Contains([]domain.ID{r.Party, r.Bearer, r.BehalfOf, r.Recipient}, retire)
				if named && retire != "" && decide(fork, r).Granted() {
					t.Fatalf("%s is retired, and %+v was granted", retire, r)
				}
			}
		}
		for _, of := range slices.Sorted(maps.Keys(clients)) {
			for _, rule := range []domain.TermsRule{{Effect: domain.Forbid}, {Effect: domain.Only}, {Effect: domain.Approve}} {
				fork := l.Fork()
				agree(fork, of, rule)
				for _, r := range rs {
					barred := *r
					barred.Approval = ""
					if d := decide(fork, &barred); r.Client == of && d.Granted() {
						t.Fatalf("%s all: %+v was granted: %s", rule.Effect, barred, ruling(d))
					}
				}
			}
		}
	})
}

// agree makes special terms of the rule, if the client is there to agree any.
func agree(l *lawtest.Ledger, of domain.ID, rule domain.TermsRule) {
	l.Do("clerk", &domain.EvidenceFile{Evidence: "agreed", Client: of, Kind: domain.SpecialTerms, SHA256: lawtest.Digest(9), MediaType: "text/plain",
		Signed: true, SignedOn: domain.Time{Time: l.Now}, Custody: domain.OnPaper, Place: lawtest.Text(1)})
	l.Do("officer", &domain.TermsAgree{Client: of, Terms: "agreed", Evidence: "agreed", Rules: []domain.TermsRule{rule}})
}

// TestEveryEventSaysWhomItIsAbout: a subject is registered once its event is there.
func TestEveryEventSaysWhomItIsAbout(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := settled(t)
		for _, e := range l.Events {
			kind := domain.KindClient
			context, whom := e.Subject.Context()
			if context == "ledger" {
				continue
			}
			if context == "party" {
				kind = domain.KindParty
			}
			_, known := l.History.At(e.Seq).Get(domain.Key{Kind: kind, C: string(whom)})
			require.True(t, known, "%s %s", e.Type, e.Subject)
		}
	})
}

// inOrder is the contract's order of reasons: the statement's clauses, then codes.
func inOrder(a, b domain.Reason) int {
	clauses := domain.Clauses()
	if n := slices.Index(clauses, a.Clause) - slices.Index(clauses, b.Clause); n != 0 {
		return n
	}
	return slices.Compare([]byte(a.Code), []byte(b.Code))
}

// ruling is a decision as stories write it: a single reason behind it, several
// below it.
func ruling(d *domain.Decision) string {
	s := d.Decision + ":"
	for _, r := range d.Reasons {
		if len(d.Reasons) > 1 {
			s += "\n "
		}
		s += " "
		s += string(r.Clause) + " " + r.Code
		if r.Right != "" {
			s += " (" + r.Right + ")"
		}
		for _, n := range r.Refs {
			s += fmt.Sprintf(" #%d", n)
		}
		if r.More > 0 {
			s += fmt.Sprintf(" and %d more", r.More)
		}
		for _, e := range r.Evidence {
			s += " by " + string(e)
		}
	}
	return s
}
