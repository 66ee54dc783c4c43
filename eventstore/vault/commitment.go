package vault

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"unicode/utf8"
)

// SaltSize is the length of a commitment's salt in bytes.
const SaltSize = 32

// Commit is what stands in an event for personal text (contract, 7):
// "sha256:" and, in lower-case hex, SHA-256 of the salt and the value's bytes.
func Commit(salt [SaltSize]byte, value string) string {
	b := make([]byte, 0, 256) // on the stack; longer values move to the heap
	b = append(b, salt[:]...)
	b = append(b, value...)
	sum := sha256.Sum256(b)
	text := make([]byte, 0, len("sha256:")+2*len(sum))
	return string(hex.AppendEncode(append(text, "sha256:"...), sum[:]))
}

// An Opening shows what a commitment was made of. It is personal data: it lies
// sealed, and what prints it shows its commitment alone.
type Opening struct {
	Salt  [SaltSize]byte
	Value string // UTF-8
}

// NewOpening commits to value under a salt that nobody can guess.
func NewOpening(value string) Opening {
	o := Opening{Value: value}
	rand.Read(o.Salt[:]) // never fails: the program ends instead
	return o
}

// Commitment is what the opening opens.
func (o Opening) Commitment() string { return Commit(o.Salt, o.Value) }

// Opens says whether this is what the commitment was made of.
func (o Opening) Opens(commitment string) bool { return o.Commitment() == commitment }

// String keeps salt and value out of messages.
func (o Opening) String() string { return "opening of " + o.Commitment() }

// GoString is as String.
func (o Opening) GoString() string { return o.String() }

// Encode is the opening as it lies in a box: the salt, then the value's bytes.
func (o Opening) Encode() []byte {
	return append(append(make([]byte, 0, SaltSize+len(o.Value)), o.Salt[:]...), o.Value...)
}

// DecodeOpening reads what Encode wrote. It refuses what is shorter than a salt
// and a value that isn't UTF-8.
func DecodeOpening(b []byte) (Opening, error) {
	if len(b) < SaltSize {
		return Opening{}, fmt.Errorf("an opening has at least %d bytes, not %d", SaltSize, len(b))
	}
	if !utf8.Valid(b[SaltSize:]) {
		return Opening{}, errors.New("the value of an opening is UTF-8")
	}
	return Opening{Salt: [SaltSize]byte(b), Value: string(b[SaltSize:])}, nil
}
