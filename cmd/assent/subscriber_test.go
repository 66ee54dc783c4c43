package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// subscribe connects with a stock NATS client and nothing but the context that init
// wrote for the subscriber. Violations are what the server forbids it.
func subscribe(t testing.TB, r *running) (nc *nats.Conn, violations chan error) {
	var c natsContext
	b, err := os.ReadFile(r.data + "-keys/identities/subscriber.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &c))
	require.Equal(t, r.url, c.URL, "the context says where the service answers now")
	key, err := nats.NkeyOptionFromSeed(c.NKey)
	require.NoError(t, err)
	violations = make(chan error, 100)
	nc, err = nats.Connect(c.URL, key, nats.CustomInboxPrefix(c.InboxPrefix),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { violations <- err }))
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	return nc, violations
}

// replayed is what an auditor replays: the documents, one a line.
func replayed(t testing.TB, r *running) []string {
	var out bytes.Buffer
	a := r.app(t, "auditor", "", &out)
	events := &eventReader{app: a, ask: map[string]any{"ask": "events"}, p: &printer{out: &out}}
	require.NoError(t, events.replay(t.Context()))
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
}

// TestSubscriberReadsWhatTheAuditorSees: a stock client, on the durable that the
// ledger made for it, reads the same bytes in the same order, and over a kill -9
// goes on where it was, or a little before.
func TestSubscriberReadsWhatTheAuditorSees(t *testing.T) {
	r := serveFresh(t)
	require.NoError(t, r.app(t, "clerk", parties(0, 40), &bytes.Buffer{}).applyAll(t))
	var docs []string
	read := func(most int) {
		nc, _ := subscribe(t, r)
		defer nc.Close()
		js, err := jetstream.NewWithAPIPrefix(nc, "LED.API")
		require.NoError(t, err)
		durable, err := js.Consumer(t.Context(), "LEDGER", "subscriber")
		require.NoError(t, err)
		messages, err := durable.Fetch(most, jetstream.FetchMaxWait(10*time.Second))
		require.NoError(t, err)
		for m := range messages.Messages() {
			if !slices.Contains(docs, string(m.Data())) {
				docs = append(docs, string(m.Data()))
			}
			require.NoError(t, m.DoubleAck(t.Context()))
		}
		require.NoError(t, messages.Error())
	}
	read(30)
	require.Len(t, docs, 30)
	r.restart(t, syscall.SIGKILL)
	require.NoError(t, r.app(t, "clerk", parties(40, 50), &bytes.Buffer{}).applyAll(t))
	whole := replayed(t, r)
	for len(docs) < len(whole) {
		read(1)
	}
	require.True(t, slices.Equal(whole, docs), "the subscriber read otherwise than the auditor")
}

// TestADamagedDurableBeginsAnew: a bit flips in where a subscriber is. It isn't
// believed: the subscriber gets every event again rather than not some, and status
// says so. One that is as it was left goes on.
func TestADamagedDurableBeginsAnew(t *testing.T) {
	r := serveFresh(t)
	require.NoError(t, r.app(t, "clerk", parties(0, 40), &bytes.Buffer{}).applyAll(t))
	next := func() uint64 {
		nc, _ := subscribe(t, r)
		defer nc.Close()
		js, err := jetstream.NewWithAPIPrefix(nc, "LED.API")
		require.NoError(t, err)
		durable, err := js.Consumer(t.Context(), "LEDGER", "subscriber")
		require.NoError(t, err)
		m, err := durable.Next(jetstream.FetchMaxWait(10 * time.Second))
		require.NoError(t, err)
		at, err := m.Metadata()
		require.NoError(t, err)
		require.NoError(t, m.DoubleAck(t.Context()))
		return at.Sequence.Stream
	}
	alarms := func() string {
		out, err := r.run("status", "--as", "auditor", "--json", "--data", r.data)
		require.NoError(t, err, out)
		return out
	}
	for want := range uint64(5) {
		require.Equal(t, want+1, next())
	}
	r.restart(t, syscall.SIGTERM)
	require.EqualValues(t, 6, next())
	require.NotContains(t, alarms(), "durable")
	require.NoError(t, r.signal(syscall.SIGTERM))
	place := filepath.Join(r.data, "nats/jetstream/LEDGER/streams/LEDGER/obs/subscriber/o.dat")
	b, err := os.ReadFile(place)
	require.NoError(t, err)
	b[len(b)-1] ^= 4
	require.NoError(t, os.WriteFile(place, b, 0o600))
	r.start(t)
	require.EqualValues(t, 1, next())
	require.Contains(t, alarms(), "the durable of subscriber was damaged and began anew")
}

// TestSubscriberCanDoNothingElse: section 7. Whatever it sends or listens to, the
// server forbids it or nobody hears it, and the ledger is as it was.
func TestSubscriberCanDoNothingElse(t *testing.T) {
	r := serveFresh(t)
	require.NoError(t, r.app(t, "clerk", parties(0, 3), &bytes.Buffer{}).applyAll(t))
	before := replayed(t, r)
	nc, violations := subscribe(t, r)
	forbidden := func(what string) {
		t.Helper()
		require.NoError(t, nc.FlushTimeout(5*time.Second))
		select {
		case err := <-violations:
			require.ErrorIs(t, err, nats.ErrPermissionViolation, what)
		case <-time.After(5 * time.Second):
			require.Fail(t, "not forbidden", what)
		}
	}
	for _, subject := range []string{
		"assent.evt.ledger.00.party.registered", "assent.cmd.subscriber", "assent.cmd.clerk", "assent.ask.subscriber", "assent.ask.auditor",
		"$JS.API.STREAM.DELETE.LEDGER", "$JS.API.STREAM.PURGE.LEDGER", "$JS.API.STREAM.UPDATE.LEDGER", "$JS.API.STREAM.INFO.LEDGER",
		"$JS.API.CONSUMER.CREATE.LEDGER", "$JS.API.CONSUMER.DELETE.LEDGER.subscriber", "$JS.API.CONSUMER.MSG.NEXT.LEDGER.subscriber",
		"$JS.API.DIRECT.GET.LEDGER", "$JS.API.STREAM.MSG.GET.LEDGER", "$JS.API.INFO",
		"LED.API.STREAM.DELETE.LEDGER", "LED.API.CONSUMER.CREATE.LEDGER.mine", "LED.API.CONSUMER.MSG.NEXT.LEDGER.other",
		"LED.API.CONSUMER.DELETE.LEDGER.subscriber", "$JS.ACK.LEDGER.other.1.1.1.1.1", "$SYS.REQ.SERVER.PING", "_INBOX.auditor.x",
	} {
		require.NoError(t, nc.PublishRequest(subject, nc.NewRespInbox(), []byte(`{"ask":"status"}`)))
		forbidden("publish to " + subject)
	}
	for _, subject := range []string{">", "assent.>", "assent.evt.>", "assent.cmd.*", "_INBOX.>", "_INBOX.auditor.>", "$JS.>", "_R_.>", "$SYS.>"} {
		_, err := nc.SubscribeSync(subject)
		require.NoError(t, err)
		forbidden("subscribe to " + subject)
	}
	// What it may send, with a reply that would be a weapon in the ledger's account.
	for _, reply := range []string{"$JS.API.STREAM.DELETE.LEDGER", "assent.evt.ledger.00.party.registered", "assent.cmd.clerk"} {
		require.NoError(t, nc.PublishRequest("LED.API.CONSUMER.MSG.NEXT.LEDGER.subscriber", reply, []byte(`{"batch":1,"no_wait":true}`)))
	}
	require.NoError(t, nc.Flush())
	require.Equal(t, before, replayed(t, r))

	// As any other command line it is told that this isn't its to do.
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err := r.dial(t, "subscriber").ask(ctx, patience, map[string]any{"ask": "status"})
	require.True(t, errors.Is(err, errDoor), "%v", err)
}
