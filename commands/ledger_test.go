package commands

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore"
	"github.com/qtccc/assent/eventstore/cloudevent"
	"github.com/qtccc/assent/eventstore/natsd"
	"github.com/qtccc/assent/eventstore/vault"
	"github.com/qtccc/assent/projections"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A testClock stands still until it is set.
type testClock struct {
	mu  sync.Mutex
	now time.Time
	up  time.Duration
}

func newTestClock() *testClock { return &testClock{now: testTime, up: time.Hour} }

func (c *testClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *testClock) Up() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.up
}

// pass lets time go by.
func (c *testClock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now, c.up = c.now.Add(d), c.up+d
}

// set sets the wall clock forward or back.
func (c *testClock) set(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(by)
}

// A testLedger is a real ledger in a directory of the test, with an identity of each
// role, and a client acme with an ordinary record r1 and a contact li.
type testLedger struct {
	testing.TB
	dir    string
	clock  *testClock
	keys   map[domain.ID]nkeys.KeyPair
	public map[domain.ID]domain.PublicKey
	blind  bool                      // open without a key ring
	wrap   func(*eventstore.Log) Log // nil: the log itself
	change func(*Config)             // nil: as it is

	server *natsd.Server
	log    *eventstore.Log
	store  *projections.Store
	svc    *Service
}

func newTestLedger(t testing.TB, prepare ...func(*testLedger)) *testLedger {
	l := &testLedger{TB: t, dir: t.TempDir(), clock: newTestClock(),
		keys: map[domain.ID]nkeys.KeyPair{}, public: map[domain.ID]domain.PublicKey{}}
	for _, r := range domain.Roles {
		l.identity(domain.ID(r))
	}
	require.NoError(t, vault.Create(filepath.Join(l.dir, "keys"), string(theLedger)))
	l.open()
	l.init()
	if len(prepare) > 0 {
		l.close()
		for _, p := range prepare {
			p(l)
		}
		l.open()
	}
	t.Cleanup(l.close)
	return l
}

func (l *testLedger) identity(actor domain.ID) {
	k := user(l)
	public, err := k.PublicKey()
	require.NoError(l, err)
	l.keys[actor], l.public[actor] = k, domain.PublicKey(public)
}

func (l *testLedger) open() {
	ctx := l.Context()
	say := slog.New(slog.DiscardHandler)
	if os.Getenv("ASSENT_TEST_LOG") != "" {
		say = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	var err error
	l.server, err = natsd.Start(ctx, natsd.Config{StoreDir: filepath.Join(l.dir, "nats"), Name: string(theLedger),
		Listen: "127.0.0.1:0", LetIn: l.letIn})
	require.NoError(l, err)
	nc, err := l.server.Ledger()
	require.NoError(l, err)
	l.log, err = eventstore.Create(ctx, nc, string(theLedger), eventstore.AckWithin(2*time.Second))
	require.NoError(l, err)
	l.store, err = projections.OpenStore(filepath.Join(l.dir, "models"), projections.Config{})
	require.NoError(l, err)
	ring, err := vault.Open(filepath.Join(l.dir, "keys"), string(theLedger))
	require.NoError(l, err)
	if l.blind {
		ring = nil
	}
	staged, err := l.server.StageInMemory()
	require.NoError(l, err)
	cfg := Config{Ledger: theLedger, Log: l.log, Store: l.store, Ring: ring, Clock: l.clock, Say: say, InMemory: staged != "",
		Revoked: func(_ domain.ID, key domain.PublicKey) { l.server.Disconnect(string(key)) }}
	if l.wrap != nil {
		cfg.Log = l.wrap(l.log)
	}
	if l.change != nil {
		l.change(&cfg)
	}
	l.svc, err = Open(ctx, cfg)
	require.NoError(l, err)
	nc, err = l.server.Ledger()
	require.NoError(l, err)
	require.NoError(l, l.svc.Listen(nc))
}

func (l *testLedger) close() {
	if l.svc == nil {
		return
	}
	l.svc.Close()
	require.NoError(l, l.log.Close())
	require.NoError(l, l.store.Close())
	l.server.Stop()
	l.svc = nil
}

// letIn lets in whoever's key is in force.
func (l *testLedger) letIn(key string) (natsd.Grant, bool) {
	known, ok := l.store.Live().Get(domain.Key{Kind: domain.KindPublicKey, C: key})
	if !ok {
		return natsd.Grant{}, false
	}
	of := known.Fact.(*domain.KeyOwner).Actor
	known, _ = l.store.Live().Get(domain.Key{Kind: domain.KindActor, C: string(of)})
	a := known.Fact.(*domain.Actor)
	return natsd.Commands(string(of)), !a.Revoked && string(a.PublicKey) == key
}

func (l *testLedger) init() {
	l.ok("admin", "ledger.open", fmt.Sprintf(`{"ledger":%q,"name":"test","format":1,"log":"assent+00000000+AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		"admin":{"actor":"admin","publicKey":%q},"policy":{"edition":6,"effective":"2023-04-14T00:00:00+08:00",
		"sha256":"8e3854b38e3854b38e3854b38e3854b38e3854b38e3854b38e3854b38e3854b3","reviewEvery":"P6M","noticeWithin":"P30D"}}`,
		theLedger, l.public["admin"]))
	for _, r := range domain.Roles {
		if r != domain.Admin {
			l.ok("admin", "identity.add", fmt.Sprintf(`{"actor":%q,"role":%q,"publicKey":%q}`, r, r, l.public[domain.ID(r)]))
		}
	}
	l.ok("clerk", "party.register", `{"party":"li","category":"external","kind":"person","name":"Li Wei"}`)
	l.ok("clerk", "client.register", `{"client":"acme","name":"Acme Trading Co., Ltd.","contacts":["li"]}`)
	l.ok("clerk", "record.register", `{"client":"acme","record":"r1","title":"Label","class":"ordinary","medium":"electronic",
		"encrypted":false,"retention":{"after":"registration","keep":"P1Y"}}`)
}

// sender issues as the actor. A gateway's doesn't sign.
func (l *testLedger) sender(actor domain.ID) Sender {
	s := Sender{Ledger: theLedger, Actor: actor, Key: l.keys[actor]}
	if actor == "gateway" {
		s.Key = nil
	}
	return s
}

// body is a request of the actor, of the clock's time.
func (l *testLedger) body(actor domain.ID, id domain.UUID, name, data string) []byte {
	b, err := l.sender(actor).Compose(&Plain{ID: id, Name: name, Data: []byte(data)}, l.clock.Now())
	require.NoError(l, err)
	return b
}

// send gives a request to the service as the actor's connection would.
func (l *testLedger) send(actor domain.ID, body []byte) *Answer {
	a, err := l.svc.Do(l.Context(), actor, l.public[actor], body)
	require.NoError(l, err)
	return a
}

func (l *testLedger) issue(actor domain.ID, name, data string) *Answer {
	return l.send(actor, l.body(actor, "", name, data))
}

func (l *testLedger) ok(actor domain.ID, name, data string) *Answer {
	a := l.issue(actor, name, data)
	require.True(l, a.OK, "%s %s: %v", name, data, a.Error)
	return a
}

// refused issues what is answered with the code.
func (l *testLedger) refused(code domain.Code, actor domain.ID, name, data string) *Answer {
	a := l.issue(actor, name, data)
	require.False(l, a.OK, "%s %s", name, data)
	require.Equal(l, code, a.Error.Code, "%s %s: %v", name, data, a.Error)
	return a
}

const look = `{"client":"acme","record":"r1","party":"li","action":"consult","purpose":"service"}`

// connect is a caller's connection.
func (l *testLedger) connect(actor domain.ID, options ...nats.Option) *nats.Conn {
	nc, err := nats.Connect("nats://"+l.server.Addr(), append([]nats.Option{nats.CustomInboxPrefix("_INBOX." + string(actor)),
		nats.Nkey(string(l.public[actor]), l.keys[actor].Sign), nats.NoReconnect()}, options...)...)
	require.NoError(l, err)
	l.Cleanup(nc.Close)
	return nc
}

// request sends a request over a connection and reads its answer.
func (l *testLedger) request(nc *nats.Conn, actor domain.ID, body []byte) *Answer {
	ctx, cancel := context.WithTimeout(l.Context(), 10*time.Second)
	defer cancel()
	m, err := nc.RequestWithContext(ctx, "assent.cmd."+string(actor), body)
	require.NoError(l, err)
	a, err := ParseAnswer(m.Data)
	require.NoError(l, err)
	return a
}

// events are the documents of the stream, from the sequence on.
func (l *testLedger) events(from uint64) (docs []*cloudevent.Document) {
	require.NoError(l, l.log.Read(l.Context(), from, 0, func(m eventstore.Message) error {
		d, err := cloudevent.Parse(m.Data)
		if err != nil {
			return err
		}
		require.Equal(l, m.Seq, d.Seq)
		require.Equal(l, m.Subject, d.NATSSubject())
		docs = append(docs, d)
		return nil
	}))
	return docs
}

func (l *testLedger) last() uint64 {
	n, err := l.log.Last(l.Context())
	require.NoError(l, err)
	return n
}

// sample is data of the command's form: whatever must be given, each an example.
func sample(command string) string {
	row, _ := domain.Find(command)
	s := sampleOf(cloudevent.Fields(row))
	switch command {
	case "evidence.file":
		s = `{"client":"x","signedOn":"2026-01-01T00:00:00Z",` + s[1:]
	case "erasure.request":
		s = `{"client":"x",` + s[1:]
	case "erasure.approve":
		s = `{"client":"x"}`
	}
	return s
}

func sampleOf(fields []cloudevent.Field) string {
	s := "{"
	for _, f := range fields {
		if !f.Required {
			continue
		}
		if s != "{" {
			s += ","
		}
		v := map[cloudevent.Kind]string{
			cloudevent.KindText: `"text"`, cloudevent.KindID: `"x"`, cloudevent.KindUUID: `"` + string(testID) + `"`,
			cloudevent.KindTime: `"2026-06-30T00:00:00Z"`, cloudevent.KindDuration: `"P1Y"`, cloudevent.KindNumber: "1",
			cloudevent.KindBool: "true", cloudevent.KindFlag: "true", cloudevent.KindMediaType: `"application/pdf"`,
			cloudevent.KindDigest:    `"8e3854b38e3854b38e3854b38e3854b38e3854b38e3854b38e3854b38e3854b3"`,
			cloudevent.KindPublicKey: `"UAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"`,
			cloudevent.KindLogKey:    `"assent+00000000+AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="`,
		}[f.Kind]
		switch {
		case f.Kind == cloudevent.KindWord:
			v = `"` + f.Words[0] + `"`
		case f.Name == "scope":
			v = `{"all":true}`
		case f.Kind == cloudevent.KindObject:
			v = sampleOf(f.Fields)
		}
		if f.List {
			v = "[" + v + "]"
		}
		s += fmt.Sprintf("%q:%s", f.Name, v)
	}
	return s + "}"
}
