package cloudevent_test

import (
	"bytes"
	"cmp"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore/cloudevent"
)

const ledger = "0191e7a4-7c1b-7d6e-9f00-3a5b8c2d1e4f"

// A sample is a line of testdata/commands.jsonl: a command in plain words, and
// what became of it. Its sequence is its line, so lines are only added at the end.
type sample struct {
	As, Subject, Name, Shape string
	Seals                    string // where it isn't the subject
	Data                     map[string]any
	Decision                 *domain.Decision
	Refusal                  *domain.Refusal
	Observed                 struct {
		Blank   []string
		Content *bool
		Clock   time.Time
	}
	Connection bool
	n          uint64 // the line, from 1
}

func samples(t testing.TB) []*sample {
	f, err := os.ReadFile("testdata/commands.jsonl")
	require.NoError(t, err)
	var all []*sample
	for line := range bytes.Lines(f) {
		s := &sample{n: uint64(len(all) + 1)}
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		d.UseNumber()
		require.NoError(t, d.Decode(s), "line %d", s.n)
		all = append(all, s)
	}
	require.NotEmpty(t, all)
	return all
}

// file is the name of the sample's golden document.
func (s *sample) file() string {
	name := s.eventType()
	if s.Refusal != nil {
		name += "-" + s.Name
	}
	if s.Shape != "" {
		name += "-" + s.Shape
	}
	return "testdata/golden/" + name + ".json"
}

func (s *sample) eventType() string {
	row, _ := domain.Find(s.Name)
	switch {
	case s.Refusal != nil:
		return domain.CommandRefused
	case s.Decision != nil:
		return "access." + s.Decision.Decision
	}
	return row.Events[0]
}

// document is the sample as the ledger would record it, in a ring whose shards
// have the secrets of vault's vectors; every byte of it is determined.
func (s *sample) document(t testing.TB) *cloudevent.Document {
	d := &cloudevent.Document{
		Ledger: ledger, ID: domain.UUID(fmt.Sprintf("0191e7a4-8000-7000-8000-%012x", s.n)),
		Type: s.eventType(), Subject: subject(s.Subject),
		Time: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC).Add(time.Duration(s.n) * 250 * time.Millisecond),
		Seq:  s.n, Actor: domain.ID(s.As), Command: domain.UUID(fmt.Sprintf("0191e7a4-9000-7000-8000-%012x", s.n)),
		Rules: 1, Name: s.Name, Issued: "2026-03-01T17:00:00.000+08:00",
		Refusal: s.Refusal, Observed: domain.Observed(s.Observed),
	}
	if s.Decision != nil {
		s.Decision.Attempt = d.ID
		d.Decision = s.Decision
	}
	row, ok := domain.Find(s.Name)
	require.True(t, ok, s.Name)
	for _, f := range cloudevent.Fields(row) {
		value, given := s.Data[f.Name].(string)
		if f.Kind != cloudevent.KindText || !given {
			continue
		}
		salt := sha256.Sum256(fmt.Appendf(nil, "assent test salt of %s %d", f.Name, s.n))
		opening := append(salt[:], value...)
		sum := sha256.Sum256(opening)
		s.Data[f.Name] = "sha256:" + hex.EncodeToString(sum[:])
		if s.Refusal == nil {
			if d.Sealed == nil {
				d.Sealed = &cloudevent.Sealed{Of: cmp.Or(s.Seals, s.Subject), Gen: 1}
			}
			d.Sealed.Boxes = append(d.Sealed.Boxes, cloudevent.Box{
				Field: "/" + f.Name, Box: seal(t, d.Sealed.Of, string(d.ID), "/"+f.Name, opening)})
		}
	}
	if d.Sealed != nil {
		slices.SortFunc(d.Sealed.Boxes, func(a, b cloudevent.Box) int { return strings.Compare(a.Field, b.Field) })
	}
	d.Data = canonical(t, s.Data)
	if s.Connection {
		d.Connection = domain.PublicKey(publicKey(t, s.As))
		return d
	}
	var err error
	d.Signature, err = key(t, s.As).Sign(d.SignedBytes(nil))
	require.NoError(t, err)
	return d
}

// canonical writes data as RFC 8785 has it, for data as simple as ours.
func canonical(t testing.TB, data map[string]any) []byte {
	withKeys(t, data)
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	require.NoError(t, e.Encode(data))
	return bytes.TrimSpace(b.Bytes())
}

// withKeys puts public keys in the place of "KEY OF somebody".
func withKeys(t testing.TB, data map[string]any) {
	for name, v := range data {
		switch v := v.(type) {
		case string:
			if who, ok := strings.CutPrefix(v, "KEY OF "); ok {
				data[name] = publicKey(t, who)
			}
		case map[string]any:
			withKeys(t, v)
		}
	}
}

func subject(s string) domain.Subject {
	kind, id, _ := strings.Cut(s, "/")
	switch kind {
	case "client":
		return domain.Subject{Client: domain.ID(id)}
	case "party":
		return domain.Subject{Party: domain.ID(id)}
	}
	return domain.Subject{}
}

// key is the NKey of the actor in every test and vector.
func key(t testing.TB, who string) nkeys.KeyPair {
	seed := sha256.Sum256([]byte("assent test seed of " + who))
	k, err := nkeys.FromRawSeed(nkeys.PrefixByteUser, seed[:])
	require.NoError(t, err)
	return k
}

func publicKey(t testing.TB, who string) string {
	k, err := key(t, who).PublicKey()
	require.NoError(t, err)
	return k
}

// seal makes a box as docs/formats.md has it, its nonce determined too.
func seal(t testing.TB, of, event, field string, opening []byte) []byte {
	nonce := sha256.Sum256([]byte("assent test nonce of " + event + field))
	text := append(bytes.Clone(opening), 0x80)
	text = append(text, make([]byte, (64-len(text)%64)%64)...)
	aead, associated := boxCipher(t, of, event, field)
	return aead.Seal(bytes.Clone(nonce[:24]), nonce[:24], text, associated)
}

// boxCipher is what seals and opens a box, in a ring whose shards have the secrets
// of vault's vectors.
func boxCipher(t testing.TB, of, event, field string) (aead cipher.AEAD, associated []byte) {
	shard := sha256.Sum256([]byte(of))
	secret := sha256.Sum256(fmt.Appendf(nil, "assent test shard %03x", binary.BigEndian.Uint16(shard[:])/16))
	k, err := hkdf.Key(sha256.New, secret[:], nil, "assent subject key v1\n"+ledger+"\n1\n"+of, 32)
	require.NoError(t, err)
	aead, err = chacha20poly1305.NewX(k)
	require.NoError(t, err)
	return aead, []byte("assent box v1\n" + ledger + "\n" + event + "\n" + field + "\n")
}
