package vault

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var places = rapid.Custom(func(t *rapid.T) Place {
	return Place{
		Subject: rapid.OneOf(rapid.SampledFrom([]string{"client/acme", "party/p-17", "ledger"}), rapid.StringN(1, 200, -1)).Draw(t, "subject"),
		Event:   event,
		Field:   rapid.StringMatching(`(/[a-zA-Z0-9~]+)*`).Draw(t, "field"),
	}
})

// TestSealedTextOpensInItsPlaceOnly: II.4. The length of a box tells the text's
// within 64 bytes.
func TestSealedTextOpensInItsPlaceOnly(t *testing.T) {
	_, r := newRing(t)
	rapid.Check(t, func(t *rapid.T) {
		p, text := places.Draw(t, "place"), rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "text")
		box, gen, err := r.Seal(p, text)
		require.NoError(t, err)
		require.Equal(t, r.Generation(p.Subject), gen)
		require.Len(t, box, nonceSize+(len(text)/64+1)*64+tagSize)
		got, err := r.Unseal(p, gen, box)
		require.NoError(t, err)
		require.True(t, bytes.Equal(text, got))

		if q := places.Draw(t, "other place"); q != p {
			_, err = r.Unseal(q, gen, box)
			require.ErrorIs(t, err, ErrBox)
		}
		i := rapid.IntRange(0, len(box)-1).Draw(t, "altered byte")
		box[i] ^= byte(rapid.IntRange(1, 255).Draw(t, "by"))
		_, err = r.Unseal(p, gen, box)
		require.ErrorIs(t, err, ErrBox)
	})
}

func TestAMovedBoxStaysShut(t *testing.T) {
	_, r := newRing(t)
	box, gen, err := r.Seal(acmeName, []byte("Acme"))
	require.NoError(t, err)
	for _, tt := range []struct {
		about string
		at    Place
		gen   int
		want  error
	}{
		{"in its place", acmeName, gen, nil},
		{"another subject", Place{"client/acne", event, "/name"}, gen, ErrBox},
		{"another event", Place{"client/acme", other, "/name"}, gen, ErrBox},
		{"another field", Place{"client/acme", event, "/reason"}, gen, ErrBox},
		{"a generation to come", acmeName, gen + 1, ErrSealed},
		{"generation 0", acmeName, 0, ErrSealed},
		{"a generation below", acmeName, -1, ErrSealed},
	} {
		_, err := r.Unseal(tt.at, tt.gen, box)
		require.ErrorIs(t, err, tt.want, tt.about)
	}
	_, another := newRing(t)
	_, err = another.Unseal(acmeName, gen, box)
	require.ErrorIs(t, err, ErrBox)
	for n := range box {
		_, err := r.Unseal(acmeName, gen, box[:n])
		require.ErrorIs(t, err, ErrBox)
	}
	_, err = r.Unseal(acmeName, gen, append(box, make([]byte, 64)...))
	require.ErrorIs(t, err, ErrBox)
}

// TestAPlaceHasOneSpelling: with a line break in a part, one place could be spelled
// as another.
func TestAPlaceHasOneSpelling(t *testing.T) {
	_, r := newRing(t)
	for _, p := range []Place{{}, {"", event, "/name"}, {"ledger", "", "/name"}, {"ledger", "e\n/x", "/name"}, {"ledger", event, "/name\n"}} {
		_, _, err := r.Seal(p, nil)
		require.ErrorContains(t, err, "no place for a box")
		_, err = r.Unseal(p, 1, make([]byte, 104))
		require.ErrorContains(t, err, "no place for a box")
	}
}

// TestWithoutARingNothingIsSealedOrOpened: design, 11.
func TestWithoutARingNothingIsSealedOrOpened(t *testing.T) {
	for _, r := range []*Ring{nil, {}} {
		_, _, err := r.Seal(acmeName, []byte("Acme"))
		require.ErrorIs(t, err, ErrBlind)
		_, err = r.Unseal(acmeName, 1, make([]byte, 104))
		require.ErrorIs(t, err, ErrSealed)
		require.Zero(t, r.Generation("client/acme"))
		require.Empty(t, r.Notices())
	}
}

// housemates are subjects of acme's shard, twice as many as it keeps keys of.
func housemates(r *Ring) (subjects []string) {
	home := r.shard("client/acme")
	for i := 0; len(subjects) < 2*len(home.keys); i++ {
		if s := fmt.Sprintf("client/c%d", i); r.shard(s) == home {
			subjects = append(subjects, s)
		}
	}
	return subjects
}

// TestSubjectsOfAShardHaveKeysOfTheirOwn: whichever keys the shard has at hand.
func TestSubjectsOfAShardHaveKeysOfTheirOwn(t *testing.T) {
	dir, r := newRing(t)
	subjects := housemates(r)
	boxes := make([][]byte, len(subjects))
	for i, s := range subjects {
		var err error
		boxes[i], _, err = r.Seal(Place{s, event, "/name"}, []byte(s))
		require.NoError(t, err)
	}
	for _, last := range subjects { // opened first, so that its key is at hand
		fresh, err := Open(dir, ledger)
		require.NoError(t, err)
		for i, s := range append([]string{last}, subjects...) {
			box := boxes[max(i-1, 0)]
			got, err := fresh.Unseal(Place{s, event, "/name"}, 1, box)
			if i == 0 && last != subjects[0] {
				require.ErrorIs(t, err, ErrBox)
				continue
			}
			require.NoError(t, err)
			require.Equal(t, s, string(got))
		}
	}
}

// TestAPaddingHasOneSpelling: the texts are of whole blocks.
func TestAPaddingHasOneSpelling(t *testing.T) {
	block := func(front ...byte) []byte { return append(front, make([]byte, 64-len(front))...) }
	for _, tt := range []struct {
		about string
		text  []byte
		ok    bool
	}{
		{"nothing but padding", block(0x80), true},
		{"a padding of one byte", append(make([]byte, 63), 0x80), true},
		{"zeros alone", block(), false},
		{"no padding", bytes.Repeat([]byte{1}, 64), false},
		{"a block of padding too many", append(block(0x80), block()...), false},
		{"a padding of a whole block", append(bytes.Repeat([]byte{1}, 64), block(0x80)...), true},
		{"the padding of a block before", append(append(make([]byte, 63), 0x80), block()...), false},
		{"no whole block", block(0x80)[:63], false},
	} {
		_, err := unpad(tt.text)
		require.Equal(t, tt.ok, err == nil, tt.about)
	}
}

// TestManySubjectsOfAShardAtOnce: from many goroutines.
func TestManySubjectsOfAShardAtOnce(t *testing.T) {
	_, r := newRing(t)
	subjects := housemates(r)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				p, text := Place{subjects[(g+i)%len(subjects)], event, "/name"}, fmt.Appendf(nil, "%d.%d", g, i)
				box, gen, err := r.Seal(p, text)
				if err == nil {
					var got []byte
					if got, err = r.Unseal(p, gen, box); err == nil && !bytes.Equal(got, text) {
						err = ErrBox
					}
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestTwoSealsOfOneTextDiffer(t *testing.T) {
	_, r := newRing(t)
	a, _, err := r.Seal(acmeName, []byte("Acme"))
	require.NoError(t, err)
	b, _, err := r.Seal(acmeName, []byte("Acme"))
	require.NoError(t, err)
	require.NotEqual(t, a, b)
	require.NotEqual(t, NewOpening("Acme"), NewOpening("Acme"))
}

// TestAnOpeningOpensItsCommitmentOnly: contract, 7.
func TestAnOpeningOpensItsCommitmentOnly(t *testing.T) {
	o := NewOpening("Acme Trading")
	require.True(t, o.Opens(o.Commitment()))
	moved := o
	moved.Value = "Acme Tradinh"
	require.False(t, moved.Opens(o.Commitment()))
	moved = o
	moved.Salt[31] ^= 1
	require.False(t, moved.Opens(o.Commitment()))
	for _, bad := range []string{"", "sha256:", o.Commitment()[7:], o.Commitment() + " "} {
		require.False(t, o.Opens(bad))
	}
	_, err := DecodeOpening(make([]byte, SaltSize-1))
	require.Error(t, err)
	_, err = DecodeOpening(append(make([]byte, SaltSize), 0xff))
	require.Error(t, err)
}

func FuzzDecodeOpening(f *testing.F) {
	f.Add(NewOpening("上海").Encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if o, err := DecodeOpening(b); err == nil && !bytes.Equal(o.Encode(), b) {
			t.Fatal("two spellings of one opening")
		}
	})
}

func FuzzUnpad(f *testing.F) {
	f.Add([]byte{})
	f.Add(append([]byte{0x80}, make([]byte, 63)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if text, err := unpad(b); err == nil && (len(b) != (len(text)/64+1)*64 || !bytes.HasPrefix(b, text)) {
			t.Fatal("two paddings of one text")
		}
	})
}

func FuzzRingFiles(f *testing.F) {
	h, key := header{ledger: ledger, epoch: 1}, new([keySize]byte)
	f.Add(encodeEpoch(h, key))
	f.Add(encodeRoot(h, key, shardEntries(1)))
	f.Add([]byte("assent ring v2\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, err := decodeEpoch(h, b); err == nil && !bytes.Equal(encodeEpoch(h, k), b) {
			t.Fatal("two spellings of one epoch key")
		}
		if h, head, body, err := cutHeader(rootKind, b); err == nil {
			if !bytes.Equal(append(h.encode(rootKind), body...), b) || !bytes.Equal(h.encode(rootKind), head) {
				t.Fatal("two spellings of one header")
			}
			_, _ = decodeRoot(head, body, key)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	_, r := newRing(b)
	text := NewOpening("Acme Trading Co., Ltd.").Encode()
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := r.Seal(acmeName, text); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSealCold seals for a subject whose key isn't at hand.
func BenchmarkSealCold(b *testing.B) {
	_, r := newRing(b)
	text := NewOpening("Acme Trading Co., Ltd.").Encode()
	subjects := make([]string, 1<<17)
	for i := range subjects {
		subjects[i] = "client/" + rand.Text()
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, _, err := r.Seal(Place{subjects[i%len(subjects)], event, "/name"}, text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnseal(b *testing.B) {
	_, r := newRing(b)
	box, gen, err := r.Seal(acmeName, NewOpening("Acme Trading Co., Ltd.").Encode())
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Unseal(acmeName, gen, box); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNewOpening(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_ = NewOpening("Acme Trading Co., Ltd.").Commitment()
	}
}

func BenchmarkOpenRing(b *testing.B) {
	dir, _ := newRing(b)
	for b.Loop() {
		if _, err := Open(dir, ledger); err != nil {
			b.Fatal(err)
		}
	}
}
