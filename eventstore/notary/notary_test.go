package notary

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const origin = "assent/0191e7a4-7c1b-7d6e-9f00-3a5b8c2d1e4f"

// held is a stream in memory.
type held struct {
	mu       sync.Mutex // guards messages against the notary's reads
	messages [][]byte
}

func (h *held) Last(context.Context) (uint64, error) { return uint64(len(h.messages)), nil }

func (h *held) Read(_ context.Context, from, to uint64, each func(uint64, []byte) error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for seq := from; seq <= to; seq++ {
		if err := each(seq, h.messages[seq-1]); err != nil {
			return err
		}
	}
	return nil
}

// add records messages that nobody has seen before.
func (h *held) add(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for range n {
		h.messages = append(h.messages, fmt.Appendf(nil, "message %d %s", len(h.messages)+1, bytes.Repeat([]byte{'x'}, len(h.messages)%37)))
	}
}

// root is the tree's hash by the definition of RFC 6962, section 2.1.
func (h *held) root(n uint64) tlog.Hash { return mth(h.messages[:n]) }

func mth(d [][]byte) tlog.Hash {
	switch len(d) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return sha256.Sum256(append([]byte{0}, d[0]...))
	}
	k := 1
	for k*2 < len(d) {
		k *= 2
	}
	l, r := mth(d[:k]), mth(d[k:])
	return sha256.Sum256(append(append([]byte{1}, l[:]...), r[:]...))
}

// A kit is a notary's surroundings.
type kit struct {
	cfg    Config
	stream *held
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

func newKit(t testing.TB) *kit {
	secret, public, err := note.GenerateKey(nil, origin)
	require.NoError(t, err)
	signer, err := note.NewSigner(secret)
	require.NoError(t, err)
	verifier, err := note.NewVerifier(public)
	require.NoError(t, err)
	k := &kit{stream: &held{}}
	base := memory(t)
	k.cfg = Config{Origin: origin, Dir: filepath.Join(base, "notary"), Archive: filepath.Join(base, "archive"),
		Signers: []note.Signer{signer}, Known: note.VerifierList(verifier), Stream: k.stream, Every: time.Hour}
	return k
}

func (k *kit) open(t testing.TB) *Notary {
	n, err := Open(t.Context(), k.cfg)
	require.NoError(t, err)
	return n
}

// take records messages and has the notary archive them.
func (k *kit) take(t testing.TB, n *Notary, count int) {
	k.told(n, count)
	require.NoError(t, n.Wait(t.Context(), uint64(len(k.stream.messages))))
}

// told records messages and tells the notary.
func (k *kit) told(n *Notary, count int) {
	before := len(k.stream.messages)
	k.stream.add(count)
	for i := before; i < len(k.stream.messages); i++ {
		n.Take(uint64(i+1), k.stream.messages[i])
	}
}

// shown is the checkpoint that is kept, which is what the tree of the stream has.
func (k *kit) shown(t testing.TB) Checkpoint {
	signed, err := os.ReadFile(filepath.Join(k.cfg.Dir, checkpointFile))
	require.NoError(t, err)
	c, err := OpenCheckpoint(signed, origin, k.cfg.Known)
	require.NoError(t, err)
	require.Equal(t, k.stream.root(c.Size), c.Root)
	return c
}

// TestTheRootIsThatOfRFC6962: at every size, of whatever shape the edge.
func TestTheRootIsThatOfRFC6962(t *testing.T) {
	h := &held{}
	h.add(2*tileWidth + 70)
	e := &edge{}
	for i, m := range h.messages {
		if i%7 == 0 || i > tileWidth-3 && i < tileWidth+3 {
			require.Equal(t, h.root(uint64(i)), e.root(), i)
		}
		e = e.clone()
		e.add(tlog.RecordHash(m), func(grown) {})
	}
	require.Equal(t, h.root(uint64(len(h.messages))), e.root())
	// A third level: full tiles' roots stand for what is below.
	leaf := tlog.RecordHash([]byte("x"))
	var full []grown
	deep := &edge{}
	for range tileWidth*tileWidth + tileWidth + 1 {
		deep.add(leaf, func(g grown) { full = append(full, g) })
	}
	require.Len(t, full, tileWidth+1+1)
	require.Equal(t, []int{1, 1, 1}, []int{len(deep.levels[0]), len(deep.levels[1]), len(deep.levels[2])})
}

// TestANotaryGoesOnWhereItEnded: through restarts, at sizes around a tile's width.
func TestANotaryGoesOnWhereItEnded(t *testing.T) {
	k := newKit(t)
	for _, count := range []int{0, 1, 1, 3, 250, 1, 0, 256, 1, 700, 60_000, 5} {
		n := k.open(t)
		k.take(t, n, count)
		require.NoError(t, n.Close())
		if len(k.stream.messages) > 0 {
			require.EqualValues(t, len(k.stream.messages), k.shown(t).Size)
		}
	}
	// What the stream has beyond the checkpoint is in the next one.
	k.stream.add(300)
	n := k.open(t)
	require.EqualValues(t, len(k.stream.messages), n.Size())
	require.NoError(t, n.Close())
	k.shown(t)
}

// TestARoundOfManyEndsWithAFullBundle: and the rest is archived when somebody waits for it,
// or with the next round.
func TestARoundOfManyEndsWithAFullBundle(t *testing.T) {
	k := newKit(t)
	n := k.open(t)
	k.told(n, many+100)
	require.NoError(t, n.Wait(t.Context(), many))
	require.EqualValues(t, many, n.Size())
	partial := filepath.Join(k.cfg.Archive, filepath.FromSlash(filepath.Dir(bundlePath(many/tileWidth, 1))))
	require.NoDirExists(t, partial)
	require.NoError(t, n.Wait(t.Context(), many+100))
	require.DirExists(t, partial)
	require.EqualValues(t, many+100, k.shown(t).Size)
	k.told(n, 2*many)
	require.NoError(t, n.Close()) // all of it
	require.EqualValues(t, 3*many+100, k.shown(t).Size)
}

// TestEveryMessageIsProven: to whoever has the proof and the log's key alone.
func TestEveryMessageIsProven(t *testing.T) {
	k := newKit(t)
	n := k.open(t)
	k.take(t, n, 3*tileWidth+17)
	for _, seq := range []uint64{1, 2, 255, 256, 257, 512, 700, 785} {
		m := k.stream.messages[seq-1]
		p, err := n.Prove(seq, m)
		require.NoError(t, err)
		q, err := ParseProof(p.Marshal())
		require.NoError(t, err)
		c, err := q.Verify(q.Extra, origin, k.cfg.Known)
		require.NoError(t, err)
		require.EqualValues(t, 785, c.Size)
		_, err = q.Verify(append([]byte("y"), m[1:]...), origin, k.cfg.Known)
		require.ErrorIs(t, err, ErrProof)
		q.Index ^= 1
		_, err = q.Verify(m, origin, k.cfg.Known)
		require.ErrorIs(t, err, ErrProof)
	}
	_, err := n.Prove(786, []byte("none"))
	require.Error(t, err)
	_, err = n.Prove(5, []byte("another"))
	require.ErrorAs(t, err, new(*Damage))
	now := k.shown(t)
	for _, size := range []uint64{1, 255, 256, 257, 784} {
		hashes, err := n.Consistent(size)
		require.NoError(t, err)
		require.NoError(t, tlog.CheckTree(hashes, int64(now.Size), now.Root, int64(size), k.stream.root(size)))
	}
	require.NoError(t, n.Close())
}
