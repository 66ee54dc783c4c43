package projections

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/domain"
)

// pastQuestions are those that take `at`.
var pastQuestions = []string{
	`{"ask":"rights"}`,
	`{"ask":"rights","ended":true}`,
	`{"ask":"rights","client":"acme","ended":true}`,
	`{"ask":"rights","client":"acme","record":"formula","ended":true}`,
	`{"ask":"rights","party":"lawyer","ended":true}`,
	`{"ask":"rights","party":"wu"}`,
	`{"ask":"records","client":"acme"}`,
	`{"ask":"engagements","client":"acme"}`,
	`{"ask":"clients"}`,
	`{"ask":"parties"}`,
	`{"ask":"parties","category":"staff"}`,
	`{"ask":"evidence"}`,
	`{"ask":"evidence","client":"acme"}`,
	`{"ask":"evidence","party":"courier"}`,
	`{"ask":"identities"}`,
	`{"ask":"explain","request":{"client":"acme","record":"formula","party":"lawyer","action":"consult","purpose":"service"}}`,
}

// Contract, section 5: the answer is what held then. A question about the past is
// answered as the ledger would have answered it when it had no more events, with
// its clock at that event.
func TestThePastIsAnsweredAsItWasThen(t *testing.T) {
	answeredAsThen(t, agency, pastQuestions)
}

func answeredAsThen(t *testing.T, lines string, questions []string) {
	b := newBook(t)
	b.play(t, lines)
	then, err := OpenStore(t.TempDir(), Config{Cache: 8 << 20})
	require.NoError(t, err)
	defer func() { require.NoError(t, then.Close()) }()
	require.NoError(t, Replay(t.Context(), nothing{}, then, nil))
	var h domain.History
	cfg := b.config()
	cfg.Store = then
	for n := uint64(1); n <= b.last; n++ {
		m, err := b.log.Get(t.Context(), n)
		require.NoError(t, err)
		var a Applied
		require.NoError(t, a.read(&m))
		a.Changes = h.Record(a.Event)
		require.NoError(t, then.Apply([]Applied{a}))
		if n < 8 {
			continue // nobody may ask yet
		}
		cfg.Latest = func() uint64 { return n }
		cfg.Clock = func() time.Time { return a.Event.Time }
		s := NewService(cfg)
		for _, q := range questions {
			was := b.askWith(t.Context(), s, "auditor", q)
			is := b.ask("auditor", fmt.Sprintf(`%s,"at":%d}`, strings.TrimSuffix(q, "}"), n))
			if !was.OK { // what wasn't known then is known by now, and had nothing
				require.Equal(t, domain.Unknown, was.Error.Code, "%s at %d", q, n)
				require.Empty(t, is.Items, "%s at %d", q, n)
				continue
			}
			require.True(t, is.OK, "%s at %d: %v", q, n, is.Error)
			require.Equal(t, n, is.At)
			require.Equal(t, n, was.At)
			require.Equal(t, was.Items, is.Items, "%s at %d", q, n)
			require.Equal(t, string(was.Item), string(is.Item), "%s at %d", q, n)
		}
		require.NoError(t, s.Close())
	}
}

// A time means the last event not later, and bounds at that time.
func TestATimeIsTheLastEventNotLater(t *testing.T) {
	b := newBook(t)
	b.clock = b.clock.Add(time.Hour)
	b.given("clerk", "client.register", `{"client":"acme","name":"Acme","contacts":[]}`)
	b.given("clerk", "client.register", `{"client":"beta","name":"Beta","contacts":[]}`)
	for at, n := range map[string]uint64{
		"2026-01-02T08:59:59.999999999Z": 0,
		"2026-01-02T09:00:00Z":           7,
		"2026-01-02T09:59:59.999999999Z": 7,
		"2026-01-02T10:00:00Z":           9,
		"2026-01-02T11:00:00+01:00":      9,
		"2036-01-02T10:00:00Z":           9,
	} {
		a := b.ask("auditor", `{"ask":"clients","at":"`+at+`"}`)
		require.True(t, a.OK, "%s: %v", at, a.Error)
		require.Equal(t, n, a.At, at)
		require.Len(t, a.Items, max(int(n)-7, 0), at)
	}
}

// Pages are of one moment: what happens between two of them is in neither.
func TestPagesAreOfOneMoment(t *testing.T) {
	b := newBook(t)
	b.together(func() {
		for i := range 2*mostItems + 10 {
			b.given("clerk", "party.register", fmt.Sprintf(`{"party":"p-%04d","category":"external","kind":"person","name":"Person %d"}`, i, i))
		}
	})
	const question = `{"ask":"parties"}`
	var parties []string
	page, pages := question, 0
	for {
		a := b.ask("auditor", page)
		require.True(t, a.OK, "%v", a.Error)
		require.Equal(t, uint64(7+2*mostItems+10), a.At)
		require.LessOrEqual(t, len(a.Items), mostItems)
		for _, it := range each[partyItem](t, a.Items) {
			parties = append(parties, string(it.Party))
			require.Equal(t, "Person "+strings.TrimLeft(string(it.Party[2:5]), "0")+string(it.Party[5:]), it.Name)
			require.Equal(t, stateInService, it.State)
		}
		if pages++; a.Cursor == "" {
			break
		}
		b.given("clerk", "party.register", fmt.Sprintf(`{"party":"p-%04d-b","category":"external","kind":"person","name":"Between"}`, 1500+pages))
		b.given("officer", "party.retire", fmt.Sprintf(`{"party":"p-%04d","reason":"x"}`, 2*mostItems+pages))
		page = strings.TrimSuffix(question, "}") + `,"cursor":"` + a.Cursor + `"}`
	}
	require.Equal(t, 3, pages)
	require.Len(t, parties, 2*mostItems+10)
	require.IsIncreasing(t, parties)
}

// A cursor belongs to its question.
func TestACursorGoesBackWithItsQuestionOnly(t *testing.T) {
	b := newBook(t)
	b.together(func() {
		for i := range 150 {
			b.given("clerk", "party.register", fmt.Sprintf(`{"party":"p-%04d","category":"external","kind":"person","name":"x"}`, i))
		}
	})
	first := b.ask("auditor", `{"ask":"trail","actor":"clerk"}`)
	require.NotEmpty(t, first.Cursor)
	require.True(t, b.ask("auditor", `{"cursor":"`+first.Cursor+`", "actor" : "clerk","ask":"trail","after":3}`).OK)
	for _, q := range []string{`{"ask":"trail","actor":"officer"`, `{"ask":"trail"`, `{"ask":"parties"`} {
		a := b.ask("auditor", q+`,"cursor":"`+first.Cursor+`"}`)
		require.False(t, a.OK, q)
		require.Equal(t, "/cursor", a.Error.Field)
	}
}
