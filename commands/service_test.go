package commands

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore"
	"github.com/qtccc/assent/eventstore/vault"
)

func TestAnAccessIsDecidedRecordedAndAnswered(t *testing.T) {
	l := newTestLedger(t)
	nc := l.connect("gateway")
	a := l.request(nc, "gateway", l.body("gateway", "", "access.request", look))
	require.True(t, a.OK)
	require.Equal(t, "access.granted", a.Type)
	require.Equal(t, domain.Granted, a.Decision.Decision)
	require.EqualValues(t, l.last(), a.Seq)
	d := l.events(uint64(a.Seq))[0]
	require.Equal(t, a.Event, d.ID)
	require.Equal(t, l.public["gateway"], d.Connection, "the event says that the connection stands for the signature")
	require.Nil(t, d.Signature)
	require.Nil(t, d.Sealed)
	require.Zero(t, d.Observed)
}

// Free text is kept sealed under the key of whom it is about, and nowhere else.
func TestFreeTextIsKeptSealed(t *testing.T) {
	l := newTestLedger(t)
	for _, c := range []struct{ actor, name, data, of string }{
		{"clerk", "party.register", `{"party":"wu","category":"staff","kind":"person","name":"Wu Min"}`, "party/wu"},
		{"officer", "client.amend", `{"client":"acme","name":"Acme Ltd.","reason":"a slip"}`, "client/acme"},
	} {
		a := l.ok(domain.ID(c.actor), c.name, c.data)
		m, err := l.log.Get(t.Context(), uint64(a.Seq))
		require.NoError(t, err)
		for _, text := range []string{"Wu Min", "Acme Ltd.", "a slip"} {
			require.NotContains(t, string(m.Data), text)
		}
		d := l.events(uint64(a.Seq))[0]
		require.Equal(t, c.of, d.Sealed.Of)
		require.Equal(t, strings.Count(string(d.Data), "sha256:"), len(d.Sealed.Boxes))
		for _, b := range d.Sealed.Boxes {
			text, err := l.svc.cfg.Ring.Unseal(vault.Place{Subject: c.of, Event: string(d.ID), Field: b.Field}, d.Sealed.Gen, b.Box)
			require.NoError(t, err)
			o, err := vault.DecodeOpening(text)
			require.NoError(t, err)
			require.Contains(t, string(d.Data), o.Commitment())
			require.Contains(t, c.data, o.Value)
		}
	}
}

// What deciding took from outside history stands in the event.
func TestTheEventSaysWhatWasObserved(t *testing.T) {
	l := newTestLedger(t)
	l.ok("clerk", "party.register", `{"party":"wu","category":"staff","kind":"person","name":"Wu Min"}`)
	a := l.refused(domain.Refused, "officer", "authorization.issue",
		`{"client":"acme","authorization":"a1","party":"wu","scope":{"all":true},"purposes":["relationship"],"need":" \t\u3000"}`)
	require.Equal(t, "no-need", a.Error.Reason)
	d := l.events(uint64(a.Seq))[0]
	require.Equal(t, []string{"/need"}, d.Observed.Blank)
	require.Nil(t, d.Sealed)

	a = l.refused(domain.Refused, "clerk", "evidence.file", `{"evidence":"e1","client":"acme","kind":"notice",
		"sha256":"8e3854b38e3854b38e3854b38e3854b38e3854b38e3854b38e3854b38e3854b3","size":1,"mediaType":"application/pdf",
		"signed":false,"stamped":false,"custody":"ledger"}`)
	require.Equal(t, domain.Clause("II.1"), a.Error.Clause)
	require.Equal(t, "evidence-unfit", a.Error.Reason)
	d = l.events(uint64(a.Seq))[0]
	require.NotNil(t, d.Observed.Content)
	require.False(t, *d.Observed.Content)
}

func TestAnEventsIDHasItsTime(t *testing.T) {
	var m idMaker
	seen := map[domain.UUID]bool{}
	for range 1000 {
		id := m.next(testTime)
		require.True(t, domain.IsUUID(string(id)))
		require.False(t, seen[id])
		seen[id] = true
		var ms int64
		_, err := fmt.Sscanf(string(id[:8]+id[9:13]), "%x", &ms)
		require.NoError(t, err)
		require.Equal(t, testTime.UnixMilli(), ms)
		require.EqualValues(t, '7', id[14])
		require.Contains(t, "89ab", string(id[19]))
	}
}

func TestALargeRequestIsInvalid(t *testing.T) {
	l := newTestLedger(t)
	nc := l.connect("gateway")
	body := l.body("gateway", "", "access.request", look)
	pad := func(n int) []byte { return append([]byte(strings.Repeat(" ", n-len(body))), body...) }
	require.True(t, l.request(nc, "gateway", pad(MaxRequest)).OK)
	a := l.request(nc, "gateway", pad(MaxRequest+1))
	require.Equal(t, domain.Invalid, a.Error.Code)
}

// Only a reply that the server made is answered: any other subject could be
// anything in the ledger's account.
func TestADoorAnswersNobodyInTheLedgersAccount(t *testing.T) {
	l := newTestLedger(t)
	nc, err := l.server.Ledger()
	require.NoError(t, err)
	last := l.last()
	body := l.body("gateway", "", "access.request", look)
	for _, reply := range []string{"", "_INBOX.x", "assent.evt.ledger.00.access.granted", "$JS.API.STREAM.DELETE.LEDGER"} {
		require.NoError(t, nc.PublishMsg(&nats.Msg{Subject: "assent.cmd.gateway", Reply: reply, Data: body}))
	}
	require.NoError(t, nc.Flush())
	// What came before is behind us when this is answered.
	require.True(t, l.request(l.connect("gateway"), "gateway", l.body("gateway", "", "access.request", look)).OK)
	require.Equal(t, last+1, l.last())
}

// Headers of a command go nowhere (S14).
func TestHeadersOfACommandAreNotForwarded(t *testing.T) {
	l := newTestLedger(t)
	nc := l.connect("gateway")
	m := nats.NewMsg("assent.cmd.gateway")
	m.Data = l.body("gateway", "", "access.request", look)
	for _, h := range []string{"Nats-Expected-Last-Sequence", "Nats-Rollup", "Nats-Msg-Id", "Nats-TTL", "X-Mine"} {
		m.Header.Set(h, "1")
	}
	answer, err := nc.RequestMsg(m, 10*time.Second)
	require.NoError(t, err)
	require.Empty(t, answer.Header)
	a, err := ParseAnswer(answer.Data)
	require.NoError(t, err)
	require.True(t, a.OK)
	require.EqualValues(t, l.last(), a.Seq)
}

func TestWhoIsConcernedIsToldBeforeTheAnswer(t *testing.T) {
	var mu sync.Mutex
	var told []string
	l := newTestLedger(t, func(l *testLedger) {
		l.change = func(c *Config) {
			c.Added = func(actor domain.ID, role domain.Role) {
				mu.Lock()
				defer mu.Unlock()
				known, _ := l.store.Live().Get(domain.Key{Kind: domain.KindActor, C: string(actor)})
				told = append(told, fmt.Sprintf("%s is a %s: %v", actor, role, known.Fact != nil))
			}
			c.Revoked = func(actor domain.ID, key domain.PublicKey) {
				mu.Lock()
				defer mu.Unlock()
				_, in := l.letIn(string(key))
				told = append(told, fmt.Sprintf("%s: %s: %v", actor, key, in))
			}
		}
	})
	says := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		require.Equal(t, []string{what}, told)
		told = nil
	}
	l.identity("reader")
	l.ok("admin", "identity.add", fmt.Sprintf(`{"actor":"reader","role":"subscriber","publicKey":%q}`, l.public["reader"]))
	says("reader is a subscriber: true")
	old := l.public["reader"]
	l.identity("reader")
	l.ok("admin", "identity.rotate", fmt.Sprintf(`{"actor":"reader","publicKey":%q}`, l.public["reader"]))
	says("reader: " + string(old) + ": false")
	l.ok("admin", "identity.revoke", `{"actor":"reader"}`)
	says("reader: " + string(l.public["reader"]) + ": false")
	l.refused(domain.Refused, "admin", "identity.revoke", `{"actor":"admin"}`)
	l.refused(domain.Ended, "admin", "identity.revoke", `{"actor":"reader"}`)
	require.Empty(t, told)
}

// Who replaces its own key is answered on the connection that is closed for it.
func TestWhoReplacesItsOwnKeyIsAnswered(t *testing.T) {
	l := newTestLedger(t)
	// A client that doesn't come again drops what it has just received.
	nc := l.connect("admin", nats.MaxReconnects(1), nats.ReconnectWait(time.Hour), func(o *nats.Options) error {
		o.AllowReconnect = true
		return nil
	})
	next := user(t)
	public, err := next.PublicKey()
	require.NoError(t, err)
	a := l.request(nc, "admin", l.body("admin", "", "identity.rotate", fmt.Sprintf(`{"actor":"admin","publicKey":%q}`, public)))
	require.True(t, a.OK, "%v", a.Error)
	require.Eventually(t, func() bool { return !nc.IsConnected() }, 5*time.Second, time.Millisecond)
}

// Where the server gave one reply to two requests, the answer to the earlier would be
// told to whoever sent the later: it is left out, and what it is about stands.
func TestTheAnswerToAnEarlierRequestIsNotToldToALaterOne(t *testing.T) {
	var log *heldLog
	l := newTestLedger(t, withHeldLog(&log))
	nc, err := l.server.Ledger()
	require.NoError(t, err)
	const reply = "_R_.ledger.abcdef"
	answers, err := nc.SubscribeSync(reply)
	require.NoError(t, err)
	come := func(actor domain.ID, id domain.UUID) []byte {
		body := l.body(actor, id, "party.register", fmt.Sprintf(`{"party":"p-%s","category":"external","kind":"person","name":"Wu"}`, id))
		m := nats.NewMsg(door + string(actor))
		m.Reply, m.Data = reply, body
		m.Header.Set(server.ClientInfoHdr, fmt.Sprintf(`{"user":%q}`, l.public[actor]))
		l.svc.receive(nc, m)
		return body
	}
	earlier, later, next := newID(), newID(), newID()
	release := log.hold()
	body := come("clerk", earlier)
	come("officer", later)
	release()
	requireAnswer := func(id domain.UUID) {
		m, err := answers.NextMsg(5 * time.Second)
		require.NoError(t, err)
		a, err := ParseAnswer(m.Data)
		require.NoError(t, err)
		require.Equal(t, id, a.ID)
		require.True(t, a.OK, "%s", m.Data)
	}
	requireAnswer(later)
	come("officer", next) // the reply is free again, and nothing else was answered before
	requireAnswer(next)
	require.True(t, l.send("clerk", body).OK)
}

// Read models that take no more events stop the ledger, with an alarm: what it
// recorded stands.
func TestReadModelsThatFailStopTheLedger(t *testing.T) {
	var log *heldLog
	l := newTestLedger(t, withHeldLog(&log))
	l.ok("gateway", "access.request", look)
	require.NoError(t, l.store.Wait(t.Context(), l.last()))
	begun := l.last()
	release := log.hold()
	done := make(chan *Answer)
	go func() { done <- l.issue("gateway", "access.request", look) }()
	require.Eventually(t, func() bool { return l.last() > begun }, 5*time.Second, time.Millisecond)
	require.NoError(t, l.store.Close())
	release()
	a := <-done
	require.True(t, a.OK, "it is durable: %v", a.Error)
	require.Eventually(t, func() bool { return len(l.svc.Alarms()) == 1 }, 5*time.Second, time.Millisecond)
	l.refused(domain.Unavailable, "gateway", "access.request", look)
	l.close()
	l.open()
	l.ok("gateway", "access.request", look)
	requireSameStore(t, l)
}

func TestFewGoOneByOneAndManyTogether(t *testing.T) {
	t.Run("staged in memory", func(t *testing.T) { fewGoOneByOne(t, true, stagedInMemory.few) })
	t.Run("staged on disk", func(t *testing.T) { fewGoOneByOne(t, false, stagedOnDisk.few) })
}

func fewGoOneByOne(t *testing.T, inMemory bool, few int) {
	var log *countingLog
	l := newTestLedger(t)
	l.change = func(cfg *Config) { cfg.InMemory = inMemory }
	reopen(l, func(real *eventstore.Log) Log {
		log = &countingLog{Log: real}
		return log
	})
	for range 5 {
		l.ok("gateway", "access.request", look)
	}
	require.Equal(t, []int{1, 1, 1, 1, 1}, log.sizes)
	var wg sync.WaitGroup
	for range 500 {
		wg.Go(func() {
			for range 4 {
				l.ok("gateway", "access.request", look)
			}
		})
	}
	wg.Wait()
	total, large := 0, 0
	for _, n := range log.sizes {
		total += n
		large = max(large, n)
	}
	require.Equal(t, 2005, total)
	require.Greater(t, large, few)
	require.LessOrEqual(t, large, eventstore.MaxBatch)
	require.LessOrEqual(t, log.mostSingles, few)
	require.LessOrEqual(t, log.mostBatches, mostBatches)
}

// While one half of those who wait is being answered, the other is written, and
// somebody is always on their way while others are held.
func TestHalfIsWrittenWhileHalfIsAnswered(t *testing.T) {
	for _, c := range []struct{ wait, onTheirWay, now int }{
		{1, 0, 1}, {2, 0, 2}, {3, 0, 2}, {16, 0, 8}, {15, 1, 8}, {7, 8, 7}, {8, 7, 8}, {10, 8, 10}, {1, 23, 1},
	} {
		require.Equal(t, c.now, share(c.wait, c.onTheirWay), "%d wait, %d are on their way", c.wait, c.onTheirWay)
	}
	for wait := 1; wait <= stagedOnDisk.few; wait++ {
		for flying := 0; wait+flying <= stagedOnDisk.few; flying++ {
			require.Positive(t, share(wait, flying))
			require.LessOrEqual(t, share(wait, flying), wait)
		}
	}
}

// A countingLog counts what is on its way.
type countingLog struct {
	Log
	mu                       sync.Mutex
	sizes                    []int // guarded by mu: entries of each append
	singles, batches         int   // guarded by mu
	mostSingles, mostBatches int   // guarded by mu
}

func (c *countingLog) Append(after uint64, entries []eventstore.Entry) *eventstore.Ack {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sizes = append(c.sizes, len(entries))
	kind := &c.batches
	if len(entries) == 1 {
		kind = &c.singles
	}
	*kind++
	c.mostSingles, c.mostBatches = max(c.mostSingles, c.singles), max(c.mostBatches, c.batches)
	real := c.Log.Append(after, entries)
	ack, end := eventstore.NewAck()
	go func() {
		err := real.Err()
		c.mu.Lock()
		*kind--
		c.mu.Unlock()
		end(err)
	}()
	return ack
}
