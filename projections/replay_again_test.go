package projections

import (
	"flag"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
)

var replayed = flag.Int("replayed", 40, "how many clients the ledger of TestTheSameEventsMakeTheSameModels has, some 16 events each")

// TestTheSameEventsMakeTheSameModels: on one core or several, in batches of any size,
// by a replay or event by event, the same events make the same read models, to the
// byte; one event fewer makes others (trial R24).
func TestTheSameEventsMakeTheSameModels(t *testing.T) {
	l := newLedger(t)
	for i := range *replayed {
		l.client(fmt.Sprint("client-", i))
	}
	began := time.Now()
	was := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(was)
	want := digest(t, built(t, l))
	for _, c := range []struct{ cores, batch int }{{4, 0}, {1, 1}, {4, 13}, {3, 1000}} {
		runtime.GOMAXPROCS(c.cores)
		if c.batch == 0 {
			require.Equal(t, want, digest(t, built(t, l)), "a replay on %d cores", c.cores)
			continue
		}
		s := memory(t, vfs.NewMem())
		for batch := range slices.Chunk(l.events, c.batch) {
			require.NoError(t, s.Apply(batch))
		}
		require.Equal(t, want, digest(t, s), "batches of %d on %d cores", c.batch, c.cores)
		require.NoError(t, s.Close())
	}
	s := memory(t, vfs.NewMem())
	require.NoError(t, s.Apply(l.events[:len(l.events)-1]))
	require.NotEqual(t, want, digest(t, s), "one event fewer")
	require.NoError(t, s.Close())
	t.Logf("%d events, built 5 times in %v: one hash", len(l.events), time.Since(began).Round(time.Millisecond))
}
