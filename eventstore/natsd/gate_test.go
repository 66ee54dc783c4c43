package natsd

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"
)

// A wire is a connection without a client library.
type wire struct {
	net.Conn
	r     *bufio.Reader
	nonce string
}

func dialWire(t testing.TB, s *Server) *wire {
	c, err := net.Dial("tcp", s.Addr())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(20*time.Second)))
	w := &wire{Conn: c, r: bufio.NewReader(c)}
	line, err := w.r.ReadString('\n')
	require.NoError(t, err)
	info, ok := strings.CutPrefix(line, "INFO ")
	require.True(t, ok)
	var said struct {
		Nonce string `json:"nonce"`
		Auth  bool   `json:"auth_required"`
	}
	require.NoError(t, json.Unmarshal([]byte(info), &said))
	require.NotEmpty(t, said.Nonce)
	require.True(t, said.Auth)
	w.nonce = said.Nonce
	return w
}

// connects sends a CONNECT with these members, and says whether it was taken.
func (w *wire) connects(t testing.TB, members map[string]any) bool {
	members["verbose"], members["headers"], members["no_responders"] = false, true, true
	b, err := json.Marshal(members)
	require.NoError(t, err)
	_, err = fmt.Fprintf(w, "CONNECT %s\r\nPING\r\n", b)
	require.NoError(t, err)
	line, err := w.r.ReadString('\n')
	if err == nil && line == "PONG\r\n" {
		return true
	}
	require.Contains(t, line, "-ERR 'Authorization Violation'")
	_, err = io.ReadAll(w.r)
	require.NoError(t, err, "the connection is closed")
	return false
}

func sign(t testing.TB, a actor, nonce string) string {
	sig, err := a.key.Sign([]byte(nonce))
	require.NoError(t, err)
	return base64.RawURLEncoding.EncodeToString(sig)
}

func TestOnlyTheHolderOfAKnownKeyComesIn(t *testing.T) {
	s, r := start(t)
	alice := r.add(newActor(t, "alice"), Commands("alice"))
	mallory := newActor(t, "mallory")
	account, err := nkeys.CreateAccount()
	require.NoError(t, err)
	accountPub, err := account.PublicKey()
	require.NoError(t, err)
	own, err := s.own.PublicKey()
	require.NoError(t, err)
	before := dialWire(t, s).nonce

	w := dialWire(t, s)
	require.True(t, w.connects(t, map[string]any{"nkey": alice.pub, "sig": sign(t, alice, w.nonce)}))
	for name, members := range map[string]func(nonce string) map[string]any{
		"nothing":                      func(string) map[string]any { return map[string]any{} },
		"a key alone":                  func(string) map[string]any { return map[string]any{"nkey": alice.pub} },
		"an empty signature":           func(string) map[string]any { return map[string]any{"nkey": alice.pub, "sig": ""} },
		"no signature":                 func(string) map[string]any { return map[string]any{"nkey": alice.pub, "sig": "!!"} },
		"a signature of nothing":       func(string) map[string]any { return map[string]any{"nkey": alice.pub, "sig": sign(t, alice, "")} },
		"a signature of another nonce": func(string) map[string]any { return map[string]any{"nkey": alice.pub, "sig": sign(t, alice, before)} },
		"another's signature":          func(n string) map[string]any { return map[string]any{"nkey": alice.pub, "sig": sign(t, mallory, n)} },
		"an unknown key":               func(n string) map[string]any { return map[string]any{"nkey": mallory.pub, "sig": sign(t, mallory, n)} },
		"the ledger's key":             func(n string) map[string]any { return map[string]any{"nkey": own, "sig": sign(t, mallory, n)} },
		"a signature without a key":    func(n string) map[string]any { return map[string]any{"sig": sign(t, alice, n)} },
		"a key in lower case": func(n string) map[string]any {
			return map[string]any{"nkey": strings.ToLower(alice.pub), "sig": sign(t, alice, n)}
		},
		"a key of another kind": func(n string) map[string]any {
			return map[string]any{"nkey": accountPub, "sig": sign(t, actor{key: account}, n)}
		},
		"a user's name": func(string) map[string]any { return map[string]any{"user": alice.pub, "pass": "x"} },
		"a token":       func(string) map[string]any { return map[string]any{"auth_token": alice.pub} },
		"a JWT": func(n string) map[string]any {
			return map[string]any{"jwt": "eyJ0eXAiOiJKV1QifQ.e30.", "sig": sign(t, alice, n)}
		},
	} {
		w := dialWire(t, s)
		require.False(t, w.connects(t, members(w.nonce)), name)
	}
	// Even the ledger's own key, if it ever leaked, is good inside the process alone.
	w = dialWire(t, s)
	require.False(t, w.connects(t, map[string]any{"nkey": own, "sig": sign(t, actor{key: s.own}, w.nonce)}))
}

func TestNobodyComesInWhereNobodyIsAsked(t *testing.T) {
	s, err := Start(soon(t), Config{StoreDir: t.TempDir(), Name: "ledger", Listen: "127.0.0.1:0"})
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	_, err = connect(s, newActor(t, "alice"))
	require.ErrorIs(t, err, nats.ErrAuthorization)
}

func TestDisconnectLeavesNoConnection(t *testing.T) {
	s, r := start(t)
	alice, bob := newActor(t, "alice"), newActor(t, "bob")
	r.add(alice, Commands("alice"))
	stays := dial(t, s, r.add(bob, Commands("bob")))
	gone := make(chan bool, 3)
	for range cap(gone) {
		dial(t, s, alice, nats.ClosedHandler(func(*nats.Conn) { gone <- true }))
	}
	r.drop(alice)
	s.Disconnect(alice.pub)
	for range cap(gone) {
		select {
		case <-gone:
		case <-soon(t).Done():
			t.Fatal("a connection stays")
		}
	}
	_, err := connect(s, alice)
	require.ErrorIs(t, err, nats.ErrAuthorization)
	require.NoError(t, stays.Flush())
	s.Disconnect("nobody's")

	// And in again, once the key is back.
	dial(t, s, r.add(alice, Commands("alice")))
}

// LetIn has said yes, from what was recorded a moment ago, and the key is revoked
// before the server has heard it.
func TestDisconnectMissesNoConnectionBeingMade(t *testing.T) {
	var s *Server
	revoked := false
	s, err := Start(soon(t), Config{StoreDir: t.TempDir(), Name: "ledger", Listen: "127.0.0.1:0", LetIn: func(pub string) (Grant, bool) {
		if revoked {
			return Grant{}, false
		}
		revoked = true
		s.Disconnect(pub)
		return Commands("alice"), true
	}})
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	alice := newActor(t, "alice")
	for range 2 {
		nc, err := connect(s, alice)
		if err == nil {
			require.Eventually(t, nc.IsClosed, 10*time.Second, time.Millisecond)
		}
	}
	require.True(t, revoked)
}

// The gate keeps a note of each connection, and not for ever.
func TestGateForgetsConnectionsThatAreClosed(t *testing.T) {
	s, r := start(t)
	alice := r.add(newActor(t, "alice"), Commands("alice"))
	keeps := dial(t, s, alice)
	s.gate.mu.Lock()
	s.gate.cap = 8
	s.gate.mu.Unlock()
	for range 20 {
		nc, err := connect(s, alice)
		require.NoError(t, err)
		nc.Close()
	}
	s.gate.mu.Lock()
	s.gate.sweep()
	s.gate.mu.Unlock()
	require.Eventually(t, func() bool {
		s.gate.mu.Lock()
		defer s.gate.mu.Unlock()
		s.gate.sweep()
		return s.gate.n == 1
	}, 10*time.Second, time.Millisecond)
	require.Len(t, s.gate.connections(alice.pub), 1)
	r.drop(alice)
	s.Disconnect(alice.pub)
	require.Eventually(t, keeps.IsClosed, 10*time.Second, time.Millisecond)
}
