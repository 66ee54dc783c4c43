package vault_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/qtccc/assent/eventstore/vault"
)

// This file reads and writes the formats of docs/formats.md by hand. From vault it
// takes nothing but the two ends that are held against testdata/vectors.json,
// which testdata/vectors.py makes without Go.

type vectors struct {
	Ledger      string
	Commitments []struct{ Salt, Value, Commitment, Opening string }
	Keys        []struct {
		Subject, Shard, Secret, Key string
		Gen                         int
	}
	Boxes []struct {
		Subject, Event, Field, Plaintext, Padded, Nonce, Associated, Box string
		Gen                                                              int
	}
	Ring struct{ EpochKey, RootNonce, EpochSHA256, RootSHA256 string }
}

func readVectors(t testing.TB) (v vectors) {
	b, err := os.ReadFile("testdata/vectors.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &v))
	require.NotEmpty(t, v.Boxes)
	return v
}

// TestVectorsOfCommitments: contract, 7.
func TestVectorsOfCommitments(t *testing.T) {
	for _, c := range readVectors(t).Commitments {
		salt, err := base64.StdEncoding.DecodeString(c.Salt)
		require.NoError(t, err)
		sum := sha256.Sum256(append(bytes.Clone(salt), c.Value...))
		require.Equal(t, "sha256:"+hex.EncodeToString(sum[:]), c.Commitment)
		require.Equal(t, hex.EncodeToString(append(salt, c.Value...)), c.Opening)

		require.Equal(t, c.Commitment, vault.Commit([32]byte(salt), c.Value))
		o, err := vault.DecodeOpening(unhex(t, c.Opening))
		require.NoError(t, err)
		require.Equal(t, vault.Opening{Salt: [32]byte(salt), Value: c.Value}, o)
		require.True(t, o.Opens(c.Commitment))
		require.Equal(t, c.Opening, hex.EncodeToString(o.Encode()))
	}
}

func TestVectorsOfKeyDerivation(t *testing.T) {
	v := readVectors(t)
	for _, k := range v.Keys {
		require.Equal(t, k.Shard, fmt.Sprintf("%03x", shardOf(k.Subject)))
		require.Equal(t, k.Secret, hex.EncodeToString(secretOf(shardOf(k.Subject))))
		require.Equal(t, k.Key, hex.EncodeToString(keyOf(unhex(t, k.Secret), v.Ledger, k.Gen, k.Subject)))
	}
}

// TestVectorsOpen: a ring and boxes that were written by hand open.
func TestVectorsOpen(t *testing.T) {
	v := readVectors(t)
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "ring"), 0o700))

	epoch := append([]byte("assent epoch key v1\n"+v.Ledger+"\n1\n"), unhex(t, v.Ring.EpochKey)...)
	sum := sha256.Sum256(epoch)
	epoch = append(epoch, sum[:]...)
	require.Equal(t, v.Ring.EpochSHA256, digest(epoch))

	var entries []byte
	for i := range 4096 {
		entries = binary.BigEndian.AppendUint32(entries, 1)
		entries = append(entries, secretOf(i)...)
	}
	head := []byte("assent ring v1\n" + v.Ledger + "\n1\n")
	aead, err := chacha20poly1305.NewX(unhex(t, v.Ring.EpochKey))
	require.NoError(t, err)
	nonce := unhex(t, v.Ring.RootNonce)
	root := append(append(bytes.Clone(head), nonce...), aead.Seal(nil, nonce, entries, head)...)
	require.Equal(t, v.Ring.RootSHA256, digest(root))

	for name, b := range map[string][]byte{"root": root, "epoch-1.a": epoch, "epoch-1.b": epoch} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "ring", name), b, 0o600))
	}
	ring, err := vault.Open(dir, v.Ledger)
	require.NoError(t, err)
	for _, b := range v.Boxes {
		box, err := base64.StdEncoding.DecodeString(b.Box)
		require.NoError(t, err)
		require.Equal(t, b.Nonce, hex.EncodeToString(box[:24]))
		got, err := ring.Unseal(vault.Place{Subject: b.Subject, Event: b.Event, Field: b.Field}, b.Gen, box)
		require.NoError(t, err)
		require.Equal(t, b.Plaintext, hex.EncodeToString(got))
	}
}

// TestRingAndBoxesReadByHand: what Create and Seal write is what the formats say.
func TestRingAndBoxesReadByHand(t *testing.T) {
	v := readVectors(t)
	dir := t.TempDir()
	require.NoError(t, vault.Create(dir, v.Ledger))
	ring, err := vault.Open(dir, v.Ledger)
	require.NoError(t, err)

	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, "ring", name))
		require.NoError(t, err)
		return b
	}
	epoch := read("epoch-1.a")
	require.Equal(t, epoch, read("epoch-1.b"))
	key, ok := bytes.CutPrefix(epoch, []byte("assent epoch key v1\n"+v.Ledger+"\n1\n"))
	require.True(t, ok)
	require.Len(t, key, 64)
	require.Equal(t, digest(epoch[:len(epoch)-32]), hex.EncodeToString(key[32:]))

	head := "assent ring v1\n" + v.Ledger + "\n1\n"
	body, ok := bytes.CutPrefix(read("root"), []byte(head))
	require.True(t, ok)
	aead, err := chacha20poly1305.NewX(key[:32])
	require.NoError(t, err)
	entries, err := aead.Open(nil, body[:24], body[24:], []byte(head))
	require.NoError(t, err)
	require.Len(t, entries, 4096*36)

	for _, b := range v.Boxes {
		box, gen, err := ring.Seal(vault.Place{Subject: b.Subject, Event: b.Event, Field: b.Field}, unhex(t, b.Plaintext))
		require.NoError(t, err)
		require.Equal(t, 1, gen)
		entry := entries[36*shardOf(b.Subject):][:36]
		require.Equal(t, uint32(gen), binary.BigEndian.Uint32(entry))
		aead, err := chacha20poly1305.NewX(keyOf(entry[4:], v.Ledger, gen, b.Subject))
		require.NoError(t, err)
		require.Equal(t, "assent box v1\n"+v.Ledger+"\n"+b.Event+"\n"+b.Field+"\n", b.Associated)
		padded, err := aead.Open(nil, box[:24], box[24:], []byte(b.Associated))
		require.NoError(t, err)
		require.Equal(t, b.Padded, hex.EncodeToString(padded))
	}
}

// TestFormatsNameTheVectors holds docs/formats.md to testdata/vectors.json.
func TestFormatsNameTheVectors(t *testing.T) {
	doc, err := os.ReadFile("../../docs/formats.md")
	require.NoError(t, err)
	v := readVectors(t)
	for _, want := range []string{
		v.Ledger, v.Commitments[1].Salt, v.Commitments[1].Value, v.Commitments[1].Commitment,
		v.Keys[0].Subject, v.Keys[0].Shard, v.Keys[0].Secret, v.Keys[0].Key,
		v.Boxes[4].Nonce, v.Boxes[4].Padded, v.Boxes[4].Box, v.Boxes[4].Field, v.Boxes[4].Event,
		v.Ring.EpochKey, v.Ring.RootNonce, v.Ring.EpochSHA256, v.Ring.RootSHA256,
	} {
		require.Contains(t, string(doc), want)
	}
}

// keyOf is HKDF-SHA256 (RFC 5869) in its two steps, without salt, one block long.
func keyOf(secret []byte, ledger string, gen int, subject string) []byte {
	extract := hmac.New(sha256.New, make([]byte, 32))
	extract.Write(secret)
	expand := hmac.New(sha256.New, extract.Sum(nil))
	fmt.Fprintf(expand, "assent subject key v1\n%s\n%d\n%s\x01", ledger, gen, subject)
	return expand.Sum(nil)
}

func shardOf(subject string) int {
	sum := sha256.Sum256([]byte(subject))
	return int(binary.BigEndian.Uint16(sum[:]) / 16)
}

// secretOf is the secret that a shard has in the vectors' ring.
func secretOf(shard int) []byte {
	sum := sha256.Sum256(fmt.Appendf(nil, "assent test shard %03x", shard))
	return sum[:]
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func unhex(t testing.TB, s string) []byte {
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}
