package projections

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"

	"github.com/cockroachdb/pebble/v2"
)

// Hash is a digest of all that the models hold, the same for the same events
// whatever the size of the batches in which they came, and after whatever crashes.
// It reads everything. Nothing is applied meanwhile.
func (s *Store) Hash() (sum [32]byte, err error) {
	g, err := s.use()
	if err != nil {
		return sum, err
	}
	defer g.leave()
	h := sha256.New()
	if err := g.digest(h); err != nil {
		return sum, s.broken(err)
	}
	h.Sum(sum[:0])
	return sum, nil
}

// digest writes every key and value, those of the open block as if it were sealed,
// and no tails, which depend on the batches.
func (g *generation) digest(h hash.Hash) (err error) {
	var length [8]byte
	put := func(key, value []byte) error {
		for _, b := range [...][]byte{key, value} {
			binary.BigEndian.PutUint64(length[:], uint64(len(b)))
			h.Write(length[:])
			h.Write(b)
		}
		return nil
	}
	it, err := g.db.NewIter(&pebble.IterOptions{})
	if err != nil {
		return err
	}
	defer func() { err = closing(err, it.Close) }()
	for ok := it.First(); ok; ok = it.Next() {
		if it.Key()[0] == spaceTail {
			continue
		}
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if err := put(it.Key(), value); err != nil {
			return err
		}
	}
	if err := it.Error(); err != nil {
		return err
	}
	for _, b := range g.trail.open {
		if err := b.pairs(put); err != nil {
			return err
		}
	}
	return nil
}
