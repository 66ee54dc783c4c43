package projections

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore"
	"github.com/qtccc/assent/eventstore/cloudevent"
)

var askedEvents = flag.Int("asked", 20_000, "how many accesses the ledger of BenchmarkQuestions has")

// accesses records n granted and denied accesses of 1,000 clients that nobody
// decided: what a question costs doesn't hang on why.
func (b *book) accesses(n int) {
	var entries []eventstore.Entry
	var acks []*eventstore.Ack
	from := b.last
	flush := func() {
		if len(entries) == 0 {
			return
		}
		acks = append(acks, b.log.Append(from, entries))
		from, entries = b.last, nil
		if len(acks) > 2 {
			require.NoError(b.t, acks[len(acks)-3].Err())
		}
	}
	for i := range n {
		b.last++
		if i%20 == 0 {
			b.clock = b.clock.Add(time.Millisecond)
		}
		id := domain.UUID(fmt.Sprintf("%08x-%04x-7000-8000-%012x", b.clock.UnixMilli()>>16, b.clock.UnixMilli()&0xffff, b.last))
		client := fmt.Sprintf("client-%d", i*7919%1000)
		d := &cloudevent.Document{Ledger: theLedger, ID: id, Type: "access.granted", Time: b.clock, Seq: b.last, Actor: "gateway",
			Command: id, Rules: 1, Name: accessCommand, Issued: b.clock.Format(time.RFC3339Nano), Connection: b.key("gateway"),
			Data: fmt.Appendf(nil, `{"action":"consult","client":%q,"party":"party-%d","purpose":"service","record":"label-%d"}`, client, i%300, i%5),
			Decision: &domain.Decision{Decision: domain.Granted, Attempt: id, Edition: 6, Rules: 1, Reasons: []domain.Reason{
				{Clause: "II.2", Code: "authorized", Right: "authorization/a1", Refs: []domain.Seq{12}, Evidence: []domain.ID{"ec-1"}},
				{Clause: "III.1", Code: "staff", Refs: []domain.Seq{8}}}}}
		if i%10 == 9 {
			d.Type, d.Decision.Decision, d.Decision.Violation = "access.denied", domain.Denied, id
		}
		if client == "client-0" {
			d.Subject.Client = "client-0"
		}
		msg, err := d.Append(nil)
		require.NoError(b.t, err)
		if entries = append(entries, eventstore.Entry{Subject: d.NATSSubject(), Data: msg}); len(entries) == 1000 {
			flush()
		}
	}
	flush()
	for _, a := range acks {
		require.NoError(b.t, a.Err())
	}
}

// BenchmarkQuestions says what the first page of each question costs, without the
// door: go test -bench Questions -asked 1000000.
func BenchmarkQuestions(b *testing.B) {
	k := newBook(b)
	k.given("clerk", "party.register", `{"party":"wu","category":"staff","kind":"person","name":"Wu Min"}`)
	k.together(func() {
		for i := range 1000 {
			k.given("clerk", "client.register", fmt.Sprintf(`{"client":"client-%d","name":"Client %d","contacts":[]}`, i, i))
			k.given("officer", "authorization.issue", fmt.Sprintf(`{"client":"client-%d","authorization":"a1","party":"wu","scope":{"all":true},"purposes":["relationship"],"need":"x"}`, i))
			k.given("clerk", "record.register", fmt.Sprintf(`{"client":"client-%d","record":"label-0","title":"Label","class":"ordinary","medium":"electronic","encrypted":false,"retention":{"after":"registration","keep":"P5Y"}}`, i))
		}
	})
	k.together(func() { // a client with a hundred events
		k.given("clerk", "party.register", `{"party":"bank","category":"authority","kind":"institution","name":"The Bank"}`)
		for i := range 49 {
			k.given("clerk", "evidence.file", withDefaults(b, "evidence.file", fmt.Sprintf(`{"evidence":"co-%d","client":"client-5","kind":"consent"}`, i)))
			k.given("clerk", "consent.give", fmt.Sprintf(`{"client":"client-5","consent":"c-%d","party":"bank","scope":{"all":true},"purposes":["fees"],"evidence":"co-%d"}`, i, i))
		}
	})
	then := k.last
	start := time.Now()
	k.accesses(*askedEvents)
	k.acked.Store(k.last)
	b.Logf("appended in %v", time.Since(start))
	start = time.Now()
	require.NoError(b, Rebuild(b.Context(), k.log, k.store, nil))
	b.Logf("rebuilt in %v", time.Since(start))
	ms, auditor := k.clock.UnixMilli(), k.key("auditor")
	for _, q := range []string{
		`{"ask":"status"}`,
		`{"ask":"trail"}`,
		`{"ask":"trail","client":"client-7"}`,
		`{"ask":"trail","party":"party-7"}`,
		`{"ask":"trail","party":"party-7","decision":"denied"}`,
		`{"ask":"trail","party":"party-9","client":"client-11"}`,
		`{"ask":"trail","record":"label-1"}`,
		`{"ask":"trail","actor":"officer"}`,
		`{"ask":"trail","evidence":"ec-1"}`,
		`{"ask":"trail","evidence":"none"}`,
		`{"ask":"trail","type":"access.denied"}`,
		`{"ask":"trail","clause":"III.1"}`,
		`{"ask":"trail","decision":"denied"}`,
		`{"ask":"trail","type":"party.retired"}`,
		`{"ask":"trail","from":"2026-01-02T09:00:01Z","to":"2026-01-02T09:00:02Z"}`,
		`{"ask":"explain","attempt":"` + fmt.Sprintf("%08x-%04x-7000-8000-%012x", ms>>16, ms&0xffff, k.last) + `"}`,
		`{"ask":"rights","client":"client-7"}`,
		fmt.Sprintf(`{"ask":"rights","client":"client-5","at":%d}`, then),
		fmt.Sprintf(`{"ask":"rights","client":"client-5","at":%d}`, then-40),
		`{"ask":"rights","client":"client-5","at":"2026-01-02T09:00:01Z"}`,
		`{"ask":"rights","party":"wu"}`,
		`{"ask":"rights"}`,
		`{"ask":"clients"}`,
		`{"ask":"records","client":"client-7"}`,
		`{"ask":"violations"}`,
		`{"ask":"violations","client":"client-9","open":true}`,
		`{"ask":"destruction"}`,
		`{"ask":"destruction","by":"2030-01-01T00:00:00Z"}`,
		`{"ask":"notices","edition":6}`,
		`{"ask":"events"}`,
		`{"ask":"events","client":"client-7"}`,
	} {
		b.Run(q, func(b *testing.B) {
			for range b.N {
				k.service.Answer(b.Context(), "auditor", auditor, []byte(q))
			}
			a := k.ask("auditor", q)
			require.Nil(b, a.Error)
			b.ReportMetric(float64(len(a.Items)), "items")
		})
	}
}
