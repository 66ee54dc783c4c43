package notary

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"
)

// FuzzParseProof: what is read is written the same, and nothing panics.
func FuzzParseProof(f *testing.F) {
	checkpoint := []byte("o\n1\n" + tlog.Hash{}.String() + "\n\n— o AAAAAAA=\n")
	f.Add((&Proof{Index: 7, Extra: []byte("x"), Hashes: make([]tlog.Hash, 3), Checkpoint: checkpoint}).Marshal())
	f.Add((&Proof{Checkpoint: checkpoint}).Marshal())
	f.Add((&Proof{Extra: []byte{}, Hashes: make([]tlog.Hash, mostHashes+1), Checkpoint: checkpoint}).Marshal())
	f.Add([]byte(proofHeader + "\nindex 01\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseProof(b)
		if err != nil {
			require.ErrorIs(t, err, ErrProof)
			return
		}
		require.Equal(t, string(b), string(p.Marshal()))
		require.LessOrEqual(t, len(p.Hashes), mostHashes)
	})
}

// FuzzParseCheckpoint: one spelling, with or without further lines.
func FuzzParseCheckpoint(f *testing.F) {
	f.Add("o\n0\n" + tlog.Hash{}.String() + "\n")
	f.Add("o\n12\n" + tlog.Hash{1}.String() + "\nmore\nand more\n")
	f.Add("o\n012\n" + tlog.Hash{}.String() + "\n")
	f.Add("\n\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseExtended(text)
		if err != nil {
			require.ErrorIs(t, err, ErrCheckpoint)
		} else {
			require.Equal(t, c.String(), text[:len(c.String())])
		}
		if c, err := parseCheckpoint(text); err == nil {
			require.Equal(t, text, c.String())
		}
	})
}

// FuzzEntries: what is yielded makes the bundle again, and the rest is an error.
func FuzzEntries(f *testing.F) {
	f.Add([]byte{0, 1, 'a', 0, 0})
	f.Add([]byte{0, 1})
	f.Add([]byte{0xff, 0xff, 'a'})
	f.Fuzz(func(t *testing.T, bundle []byte) {
		var again []byte
		for m, err := range Entries(bundle) {
			if err != nil {
				require.ErrorIs(t, err, ErrBundle)
				require.True(t, bytes.HasPrefix(bundle, again))
				require.Less(t, len(again), len(bundle))
				return
			}
			again, err = appendEntry(again, m)
			require.NoError(t, err)
		}
		require.True(t, bytes.Equal(bundle, again))
	})
}

// FuzzParseSubmission: what a witness is sent is read in one spelling.
func FuzzParseSubmission(f *testing.F) {
	f.Add([]byte("old 0\n\no\n"))
	f.Add([]byte("old 5\n" + tlog.Hash{}.String() + "\n\no\n"))
	f.Add([]byte("old 05\n\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		old, proof, signed, err := parseSubmission(body)
		if err != nil {
			return
		}
		require.LessOrEqual(t, len(proof), mostHashes)
		require.Equal(t, string(body), string(submission(old, proof, signed)))
	})
}
