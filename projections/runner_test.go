package projections

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore"
)

// some is a ledger with a few clients.
func some(t testing.TB) *ledger {
	l := newLedger(t)
	for i := range 40 {
		l.client(fmt.Sprint("client-", i))
	}
	require.Greater(t, len(l.messages), batchSize)
	return l
}

func built(t testing.TB, l *ledger) *Store {
	s, err := OpenStore("models", Config{fs: vfs.NewMem(), Cache: 8 << 20})
	require.NoError(t, err)
	require.NoError(t, Replay(t.Context(), l, s, nil))
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// taken is what the writer makes, event by event.
func taken(t testing.TB, l *ledger) *Store {
	s := memory(t, vfs.NewMem())
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	for batch := range slices.Chunk(l.events, 7) {
		require.NoError(t, s.Apply(batch))
	}
	return s
}

func digest(t testing.TB, s *Store) [32]byte {
	h, err := s.Hash()
	require.NoError(t, err)
	return h
}

// What the writer hands over event by event and what a replay makes of the stream
// are the same bytes, and both are what the law made.
func TestReplayAndTheWriterMakeTheSame(t *testing.T) {
	l := some(t)
	replayed := built(t, l)
	require.Equal(t, digest(t, taken(t, l)), digest(t, replayed))
	last := domain.Seq(len(l.events))
	for _, n := range []domain.Seq{1, 30, last / 2, last} {
		sameFacts(t, l.h.At(n), replayed.At(n), l.events)
	}
	require.NotEqual(t, digest(t, memory(t, vfs.NewMem())), digest(t, replayed))
}

// sameFacts compares every fact that any of the events changed, and its lists.
func sameFacts(t testing.TB, want, is domain.View, events []Applied) {
	seen := map[domain.Key]bool{}
	for _, e := range events {
		for _, c := range e.Changes {
			for _, k := range []domain.Key{c.Key, {Kind: c.Key.Kind, A: c.Key.A}} {
				if seen[k] {
					continue
				}
				seen[k] = true
				known, ok := want.Get(k)
				got, there := is.Get(k)
				require.Equal(t, ok, there, k)
				if ok {
					require.Equal(t, known, got, k)
				}
				require.Equal(t, listing(want, k), listing(is, k))
			}
		}
	}
}

// A rebuild tells how far it is. Once it is swapped in it takes events as they come,
// and the next opening finds all of them.
func TestARebuildGoesOnAsIfItHadTakenAllAsItCame(t *testing.T) {
	l := some(t)
	want := digest(t, taken(t, l))
	for _, first := range []uint64{0, 1, uint64(len(l.messages)) / 2, uint64(len(l.messages)) - 1} {
		disk := vfs.NewMem()
		s, err := OpenStore("models", Config{fs: disk})
		require.NoError(t, err)
		var told []uint64
		require.NoError(t, s.rebuild(t.Context(), &spoilt{ledger: l, messages: l.messages[:first]}, first, func(done, total uint64) {
			require.Equal(t, first, total)
			told = append(told, done)
		}))
		require.True(t, slices.IsSorted(told))
		require.True(t, first == 0 || told[len(told)-1] == first)
		for i := first; i < uint64(len(l.events)); i++ {
			require.NoError(t, s.Apply(l.events[i:i+1]))
		}
		require.Equal(t, want, digest(t, s), first)
		require.NoError(t, s.Close())
		s, err = OpenStore("models", Config{fs: disk})
		require.NoError(t, err)
		require.Equal(t, want, digest(t, s), first)
		require.NoError(t, s.Close())
	}
}

// Replay reads on from where the store stands.
func TestReplayReadsOn(t *testing.T) {
	l := newLedger(t)
	l.client("acme")
	s := built(t, l)
	l.client("globex")
	l.access("acme", "li", "r1")
	require.NoError(t, Replay(t.Context(), l, s, nil))
	pos, hash := s.Position()
	require.Equal(t, uint64(len(l.messages)), pos)
	require.Equal(t, sha256.Sum256(l.events[pos-1].Message), hash)
	require.Equal(t, digest(t, built(t, l)), digest(t, s))
	require.NoError(t, Replay(t.Context(), l, s, nil))
}

// Sequences are used again after a truncation: a store that isn't of this stream is
// built anew, also where the stream is shorter by now.
func TestAStoreOfAnotherStreamIsBuiltAnew(t *testing.T) {
	one, other := newLedger(t), newLedger(t)
	one.client("acme")
	other.client("globex")
	require.Len(t, other.messages, len(one.messages))
	s := built(t, one)
	require.NoError(t, Replay(t.Context(), other, s, nil))
	require.Equal(t, digest(t, built(t, other)), digest(t, s))
	_, ok := s.Live().Get(domain.Key{Kind: domain.KindClient, C: "acme"})
	require.False(t, ok)

	other.messages, other.events = other.messages[:9], other.events[:9]
	require.NoError(t, Replay(t.Context(), other, s, nil))
	pos, _ := s.Position()
	require.Equal(t, uint64(9), pos)
	require.Equal(t, digest(t, built(t, other)), digest(t, s))
}

// Nothing read is trusted (design, 8): what can't have been recorded there stops the
// replay and names the sequence, and the store stands before it.
func TestReplayStopsAtWhatTheLedgerDidNotRecord(t *testing.T) {
	l := newLedger(t)
	l.client("acme")
	const at = 20
	for name, spoil := range map[string]func(m []eventstore.Message) []eventstore.Message{
		"a gap":             func(m []eventstore.Message) []eventstore.Message { return slices.Delete(m, at-1, at) },
		"another subject":   func(m []eventstore.Message) []eventstore.Message { m[at-1].Subject += "x"; return m },
		"another's message": func(m []eventstore.Message) []eventstore.Message { m[at-1].Data = m[at-2].Data; return m },
		"another sequence": func(m []eventstore.Message) []eventstore.Message {
			m[at-1].Data = []byte(strings.Replace(string(m[at-1].Data), `"sequence":"00000000000000000020"`, `"sequence":"00000000000000000021"`, 1))
			return m
		},
		"no document": func(m []eventstore.Message) []eventstore.Message { m[at-1].Data = []byte(`{}`); return m },
		"no data of its command": func(m []eventstore.Message) []eventstore.Message {
			m[at-1].Data = []byte(strings.Replace(string(m[at-1].Data), `"event":{`, `"event":{"a":1,`, 1))
			return m
		},
		"an end": func(m []eventstore.Message) []eventstore.Message { return m[:at-1] },
	} {
		t.Run(name, func(t *testing.T) {
			bad := &spoilt{ledger: l, messages: spoil(slices.Clone(l.messages))}
			s, err := OpenStore("models", Config{fs: vfs.NewMem()})
			require.NoError(t, err)
			defer s.Close()
			err = Replay(t.Context(), bad, s, nil)
			require.ErrorIs(t, err, ErrForeign)
			require.ErrorContains(t, err, fmt.Sprint(at))
			require.ErrorIs(t, s.Apply(nil), ErrNotBuilt)
		})
	}
}

// An event that was made under a newer version of the law stops the replay, which
// says so: what it changes can't be told here. The store stands before it.
func TestReplayStopsAtAnEventOfANewerLaw(t *testing.T) {
	l := newLedger(t)
	l.client("acme")
	s := built(t, l)
	pos, _ := s.Position()
	l.access("acme", "li", "r1")
	newer := &l.messages[len(l.messages)-1]
	newer.Data = []byte(strings.Replace(string(newer.Data), fmt.Sprintf(`"rules":%d,"data"`, domain.Rules), fmt.Sprintf(`"rules":%d,"data"`, domain.Rules+1), 1))
	for _, read := range []func(context.Context, Reader, *Store, func(uint64, uint64)) error{Replay, Rebuild} {
		err := read(t.Context(), l, s, nil)
		require.ErrorIs(t, err, ErrNewer)
		require.NotErrorIs(t, err, ErrForeign)
		require.ErrorContains(t, err, fmt.Sprintf("event %d: the event was made under a newer version of the law: version %d, and this program knows %d",
			pos+1, domain.Rules+1, domain.Rules))
		is, _ := s.Position()
		require.Equal(t, pos, is)
	}
}

// spoilt is a log that doesn't hold what it did.
type spoilt struct {
	*ledger
	messages []eventstore.Message
	err      error
}

func (l *spoilt) Read(_ context.Context, _, _ uint64, each func(eventstore.Message) error) error {
	for _, m := range l.messages {
		if err := each(m); err != nil {
			return err
		}
	}
	return l.err
}

// A replay that is broken off leaves the old models, and no goroutine.
func TestAReplayEndsWithItsContextAndItsLog(t *testing.T) {
	l := some(t)
	s := built(t, l)
	want := digest(t, s)
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	ctx, cancel := context.WithCancel(t.Context())
	require.ErrorIs(t, Rebuild(ctx, l, s, func(done, total uint64) { cancel() }), context.Canceled)
	broken := errors.New("the log broke")
	require.ErrorIs(t, Rebuild(t.Context(), &spoilt{l, l.messages[:batchSize+3], broken}, s, nil), broken)
	require.Equal(t, want, digest(t, s))
	names, err := s.cfg.fs.List("models")
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"current", "g-000001", "lock"}, names)
}
