package notary

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"
)

// bigKit is a ledger whose tree has three levels, with a full tile and a partial one at
// the first two. It is closed.
func bigKit(t testing.TB) *kit {
	k := newKit(t)
	n := k.open(t)
	k.take(t, n, tileWidth*tileWidth+2*tileWidth+37)
	require.NoError(t, n.Close())
	return k
}

// A found is what came of reading what is damaged.
type found struct {
	by  string // Open, Check, Prove, Bundle; empty: nothing was found
	err error
}

// look opens the ledger and reads the events around a bundle, as whoever uses them
// does. What is wrong and not said ends the test.
func (k *kit) look(t *testing.T, bundle uint64) found {
	n, err := Open(t.Context(), k.cfg)
	if err != nil {
		return found{"Open", err}
	}
	defer func() { require.NoError(t, n.Close()) }()
	seq := bundle*tileWidth + 1
	message := k.stream.messages[seq-1]
	if err := n.Check(seq, message); err != nil {
		return found{"Check", err}
	}
	p, err := n.Prove(seq, message)
	if err != nil {
		return found{"Prove", err}
	}
	_, err = p.Verify(message, origin, k.cfg.Known)
	require.NoError(t, err)
	a, err := OpenArchive(os.DirFS(k.cfg.Archive), k.cfg.Archive, k.shown(t))
	require.NoError(t, err) // Open found nothing either
	first, messages, err := a.Bundle(bundle)
	if err != nil {
		return found{"Bundle", err}
	}
	for i, m := range messages {
		require.Equal(t, k.stream.messages[first+uint64(i)-1], m)
	}
	_, _, err = n.CheckBundle(bundle)
	require.NoError(t, err)
	return found{}
}

// A kind of file is damaged in the same ways, and found by the same reads.
type kind struct {
	name   string
	path   string // below the archive
	bundle uint64 // one that uses it
	by     string // who finds it
}

func kinds() []kind {
	return []kind{
		{"a full tile of leaves", tilePath(0, 3, tileWidth), 3, "Check"},
		{"a full tile above", tilePath(1, 0, tileWidth), 3, "Check"},
		{"the last tile of leaves", tilePath(0, tileWidth+2, 37), tileWidth + 2, "Open"},
		{"the last tile above", tilePath(1, 1, 2), 3, "Open"},
		{"the top tile", tilePath(2, 0, 1), 3, "Open"},
		{"a full bundle", bundlePath(3, tileWidth), 3, "Bundle"},
		{"the last bundle", bundlePath(tileWidth+2, 37), tileWidth + 2, "Open"},
	}
}

// named says whether an error names the damaged file, or an event of it.
func named(t *testing.T, f found, path string) {
	d, ok := errors.AsType[*Damage](f.err)
	require.True(t, ok, "%v", f.err)
	require.True(t, strings.Contains(d.Where, path) || strings.HasPrefix(d.Where, "event "), "%v for %s", d, path)
}

// TestEveryFlippedBitIsFound: in whatever file, by whoever would have used it.
func TestEveryFlippedBitIsFound(t *testing.T) {
	const each = 90
	k := bigKit(t)
	chance := rand.New(rand.NewPCG(12, 7))
	flips := 0
	flip := func(path string, at, bit int, see func()) {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		bad := bytes.Clone(b)
		bad[at] ^= 1 << bit
		require.NoError(t, os.WriteFile(path, bad, 0o600))
		see()
		require.NoError(t, os.WriteFile(path, b, 0o600))
		flips++
	}
	for _, kind := range kinds() {
		path := filepath.Join(k.cfg.Archive, filepath.FromSlash(kind.path))
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		at := func(i int) int { return chance.IntN(len(b)) }
		if strings.Contains(kind.path, "entries") {
			// The lengths are few: half of the flips are in them.
			lengths, next := []int{}, 0
			for m := range Entries(b) {
				lengths = append(lengths, next, next+1)
				next += 2 + len(m)
			}
			at = func(i int) int {
				if i%2 == 0 {
					return chance.IntN(len(b))
				}
				return lengths[chance.IntN(len(lengths))]
			}
		}
		for i := range each {
			flip(path, at(i), chance.IntN(8), func() {
				f := k.look(t, kind.bundle)
				require.Equal(t, kind.by, f.by, "%s: %v", kind.name, f.err)
				named(t, f, kind.path)
			})
		}
	}
	// Of the checkpoint, each byte, and each bit where its base64 ends.
	path := filepath.Join(k.cfg.Dir, checkpointFile)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	for at := range b {
		for bit := range 8 {
			if at < len(b)-6 && bit != at%8 {
				continue
			}
			flip(path, at, bit, func() {
				f := k.look(t, 3)
				require.Equal(t, "Open", f.by, "byte %d, bit %d", at, bit)
				named(t, f, checkpointFile)
			})
		}
	}
	// And of its copy, which Open doesn't read.
	path = filepath.Join(k.cfg.Archive, checkpointFile)
	for at := range b {
		for bit := range 8 {
			flip(path, at, bit, func() {
				signed, err := os.ReadFile(path)
				require.NoError(t, err)
				_, err = OpenCheckpoint(signed, origin, k.cfg.Known)
				require.ErrorIs(t, err, ErrCheckpoint)
			})
		}
	}
	require.Zero(t, k.look(t, 3))
	require.Greater(t, flips, 500)
	t.Logf("%d flips, each found", flips)
}

// TestEveryDamagedFileIsFound: missing, cut, doubled, or another's in its place.
func TestEveryDamagedFileIsFound(t *testing.T) {
	k := bigKit(t)
	for _, kind := range kinds() {
		path := filepath.Join(k.cfg.Archive, filepath.FromSlash(kind.path))
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		partner := filepath.Join(k.cfg.Archive, filepath.FromSlash(map[bool]string{
			true: bundlePath(4, tileWidth), false: tilePath(0, 4, tileWidth)}[strings.Contains(kind.path, "entries")]))
		other, err := os.ReadFile(partner)
		require.NoError(t, err)
		first := b[:tlog.HashSize]
		if strings.Contains(kind.path, "entries") {
			for m := range Entries(b) {
				first = b[:2+len(m)]
				break
			}
		}
		for what, bad := range map[string][]byte{
			"missing": nil, "empty": {}, "cut by a byte": b[:len(b)-1], "without its first": b[len(first):], "cut by a hash": b[:len(b)-len(first)],
			"doubled": append(bytes.Clone(b), b...), "its first one twice": append(bytes.Clone(first), b...), "a byte more": append(bytes.Clone(b), 0),
			"its last one twice": append(bytes.Clone(b), first...), "another's": other[:min(len(b), len(other))], "all of another's": other,
		} {
			if bytes.Equal(bad, b) {
				continue
			}
			if bad == nil {
				require.NoError(t, os.Remove(path))
			} else {
				require.NoError(t, os.WriteFile(path, bad, 0o600))
			}
			f := k.look(t, kind.bundle)
			require.Equal(t, kind.by, f.by, "%s, %s: %v", kind.name, what, f.err)
			named(t, f, kind.path)
			require.NoError(t, os.WriteFile(path, b, 0o600))
		}
	}
	// Two files of a kind that changed places.
	for _, pair := range [][2]string{{tilePath(0, 3, tileWidth), tilePath(0, 4, tileWidth)}, {bundlePath(3, tileWidth), bundlePath(4, tileWidth)}} {
		one, two := filepath.Join(k.cfg.Archive, pair[0]), filepath.Join(k.cfg.Archive, pair[1])
		change := func() {
			require.NoError(t, os.Rename(one, one+".aside"))
			require.NoError(t, os.Rename(two, one))
			require.NoError(t, os.Rename(one+".aside", two))
		}
		change()
		for bundle := uint64(3); bundle < 5; bundle++ {
			named(t, k.look(t, bundle), pair[bundle-3])
		}
		change()
	}
	require.Zero(t, k.look(t, 3))
	require.Zero(t, k.look(t, 4))
}
