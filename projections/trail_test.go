package projections

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/qtccc/assent/domain"
)

// plain is a trail that looks at every event.
type plain struct {
	events []*domain.Event // seq 1 on
	found  []mentions
}

func (p *plain) add(e *domain.Event, find lookup) {
	var m mentions
	if err := m.of(e, find); err != nil {
		panic(err)
	}
	p.events, p.found = append(p.events, e), append(p.found, slices.Clone(m))
}

func (p *plain) trail(q TrailQuery, after uint64, limit int) (seqs []uint64, more bool) {
	for i, found := range p.found {
		seq := uint64(i + 1)
		if seq <= after || seq < q.From || q.To != 0 && seq >= q.To {
			continue
		}
		if slices.ContainsFunc(q.wanted(), func(m mention) bool { return !slices.Contains(found, m) }) {
			continue
		}
		if len(seqs) == limit {
			return seqs, true
		}
		seqs = append(seqs, seq)
	}
	return seqs, false
}

func (p *plain) seqAt(t time.Time) uint64 {
	for i, e := range slices.Backward(p.events) {
		if !e.Time.After(t) {
			return uint64(i + 1)
		}
	}
	return 0
}

// Every conjunction of filters, from every cursor, gives what looking at every event
// gives, in open and full blocks, before and after a start, however many events were
// applied in bulk.
func TestTrailFindsWhatLookingAtEveryEventFinds(t *testing.T) {
	for _, bulk := range []domain.Seq{0, blockSize - 1, blockSize, blockSize + 3000} {
		t.Run(fmt.Sprint(bulk), func(t *testing.T) { trailFindsWhatLookingFinds(t, bulk) })
	}
}

func trailFindsWhatLookingFinds(t *testing.T, bulk domain.Seq) {
	const events = 2*blockSize + 700
	var (
		r     = rand.New(rand.NewPCG(1, 2))
		mem   = vfs.NewMem()
		s     = memory(t, mem)
		p     plain
		clock int64
	)
	of := func(what string, n int) domain.ID { return domain.ID(fmt.Sprint(what, r.IntN(n))) }
	if bulk > 0 {
		g, err := createGeneration(&s.cfg, s.dir, "g-000002", uint64(bulk))
		require.NoError(t, err)
		require.NoError(t, s.point("g-000002"))
		require.NoError(t, s.swap(g))
	}
	for seq := domain.Seq(1); seq <= events; {
		var batch []Applied
		for n := r.IntN(900) + 1; len(batch) < n && seq <= events && (len(batch) == 0 || seq != bulk+1); seq++ {
			clock += r.Int64N(3)
			if r.IntN(9000) == 0 {
				clock -= 5000
			}
			e := &domain.Event{Seq: seq, Time: time.Unix(clock, 0), Actor: of("gw", 3), Type: "access.granted",
				Data: &domain.AccessRequest{Client: of("client-", 1000), Record: of("r", 50), Party: of("p", 300), Bearer: of("p", 300)},
				Decision: &domain.Decision{Decision: domain.Granted, Reasons: []domain.Reason{
					{Clause: "III.3", Evidence: []domain.ID{of("letter-", 2000)}}}}}
			if r.IntN(5) == 0 {
				e.Type = "access.denied"
				e.Decision = &domain.Decision{Decision: domain.Denied, Reasons: []domain.Reason{{Clause: "IV.1"}, {Clause: "P.2"}}}
			}
			p.add(e, nil)
			batch = append(batch, Applied{Event: e})
		}
		require.NoError(t, s.Apply(batch))
		if seq == bulk+1 {
			require.NoError(t, s.gen.Load().finish())
		}
	}
	ask := func(s *Store) {
		for range 400 {
			some := func(id domain.ID) domain.ID {
				if r.IntN(3) == 0 {
					return id
				}
				return ""
			}
			q := TrailQuery{Client: some(of("client-", 1001)), Record: some(of("r", 51)), Party: some(of("p", 301)),
				Actor: some(of("gw", 3)), Evidence: some(of("letter-", 2000)),
				Type:     string(some(domain.ID([]string{"access.granted", "access.denied"}[r.IntN(2)]))),
				Clause:   domain.Clause(some(domain.ID([]string{"IV.1", "III.3", "II.2"}[r.IntN(3)]))),
				Decision: string(some(domain.Granted))}
			if r.IntN(2) == 0 {
				q.From, q.To = r.Uint64N(events+5), r.Uint64N(events+5)
			}
			after, limit := r.Uint64N(events)*r.Uint64N(2), r.IntN(120)
			want, wantMore := p.trail(q, after, limit)
			is, more, err := s.Trail(q, after, limit)
			require.NoError(t, err)
			require.Equal(t, want, is, "%+v after %d", q, after)
			require.Equal(t, wantMore, more, "%+v after %d", q, after)
		}
		for range 300 {
			at := time.Unix(r.Int64N(clock+20)-10, r.Int64N(2))
			is, err := s.SeqAt(at)
			require.NoError(t, err)
			require.Equal(t, p.seqAt(at), is, at)
			seq := r.Uint64N(events) + 1
			when, err := s.TimeOf(seq)
			require.NoError(t, err)
			require.True(t, when.Equal(p.events[seq-1].Time), seq)
		}
		_, err := s.TimeOf(0)
		require.Error(t, err)
		_, err = s.TimeOf(events + 1)
		require.Error(t, err)
	}
	ask(s)
	require.NoError(t, s.Close())
	s = memory(t, mem)
	ask(s)
	require.NoError(t, s.Close())
}

// The party of a right is found by whatever ends the right, in the same batch, in a
// later one, and in a refusal; and what a random history holds is found as the
// plain trail finds it, through crashes at the edge of a block.
func TestTrailIsWholeAcrossABlocksEdge(t *testing.T) {
	const before = blockSize - 20
	start := vfs.NewCrashableMem()
	s := memory(t, start)
	filler := make([]Applied, before)
	for i := range filler {
		filler[i] = Applied{Event: &domain.Event{Seq: domain.Seq(i + 1), Time: time.Unix(1, 0), Type: "clock.affirmed", Data: &domain.ClockAffirm{}}}
	}
	require.NoError(t, s.Apply(filler))
	require.NoError(t, s.Close())
	rapid.Check(t, func(rt *rapid.T) {
		var (
			h   domain.History
			p   plain
			w   = newWorld(rt)
			mem = start.CrashClone(vfs.CrashCloneCfg{})
			s   = memory(t, mem)
			all []Applied
		)
		for i := range filler {
			p.add(filler[i].Event, nil)
		}
		for seq := domain.Seq(before + 1); seq <= before+40; seq++ {
			a := w.applied(rt, seq)
			all = append(all, a)
			h.Keep(seq, a.Changes)
			p.add(a.Event, lookupIn(h.At(seq)))
		}
		ask := func() {
			for range 20 {
				q := TrailQuery{
					Party:    rapid.SampledFrom([]domain.ID{"", "p", "p0", "q"}).Draw(rt, "party"),
					Client:   rapid.SampledFrom([]domain.ID{"", "a", "ab"}).Draw(rt, "client"),
					Evidence: rapid.SampledFrom([]domain.ID{"", "", "e1"}).Draw(rt, "evidence"),
					Clause:   rapid.SampledFrom([]domain.Clause{"", "", "II.1"}).Draw(rt, "clause"),
				}
				after := rapid.Uint64Range(before-5, before+45).Draw(rt, "after")
				want, wantMore := p.trail(q, after, 7)
				is, more, err := s.Trail(q, after, 7)
				require.NoError(rt, err)
				require.Equal(rt, want, is)
				require.Equal(rt, wantMore, more)
				at := time.Unix(1_700_000_000+w.clock-rapid.Int64Range(-2, 30).Draw(rt, "at"), 17)
				seq, err := s.SeqAt(at)
				require.NoError(rt, err)
				require.Equal(rt, p.seqAt(at), seq)
			}
		}
		crashAt := rapid.IntRange(0, len(all)).Draw(rt, "crash")
		inBatches(rt, s, all[:crashAt])
		crashed := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 70, RNG: rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "synced"), 1))})
		inBatches(rt, s, all[crashAt:])
		ask()
		want, err := s.Hash()
		require.NoError(rt, err)
		require.NoError(rt, s.Close())
		s = memory(t, crashed)
		pos, _ := s.Position()
		require.GreaterOrEqual(rt, pos, uint64(before))
		inBatches(rt, s, all[pos-before:])
		ask()
		is, err := s.Hash()
		require.NoError(rt, err)
		require.Equal(rt, want, is)
		require.NoError(rt, s.Close())
	})
}

func lookupIn(v domain.View) lookup {
	return func(k domain.Key) (domain.Fact, error) {
		known, _ := v.Get(k)
		return known.Fact, nil
	}
}

// A batch larger than a block is sealed as it goes.
func TestABatchMayHoldWholeBlocks(t *testing.T) {
	mem := vfs.NewMem()
	s := memory(t, mem)
	events := make([]Applied, 2*blockSize+3)
	for i := range events {
		events[i] = Applied{Event: &domain.Event{Seq: domain.Seq(i + 1), Time: time.Unix(int64(i), 0), Type: "clock.affirmed", Data: &domain.ClockAffirm{}}}
	}
	require.NoError(t, s.Apply(events))
	for range 2 {
		seqs, more, err := s.Trail(TrailQuery{Type: "clock.affirmed", From: blockSize - 1}, 0, blockSize+1)
		require.NoError(t, err)
		require.True(t, more)
		require.Len(t, seqs, blockSize+1)
		require.Equal(t, uint64(blockSize-1), seqs[0])
		require.NoError(t, s.Close())
		s = memory(t, mem)
	}
	require.NoError(t, s.Close())
}

// Whoever asks while events are applied finds all of them up to where the store
// stands, and none beyond, also while a block is sealed.
func TestTrailMissesNothingWhileEventsAreApplied(t *testing.T) {
	const events = 3 * blockSize
	s := memory(t, vfs.NewMem())
	var asking sync.WaitGroup
	done := make(chan struct{})
	for range 2 {
		asking.Go(func() {
			for ended := false; !ended; {
				select {
				case <-done:
					ended = true
				default:
				}
				before, _ := s.Position()
				seqs, _, err := s.Trail(TrailQuery{Type: "clock.affirmed", From: max(before, 100) - 99}, 0, events)
				if !assert.NoError(t, err) {
					return
				}
				n := uint64(len(seqs))
				after, _ := s.Position()
				if from := max(before, 100) - 99; n > 0 && !assert.Equal(t, from+n-1, seqs[n-1]) {
					return
				} else if !assert.True(t, from+n-1 >= before && from+n-1 <= after || after == 0) {
					return
				}
				if before > 0 {
					at, err := s.TimeOf(before)
					if !assert.NoError(t, err) || !assert.Equal(t, int64(before), at.Unix()) {
						return
					}
				}
			}
		})
	}
	for seq := domain.Seq(1); seq <= events; {
		var batch []Applied
		for range min(257, events-int(seq)+1) {
			batch = append(batch, Applied{Event: &domain.Event{Seq: seq, Time: time.Unix(int64(seq), 0), Type: "clock.affirmed", Data: &domain.ClockAffirm{}}})
			seq++
		}
		require.NoError(t, s.Apply(batch))
	}
	close(done)
	asking.Wait()
	require.NoError(t, s.Close())
}
