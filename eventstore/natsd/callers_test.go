package natsd

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// careless is a door that answers anything, with an empty body, wherever the
// request says: as micro answers an error without data.
func careless(t testing.TB, nc *nats.Conn, subject string) <-chan *nats.Msg {
	got := make(chan *nats.Msg, 100)
	_, err := nc.Subscribe(subject, func(m *nats.Msg) {
		_ = nc.PublishMsg(&nats.Msg{Subject: m.Reply, Header: nats.Header{"Nats-Service-Error-Code": {"invalid"}}})
		got <- m
	})
	require.NoError(t, err)
	require.NoError(t, nc.Flush())
	return got
}

// weapons are reply subjects that would harm the ledger in its own account.
var weapons = []string{
	"$JS.API.STREAM.DELETE.LEDGER",
	"$JS.API.STREAM.PURGE.LEDGER",
	"$JS.API.CONSUMER.DELETE.LEDGER.bob",
	"assent.evt.client.00.x",
	"assent.cmd.bob",
}

func TestReplySubjectIsNoWeapon(t *testing.T) {
	s, r := start(t)
	nc, stream := ledger(t, s)
	_, err := stream.CreateConsumer(soon(t), jetstream.ConsumerConfig{Durable: "bob"})
	require.NoError(t, err)
	commands, questions := careless(t, nc, "assent.cmd.*"), careless(t, nc, "assent.ask.*")
	alice := dial(t, s, r.add(newActor(t, "alice"), Commands("alice").And(Questions("alice")).And(Reading("alice"))))

	for _, weapon := range weapons {
		require.NoError(t, alice.PublishRequest("assent.cmd.alice", weapon, []byte("{")))
		require.Regexp(t, `^_R_\.`, (<-commands).Reply, "the door sees no reply but the server's")
		require.NoError(t, alice.PublishRequest("assent.ask.alice", weapon, []byte("{")))
		require.Regexp(t, `^_R_\.`, (<-questions).Reply)
		// There is no such consumer, so the server itself answers.
		require.NoError(t, alice.PublishRequest("LED.API.CONSUMER.INFO.LEDGER.alice", weapon, nil))
		require.NoError(t, alice.PublishRequest("LED.API.CONSUMER.MSG.NEXT.LEDGER.alice", weapon, []byte(`{"no_wait":true}`)))
		require.NoError(t, alice.Flush())
	}
	require.NoError(t, nc.Flush())
	require.Zero(t, end(t, stream), "nothing was recorded")
	_, err = stream.Consumer(soon(t), "bob")
	require.NoError(t, err)
	// What had come to bob's door would have come before this.
	require.NoError(t, alice.Publish("assent.cmd.alice", []byte("the last")))
	m := <-commands
	require.Equal(t, "assent.cmd.alice", m.Subject)
	require.Equal(t, "the last", string(m.Data))

	// A reply that only a server makes ends the connection.
	for _, reply := range []string{"_R_.x.y", "$JS.ACK.LEDGER.bob.1.1.1.1.1"} {
		c := dial(t, s, alice.actor)
		require.NoError(t, c.PublishRequest("assent.cmd.alice", reply, nil))
		_ = c.Flush()
		require.Empty(t, commands)
	}

	// The control: the same in one account.
	one, door, alone := oneAccount(t)
	require.NoError(t, alone.PublishRequest("assent.cmd.alice", "assent.evt.client.00.x", []byte("{")))
	<-door
	require.Eventually(t, func() bool { return end(t, one) == 1 }, 5*time.Second, time.Millisecond)
	require.NoError(t, alone.PublishRequest("assent.cmd.alice", weapons[0], []byte("{")))
	<-door
	require.Eventually(t, func() bool {
		_, err := one.Info(soon(t))
		return err != nil
	}, 5*time.Second, time.Millisecond, "the stream is deleted")
}

// oneAccount is what natsd is not: the ledger and its callers in one account, alice
// allowed nothing but her door.
func oneAccount(t testing.TB) (jetstream.Stream, <-chan *nats.Msg, *nats.Conn) {
	ns, err := server.NewServer(&server.Options{
		DontListen: true, NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir(),
		Users: []*server.User{{Username: "ledger", Password: "x"}, {
			Username: "alice", Password: "x", Permissions: &server.Permissions{
				Publish:   &server.SubjectPermission{Allow: []string{"assent.cmd.alice"}},
				Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX.alice.>"}},
			},
		}},
	})
	require.NoError(t, err)
	ns.Start()
	t.Cleanup(func() {
		ns.Shutdown()
		ns.WaitForShutdown()
	})
	connect := func(user string) *nats.Conn {
		nc, err := nats.Connect("", nats.InProcessServer(ns), nats.UserInfo(user, "x"))
		require.NoError(t, err)
		t.Cleanup(nc.Close)
		return nc
	}
	nc := connect("ledger")
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	stream, err := js.CreateStream(soon(t), jetstream.StreamConfig{
		Name: "LEDGER", Subjects: []string{"assent.evt.>"}, DenyDelete: true, DenyPurge: true,
	})
	require.NoError(t, err)
	return stream, careless(t, nc, "assent.cmd.*"), connect("alice")
}

// An answer can be asked into another actor's inbox. It isn't taken there for the
// answer to something else: what is waited for bears a token that can't be guessed.
func TestAnswerInAnothersInboxIsNoAnswer(t *testing.T) {
	s, r := start(t)
	nc, _ := ledger(t, s)
	asked := make(chan *nats.Msg, 1)
	_, err := nc.ChanSubscribe("assent.cmd.bob", asked)
	require.NoError(t, err)
	door := careless(t, nc, "assent.cmd.alice")
	alice := dial(t, s, r.add(newActor(t, "alice"), Commands("alice")))
	bob := dial(t, s, r.add(newActor(t, "bob"), Commands("bob")))

	answer := make(chan *nats.Msg, 1)
	go func() {
		m, err := bob.RequestWithContext(soon(t), "assent.cmd.bob", []byte("{}"))
		if err != nil {
			m = &nats.Msg{Data: []byte(err.Error())}
		}
		answer <- m
	}()
	q := <-asked
	for _, inbox := range []string{"_INBOX.bob.x", "_INBOX.bob.x.1", bob.NewInbox(), bob.NewInbox() + ".1"} {
		require.NoError(t, alice.PublishRequest("assent.cmd.alice", inbox, []byte("{")))
		<-door
	}
	require.NoError(t, nc.Flush())
	require.NoError(t, q.Respond([]byte("his own")))
	require.Equal(t, "his own", string((<-answer).Data))
}

// Headers that would steer the stream, or the server, do nothing on a command: they
// come to the door as they are, and end there.
func TestHeadersOfACommandEndAtTheDoor(t *testing.T) {
	s, r := start(t)
	nc, stream := ledger(t, s)
	_, err := nc.Request("assent.evt.x", nil, time.Second)
	require.NoError(t, err)
	door := make(chan *nats.Msg, 1)
	_, err = nc.ChanSubscribe("assent.cmd.*", door)
	require.NoError(t, err)
	require.NoError(t, nc.Flush())
	alice := dial(t, s, r.add(newActor(t, "alice"), Commands("alice")))
	smuggled := nats.Header{
		"Nats-Expected-Last-Sequence": {"7"}, "Nats-Expected-Stream": {"OTHER"}, "Nats-Rollup": {"all"}, "Nats-Msg-Id": {"x"}, "Nats-TTL": {"1s"},
		"Nats-Batch-Id": {"b"}, "Nats-Batch-Sequence": {"1"}, "Nats-Batch-Commit": {"1"}, "Status": {"503"},
	}
	for name, values := range smuggled {
		require.NoError(t, alice.PublishMsg(&nats.Msg{
			Subject: "assent.cmd.alice", Reply: alice.NewInbox(), Header: nats.Header{name: values}, Data: []byte("{}"),
		}))
		m := <-door
		require.Equal(t, "assent.cmd.alice", m.Subject, name)
		require.Equal(t, "{}", string(m.Data), name)
		require.Equal(t, values, m.Header[name], name)
		require.Equal(t, alice.pub, Caller(m), name)
	}
	// The server would report on this one's way, if alice could publish there.
	require.NoError(t, alice.PublishMsg(&nats.Msg{Subject: "assent.cmd.alice", Header: nats.Header{"Nats-Trace-Dest": {"assent.cmd.bob"}}}))
	alice.violates(t, "assent.cmd.bob")
	require.Empty(t, door)
	require.EqualValues(t, 1, end(t, stream))
}

func TestSubscriberReadsItsDurableAndNothingElse(t *testing.T) {
	s, r := start(t)
	nc, stream := ledger(t, s)
	const n = 500
	for i := range n {
		require.NoError(t, nc.Publish("assent.evt.x", fmt.Append(nil, i+1)))
	}
	for _, name := range []string{"reader", "other"} {
		_, err := stream.CreateConsumer(soon(t), jetstream.ConsumerConfig{Durable: name, AckPolicy: jetstream.AckExplicitPolicy})
		require.NoError(t, err)
	}
	reader := dial(t, s, r.add(newActor(t, "reader"), Reading("reader")))
	js, err := jetstream.NewWithAPIPrefix(reader.Conn, "LED.API")
	require.NoError(t, err)
	c, err := js.Consumer(soon(t), "LEDGER", "reader")
	require.NoError(t, err)
	got := make(chan string)
	cc, err := c.Consume(func(m jetstream.Msg) {
		if err := m.DoubleAck(t.Context()); err != nil {
			got <- err.Error()
			return
		}
		got <- string(m.Data())
	})
	require.NoError(t, err)
	for i := range n {
		require.Equal(t, fmt.Sprint(i+1), <-got)
	}
	// What is recorded meanwhile comes too.
	require.NoError(t, nc.Publish("assent.evt.x", []byte("new")))
	require.Equal(t, "new", <-got)
	cc.Stop()
	<-cc.Closed()
	info, err := c.Info(soon(t))
	require.NoError(t, err)
	require.EqualValues(t, n+1, info.AckFloor.Stream)
	require.Empty(t, reader.refused)

	reader.denied(t,
		"assent.evt.x", "assent.evt.client.00.consent.given", "assent.cmd.reader", "assent.ask.reader", "_INBOX.other.x",
		"LED.API.CONSUMER.MSG.NEXT.LEDGER.other", "LED.API.CONSUMER.INFO.LEDGER.other", "$JS.ACK.LEDGER.other.1.1.1.1.0",
		"LED.API.CONSUMER.CREATE.LEDGER", "LED.API.CONSUMER.CREATE.LEDGER.mine", "LED.API.CONSUMER.CREATE.LEDGER.mine.assent.evt.>",
		"LED.API.CONSUMER.DURABLE.CREATE.LEDGER.mine", "LED.API.CONSUMER.DELETE.LEDGER.reader", "LED.API.CONSUMER.LIST.LEDGER",
		"LED.API.STREAM.INFO.LEDGER", "LED.API.STREAM.DELETE.LEDGER", "LED.API.STREAM.PURGE.LEDGER", "LED.API.STREAM.CREATE.MINE",
		"LED.API.STREAM.MSG.GET.LEDGER", "LED.API.DIRECT.GET.LEDGER", "LED.API.STREAM.UPDATE.LEDGER",
		"$JS.API.STREAM.INFO.LEDGER", "$JS.API.STREAM.DELETE.LEDGER", "$JS.API.INFO", "$JS.API.CONSUMER.CREATE.LEDGER",
		"$SYS.REQ.SERVER.PING", "$SYS.REQ.USER.INFO",
	)
	reader.deaf(t, ">", "assent.>", "assent.evt.>", "assent.cmd.reader", "_INBOX.>", "_INBOX.other.>", "$SYS.>", "$JS.>", "LED.API.>", "_R_.>")
	require.EqualValues(t, n+1, end(t, stream))
	for _, name := range []string{"reader", "other"} {
		c, err := stream.Consumer(soon(t), name)
		require.NoError(t, err)
		if name == "other" {
			require.Zero(t, c.CachedInfo().Delivered.Stream)
		}
	}
}

// An actor with commands and questions stays at its own doors.
func TestActorStaysAtItsOwnDoors(t *testing.T) {
	s, r := start(t)
	nc, _ := ledger(t, s)
	careless(t, nc, "assent.cmd.*")
	careless(t, nc, "assent.ask.*")
	alice := dial(t, s, r.add(newActor(t, "alice"), Commands("alice").And(Questions("alice"))))
	for _, door := range []string{"assent.cmd.alice", "assent.ask.alice"} {
		_, err := alice.RequestWithContext(soon(t), door, []byte("{}"))
		require.NoError(t, err)
	}
	alice.denied(t,
		"assent.cmd.bob", "assent.ask.bob", "assent.evt.x", "assent.cmd", "assent.cmd.alice.x",
		"LED.API.CONSUMER.MSG.NEXT.LEDGER.alice", "$JS.API.STREAM.DELETE.LEDGER", "$SYS.REQ.SERVER.PING", "_INBOX.bob.x",
	)
	alice.deaf(t, ">", "assent.>", "assent.cmd.*", "assent.cmd.alice", "_INBOX.bob.>", "_INBOX.*.x", "$SYS.>")

	nobody := dial(t, s, r.add(newActor(t, "nobody"), Grant{}))
	nobody.denied(t, "assent.cmd.nobody", "x")
	nobody.deaf(t, "_INBOX.nobody.>", "x")
}

// Even one that may do everything in the callers' account finds neither the
// system's account there nor the ledger's.
func TestNothingButTheDoorsLeadsOutOfTheCallersAccount(t *testing.T) {
	s, r := start(t)
	nc, stream := ledger(t, s)
	_, err := nc.Request("assent.evt.x", nil, time.Second)
	require.NoError(t, err)
	careless(t, nc, "assent.cmd.*")
	evil := dial(t, s, r.add(newActor(t, "evil"), Grant{Publish: []string{">"}, Subscribe: []string{">"}}))
	for _, subject := range []string{
		"$SYS.REQ.SERVER.PING", "$SYS.REQ.SERVER.PING.VARZ", "$SYS.REQ.SERVER.PING.JSZ", "$SYS.REQ.SERVER.RELOAD",
		"$SYS.REQ.ACCOUNT.LEDGER.CONNZ", "$SYS.REQ.ACCOUNT.LEDGER.SUBSZ", "$SYS.REQ.CLAIMS.LIST", "$SYS.DEBUG.SUBSCRIBERS",
		"$JS.API.INFO", "$JS.API.STREAM.INFO.LEDGER", "$JS.API.STREAM.DELETE.LEDGER", "$JS.API.STREAM.CREATE.X", "$JS.API.DIRECT.GET.LEDGER",
		"LED.API.STREAM.INFO.LEDGER", "LED.API.STREAM.DELETE.LEDGER", "LED.API.CONSUMER.CREATE.LEDGER", "LED.API.DIRECT.GET.LEDGER", "assent.evt.y",
	} {
		m, err := evil.RequestWithContext(soon(t), subject, nil)
		if err == nil {
			require.Contains(t, string(m.Data), "not enabled for account", subject)
		} else {
			require.ErrorIs(t, err, nats.ErrNoResponders, subject)
		}
	}
	require.EqualValues(t, 1, end(t, stream))
	_, err = evil.RequestWithContext(soon(t), "assent.cmd.bob", nil)
	require.NoError(t, err, "a door is there")
}
