package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/nats-io/nkeys"
	"golang.org/x/mod/sumdb/note"

	"github.com/qtccc/assent/domain"
)

// An identity is an actor's name and the key that proves it.
type identity struct {
	actor domain.ID
	key   nkeys.KeyPair
	path  string // of its key file, where that is in the keys directory
}

// A signer is a key pair with its private key at hand: nkeys derives it anew for
// each signature, which takes as long as signing.
type signer struct {
	nkeys.KeyPair
	private ed25519.PrivateKey
}

// Sign signs with Ed25519, as the embedded pair does.
func (s *signer) Sign(b []byte) ([]byte, error) { return ed25519.Sign(s.private, b), nil }

// public is the identity's public key.
func (id *identity) public() (domain.PublicKey, error) {
	k, err := id.key.PublicKey()
	return domain.PublicKey(k), err
}

// errNoIdentity says that there is no key file of that name.
var errNoIdentity = errors.New("there is no key of that name")

func newIdentity(name string, key nkeys.KeyPair) (*identity, error) {
	var actor domain.ID
	if err := actor.UnmarshalText([]byte(name)); err != nil {
		return nil, fmt.Errorf("%q is no actor: %w; name it with --as", name, err)
	}
	return &identity{actor: actor, key: key}, nil
}

// openIdentity reads the key file of a name in the keys directory.
func openIdentity(keys, name string) (*identity, error) {
	var actor domain.ID
	if err := actor.UnmarshalText([]byte(name)); err != nil {
		return nil, fmt.Errorf("%w: %q is no identity: %w", errNoIdentity, name, err)
	}
	path := filepath.Join(keys, "identities", name+".nk")
	key, err := readSeed(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s isn't there; name another with --as, its file with --identity, or the keys directory with --keys",
			errNoIdentity, path)
	}
	if err != nil {
		return nil, err
	}
	return &identity{actor, key, path}, nil
}

// readSeed reads a key file: one NKey user seed, SU….
func readSeed(path string) (nkeys.KeyPair, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	defer clear(b)
	seed := bytes.TrimSpace(b)
	kind, raw, err := nkeys.DecodeSeed(seed)
	if err == nil && kind != nkeys.PrefixByteUser {
		err = errors.New("it is no user's")
	}
	var pair nkeys.KeyPair
	if err == nil {
		pair, err = nkeys.FromSeed(seed)
	}
	if err != nil {
		return nil, fmt.Errorf("%s is no key file of an identity (an NKey user seed, SU…): %w", path, err)
	}
	return &signer{pair, ed25519.NewKeyFromSeed(raw)}, nil
}

// writeSeed makes a new key and writes its file, durably, owner only.
func writeSeed(path string) (nkeys.KeyPair, error) {
	key, err := nkeys.CreateUser()
	if err != nil {
		return nil, err
	}
	seed, err := key.Seed()
	if err != nil {
		return nil, err
	}
	return key, replaceFile(path, append(seed, '\n'), 0o600)
}

// actorOf is the actor that a key file is of, by the file's name.
func actorOf(path string) string {
	return strings.TrimSuffix(filepath.Base(path), ".nk")
}

// verifierOf is the public key of a C2SP signer key, as GenerateKey gives it:
// PRIVATE+KEY+name+hash+base64 of the algorithm and the seed.
func verifierOf(secret string) (string, error) {
	signer, err := note.NewSigner(secret)
	if err != nil {
		return "", errors.New("it is no C2SP signer key")
	}
	parts := strings.SplitN(secret, "+", 5) // the last one may have a + of its own
	seed, err := base64.StdEncoding.DecodeString(parts[len(parts)-1])
	if err != nil || len(seed) != 1+ed25519.SeedSize {
		return "", errors.New("it is no Ed25519 key")
	}
	public := ed25519.NewKeyFromSeed(seed[1:]).Public().(ed25519.PublicKey)
	return note.NewEd25519VerifierKey(signer.Name(), public)
}
