package vault

import (
	"bytes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
)

// The files of a ring, as docs/formats.md has them. Nothing here reads or writes
// a file.

const (
	rootKind  = "assent ring"
	epochKind = "assent epoch key"
	version   = " v1\n"

	shardCount = 4096
	keySize    = chacha20poly1305.KeySize
	entrySize  = 4 + keySize // of a shard in the root: generation, secret
	nonceSize  = chacha20poly1305.NonceSizeX
	tagSize    = chacha20poly1305.Overhead
	rootSize   = nonceSize + shardCount*entrySize + tagSize // below the header

	// mostFile bounds what is read of any file of the ring, in bytes.
	mostFile = 1 << 20
)

// A header stands in clear at the top of each file of the ring: what the file is
// and its version, whose it is, and of which epoch; three lines.
type header struct {
	ledger string
	epoch  uint64 // from 1 on
}

func (h header) encode(kind string) []byte {
	return fmt.Appendf(nil, "%s%s%s\n%d\n", kind, version, h.ledger, h.epoch)
}

// cutHeader parts a file into its header, the header's bytes and the rest. It
// takes one spelling of a header only.
func cutHeader(kind string, file []byte) (h header, head, body []byte, err error) {
	if rest, ok := bytes.CutPrefix(file, []byte(kind+" v")); ok && !bytes.HasPrefix(file, []byte(kind+version)) {
		v, _, _ := bytes.Cut(rest, []byte("\n"))
		if n, err := strconv.ParseUint(string(v), 10, 16); err == nil && n > 1 {
			return header{}, nil, nil, fmt.Errorf("%w: its format is version %d", ErrNewer, n)
		}
	}
	// A file that is no ring's may have no line breaks: look no further than the
	// longest header.
	lines := strings.SplitN(string(file[:min(len(file), 128)]), "\n", 4)
	if len(lines) < 4 {
		return header{}, nil, nil, errors.New("its header is altered")
	}
	h.ledger = lines[1]
	h.epoch, err = strconv.ParseUint(lines[2], 10, 64)
	head = h.encode(kind)
	if err != nil || h.epoch == 0 || !isUUID(h.ledger) || !bytes.HasPrefix(file, head) {
		return header{}, nil, nil, errors.New("its header is altered")
	}
	return h, head, file[len(head):], nil
}

// encodeEpoch is a copy of an epoch key: header, key, and SHA-256 of both.
func encodeEpoch(h header, key *[keySize]byte) []byte {
	file := append(h.encode(epochKind), key[:]...)
	sum := sha256.Sum256(file)
	return append(file, sum[:]...)
}

func decodeEpoch(want header, file []byte) (*[keySize]byte, error) {
	h, head, body, err := cutHeader(epochKind, file)
	if err != nil {
		return nil, err
	}
	if len(body) != keySize+sha256.Size {
		return nil, fmt.Errorf("it has %d bytes instead of %d", len(file), len(head)+keySize+sha256.Size)
	}
	if sum := sha256.Sum256(file[:len(head)+keySize]); !bytes.Equal(sum[:], body[keySize:]) {
		return nil, errors.New("its checksum is wrong")
	}
	if h != want {
		return nil, fmt.Errorf("it is of epoch %d of ledger %s", h.epoch, h.ledger)
	}
	return (*[keySize]byte)(body), nil
}

// encodeRoot seals the shards' entries under the epoch's key, the header being
// associated data.
func encodeRoot(h header, key *[keySize]byte, entries []byte) []byte {
	head := h.encode(rootKind)
	file := make([]byte, len(head)+nonceSize, len(head)+rootSize)
	copy(file, head)
	nonce := file[len(head):]
	rand.Read(nonce)
	return aeadX(key).Seal(file, nonce, entries, head)
}

// decodeRoot opens what encodeRoot sealed. The entries are the caller's to clear.
func decodeRoot(head, body []byte, key *[keySize]byte) ([]byte, error) {
	if len(body) != rootSize {
		return nil, fmt.Errorf("it has %d bytes instead of %d", len(head)+len(body), len(head)+rootSize)
	}
	entries, err := aeadX(key).Open(nil, body[:nonceSize], body[nonceSize:], head)
	if err != nil {
		return nil, errors.New("it is altered, or sealed under another epoch key")
	}
	for i := range shardCount {
		if binary.BigEndian.Uint32(entries[i*entrySize:]) == 0 {
			clear(entries)
			return nil, fmt.Errorf("shard %03x has no generation", i)
		}
	}
	return entries, nil
}

func aeadX(key *[keySize]byte) cipher.AEAD {
	aead, err := chacha20poly1305.NewX(key[:])
	if err != nil {
		panic("vault: " + err.Error()) // only for a wrong length, or in FIPS 140-only mode
	}
	return aead
}

// isUUID: lower case, as the contract writes them, and in no other spelling.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case '0' <= c && c <= '9' || 'a' <= c && c <= 'f':
		default:
			return false
		}
	}
	return true
}
