package vault

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Create makes the ring of ledger, a UUID, in the keys directory dir, which it
// makes too where it isn't there. When it returns nil the ring is on disk. A ring of
// this ledger that is there already is kept as it is; any other answer of Open
// is returned, and nothing touched. Only a ledger that has recorded nothing yet
// may call it: for one whose ring was lost a new one is no help.
func Create(dir, ledger string) error {
	if !isUUID(ledger) {
		return fmt.Errorf("make the key ring of ledger %q: that is no UUID in lower case", ledger)
	}
	if _, err := os.Lstat(filepath.Join(dir, "ring")); err == nil {
		if _, err := Open(dir, ledger); err != nil {
			return err
		}
		return syncDir(dir) // the crash may have come just before
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("make the key ring: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the keys directory: %w", err)
	}
	if err := syncDir(filepath.Dir(filepath.Clean(dir))); err != nil {
		return fmt.Errorf("make the keys directory: %w", err)
	}
	for _, step := range creation(dir, ledger) {
		if err := step(); err != nil {
			return fmt.Errorf("make the key ring: %w", err)
		}
	}
	return nil
}

// creation is the making of a ring, step by step, as the package comment numbers
// them.
func creation(dir, ledger string) []func() error {
	ring, fresh := filepath.Join(dir, "ring"), filepath.Join(dir, "ring.new")
	h := header{ledger: ledger, epoch: 1}
	key, entries := new([keySize]byte), make([]byte, shardCount*entrySize)
	rand.Read(key[:])
	rand.Read(entries)
	for i := range shardCount {
		binary.BigEndian.PutUint32(entries[i*entrySize:], 1)
	}
	write := func(name string, file []byte) func() error {
		return func() error { return writeFile(filepath.Join(fresh, name), file) }
	}
	return []func() error{
		func() error { return os.RemoveAll(fresh) },
		func() error { return os.Mkdir(fresh, 0o700) },
		write("epoch-1.a", encodeEpoch(h, key)),
		write("epoch-1.b", encodeEpoch(h, key)),
		write("root", encodeRoot(h, key, entries)),
		func() error { return syncDir(fresh) },
		func() error { return os.Rename(fresh, ring) },
		func() error { return syncDir(dir) },
	}
}
