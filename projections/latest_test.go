package projections

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/qtccc/assent/domain"
)

// What verify decides on is the whole history as it is now: no more, no less.
func TestLatestAnswersAsHistoryDoes(t *testing.T) {
	for range 10 { // 1,000 histories
		rapid.Check(t, latestAnswersAsHistoryDoes)
	}
}

func latestAnswersAsHistoryDoes(t *rapid.T) {
	var (
		h    domain.History
		p    = newLatest()
		w    = newWorld(t)
		last domain.Seq
	)
	w.as = append(w.as, "c", "d") // clients' own ids, by which their facts are kept
	t.Repeat(map[string]func(*rapid.T){
		"keep": func(t *rapid.T) {
			last++
			changes := w.changes(t, last)
			h.Keep(last, changes)
			p.keep(last, changes)
		},
		"get": func(t *rapid.T) {
			k := w.key(t)
			is, ok := p.own.Get(k)
			was, there := h.At(last).Get(k)
			require.Equal(t, there, ok, k)
			require.Equal(t, was, is, k)
		},
		"list": func(t *rapid.T) {
			k := w.key(t)
			if k.Kind == domain.KindCommand {
				return
			}
			if rapid.Bool().Draw(t, "whole") {
				k.B = ""
			}
			require.Equal(t, listing(h.At(last), k), listing(&p.own, k))
		},
	})
}

// What was decided ahead is decided again wherever any of its questions would be answered
// otherwise by then: else a right that was revoked in between would serve once more.
func TestWhatWasSeenIsStaleOnceItIsAnsweredOtherwise(t *testing.T) {
	stale, fresh := 0, 0
	for range 20 { // 2,000 histories
		rapid.Check(t, func(t *rapid.T) {
			p, w, last := newLatest(), newWorld(t), domain.Seq(0)
			w.as = append(w.as, "c", "d")
			keep := func() {
				for range rapid.IntRange(0, 3).Draw(t, "events") {
					last++
					p.keep(last, w.changes(t, last))
				}
			}
			keep()
			p.round++
			v := &sight{latest: p}
			var saw seen
			v.watch(&saw)
			var asked []domain.Key
			for range rapid.IntRange(1, 3).Draw(t, "questions") {
				k := w.key(t)
				if k.Kind == domain.KindCommand && rapid.Bool().Draw(t, "its own") {
					k.C = aCommand(w.uuids + 1) // as that of an event that comes
				}
				asked = append(asked, k)
			}
			answers := func(v domain.View) (all []string) {
				for _, k := range asked {
					known, there := v.Get(k)
					all = append(all, fmt.Sprint(k, there, known.First, known.From))
					if k.Kind != domain.KindCommand {
						all = append(all, listing(v, k)...)
					}
				}
				return all
			}
			before := answers(v)
			require.Equal(t, answers(&p.own), before)
			keep()
			if saw.stale(p) {
				stale++
				return
			}
			fresh++
			require.Equal(t, before, answers(&p.own))
		})
	}
	require.Greater(t, stale, 100)
	require.Greater(t, fresh, 100)
}

// One holder may have a fact or thousands, and an id be answered among hundreds of
// thousands.
func TestLatestIsRightAtAnySize(t *testing.T) {
	var h domain.History
	p := newLatest()
	key := func(n int) domain.Key {
		return domain.Key{Kind: domain.KindRight, A: "acme", B: fmt.Sprint("p", n%3), C: fmt.Sprint("consent/c", n)}
	}
	for seq := range domain.Seq(2_000) {
		seq++
		c := []domain.Change{
			{Key: domain.Key{Kind: domain.KindCommand, A: fmt.Sprint("clerk", seq%2), C: aUUID(uint64(seq / 2))}, Fact: &domain.Answered{}},
			{Key: key(int(seq*7) % 400), Fact: &domain.Right{Ended: seq}},
			{Key: domain.Key{Kind: domain.KindSpent, A: "acme", C: fmt.Sprint(seq % 100)}, Fact: &domain.Spent{}},
		}
		h.Keep(seq, c)
		p.keep(seq, c)
		if seq%50 != 1 && seq > 60 {
			continue
		}
		now := h.At(seq)
		for _, of := range []domain.Key{{Kind: domain.KindRight, A: "acme"}, {Kind: domain.KindRight, A: "acme", B: "p1"}, {Kind: domain.KindSpent, A: "acme"}, {Kind: domain.KindRight, A: "other"}} {
			require.Equal(t, listing(now, of), listing(&p.own, of))
		}
		for n := range 400 {
			is, ok := p.own.Get(key(n))
			was, there := now.Get(key(n))
			require.Equal(t, there, ok)
			require.Equal(t, was, is)
		}
	}
	for n := range uint64(1_001) {
		for _, actor := range []string{"clerk0", "clerk1", "clerk2"} {
			k := domain.Key{Kind: domain.KindCommand, A: actor, C: aUUID(n)}
			is, ok := p.own.Get(k)
			was, there := h.At(2_000).Get(k)
			require.Equal(t, there, ok, k)
			require.Equal(t, was, is, k)
		}
	}
}

// Ids may come in their order, almost, or in none.
func TestIDsAreFoundInWhateverOrderTheyCame(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, jitter := range []uint64{1, 20, 3_000, 1 << 60} {
		want, s := map[answeredID]domain.Seq{}, newAnsweredIDs()
		id := func(n uint64) (id answeredID) {
			id.actor = r.Uint32N(3)
			binary.BigEndian.PutUint64(id.id[r.IntN(2)*8:], n)
			return id
		}
		for seq := domain.Seq(1); seq <= 6_000; seq++ {
			of := id(uint64(seq)*2 + r.Uint64N(jitter))
			require.Equal(t, want[of], s.get(of))
			want[of] = seq
			s.set(of, seq)
			require.Equal(t, seq, s.get(of))
			other := id(uint64(seq)*2 + r.Uint64N(jitter))
			require.Equal(t, want[other], s.get(other))
		}
		for of, seq := range want {
			require.Equal(t, seq, s.get(of))
		}
		require.Zero(t, s.get(answeredID{actor: 9}))
	}
}
