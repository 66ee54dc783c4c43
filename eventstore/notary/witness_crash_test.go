package notary

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// submissions are those of a log at these sizes, each from the one before.
func submissions(t *testing.T, k *kit, sizes ...uint64) (bodies [][]byte) {
	k.stream.add(int(sizes[len(sizes)-1]))
	var stored hashes
	for i, m := range k.stream.messages {
		more, err := tlog.StoredHashes(int64(i), m, &stored)
		require.NoError(t, err)
		stored = append(stored, more...)
	}
	old := uint64(0)
	for _, size := range sizes {
		var proof tlog.TreeProof
		if old > 0 {
			var err error
			proof, err = tlog.ProveTree(int64(size), int64(old), &stored)
			require.NoError(t, err)
		}
		signed, err := Checkpoint{origin, size, k.stream.root(size)}.Sign(k.cfg.Signers...)
		require.NoError(t, err)
		bodies = append(bodies, submission(old, proof, signed))
		old = size
	}
	return bodies
}

type hashes []tlog.Hash

func (h *hashes) ReadHashes(indexes []int64) (out []tlog.Hash, err error) {
	for _, i := range indexes {
		out = append(out, (*h)[i])
	}
	return out, nil
}

func (k *kit) witness(t *testing.T) WitnessConfig {
	secret, _, err := GenerateCosigner("witness.example")
	require.NoError(t, err)
	signer, err := NewCosigner(secret)
	require.NoError(t, err)
	now := time.Now()
	clock := func() time.Time { now = now.Add(time.Second); return now } // no two cosignatures are the same
	return WitnessConfig{Dir: filepath.Join(memory(t), "witness"), Signer: signer, Logs: map[string]note.Verifiers{origin: k.cfg.Known}, Clock: clock}
}

// cosignAll has a witness cosign all that it does, and says what it cosigned last. What
// fails is asked again, so many times.
func cosignAll(t *testing.T, cfg WitnessConfig, bodies [][]byte, again int) (last uint64, err error) {
	w, err := OpenWitness(cfg)
	if err != nil {
		return 0, err
	}
	defer func() { require.NoError(t, w.Close()) }()
	for _, body := range bodies {
		line, err := w.add(t.Context(), body)
		for tries := 0; err != nil && tries < again; tries++ {
			if r, ok := errors.AsType[*refused](err); ok {
				// What failed was kept though, and is what the answer says.
				require.Equal(t, 409, r.status)
				_, _, signed, err := parseSubmission(body)
				require.NoError(t, err)
				body = submission(r.size, nil, signed)
			}
			line, err = w.add(t.Context(), body)
		}
		if err != nil {
			return last, err
		}
		require.NotEmpty(t, line)
		last = w.logs[origin].last.Size
	}
	return last, nil
}

// TestAWitnessForgetsNothingThatItCosigned: wherever it ends, and whatever fails.
func TestAWitnessForgetsNothingThatItCosigned(t *testing.T) {
	k := newKit(t)
	bodies := submissions(t, k, 5, 9, 300)
	count := &fault{}
	cfg := k.witness(t)
	cfg.tap = count.tap
	_, err := cosignAll(t, cfg, bodies, 0)
	require.NoError(t, err)
	for at := range count.count {
		for mode := range 4 {
			f := &fault{left: at + 1, happens: mode&1 > 0, once: mode&2 > 0}
			cfg := k.witness(t)
			cfg.tap = f.tap
			last, err := cosignAll(t, cfg, bodies, 2)
			require.True(t, f.struck)
			if f.once && err != nil {
				require.Zero(t, last) // it wasn't opened
				last, err = cosignAll(t, cfg, bodies, 2)
			}
			if f.once {
				require.NoError(t, err)
			}
			cfg.tap = nil
			w, err := OpenWitness(cfg)
			require.NoError(t, err)
			now := w.logs[origin].last
			require.GreaterOrEqual(t, now.Size, last)
			require.Equal(t, k.stream.root(now.Size), now.Root)
			require.NoError(t, w.Close())
		}
		// The power goes: what it answered it has.
		cfg := k.witness(t)
		base := filepath.Dir(cfg.Dir)
		l := &lossy{base: base, left: at, root: newDir()}
		cfg.tap = l.tap
		last, _ := cosignAll(t, cfg, bodies, 0)
		cfg.tap = nil
		for seed := range uint64(4) {
			into := memory(t)
			l.root.after(t, rand.New(rand.NewPCG(uint64(at), seed)), into)
			cfg.Dir = filepath.Join(into, "witness")
			w, err := OpenWitness(cfg)
			require.NoError(t, err)
			require.GreaterOrEqual(t, w.logs[origin].last.Size, last)
			require.NoError(t, w.Close())
		}
	}
}

// TestAWitnessBelievesNoAlteredFile: of what it cosigned, each bit but those of the
// log's own signature, which it needs no more.
func TestAWitnessBelievesNoAlteredFile(t *testing.T) {
	k := newKit(t)
	cfg := k.witness(t)
	_, err := cosignAll(t, cfg, submissions(t, k, 5), 0)
	require.NoError(t, err)
	names, err := filepath.Glob(filepath.Join(cfg.Dir, "log-*"))
	require.NoError(t, err)
	require.Len(t, names, 1)
	b, err := os.ReadFile(names[0])
	require.NoError(t, err)
	for at := range b {
		for bit := range 8 {
			bad := bytes.Clone(b)
			bad[at] ^= 1 << bit
			require.NoError(t, os.WriteFile(names[0], bad, 0o600))
			w, err := OpenWitness(cfg)
			if err == nil {
				require.Equal(t, Checkpoint{origin, 5, k.stream.root(5)}, w.logs[origin].last.Checkpoint)
				require.Contains(t, string(b[:at]), "\n\n— ") // in a signature's name or id: it is nobody's
				require.NoError(t, w.Close())
				continue
			}
			d, ok := errors.AsType[*Damage](err)
			require.True(t, ok, "%v", err)
			require.Equal(t, names[0], d.Where)
		}
	}
	require.NoError(t, os.WriteFile(names[0], b, 0o600))
	w, err := OpenWitness(cfg)
	require.NoError(t, err)
	_, err = OpenWitness(cfg)
	require.ErrorIs(t, err, ErrInUse)
	require.NoError(t, w.Close())
	// Another log's file in its place.
	cfg.Logs = map[string]note.Verifiers{"assent/other": k.cfg.Known}
	require.NoError(t, os.Rename(names[0], followedPath(cfg.Dir, "assent/other")))
	_, err = OpenWitness(cfg)
	require.ErrorContains(t, err, "it is of the log")
}
