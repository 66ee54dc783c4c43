package natsd

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
)

// The name that a client gives its connection stands in the same header.
func TestCallerIsTheKeyThatTheConnectionProved(t *testing.T) {
	s, r := start(t)
	nc, _ := ledger(t, s)
	door := make(chan *nats.Msg, 1)
	for _, subject := range []string{"assent.cmd.*", "assent.ask.*"} {
		_, err := nc.ChanSubscribe(subject, door)
		require.NoError(t, err)
	}
	require.NoError(t, nc.Flush())
	a := r.add(newActor(t, "alice"), Commands("alice").And(Questions("alice")))
	victim := newActor(t, "bob")
	for _, name := range []string{
		"", "alice", `"user":"` + victim.pub + `"`, `","user":"` + victim.pub, `\","user":"` + victim.pub, "\r\nNats-Request-Info: x", "资料", "\x00\xff", strings.Repeat("x", 2000),
	} {
		alice := dial(t, s, a, nats.Name(name))
		for _, header := range []nats.Header{
			nil,
			{"Traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}, "A": {"b", "c"}},
			{"Nats-Request-Info": {`{"acc":"CALLERS","user":"` + victim.pub + `"}`}},
			{"Nats-Request-Info": {`{"user":"` + victim.pub + `"}`, "{}"}},
			{"X-Nats-Request-Info": {`{"user":"` + victim.pub + `"}`}},
		} {
			for _, subject := range []string{"assent.cmd.alice", "assent.ask.alice"} {
				require.NoError(t, alice.PublishMsg(&nats.Msg{Subject: subject, Reply: alice.NewInbox(), Header: header, Data: []byte("{}")}))
				m := <-door
				require.Equal(t, a.pub, Caller(m), "%q %v", name, m.Header)
			}
		}
	}
}

// What no client library sends: it comes past the server, and is believed by none.
func TestForgedCallerIsNobody(t *testing.T) {
	s, r := start(t)
	nc, _ := ledger(t, s)
	door := make(chan *nats.Msg, 1)
	_, err := nc.ChanSubscribe("assent.cmd.*", door)
	require.NoError(t, err)
	require.NoError(t, nc.Flush())
	alice, victim := r.add(newActor(t, "alice"), Commands("alice")), newActor(t, "bob")
	w := dialWire(t, s)
	require.True(t, w.connects(t, map[string]any{"nkey": alice.pub, "sig": sign(t, alice, w.nonce)}))
	forged := `Nats-Request-Info: {"acc":"CALLERS","user":"` + victim.pub + `","kind":"Client"}`
	short := strings.Repeat("A:\n", 8) + strings.Repeat("B:\n", 6)
	hidden := 0
	for _, block := range []string{
		// The server takes this one off.
		"NATS/1.0\r\n" + forged + "\r\n\r\n",
		// Not this one, and its own comes behind it,
		"NATS/1.0\n" + forged + "\r\n\r\n",
		"NATS/1.0\r\nA: b\n" + forged + "\r\n\r\n",
		// behind a blank line, where nobody looks for it,
		"NATS/1.0\n" + forged + "\r\n\r\nXX",
		"NATS/1.0\r\nA: b\n" + forged + "\n\nXX",
		"NATS/1.0\n" + forged + "\n\n",
		"NATS/1.0503 d\n" + short + forged + "\n\nXX",
		"NATS/1.0\n" + strings.Repeat("A:\n", 200) + forged + "\n\nXX",
		// The lengths agree, but it is there twice.
		"NATS/1.0\n" + strings.Replace(forged, " ", "  ", 1) + "\r\n\r\n",
		"NATS/1.0\n" + strings.Replace(forged, " ", "  ", 1) + "XX",
		// or in the middle of another line.
		"NATS/1.0\n" + forged + "\r\nB: XX",
		"NATS/1.0\n" + forged + "XX",
		"NATS/1.0\nNats-Request-Info: {\"x\":\"XX",
		"NATS/1.0\r\n\r\nXX", "NATS/1.0\r\nXX", "NATS/1.0XX", "XX", "\r\n", "",
	} {
		_, err := fmt.Fprintf(w, "HPUB assent.cmd.alice _INBOX.alice.1 %d %d\r\n%s{}\r\n", len(block), len(block)+2, block)
		require.NoError(t, err)
		var m *nats.Msg
		select {
		case m = <-door:
		case <-soon(t).Done():
			t.Fatalf("%q didn't come", block)
		}
		if who := Caller(m); who != "" {
			require.Equal(t, alice.pub, who, "%q became %q", block, m.Header)
		}
		if said := m.Header["Nats-Request-Info"]; len(said) == 1 && strings.Contains(said[0], victim.pub) {
			hidden++
		}
	}
	require.GreaterOrEqual(t, hidden, 4, "a header alone can be forged")
}

func TestCallerOfAMessageThatCameToNoDoorIsNobody(t *testing.T) {
	s, _ := start(t)
	nc, _ := ledger(t, s)
	got := make(chan *nats.Msg, 1)
	_, err := nc.ChanSubscribe("assent.cmd.*", got)
	require.NoError(t, err)
	require.NoError(t, nc.Publish("assent.cmd.alice", nil))
	require.Empty(t, Caller(<-got))
	require.Empty(t, Caller(&nats.Msg{}))
}

// said is what the server would put on a request.
func said(t testing.TB, ci server.ClientInfo) string {
	b, err := json.Marshal(ci)
	require.NoError(t, err)
	return string(b)
}

func TestCallerReadsWhatTheServerWrites(t *testing.T) {
	now := time.Now()
	ci := server.ClientInfo{
		Start: &now, Host: "::1", ID: 7, Account: "CALLERS", User: "UX", Name: `"user":"UY"`, Lang: "go", Version: "1", RTT: 9, Server: "s",
		Jwt: `,"user":"UZ"`, Tags: []string{`"user":"UT"`}, Kind: "Client", ClientType: "nats",
	}
	require.Equal(t, "UX", user(said(t, ci)))
	ci.User = ""
	require.Empty(t, user(said(t, ci)))
	require.Empty(t, user(""))
}

// FuzzCaller: whatever a client sends as its headers, through a server, the caller
// is the key that it proved, or nobody; and whatever it calls itself.
func FuzzCaller(f *testing.F) {
	const forged = `Nats-Request-Info: {"user":"UX"}`
	f.Add([]byte("NATS/1.0\r\n\r\n"), "alice")
	f.Add([]byte("NATS/1.0\n"+forged+"\r\n\r\nXX"), `"user":"UX"`)
	f.Add([]byte("NATS/1.0 503 d\nA:\nB:\n"+forged+"\n\nXX"), `\`)
	f.Add([]byte("NATS/1.0\n"+forged+"XX"), "")
	s, r := start(f)
	nc, _ := ledger(f, s)
	door := make(chan *nats.Msg, 1)
	_, err := nc.ChanSubscribe("assent.cmd.*", door)
	require.NoError(f, err)
	require.NoError(f, nc.Flush())
	alice := r.add(newActor(f, "alice"), Commands("alice"))
	w := dialWire(f, s)
	require.NoError(f, w.SetDeadline(time.Time{}))
	require.True(f, w.connects(f, map[string]any{"nkey": alice.pub, "sig": sign(f, alice, w.nonce)}))
	n := 0
	f.Fuzz(func(t *testing.T, block []byte, name string) {
		require.Equal(t, "UX", user(said(t, server.ClientInfo{Account: "CALLERS", User: "UX", Name: name, Lang: name, Jwt: name})))
		if strings.Contains(string(block), "race") { // Nats-Trace-Dest, traceparent: the server may keep such a message
			return
		}
		n++
		body := fmt.Sprintf("%9d", n)
		_, err := fmt.Fprintf(w, "HPUB assent.cmd.alice _INBOX.alice.1 %d %d\r\n%s%s\r\n", len(block), len(block)+len(body), block, body)
		require.NoError(t, err)
		for {
			select {
			case m := <-door:
				if who := Caller(m); who != "" {
					require.Equal(t, alice.pub, who, "%q", m.Header)
				}
				if strings.HasSuffix(string(m.Data), body) {
					return
				}
			case <-time.After(5 * time.Second):
				t.Fatal("the message didn't come")
			}
		}
	})
}

func BenchmarkCaller(b *testing.B) {
	now := time.Now()
	m := nats.NewMsg("assent.cmd.alice")
	m.Header.Set("Nats-Request-Info", said(b, server.ClientInfo{
		Start: &now, Host: "127.0.0.1", ID: 7, Account: "CALLERS", User: strings.Repeat("U", 56), Name: "gateway", Lang: "go", Version: "1.55.0",
		RTT: 1e5, Server: "0191e7a4-7c1b-7d6e-9f00-3a5b8c2d1e4f", Kind: "Client", ClientType: "nats",
	}))
	b.ReportAllocs()
	for b.Loop() {
		if Caller(m) == "" {
			b.Fatal("nobody")
		}
	}
}
