package projections

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore"
	"github.com/qtccc/assent/eventstore/cloudevent"
	"github.com/qtccc/assent/eventstore/natsd"
	"github.com/qtccc/assent/eventstore/vault"
)

const theLedger = domain.UUID("0191e7a4-7c1b-7d6e-9f00-3a5b8c2d1e4f")

// A book is a whole ledger without a writer: a real stream in an embedded server,
// a store that is replayed from it, a key ring, and a service. What is recorded in
// it was decided by the law, one command at a time, at the time of a clock that the
// test sets.
type book struct {
	t       testing.TB
	srv     *natsd.Server
	nc      *nats.Conn
	log     *eventstore.Log
	store   *Store
	ring    *vault.Ring
	service *Service
	history domain.History
	last    uint64        // appended
	acked   atomic.Uint64 // what a service asks
	clock   time.Time
	keys    map[domain.ID]nkeys.KeyPair
	grants  map[string]natsd.Grant
	raw     [][]byte          // every message
	pending []*eventstore.Ack // not nil: nobody waits for each
}

// newBook opens a ledger with one identity of each role, at sequences 1 to 7.
func newBook(t testing.TB) *book {
	b := emptyBook(t)
	b.open()
	return b
}

func emptyBook(t testing.TB) *book {
	b := &book{t: t, clock: time.Date(2026, 1, 2, 9, 0, 0, 0, time.UTC), keys: map[domain.ID]nkeys.KeyPair{}, grants: map[string]natsd.Grant{}}
	dir := t.TempDir()
	var err error
	for _, r := range domain.Roles {
		kp, err := nkeys.CreateUser()
		require.NoError(t, err)
		b.keys[domain.ID(r)] = kp
		b.grants[string(b.key(domain.ID(r)))] = natsd.Questions(string(r))
	}
	b.srv, err = natsd.Start(t.Context(), natsd.Config{StoreDir: filepath.Join(dir, "nats"), Name: string(theLedger), Listen: "127.0.0.1:0",
		LetIn: func(key string) (natsd.Grant, bool) { g, ok := b.grants[key]; return g, ok }})
	require.NoError(t, err)
	t.Cleanup(b.srv.Stop)
	b.nc, err = b.srv.Ledger()
	require.NoError(t, err)
	b.log, err = eventstore.Create(t.Context(), b.nc, string(theLedger))
	require.NoError(t, err)
	b.store, err = OpenStore(filepath.Join(dir, "models"), Config{Cache: 8 << 20})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.store.Close()) })
	require.NoError(t, Replay(t.Context(), b.log, b.store, nil))
	require.NoError(t, vault.Create(dir, string(theLedger)))
	b.ring, err = vault.Open(dir, string(theLedger))
	require.NoError(t, err)
	b.service = NewService(b.config())
	t.Cleanup(func() { require.NoError(t, b.service.Close()) })
	return b
}

func (b *book) config() ServiceConfig {
	return ServiceConfig{Ledger: theLedger, Store: b.store, Log: b.log, Ring: b.ring,
		Latest: b.acked.Load, Clock: func() time.Time { return b.clock }}
}

func (b *book) open() {
	b.given("admin", "ledger.open", `{"ledger":"`+string(theLedger)+`","name":"qtccc","format":1,
		"log":"assent/`+string(theLedger)+`+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
		"admin":{"actor":"admin","publicKey":"`+string(b.key("admin"))+`"},
		"policy":{"edition":6,"effective":"2023-04-14T00:00:00+08:00","sha256":"`+strings.Repeat("8e", 32)+`","reviewEvery":"P6M","noticeWithin":"P30D"}}`)
	for _, r := range domain.Roles {
		if r != domain.Admin {
			b.given("admin", "identity.add", `{"actor":"`+string(r)+`","role":"`+string(r)+`","publicKey":"`+string(b.key(domain.ID(r)))+`"}`)
		}
	}
}

func (b *book) key(actor domain.ID) domain.PublicKey {
	k, err := b.keys[actor].PublicKey()
	require.NoError(b.t, err)
	return domain.PublicKey(k)
}

// given records a command with plain text in its † fields, as it stands at the
// clock, and demands that it is accepted; a denied access is.
func (b *book) given(actor, name, data string) *domain.Event {
	b.t.Helper()
	e, f := b.issue(actor, name, data)
	require.Nil(b.t, f, "%s %s", name, data)
	return e
}

// issue records what becomes of a command, if it is recorded.
func (b *book) issue(actor, name, data string) (*domain.Event, *domain.Fault) {
	b.t.Helper()
	seq := b.last + 1
	id := domain.UUID(fmt.Sprintf("%08x-%04x-7000-8000-%012x", b.clock.UnixMilli()>>16, b.clock.UnixMilli()&0xffff, seq))
	raw, openings := b.committed(name, data)
	parsed, fault := cloudevent.ParseData(name, raw)
	require.Nil(b.t, fault, "%s %s", name, data)
	cmd := &domain.Command{ID: domain.UUID(fmt.Sprintf("0191e7a4-0000-4000-8000-%012x", seq)), Actor: domain.ID(actor), Name: name,
		Key: b.key(domain.ID(actor)), Issued: b.clock, Data: parsed}
	for field, o := range openings {
		if strings.TrimSpace(o.Value) == "" {
			cmd.Blank = append(cmd.Blank, field)
		}
	}
	slices.Sort(cmd.Blank)
	out := domain.Decide(b.history.At(domain.Seq(b.last)), cmd, b.clock, id)
	if out.Type == "" {
		return nil, out.Fault
	}
	d := &cloudevent.Document{Ledger: theLedger, ID: id, Type: out.Type, Subject: out.Subject, Time: b.clock, Seq: seq,
		Actor: domain.ID(actor), Command: cmd.ID, Rules: domain.Rules, Data: raw, Decision: out.Decision, Refusal: out.Refusal,
		Name: name, Issued: b.clock.Format(time.RFC3339Nano), Observed: cmd.Observed}
	b.prove(d)
	if len(openings) > 0 && out.Refusal == nil {
		d.Sealed = &cloudevent.Sealed{Of: domain.Seals(b.history.At(domain.Seq(b.last)), cmd.Data, out.Subject)}
		for field, o := range openings {
			place := vault.Place{Subject: d.Sealed.Of, Event: string(id), Field: field}
			box, gen, err := b.ring.Seal(place, o.Encode())
			require.NoError(b.t, err)
			d.Sealed.Gen, d.Sealed.Boxes = gen, append(d.Sealed.Boxes, cloudevent.Box{Field: field, Box: box})
		}
		slices.SortFunc(d.Sealed.Boxes, func(x, y cloudevent.Box) int { return strings.Compare(x.Field, y.Field) })
	}
	return b.record(d), out.Fault
}

// prove signs the document's command, or has the connection stand for it.
func (b *book) prove(d *cloudevent.Document) {
	if d.Name == accessCommand {
		d.Connection = b.key(d.Actor)
		return
	}
	var err error
	d.Signature, err = b.keys[d.Actor].Sign(d.SignedBytes(nil))
	require.NoError(b.t, err)
}

// document is an event that nobody decided: its type and what came of it are the
// test's to say.
func (b *book) document(actor, name, data string) *cloudevent.Document {
	seq := b.last + 1
	id := domain.UUID(fmt.Sprintf("%08x-%04x-7000-8000-%012x", b.clock.UnixMilli()>>16, b.clock.UnixMilli()&0xffff, seq))
	raw, _ := b.committed(name, data)
	parsed, fault := cloudevent.ParseData(name, raw)
	require.Nil(b.t, fault)
	d := &cloudevent.Document{Ledger: theLedger, ID: id, Time: b.clock, Seq: seq, Actor: domain.ID(actor),
		Command: domain.UUID(fmt.Sprintf("0191e7a4-0000-4000-8000-%012x", seq)), Rules: domain.Rules, Data: raw, Name: name,
		Issued: b.clock.Format(time.RFC3339Nano)}
	if c, ok := parsed.(*domain.AccessRequest); ok {
		d.Subject = domain.Subject{Client: c.Client}
	}
	b.prove(d)
	return d
}

// record appends the document and lets the store catch up.
func (b *book) record(d *cloudevent.Document) *domain.Event {
	b.t.Helper()
	msg, err := d.Append(nil)
	require.NoError(b.t, err)
	ack := b.log.Append(b.last, []eventstore.Entry{{Subject: d.NATSSubject(), Data: msg}})
	e, err := d.Event()
	require.NoError(b.t, err)
	b.history.Record(e)
	b.last++
	b.raw = append(b.raw, msg)
	if b.pending != nil {
		b.pending = append(b.pending, ack)
		return e
	}
	require.NoError(b.t, ack.Err())
	b.catchUp()
	return e
}

// catchUp applies what is recorded.
func (b *book) catchUp() {
	b.t.Helper()
	b.acked.Store(b.last)
	require.NoError(b.t, Replay(b.t.Context(), b.log, b.store, nil))
}

// together records what f issues without waiting for each.
func (b *book) together(f func()) {
	b.t.Helper()
	b.pending = []*eventstore.Ack{}
	f()
	for _, ack := range b.pending {
		require.NoError(b.t, ack.Err())
	}
	b.pending = nil
	b.catchUp()
}

// committed puts commitments in the place of plain text, in canonical form.
func (b *book) committed(name, data string) ([]byte, map[string]vault.Opening) {
	b.t.Helper()
	row, ok := domain.Find(name)
	require.True(b.t, ok, name)
	var members map[string]any
	dec := json.NewDecoder(strings.NewReader(data))
	dec.UseNumber()
	require.NoError(b.t, dec.Decode(&members), data)
	openings := map[string]vault.Opening{}
	for _, f := range cloudevent.Fields(row) {
		if text, given := members[f.Name].(string); given && f.Kind == cloudevent.KindText {
			o := vault.NewOpening(text)
			openings["/"+f.Name] = o
			members[f.Name] = o.Commitment()
		}
	}
	raw, err := json.Marshal(members)
	require.NoError(b.t, err)
	v := jsontext.Value(raw)
	require.NoError(b.t, v.Canonicalize())
	return v, openings
}

// A reply is an answer as a client reads it.
type reply struct {
	OK     bool              `json:"ok"`
	At     uint64            `json:"at"`
	Items  []json.RawMessage `json:"items"`
	Item   json.RawMessage   `json:"item"`
	Cursor string            `json:"cursor"`
	Error  *domain.Fault     `json:"error"`
}

// ask asks one question, such as {"ask":"status"}, without a door.
func (b *book) ask(actor, question string) reply {
	b.t.Helper()
	return b.askWith(b.t.Context(), b.service, actor, question)
}

func (b *book) askWith(ctx context.Context, s *Service, actor, question string) reply {
	b.t.Helper()
	return replied(b.t, s.Answer(ctx, domain.ID(actor), b.key(domain.ID(actor)), []byte(question)))
}

func replied(t testing.TB, answer []byte) (a reply) {
	t.Helper()
	require.LessOrEqual(t, len(answer), 1<<20)
	require.NoError(t, json.Unmarshal(answer, &a), "%s", answer)
	require.Equal(t, a.OK, a.Error == nil, "%s", answer)
	return a
}

// all turns the pages of a question and gives its items, and at which sequence the
// answer holds.
func (b *book) all(actor, question string) (items []json.RawMessage, at uint64) {
	b.t.Helper()
	for page := question; ; {
		a := b.ask(actor, page)
		require.True(b.t, a.OK, "%s: %v", page, a.Error)
		items = append(items, a.Items...)
		if a.Cursor == "" {
			return items, a.At
		}
		page = strings.TrimSuffix(question, "}") + `,"cursor":"` + a.Cursor + `"}`
	}
}

// each reads the items of an answer.
func each[T any](t testing.TB, raw []json.RawMessage) (all []T) {
	t.Helper()
	for _, r := range raw {
		var it T
		require.NoError(t, json.Unmarshal(r, &it), "%s", r)
		all = append(all, it)
	}
	return all
}
