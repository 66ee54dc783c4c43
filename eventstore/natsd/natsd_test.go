package natsd

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// An actor has a name and a key.
type actor struct {
	name string
	key  nkeys.KeyPair
	pub  string
}

func newActor(t testing.TB, name string) actor {
	key, err := nkeys.CreateUser()
	require.NoError(t, err)
	pub, err := key.PublicKey()
	require.NoError(t, err)
	return actor{name, key, pub}
}

// A roster is who may come in.
type roster struct {
	mu     sync.Mutex
	grants map[string]Grant
}

func (r *roster) letIn(pub string) (Grant, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	g, ok := r.grants[pub]
	return g, ok
}

func (r *roster) add(a actor, g Grant) actor {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.grants == nil {
		r.grants = map[string]Grant{}
	}
	r.grants[a.pub] = g
	return a
}

func (r *roster) drop(a actor) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.grants, a.pub)
}

// start starts a server that listens, and lets in whom the roster has.
func start(t testing.TB) (*Server, *roster) {
	r := &roster{}
	s, err := Start(soon(t), Config{StoreDir: t.TempDir(), Name: "ledger", Listen: "127.0.0.1:0", LetIn: r.letIn})
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	return s, r
}

// ledger is a connection into the ledger's account, with its stream.
func ledger(t testing.TB, s *Server) (*nats.Conn, jetstream.Stream) {
	nc, err := s.Ledger()
	require.NoError(t, err)
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	stream, err := js.CreateStream(soon(t), jetstream.StreamConfig{
		Name: "LEDGER", Subjects: []string{"assent.evt.>"}, DenyDelete: true, DenyPurge: true,
	})
	require.NoError(t, err)
	return nc, stream
}

// end is the stream's last sequence.
func end(t testing.TB, stream jetstream.Stream) uint64 {
	info, err := stream.Info(soon(t))
	require.NoError(t, err)
	return info.State.LastSeq
}

// A caller is an actor's connection, and what the server refused it.
type caller struct {
	*nats.Conn
	actor
	refused chan error
}

func dial(t testing.TB, s *Server, a actor, options ...nats.Option) *caller {
	c := &caller{actor: a, refused: make(chan error, 100)}
	var err error
	c.Conn, err = connect(s, a, append(options, nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		c.refused <- err
	}))...)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func connect(s *Server, a actor, options ...nats.Option) (*nats.Conn, error) {
	return nats.Connect("nats://"+s.Addr(), append([]nats.Option{
		nats.Nkey(a.pub, a.key.Sign),
		nats.CustomInboxPrefix("_INBOX." + a.name),
		nats.NoReconnect(),
	}, options...)...)
}

// denied asks that the server refuses a publish to each of the subjects.
func (c *caller) denied(t testing.TB, subjects ...string) {
	t.Helper()
	for _, subject := range subjects {
		require.NoError(t, c.PublishRequest(subject, c.NewInbox(), []byte("{}")))
		c.violates(t, subject)
	}
}

// deaf asks that the server refuses a subscription to each of the subjects.
func (c *caller) deaf(t testing.TB, subjects ...string) {
	t.Helper()
	for _, subject := range subjects {
		sub, err := c.SubscribeSync(subject)
		require.NoError(t, err)
		c.violates(t, subject)
		_ = sub.Unsubscribe()
	}
}

func (c *caller) violates(t testing.TB, subject string) {
	t.Helper()
	require.NoError(t, c.Flush())
	select {
	case err := <-c.refused:
		require.ErrorIs(t, err, nats.ErrPermissionViolation)
		require.ErrorContains(t, err, `"`+subject+`"`)
	case <-soon(t).Done():
		t.Fatalf("%s was not refused", subject)
	}
}
