package projections

import (
	"bytes"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/qtccc/assent/domain"
)

// A key is read as it was written, and versions of a fact stand side by side, the
// newest first.
func TestKeysAreReadAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		w.uuids = 1 << 60
		k := w.key(t)
		seq := domain.Seq(rapid.Uint64Range(1, 1<<62).Draw(t, "seq"))
		prefix, ok := appendPrefix(nil, k)
		require.True(t, ok)
		key := appendSeq(prefix, seq)
		require.Equal(t, len(prefix), split(key))
		is, from, err := parseKey(key)
		require.NoError(t, err)
		require.Equal(t, k, is)
		require.Equal(t, seq, from)
		require.Negative(t, bytes.Compare(appendSeq(slices.Clone(prefix), seq+1), key))

		end := comparer.ImmediateSuccessor(nil, prefix)
		require.Equal(t, len(end), split(end))
		require.Positive(t, bytes.Compare(end, appendSeq(slices.Clone(prefix), 0)))
		other, _ := appendPrefix(nil, w.key(t))
		if bytes.Compare(other, prefix) > 0 {
			require.LessOrEqual(t, bytes.Compare(end, appendSeq(other, seq)), 0)
		}
	})
}

// Pebble orders by prefixes before it orders by what follows: whatever the bytes are,
// the one order agrees with the other.
func TestPrefixesSortAsKeysDo(t *testing.T) {
	some := rapid.Custom(func(t *rapid.T) []byte {
		b := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 'a', 0xff}), 0, 30).Draw(t, "rest")
		return append([]byte{rapid.SampledFrom([]byte{1, byte(domain.KindCommand), spaceMeta, spaceBlocks}).Draw(t, "space")}, b...)
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := some.Draw(t, "a"), some.Draw(t, "b")
		if bytes.Compare(a, b) > 0 {
			a, b = b, a
		}
		p, q := a[:split(a)], b[:split(b)]
		require.LessOrEqual(t, bytes.Compare(p, q), 0)
		require.Equal(t, len(p), split(p), "a prefix is its own prefix")
	})
}

func TestWhatCantBeAKeyIsNone(t *testing.T) {
	for _, k := range []domain.Key{
		{Kind: domain.KindCommand, A: "clerk", C: "no-uuid"},
		{Kind: domain.KindCommand, A: "clerk", B: "b", C: aUUID(1)},
	} {
		_, ok := appendPrefix(nil, k)
		require.False(t, ok)
	}
}

// A fact is read with its life as it was written; bytes that this program never
// wrote are damage, and never a panic.
func TestVersionsAreReadAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom(kinds).Draw(t, "kind")
		from := domain.Seq(rapid.Uint64Range(1, 1<<40).Draw(t, "from"))
		v := version{domain.Known{Fact: aFact(kind, from), From: from,
			First: domain.Seq(rapid.Uint64Range(1, uint64(from)).Draw(t, "first"))}, rapid.IntRange(0, 3).Draw(t, "ord")}
		b, err := appendVersion(nil, v)
		require.NoError(t, err)
		is, err := parseVersion(kind, from, b)
		require.NoError(t, err)
		require.Equal(t, text(v.Fact), text(is.Fact))
		v.Fact, is.Fact = nil, nil
		require.Equal(t, v, is)
		life, _, err := parseLife(from, b)
		require.NoError(t, err)
		require.Equal(t, v, life)

		if len(b) > 0 {
			b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] ^= byte(1 << rapid.IntRange(0, 7).Draw(t, "bit"))
			_, err = parseVersion(kind, from, b[:rapid.IntRange(0, len(b)).Draw(t, "cut")])
			if err != nil {
				require.ErrorIs(t, err, errDamaged)
			}
		}
	})
	b, err := appendVersion(nil, version{Known: domain.Known{Fact: &domain.Answered{}, First: 7, From: 7}})
	require.NoError(t, err)
	require.Empty(t, b, "a command's id costs its key")
}

// Postings, times and tails are read as written, and damage in them is found or
// harmless.
func TestBlocksAreReadAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.SliceOfNDistinct(rapid.Uint16Max(blockSize-1), 1, 5000, rapid.ID).Draw(t, "places")
		if rapid.Bool().Draw(t, "dense") {
			for i := range uint16(3000) {
				at = append(at, i*5)
			}
		}
		slices.Sort(at)
		at = slices.Compact(at)
		b := appendPostings(nil, at)
		require.LessOrEqual(t, len(b), 1+blockSize/8)
		var p, want places
		for _, place := range at {
			want.set(place)
		}
		require.NoError(t, parsePostings(b, &p))
		require.Equal(t, want, p)
		b = b[:rapid.IntRange(0, len(b)).Draw(t, "cut")]
		if err := parsePostings(b, &p); err != nil {
			require.ErrorIs(t, err, errDamaged)
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		times := rapid.SliceOfN(rapid.Int64Range(-1<<60, 1<<60), 1, chunkSize).Draw(t, "times")
		b := appendTimes(nil, times)
		for i, at := range times {
			is, err := parseTime(b, i)
			require.NoError(t, err)
			require.Equal(t, at, is.UnixNano())
		}
		_, err := parseTime(b, len(times))
		require.ErrorIs(t, err, errDamaged)
	})
	rapid.Check(t, func(t *rapid.T) {
		b := newBlock(3)
		var tail []byte
		before := int64(0)
		for range rapid.IntRange(1, 20).Draw(t, "events") {
			var m mentions
			for range rapid.IntRange(0, 5).Draw(t, "mentions") {
				m.add(filter(rapid.IntRange(1, filters-1).Draw(t, "filter")), rapid.SampledFrom([]string{"a", "b", "acme"}).Draw(t, "value"))
			}
			at := rapid.Int64Range(0, 1000).Draw(t, "time")
			b.add(at, m)
			tail, before = appendTail(tail, before, at, m), at
		}
		for _, tail := range [][]byte{tail, b.asTail()} {
			is := newBlock(3)
			require.NoError(t, is.addTail(tail))
			require.Equal(t, pairsOf(t, b), pairsOf(t, is))
			is = newBlock(3)
			if err := is.addTail(tail[:rapid.IntRange(0, len(tail)).Draw(t, "cut")]); err != nil {
				require.ErrorIs(t, err, errDamaged)
			}
		}
	})
}

func pairsOf(t *rapid.T, b *block) (all []string) {
	require.NoError(t, b.pairs(func(k, v []byte) error {
		all = append(all, string(k)+" "+string(v))
		return nil
	}))
	require.True(t, slices.IsSorted(all))
	return all
}
