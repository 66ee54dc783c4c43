package notary

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
)

// A cosignature says that at a time a witness knew of no larger tree of a log than the
// one whose checkpoint it signed, and that this one goes on from all that it cosigned
// before (C2SP tlog-cosignature, cosignature/v1 with Ed25519).

// cosignatureType is the byte that tells these signatures from others (C2SP
// signed-note).
const cosignatureType = 0x04

// A Cosigner signs checkpoints as a witness.
type Cosigner struct {
	name   string
	secret ed25519.PrivateKey
}

// ErrKey says that a text is no key of a witness.
var ErrKey = errors.New("notary: not a key of a witness")

// GenerateCosigner makes a witness' keys: secret is what NewCosigner takes, public what
// NewCosignatureVerifier does (C2SP signed-note, a vkey). Name says who it is: a URL
// without its scheme, best.
func GenerateCosigner(name string) (secret, public string, err error) {
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return "", "", err
	}
	if !keyName(name) {
		return "", "", fmt.Errorf("%w: %q can't be its name", ErrKey, name)
	}
	return "PRIVATE+KEY+" + keyText(name, pub, key.Seed()), keyText(name, pub, pub), nil
}

// NewCosigner reads a witness' secret key. The error is an ErrKey, and never says what
// was in the text.
func NewCosigner(secret string) (*Cosigner, error) {
	rest, ok := strings.CutPrefix(secret, "PRIVATE+KEY+")
	name, hash, seed, err := parseKey(rest)
	if !ok || err != nil {
		return nil, fmt.Errorf("%w: it is no secret one", ErrKey)
	}
	key := ed25519.NewKeyFromSeed(seed)
	if hash != keyID(name, key.Public().(ed25519.PublicKey)) {
		return nil, fmt.Errorf("%w: it isn't whole", ErrKey)
	}
	return &Cosigner{name, key}, nil
}

// Verifier is the public key.
func (c *Cosigner) Verifier() note.Verifier {
	return &cosignatureVerifier{c.name, c.secret.Public().(ed25519.PublicKey)}
}

// Public is the public key as text, the vkey that NewCosignatureVerifier takes.
func (c *Cosigner) Public() string {
	pub := c.secret.Public().(ed25519.PublicKey)
	return keyText(c.name, pub, pub)
}

// cosign is the signature line of a checkpoint's text at a time.
func (c *Cosigner) cosign(text string, at time.Time) []byte {
	seconds := uint64(max(at.Unix(), 0))
	raw := binary.BigEndian.AppendUint32(nil, keyID(c.name, c.secret.Public().(ed25519.PublicKey)))
	raw = binary.BigEndian.AppendUint64(raw, seconds)
	raw = append(raw, ed25519.Sign(c.secret, cosigned([]byte(text), seconds))...)
	return signatureLine(note.Signature{Name: c.name, Base64: base64.StdEncoding.EncodeToString(raw)})
}

// cosigned is what a cosignature signs.
func cosigned(text []byte, seconds uint64) []byte {
	return append(fmt.Appendf(nil, "cosignature/v1\ntime %d\n", seconds), text...)
}

// NewCosignatureVerifier reads a witness' public key, the vkey of a cosignature/v1.
// The error is an ErrKey.
func NewCosignatureVerifier(public string) (note.Verifier, error) {
	name, hash, key, err := parseKey(public)
	if err != nil {
		return nil, err
	}
	if hash != keyID(name, key) {
		return nil, fmt.Errorf("%w: %q isn't whole", ErrKey, public)
	}
	return &cosignatureVerifier{name, key}, nil
}

type cosignatureVerifier struct {
	name string
	key  ed25519.PublicKey
}

func (v *cosignatureVerifier) Name() string    { return v.name }
func (v *cosignatureVerifier) KeyHash() uint32 { return keyID(v.name, v.key) }

func (v *cosignatureVerifier) Verify(text, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	seconds := binary.BigEndian.Uint64(sig)
	return seconds <= math.MaxInt64 && ed25519.Verify(v.key, cosigned(text, seconds), sig[8:])
}

// keyID names a key beside its name.
func keyID(name string, public ed25519.PublicKey) uint32 {
	sum := sha256.Sum256(append([]byte(name+"\n"), append([]byte{cosignatureType}, public...)...))
	return binary.BigEndian.Uint32(sum[:])
}

func keyText(name string, public ed25519.PublicKey, key []byte) string {
	return fmt.Sprintf("%s+%08x+%s", name, keyID(name, public), base64.StdEncoding.EncodeToString(append([]byte{cosignatureType}, key...)))
}

// parseKey takes name+id+base64, in one spelling.
func parseKey(text string) (name string, id uint32, key []byte, err error) {
	parts := strings.Split(text, "+")
	if len(parts) < 3 || !keyName(parts[0]) {
		return "", 0, nil, fmt.Errorf("%w: it is no name+id+base64", ErrKey)
	}
	hash, err := strconv.ParseUint(parts[1], 16, 32)
	// Base64 has a + of its own.
	key, err64 := base64.StdEncoding.Strict().DecodeString(strings.Join(parts[2:], "+"))
	if err != nil || err64 != nil || parts[1] != fmt.Sprintf("%08x", hash) || len(key) != 1+ed25519.PublicKeySize {
		return "", 0, nil, fmt.Errorf("%w: it is no name+id+base64", ErrKey)
	}
	if key[0] != cosignatureType {
		return "", 0, nil, fmt.Errorf("%w: it is of type %#02x, and not of cosignature/v1", ErrKey, key[0])
	}
	return parts[0], uint32(hash), key[1:], nil
}

// keyName says whether a key may have the name.
func keyName(name string) bool {
	return name != "" && utf8.ValidString(name) && !strings.ContainsRune(name, '+') && strings.IndexFunc(name, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}) < 0
}

// signatureLine is how a note has a signature.
func signatureLine(s note.Signature) []byte { return []byte("— " + s.Name + " " + s.Base64 + "\n") }
