package projections

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore"
)

// nothing is a stream without a message.
type nothing struct{}

func (nothing) Last(context.Context) (uint64, error) { return 0, nil }

func (nothing) Read(context.Context, uint64, uint64, func(eventstore.Message) error) error {
	return nil
}

// memory is a store that lies in a file system of its own.
func memory(t testing.TB, mem vfs.FS) *Store {
	s, err := OpenStore("models", Config{fs: mem, Cache: 8 << 20})
	require.NoError(t, err)
	if s.gen.Load() == nil {
		require.NoError(t, Replay(t.Context(), nothing{}, s, nil))
	}
	return s
}

// The store answers at every n as the map does that never forgets anything, now and
// after it was opened again, whatever the size of the batches.
func TestStoreAnswersAsHistoryDoesAtEveryN(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var (
			h   domain.History
			w   = newWorld(rt)
			mem = vfs.NewMem()
			s   = memory(t, mem)
		)
		last := domain.Seq(0)
		for range rapid.IntRange(1, 12).Draw(rt, "batches") {
			var batch []Applied
			for range rapid.IntRange(1, 5).Draw(rt, "events") {
				last++
				a := w.applied(rt, last)
				h.Keep(last, a.Changes)
				batch = append(batch, a)
			}
			require.NoError(rt, s.Apply(batch))
			if rapid.IntRange(0, 5).Draw(rt, "reopen") == 0 {
				require.NoError(rt, s.Close())
				s = memory(t, mem)
			}
		}
		for n := domain.Seq(0); n <= last; n++ {
			w.same(rt, h.At(n), s.At(n))
			w.scans(rt, h.At(n), s, n)
		}
		w.same(rt, h.At(last), s.Live())
		all := s.Lookups()
		for _, actor := range append(w.as, "nobody") {
			newest := ""
			for k := range h.At(last).List(domain.KindCommand, actor, "") {
				newest = max(newest, k.C)
			}
			require.Equal(rt, newest, all.Newest(actor), actor)
		}
		require.NoError(rt, s.Close())
	})
}

// same compares all that can be asked.
func (w *world) same(t require.TestingT, want, is domain.View) {
	for _, k := range w.all() {
		known, ok := want.Get(k)
		got, there := is.Get(k)
		require.Equal(t, ok, there, k)
		if ok {
			require.Equal(t, [2]domain.Seq{known.First, known.From}, [2]domain.Seq{got.First, got.From}, k)
			require.Equal(t, text(known.Fact), text(got.Fact), k)
		}
		require.Equal(t, listing(want, k), listing(is, k))
		k.B = ""
		require.Equal(t, listing(want, k), listing(is, k))
	}
}

// scans pages through every list, two at a time, and finds what the list has.
func (w *world) scans(t require.TestingT, want domain.View, s *Store, n domain.Seq) {
	for _, kind := range kinds {
		var all []Found
		for _, a := range w.as {
			for k, known := range want.List(kind, a, "") {
				all = append(all, Found{k, known})
			}
		}
		for k, known := range want.List(kind, "", "") {
			all = append(all, Found{k, known})
		}
		slices.SortFunc(all, func(x, y Found) int {
			p, _ := appendPrefix(nil, x.Key)
			q, _ := appendPrefix(nil, y.Key)
			return slices.Compare(p, q)
		})
		var at domain.Key
		for more := true; more; {
			var page []Found
			var err error
			page, more, err = s.Scan(n, kind, "", "", at, 2)
			require.NoError(t, err)
			require.LessOrEqual(t, len(page), len(all))
			for i, f := range page {
				require.Equal(t, all[i].Key, f.Key)
				require.Equal(t, all[i].Known.From, f.Known.From)
				at = f.Key
			}
			all = all[len(page):]
			require.Equal(t, len(all) > 0, more)
		}
	}
}

// What was applied is there after a crash up to some event, and whole; applying the
// rest anew gives the same bytes as if nothing had happened.
func TestAfterACrashTheStoreIsWholeAtAnEarlierEvent(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var (
			w      = newWorld(rt)
			mem    = vfs.NewCrashableMem()
			s      = memory(t, mem)
			events []Applied
		)
		for seq := domain.Seq(1); seq <= 40; seq++ {
			events = append(events, w.applied(rt, seq))
		}
		crashAt := rapid.IntRange(0, len(events)).Draw(rt, "crash")
		inBatches(rt, s, events[:crashAt])
		seed := rapid.Uint64().Draw(rt, "what was synced")
		crashed := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rapid.IntRange(0, 100).Draw(rt, "percent"),
			RNG: rand.New(rand.NewPCG(seed, 1))})
		inBatches(rt, s, events[crashAt:])
		want, err := s.Hash()
		require.NoError(rt, err)
		require.NoError(rt, s.Close())

		s = memory(t, crashed)
		pos, hash := s.Position()
		require.LessOrEqual(rt, pos, uint64(crashAt))
		if pos > 0 {
			require.Equal(rt, sha256.Sum256(events[pos-1].Message), hash)
		}
		inBatches(rt, s, events[pos:])
		is, err := s.Hash()
		require.NoError(rt, err)
		require.Equal(rt, want, is)
		require.NoError(rt, s.Close())
	})
}

// inBatches applies the events in batches of any size, while the disk now and then
// takes what is written.
func inBatches(t *rapid.T, s *Store, events []Applied) {
	for len(events) > 0 {
		n := rapid.IntRange(1, len(events)).Draw(t, "batch")
		require.NoError(t, s.Apply(events[:n]))
		events = events[n:]
		switch db := s.gen.Load().db; rapid.IntRange(0, 5).Draw(t, "disk") {
		case 0:
			require.NoError(t, db.LogData(nil, pebble.Sync))
		case 1:
			require.NoError(t, db.Flush())
		case 2:
			_, err := db.AsyncFlush()
			require.NoError(t, err)
		}
	}
}

// Events that don't follow are refused, and the store goes on.
func TestEventsThatDontFollowAreNotApplied(t *testing.T) {
	s := memory(t, vfs.NewMem())
	defer s.Close()
	event := func(seq domain.Seq) Applied {
		return Applied{Event: &domain.Event{Seq: seq, Type: "clock.affirmed", Data: &domain.ClockAffirm{}}}
	}
	require.ErrorContains(t, s.Apply([]Applied{event(2)}), "event 2 comes where 1 is the next")
	require.ErrorContains(t, s.Apply([]Applied{event(1), event(3)}), "event 3 comes where 2 is the next")
	pos, _ := s.Position()
	require.Zero(t, pos)
	require.NoError(t, s.Apply([]Applied{event(1)}))
	require.ErrorContains(t, s.Apply([]Applied{event(1)}), "event 1 comes where 2 is the next")
	require.NoError(t, s.Apply([]Applied{event(2), event(3)}))
}

func TestWaitEndsWithTheEventTheContextOrTheStore(t *testing.T) {
	s := memory(t, vfs.NewMem())
	ctx, cancel := context.WithCancel(t.Context())
	waits := make(chan error)
	go func() { waits <- s.Wait(ctx, 1) }()
	require.NoError(t, s.Apply([]Applied{{Event: &domain.Event{Seq: 1, Type: "clock.affirmed", Data: &domain.ClockAffirm{}}}}))
	require.NoError(t, <-waits)
	require.NoError(t, s.Wait(ctx, 1))
	go func() { waits <- s.Wait(ctx, 2) }()
	cancel()
	require.ErrorIs(t, <-waits, context.Canceled)
	go func() { waits <- s.Wait(t.Context(), 2) }()
	require.NoError(t, s.Close())
	require.ErrorIs(t, <-waits, ErrClosed)
}

// A view of a store that is closed, or was never built, gives up instead of saying
// that there is nothing.
func TestAViewThatCantReadAnswersNothing(t *testing.T) {
	s, err := OpenStore("models", Config{fs: vfs.NewMem()})
	require.NoError(t, err)
	k := domain.Key{Kind: domain.KindClient, C: "acme"}
	require.ErrorIs(t, Guard(func() { s.Live().Get(k) }), ErrNotBuilt)
	require.NoError(t, Replay(t.Context(), nothing{}, s, nil))
	require.NoError(t, Guard(func() { s.Live().Get(k) }))
	require.NoError(t, s.Close())
	require.ErrorIs(t, Guard(func() { s.Live().Get(k) }), ErrClosed)
	require.ErrorIs(t, Guard(func() {
		for range s.At(1).List(domain.KindClient, "", "") {
		}
	}), ErrClosed)
	_, _, err = s.Trail(TrailQuery{}, 0, 10)
	require.ErrorIs(t, err, ErrClosed)
	require.PanicsWithValue(t, "other", func() { _ = Guard(func() { panic("other") }) })
}

func TestOnlyOneProcessOpensTheModels(t *testing.T) {
	dir := t.TempDir()
	s, err := OpenStore(dir, Config{})
	require.NoError(t, err)
	_, err = OpenStore(dir, Config{})
	require.ErrorContains(t, err, "in use")
	require.NoError(t, s.Close())
	s, err = OpenStore(dir, Config{})
	require.NoError(t, err)
	require.NoError(t, s.Close())
}

// Damaged models are put aside where they are found damaged, at opening or later.
func TestDamagedModelsAreBuiltAnew(t *testing.T) {
	mem := vfs.NewMem()
	s := memory(t, mem)
	w := newWorld(nil)
	for seq := domain.Seq(1); seq <= 2000; seq++ {
		require.NoError(t, s.Apply([]Applied{{Event: &domain.Event{Seq: seq, Type: "clock.affirmed", Data: &domain.ClockAffirm{}},
			Changes: []domain.Change{{Key: domain.Key{Kind: domain.KindSpent, A: "a", C: fmt.Sprint(seq)}, Fact: aFact(domain.KindSpent, seq)}}}}))
	}
	require.NoError(t, s.gen.Load().db.Flush())
	require.NoError(t, s.Close())
	flip(t, mem, "models/g-000001", ".sst")

	s = memory(t, mem)
	err := Guard(func() {
		for _, k := range w.all() {
			s.Live().Get(k)
		}
		for range s.Live().List(domain.KindSpent, "a", "") {
		}
	})
	require.ErrorIs(t, err, ErrBroken)
	require.NoError(t, s.Close())
	s, err = OpenStore("models", Config{fs: mem})
	require.NoError(t, err)
	require.ErrorIs(t, Guard(func() { s.Live().Get(domain.Key{}) }), ErrNotBuilt)
	require.NoError(t, s.Close())
}

// flip turns one bit in the middle of each file that ends so.
func flip(t *testing.T, mem *vfs.MemFS, dir, suffix string) {
	names, err := mem.List(dir)
	require.NoError(t, err)
	found := false
	for _, name := range names {
		if path := mem.PathJoin(dir, name); len(name) > len(suffix) && name[len(name)-len(suffix):] == suffix {
			b, err := mem.UnsafeGetFileDataBuffer(path)
			require.NoError(t, err)
			b[len(b)/3] ^= 1
			found = true
		}
	}
	require.True(t, found, fs.ErrNotExist)
}

// applied is an event of any kind with changes of any kind.
func (w *world) applied(t *rapid.T, seq domain.Seq) Applied {
	id := func(what string, of ...domain.ID) domain.ID { return rapid.SampledFrom(of).Draw(t, what) }
	client, party := id("client", "a", "a-1", "ab"), id("party", "p", "p0")
	e := &domain.Event{Seq: seq, Actor: id("actor", "clerk", "gw"), Subject: domain.Subject{Client: client},
		Time: w.time(t), Type: "designation.revoked"}
	switch rapid.IntRange(0, 4).Draw(t, "data") {
	case 0:
		e.Type, e.Data = "access.granted", &domain.AccessRequest{Client: client, Record: id("record", "r1", "r2"), Party: party,
			Bearer: id("bearer", "", "p", "b1"), BehalfOf: id("principal", "", "q"), Confirmation: id("paper", "", "e1")}
		e.Decision = &domain.Decision{Decision: domain.Granted, Reasons: []domain.Reason{
			{Clause: "III.3", Evidence: []domain.ID{"e1", "e2"}}, {Clause: "III.3"}}}
		if rapid.Bool().Draw(t, "denied") {
			e.Type, e.Decision = "access.denied", &domain.Decision{Decision: domain.Denied, Reasons: []domain.Reason{{Clause: "IV.1"}, {Clause: "P.1"}}}
		}
	case 1:
		e.Data = &domain.ConsentGive{Client: client, Party: party, Evidence: id("paper", "e1", "e2"),
			Scope: domain.Scope{Records: []domain.ID{id("record", "r1", "r2"), "r3"}}}
	case 2:
		e.Type, e.Refusal = "command.refused", &domain.Refusal{Code: domain.Refused, Clause: "II.1"}
		e.Data = &domain.ConsentWithdraw{Client: client, Consent: id("consent", "c", "c1", "none")}
	case 3:
		e.Data = &domain.DelegationRevoke{Client: client, Delegation: "d"}
	case 4:
		e.Subject, e.Data = domain.Subject{Party: party}, &domain.PartyRetire{Party: party}
	}
	a := Applied{Event: e, Changes: w.changes(t, seq), Message: []byte(fmt.Sprint(seq))}
	return a
}

// time seldom goes back.
func (w *world) time(t *rapid.T) time.Time {
	step := rapid.Int64Range(0, 3).Draw(t, "seconds")
	if rapid.IntRange(0, 15).Draw(t, "clock") == 0 {
		step = -rapid.Int64Range(0, 30).Draw(t, "seconds back")
	}
	w.clock += step
	return time.Unix(1_700_000_000+w.clock, 17)
}

// all are all keys that a fact of this world may have, and some that none has.
func (w *world) all() (all []domain.Key) {
	for _, kind := range kinds {
		switch kind {
		case domain.KindLedger:
			all = append(all, domain.Key{Kind: kind})
		case domain.KindClient:
			for _, c := range w.cs {
				all = append(all, domain.Key{Kind: kind, C: c})
			}
		default:
			for _, a := range w.as {
				for _, b := range w.bs {
					for _, c := range w.cs {
						k := domain.Key{Kind: kind, A: a, C: c}
						if kind == domain.KindRight || kind == domain.KindRested {
							k.B = b
						}
						if kind == domain.KindCommand {
							k.C = aUUID(uint64(len(all)) % (w.uuids + 1))
						}
						all = append(all, k)
					}
				}
			}
		}
	}
	return all
}
