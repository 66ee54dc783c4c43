package commands

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/domain"
)

// S11: altered by a byte, a signed command has no effect.
func TestEveryAlteredByteIsNoticed(t *testing.T) {
	l := newTestLedger(t)
	body := l.body("clerk", newID(), "party.register", `{"party":"wu","category":"staff","kind":"person","name":"Wu Min"}`)
	last := l.last()
	for i := range body {
		altered := bytes.Clone(body)
		altered[i] ^= 1
		a := l.send("clerk", altered)
		require.False(t, a.OK, "byte %d: %s", i, altered)
		require.Contains(t, []domain.Code{domain.Invalid, domain.Unauthenticated}, a.Error.Code, "byte %d: %s", i, altered)
	}
	require.Equal(t, last, l.last())
	require.True(t, l.send("clerk", body).OK)
}

// S11: a signature has one spelling; adding the group's order to s makes no second
// one.
func TestAMalleatedSignatureIsRefused(t *testing.T) {
	l := newTestLedger(t)
	r, f := ParseRequest(l.body("admin", newID(), "clock.affirm", `{}`))
	require.Nil(t, f)
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	s := bytes.Clone(r.Signature[32:])
	reverse(s)
	n := new(big.Int).Add(new(big.Int).SetBytes(s), order)
	n.FillBytes(s)
	reverse(s)
	good := r.Signature
	r.Signature = append(bytes.Clone(good[:32]), s...)
	a := l.send("admin", r.Append(nil))
	require.Equal(t, domain.Unauthenticated, a.Error.Code)
	for _, sig := range [][]byte{{}, good[:63], append(bytes.Clone(good), 0), make([]byte, 64)} {
		r.Signature = sig
		require.Equal(t, domain.Unauthenticated, l.send("admin", r.Append(nil)).Error.Code)
	}
	r.Signature = good
	require.True(t, l.send("admin", r.Append(nil)).OK)
}

func reverse(b []byte) {
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
}

// Section 7: what isn't authenticated is answered so, and never recorded.
func TestWhoProvesNothingIsUnauthenticated(t *testing.T) {
	l := newTestLedger(t)
	l.identity("stranger")
	const wu = `{"party":"wu","category":"staff","kind":"person","name":"Wu Min"}`
	last := l.last()
	as := func(s Sender, connection, door domain.ID, name, data string, at time.Time) *Answer {
		b, err := s.Compose(&Plain{Name: name, Data: []byte(data)}, at)
		require.NoError(t, err)
		a, err := l.svc.Do(t.Context(), door, l.public[connection], b)
		require.NoError(t, err)
		return a
	}
	clerk, now := l.sender("clerk"), l.clock.Now()
	other := clerk
	other.Ledger = "0191e7a4-7c1b-7d6e-9f00-3a5b8c2d1e40"
	forged := clerk
	forged.Key = l.keys["officer"]
	nameless := clerk
	nameless.Key = nil
	stranger := Sender{Ledger: theLedger, Actor: "stranger", Key: l.keys["stranger"]}
	gateway := l.sender("gateway")
	for what, a := range map[string]*Answer{
		"another ledger":                        as(other, "clerk", "clerk", "party.register", wu, now),
		"another's door":                        as(clerk, "clerk", "officer", "party.register", wu, now),
		"another's connection":                  as(clerk, "officer", "clerk", "party.register", wu, now),
		"another's connection and door":         as(clerk, "officer", "officer", "party.register", wu, now),
		"another's signature":                   as(forged, "clerk", "clerk", "party.register", wu, now),
		"another's signature and connection":    as(forged, "officer", "clerk", "party.register", wu, now),
		"no signature":                          as(nameless, "clerk", "clerk", "party.register", wu, now),
		"no signature on an access of a clerk":  as(nameless, "clerk", "clerk", "access.request", look, now),
		"no such actor":                         as(stranger, "stranger", "stranger", "party.register", wu, now),
		"a gateway's access by another's":       as(gateway, "clerk", "gateway", "access.request", look, now),
		"a gateway's access by nobody's":        as(gateway, "nobody", "gateway", "access.request", look, now),
		"a gateway's access for another ledger": as(Sender{Ledger: other.Ledger, Actor: "gateway"}, "gateway", "gateway", "access.request", look, now),
		"issued too early":                      as(clerk, "clerk", "clerk", "party.register", wu, now.Add(-5*time.Minute-1)),
		"issued too late":                       as(clerk, "clerk", "clerk", "party.register", wu, now.Add(5*time.Minute+1)),
		"issued long ago":                       as(gateway, "gateway", "gateway", "access.request", look, time.Unix(0, 0)),
		"issued in another age":                 as(gateway, "gateway", "gateway", "access.request", look, now.AddDate(5000, 0, 0)),
	} {
		require.False(t, a.OK, what)
		require.Equal(t, domain.Unauthenticated, a.Error.Code, "%s: %v", what, a.Error)
		require.Zero(t, a.Seq, what)
	}
	require.Equal(t, last, l.last())
	require.True(t, as(clerk, "clerk", "clerk", "party.register", wu, now.Add(5*time.Minute)).OK)
	signed := gateway
	signed.Key = l.keys["gateway"]
	a := as(signed, "gateway", "gateway", "access.request", look, now.Add(-5*time.Minute))
	require.True(t, a.OK, "a gateway may sign too")
	d := l.events(uint64(a.Seq))[0]
	require.Len(t, d.Signature, 64)
	require.Empty(t, d.Connection)
}

// The form comes before the actor (section 2, 1 and 2).
func TestAMalformedCommandOfNobodyIsInvalid(t *testing.T) {
	l := newTestLedger(t)
	body := l.body("clerk", newID(), "party.register", `{"party":"wu","category":"staff","kind":"institution","of":"lab","name":"Wu Min"}`)
	a, err := l.svc.Do(t.Context(), "clerk", l.public["officer"], body)
	require.NoError(t, err)
	require.Equal(t, domain.Invalid, a.Error.Code)
	require.Equal(t, "/data/of", a.Error.Field)
}

// S10: a signed command sent again later has one effect.
func TestASignedCommandReplayedHasNoSecondEffect(t *testing.T) {
	l := newTestLedger(t)
	body := l.body("officer", newID(), "party.retire", `{"party":"li","reason":"gone"}`)
	require.True(t, l.send("officer", body).OK)
	l.ok("officer", "party.restore", `{"party":"li","reason":"back"}`)
	last := l.last()
	l.clock.pass(time.Minute)
	require.True(t, l.send("officer", body).Again)
	l.clock.pass(time.Hour)
	require.True(t, l.send("officer", body).Again)
	require.Equal(t, last, l.last())

	// One that was never answered is too old by now.
	old := l.body("officer", newID(), "party.retire", `{"party":"li","reason":"gone"}`)
	l.clock.pass(5*time.Minute + time.Second)
	a := l.send("officer", old)
	require.Equal(t, domain.Unauthenticated, a.Error.Code)
	require.Equal(t, "/issued", a.Error.Field)
}

func TestARevokedKeyIsRefusedAndItsConnectionClosed(t *testing.T) {
	l := newTestLedger(t)
	nc := l.connect("gateway")
	require.True(t, l.request(nc, "gateway", l.body("gateway", "", "access.request", look)).OK)
	old := l.public["gateway"]
	l.identity("gateway")
	l.ok("admin", "identity.rotate", fmt.Sprintf(`{"actor":"gateway","publicKey":%q}`, l.public["gateway"]))
	// The answer came after the old connection was closed, and nobody comes again with
	// the old key.
	require.Eventually(t, nc.IsClosed, 5*time.Second, time.Millisecond)
	_, in := l.letIn(string(old))
	require.False(t, in)
	a, err := l.svc.Do(t.Context(), "gateway", old, l.body("gateway", "", "access.request", look))
	require.NoError(t, err)
	require.Equal(t, domain.Unauthenticated, a.Error.Code)

	nc = l.connect("gateway")
	require.True(t, l.request(nc, "gateway", l.body("gateway", "", "access.request", look)).OK)
	l.ok("admin", "identity.revoke", `{"actor":"gateway"}`)
	require.Eventually(t, nc.IsClosed, 5*time.Second, time.Millisecond)
	l.refused(domain.Unauthenticated, "gateway", "access.request", look)
}

// Whoever made a command known under an id is told the same when it has a new key.
func TestARotatedKeyKeepsItsIDs(t *testing.T) {
	l := newTestLedger(t)
	id := newID()
	a := l.send("gateway", l.body("gateway", id, "access.request", look))
	l.identity("gateway")
	l.ok("admin", "identity.rotate", fmt.Sprintf(`{"actor":"gateway","publicKey":%q}`, l.public["gateway"]))
	same := l.send("gateway", l.body("gateway", id, "access.request", look))
	require.True(t, same.Again)
	require.Equal(t, a.Seq, same.Seq)
}

func TestEachRoleIssuesItsCommandsOnly(t *testing.T) {
	l := newTestLedger(t)
	for i := range domain.Catalogue {
		row := &domain.Catalogue[i]
		if row.Command == "ledger.open" {
			continue
		}
		for _, role := range domain.Roles {
			allowed := false
			for _, r := range row.Roles {
				allowed = allowed || r == role
			}
			if allowed {
				continue
			}
			s := Sender{Ledger: theLedger, Actor: domain.ID(role), Key: l.keys[domain.ID(role)]}
			body, err := s.Compose(&Plain{Name: row.Command, Data: []byte(sample(row.Command))}, l.clock.Now())
			require.NoError(t, err, row.Command)
			a := l.send(domain.ID(role), body)
			require.Equal(t, domain.Forbidden, a.Error.Code, "%s %s: %v", role, row.Command, a.Error)
			d := l.events(uint64(a.Seq))[0]
			require.Equal(t, domain.CommandRefused, d.Type)
			require.Equal(t, row.Command, d.Name)
			require.Nil(t, d.Sealed, "a refused command keeps no openings")
		}
	}
}

// A signature that is none in BASE64 is a matter of form, one of another length is
// not.
func TestASignatureInBase64IsHeldAgainstTheKey(t *testing.T) {
	l := newTestLedger(t)
	body := string(l.body("admin", newID(), "clock.affirm", `{}`))
	i := strings.Index(body, `"signature":"`) + len(`"signature":"`)
	end := strings.LastIndex(body, `"`)
	for sig, code := range map[string]domain.Code{
		"":     domain.Unauthenticated,
		"AAAA": domain.Unauthenticated,
		base64.StdEncoding.EncodeToString(make([]byte, 64)): domain.Unauthenticated,
		"AAA":  domain.Invalid,
		"----": domain.Invalid,
	} {
		a := l.send("admin", []byte(body[:i]+sig+body[end:]))
		require.Equal(t, code, a.Error.Code, sig)
	}
}
