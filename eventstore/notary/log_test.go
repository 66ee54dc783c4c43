package notary_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/qtccc/assent/eventstore/notary"
)

const origin = "assent/0191e7a4-7c1b-7d6e-9f00-3a5b8c2d1e4f"

// A log is a notary's, with its stream in memory, as others see it.
type log struct {
	cfg  notary.Config
	vkey string

	mu       sync.Mutex
	messages [][]byte // guarded by mu
}

func (l *log) Last(context.Context) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return uint64(len(l.messages)), nil
}

func (l *log) Read(_ context.Context, from, to uint64, each func(uint64, []byte) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for seq := from; seq <= to; seq++ {
		if err := each(seq, l.messages[seq-1]); err != nil {
			return err
		}
	}
	return nil
}

// record adds messages, each of them said to be of that history.
func (l *log) record(count int, history string) (last uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range count {
		l.messages = append(l.messages, fmt.Appendf(nil, "%s %d", history, len(l.messages)+1))
	}
	return uint64(len(l.messages))
}

// take records messages and has them in a checkpoint.
func (l *log) take(t testing.TB, n *notary.Notary, count int, history string) {
	last := l.record(count, history)
	for seq := last - uint64(count) + 1; seq <= last; seq++ {
		n.Take(seq, l.messages[seq-1])
	}
	require.NoError(t, n.Wait(t.Context(), last))
}

// memory is a directory in memory, where the system has such; these tests sync a lot.
func memory(t testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "notary")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

// emptyLog is a log with a key of its own.
func emptyLog(t testing.TB) *log {
	skey, vkey, err := note.GenerateKey(nil, origin)
	require.NoError(t, err)
	signer, err := note.NewSigner(skey)
	require.NoError(t, err)
	verifier, err := note.NewVerifier(vkey)
	require.NoError(t, err)
	base := memory(t)
	l := &log{vkey: vkey}
	l.cfg = notary.Config{Origin: origin, Dir: filepath.Join(base, "notary"), Archive: filepath.Join(base, "archive"), Every: 10 * time.Millisecond,
		Signers: []note.Signer{signer}, Known: note.VerifierList(verifier), Stream: l}
	return l
}

// newLog is a log of so many messages, archived in rounds of uneven size. Its notary is
// closed.
func newLog(t testing.TB, count int) *log {
	l := emptyLog(t)
	n, err := notary.Open(t.Context(), l.cfg)
	require.NoError(t, err)
	for size := 1; count > 0; size = 3*size + 7 {
		l.take(t, n, min(size, count), "message")
		count -= min(size, count)
	}
	require.NoError(t, n.Close())
	return l
}

// tilesOf reads tiles for x/mod's tlog, which has another spelling of their names.
type tilesOf string

func (dir tilesOf) Height() int { return 8 }

func (dir tilesOf) ReadTiles(tiles []tlog.Tile) (data [][]byte, err error) {
	for _, tile := range tiles {
		b, err := resource(string(dir), fmt.Sprintf("tile/%d/", tile.L), int(tile.N), tile.W)
		if err != nil {
			return nil, err
		}
		data = append(data, b)
	}
	return data, nil
}

func (dir tilesOf) SaveTiles([]tlog.Tile, [][]byte) {}

// TestTheGoChecksumDatabasesReaderReadsTheTiles: x/mod's TileHashReader, which makes
// and checks every hash from the tiles, gives the proofs that we give.
func TestTheGoChecksumDatabasesReaderReadsTheTiles(t *testing.T) {
	log := newLog(t, 70_000)
	n, err := notary.Open(t.Context(), log.cfg)
	require.NoError(t, err)
	c, err := notary.OpenCheckpoint(n.Signed(), origin, log.cfg.Known)
	require.NoError(t, err)
	reader := tlog.TileHashReader(tlog.Tree{N: int64(c.Size), Hash: c.Root}, tilesOf(log.cfg.Archive))
	root, err := tlog.TreeHash(int64(c.Size), reader)
	require.NoError(t, err)
	require.Equal(t, c.Root, root)
	for seq := uint64(1); seq <= c.Size; seq += 977 {
		theirs, err := tlog.ProveRecord(int64(c.Size), int64(seq-1), reader)
		require.NoError(t, err)
		ours, err := n.Prove(seq, log.messages[seq-1])
		require.NoError(t, err)
		require.Equal(t, []tlog.Hash(theirs), ours.Hashes)
	}
	for size := uint64(1); size <= c.Size; size += 3_331 {
		theirs, err := tlog.ProveTree(int64(c.Size), int64(size), reader)
		require.NoError(t, err)
		ours, err := n.Consistent(size)
		require.NoError(t, err)
		require.Equal(t, []tlog.Hash(theirs), ours)
	}
	require.NoError(t, n.Close())
}
