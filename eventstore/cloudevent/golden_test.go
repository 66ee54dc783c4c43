package cloudevent_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore/cloudevent"
)

var write = flag.Bool("write", false, "write the golden documents that aren't there yet; none is ever edited")

// TestGoldenDocumentsAreWrittenAgain: every document that was ever written is read,
// and comes out byte for byte as it went in.
func TestGoldenDocumentsAreWrittenAgain(t *testing.T) {
	if *write {
		writeGolden(t)
	}
	seen := map[string]bool{}
	for file, b := range golden(t) {
		d, err := cloudevent.Parse(b)
		require.NoError(t, err, file)
		again, err := d.Append([]byte("before"))
		require.NoError(t, err, file)
		require.Equal(t, "before"+string(b), string(again), file)
		e, err := d.Event()
		require.NoError(t, err, file)
		require.NotNil(t, e.Data)
		seen[d.Type] = true
	}
	for _, row := range domain.Catalogue {
		for _, eventType := range row.Events {
			require.True(t, seen[eventType], "no golden document of %s", eventType)
		}
	}
	require.True(t, seen[domain.CommandRefused])
}

// TestSamplesAreTheGoldenDocuments: this program writes today what it once wrote.
func TestSamplesAreTheGoldenDocuments(t *testing.T) {
	files := golden(t)
	for _, s := range samples(t) {
		b, err := s.document(t).Append(nil)
		require.NoError(t, err, "line %d", s.n)
		require.Equal(t, string(files[s.file()]), string(b), s.file())
	}
}

// TestSamplesGiveEveryField: every field of every row stands in a golden document.
func TestSamplesGiveEveryField(t *testing.T) {
	given := map[string]bool{}
	for _, s := range samples(t) {
		givenIn(given, s.Name, s.Data)
	}
	for _, row := range domain.Catalogue {
		requireGiven(t, given, row.Command, cloudevent.Fields(&row))
	}
}

func givenIn(given map[string]bool, at string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			givenIn(given, at+"/"+name, inner)
		}
	case []any:
		for _, inner := range v {
			givenIn(given, at, inner)
		}
	}
	given[at] = true
}

func requireGiven(t *testing.T, given map[string]bool, at string, fields []cloudevent.Field) {
	for _, f := range fields {
		if strings.Contains(at, "/scope") || f.Name == "scope" {
			continue // one of three, and each is somewhere
		}
		require.True(t, given[at+"/"+f.Name], "no golden document gives %s/%s", at, f.Name)
		requireGiven(t, given, at+"/"+f.Name, f.Fields)
	}
}

func golden(t testing.TB) map[string][]byte {
	names, err := filepath.Glob("testdata/golden/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, names)
	files := map[string][]byte{}
	for _, name := range names {
		files[name], err = os.ReadFile(name)
		require.NoError(t, err)
	}
	return files
}

func writeGolden(t *testing.T) {
	require.NoError(t, os.MkdirAll("testdata/golden", 0o755))
	var made []string
	for _, s := range samples(t) {
		require.False(t, slices.Contains(made, s.file()), "two samples of %s", s.file())
		made = append(made, s.file())
		b, err := s.document(t).Append(nil)
		require.NoError(t, err, "line %d", s.n)
		f, err := os.OpenFile(s.file(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if os.IsExist(err) {
			continue
		}
		require.NoError(t, err)
		_, err = f.Write(b)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
}
