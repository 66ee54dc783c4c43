package notary_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// A reader of tlog-tiles that knows nothing of this package: it is written against C2SP
// tlog-tiles, tlog-checkpoint, signed-note and RFC 6962, and the standard library.

// readLog reads all entries of the log in a directory, and believes them only if they
// hash to the checkpoint that the key signed.
func readLog(dir, vkey string) (entries [][]byte, err error) {
	note, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil {
		return nil, err
	}
	text, err := noteText(string(note), vkey)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(text, "\n")
	if len(lines) < 4 || lines[0] != strings.SplitN(vkey, "+", 2)[0] {
		return nil, errors.New("checkpoint: not this log's")
	}
	size, err := strconv.Atoi(lines[1])
	if err != nil {
		return nil, err
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil {
		return nil, err
	}
	// The entries, bundle by bundle.
	var leaves [][32]byte
	for n := 0; n*256 < size; n++ {
		width := min(256, size-n*256)
		bundle, err := resource(dir, "tile/entries/", n, width)
		if err != nil {
			return nil, err
		}
		for range width {
			if len(bundle) < 2 || len(bundle) < 2+int(binary.BigEndian.Uint16(bundle)) {
				return nil, fmt.Errorf("bundle %d: cut", n)
			}
			e := bundle[2 : 2+int(binary.BigEndian.Uint16(bundle))]
			bundle = bundle[2+len(e):]
			entries = append(entries, e)
			leaves = append(leaves, sha256.Sum256(append([]byte{0}, e...)))
		}
		if len(bundle) > 0 {
			return nil, fmt.Errorf("bundle %d: too long", n)
		}
	}
	if got := treeHash(leaves); string(got[:]) != string(root) {
		return nil, errors.New("the entries don't hash to the checkpoint")
	}
	// The tiles, level by level: each hash is of the full tile below it.
	for level, hashes := 0, leaves; len(hashes) > 0; level++ {
		var above [][32]byte
		for n := 0; n*256 < len(hashes); n++ {
			want := hashes[n*256 : min(len(hashes), n*256+256)]
			tile, err := resource(dir, fmt.Sprintf("tile/%d/", level), n, len(want))
			if err != nil {
				return nil, err
			}
			if len(tile) != 32*len(want) {
				return nil, fmt.Errorf("tile %d at level %d: %d bytes", n, level, len(tile))
			}
			for i, h := range want {
				if string(tile[32*i:32*i+32]) != string(h[:]) {
					return nil, fmt.Errorf("tile %d at level %d: hash %d", n, level, i)
				}
			}
			if len(want) == 256 {
				above = append(above, treeHash(want))
			}
		}
		hashes = above
	}
	return entries, nil
}

// resource reads a tile or a bundle; where a partial one is gone, the full one's part.
func resource(dir, prefix string, n, width int) ([]byte, error) {
	path := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		path = fmt.Sprintf("x%03d/", n%1000) + path
	}
	if width < 256 {
		path += fmt.Sprintf(".p/%d", width)
	}
	return os.ReadFile(filepath.Join(dir, prefix+path))
}

// treeHash is MTH of RFC 6962, section 2.1, over leaves that are hashed.
func treeHash(d [][32]byte) [32]byte {
	if len(d) == 1 {
		return d[0]
	}
	k := 1
	for k*2 < len(d) {
		k *= 2
	}
	l, r := treeHash(d[:k]), treeHash(d[k:])
	return sha256.Sum256(append(append([]byte{1}, l[:]...), r[:]...))
}

// noteText is a note's text if the key signed it. Type 1 signs the text, type 4 (C2SP
// tlog-cosignature) a time and the text.
func noteText(note, vkey string) (string, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return "", errors.New("vkey: no three parts")
	}
	key, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(key) != 33 {
		return "", errors.New("vkey: no Ed25519 key")
	}
	id := sha256.Sum256([]byte(parts[0] + "\n" + string(key)))
	if fmt.Sprintf("%x", id[:4]) != parts[1] {
		return "", errors.New("vkey: another id")
	}
	split := strings.LastIndex(note, "\n\n")
	if split < 0 {
		return "", errors.New("note: no signatures")
	}
	text := note[:split+1]
	for _, line := range strings.Split(strings.TrimSuffix(note[split+2:], "\n"), "\n") {
		sig64, ours := strings.CutPrefix(line, "— "+parts[0]+" ")
		sig, err := base64.StdEncoding.DecodeString(sig64)
		if !ours || err != nil || len(sig) < 4 || string(sig[:4]) != string(id[:4]) {
			continue
		}
		signed := text
		sig = sig[4:]
		if key[0] == 4 && len(sig) == 72 {
			signed = fmt.Sprintf("cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(sig), text)
			sig = sig[8:]
		}
		if len(sig) != 64 || !ed25519.Verify(key[1:], []byte(signed), sig) {
			return "", errors.New("note: a signature is wrong")
		}
		return text, nil
	}
	return "", errors.New("note: not signed by the key")
}

// TestAnIndependentReaderReadsTheArchive: from the directory and the public key alone.
func TestAnIndependentReaderReadsTheArchive(t *testing.T) {
	for _, count := range []int{1, 255, 256, 257, 5_000, 66_000} {
		log := newLog(t, count)
		entries, err := readLog(log.cfg.Archive, log.vkey)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) != count {
			t.Fatalf("%d entries of %d", len(entries), count)
		}
		for i, e := range entries {
			if string(e) != string(log.messages[i]) {
				t.Fatalf("entry %d is another", i)
			}
		}
	}
}

// TestAnIndependentReaderBelievesNothingElse: it is itself seen to fail.
func TestAnIndependentReaderBelievesNothingElse(t *testing.T) {
	log := newLog(t, 5_000)
	for _, name := range []string{"checkpoint", "tile/0/003", "tile/entries/003", "tile/1/000.p/19", "tile/entries/019.p/136", "tile/0/019.p/136"} {
		path := filepath.Join(log.cfg.Archive, name)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)/2] ^= 1
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readLog(log.cfg.Archive, log.vkey); err == nil {
			t.Fatalf("nothing is wrong with %s", name)
		}
		b[len(b)/2] ^= 1
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
