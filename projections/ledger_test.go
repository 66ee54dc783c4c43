package projections

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore"
	"github.com/qtccc/assent/eventstore/cloudevent"
)

// A ledger is a stream in memory that the law made: what is said to it is decided
// and recorded, as the writer does.
type ledger struct {
	t        testing.TB
	h        domain.History
	events   []Applied
	messages []eventstore.Message
	clock    time.Time
}

const (
	ledgerID = "0191e7a4-7c1b-7d6e-9f00-3a5b8c2d1e4f"
	adminKey = "UAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)

// keyOf is an actor's.
func keyOf(actor domain.ID) domain.PublicKey {
	name := strings.ToUpper(strings.NewReplacer("-", "", "0", "").Replace(string(actor)))
	return domain.PublicKey("U" + name + strings.Repeat("2", 55-len(name)))
}

// sum is a digest of some text.
func sum(s string) string {
	d := sha256.Sum256([]byte(s))
	return hex.EncodeToString(d[:])
}

// newLedger is one that was opened, and has an actor of each role, a party of the
// staff and two of the client's side.
func newLedger(t testing.TB) *ledger {
	l := &ledger{t: t, clock: time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)}
	l.say("admin", "ledger.open", fmt.Sprintf(`{"ledger":%q,"name":"agency","format":1,"log":"log+00000000+%s",
		"admin":{"actor":"admin","publicKey":%q},
		"policy":{"edition":6,"effective":"2023-04-14T00:00:00+08:00","sha256":%q,"reviewEvery":"P6M","noticeWithin":"P30D"}}`,
		ledgerID, strings.Repeat("A", 44), keyOf("admin"), sum("edition 6")))
	for _, role := range []domain.ID{"clerk", "officer", "manager", "gateway"} {
		l.say("admin", "identity.add", fmt.Sprintf(`{"actor":%q,"role":%q,"publicKey":%q}`, role, role, keyOf(role)))
	}
	l.say("officer", "party.register", `{"party":"lab","category":"staff","kind":"institution","name":"sha256:`+sum("lab")+`"}`)
	l.say("clerk", "party.register", `{"party":"wang","category":"staff","kind":"person","of":"lab","name":"sha256:`+sum("wang")+`"}`)
	l.say("officer", "training.complete", `{"party":"wang","course":"care","until":"2030-01-01T00:00:00Z"}`)
	for _, p := range []string{"li", "chen", "agent"} {
		l.say("clerk", "party.register", fmt.Sprintf(`{"party":%q,"category":"external","kind":"person","name":"sha256:%s"}`, p, sum(p)))
	}
	return l
}

// say is decided, and recorded where it is an event.
func (l *ledger) say(actor domain.ID, name, data string) domain.Outcome {
	l.clock = l.clock.Add(1500 * time.Millisecond)
	return l.sayAt(l.clock, actor, name, data)
}

func (l *ledger) sayAt(at time.Time, actor domain.ID, name, data string) domain.Outcome {
	raw := jsontext.Value(data)
	require.NoError(l.t, raw.Canonicalize())
	d, fault := cloudevent.ParseData(name, raw)
	require.Nil(l.t, fault, name)
	seq := domain.Seq(len(l.messages) + 1)
	id := domain.UUID(fmt.Sprintf("0191e7a4-8000-7000-8000-%012x", seq))
	c := &domain.Command{ID: domain.UUID(aUUID(uint64(seq))), Actor: actor, Name: name, Key: keyOf(actor), Issued: at, Data: d}
	out := domain.Decide(l.h.At(seq-1), c, at, id)
	if out.Type == "" {
		return out
	}
	l.record(&cloudevent.Document{Ledger: ledgerID, ID: id, Type: out.Type, Subject: out.Subject, Time: at, Seq: uint64(seq),
		Actor: actor, Command: c.ID, Rules: domain.Rules, Data: raw, Decision: out.Decision, Refusal: out.Refusal,
		Name: name, Issued: at.Format(time.RFC3339Nano), Signature: make([]byte, 64)})
	return out
}

func (l *ledger) record(doc *cloudevent.Document) {
	e, err := doc.Event()
	require.NoError(l.t, err)
	b, err := doc.Append(nil)
	require.NoError(l.t, err)
	before := l.h.At(e.Seq - 1)
	for _, c := range domain.Apply(before, e) {
		if _, there := before.Get(c.Key); c.New {
			require.False(l.t, there, "%v is no new fact", c.Key)
		}
	}
	l.messages = append(l.messages, eventstore.Message{Seq: doc.Seq, Subject: doc.NATSSubject(), Data: b})
	l.events = append(l.events, Applied{Doc: doc, Event: e, Changes: l.h.Record(e), Message: b})
}

// must records it, or the test fails.
func (l *ledger) must(actor domain.ID, name, data string) {
	l.t.Helper()
	out := l.say(actor, name, data)
	require.Nil(l.t, out.Fault, "%s %s: %v", name, data, out.Fault)
}

// client has a client come, sign, name whom it designates, and be asked for.
func (l *ledger) client(id string) {
	l.must("clerk", "client.register", fmt.Sprintf(`{"client":%q,"name":"sha256:%s","contacts":["li"]}`, id, sum(id)))
	for _, kind := range []string{"engagement-confirmation", "confirmation-letter", "special-authorization", "consent"} {
		l.must("clerk", "evidence.file", fmt.Sprintf(`{"evidence":"%s-%s","client":%q,"kind":%q,"sha256":%q,"size":3,
			"mediaType":"application/pdf","signed":true,"stamped":true,"signedOn":"2026-01-01T00:00:00Z","custody":"paper","place":"sha256:%s"}`,
			kind, id, id, kind, sum(id+kind), sum("cabinet")))
	}
	l.must("clerk", "record.register", fmt.Sprintf(`{"client":%q,"record":"r1","title":"sha256:%s","class":"ordinary","medium":"electronic",
		"encrypted":false,"retention":{"after":"registration","keep":"P1D"}}`, id, sum("r1")))
	l.access(id, "li", "r1")
	l.must("clerk", "engagement.confirm", fmt.Sprintf(`{"client":%q,"engagement":"e1","evidence":"engagement-confirmation-%s",
		"purposes":["service","fees"],"designees":[{"designation":"d2","party":"li","scope":{"all":true}},
		{"designation":"d1","party":"chen","scope":{"engagements":["e1"]}}]}`, id, id))
	l.must("clerk", "designation.make", fmt.Sprintf(`{"client":%q,"designation":"d3","party":"li","scope":{"records":["r1"]},
		"actions":["consult","transfer"],"until":"2027-01-01T00:00:00+08:00","evidence":"confirmation-letter-%s"}`, id, id))
	l.must("officer", "delegation.authorize", fmt.Sprintf(`{"client":%q,"delegation":"x1","designation":"d3","delegate":"agent",
		"evidence":"special-authorization-%s"}`, id, id))
	l.must("officer", "authorization.issue", fmt.Sprintf(`{"client":%q,"authorization":"a1","party":"wang","engagement":"e1",
		"scope":{"all":true,"sensitive":true},"purposes":["service"],"need":"sha256:%s"}`, id, sum("need")))
	l.access(id, "li", "r1")
	l.access(id, "wang", "r1")
	l.access(id, "agent", "r1")
	l.access(id, "chen", "none")
	l.say("clerk", "designation.revoke", fmt.Sprintf(`{"client":%q,"designation":"d1","reason":"sha256:%s"}`, id, sum("why")))
	l.say("clerk", "authorization.revoke", fmt.Sprintf(`{"client":%q,"authorization":"a1","reason":"sha256:%s"}`, id, sum("why")))
	l.must("officer", "evidence.void", fmt.Sprintf(`{"evidence":"confirmation-letter-%s","reason":"sha256:%s"}`, id, sum("why")))
	l.access(id, "li", "r1")
	l.must("officer", "engagement.close", fmt.Sprintf(`{"client":%q,"engagement":"e1","reason":"sha256:%s"}`, id, sum("why")))
}

func (l *ledger) access(client, party, record string) {
	l.say("gateway", "access.request", fmt.Sprintf(`{"client":%q,"record":%q,"party":%q,"action":"consult","purpose":"service"}`, client, record, party))
}

// Last and Read are those of a log.
func (l *ledger) Last(context.Context) (uint64, error) { return uint64(len(l.messages)), nil }

func (l *ledger) Read(ctx context.Context, from, to uint64, each func(eventstore.Message) error) error {
	room := []byte(nil)
	for _, m := range l.messages[from-1 : to] {
		if err := ctx.Err(); err != nil {
			return err
		}
		room = append(room[:0], m.Data...) // good only until each returns
		m.Data = room
		if err := each(m); err != nil {
			return err
		}
	}
	return nil
}
