package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var flips = flag.Int("flips", 13, "how many bits TestFlips flips, one at a time, in one kind of file after the other")

// A fileKind is a kind of file that a ledger consists of, and what becomes of a flip in
// it. Those that repair can mend are mended by it; of others the test puts the file
// back.
type fileKind struct {
	name    string
	mended  bool
	has     func(path string) bool // below the ledger's directory, or its keys'
	flipped int
	refused int // the service did not start, and said why
	made    int // it started, and gave every answer as before; the file was written anew without the flip
	asleep  int // it started, gave every answer as before, and verify or repair finds it
	unused  int // as before, the flip is still there, and no answer was given from it
}

func parts() []*fileKind {
	suffix := func(in, suffix string) func(string) bool {
		return func(p string) bool { return strings.HasPrefix(p, in) && strings.HasSuffix(p, suffix) }
	}
	return []*fileKind{
		{name: "blocks of the stream", mended: true, has: suffix("nats/", ".blk")},
		{name: "index of the stream", mended: true, has: suffix("nats/", "index.db")},
		{name: "meta files of the stream", mended: true, has: func(p string) bool {
			return strings.HasPrefix(p, "nats/") && !strings.Contains(p, "/obs/") && strings.Contains(filepath.Base(p), "meta.")
		}},
		{name: "durables of subscribers", mended: true, has: func(p string) bool {
			return strings.HasPrefix(p, "nats/") && strings.Contains(p, "/obs/") || p == "places.json"
		}},
		{name: "tables of the read models", mended: true, has: suffix("models/", ".sst")},
		{name: "logs of the read models", mended: true, has: suffix("models/", ".log")},
		{name: "manifests of the read models", mended: true, has: func(p string) bool {
			return strings.HasPrefix(p, "models/") && strings.Contains(filepath.Base(p), "MANIFEST")
		}},
		{name: "documents of the read models", mended: true, has: func(p string) bool {
			return strings.HasPrefix(p, "models/") && strings.Contains(p, "documents")
		}},
		{name: "checkpoint", mended: true, has: func(p string) bool { return p == "notary/checkpoint" }},
		{name: "tiles of the archive", mended: true, has: func(p string) bool {
			return strings.HasPrefix(p, "archive/tile/") && !strings.HasPrefix(p, "archive/tile/entries/")
		}},
		{name: "bundles of the archive", mended: true, has: suffix("archive/tile/entries/", "")},
		{name: "key ring", has: suffix("keys/ring/", "")},
		{name: "key of the log", has: func(p string) bool { return p == "keys/log.key" }},
	}
}

// TestFlips: one bit of a ledger that was stopped is flipped, in each kind of file.
// The service either refuses to start, or every answer is as it was before; and what
// it refuses `assent repair` mends, to the same root and the same bytes
// (trials R12 and R14).
func TestFlips(t *testing.T) {
	golden := goldenLedger(t)
	want := golden.answers(t)
	require.NoError(t, golden.signal(syscall.SIGTERM))
	root := rootOf(t, golden.data)
	files := slices.DeleteFunc(golden.files(t), func(f string) bool { return superseded(f, sizeOf(t, root)) })
	all := parts()
	seed := rand.Uint64()
	chance := rand.New(rand.NewPCG(seed, 1))
	for i := range *flips {
		p := all[i%len(all)]
		candidates := slices.DeleteFunc(slices.Clone(files), func(f string) bool { return !p.has(f) })
		require.NotEmpty(t, candidates, "a ledger has no %s", p.name)
		name := candidates[chance.IntN(len(candidates))]
		t.Run(fmt.Sprintf("%d %s", i, name), func(t *testing.T) {
			l := golden.copy(t)
			at, flipped := l.flip(t, name, chance)
			t.Logf("seed %d, byte %d", seed, at)
			p.flipped++
			said, started := l.tryStart(t)
			if started {
				got, ended, err := l.tryAnswers()
				switch {
				case err != nil && ended: // a read or the scrub came upon it
					said, started = l.stderr.String(), false
				case err != nil: // read models that can't be read answer nothing, and are made anew
					require.Contains(t, err.Error(), "unavailable")
					require.NoError(t, l.signal(syscall.SIGTERM))
					_, again := l.tryStart(t)
					require.True(t, again, "it starts again, and makes them anew")
					got, _, err = l.tryAnswers()
					require.NoError(t, err)
				}
				if !started {
					goto refused
				}
				if p.name == "key ring" && !maps.Equal(want, got) {
					// What is personal is shown sealed, and it is said why.
					out, err := l.run("status", "--as", "auditor", "--json", "--data", l.data)
					require.NoError(t, err, out)
					require.Contains(t, out, "the key ring is missing or damaged")
					require.NoError(t, l.signal(syscall.SIGTERM))
					said = out
					goto refused
				}
				if !maps.Equal(want, got) {
					t.Fatal("a flipped bit made another answer")
				}
				if err := l.signal(syscall.SIGTERM); err != nil { // the scrub came upon it meanwhile
					said = l.stderr.String() + err.Error()
					goto refused
				}
				switch {
				case !l.has(name, flipped):
					p.made++
				case l.found(t):
					p.asleep++
				default:
					// Each record of them has a checksum, and counts as missing where that doesn't
					// fit: what is read instead is the stream.
					require.Regexp(t, `^(tables|documents) of the read models$`, p.name, "nobody noticed a flip in %s, byte %d", name, at)
					p.unused++
				}
				return
			}
		refused:
			p.refused++
			require.Regexp(t, `event \d+|`+regexpOf(filepath.Base(name))+`|stream|archive|checkpoint|log\.key|key`, said, "it says where")
			if !p.mended {
				l.restore(t, golden, name)
			} else if out, err := l.run("repair", "--data", l.data); err != nil {
				t.Fatalf("repair: %v: %s", err, out)
			}
			_, started = l.tryStart(t)
			require.True(t, started, "it starts again once it is mended")
			require.Equal(t, want, l.answers(t))
			require.NoError(t, l.signal(syscall.SIGTERM))
			require.Equal(t, root, rootOf(t, l.data))
		})
	}
	for _, p := range all {
		t.Logf("%-30s %3d flipped: %3d refused, %3d as before and made anew, %3d as before and found by verify, %3d as before, and not used",
			p.name, p.flipped, p.refused, p.made, p.asleep, p.unused)
	}
}

// goldenLedger is a ledger in which enough happened for tables, blocks and full
// bundles to be there.
func goldenLedger(t *testing.T) *running {
	r := serveFresh(t)
	var in bytes.Buffer
	for i := range 600 {
		fmt.Fprintf(&in, `{"as":"clerk","name":"party.register","data":{"party":"p%d","category":"external","kind":"person","name":"Person %d"}}`+"\n", i, i)
	}
	fmt.Fprintln(&in, `{"as":"clerk","name":"client.register","data":{"client":"acme","name":"Acme","contacts":["p1","p2"]}}`)
	var out bytes.Buffer
	require.NoError(t, r.app(t, "", in.String(), &out).applyAll(t))
	require.NoError(t, r.signal(syscall.SIGTERM)) // the read models' tables are written
	r.start(t)
	for i := range 20 {
		in.Reset()
		fmt.Fprintf(&in, `{"as":"gateway","name":"access.request","data":{"client":"acme","record":"r","party":"p%d","action":"consult","purpose":"fees"}}`+"\n", i)
		require.NoError(t, r.app(t, "", in.String(), &out).applyAll(t))
	}
	return r
}

// answers are what the ledger says: every event, and some questions.
func (r *running) answers(t testing.TB) map[string]string {
	got, _, err := r.tryAnswers()
	require.NoError(t, err)
	return got
}

// tryAnswers are the answers, or why one of them didn't come, and whether the service
// has ended.
func (r *running) tryAnswers() (got map[string]string, ended bool, err error) {
	got = map[string]string{}
	for _, words := range [][]string{{"replay"}, {"parties"}, {"rights", "--client", "acme", "--ended"}, {"trail", "--client", "acme"}, {"trail", "--type", "party.registered"}} {
		out, err := r.run(append(words, "--as", "auditor", "--json", "--data", r.data)...)
		if err != nil {
			select {
			case why := <-r.ended:
				r.ended <- why // for whoever waits for it next
				return nil, true, errors.New(out)
			case <-time.After(time.Second):
				return nil, false, errors.New(out)
			}
		}
		got[strings.Join(words, " ")] = out
	}
	return got, false, nil
}

// run runs the binary on this ledger.
func (r *running) run(args ...string) (string, error) {
	out, err := exec.Command(r.bin, args...).CombinedOutput()
	return string(out), err
}

// files are those of the ledger and of its keys, these below keys/.
func (r *running) files(t testing.TB) (files []string) {
	for dir, under := range map[string]string{r.data: "", r.data + "-keys": "keys/"} {
		require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				rel, _ := filepath.Rel(dir, path)
				if info, _ := d.Info(); info.Size() > 0 {
					files = append(files, under+filepath.ToSlash(rel))
				}
			}
			return err
		}))
	}
	slices.Sort(files)
	return files
}

func (r *running) at(name string) string {
	if rest, ok := strings.CutPrefix(name, "keys/"); ok {
		return filepath.Join(r.data+"-keys", filepath.FromSlash(rest))
	}
	return filepath.Join(r.data, filepath.FromSlash(name))
}

// copy is another ledger with the same files.
func (r *running) copy(t testing.TB) *running {
	c := &running{bin: r.bin, data: filepath.Join(t.TempDir(), "ledger")}
	require.NoError(t, copyDir(r.data, c.data))
	require.NoError(t, copyDir(r.data+"-keys", c.data+"-keys"))
	return c
}

func (r *running) flip(t testing.TB, name string, chance *rand.Rand) (at int, flipped []byte) {
	b, err := os.ReadFile(r.at(name))
	require.NoError(t, err)
	at = chance.IntN(len(b))
	b[at] ^= 1 << chance.IntN(8)
	require.NoError(t, os.WriteFile(r.at(name), b, 0o600))
	return at, b
}

func (r *running) restore(t testing.TB, from *running, name string) {
	require.NoError(t, copyFile(from.at(name), r.at(name)))
}

// superseded says whether a file of the archive is a partial one of an earlier
// checkpoint, which nobody reads at this one.
func superseded(file string, size uint64) bool {
	at := strings.LastIndex(file, ".p/")
	width := file[max(at, 0):]
	return at >= 0 && width != fmt.Sprintf(".p/%d", size%256) && width != fmt.Sprintf(".p/%d", size/256%256)
}

// has says whether the file is still what it was when the bit had been flipped.
func (r *running) has(name string, flipped []byte) bool {
	now, err := os.ReadFile(r.at(name))
	return err == nil && bytes.Equal(now, flipped)
}

// found says whether verify or repair notices that something is other than recorded.
func (r *running) found(t testing.TB) bool {
	_, verified := r.run("verify", "--data", r.data)
	out, err := r.run("repair", "--data", r.data)
	require.NoError(t, err, out)
	return verified != nil || !strings.HasPrefix(out, "nothing to repair")
}

// tryStart serves the ledger, or says what the service said instead.
func (r *running) tryStart(t testing.TB) (said string, started bool) {
	s, line, err := startServe(r.bin, ".", os.Environ(), "--data", r.data, "--listen", "127.0.0.1:0")
	if err != nil {
		return err.Error() + line, false
	}
	r.served = s
	t.Cleanup(func() { s.kill() })
	return "", true
}

func rootOf(t testing.TB, data string) string {
	b, err := os.ReadFile(filepath.Join(data, "notary", "checkpoint"))
	require.NoError(t, err)
	return strings.Join(strings.Split(string(b), "\n")[:3], "\n")
}

func regexpOf(s string) string { return strings.NewReplacer(".", `\.`, "+", `\+`).Replace(s) }
