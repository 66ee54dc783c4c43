package vault

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

var (
	// ErrNoRing means that the keys directory has no key ring. The ledger serves
	// blind: with the nil Ring.
	ErrNoRing = errors.New("the keys directory has no key ring")
	// ErrDamaged means that a file of the ring is missing, unreadable or altered.
	// The message names it. The ledger serves blind until it is put back.
	ErrDamaged = errors.New("the key ring is damaged")
	// ErrOtherLedger means that the ring is sound and belongs to another ledger.
	ErrOtherLedger = errors.New("the key ring belongs to another ledger")
	// ErrNewer means that a newer version of the program wrote the ring.
	ErrNewer = errors.New("the key ring is from a newer version")
)

// A Ring derives the keys under which the personal text of a ledger is sealed. It
// is safe for concurrent use. The nil Ring and the zero one are blind: they seal
// nothing (ErrBlind) and open nothing (ErrSealed).
type Ring struct {
	ledger  string
	notices []string
	shards  *[shardCount]shard // nil: blind
}

// A shard holds the secret of those subjects whose digests begin with its number,
// and the keys derived from it last, in place, so that to wipe it is to wipe all.
type shard struct {
	mu     sync.Mutex // guards all below
	gen    uint32     // from 1 on; one more after each erasure in the shard
	secret [keySize]byte
	keys   [4]subjectKey // a miss costs one derivation, 2 µs
	oldest uint8         // the one of keys that the next subject takes
}

type subjectKey struct {
	subject string // "": not taken
	key     [keySize]byte
}

// Open reads the ring of ledger, a UUID, in the keys directory dir. Its errors are
// ErrNoRing, ErrDamaged, ErrOtherLedger, ErrNewer and, where dir itself is missing,
// fs.ErrNotExist; the package comment says what each means for the ledger. One damaged
// copy of the epoch key is put right from the other, durably, before Open returns.
func Open(dir, ledger string) (*Ring, error) {
	if !isUUID(ledger) {
		return nil, fmt.Errorf("open the key ring of ledger %q: that is no UUID in lower case", ledger)
	}
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("open the keys directory: %w", err)
	}
	ring := filepath.Join(dir, "ring")
	if _, err := os.Lstat(ring); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s is not there", ErrNoRing, ring)
	}
	file, err := readFile(filepath.Join(ring, "root"))
	if err != nil {
		return nil, fmt.Errorf("%w: ring/root: %w; put it back", ErrDamaged, err)
	}
	h, head, body, err := cutHeader(rootKind, file)
	if errors.Is(err, ErrNewer) {
		return nil, fmt.Errorf("ring/root: %w", err)
	} else if err != nil {
		return nil, fmt.Errorf("%w: ring/root: %w; put it back", ErrDamaged, err)
	}
	copies := readEpoch(ring, h)
	entries, good, err := openRoot(head, body, copies)
	if err != nil {
		return nil, fmt.Errorf("%w: %w; put it back", ErrDamaged, err)
	}
	defer clear(entries)
	if h.ledger != ledger {
		return nil, fmt.Errorf("%w: it is of %s, not of %s", ErrOtherLedger, h.ledger, ledger)
	}
	r := &Ring{ledger: ledger, shards: new([shardCount]shard)}
	for i := range r.shards {
		e := entries[i*entrySize:]
		r.shards[i].gen = binary.BigEndian.Uint32(e)
		copy(r.shards[i].secret[:], e[4:entrySize])
		if r.shards[i].gen > 1 {
			return nil, fmt.Errorf("%w: keys were erased in shard %03x", ErrNewer, i)
		}
	}
	r.notices = append(heal(ring, h, copies, good), exposed(dir, copies)...)
	return r, nil
}

// Notices says, for an operator, what Open put right or found unsafe. The slice is
// the caller's.
func (r *Ring) Notices() []string {
	if r == nil {
		return nil
	}
	return append([]string(nil), r.notices...)
}

// Generation is that of the key under which the subject's text is sealed from now
// on, from 1 on; 0 where the ring is blind.
func (r *Ring) Generation(subject string) int {
	if r.blind() {
		return 0
	}
	s := r.shard(subject)
	s.mu.Lock()
	defer s.mu.Unlock()
	return int(s.gen)
}

func (r *Ring) blind() bool { return r == nil || r.shards == nil }

// String keeps the secrets out of messages.
func (r *Ring) String() string {
	if r.blind() {
		return "blind key ring"
	}
	return "key ring of ledger " + r.ledger
}

// GoString is as String.
func (r *Ring) GoString() string { return r.String() }

// shard is the one of a subject: the first 12 bits of its SHA-256.
func (r *Ring) shard(subject string) *shard {
	var short [96]byte // most subjects fit: no allocation
	sum := sha256.Sum256(append(short[:0], subject...))
	return &r.shards[int(sum[0])<<4|int(sum[1])>>4]
}

// boxKey is the first half of XChaCha20-Poly1305 under the subject's key of
// generation gen (0: the present one). It says which generation it took, 0 where
// the key of that one is gone. The subject's own key never leaves its shard.
func (r *Ring) boxKey(subject string, gen int, nonce []byte) (cipher.AEAD, int) {
	s := r.shard(subject)
	s.mu.Lock()
	defer s.mu.Unlock()
	if gen != 0 && gen != int(s.gen) {
		return nil, 0
	}
	return xAEAD(s.key(r.ledger, subject), nonce), int(s.gen)
}

// key is the subject's, derived where it isn't at hand. The caller holds s.mu, and
// the key for as long only.
func (s *shard) key(ledger, subject string) *[keySize]byte {
	for i := range s.keys {
		if s.keys[i].subject == subject {
			return &s.keys[i].key
		}
	}
	k := &s.keys[s.oldest]
	s.oldest = (s.oldest + 1) % uint8(len(s.keys))
	k.subject = strings.Clone(subject) // it may be a piece of a whole request
	derive(&k.key, &s.secret, ledger, int(s.gen), subject)
	return &k.key
}

// derive is the key of a subject: HKDF-SHA256 of its shard's secret, without salt.
func derive(into, secret *[keySize]byte, ledger string, gen int, subject string) {
	info := "assent subject key v1\n" + ledger + "\n" + strconv.Itoa(gen) + "\n" + subject
	key, err := hkdf.Key(sha256.New, secret[:], nil, info, keySize)
	if err != nil {
		panic("vault: " + err.Error()) // only for a length that HKDF can't give
	}
	copy(into[:], key)
	clear(key)
}
