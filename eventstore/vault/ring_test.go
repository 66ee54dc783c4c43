package vault

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	ledger = "0191e7a4-7c1b-7d6e-9f00-3a5b8c2d1e4f"
	other  = "0191e7a4-7c1b-7d6e-9f00-3a5b8c2d1e50"
	event  = "0191e7a4-8000-7000-8000-00000000002a"
)

var acmeName = Place{Subject: "client/acme", Event: event, Field: "/name"}

// newRing makes a ring in a fresh keys directory.
func newRing(t testing.TB) (dir string, r *Ring) {
	dir = t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o700))
	require.NoError(t, Create(dir, ledger))
	r, err := Open(dir, ledger)
	require.NoError(t, err)
	require.Empty(t, r.Notices())
	return dir, r
}

// files are the ring's files with their contents.
func files(t testing.TB, dir string) map[string]string {
	m := map[string]string{}
	list, err := os.ReadDir(filepath.Join(dir, "ring"))
	require.NoError(t, err)
	for _, f := range list {
		b, err := os.ReadFile(filepath.Join(dir, "ring", f.Name()))
		require.NoError(t, err)
		m[f.Name()] = string(b)
	}
	return m
}

func write(t testing.TB, dir, name, content string) {
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ring", name), []byte(content), 0o600))
}

func TestCreateFinishesAfterACrashAtAnyStep(t *testing.T) {
	steps := len(creation(t.TempDir(), ledger))
	for n := range steps + 1 {
		for _, torn := range []bool{false, true} { // torn: the file last written has half its bytes
			dir := t.TempDir()
			for _, step := range creation(dir, ledger)[:n] {
				require.NoError(t, step())
			}
			if torn && n >= 3 && n <= 5 {
				path := filepath.Join(dir, "ring.new", [...]string{"epoch-1.a", "epoch-1.b", "root"}[n-3])
				info, err := os.Stat(path)
				require.NoError(t, err)
				require.NoError(t, os.Truncate(path, info.Size()/2))
			}
			var before map[string]string
			if n >= 7 {
				before = files(t, dir)
			} else {
				_, err := Open(dir, ledger)
				require.ErrorIs(t, err, ErrNoRing)
			}

			require.NoError(t, Create(dir, ledger), "after %d steps", n)
			r, err := Open(dir, ledger)
			require.NoError(t, err)
			require.Equal(t, 1, r.Generation("client/acme"))
			if before != nil {
				require.Equal(t, before, files(t, dir), "a whole ring was made again")
			}
			left, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Len(t, left, 1)
		}
	}
}

func TestCreateMakesOwnerOnlyFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	require.NoError(t, Create(dir, ledger))
	for name, mode := range map[string]fs.FileMode{
		"": 0o700, "ring": 0o700, "ring/root": 0o600, "ring/epoch-1.a": 0o600, "ring/epoch-1.b": 0o600,
	} {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode().Perm(), name)
	}
}

func TestCreateKeepsWhatIsThere(t *testing.T) {
	dir, _ := newRing(t)
	before := files(t, dir)
	require.NoError(t, Create(dir, ledger))
	require.ErrorIs(t, Create(dir, other), ErrOtherLedger)
	require.Equal(t, before, files(t, dir))

	require.NoError(t, os.Remove(filepath.Join(dir, "ring", "root")))
	require.ErrorIs(t, Create(dir, ledger), ErrDamaged)
	require.NoFileExists(t, filepath.Join(dir, "ring", "root"), "a lost root was replaced by another")
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	whole, _ := newRing(t)
	sound := files(t, whole)
	strange, err := os.MkdirTemp(t.TempDir(), "")
	require.NoError(t, err)
	require.NoError(t, Create(strange, other))
	foreign := files(t, strange)
	for _, tt := range []struct {
		about  string
		change func(dir string)
		want   error
		says   string
	}{
		{"no ring", func(dir string) { require.NoError(t, os.RemoveAll(filepath.Join(dir, "ring"))) }, ErrNoRing, "ring is not there"},
		{"no keys directory", func(dir string) { require.NoError(t, os.RemoveAll(dir)) }, fs.ErrNotExist, "keys directory"},
		{"root lost", func(dir string) { require.NoError(t, os.Remove(filepath.Join(dir, "ring/root"))) }, ErrDamaged, "ring/root: no such file"},
		{"root is a directory", func(dir string) {
			require.NoError(t, os.Remove(filepath.Join(dir, "ring/root")))
			require.NoError(t, os.Mkdir(filepath.Join(dir, "ring/root"), 0o700))
		}, ErrDamaged, "ring/root: it is no plain file"},
		{"root empty", func(dir string) { write(t, dir, "root", "") }, ErrDamaged, "ring/root: its header is altered"},
		{"root cut", func(dir string) { write(t, dir, "root", sound["root"][:len(sound["root"])-1]) }, ErrDamaged, "ring/root: it has"},
		{"root with more", func(dir string) { write(t, dir, "root", sound["root"]+"\n") }, ErrDamaged, "ring/root: it has"},
		{"root huge", func(dir string) { write(t, dir, "root", strings.Repeat("\n", mostFile+1)) }, ErrDamaged, "ring/root: it has more than"},
		{"root of a later format", func(dir string) { write(t, dir, "root", strings.Replace(sound["root"], " v1", " v12", 1)) }, ErrNewer, "version 12"},
		{"both epoch copies lost", func(dir string) {
			require.NoError(t, os.Remove(filepath.Join(dir, "ring/epoch-1.a")))
			require.NoError(t, os.Remove(filepath.Join(dir, "ring/epoch-1.b")))
		}, ErrDamaged, "ring/epoch-1.b: no such file"},
		{"both epoch copies damaged", func(dir string) {
			write(t, dir, "epoch-1.a", sound["epoch-1.a"]+"x")
			write(t, dir, "epoch-1.b", strings.ToUpper(sound["epoch-1.b"]))
		}, ErrDamaged, "ring/epoch-1.a: it has"},
		{"both epoch copies of another ledger", func(dir string) {
			write(t, dir, "epoch-1.a", foreign["epoch-1.a"])
			write(t, dir, "epoch-1.b", foreign["epoch-1.b"])
		}, ErrDamaged, "of ledger " + other},
		{"another ledger's root", func(dir string) { write(t, dir, "root", foreign["root"]) }, ErrDamaged, "of ledger " + ledger},
		{"another ledger's ring", func(dir string) {
			for name, b := range foreign {
				write(t, dir, name, b)
			}
		}, ErrOtherLedger, other},
	} {
		t.Run(tt.about, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.CopyFS(dir, os.DirFS(whole)))
			tt.change(dir)
			var before map[string]string
			if _, err := os.Stat(filepath.Join(dir, "ring")); err == nil && tt.about != "root is a directory" {
				before = files(t, dir)
			}
			r, err := Open(dir, ledger)
			require.ErrorIs(t, err, tt.want)
			require.ErrorContains(t, err, tt.says)
			require.Nil(t, r)
			for _, e := range []error{ErrNoRing, ErrDamaged, ErrOtherLedger, ErrNewer, fs.ErrNotExist} {
				if e != tt.want && !(tt.want == ErrDamaged && e == fs.ErrNotExist) {
					require.NotErrorIs(t, err, e)
				}
			}
			if before != nil {
				require.Equal(t, before, files(t, dir), "something was touched")
			}
		})
	}
	_, err = Open(whole, strings.ToUpper(ledger))
	require.ErrorContains(t, err, "no UUID in lower case")
	require.ErrorContains(t, Create(whole, "acme"), "no UUID in lower case")
}

// TestAByteAlteredInTheRootIsFound: header, nonce and tag byte by byte, the sealed
// shards at every 61st.
func TestAByteAlteredInTheRootIsFound(t *testing.T) {
	h, key := header{ledger: ledger, epoch: 1}, new([keySize]byte)
	file := encodeRoot(h, key, shardEntries(1))
	open := func() error {
		_, head, body, err := cutHeader(rootKind, file)
		if err == nil {
			_, err = decodeRoot(head, body, key)
		}
		return err
	}
	require.NoError(t, open())
	head := len(h.encode(rootKind))
	for i := 0; i < len(file); i++ {
		if i > head+nonceSize && i < len(file)-tagSize {
			i = min(i+60, len(file)-tagSize)
		}
		for _, bit := range []byte{1, 0x80} {
			file[i] ^= bit
			require.Error(t, open(), "byte %d", i)
			file[i] ^= bit
		}
	}
	for n := range head + nonceSize + 1 {
		_, head, body, err := cutHeader(rootKind, file[:n])
		if err == nil {
			_, err = decodeRoot(head, body, key)
		}
		require.Error(t, err, "%d bytes", n)
	}
}

func TestAnEpochCopyAlteredAnywhereIsMadeAgain(t *testing.T) {
	dir, r := newRing(t)
	box, gen, err := r.Seal(acmeName, []byte("Acme"))
	require.NoError(t, err)
	sound := files(t, dir)
	damage := map[string]string{"cut": sound["epoch-1.a"][:40], "empty": "", "longer": sound["epoch-1.a"] + "\n"}
	for i := range sound["epoch-1.a"] {
		b := []byte(sound["epoch-1.a"])
		b[i] ^= 1
		damage[fmt.Sprintf("byte %d", i)] = string(b)
	}
	strange := encodeEpoch(header{ledger, 1}, new([keySize]byte))
	damage["sound, but another key"] = string(strange)
	for about, content := range damage {
		for _, name := range []string{"epoch-1.a", "epoch-1.b"} {
			write(t, dir, name, content)
			r, err := Open(dir, ledger)
			require.NoError(t, err, "%s of %s", about, name)
			require.Len(t, r.Notices(), 1)
			require.Contains(t, r.Notices()[0], "ring/"+name+" was damaged")
			require.Equal(t, sound, files(t, dir))
			got, err := r.Unseal(acmeName, gen, box)
			require.NoError(t, err)
			require.Equal(t, "Acme", string(got))
		}
	}
	require.NoError(t, os.Remove(filepath.Join(dir, "ring/epoch-1.b")))
	write(t, dir, "epoch-1.b.new", "what a crash left")
	r, err = Open(dir, ledger)
	require.NoError(t, err)
	require.Len(t, r.Notices(), 1)
	require.Equal(t, sound, files(t, dir))
}

// TestACopyThatCannotBeMadeAgainLeavesTheRingUsable: a directory stands in its way.
func TestACopyThatCannotBeMadeAgainLeavesTheRingUsable(t *testing.T) {
	dir, _ := newRing(t)
	require.NoError(t, os.Remove(filepath.Join(dir, "ring/epoch-1.a")))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "ring/epoch-1.a/in-the-way"), 0o700))
	r, err := Open(dir, ledger)
	require.NoError(t, err)
	require.Contains(t, r.Notices()[0], "couldn't be made again")
	_, _, err = r.Seal(acmeName, nil)
	require.NoError(t, err)
}

func TestOpenSaysWhatOthersMayRead(t *testing.T) {
	dir, _ := newRing(t)
	require.NoError(t, os.Chmod(filepath.Join(dir, "ring/root"), 0o640))
	r, err := Open(dir, ledger)
	require.NoError(t, err)
	require.Len(t, r.Notices(), 1)
	require.Contains(t, r.Notices()[0], "ring/root is open to others than its owner (mode 0640)")
}

// TestARingWithErasedKeysIsLeftToItsOwnVersion: this version writes generation 1
// alone, and can't read the keys that an erasure writes out.
func TestARingWithErasedKeysIsLeftToItsOwnVersion(t *testing.T) {
	dir, _ := newRing(t)
	h, key := header{ledger: ledger, epoch: 1}, new([keySize]byte)
	write(t, dir, "epoch-1.a", string(encodeEpoch(h, key)))
	write(t, dir, "epoch-1.b", string(encodeEpoch(h, key)))
	write(t, dir, "root", string(encodeRoot(h, key, shardEntries(2))))
	_, err := Open(dir, ledger)
	require.ErrorIs(t, err, ErrNewer)
	write(t, dir, "root", string(encodeRoot(h, key, shardEntries(0))))
	_, err = Open(dir, ledger)
	require.ErrorIs(t, err, ErrDamaged)
}

// TestNoSecretIsPrinted: whatever verb a message uses.
func TestNoSecretIsPrinted(t *testing.T) {
	_, r := newRing(t)
	o := NewOpening("Zhang San")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		require.Equal(t, "key ring of ledger "+ledger, fmt.Sprintf(verb, r))
		require.NotContains(t, fmt.Sprintf(verb, o), "Zhang")
		require.NotContains(t, fmt.Sprintf(verb, &o), "Zhang")
	}
	require.Equal(t, "blind key ring", (*Ring)(nil).String())
}

// shardEntries are those of a root whose shards all have generation gen.
func shardEntries(gen uint32) []byte {
	entry := append(binary.BigEndian.AppendUint32(nil, gen), bytes.Repeat([]byte{7}, keySize)...)
	return slices.Repeat(entry, shardCount)
}
