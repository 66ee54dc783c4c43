package projections

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/domain"
)

// What names one of several parties is found in full blocks and in the open one, as
// by looking at every event.
func TestEventsOfOneOfSeveralPartiesAreFoundInEveryBlock(t *testing.T) {
	const events = blockSize + 700
	r, s, p := rand.New(rand.NewPCG(1, 2)), memory(t, vfs.NewMem()), plain{}
	of := func(what string, n int) domain.ID { return domain.ID(fmt.Sprint(what, r.IntN(n))) }
	var batch []Applied
	for seq := domain.Seq(1); seq <= events; seq++ {
		e := &domain.Event{Seq: seq, Time: time.Unix(int64(seq), 0), Actor: "gw", Type: "access.granted", Data: &domain.AccessRequest{
			Client: of("client-", 20), Record: "r", Party: of("p", 300), Bearer: of("p", 300)},
			Decision: &domain.Decision{Decision: domain.Granted}}
		p.add(e, nil)
		batch = append(batch, Applied{Event: e})
	}
	require.NoError(t, s.Apply(batch))
	for range 50 {
		wanted := [][]mention{{{byClient, string(of("client-", 21))}}, nil}
		for range r.IntN(12) {
			wanted[1] = append(wanted[1], mention{byParty, string(of("p", 310))})
		}
		begin, end := r.Uint64N(events)+1, r.Uint64N(events+50)+1
		var want, got []uint64
		for i, found := range p.found {
			if seq := uint64(i + 1); seq < begin || seq >= end || !slices.Contains(found, wanted[0][0]) {
				continue
			}
			if slices.ContainsFunc(wanted[1], func(m mention) bool { return slices.Contains(found, m) }) {
				want = append(want, uint64(i+1))
			}
		}
		for more := true; more; {
			var seqs []uint64
			var err error
			seqs, more, err = s.having(wanted, begin, end, 7)
			require.NoError(t, err)
			if got = append(got, seqs...); more {
				begin = seqs[len(seqs)-1] + 1
			}
		}
		require.Equal(t, want, got, "%v", wanted)
	}
}
