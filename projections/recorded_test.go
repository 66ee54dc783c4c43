package projections

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// documentsOf are the files of a book's documents.
func documentsOf(t *testing.T, b *book) []string {
	paths, err := filepath.Glob(filepath.Join(b.store.dir, "g-*", documentsDir, "*"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	return paths
}

// A page is the same, byte for byte, whether its documents lie beside the models or
// some or all of them are read from the log.
func TestPagesAreTheSameFromTheLog(t *testing.T) {
	b := newBook(t)
	b.given("clerk", "party.register", `{"party":"wu","category":"external","kind":"person","name":"Wu Min"}`)
	b.together(func() {
		for i := range 30 {
			b.given("clerk", "client.register", fmt.Sprintf(`{"client":"client-%d","name":"Client %d","contacts":["wu"]}`, i, i))
			b.given("clerk", "evidence.file", fmt.Sprintf(`{"evidence":"ec-%d","client":"client-%d","kind":"engagement-confirmation","sha256":"%064d","size":3,"mediaType":"application/pdf",
				"signed":true,"stamped":true,"signedOn":"2026-01-01T00:00:00Z","custody":"paper","place":"cabinet %d"}`, i, i, i, i))
			b.given("clerk", "engagement.confirm", fmt.Sprintf(`{"client":"client-%d","engagement":"e1","evidence":"ec-%d","purposes":["service"],
				"designees":[{"designation":"d1","party":"wu","scope":{"all":true}}]}`, i, i))
		}
		for i := range 700 {
			b.given("gateway", "access.request", fmt.Sprintf(`{"client":"client-%d","record":"r1","party":"wu","action":"consult","purpose":"service"}`, i*7%30))
		}
	})
	attempt := ""
	for _, d := range b.documents() {
		if d.Decision != nil {
			attempt = string(d.ID)
		}
	}
	questions := []string{`{"ask":"trail"}`, `{"ask":"trail","client":"client-7"}`, `{"ask":"trail","decision":"denied"}`, `{"ask":"explain","attempt":"` + attempt + `"}`,
		`{"ask":"clients"}`, `{"ask":"evidence"}`, `{"ask":"engagements","client":"client-3"}`, `{"ask":"parties"}`, `{"ask":"events"}`,
		`{"ask":"events","client":"client-9"}`, `{"ask":"events","after":500}`}
	pages := func() (all []string) {
		for _, q := range questions {
			all = append(all, string(b.service.Answer(b.t.Context(), "auditor", b.key("auditor"), []byte(q))))
		}
		return all
	}
	kept := func() (n int) {
		for seq := range b.last {
			m, ok, err := b.store.Document(seq + 1)
			require.NoError(t, err)
			if ok {
				n++
				require.Equal(t, b.raw[seq], m)
			}
		}
		return n
	}
	want := pages()
	for i, p := range want {
		require.True(t, strings.HasPrefix(p, `{"ok":true`), "%s: %s", questions[i], p)
	}
	require.Contains(t, want[4], "Client 7")
	require.Equal(t, int(b.last), kept())

	for _, path := range documentsOf(t, b) { // every fifth kilobyte was never written
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		require.NoError(t, err)
		i, err := f.Stat()
		require.NoError(t, err)
		for at := int64(0); at+1024 < i.Size(); at += 5 * 1024 {
			_, err = f.WriteAt(make([]byte, 1024), at)
			require.NoError(t, err)
		}
		require.NoError(t, f.Close())
	}
	require.Less(t, kept(), int(b.last)*9/10)
	require.Greater(t, kept(), int(b.last)/4)
	require.Equal(t, want, pages())

	for _, path := range documentsOf(t, b) {
		require.NoError(t, os.Truncate(path, 0))
	}
	require.Zero(t, kept())
	require.Equal(t, want, pages())

	require.NoError(t, Rebuild(t.Context(), b.log, b.store, nil))
	require.Equal(t, int(b.last), kept())
	require.Equal(t, want, pages())
}

// What nobody waits for any more is not read.
func TestReadingDocumentsEndsWithItsContext(t *testing.T) {
	b := newBook(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.service.documents(ctx, []uint64{1, 5})
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, b.service.read(ctx, 1, 5, func(message) error { return nil }), context.Canceled)
}

var fromLog = flag.Bool("from-log", false, "BenchmarkDocuments reads from the log")

// BenchmarkDocuments reads a page of 100 documents that lie anywhere in the ledger.
func BenchmarkDocuments(b *testing.B) {
	k := newBook(b)
	k.accesses(*benchEvents)
	k.acked.Store(k.last)
	require.NoError(b, Rebuild(b.Context(), k.log, k.store, nil))
	if *fromLog {
		paths, err := filepath.Glob(filepath.Join(k.store.dir, "g-*", documentsDir, "*"))
		require.NoError(b, err)
		for _, path := range paths {
			require.NoError(b, os.Truncate(path, 0))
		}
	}
	r := rand.New(rand.NewPCG(1, 1))
	b.ResetTimer()
	for range b.N {
		seqs := make([]uint64, 100)
		for i := range seqs {
			seqs[i] = 1 + r.Uint64N(k.last)
		}
		docs, err := k.service.documents(b.Context(), seqs)
		require.NoError(b, err)
		require.LessOrEqual(b, len(docs), 100)
	}
	b.ReportMetric(resident()/(1<<20), "MB-resident")
}

// resident is this process's memory in bytes; 0 where the system doesn't tell.
func resident() float64 {
	b, _ := os.ReadFile("/proc/self/statm")
	var all, pages float64
	fmt.Sscan(string(b), &all, &pages)
	return pages * float64(os.Getpagesize())
}
