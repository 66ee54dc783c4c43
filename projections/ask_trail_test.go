package projections

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore/cloudevent"
)

// documents are all that is recorded, read by nobody but the codec.
func (b *book) documents() (docs []*cloudevent.Document) {
	for _, raw := range b.raw {
		d, err := cloudevent.Parse(raw)
		require.NoError(b.t, err)
		docs = append(docs, d)
	}
	return docs
}

// The trail finds what a look at every event finds.
func TestTheTrailMissesNothing(t *testing.T) {
	b := newBook(t)
	b.play(t, agency)
	docs := b.documents()
	says := func(d *cloudevent.Document, id string) bool { return strings.Contains(string(d.Data), `"`+id+`"`) }
	for filter, fits := range map[string]func(*cloudevent.Document) bool{
		``:                  func(*cloudevent.Document) bool { return true },
		`"client":"acme"`:   func(d *cloudevent.Document) bool { return d.Subject.Client == "acme" },
		`"client":"ghost"`:  func(d *cloudevent.Document) bool { return says(d, "ghost") },
		`"actor":"gateway"`: func(d *cloudevent.Document) bool { return d.Actor == "gateway" },
		`"type":"command.refused"`: func(d *cloudevent.Document) bool {
			return d.Refusal != nil
		},
		`"decision":"denied"`: func(d *cloudevent.Document) bool { return d.Type == "access.denied" },
		`"clause":"IV.2"`: func(d *cloudevent.Document) bool {
			return d.Refusal != nil && d.Refusal.Clause == "IV.2" ||
				d.Decision != nil && slices.ContainsFunc(d.Decision.Reasons, func(r domain.Reason) bool { return r.Clause == "IV.2" })
		},
		`"record":"formula"`: func(d *cloudevent.Document) bool { return says(d, "formula") },
		`"evidence":"special"`: func(d *cloudevent.Document) bool {
			return says(d, "special") || d.Decision != nil &&
				slices.ContainsFunc(d.Decision.Reasons, func(r domain.Reason) bool { return slices.Contains(r.Evidence, "special") })
		},
		`"client":"acme","type":"consent.given"`: func(d *cloudevent.Document) bool { return d.Type == "consent.given" },
		`"from":12,"to":20`:                      func(d *cloudevent.Document) bool { return d.Seq >= 12 && d.Seq < 20 },
		`"from":"2026-01-05T09:00:00Z"`:          func(d *cloudevent.Document) bool { return !d.Time.Before(time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)) },
		`"to":"2026-01-05T09:00:00Z"`:            func(d *cloudevent.Document) bool { return d.Time.Before(time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)) },
	} {
		question := `{"ask":"trail"` + strings.Repeat(",", min(len(filter), 1)) + filter + `}`
		var want, got []uint64
		for _, d := range docs {
			if fits(d) {
				want = append(want, d.Seq)
			}
		}
		require.NotEmpty(t, want, question)
		found, at := b.all("auditor", question)
		require.Equal(t, b.last, at)
		for _, it := range each[trailItem](t, found) {
			d := docs[it.Seq-1]
			got = append(got, it.Seq)
			require.Equal(t, []any{d.Type, d.Time, d.Actor, d.Subject.String(), d.ID, d.Command, d.Name},
				[]any{it.Type, it.Time, it.Actor, it.Subject, it.ID, it.Command, it.Name})
		}
		require.Equal(t, want, got, question)
	}
}

// Times may fall at clock.affirm. Then from and to still hold for each event.
func TestTheTrailByTimeIsRightWhereTheClockWentBack(t *testing.T) {
	b := newBook(t)
	start := b.clock
	for _, minutes := range []int{10, 20, 30, -25, -5, 40, -35, 15} {
		b.clock = start.Add(time.Duration(max(minutes, -minutes)) * time.Minute)
		if minutes < 0 {
			b.given("admin", "clock.affirm", `{}`)
		}
		b.given("clerk", "client.register", fmt.Sprintf(`{"client":"c%d","name":"x","contacts":[]}`, b.last))
		b.given("gateway", "access.request", `{"client":"a","record":"b","party":"c","action":"use","purpose":"d"}`)
	}
	docs := b.documents()
	for from := -1; from < 45; from += 3 {
		for to := from; to < 48; to += 4 {
			after, before := start.Add(time.Duration(from)*time.Minute), start.Add(time.Duration(to)*time.Minute)
			found, _ := b.all("auditor", fmt.Sprintf(`{"ask":"trail","from":%q,"to":%q}`, after.Format(time.RFC3339), before.Format(time.RFC3339)))
			var want, got []uint64
			for _, d := range docs {
				if !d.Time.Before(after) && d.Time.Before(before) {
					want = append(want, d.Seq)
				}
			}
			for _, it := range each[trailItem](t, found) {
				got = append(got, it.Seq)
			}
			require.Equal(t, want, got, "%d to %d", from, to)
		}
	}
	// And every attempt is found by its id.
	for _, d := range docs {
		if d.Decision != nil {
			require.True(t, b.ask("auditor", `{"ask":"explain","attempt":"`+string(d.ID)+`"}`).OK, d.Seq)
		}
	}
}

// The record itself comes byte for byte, all of it or what was asked for, and in
// pages that are as large as they may be.
func TestEventsAreTheRecordByteForByte(t *testing.T) {
	b := newBook(t)
	b.play(t, agency)
	b.together(func() {
		for i := range 1500 {
			b.given("gateway", "access.request", fmt.Sprintf(`{"client":"acme","record":"label","party":"lawyer","action":"consult","purpose":"service","confirmation":"c%d"}`, i))
		}
	})
	same := func(question string, fits func(*cloudevent.Document) bool) {
		t.Helper()
		var want []string
		for _, d := range b.documents() {
			if fits(d) {
				want = append(want, string(b.raw[d.Seq-1]))
			}
		}
		got, at := b.all("auditor", question)
		require.Equal(t, b.last, at)
		require.Len(t, got, len(want), question)
		for i := range got {
			require.Equal(t, want[i], string(got[i]))
		}
	}
	same(`{"ask":"events"}`, func(*cloudevent.Document) bool { return true })
	same(`{"ask":"events","after":40}`, func(d *cloudevent.Document) bool { return d.Seq > 40 })
	same(fmt.Sprintf(`{"ask":"events","after":%d}`, b.last), func(*cloudevent.Document) bool { return false })
	same(`{"ask":"events","client":"acme"}`, func(d *cloudevent.Document) bool { return d.Subject.Client == "acme" })
	same(`{"ask":"events","type":"access.denied","after":60}`, func(d *cloudevent.Document) bool { return d.Seq > 60 && d.Type == "access.denied" })
	require.Len(t, b.ask("auditor", `{"ask":"events"}`).Items, mostItems)

	// Where events are large, bytes end a page.
	b.together(func() {
		for i := range 250 {
			b.given("clerk", "client.register", fmt.Sprintf(`{"client":"c%d","name":%q,"contacts":[]}`, i, strings.Repeat("客", 2000)))
		}
	})
	same(`{"ask":"events","after":1500}`, func(d *cloudevent.Document) bool { return d.Seq > 1500 })
	same(`{"ask":"events","type":"client.registered"}`, func(d *cloudevent.Document) bool { return d.Type == "client.registered" })
	a := b.ask("auditor", `{"ask":"events","type":"client.registered"}`)
	require.Greater(t, len(a.Items), 80)
	require.Less(t, len(a.Items), 150)
}

// `wait` waits for an event of the kind that is asked for, and no longer than it
// says.
func TestEventsWaitUntilThereIsOne(t *testing.T) {
	b := newBook(t)
	key := b.key("auditor")
	got := make(chan reply, 1)
	go func() {
		got <- replied(t, b.service.Answer(t.Context(), "auditor", key, []byte(`{"ask":"events","after":7,"type":"client.amended","wait":"PT30S"}`)))
	}()
	b.given("clerk", "client.register", `{"client":"acme","name":"Acme","contacts":[]}`)
	b.given("clerk", "client.register", `{"client":"beta","name":"Beta","contacts":[]}`)
	require.Empty(t, got)
	b.given("officer", "client.amend", `{"client":"acme","name":"Acme Ltd","reason":"x"}`)
	a := <-got
	require.Equal(t, uint64(10), a.At)
	require.Len(t, a.Items, 1)
	require.Equal(t, string(b.raw[9]), string(a.Items[0]))

	a = b.ask("auditor", `{"ask":"events","after":10,"wait":"PT0.01S"}`)
	require.True(t, a.OK)
	require.Empty(t, a.Items)
	require.Equal(t, uint64(10), a.At)
}

// Every decision that was recorded is derived anew from history, the same to the
// byte.
func TestEveryDecisionIsDerivedTheSame(t *testing.T) {
	b := newBook(t)
	b.play(t, agency)
	n, docs := 0, b.documents()
	for _, d := range docs {
		if d.Decision == nil {
			a := b.ask("auditor", `{"ask":"explain","attempt":"`+string(d.ID)+`"}`)
			require.Equal(t, domain.Unknown, a.Error.Code)
			continue
		}
		n++
		a := b.ask("auditor", `{"ask":"explain","attempt":"`+string(d.ID)+`"}`)
		require.True(t, a.OK, "%v", a.Error)
		var it explanation
		require.NoError(t, json.Unmarshal(a.Item, &it))
		require.True(t, it.Same, "%s\n%s", it.Recorded, it.Derived)
		require.Equal(t, d.Seq, it.Seq)
		require.Equal(t, string(cloudevent.AppendDecision(nil, d.Decision)), string(it.Recorded))

		// Asked about as a hypothesis right before, at the same time, the same request
		// has the same reasons.
		if before := docs[d.Seq-2]; before.Time.Equal(d.Time) {
			a = b.ask("auditor", fmt.Sprintf(`{"ask":"explain","request":%s,"at":%d}`, d.Data, before.Seq))
			require.True(t, a.OK, "%v", a.Error)
			var h struct{ Derived domain.Decision }
			require.NoError(t, json.Unmarshal(a.Item, &h))
			require.Empty(t, h.Derived.Attempt)
			h.Derived.Attempt = d.ID
			if h.Derived.Violation == "" && d.Decision.Violation == d.ID {
				h.Derived.Violation = d.ID // it opens one of its own
			}
			require.Equal(t, string(it.Derived), string(cloudevent.AppendDecision(nil, &h.Derived)))
		}
	}
	require.Greater(t, n, 8)
}

// A decision that history doesn't bear out is shown as such.
func TestADecisionThatHistoryDoesntBearOutIsNotTheSame(t *testing.T) {
	b := newBook(t)
	b.given("gateway", "access.request", `{"client":"acme","record":"label","party":"li","action":"consult","purpose":"service"}`)
	forged, err := cloudevent.Parse(b.raw[7])
	require.NoError(t, err)
	forged.Seq, forged.ID = 9, forged.ID[:35]+"f"
	forged.Type, forged.Decision = "access.granted", &domain.Decision{Decision: domain.Granted, Attempt: forged.ID, Edition: 6, Rules: 1}
	b.record(forged)
	a := b.ask("auditor", `{"ask":"explain","attempt":"`+string(forged.ID)+`"}`)
	require.True(t, a.OK, "%v", a.Error)
	var it explanation
	require.NoError(t, json.Unmarshal(a.Item, &it))
	require.False(t, it.Same)
	require.Contains(t, string(it.Recorded), `"granted"`)
	require.Contains(t, string(it.Derived), `"denied"`)
}
