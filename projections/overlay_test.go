package projections

import (
	"fmt"
	"iter"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/qtccc/assent/domain"
)

// behind is a store that has applied the events up to n.
type behind struct {
	*domain.History
	n domain.Seq
}

func (b *behind) view() domain.View { return lagging{b} }

// telling says which id is the greatest, as Lookups do.
type telling struct{ lagging }

func (l telling) Newest(actor string) (id string) {
	for k := range l.List(domain.KindCommand, actor, "") {
		id = max(id, k.C)
	}
	return id
}

type lagging struct{ *behind }

func (l lagging) Get(k domain.Key) (domain.Known, bool) { return l.At(l.n).Get(k) }

func (l lagging) List(kind domain.Kind, a, b string) iter.Seq2[domain.Key, domain.Known] {
	return l.At(l.n).List(kind, a, b)
}

// Whatever is set, applied, cleaned and forgotten in between, an overlay answers as
// the whole history does: a stale hit would be an access on a revoked right.
func TestOverlayAnswersAsHistoryDoes(t *testing.T) {
	for range 30 { // 3,000 histories
		rapid.Check(t, overlayAnswersAsHistoryDoes)
	}
}

func overlayAnswersAsHistoryDoes(t *rapid.T) {
	var (
		h       domain.History
		base    = &behind{History: &h}
		o       = NewOverlay(rapid.SampledFrom([]domain.View{base.view(), telling{lagging{base}}}).Draw(t, "base"), rapid.IntRange(0, 40).Draw(t, "bound"))
		w       = newWorld(t)
		last    domain.Seq
		cleaned domain.Seq
		most    int // were dirty at once
	)
	t.Repeat(map[string]func(*rapid.T){
		"set": func(t *rapid.T) {
			last++
			changes := w.changes(t, last)
			h.Keep(last, changes)
			o.Set(last, changes)
			most = max(most, o.Dirty())
		},
		"apply": func(t *rapid.T) {
			base.n = domain.Seq(rapid.Uint64Range(uint64(base.n), uint64(last)).Draw(t, "applied"))
		},
		"clean": func(t *rapid.T) {
			cleaned = domain.Seq(rapid.Uint64Range(uint64(cleaned), uint64(base.n)).Draw(t, "cleaned"))
			o.Clean(cleaned)
		},
		"get": func(t *rapid.T) {
			k := w.key(t)
			is, ok := o.Get(k)
			was, there := h.At(last).Get(k)
			require.Equal(t, there, ok, k)
			require.Equal(t, was, is, k)
			if ok {
				require.Same(t, was.Fact, is.Fact)
			}
		},
		"list": func(t *rapid.T) {
			k := w.key(t)
			if rapid.Bool().Draw(t, "whole") {
				k.B = ""
			}
			require.Equal(t, listing(h.At(last), k), listing(o, k))
		},
		"get in a list": func(t *rapid.T) {
			k := w.key(t)
			var all []string
			for key, known := range o.List(k.Kind, k.A, "") {
				all = append(all, fmt.Sprint(key, known.First, known.From, text(known.Fact)))
				other := w.key(t)
				is, _ := o.Get(other)
				was, _ := h.At(last).Get(other)
				require.Equal(t, was, is, other)
			}
			k.B = ""
			require.Equal(t, listing(h.At(last), k), all)
		},
		"restart": func(t *rapid.T) {
			if rapid.IntRange(0, 9).Draw(t, "seldom") == 0 {
				base.n, cleaned = last, last
				if rapid.Bool().Draw(t, "somebody else's") { // an event was recorded that was never set
					last++
					h.Keep(last, w.changes(t, last))
					base.n, cleaned = last, last
				}
				o.Reset()
			}
		},
		"": func(t *rapid.T) {
			groups, lones := map[*group]bool{}, map[*lone]bool{}
			sum := 0
			for _, half := range []half{o.hot, o.cold} {
				for a, g := range half.groups {
					require.Equal(t, a, g.a)
					if !groups[g] {
						sum += 1 + len(g.facts)
					}
					groups[g] = true
				}
				for c, l := range half.lone {
					kinds := map[domain.Kind]bool{}
					for ; l != nil; l = l.next {
						require.Equal(t, c, l.c)
						require.False(t, kinds[l.kind])
						kinds[l.kind] = true
						if !lones[l] {
							sum++
						}
						lones[l] = true
					}
				}
			}
			fresh, hot := 0, 0
			for _, g := range o.hot.groups {
				fresh, hot = fresh+len(g.fresh), hot+1+len(g.facts)
			}
			for _, l := range o.hot.lone {
				for ; l != nil; l = l.next {
					hot++
				}
			}
			require.LessOrEqual(t, fresh, o.Dirty())
			require.LessOrEqual(t, o.used, hot)
			require.LessOrEqual(t, sum, 2*(o.most+2*o.large()+2*most+2))
		},
	})
}

func listing(v domain.View, k domain.Key) (all []string) {
	for key, known := range v.List(k.Kind, k.A, k.B) {
		all = append(all, fmt.Sprint(key, known.First, known.From, text(known.Fact)))
	}
	return all
}

// A list that is too long to be kept is right all the same, and so is one that grows
// past what is searched one by one.
func TestOverlayListsOfAnyLengthAreRight(t *testing.T) {
	for _, bound := range []int{2, 100, 4000} {
		var h domain.History
		base := &behind{History: &h}
		o := NewOverlay(base.view(), bound)
		right := func(n int) domain.Key {
			return domain.Key{Kind: domain.KindRight, A: "acme", B: "li", C: fmt.Sprint("consent/c", n)}
		}
		for seq := range domain.Seq(600) {
			seq++
			c := []domain.Change{{Key: right(int(seq*7) % 400), Fact: &domain.Right{Ended: seq}}}
			h.Keep(seq, c)
			o.Set(seq, c)
			if seq > 20 {
				base.n = seq - 10
				o.Clean(seq - 15)
			}
			require.Equal(t, listing(h.At(seq), right(0)), listing(o, right(0)))
		}
	}
}

// What was Set is never forgotten before Clean, however small the bound.
func TestOverlayForgetsNothingDirty(t *testing.T) {
	var h domain.History
	o := NewOverlay((&behind{History: &h}).view(), 2)
	key := func(n domain.Seq) domain.Key { return domain.Key{Kind: domain.KindSpent, A: "acme", C: fmt.Sprint(n)} }
	for seq := domain.Seq(1); seq <= 1000; seq++ {
		o.Set(seq, []domain.Change{{Key: key(seq), Fact: &domain.Spent{}}})
	}
	require.Equal(t, 1000, o.Dirty())
	for seq := domain.Seq(1); seq <= 1000; seq++ {
		known, ok := o.Get(key(seq))
		require.True(t, ok)
		require.Equal(t, seq, known.From)
	}
	require.Len(t, slices.Collect(keys(o, domain.KindSpent, "acme")), 1000)
	o.Reset()
	require.Zero(t, o.Dirty())
	_, ok := o.Get(key(1))
	require.False(t, ok)
}

func keys(v domain.View, kind domain.Kind, a string) iter.Seq[domain.Key] {
	return func(yield func(domain.Key) bool) {
		for k := range v.List(kind, a, "") {
			if !yield(k) {
				return
			}
		}
	}
}

// What was set and is asked for by nobody doesn't stay for ever, though nothing else
// takes its place.
func TestOverlayForgetsWhatNobodyAsksFor(t *testing.T) {
	var h domain.History
	base := &behind{History: &h}
	o := NewOverlay(base.view(), 20)
	key := func(n domain.Seq) domain.Key {
		return domain.Key{Kind: domain.KindSpent, A: fmt.Sprint("client-", n), C: "paper"}
	}
	for seq := domain.Seq(1); seq <= 8; seq++ {
		c := []domain.Change{{Key: key(seq), Fact: &domain.Spent{}}}
		h.Keep(seq, c)
		o.Set(seq, c)
		base.n = seq
		o.Clean(seq)
	}
	for range 1000 {
		for n := domain.Seq(1); n <= 2; n++ {
			known, ok := o.Get(key(n))
			require.True(t, ok)
			require.Equal(t, n, known.From)
		}
	}
	require.Len(t, o.hot.groups, 2)
	require.Empty(t, o.cold.groups)
}

// Where the base can't read, Set sets nothing.
func TestOverlayIsWholeAfterItsBaseGaveUp(t *testing.T) {
	var h domain.History
	o := NewOverlay(failing{h.At(0)}, 10)
	c := []domain.Change{
		{Key: domain.Key{Kind: domain.KindCommand, A: "clerk", C: aUUID(1)}, Fact: &domain.Answered{}},
		{Key: domain.Key{Kind: domain.KindSpent, A: "acme", C: "x"}, Fact: &domain.Spent{}},
	}
	require.ErrorIs(t, Guard(func() { o.Set(1, c) }), ErrBroken)
	require.Zero(t, o.Dirty())
	o.base = h.At(0)
	_, ok := o.Get(c[0].Key)
	require.False(t, ok)
	require.NoError(t, Guard(func() { o.Set(1, c) }))
	_, ok = o.Get(c[0].Key)
	require.True(t, ok)
}

type failing struct{ domain.View }

func (f failing) Get(domain.Key) (domain.Known, bool) { panic(&broken{ErrBroken}) }

func BenchmarkOverlayGetHit(b *testing.B) {
	var h domain.History
	k := domain.Key{Kind: domain.KindRight, A: "client-00017", B: "party-3", C: "consent/c-12"}
	h.Keep(1, []domain.Change{{Key: k, Fact: &domain.Right{}}})
	o := NewOverlay(h.At(1), 1000)
	for b.Loop() {
		o.Get(k)
	}
}

func BenchmarkOverlaySetAndClean(b *testing.B) {
	var h domain.History
	o := NewOverlay(h.At(1), 1<<16)
	seq := domain.Seq(0)
	c := []domain.Change{{Fact: &domain.Answered{}}, {Fact: &domain.Violating{}}}
	for b.Loop() {
		seq++
		c[0].Key = domain.Key{Kind: domain.KindCommand, A: "gateway", C: aUUID(uint64(seq))}
		c[1].Key = domain.Key{Kind: domain.KindViolating, A: "client", C: fmt.Sprint(seq % 100_000)}
		o.Set(seq, c)
		if seq%512 == 0 {
			o.Clean(seq - 256)
		}
	}
}
