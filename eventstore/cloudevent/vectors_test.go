package cloudevent_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/eventstore/cloudevent"
)

// A vector is an event of testdata/vectors.json, which testdata/vectors.py makes
// without Go.
type vector struct{ Seed, PublicKey, Signed, NATSSubject, Document string }

func vectors(t testing.TB) (events []vector) {
	b, err := os.ReadFile("testdata/vectors.json")
	require.NoError(t, err)
	var v struct {
		Ledger string
		Events []vector
	}
	require.NoError(t, json.Unmarshal(b, &v))
	require.Equal(t, ledger, v.Ledger)
	require.Len(t, v.Events, 3)
	return v.Events
}

// TestVectorsOfEvents: a document, its subject and its signature, made by another
// program, are what this one makes.
func TestVectorsOfEvents(t *testing.T) {
	for _, v := range vectors(t) {
		d, err := cloudevent.Parse([]byte(v.Document))
		require.NoError(t, err)
		again, err := d.Append(nil)
		require.NoError(t, err)
		require.Equal(t, v.Document, string(again))
		require.Equal(t, v.NATSSubject, d.NATSSubject())
		_, err = d.Event()
		require.NoError(t, err)

		seed, err := hex.DecodeString(v.Seed)
		require.NoError(t, err)
		key, err := nkeys.FromRawSeed(nkeys.PrefixByteUser, seed)
		require.NoError(t, err)
		public, err := key.PublicKey()
		require.NoError(t, err)
		require.Equal(t, v.PublicKey, public)
		if d.Connection != "" {
			require.Equal(t, v.PublicKey, string(d.Connection))
			continue
		}
		require.Equal(t, v.Signed, string(d.SignedBytes(nil)))
		require.NoError(t, key.Verify([]byte(v.Signed), d.Signature))
		signature, err := key.Sign(d.SignedBytes(nil))
		require.NoError(t, err)
		require.Equal(t, signature, d.Signature)
	}
}

// TestFormatsNameTheEvents holds docs/formats.md to testdata/vectors.json.
func TestFormatsNameTheEvents(t *testing.T) {
	b, err := os.ReadFile("../../docs/formats.md")
	require.NoError(t, err)
	page := string(b)
	signed := vectors(t)[0]
	require.Contains(t, page, signed.Document)
	require.Contains(t, page, "    "+strings.ReplaceAll(signed.Signed, "\n", "\n    ")+"\n")
	for _, want := range []string{signed.Seed, signed.PublicKey, signed.NATSSubject} {
		require.Contains(t, page, want)
	}
	for _, v := range vectors(t)[1:] {
		require.Contains(t, page, v.Document)
	}
}
