package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/sha256"
	bin "encoding/binary"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/minio/highwayhash"
	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/eventstore/notary"
)

var damaged = flag.Int("damaged", 300, "how many parties the ledger of TestADamagedLedgerIsRefusedAndMended has; from 12000 on the stream has several blocks")

// A pair is one ledger at two times.
type pair struct {
	early, late *running
	want        map[string]string // what the late one answers
	root        string
}

// growing is a ledger, stopped, and a copy of it from half of its life.
func growing(t *testing.T, parties int) *pair {
	r := serveFresh(t)
	grow := func(from, to int) {
		var in bytes.Buffer
		for i := from; i < to; i++ {
			fmt.Fprintf(&in, `{"as":"clerk","name":"party.register","data":{"party":"p%d","category":"external","kind":"person","name":"Person %d"}}`+"\n", i, i)
		}
		if from == 0 {
			fmt.Fprintln(&in, `{"as":"clerk","name":"client.register","data":{"client":"acme","name":"Acme","contacts":["p1"]}}`)
		} else {
			fmt.Fprintln(&in, `{"as":"gateway","name":"access.request","data":{"client":"acme","record":"r","party":"p1","action":"consult","purpose":"fees"}}`)
		}
		require.NoError(t, r.app(t, "", in.String(), io.Discard).applyAll(t))
	}
	grow(0, parties/2)
	require.NoError(t, r.signal(syscall.SIGTERM))
	p := &pair{early: r.copy(t), late: r}
	r.start(t)
	grow(parties/2, parties)
	p.want = r.answers(t)
	require.NoError(t, r.signal(syscall.SIGTERM))
	p.root = rootOf(t, r.data)
	return p
}

// blocksOf are the stream's, in their order.
func blocksOf(t testing.TB, r *running) []string {
	files, err := filepath.Glob(filepath.Join(r.data, filepath.FromSlash(blockDir), "*.blk"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	slices.SortFunc(files, byNumber)
	return files
}

const blockDir = "nats/jetstream/LEDGER/streams/LEDGER/msgs"

// put puts what the other ledger has under the name in the place of what is there.
func (r *running) put(t testing.TB, from *running, name string) {
	require.NoError(t, os.RemoveAll(r.at(name)))
	info, err := os.Stat(from.at(name))
	require.NoError(t, err)
	if info.IsDir() {
		require.NoError(t, copyDir(from.at(name), r.at(name)))
		return
	}
	require.NoError(t, copyFile(from.at(name), r.at(name)))
}

// A harm is done to a ledger that is stopped.
type harm struct {
	name string
	do   func(t *testing.T, l *running, p *pair)
	says string // what the refusal names; empty: the server reads what was doubled once
}

var harms = []harm{
	{"a block deleted", func(t *testing.T, l *running, _ *pair) { require.NoError(t, os.Remove(blocksOf(t, l)[0])) }, `stream|events|gap`},
	{"a block and the index deleted", func(t *testing.T, l *running, _ *pair) {
		require.NoError(t, os.Remove(blocksOf(t, l)[0]))
		require.NoError(t, os.Remove(l.at(blockDir+"/index.db")))
	}, `stream|events|gap`},
	{"the last block cut in half", func(t *testing.T, l *running, _ *pair) {
		last := blocksOf(t, l)
		cutOff(t, last[len(last)-1], func(b []byte) int { return len(b) / 2 })
	}, `stream|event`},
	{"the last event cut off", func(t *testing.T, l *running, _ *pair) {
		last := blocksOf(t, l)
		cutOff(t, last[len(last)-1], func(b []byte) int { spans := recordsOf(b); return spans[len(spans)-1] })
		require.NoError(t, os.Remove(l.at(blockDir+"/index.db")))
	}, `stream|event`},
	{"a block with all of it twice", func(t *testing.T, l *running, _ *pair) {
		rewrite(t, blocksOf(t, l)[0], func(b []byte) []byte { return append(b, b...) })
		require.NoError(t, os.Remove(l.at(blockDir+"/index.db")))
	}, ``},
	{"a block doubled under the next number", func(t *testing.T, l *running, _ *pair) {
		blocks := blocksOf(t, l)
		require.NoError(t, copyFile(blocks[len(blocks)-1], filepath.Join(filepath.Dir(blocks[0]), fmt.Sprintf("%d.blk", len(blocks)+1))))
		require.NoError(t, os.Remove(l.at(blockDir+"/index.db")))
	}, ``},
	{"a block of another ledger in its place", func(t *testing.T, l *running, _ *pair) {
		other := serveFresh(t)
		require.NoError(t, other.signal(syscall.SIGTERM))
		require.NoError(t, copyFile(blocksOf(t, other)[0], blocksOf(t, l)[0]))
		require.NoError(t, os.Remove(l.at(blockDir+"/index.db")))
	}, `stream|event`},
	{"two blocks swapped", func(t *testing.T, l *running, _ *pair) {
		blocks := blocksOf(t, l)
		if len(blocks) < 2 { // two events of one block, then
			rewrite(t, blocks[0], func(b []byte) []byte { return swapped(b, 20, 21) })
			require.NoError(t, os.Remove(l.at(blockDir+"/index.db")))
			return
		}
		require.NoError(t, os.Rename(blocks[0], blocks[0]+".x"))
		require.NoError(t, os.Rename(blocks[1], blocks[0]))
		require.NoError(t, os.Rename(blocks[0]+".x", blocks[1]))
	}, `stream|event`},
	{"a high bit of a sequence flipped", func(t *testing.T, l *running, _ *pair) {
		rewrite(t, blocksOf(t, l)[0], func(b []byte) []byte { b[recordsOf(b)[20]+4+5] ^= 1; return b })
	}, `block .* byte \d+`},
	{"an event edited with its checksum", func(t *testing.T, l *running, _ *pair) {
		forge(t, l, 50)
	}, `event 50`},
	{"the last event edited with its checksum", func(t *testing.T, l *running, p *pair) {
		forge(t, l, sizeOf(t, p.root))
	}, `event \d+`},
	{"an event edited with its checksum, and the read models gone", func(t *testing.T, l *running, _ *pair) {
		forge(t, l, 50)
		require.NoError(t, os.RemoveAll(l.at("models")))
	}, `event 50`},
	{"an older stream", func(t *testing.T, l *running, p *pair) { l.put(t, p.early, "nats") }, `stream`},
	{"an older stream and older read models", func(t *testing.T, l *running, p *pair) {
		l.put(t, p.early, "nats")
		l.put(t, p.early, "models")
		l.put(t, p.early, "stopped.json")
	}, `stream`},
	{"an older data directory, with checkpoint and archive as they are", func(t *testing.T, l *running, p *pair) {
		for _, name := range []string{"nats", "models", "stopped.json", "assent.json"} {
			l.put(t, p.early, name)
		}
	}, `stream`},
	{"an older data directory, with the archive as it is", func(t *testing.T, l *running, p *pair) {
		for _, name := range []string{"nats", "models", "stopped.json", "assent.json", "notary"} {
			l.put(t, p.early, name)
		}
	}, `archive|checkpoint|stream`},
	{"an older checkpoint", func(t *testing.T, l *running, p *pair) { l.put(t, p.early, "notary") }, `checkpoint`},
	{"an older archive", func(t *testing.T, l *running, p *pair) { l.put(t, p.early, "archive") }, `archive`},
}

// TestADamagedLedgerIsRefusedAndMended: whatever part of a stopped ledger is deleted,
// cut, swapped, doubled, forged or put back from an older copy, the service refuses to
// start and says where, and repair makes it what it was: the same root, every event
// byte for byte (trials R13, R14, R25, S01–S03).
func TestADamagedLedgerIsRefusedAndMended(t *testing.T) {
	p := growing(t, *damaged)
	t.Logf("%d events, %d blocks", sizeOf(t, p.root), len(blocksOf(t, p.late)))
	t.Run("none", func(t *testing.T) { // a copy by itself is no harm
		l := p.late.copy(t)
		said, started := l.tryStart(t)
		require.True(t, started, said)
		require.Equal(t, p.want, l.answers(t))
	})
	for _, h := range harms {
		t.Run(h.name, func(t *testing.T) {
			l := p.late.copy(t)
			h.do(t, l, p)
			said, started := l.tryStart(t)
			if h.says == "" {
				require.True(t, started, said)
				l.goesOn(t, p)
				return
			}
			require.False(t, started, "it was served")
			require.Regexp(t, h.says, said)
			t.Log(said[strings.LastIndex(said, "assent: "):])
			out, err := l.run("repair", "--data", l.data)
			require.NoError(t, err, out)
			said, started = l.tryStart(t)
			require.True(t, started, said)
			require.Equal(t, p.want, l.answers(t))
			require.NoError(t, l.signal(syscall.SIGTERM))
			require.Equal(t, p.root, rootOf(t, l.data))
		})
	}
}

// goesOn says that a ledger that is served answers as the late one, takes a command, is
// stopped and started, and is found sound.
func (r *running) goesOn(t *testing.T, p *pair) {
	require.Equal(t, p.want, r.answers(t))
	more := `{"as":"clerk","name":"party.register","data":{"party":"more","category":"external","kind":"person","name":"More"}}`
	require.NoError(t, r.app(t, "", more, io.Discard).applyAll(t))
	want := r.answers(t)
	require.NoError(t, r.signal(syscall.SIGTERM))
	said, started := r.tryStart(t)
	require.True(t, started, said)
	require.Equal(t, want, r.answers(t))
	require.NoError(t, r.signal(syscall.SIGTERM))
	out, err := r.run("verify", "--data", r.data, "--checkpoint", p.late.at("notary/checkpoint"))
	require.NoError(t, err, out)
	out, err = r.run("repair", "--data", r.data)
	require.NoError(t, err, out)
	require.Contains(t, out, "nothing to repair")
}

// TestARollbackIsExposedByALaterCheckpoint: where everything is older, checkpoint and
// archive too, nothing in it can tell; a checkpoint that somebody kept does (R13, S03).
func TestARollbackIsExposedByALaterCheckpoint(t *testing.T) {
	p := growing(t, 40)
	l := p.early.copy(t)
	_, started := l.tryStart(t)
	require.True(t, started, "by itself it is a sound ledger")
	require.NoError(t, l.signal(syscall.SIGTERM))
	out, err := l.run("verify", "--data", l.data)
	require.NoError(t, err, out)
	out, err = l.run("verify", "--data", l.data, "--checkpoint", p.late.at("notary/checkpoint"))
	require.Error(t, err, out)
	require.Contains(t, out, "it was rolled back")

	// Gone on with another history, it is as long and has another root.
	_, started = l.tryStart(t)
	require.True(t, started)
	var in bytes.Buffer
	for i := range 60 {
		fmt.Fprintf(&in, `{"as":"clerk","name":"party.register","data":{"party":"q%d","category":"external","kind":"person","name":"Q"}}`+"\n", i)
	}
	require.NoError(t, l.app(t, "", in.String(), io.Discard).applyAll(t))
	require.NoError(t, l.signal(syscall.SIGTERM))
	out, err = l.run("verify", "--data", l.data, "--checkpoint", p.late.at("notary/checkpoint"))
	require.Error(t, err, out)
	t.Log(lastLine(out))

	// The ledger that was not rolled back goes on from both.
	for _, earlier := range []*running{p.early, p.late} {
		out, err = p.late.run("verify", "--data", p.late.data, "--checkpoint", earlier.at("notary/checkpoint"))
		require.NoError(t, err, out)
	}
}

// TestARollbackIsExposedByAWitness: the ledger was served with a witness, and is put back
// whole from an older copy: as soon as it signs another history, status has the alarm.
func TestARollbackIsExposedByAWitness(t *testing.T) {
	p := growing(t, 40)
	h, err := findHome(p.late.data, "")
	require.NoError(t, err)
	key, err := h.logKey()
	require.NoError(t, err)
	cmd := exec.Command(p.late.bin, "witness", "--dir", filepath.Join(t.TempDir(), "witness"), "--listen", "127.0.0.1:0", "--name", "witness.example/assent", "--log", key)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		require.NoError(t, cmd.Wait())
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	m := regexp.MustCompile(`on (http://\S+), key (\S+)\n$`).FindStringSubmatch(line)
	require.NotNil(t, m, line)
	served := func(r *running, name, says string, not ...string) {
		var line string
		r.served, line, err = startServe(r.bin, ".", os.Environ(), "--data", r.data, "--witness", m[1]+","+m[2], "--witnesses", "1")
		require.NoError(t, err, line)
		t.Cleanup(r.kill)
		command := fmt.Sprintf(`{"as":"clerk","name":"party.register","data":{"party":%q,"category":"external","kind":"person","name":"W"}}`, name)
		require.NoError(t, r.app(t, "", command, io.Discard).applyAll(t))
		said := ""
		require.Eventually(t, func() bool {
			said, _ = r.run("status", "--as", "auditor", "--json", "--data", r.data)
			return strings.Contains(said, says)
		}, 20*time.Second, 50*time.Millisecond, "status never had %s", says)
		for _, n := range not {
			require.NotContains(t, said, n)
		}
		require.NoError(t, r.signal(syscall.SIGTERM))
	}
	const alarm = "a witness holds another history"
	served(p.late, "w1", `"cosigned":1`, alarm)
	served(p.early, "w2", alarm)
}

// TestVerifyNamesTheEventThatAnExportHasOtherwise: events of an export are edited,
// exchanged, doubled, inserted or cut off; the tree stays as it is (S01, S02, S05).
func TestVerifyNamesTheEventThatAnExportHasOtherwise(t *testing.T) {
	p := growing(t, 300)
	sound := filepath.Join(t.TempDir(), "sound.assent")
	out, err := p.late.run("export", "--data", p.late.data, "--out", sound)
	require.NoError(t, err, out)
	out, err = p.late.run("verify", sound)
	require.NoError(t, err, out)
	for _, c := range []struct {
		name string
		do   func(e [][]byte) [][]byte
		says string
	}{
		{"edited", func(e [][]byte) [][]byte {
			e[41] = bytes.Replace(e[41], []byte(`"external"`), []byte(`"internal"`), 1)
			return e
		}, "event 42 "},
		{"exchanged", func(e [][]byte) [][]byte { e[41], e[42] = e[42], e[41]; return e }, "event 42 "},
		{"doubled", func(e [][]byte) [][]byte { return slices.Insert(e, 42, e[41])[:len(e)] }, "event 43 "},
		{"inserted", func(e [][]byte) [][]byte { return slices.Insert(e, 41, e[9])[:len(e)] }, "event 42 "},
		{"left out", func(e [][]byte) [][]byte { return slices.Delete(e, 41, 42) }, "event 42 "},
		{"cut off", func(e [][]byte) [][]byte { return e[:len(e)-1] }, "event 256"},
		{"one more", func(e [][]byte) [][]byte { return append(e, e[0]) }, "event 256"},
	} {
		t.Run(c.name, func(t *testing.T) {
			forged := filepath.Join(t.TempDir(), "forged.assent")
			reworked(t, sound, forged, "tile/entries/000", func(b []byte) []byte {
				var entries [][]byte
				for e, err := range notary.Entries(b) {
					require.NoError(t, err)
					entries = append(entries, e)
				}
				var w []byte
				for _, e := range c.do(entries) {
					w = append(bin.BigEndian.AppendUint16(w, uint16(len(e))), e...)
				}
				return w
			})
			out, err := p.late.run("verify", forged)
			require.Error(t, err, out)
			require.Contains(t, out, c.says)
			t.Log(lastLine(out))
		})
	}
}

// reworked copies an export with one of its files changed.
func reworked(t *testing.T, from, to, name string, change func([]byte) []byte) {
	in, err := os.ReadFile(from)
	require.NoError(t, err)
	var w bytes.Buffer
	into, found := tar.NewWriter(&w), false
	for r := tar.NewReader(bytes.NewReader(in)); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		b, err := io.ReadAll(r)
		require.NoError(t, err)
		if h.Name == name {
			found, b = true, change(b)
			h.Size = int64(len(b))
		}
		require.NoError(t, into.WriteHeader(h))
		_, err = into.Write(b)
		require.NoError(t, err)
	}
	require.True(t, found, "%s is not in the export", name)
	require.NoError(t, into.Close())
	require.NoError(t, os.WriteFile(to, w.Bytes(), 0o600))
}

// rewrite changes what is in a file.
func rewrite(t testing.TB, path string, change func([]byte) []byte) {
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, change(b), 0o600))
}

func cutOff(t testing.TB, path string, at func([]byte) int) {
	rewrite(t, path, func(b []byte) []byte { return b[:at(b)] })
}

// withHeaders is the bit of a record's length that says that it has headers.
const withHeaders = 1 << 31

// recordsOf are where the records of a block begin: length (4 bytes, the lower first),
// sequence (8), time (8), length of the subject (2), subject, the headers with
// their length (4) where there are some, message, checksum (8).
func recordsOf(block []byte) (starts []int) {
	for at := 0; at+22 <= len(block); at += int(bin.LittleEndian.Uint32(block[at:]) &^ withHeaders) {
		starts = append(starts, at)
	}
	return starts
}

// swapped is the block with its i-th and j-th records exchanged, j the one after i.
func swapped(b []byte, i, j int) []byte {
	s := recordsOf(b)
	return slices.Concat(b[:s[i]], b[s[j]:s[j+1]], b[s[i]:s[j]], b[s[j+1]:])
}

// forge changes one word of an event in the stream and computes its checksum anew as
// the server does, so that to NATS it is a sound message.
func forge(t testing.TB, l *running, seq uint64) {
	for i, path := range blocksOf(t, l) {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		key := sha256.Sum256(fmt.Appendf(nil, "LEDGER-%d", i+1))
		for _, at := range recordsOf(b) {
			if bin.LittleEndian.Uint64(b[at+4:]) != seq {
				continue
			}
			length := bin.LittleEndian.Uint32(b[at:])
			end := at + int(length&^withHeaders)
			subject := at + 22 + int(bin.LittleEndian.Uint16(b[at+20:]))
			body := subject
			if length&withHeaders != 0 {
				body += 4 // the length of the headers, which isn't in the checksum
			}
			sum := func() []byte {
				h, err := highwayhash.New64(key[:])
				require.NoError(t, err)
				_, _ = h.Write(b[at+4 : at+20])
				_, _ = h.Write(b[at+22 : subject])
				_, _ = h.Write(b[body : end-8])
				return h.Sum(nil)
			}
			require.Equal(t, b[end-8:end], sum(), "this is how the server computes it")
			was := bytes.Clone(b[at:end])
			copy(b[at+22:], bytes.Replace(b[at+22:end-8], []byte("relationship"), []byte("registration"), 1))
			copy(b[at+22:], bytes.Replace(b[at+22:end-8], []byte(`"external"`), []byte(`"internal"`), 1))
			copy(b[at+22:], bytes.Replace(b[at+22:end-8], []byte(`"fees"`), []byte(`"cash"`), 1))
			require.NotEqual(t, was, b[at:end], "nothing was edited")
			copy(b[end-8:], sum())
			require.NoError(t, os.WriteFile(path, b, 0o600))
			return
		}
	}
	t.Fatalf("there is no event %d", seq)
}

// sizeOf is how many events the checkpoint of a root has.
func sizeOf(t testing.TB, root string) (n uint64) {
	_, err := fmt.Sscan(strings.Split(root, "\n")[1], &n)
	require.NoError(t, err)
	return n
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}
