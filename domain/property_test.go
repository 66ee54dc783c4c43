package domain_test

import (
	"fmt"
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
func chance(t *rapid.T) lawtest.Chance {
	return rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)).IntN
}

// settled is an agency's ledger after some steps that chance makes.
func settled(t *rapid.T) *lawtest.Ledger {
	l := lawtest.Open(newYear)
	l.Settle()
	c := chance(t)
	for range rapid.IntRange(0, 80).Draw(t, "steps") {
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

func decide(l *lawtest.Ledger, r *domain.AccessRequest) *domain.Decision {
	return domain.DecideAccess(l.View(), r, l.Now, l.Next())
}

// TestTakingARightAwayNeverGrants: revoking, withdrawing, voiding, closing, dropping,
// retiring, destroying, and time alone turn no denial into a grant, but for a
// contact: a voided paper may give it its time back (IV.2).
func TestTakingARightAwayNeverGrants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := settled(t)
		rs := requests(t, l)
		var before []*domain.Decision
		for _, r := range rs {
			before = append(before, decide(l, r))
		}
		var taken domain.Data
		if rapid.Bool().Draw(t, "time alone") {
			l.Now = l.Now.AddDate(0, 0, rapid.IntRange(1, 200).Draw(t, "days"))
		} else {
			taken = l.MakeUpTaking(chance(t))
			l.Do("officer", taken)
		}
		_, voids := taken.(*domain.EvidenceVoid)
		for i, r := range rs {
			after := decide(l, r)
			if before[i].Granted() || !after.Granted() {
				continue
			}
			contact := slices.ContainsFunc(after.Reasons, func(r domain.Reason) bool {
				return r.Clause == "IV.2" && (r.Code == "contact" || r.Code == "recipient-contact")
			})
			if !voids || !contact {
				t.Fatalf("%T %+v granted %+v: %s", taken, taken, r, ruling(after))
			}
		}
	})
}

// TestAddingABarNeverGrants: a request with one more thing against it, or a party
// retired and a record destroyed under it, is not granted where it was denied, and
// never where that bar stands alone.
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
		for _, r := range requests(t, l) {
			for bar, raise := range bars {
				barred := *r
				raise(&barred)
				if d := decide(l, &barred); d.Granted() {
					t.Fatalf("%s: %+v was granted: %s", bar, barred, ruling(d))
				}
			}
			for _, retire := range []domain.ID{r.Party, r.Bearer, r.BehalfOf, r.Recipient} {
				if _, known := l.View().Get(domain.Key{Kind: domain.KindParty, C: string(retire)}); !known {
					continue
				}
				fork := l.Fork()
				fork.Do("officer", &domain.PartyRetire{Party: retire, Reason: lawtest.Text(1)})
				if decide(fork, r).Granted() {
					t.Fatalf("%s is retired, and %+v was granted", retire, r)
				}
			}
		}
	})
}

// TestDecidingTwiceIsDecidingOnce: the same history, command, time and id give the
// same outcome, the same changes, and leave what was known as it was.
func TestDecidingTwiceIsDecidingOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := settled(t)
		as, data := l.MakeUp(chance(t))
		c := l.Command(as, data)
		first := domain.Decide(l.View(), c, l.Now, l.Next())
		require.Equal(t, first, domain.Decide(l.View(), c, l.Now, l.Next()))
		before := l.View()
		_, e := l.Send(c)
		if e == nil {
			return
		}
		again, h := domain.Apply(before, e), lawtest.Replay(l.Events[:len(l.Events)-1])
		require.Equal(t, again, domain.Apply(h.At(e.Seq-1), e))
		for _, change := range again {
			known, _ := l.View().Get(change.Key)
			require.Equal(t, change.Fact, known.Fact)
			require.Equal(t, e.Seq, known.From)
			require.LessOrEqual(t, known.First, known.From)
		}
	})
}

// TestThePastStaysAsItWas: what is decided after event n is what a ledger decides
// that holds the first n events and no more; so an attempt derived anew is what was
// recorded.
func TestThePastStaysAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := settled(t)
		n := rapid.IntRange(0, len(l.Events)).Draw(t, "n")
		short := lawtest.Replay(l.Events[:n])
		for _, r := range requests(t, l) {
			want := domain.DecideAccess(short.At(domain.Seq(n)), r, l.Now, l.Next())
			require.Equal(t, want, domain.DecideAccess(l.History.At(domain.Seq(n)), r, l.Now, l.Next()))
		}
		for _, e := range l.Events {
			if r, ok := e.Data.(*domain.AccessRequest); ok && e.Decision != nil {
				require.Equal(t, e.Decision, domain.DecideAccess(l.History.At(e.Seq-1), r, e.Time, e.ID))
			}
		}
	})
}

// TestAGrantNamesWhatItRestsOn: II.1, a grant is traceable. Each of its reasons names
// events before it and papers that were filed; a denial names nothing that wasn't.
func TestAGrantNamesWhatItRestsOn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := settled(t)
		for _, r := range requests(t, l) {
			d := decide(l, r)
			require.NotEmpty(t, d.Reasons)
			require.Equal(t, d.Granted(), d.Violation == "")
			require.True(t, slices.IsSortedFunc(d.Reasons, inOrder), ruling(d))
			for _, why := range d.Reasons {
				if d.Granted() {
					require.NotEmpty(t, why.Refs, ruling(d))
				}
				require.LessOrEqual(t, len(why.Refs), 16)
				for i, ref := range why.Refs {
					require.Less(t, ref, l.Last()+1)
					require.Positive(t, ref)
					require.True(t, i == 0 || why.Refs[i-1] < ref)
				}
				for _, paper := range why.Evidence {
					_, filed := l.View().Get(domain.Key{Kind: domain.KindEvidence, C: string(paper)})
					require.True(t, filed, paper)
				}
			}
		}
	})
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
