package domain_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/domain/lawtest"
)

// TestAFactIsWhatItsJSONSays: a fact written and read again, into an empty one of its
// kind, is the same fact; on a history of such facts the law decides as on the facts
// themselves.
func TestAFactIsWhatItsJSONSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := settled(t)
		var first, stored domain.History
		for _, e := range l.Events {
			changes := first.Record(e)
			for i, c := range changes {
				written, err := json.Marshal(c.Fact)
				require.NoError(t, err)
				read := domain.NewFact(c.Key.Kind)
				require.NotNil(t, read, "kind %d", c.Key.Kind)
				d := json.NewDecoder(bytes.NewReader(written))
				d.DisallowUnknownFields()
				require.NoError(t, d.Decode(read))
				require.Equal(t, fmt.Sprintf("%T", c.Fact), fmt.Sprintf("%T", read))
				again, err := json.Marshal(read)
				require.NoError(t, err)
				require.Equal(t, string(written), string(again))
				changes[i].Fact = read
			}
			stored.Keep(e.Seq, changes)
		}
		for _, r := range requests(t, l) {
			require.Equal(t, decide(l, r), domain.DecideAccess(stored.At(l.Last()), r, l.Now, l.Next()))
		}
	})
}

// TestEveryKindOfFactIsMade: no number is used twice or left out, and none is made
// that isn't known.
func TestEveryKindOfFactIsMade(t *testing.T) {
	seen := map[string]bool{}
	for k := domain.KindLedger; k <= domain.KindInquiryOf; k++ {
		f := domain.NewFact(k)
		require.NotNil(t, f, "kind %d", k)
		name := fmt.Sprintf("%T", f)
		require.False(t, seen[name], name)
		seen[name] = true
	}
	require.Nil(t, domain.NewFact(0))
	require.Nil(t, domain.NewFact(domain.KindInquiryOf+1))
	require.Nil(t, domain.NewFact(255))
}

// TestAViewListsWhatWasKnownInItsOrder: the first known first, nothing of another A
// or B, and nothing that came later.
func TestAViewListsWhatWasKnownInItsOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := settled(t)
		n := domain.Seq(rapid.IntRange(0, len(l.Events)).Draw(t, "n"))
		for _, party := range []string{"", "li", "firm", "wu"} {
			last, count := domain.Seq(0), 0
			for k, known := range l.History.At(n).List(domain.KindRight, "acme", party) {
				require.Equal(t, "acme", k.A)
				require.True(t, party == "" || k.B == party)
				require.True(t, last <= known.First && known.First <= known.From && known.From <= n)
				last = known.First
				got, ok := l.History.At(n).Get(k)
				require.True(t, ok)
				require.Equal(t, known, got)
				count++
			}
			made := 0
			for _, r := range (literal{l.Events[:n], l.Now}).rights() {
				if r.client == "acme" && (party == "" || string(r.party) == party) {
					made++
				}
			}
			require.Equal(t, made, count)
		}
	})
}

// TestStandingIsWhatTheTextSaysOfARight: in force, and by which command it ended; a
// delegation with its designation only, a contact in its time.
func TestStandingIsWhatTheTextSaysOfARight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := settled(t)
		text, v := literal{l.Events, l.Now}, l.View()
		rights := text.rights()
		for _, want := range rights {
			r, known, ok := domain.FindRight(v, want.client, domain.RightKind(want.kind), want.id)
			require.True(t, ok)
			require.Equal(t, want.party, r.Party)
			require.Equal(t, want.evidence, r.Evidence)
			if want.kind != "delegation" {
				require.Equal(t, want.scope, r.Scope)
				require.Equal(t, want.purposes, r.Purposes)
			}
			require.True(t, want.until.Equal(r.Until))
			require.True(t, want.reviewed.Equal(r.Reviewed))
			inForce := text.inForce(want)
			for _, from := range rights {
				if want.kind == "delegation" && from.kind == "designation" && from.client == want.client && from.id == want.designation {
					inForce = inForce && text.inForce(from)
				}
			}
			s := r.Standing(v, l.Now)
			require.Equal(t, inForce, s.InForce, r.Ref())
			require.LessOrEqual(t, s.Ended, l.Last())
			if inForce {
				require.Zero(t, s.Ended)
				require.Equal(t, text.overdue(want), s.Overdue)
			} else if s.Ended == 0 { // then it ran out: at the moment before, it stood, unless it was made too late
				require.False(t, s.Overdue)
				require.True(t, !r.Until.IsZero() || want.kind == "delegation", r.Ref())
			}
			require.Equal(t, r.Made, known.First)
		}
		for _, party := range []domain.ID{"li", "lawyer", "wu"} {
			_, inForce, ever := domain.ContactStanding(v, "acme", party)
			require.Equal(t, text.contact("acme", party) && !text.everDesignated("acme"), inForce)
			require.True(t, ever || !inForce)
		}
	})
}

// TestNothingIsKnownOfAnEmptyLedger: the zero History answers.
func TestNothingIsKnownOfAnEmptyLedger(t *testing.T) {
	var h domain.History
	d := domain.DecideAccess(h.At(0), &domain.AccessRequest{Client: "acme", Record: "r", Party: "p", Action: domain.Consult, Purpose: "fees"}, newYear, lawtest.UUID(7, 1))
	require.Equal(t, "denied:\n  II.0 unknown-client\n  II.0 unknown-party", ruling(d))
	require.Zero(t, d.Edition)
	require.Nil(t, domain.EditionInForce(h.At(0), newYear))
}
