package vault

import (
	"bytes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/chacha20"
	"golang.org/x/crypto/chacha20poly1305"
)

var (
	// ErrBlind means that there is no key ring to seal with. The caller answers
	// `unavailable`.
	ErrBlind = errors.New("no key ring is open, so nothing personal can be sealed")
	// ErrSealed means that the key is gone, or was never here: what the box holds
	// can't be shown.
	ErrSealed = errors.New("sealed: its key is gone")
	// ErrBox means that a box is not what was sealed for its place: it was altered,
	// or it comes from another place.
	ErrBox = errors.New("the sealed box was altered or moved")
)

// padTo is what a plaintext's length is rounded up to, in bytes.
const padTo = 64

// A Place is where a box lies, and whose text it holds. A box opens in its own
// place only.
type Place struct {
	Subject string // whose key: "client/acme", "party/p-17", "inquiry/i1", "ledger"
	Event   string // the event's id
	Field   string // JSON pointer into the event's data: "/name"
}

// check refuses a place that could be spelled like another one.
func (p Place) check() error {
	if p.Subject == "" || p.Event == "" || strings.Contains(p.Event, "\n") || strings.Contains(p.Field, "\n") {
		return fmt.Errorf("vault: no place for a box: event %q, field %q, subject %q", p.Event, p.Field, p.Subject)
	}
	return nil
}

// Seal makes the box of a plaintext at p, under the present key of p.Subject, and
// says of which generation that is. The box is a nonce, the padded plaintext
// encrypted, and its tag; its length tells the plaintext's within 64 bytes.
// ErrBlind where the ring is blind. Nothing is written.
//
// The boxes of one event have one generation: what erases keys doesn't run while
// an event is being sealed.
func (r *Ring) Seal(p Place, plaintext []byte) (box []byte, gen int, err error) {
	if r.blind() {
		return nil, 0, ErrBlind
	}
	if err := p.check(); err != nil {
		return nil, 0, err
	}
	padded := (len(plaintext)/padTo + 1) * padTo
	box = make([]byte, nonceSize+padded, nonceSize+padded+tagSize)
	nonce, text := box[:nonceSize], box[nonceSize:]
	rand.Read(nonce) // never fails: the program ends instead
	text[copy(text, plaintext)] = 0x80
	aead, gen := r.boxKey(p.Subject, 0, nonce)
	return aead.Seal(nonce, tail(nonce), text, r.associated(p)), gen, nil
}

// Unseal opens a box that lies at p and was sealed under generation gen. ErrSealed
// where the key is gone or the ring is blind, ErrBox where the box is altered or
// not of this place.
func (r *Ring) Unseal(p Place, gen int, box []byte) ([]byte, error) {
	if r.blind() || gen < 1 {
		return nil, ErrSealed
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	if n := len(box) - nonceSize - tagSize; n < padTo || n%padTo != 0 {
		return nil, fmt.Errorf("%w: no box has %d bytes", ErrBox, len(box))
	}
	nonce := box[:nonceSize]
	aead, gen := r.boxKey(p.Subject, gen, nonce)
	if gen == 0 {
		return nil, ErrSealed
	}
	text, err := aead.Open(nil, tail(nonce), box[nonceSize:], r.associated(p))
	if err != nil {
		return nil, ErrBox
	}
	return unpad(text)
}

// unpad takes off a 0x80 and the zeros after it, of which there are at most 63.
func unpad(text []byte) ([]byte, error) {
	t := bytes.TrimRight(text, "\x00")
	if len(t) == 0 || t[len(t)-1] != 0x80 || len(text)%padTo != 0 || len(text)-len(t) >= padTo {
		return nil, fmt.Errorf("%w: its padding is wrong", ErrBox)
	}
	return t[:len(t)-1], nil
}

// associated binds a box to its place: each part on a line of its own, and none
// holds a line break. The subject and its generation are bound by the key.
func (r *Ring) associated(p Place) []byte {
	b := make([]byte, 0, 192)
	b = append(b, "assent box v1\n"...)
	for _, part := range [...]string{r.ledger, p.Event, p.Field} {
		b = append(append(b, part...), '\n')
	}
	return b
}

// xAEAD is XChaCha20-Poly1305 in its two halves: this one takes the key and the
// nonce's first 16 bytes, and tail makes the nonce of the other. So a long-lived
// key is copied nowhere.
func xAEAD(key *[keySize]byte, nonce []byte) cipher.AEAD {
	sub, err := chacha20.HChaCha20(key[:], nonce[:16])
	if err != nil {
		panic("vault: " + err.Error()) // only for a wrong length
	}
	aead, err := chacha20poly1305.New(sub)
	if err != nil {
		panic("vault: " + err.Error()) // only for a wrong length, or FIPS 140-only mode
	}
	return aead
}

// tail is the nonce for xAEAD: four zeros and the last 8 bytes of the long one.
func tail(nonce []byte) []byte {
	return append(make([]byte, 4, chacha20poly1305.NonceSize), nonce[16:nonceSize]...)
}
