package natsd

import (
	"encoding/base64"
	"sync"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
)

// A Grant says what a connection may do in the callers' account: the subjects
// that it may publish and subscribe to, NATS wildcards included. What isn't in a
// list is forbidden; an empty list allows nothing.
type Grant struct{ Publish, Subscribe []string }

// Commands lets an actor send commands to its own door.
func Commands(actor string) Grant {
	return Grant{Publish: []string{"assent.cmd." + actor}, Subscribe: []string{"_INBOX." + actor + ".>"}}
}

// Questions lets an actor ask at its own door.
func Questions(actor string) Grant {
	return Grant{Publish: []string{"assent.ask." + actor}, Subscribe: []string{"_INBOX." + actor + ".>"}}
}

// Reading lets a subscriber read its own durable, and that alone.
func Reading(actor string) Grant {
	return Grant{
		Publish: []string{
			apiPrefix + ".CONSUMER.INFO.LEDGER." + actor,
			apiPrefix + ".CONSUMER.MSG.NEXT.LEDGER." + actor,
			"$JS.ACK.LEDGER." + actor + ".>",
		},
		Subscribe: []string{"_INBOX." + actor + ".>"},
	}
}

// And is what either grant allows.
func (g Grant) And(h Grant) Grant {
	return Grant{
		Publish:   append(append([]string(nil), g.Publish...), h.Publish...),
		Subscribe: append(append([]string(nil), g.Subscribe...), h.Subscribe...),
	}
}

// A gate looks at every connection: whose key it proves decides its account.
type gate struct {
	own   string // public key of the ledger's own connections
	letIn func(string) (Grant, bool)

	// Set once, before the server starts.
	ns              *server.Server
	ledger, callers *server.Account

	mu  sync.Mutex
	ids map[string][]uint64 // guarded by mu: connections by key, closed ones until swept
	n   int                 // guarded by mu: entries in ids
	cap int                 // guarded by mu: entries at which to sweep
}

const firstSweep = 1024

func newGate(own string, letIn func(string) (Grant, bool)) *gate {
	if letIn == nil {
		letIn = func(string) (Grant, bool) { return Grant{}, false }
	}
	return &gate{own: own, letIn: letIn, ids: make(map[string][]uint64), cap: firstSweep}
}

func (g *gate) open(ns *server.Server, ledger, callers *server.Account) {
	g.ns, g.ledger, g.callers = ns, ledger, callers
}

// Check is asked by the server for every connection that says who it is.
func (g *gate) Check(c server.ClientAuthentication) bool {
	if c.Kind() != server.CLIENT {
		return false
	}
	o := c.GetOpts()
	key := o.Nkey
	if !proven(key, o.Sig, c.GetNonce()) {
		return false
	}
	if key == g.own {
		// The key never leaves the process; that nobody dials in with it is
		// looked at all the same.
		if a := c.RemoteAddress(); a == nil || a.Network() != "pipe" {
			return false
		}
		c.RegisterUser(&server.User{Username: key, Account: g.ledger})
		return true
	}
	g.note(key, c.GetID()) // before LetIn is asked: Disconnect may come meanwhile
	grant, ok := g.letIn(key)
	if !ok {
		return false
	}
	c.RegisterUser(&server.User{Username: key, Account: g.callers, Permissions: &server.Permissions{
		Publish:   allow(grant.Publish),
		Subscribe: allow(grant.Subscribe),
	}})
	return true
}

// proven says whether sig is the key's signature over the nonce that the server
// presented to this connection.
func proven(key, sig string, nonce []byte) bool {
	if len(nonce) == 0 || !nkeys.IsValidPublicUserKey(key) {
		return false
	}
	raw, err := base64.RawURLEncoding.DecodeString(sig)
	if err != nil {
		if raw, err = base64.StdEncoding.DecodeString(sig); err != nil {
			return false
		}
	}
	pub, err := nkeys.FromPublicKey(key)
	return err == nil && pub.Verify(nonce, raw) == nil
}

// allow makes an allow list. The server takes an empty one for "everything", so
// nothing is said with a deny.
func allow(subjects []string) *server.SubjectPermission {
	if len(subjects) == 0 {
		return &server.SubjectPermission{Deny: []string{">"}}
	}
	return &server.SubjectPermission{Allow: subjects}
}

func (g *gate) note(key string, id uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ids[key] = append(g.ids[key], id)
	if g.n++; g.n >= g.cap {
		g.sweep()
	}
}

// sweep forgets the connections that are closed. Called with mu held.
func (g *gate) sweep() {
	g.n = 0
	for key, ids := range g.ids {
		open := ids[:0]
		for _, id := range ids {
			if g.ns.GetClient(id) != nil {
				open = append(open, id)
			}
		}
		if g.ids[key] = open; len(open) == 0 {
			delete(g.ids, key)
		}
		g.n += len(open)
	}
	g.cap = max(firstSweep, 2*g.n)
}

func (g *gate) connections(key string) []uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]uint64(nil), g.ids[key]...)
}
