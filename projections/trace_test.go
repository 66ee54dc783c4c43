package projections

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/domain/lawtest"
	"github.com/qtccc/assent/eventstore/cloudevent"
)

// A tracedReply is an item of a trace as a client reads it.
type tracedReply struct {
	Right *struct {
		Right    string     `json:"right"`
		ID       domain.ID  `json:"id"`
		Client   domain.ID  `json:"client"`
		Party    domain.ID  `json:"party"`
		From     domain.Seq `json:"from"`
		Evidence domain.ID  `json:"evidence"`
	} `json:"right"`
	Instrument *instrument   `json:"instrument"`
	From       *instrument   `json:"from"`
	Others     []*instrument `json:"others"`
	Relied     []reliedItem  `json:"relied"`
	More       bool          `json:"more"`
}

// name is what the item is about.
func (r *tracedReply) name() string {
	if r.Right == nil {
		return "evidence/" + string(r.Instrument.Evidence)
	}
	return fmt.Sprintf("%s/%s/%s/%d", r.Right.Client, r.Right.Right, r.Right.ID, r.Right.From)
}

func (r *tracedReply) seqs() (seqs []uint64) {
	for _, a := range r.Relied {
		seqs = append(seqs, a.Seq)
	}
	return seqs
}

// traced turns the pages of a trace and joins what a page broke off, which nothing
// but the accesses may tell apart.
func (b *book) traced(as domain.ID, key domain.PublicKey, question string) (items []tracedReply) {
	b.t.Helper()
	broken := false
	for page := question; ; {
		a := replied(b.t, b.service.Answer(b.t.Context(), as, key, []byte(page)))
		require.True(b.t, a.OK, "%s: %v", page, a.Error)
		for i, it := range each[tracedReply](b.t, a.Items) {
			require.False(b.t, it.More && i < len(a.Items)-1, "only the last item of a page goes on")
			if broken {
				last := &items[len(items)-1]
				require.Equal(b.t, last.Right, it.Right)
				require.Equal(b.t, last.Instrument, it.Instrument)
				last.Relied = append(last.Relied, it.Relied...)
			} else {
				items = append(items, it)
			}
			broken = it.More
		}
		if a.Cursor == "" {
			require.False(b.t, broken, "there is more, and no cursor")
			return items
		}
		page = strings.TrimSuffix(question, "}") + `,"cursor":"` + a.Cursor + `"}`
	}
}

// holds compares every trace with what reading every event finds.
func (b *book) holds(as domain.ID, key domain.PublicKey, events []*domain.Event) (relied int) {
	all := things(events)
	expect := func(g *thing, it *tracedReply, paper domain.ID) {
		require.Equal(b.t, g.name(), it.name())
		require.Equal(b.t, g.reliedOn(events, all), it.seqs(), "%s", g.name())
		relied += len(it.Relied)
		var has, others []domain.ID
		if it.Instrument != nil {
			has = append(has, it.Instrument.Evidence)
		}
		for _, p := range it.Others {
			others = append(others, p.Evidence)
		}
		require.Equal(b.t, paper == "", has == nil, g.name())
		require.True(b.t, paper == "" || has[0] == paper, "%s by %s", g.name(), paper)
		require.Subset(b.t, g.papers, append(others, has...), g.name())
		require.Subset(b.t, append(others, has...), g.papers, g.name())
		for _, from := range all {
			if g.kind == "delegation" && from.client == g.client && from.kind == "designation" && from.id == g.from {
				require.Equal(b.t, from.paperAt(g.made), it.From.Evidence, g.name())
			}
		}
		for _, a := range it.Relied {
			e := events[a.Seq-1]
			require.Equal(b.t, e.Decision.Decision, a.Decision)
			require.Equal(b.t, e.ID, a.Attempt)
		}
	}
	papers := map[domain.ID][]*thing{}
	for _, g := range all {
		for i, id := range g.papers {
			if !slices.Contains(g.papers[:i], id) {
				papers[id] = append(papers[id], g)
			}
		}
		if g.kind != "contact" && g.kind != "undertaking" {
			found := b.traced(as, key, fmt.Sprintf(`{"ask":"trace","client":%q,%q:%q}`, g.client, g.kind, g.id))
			require.Len(b.t, found, 1)
			expect(g, &found[0], g.paperAt(domain.Seq(b.last)))
		}
	}
	for _, e := range events {
		c, ok := e.Data.(*domain.EvidenceFile)
		if !ok || e.Refusal != nil {
			continue
		}
		found := b.traced(as, key, fmt.Sprintf(`{"ask":"trace","evidence":%q}`, c.Evidence))
		resting := papers[c.Evidence]
		for _, it := range found {
			if it.Right == nil {
				require.Equal(b.t, c.Evidence, it.Instrument.Evidence)
				require.Equal(b.t, confirmed(events, c.Evidence), it.seqs(), c.Evidence)
				require.True(b.t, len(found) == 1 || c.Kind == domain.ModificationConfirmation)
				continue
			}
			i := slices.IndexFunc(resting, func(g *thing) bool { return g.name() == it.name() })
			require.GreaterOrEqual(b.t, i, 0, "%s of %s", it.name(), c.Evidence)
			expect(resting[i], &it, c.Evidence)
			resting = slices.Delete(slices.Clone(resting), i, i+1)
		}
		require.Empty(b.t, resting, c.Evidence)
		require.NotEmpty(b.t, found, c.Evidence)
	}
	return relied
}

func (b *book) events() (events []*domain.Event) {
	for _, d := range b.documents() {
		e, err := d.Event()
		require.NoError(b.t, err)
		events = append(events, e)
	}
	return events
}

// II.1: a trace leaves out no access that relied on what it is about, and has none
// that didn't.
func TestATraceLeavesNoAccessOut(t *testing.T) {
	for name, lines := range map[string]string{"agency": agency, "affairs": affairs, "chains": chains} {
		t.Run(name, func(t *testing.T) {
			b := newBook(t)
			b.play(t, lines)
			require.NotZero(t, b.holds("auditor", b.key("auditor"), b.events()))
		})
	}
}

// The same of histories that are made up.
func TestATraceOfAMadeUpHistoryLeavesNoAccessOut(t *testing.T) {
	for seed := range uint64(2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			l := lawtest.Open(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
			l.Settle()
			c := lawtest.Chance(rand.New(rand.NewPCG(seed, 7)).IntN)
			for range 1200 {
				l.Step(c)
			}
			b := emptyBook(t)
			b.together(func() {
				for _, e := range l.Events {
					b.record(documentOf(t, e))
				}
			})
			as, key := reader(t, l)
			require.Greater(t, b.holds(as, key, l.Events), 100)
		})
	}
}

// documentOf is the event as the stream would hold it.
func documentOf(t *testing.T, e *domain.Event) *cloudevent.Document {
	raw, err := json.Marshal(e.Data)
	require.NoError(t, err)
	data := jsontext.Value(raw)
	require.NoError(t, data.Canonicalize())
	return &cloudevent.Document{Ledger: theLedger, ID: e.ID, Type: e.Type, Subject: e.Subject, Time: e.Time, Seq: uint64(e.Seq), Actor: e.Actor,
		Command: e.Command, Rules: e.Rules, Data: data, Decision: e.Decision, Refusal: e.Refusal, Name: e.Name,
		Issued: e.Time.Format(time.RFC3339Nano), Signature: make([]byte, 64), Observed: e.Observed}
}

// reader is somebody who may ask.
func reader(t *testing.T, l *lawtest.Ledger) (domain.ID, domain.PublicKey) {
	for k, known := range l.View().List(domain.KindActor, "", "") {
		who := known.Fact.(*domain.Actor)
		if !who.Revoked && who.Party == "" && slices.Contains(readers, who.Role) {
			return domain.ID(k.C), who.PublicKey
		}
	}
	t.Fatal("nobody may ask")
	return "", ""
}

// A decision leads to everything that it rests on: whatever paper its reasons name
// stands in an item, and whatever right.
func TestAnAttemptLeadsToAllThatItsDecisionRestsOn(t *testing.T) {
	for name, lines := range map[string]string{"agency": agency, "affairs": affairs, "chains": chains} {
		t.Run(name, func(t *testing.T) {
			b := newBook(t)
			b.play(t, lines)
			events := b.events()
			all := things(events)
			n := 0
			for _, e := range events {
				if e.Decision == nil {
					continue
				}
				req := e.Data.(*domain.AccessRequest)
				found := b.traced("auditor", b.key("auditor"), `{"ask":"trace","attempt":"`+string(e.ID)+`"}`)
				n += len(found)
				var papers []domain.ID
				var names []string
				for _, it := range found {
					for _, p := range append(it.Others, it.Instrument, it.From) {
						if p != nil {
							papers = append(papers, p.Evidence)
						}
					}
					if it.Right != nil {
						names = append(names, it.name())
					}
					require.Contains(t, it.seqs(), uint64(e.Seq), "what it rests on, it relied on")
				}
				var want []string
				for _, g := range all {
					if req.Client == g.client && g.made < e.Seq && slices.ContainsFunc(e.Decision.Reasons, func(r domain.Reason) bool { return g.namedBy(&r, req, all) }) {
						want = append(want, g.name())
					}
				}
				require.ElementsMatch(t, want, names, "%d", e.Seq)
				for _, r := range e.Decision.Reasons {
					require.Subset(t, papers, r.Evidence, "%d %s %s", e.Seq, r.Clause, r.Code)
				}
			}
			require.NotZero(t, n)
		})
	}
}

// Contract, section 5, for traces.
func TestThePastOfTracesIsAnsweredAsItWasThen(t *testing.T) {
	questions := []string{`{"ask":"trace","client":"acme","delegation":"g1"}`, `{"ask":"trace","client":"acme","authorization":"a1"}`}
	for _, id := range []string{"c1", "c2"} {
		questions = append(questions, `{"ask":"trace","client":"acme","consent":"`+id+`"}`)
	}
	for _, id := range []string{"d1", "d2"} {
		questions = append(questions, `{"ask":"trace","client":"acme","designation":"`+id+`"}`)
	}
	for _, id := range []string{"t1", "t2"} {
		questions = append(questions, `{"ask":"trace","client":"acme","terms":"`+id+`"}`)
	}
	questions = append(questions, `{"ask":"trace","client":"acme","approval":"ok1"}`)
	for _, id := range []string{"card", "nda", "consent-1", "ec-1", "letter-2", "mc-1", "st-1", "spare"} {
		questions = append(questions, `{"ask":"trace","evidence":"`+id+`"}`)
	}
	b := newBook(t)
	b.play(t, chains)
	for _, d := range b.documents() {
		if d.Decision != nil && d.Seq%5 == 0 {
			questions = append(questions, `{"ask":"trace","attempt":"`+string(d.ID)+`"}`)
		}
	}
	answeredAsThen(t, chains, questions)
}

// A consent that was relied on often, and a paper that gave many, come in pages, with
// nothing left out and nothing twice.
func TestATraceGoesOnWithinAnItem(t *testing.T) {
	b := newBook(t)
	b.play(t, chains)
	first := b.last + 1
	b.together(func() {
		for range mostItems + 200 {
			b.given("gateway", "access.request", `{"client":"acme","record":"label","party":"law","action":"consult","purpose":"registration"}`)
		}
	})
	question := `{"ask":"trace","client":"acme","consent":"c2"}`
	pages := 0
	for page := question; ; pages++ {
		a := b.ask("auditor", page)
		require.Len(t, a.Items, 1, "one item, or a part of it")
		if a.Cursor == "" {
			break
		}
		page = strings.TrimSuffix(question, "}") + `,"cursor":"` + a.Cursor + `"}`
	}
	require.NotZero(t, pages)
	events := b.events()
	require.NotZero(t, b.holds("auditor", b.key("auditor"), events))
	require.Greater(t, b.last, first)

	b.together(func() {
		b.given("clerk", "evidence.file", withDefaults(t, "evidence.file", `{"evidence":"many","client":"beta","kind":"consent"}`))
		for i := range mostItems + 20 {
			b.given("clerk", "party.register", fmt.Sprintf(`{"party":"p%d","category":"authority","kind":"person","name":"x"}`, i))
			b.given("clerk", "consent.give", fmt.Sprintf(`{"client":"beta","consent":"m%d","party":"p%d","scope":{"all":true},"purposes":["fees"],"evidence":"many"}`, i, i))
			if i%100 == 0 {
				b.given("gateway", "access.request", fmt.Sprintf(`{"client":"beta","record":"label","party":"p%d","action":"consult","purpose":"fees"}`, i))
			}
		}
	})
	items := b.traced("auditor", b.key("auditor"), `{"ask":"trace","evidence":"many"}`)
	require.Len(t, items, mostItems+20)
	for i, it := range items {
		require.Equal(t, fmt.Sprintf("m%d", i), string(it.Right.ID))
		require.Len(t, it.Relied, map[bool]int{true: 1}[i%100 == 0])
	}
}

// A trace is of one thing, and what it names is known.
func TestATraceIsOfOneThing(t *testing.T) {
	b := newBook(t)
	b.play(t, chains)
	for question, want := range map[string]string{
		`{"ask":"trace"}`:                                                                                          "invalid /client",
		`{"ask":"trace","client":"acme"}`:                                                                          "invalid /client",
		`{"ask":"trace","consent":"c1"}`:                                                                           "invalid /client",
		`{"ask":"trace","client":"acme","evidence":"ec-1"}`:                                                        "invalid /client",
		`{"ask":"trace","client":"acme","consent":"c1","terms":"t1"}`:                                              "invalid /terms",
		`{"ask":"trace","client":"acme","consent":"C"}`:                                                            "invalid /consent",
		`{"ask":"trace","client":"acme","consent":"c1","evidence":"ec-1"}`:                                         "invalid /client",
		`{"ask":"trace","client":"ghost","consent":"c1"}`:                                                          "unknown /client",
		`{"ask":"trace","client":"acme","consent":"d1"}`:                                                           "unknown /consent",
		`{"ask":"trace","client":"beta","authorization":"a1"}`:                                                     "unknown /authorization",
		`{"ask":"trace","client":"beta","terms":"t1"}`:                                                             "unknown /terms",
		`{"ask":"trace","client":"beta","approval":"ok1"}`:                                                         "unknown /approval",
		`{"ask":"trace","evidence":"none"}`:                                                                        "unknown /evidence",
		`{"ask":"trace","attempt":"019b7def-6680-7000-8000-00000000ffff"}`:                                         "unknown /attempt",
		`{"ask":"trace","client":"acme","consent":"c1","cursor":"e30"}`:                                            "invalid /cursor",
		`{"ask":"trace","client":"acme","consent":"c1","cursor":"` + cursorOf(b, []string{"x"}) + `"}`:             "invalid /cursor",
		`{"ask":"trace","client":"acme","consent":"c1","cursor":"` + cursorOf(b, []string{"1", "", "", ""}) + `"}`: "invalid /cursor",
	} {
		a := b.ask("auditor", question)
		require.NotNil(t, a.Error, question)
		require.Equal(t, want, string(a.Error.Code)+" "+a.Error.Field, question)
	}
	require.Equal(t, domain.Forbidden, b.ask("clerk", `{"ask":"trace","client":"acme","consent":"c1"}`).Error.Code)
	far := b.ask("auditor", `{"ask":"trace","client":"acme","consent":"c1","cursor":"`+cursorOf(b, []string{"1", "77", "0", "true"})+`"}`)
	require.True(t, far.OK)
	require.Empty(t, far.Items)
}

// cursorOf is one of the trace of c1, made up.
func cursorOf(b *book, key []string) string {
	q, _ := parseAsked([]byte(`{"ask":"trace","client":"acme","consent":"c1"}`))
	c := cursor{Mark: b.service.mark(q), N: b.last, At: b.last, Time: b.clock, Key: key}
	return c.String()
}
