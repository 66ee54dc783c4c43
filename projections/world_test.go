package projections

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"pgregory.net/rapid"

	"github.com/qtccc/assent/domain"
)

// A world is a small set of facts that random events change.
type world struct {
	as, bs, cs []string
	uuids      uint64
	clock      int64
}

func newWorld(*rapid.T) *world {
	return &world{as: []string{"a", "a-1", "ab"}, bs: []string{"p", "p0"}, cs: []string{"c", "c1", "d", "d_"}}
}

var kinds = []domain.Kind{domain.KindLedger, domain.KindClient, domain.KindSpent, domain.KindRight, domain.KindRested,
	domain.KindViolating, domain.KindCommand, domain.KindParty, domain.KindActor}

// without are the kinds whose facts have no A.
var without = []domain.Kind{domain.KindLedger, domain.KindClient, domain.KindParty, domain.KindActor}

// key is one that a fact may have.
func (w *world) key(t *rapid.T) domain.Key {
	k := domain.Key{Kind: rapid.SampledFrom(kinds).Draw(t, "kind")}
	if !slices.Contains(without, k.Kind) {
		k.A = rapid.SampledFrom(w.as).Draw(t, "a")
	}
	if k.Kind == domain.KindRight || k.Kind == domain.KindRested {
		k.B = rapid.SampledFrom(w.bs).Draw(t, "b")
	}
	switch k.Kind {
	case domain.KindLedger:
	case domain.KindCommand:
		k.C = aCommand(rapid.Uint64Range(0, w.uuids).Draw(t, "command"))
	default:
		k.C = rapid.SampledFrom(w.cs).Draw(t, "c")
	}
	return k
}

// changes are those of an event: a command's id that was never there, and up to
// five facts.
func (w *world) changes(t *rapid.T, seq domain.Seq) []domain.Change {
	w.uuids++
	all := []domain.Change{{
		Key:  domain.Key{Kind: domain.KindCommand, A: rapid.SampledFrom(w.as).Draw(t, "actor"), C: aCommand(w.uuids)},
		Fact: &domain.Answered{},
	}}
	for range rapid.IntRange(0, 5).Draw(t, "changes") {
		k := w.key(t)
		if k.Kind == domain.KindCommand || slicesHas(all, k) {
			continue
		}
		all = append(all, domain.Change{Key: k, Fact: aFact(k.Kind, seq)})
	}
	return all
}

// aCommand is an id of its own for each number, and not in their order.
func aCommand(n uint64) string { return aUUID(n * 7919 % 100_003) }

func slicesHas(all []domain.Change, k domain.Key) bool {
	for _, c := range all {
		if c.Key == k {
			return true
		}
	}
	return false
}

// aFact is one that the event could have made.
func aFact(kind domain.Kind, seq domain.Seq) domain.Fact {
	n := fmt.Sprint(seq)
	switch kind {
	case domain.KindLedger:
		return &domain.Ledger{ID: domain.UUID(aUUID(uint64(seq))), Name: "agency", Log: "a+00000000+" + domain.LogKey(strings.Repeat("A", 44)), Admins: int(seq)}
	case domain.KindClient:
		return &domain.Client{Name: domain.Text("sha256:" + strings.Repeat("0", 64)), NameAt: seq}
	case domain.KindParty:
		return &domain.Party{Category: domain.Staff, Kind: domain.Person, Name: domain.Text("sha256:" + strings.Repeat("1", 64)), NameAt: seq}
	case domain.KindActor:
		return &domain.Actor{ID: "clerk", Role: domain.Clerk, PublicKey: domain.PublicKey("U" + strings.Repeat("A", 55)), Revoked: seq%2 == 0}
	case domain.KindSpent:
		return &domain.Spent{By: domain.ID("e" + n)}
	case domain.KindRight:
		r := &domain.Right{Kind: domain.Consented, Client: "a", ID: domain.ID("c" + n), Party: "p", Purposes: []domain.Purpose{domain.Fees},
			Scope: domain.Scope{Records: []domain.ID{"r1"}, Sensitive: seq%2 == 0}, Actions: []domain.Action{domain.Consult}, Ended: seq}
		if seq%3 == 0 {
			r.Until = time.Date(2026, 1, 2, 3, 4, 5, int(seq), time.FixedZone("", 8*3600))
		}
		return r
	case domain.KindViolating:
		return &domain.Violating{Violation: domain.UUID(aUUID(uint64(seq)))}
	}
	return domain.NewFact(kind)
}

func aUUID(n uint64) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[8:], n)
	return uuid(b[:])
}

// text is all that a fact says.
func text(f domain.Fact) string {
	b, err := json.Marshal(f, json.FormatNilSliceAsNull(true))
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf("%T%s", f, b)
}
