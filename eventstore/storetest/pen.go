package storetest

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/domain/lawtest"
	"github.com/qtccc/assent/eventstore/cloudevent"
)

// A Pen writes a made-up history as a ledger records it. The public keys of such a
// history can sign nothing, so that each has a real one in its place, the same at
// every run; and its events' ids don't say when they were made, so that each has one
// in its place that does.
type Pen struct {
	pairs map[domain.PublicKey]nkeys.KeyPair // by the made-up key
	of    map[domain.ID]domain.PublicKey     // the actor's in force, made up
	ids   map[string]string                  // by the made-up id of an event
}

// NewPen is one that has written nothing yet.
func NewPen() *Pen {
	return &Pen{map[domain.PublicKey]nkeys.KeyPair{}, map[domain.ID]domain.PublicKey{}, map[string]string{}}
}

var madeUpID = regexp.MustCompile(`00000000-0000-7000-8000-[0-9a-f]{12}`)

// dated is the text with the ids of events that say when they were made.
func (p *Pen) dated(text string) string {
	return madeUpID.ReplaceAllStringFunc(text, func(id string) string { return cmp.Or(p.ids[id], id) })
}

func (p *Pen) pair(t testing.TB, made domain.PublicKey) nkeys.KeyPair {
	t.Helper()
	if p.pairs[made] == nil {
		secret := sha256.Sum256([]byte(made))
		seed, err := nkeys.EncodeSeed(nkeys.PrefixByteUser, secret[:])
		require.NoError(t, err)
		p.pairs[made], err = nkeys.FromSeed(seed)
		require.NoError(t, err)
	}
	return p.pairs[made]
}

// Pair is the key of an actor that is in force after the last event.
func (p *Pen) Pair(t testing.TB, actor domain.ID) nkeys.KeyPair {
	t.Helper()
	return p.pair(t, p.of[actor])
}

// Write is the documents of the events, which begin with the ledger's first.
func (p *Pen) Write(t testing.TB, events []*domain.Event) (written []*cloudevent.Document) {
	t.Helper()
	for _, e := range events {
		ms := fmt.Sprintf("%012x", e.Time.UnixMilli())
		p.ids[string(e.ID)] = ms[:8] + "-" + ms[8:] + string(e.ID[13:])
	}
	for _, e := range events {
		written = append(written, p.document(t, e))
	}
	return written
}

// document is the event with its command signed.
func (p *Pen) document(t testing.TB, e *domain.Event) *cloudevent.Document {
	var adds domain.PublicKey
	by := e.Actor
	switch c := e.Data.(type) {
	case *domain.LedgerOpen:
		adds = c.Admin.PublicKey
		p.of[c.Admin.Actor] = adds
	case *domain.IdentityAdd:
		if adds = c.PublicKey; e.Refusal == nil {
			p.of[c.Actor] = adds
		}
	case *domain.IdentityRotate:
		if adds = c.PublicKey; e.Refusal == nil {
			defer func() { p.of[c.Actor] = adds }() // the old one signs this
		}
	}
	raw, err := json.Marshal(e.Data)
	require.NoError(t, err)
	if adds != "" {
		public, err := p.pair(t, adds).PublicKey()
		require.NoError(t, err)
		raw = []byte(strings.ReplaceAll(string(raw), string(adds), public))
	}
	data := jsontext.Value(p.dated(string(raw)))
	require.NoError(t, data.Canonicalize())
	decision := e.Decision
	if decision != nil {
		c := *decision
		c.Attempt, c.Violation = domain.UUID(p.dated(string(c.Attempt))), domain.UUID(p.dated(string(c.Violation)))
		decision = &c
	}
	d := &cloudevent.Document{Ledger: lawtest.UUID(4, 1), ID: domain.UUID(p.dated(string(e.ID))), Type: e.Type, Subject: e.Subject, Time: e.Time, Seq: uint64(e.Seq), Actor: e.Actor,
		Command: e.Command, Rules: e.Rules, Data: data, Decision: decision, Refusal: e.Refusal, Name: e.Name,
		Issued: e.Time.Format(time.RFC3339Nano), Observed: e.Observed}
	d.Signature, err = p.pair(t, p.of[by]).Sign(d.SignedBytes(nil))
	require.NoError(t, err)
	return d
}
