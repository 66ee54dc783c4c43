package main

import (
	"slices"
	"sync"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore/natsd"
)

// A gatekeeper knows which key may connect, from the facts of identities. It is
// asked by the server's goroutines and told by the writer's, each change before
// anybody hears that it was recorded.
type gatekeeper struct {
	mu     sync.RWMutex
	actors map[domain.ID]*domain.Actor    // guarded by mu
	owners map[domain.PublicKey]domain.ID // guarded by mu: of keys in force
}

func newGatekeeper() *gatekeeper {
	return &gatekeeper{actors: map[domain.ID]*domain.Actor{}, owners: map[domain.PublicKey]domain.ID{}}
}

// load takes in all identities that the view knows.
func (g *gatekeeper) load(v domain.View) {
	for _, known := range v.List(domain.KindActor, "", "") {
		if a, ok := known.Fact.(*domain.Actor); ok {
			g.take(a)
		}
	}
}

// take takes in what an identity has become. From then on a key that isn't in force
// any more is let in no longer.
func (g *gatekeeper) take(a *domain.Actor) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if old := g.actors[a.ID]; old != nil {
		delete(g.owners, old.PublicKey)
	}
	g.actors[a.ID] = a
	if !a.Revoked {
		g.owners[a.PublicKey] = a.ID
	}
}

// knows says whether there is an actor of that name, revoked or not.
func (g *gatekeeper) knows(id domain.ID) bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.actors[id] != nil
}

// standing is the role of an actor, and whether it was revoked.
func (g *gatekeeper) standing(id domain.ID) (role domain.Role, revoked bool) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if a := g.actors[id]; a != nil {
		return a.Role, a.Revoked
	}
	return "", true
}

// subscribers are the actors that read a durable of their own, in force and not any
// more.
func (g *gatekeeper) subscribers() (in, out []string) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	for id, a := range g.actors {
		switch {
		case a.Role != domain.Subscriber:
		case a.Revoked:
			out = append(out, string(id))
		default:
			in = append(in, string(id))
		}
	}
	slices.Sort(in)
	slices.Sort(out)
	return in, out
}

// letIn says what the holder of a key may do. What a role may send to the doors is
// judged once more there, command by command: here it is kept from what it never
// needs.
func (g *gatekeeper) letIn(key string) (natsd.Grant, bool) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	id, ok := g.owners[domain.PublicKey(key)]
	if !ok {
		return natsd.Grant{}, false
	}
	name := string(id)
	switch g.actors[id].Role {
	case domain.Subscriber:
		return natsd.Reading(name), true
	case domain.Gateway:
		return natsd.Commands(name), true
	default: // an auditor's command is forbidden, and that is to be recorded
		return natsd.Commands(name).And(natsd.Questions(name)), true
	}
}
