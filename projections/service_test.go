package projections

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/domain"
)

// dial connects as an actor, from outside, and returns how it asks at a door.
func (b *book) dial(actor domain.ID) (*nats.Conn, func(door domain.ID, question string) reply) {
	kp := b.keys[actor]
	nc, err := nats.Connect("nats://"+b.srv.Addr(), nats.Nkey(string(b.key(actor)), kp.Sign), nats.CustomInboxPrefix("_INBOX."+string(actor)))
	require.NoError(b.t, err)
	b.t.Cleanup(nc.Close)
	return nc, func(door domain.ID, question string) reply {
		m, err := nc.Request("assent.ask."+string(door), []byte(question), 5*time.Second)
		require.NoError(b.t, err)
		return replied(b.t, m.Data)
	}
}

func serve(t testing.TB, b *book, cfg ServiceConfig) *Service {
	s, err := Serve(b.nc, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// Contract, section 7: the connection stands for the asker.
func TestOnlyTheActorsOwnKeyInForceIsAnswered(t *testing.T) {
	b := newBook(t)
	b.grants[string(b.key("clerk"))] = b.grants[string(b.key("clerk"))].And(b.grants[string(b.key("auditor"))])
	serve(t, b, b.config())
	_, auditor := b.dial("auditor")
	require.True(t, auditor("auditor", `{"ask":"status"}`).OK)

	// A connection that may publish at another's door is still not that other.
	nc, clerk := b.dial("clerk")
	require.True(t, clerk("clerk", `{"ask":"status"}`).OK)
	require.Equal(t, domain.Unauthenticated, clerk("auditor", `{"ask":"status"}`).Error.Code)

	// What the caller says of itself counts for nothing.
	m := nats.NewMsg("assent.ask.auditor")
	m.Data = []byte(`{"ask":"trail"}`)
	m.Header.Set("Nats-Request-Info", `{"acc":"CALLERS","user":"`+string(b.key("auditor"))+`"}`)
	got, err := nc.RequestMsg(m, 5*time.Second)
	require.NoError(t, err)
	require.Equal(t, domain.Unauthenticated, replied(t, got.Data).Error.Code)

	// A key that was replaced is no longer the actor's, on an open connection too.
	b.given("admin", "identity.rotate", `{"actor":"auditor","publicKey":"`+strings.Replace(string(b.key("auditor")), "U", "UA", 1)[:56]+`"}`)
	require.Equal(t, domain.Unauthenticated, auditor("auditor", `{"ask":"status"}`).Error.Code)
}

// Contract, section 7: an answer goes only where the server said.
func TestAReplySubjectOfTheCallersMakingIsNotAnswered(t *testing.T) {
	b := newBook(t)
	serve(t, b, b.config())
	sub, err := b.nc.SubscribeSync("answers")
	require.NoError(t, err)
	// In the ledger's own account nothing rewrites the reply.
	require.NoError(t, b.nc.PublishRequest("assent.ask.auditor", "answers", []byte(`{"ask":"status"}`)))
	require.NoError(t, b.nc.Publish("assent.ask.auditor", []byte(`{"ask":"status"}`)))
	_, ask := b.dial("auditor")
	require.True(t, ask("auditor", `{"ask":"status"}`).OK) // what came before it was looked at
	require.NoError(t, b.nc.Flush())
	n, _, err := sub.Pending()
	require.NoError(t, err)
	require.Zero(t, n)
}

// Contract, section 5: roles officer, manager, auditor; * clerk too; status and
// identities admin too.
func TestWhoMayAskWhat(t *testing.T) {
	b := newBook(t)
	b.given("clerk", "client.register", `{"client":"acme","name":"Acme","contacts":[]}`)
	b.given("clerk", "evidence.file", withDefaults(t, "evidence.file", `{"evidence":"e1","client":"acme","kind":"other"}`))
	b.given("manager", "review.open", `{"review":"rv-1","title":"Half-year"}`)
	asks := map[string]string{
		"trace": "officer manager auditor", "redecide": "officer manager auditor",
		"reviews": "officer manager auditor", "review": "officer manager auditor",
		"rights": "clerk officer manager auditor", "records": "clerk officer manager auditor", "clients": "clerk officer manager auditor",
		"parties": "clerk officer manager auditor", "evidence": "clerk officer manager auditor", "engagements": "clerk officer manager auditor",
		"terms": "clerk officer manager auditor", "approvals": "clerk officer manager auditor", "editions": "clerk officer manager auditor",
		"notices": "clerk officer manager auditor", "inquiries": "clerk officer manager auditor",
		"violations": "officer manager auditor", "destruction": "officer manager auditor", "holds": "officer manager auditor",
		"trail": "officer manager auditor", "explain": "officer manager auditor", "events": "officer manager auditor",
		"identities": "officer manager auditor admin", "status": "clerk officer manager auditor admin",
	}
	require.Len(t, Questions, len(asks))
	for ask, roles := range asks {
		for _, role := range domain.Roles {
			question := `{"ask":"` + ask + `"}`
			switch ask {
			case "trace":
				question = `{"ask":"trace","evidence":"e1"}`
			case "review":
				question = `{"ask":"review","review":"rv-1"}`
			case "notices":
				question = `{"ask":"notices","edition":6}`
			case "records", "engagements", "terms", "approvals":
				question = `{"ask":"` + ask + `","client":"acme"}`
			case "explain":
				question = `{"ask":"explain","request":{"client":"a","record":"b","party":"c","action":"use","purpose":"d"}}`
			}
			a := b.ask(string(role), question)
			if slices.Contains(strings.Fields(roles), string(role)) {
				require.True(t, a.OK, "%s %s: %v", role, ask, a.Error)
			} else {
				require.False(t, a.OK, "%s %s", role, ask)
				require.Equal(t, domain.Forbidden, a.Error.Code, "%s %s", role, ask)
			}
		}
	}
}

// P.1: whoever is out of service comes near no data, as an officer either.
func TestAnActorWhosePartyIsRetiredIsForbidden(t *testing.T) {
	b := newBook(t)
	b.given("officer", "party.register", `{"party":"desk","category":"staff","kind":"institution","name":"Desk"}`)
	b.given("officer", "party.register", `{"party":"wu","category":"staff","kind":"person","of":"desk","name":"Wu"}`)
	b.given("admin", "identity.rotate", `{"actor":"clerk","publicKey":"`+"UC"+strings.Repeat("A", 54)+`","party":"wu"}`)
	clerk := func() reply {
		return replied(t, b.service.Answer(t.Context(), "clerk", domain.PublicKey("UC"+strings.Repeat("A", 54)), []byte(`{"ask":"clients"}`)))
	}
	require.True(t, clerk().OK)
	b.given("officer", "party.retire", `{"party":"desk","reason":"closed"}`)
	require.Equal(t, domain.Forbidden, clerk().Error.Code)
}

// What is malformed is answered with the field, before anything is looked up.
func TestMalformedQuestionsNameTheField(t *testing.T) {
	b := newBook(t)
	b.given("clerk", "client.register", `{"client":"acme","name":"Acme","contacts":[]}`)
	for _, tt := range []struct{ question, code, field string }{
		{``, "invalid", ""},
		{`[]`, "invalid", ""},
		{`{"ask":"status"`, "invalid", ""},
		{`{"ask":"status"} {}`, "invalid", ""},
		{`{"ask":"status","ask":"status"}`, "invalid", "/ask"},
		{`{"ask":"nothing"}`, "invalid", "/ask"},
		{`{"ask":7}`, "invalid", "/ask"},
		{`{"client":"acme"}`, "invalid", "/ask"},
		{`{"ask":"rights","client":"acme","colour":1}`, "invalid", "/colour"},
		{`{"ask":"rights","client":"acme","a/b":1}`, "invalid", "/a~1b"},
		{`{"ask":"rights","client":"Acme"}`, "invalid", "/client"},
		{`{"ask":"rights","client":7}`, "invalid", "/client"},
		{`{"ask":"rights","client":null}`, "invalid", "/client"},
		{`{"ask":"rights","record":"r1"}`, "invalid", "/record"},
		{`{"ask":"rights","ended":"yes"}`, "invalid", "/ended"},
		{`{"ask":"rights","client":"acme","at":0}`, "invalid", "/at"},
		{`{"ask":"rights","client":"acme","at":-1}`, "invalid", "/at"},
		{`{"ask":"rights","client":"acme","at":1e1}`, "invalid", "/at"},
		{`{"ask":"rights","client":"acme","at":9}`, "invalid", "/at"},
		{`{"ask":"rights","client":"acme","at":99999999999999999999}`, "invalid", "/at"},
		{`{"ask":"rights","client":"acme","at":"yesterday"}`, "invalid", "/at"},
		{`{"ask":"rights","client":"acme","at":"0001-01-01T00:00:00Z"}`, "invalid", "/at"},
		{`{"ask":"rights","client":"nobody"}`, "unknown", "/client"},
		{`{"ask":"rights","party":"nobody"}`, "unknown", "/party"},
		{`{"ask":"rights","client":"acme","record":"nothing"}`, "unknown", "/record"},
		{`{"ask":"rights","client":"acme","cursor":"nonsense"}`, "invalid", "/cursor"},
		{`{"ask":"rights","client":"acme","cursor":""}`, "invalid", "/cursor"},
		{`{"ask":"records"}`, "invalid", "/client"},
		{`{"ask":"records","client":"nobody"}`, "unknown", "/client"},
		{`{"ask":"parties","category":"friend"}`, "invalid", "/category"},
		{`{"ask":"evidence","client":"acme","party":"li"}`, "invalid", "/party"},
		{`{"ask":"trail","type":"consent.gave"}`, "invalid", "/type"},
		{`{"ask":"trail","clause":"VI"}`, "invalid", "/clause"},
		{`{"ask":"trail","decision":"maybe"}`, "invalid", "/decision"},
		{`{"ask":"trail","at":3}`, "invalid", "/at"},
		{`{"ask":"events","after":-1}`, "invalid", "/after"},
		{`{"ask":"events","after":"7"}`, "invalid", "/after"},
		{`{"ask":"events","wait":"PT31S"}`, "invalid", "/wait"},
		{`{"ask":"events","wait":"P1D"}`, "invalid", "/wait"},
		{`{"ask":"events","wait":5}`, "invalid", "/wait"},
		{`{"ask":"explain"}`, "invalid", "/attempt"},
		{`{"ask":"explain","attempt":"x"}`, "invalid", "/attempt"},
		{`{"ask":"explain","attempt":"019B7DEF-6680-7000-8000-00000000000A"}`, "invalid", "/attempt"},
		{`{"ask":"explain","attempt":"019b7def-6680-7000-8000-00000000000a"}`, "unknown", "/attempt"},
		{`{"ask":"explain","attempt":"019b7def-6680-4000-8000-00000000000a"}`, "unknown", "/attempt"},
		{`{"ask":"explain","attempt":"019b7def-6680-7000-8000-00000000000a","at":3}`, "invalid", "/at"},
		{`{"ask":"explain","request":{"client":"acme"}}`, "invalid", "/request/record"},
		{`{"ask":"explain","request":7}`, "invalid", "/request"},
		{`{"ask":"explain","request":{"client":"a","record":"b","party":"c","action":"use","purpose":"d","recipient":"e"}}`, "invalid", "/request/recipient"},
		{`{"ask":"rights","client":"` + strings.Repeat("a", MaxQuestion) + `"}`, "invalid", ""},
		{`{"ask":"rights","client":"` + strings.Repeat("[", 20000) + `"}`, "invalid", "/client"},
		{`{"ask":"rights","client":` + strings.Repeat("[", 20000), "invalid", ""},
		{"{\"ask\":\"rights\",\"client\":\"\xff\"}", "invalid", "/client"},
	} {
		a := b.ask("auditor", tt.question)
		shown := tt.question[:min(len(tt.question), 100)]
		require.False(t, a.OK, shown)
		require.Equal(t, tt.code, string(a.Error.Code), "%s: %v", shown, a.Error)
		if !strings.Contains(tt.question, "[[[[") || tt.field != "" {
			require.Equal(t, tt.field, a.Error.Field, "%s: %v", shown, a.Error)
		}
		require.NotEmpty(t, a.Error.Message)
	}
}

// Back-pressure: what can't be taken is turned away at once, and nothing is lost
// of what was.
func TestBeyondItsBoundTheServiceSaysSoAtOnce(t *testing.T) {
	b := newBook(t)
	cfg := b.config()
	cfg.Open = 2
	serve(t, b, cfg)
	nc, ask := b.dial("auditor")
	waiting := make(chan *nats.Msg, 2)
	sub, err := nc.ChanSubscribe("_INBOX.auditor.waiting", waiting)
	require.NoError(t, err)
	defer func() { _ = sub.Unsubscribe() }()
	for range cfg.Open {
		require.NoError(t, nc.PublishRequest("assent.ask.auditor", "_INBOX.auditor.waiting", []byte(`{"ask":"events","after":7,"wait":"PT30S"}`)))
	}
	require.Equal(t, domain.Unavailable, ask("auditor", `{"ask":"status"}`).Error.Code)
	b.given("clerk", "client.register", `{"client":"acme","name":"Acme","contacts":[]}`)
	for range cfg.Open {
		a := replied(t, (<-waiting).Data)
		require.Equal(t, uint64(8), a.At)
		require.Len(t, a.Items, 1)
	}
	require.Eventually(t, func() bool { return ask("auditor", `{"ask":"status"}`).OK }, 5*time.Second, time.Millisecond)
}

// One actor can't take all that others need.
func TestOneActorHasABoundOfItsOwn(t *testing.T) {
	b := newBook(t)
	s := NewService(b.config())
	defer s.Close()
	for range mostOpenActor {
		require.True(t, s.admit("auditor"))
		defer s.release("auditor")
	}
	require.False(t, s.admit("auditor"))
	require.True(t, s.admit("officer"))
	s.release("officer")
}

// "after": the answer holds at or after it, once it is there.
func TestAnAnswerWaitsForWhatTheAskerHasSeen(t *testing.T) {
	b := newBook(t)
	got := make(chan reply, 1)
	key := b.key("auditor")
	go func() {
		got <- replied(t, b.service.Answer(t.Context(), "auditor", key, []byte(`{"ask":"clients","after":8}`)))
	}()
	b.given("clerk", "client.register", `{"client":"acme","name":"Acme","contacts":[]}`)
	a := <-got
	require.GreaterOrEqual(t, a.At, uint64(8))
	require.Len(t, a.Items, 1)

	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	require.Equal(t, domain.Unavailable, b.askWith(ctx, b.service, "auditor", `{"ask":"clients","after":9}`).Error.Code)
}

// Where the server gave one reply to two requests, the answer to the earlier question,
// which may be personal, would be told to whoever asked the later.
func TestTheAnswerToAnEarlierQuestionIsNotToldToALaterOne(t *testing.T) {
	b := newBook(t)
	s := serve(t, b, b.config())
	const reply = "_R_.ledger.abcdef"
	answers, err := b.nc.SubscribeSync(reply)
	require.NoError(t, err)
	for range cap(s.running) { // both wait for their turn
		s.running <- struct{}{}
	}
	for range 2 {
		s.receive(&nats.Msg{Subject: door + "auditor", Reply: reply, Data: []byte(`{"ask":"status"}`), Sub: s.sub})
	}
	for range cap(s.running) {
		<-s.running
	}
	require.Eventually(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.all == 0
	}, 5*time.Second, time.Millisecond)
	require.NoError(t, b.nc.Publish(reply, []byte("nothing more")))
	m, err := answers.NextMsg(5 * time.Second)
	require.NoError(t, err)
	require.NotEqual(t, "nothing more", string(m.Data))
	m, err = answers.NextMsg(5 * time.Second)
	require.NoError(t, err)
	require.Equal(t, "nothing more", string(m.Data))
}

// A service that is closed has ended what was waiting, and waited for it.
func TestCloseEndsWhatWaits(t *testing.T) {
	b := newBook(t)
	s, err := Serve(b.nc, b.config())
	require.NoError(t, err)
	nc, ask := b.dial("auditor")
	inbox, err := nc.SubscribeSync("_INBOX.auditor.one")
	require.NoError(t, err)
	require.NoError(t, nc.PublishRequest("assent.ask.auditor", "_INBOX.auditor.one", []byte(`{"ask":"events","after":7,"wait":"PT30S"}`)))
	require.True(t, ask("auditor", `{"ask":"status"}`).OK) // so the one before is in
	require.NoError(t, s.Close())
	m, err := inbox.NextMsg(5 * time.Second)
	require.NoError(t, err)
	require.Equal(t, domain.Unavailable, replied(t, m.Data).Error.Code)
	require.Zero(t, s.all)
}

// Nothing of what a question says, and nothing personal, gets into the log.
func TestTheLogHoldsNothingPersonal(t *testing.T) {
	b := newBook(t)
	var said bytes.Buffer
	cfg := b.config()
	cfg.Logger = slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s := NewService(cfg)
	b.given("clerk", "client.register", `{"client":"acme","name":"Secret Formula Ltd","contacts":[]}`)
	require.True(t, b.askWith(t.Context(), s, "auditor", `{"ask":"clients"}`).OK)
	require.Empty(t, said.String())
	require.NoError(t, b.store.Close())
	require.False(t, b.askWith(t.Context(), s, "auditor", `{"ask":"clients","at":"2026-01-02T09:00:00Z"}`).OK)
	require.NotContains(t, said.String(), "Secret")
	require.NoError(t, s.Close())
}

func TestAnswersAreOneJSONObject(t *testing.T) {
	b := newBook(t)
	for _, q := range []string{`{"ask":"status"}`, `{"ask":"identities"}`, `{"ask":"events","after":7}`, `{"ask":"no"}`} {
		require.True(t, json.Valid(b.service.Answer(t.Context(), "auditor", b.key("auditor"), []byte(q))), q)
	}
}

// docs/questions.md has every question and every field of it.
func TestThePageHasEveryQuestion(t *testing.T) {
	page, err := os.ReadFile("../docs/questions.md")
	require.NoError(t, err)
	for _, q := range Questions {
		_, of, ok := strings.Cut(string(page), "\n## "+q.Ask+"\n")
		require.True(t, ok, q.Ask)
		of, _, _ = strings.Cut(of, "\n## ")
		for _, f := range q.Fields {
			require.Regexp(t, "`"+f.Name+"[?`]", of, q.Ask)
		}
	}
}
