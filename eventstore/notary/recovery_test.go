package notary

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"
)

// closed is a ledger of so many events that was served and is not.
func closed(t testing.TB, count int) *kit {
	k := newKit(t)
	n := k.open(t)
	k.take(t, n, count)
	require.NoError(t, n.Close())
	return k
}

// refusedBy is the damage for which a ledger isn't opened, and which stays.
func (k *kit) refusedBy(t *testing.T) *Damage {
	var d *Damage
	for range 2 {
		_, err := Open(t.Context(), k.cfg)
		require.ErrorAs(t, err, &d)
	}
	return d
}

// TestAnEmptyArchiveIsMadeAnew: from the stream, byte for byte, where that has the
// checkpoint's root, and not at all where it hasn't.
func TestAnEmptyArchiveIsMadeAnew(t *testing.T) {
	k := closed(t, 3*tileWidth+11)
	before := tree(t, k.cfg.Archive)
	require.NoError(t, os.RemoveAll(filepath.Join(k.cfg.Archive, "tile")))
	n := k.open(t)
	require.NoError(t, n.Close())
	require.Equal(t, before, tree(t, k.cfg.Archive))
	k.whole(t)

	require.NoError(t, os.RemoveAll(k.cfg.Archive))
	sound := k.stream.messages[400]
	k.stream.messages[400] = []byte("another")
	require.Contains(t, k.refusedBy(t).Why, "not those of the checkpoint")
	require.NoDirExists(t, filepath.Join(k.cfg.Archive, "tile")) // it would be no copy of what was recorded
	require.NoDirExists(t, filepath.Join(k.cfg.Archive, "renewed"))
	k.stream.messages[400] = sound

	last := k.stream.messages[len(k.stream.messages)-1]
	k.stream.messages = k.stream.messages[:len(k.stream.messages)-1]
	require.Equal(t, "the stream", k.refusedBy(t).Where)
	k.stream.messages = append(k.stream.messages, last)
	n = k.open(t)
	require.NoError(t, n.Close())
	k.whole(t)
}

// tree is what is in a directory, by path.
func tree(t testing.TB, dir string) map[string]string {
	all := map[string]string{}
	require.NoError(t, fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(filepath.Join(dir, path))
		all[path] = string(b)
		return err
	}))
	return all
}

// TestAStreamThatIsShorterIsRefused: than the last checkpoint, by one event.
func TestAStreamThatIsShorterIsRefused(t *testing.T) {
	k := closed(t, 300)
	k.stream.messages = k.stream.messages[:299]
	d := k.refusedBy(t)
	require.Equal(t, "the stream: it ends at event 299, and the checkpoint has 300", d.Error())
}

// TestAnOlderArchiveIsRefused: one put back from a backup has no such tree.
func TestAnOlderArchiveIsRefused(t *testing.T) {
	k := closed(t, 300)
	older := tree(t, k.cfg.Archive)
	n := k.open(t)
	k.take(t, n, 300)
	require.NoError(t, n.Close())
	require.NoError(t, os.RemoveAll(k.cfg.Archive))
	for path, b := range older {
		path = filepath.Join(k.cfg.Archive, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(b), 0o600))
	}
	require.Contains(t, k.refusedBy(t).Where, k.cfg.Archive)
}

// TestAnOlderCheckpointIsRefused: its copy in the archive is put there after it, so one
// that is of more events says that it was put back. Where the copy is as old, that is
// what a crash before the last one would have left, and it goes on.
func TestAnOlderCheckpointIsRefused(t *testing.T) {
	k := closed(t, 300)
	path, copied := filepath.Join(k.cfg.Dir, checkpointFile), filepath.Join(k.cfg.Archive, checkpointFile)
	older, err := os.ReadFile(path)
	require.NoError(t, err)
	n := k.open(t)
	k.take(t, n, 300)
	later := n.Signed()
	require.NoError(t, n.Close())
	require.NoError(t, os.WriteFile(path, older, 0o600))
	require.Contains(t, k.refusedBy(t).Why, "it is of 300 events, and its copy in the archive of 600")
	for _, says := range []string{string(older), "nothing"} {
		require.NoError(t, os.WriteFile(path, older, 0o600))
		require.NoError(t, os.WriteFile(copied, []byte(says), 0o600))
		n = k.open(t)
		require.Equal(t, later, n.Signed())
		require.NoError(t, n.Close())
	}
}

// TestAMissingCheckpointIsRefused: where the archive has events, and where the ledger
// was served before.
func TestAMissingCheckpointIsRefused(t *testing.T) {
	k := closed(t, 3)
	path := filepath.Join(k.cfg.Dir, checkpointFile)
	signed, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.Remove(path))
	require.Equal(t, path, k.refusedBy(t).Where)
	require.NoError(t, os.RemoveAll(k.cfg.Archive))
	k.cfg.Served = true
	require.Equal(t, path, k.refusedBy(t).Where)
	require.NoError(t, os.WriteFile(path, signed, 0o600))
	n := k.open(t)
	require.NoError(t, n.Close())
}

// TestAnotherLogsCheckpointIsRefused: by its origin, and by its key.
func TestAnotherLogsCheckpointIsRefused(t *testing.T) {
	k, other := closed(t, 3), closed(t, 3)
	signed, err := os.ReadFile(filepath.Join(other.cfg.Dir, checkpointFile))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(k.cfg.Dir, checkpointFile), signed, 0o600))
	require.Contains(t, k.refusedBy(t).Why, "not a signed checkpoint of this log")
	k.cfg.Known = other.cfg.Known
	n := k.open(t) // the same messages, and a key that is known
	require.NoError(t, n.Close())
	k.cfg.Origin = "assent/another"
	require.Contains(t, k.refusedBy(t).Why, "it is of the log")
}

// TestACheckpointThatSomethingElseWroteStays: what stands there isn't the last one of
// this notary, so it isn't replaced.
func TestACheckpointThatSomethingElseWroteStays(t *testing.T) {
	k := newKit(t)
	n := k.open(t)
	k.take(t, n, 3)
	path := filepath.Join(k.cfg.Dir, checkpointFile)
	was := n.Signed()
	strange := append([]byte("another\n"), was...)
	require.NoError(t, os.WriteFile(path, strange, 0o600))
	k.told(n, 1)
	require.ErrorIs(t, n.Wait(t.Context(), 4), ErrSwapped)
	require.ErrorIs(t, n.Trouble(), ErrSwapped)
	require.EqualValues(t, 3, n.Size())
	require.Equal(t, was, n.Signed())
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, strange, b)
	require.NoError(t, os.WriteFile(path, was, 0o600))
	require.NoError(t, n.Close())
	k.shown(t)
}

// TestASignatureHasOneSpelling: the last character of its base64 has bits that mean
// nothing, and may still not be another.
func TestASignatureHasOneSpelling(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	k := closed(t, 3)
	signed, err := os.ReadFile(filepath.Join(k.cfg.Dir, checkpointFile))
	require.NoError(t, err)
	last := &signed[len(signed)-len("=\n")-1]
	at := strings.IndexByte(alphabet, *last)
	require.Zero(t, at%4)
	for i := range 3 {
		*last = alphabet[at+1+i]
		_, err = note.Open(signed, k.cfg.Known)
		require.NoError(t, err)
		_, err = OpenCheckpoint(signed, origin, k.cfg.Known)
		require.ErrorIs(t, err, ErrCheckpoint)
	}
}

// TestOneNotaryADirectory: the second is told so.
func TestOneNotaryADirectory(t *testing.T) {
	k := newKit(t)
	n := k.open(t)
	_, err := Open(t.Context(), k.cfg)
	require.ErrorIs(t, err, ErrInUse)
	require.NoError(t, n.Close())
	n = k.open(t)
	require.NoError(t, n.Close())
}

// TestOneDirectoryForAll: the checkpoint and its copy may be the same file.
func TestOneDirectoryForAll(t *testing.T) {
	k := newKit(t)
	k.cfg.Archive = k.cfg.Dir
	for range 3 {
		n := k.open(t)
		k.take(t, n, 300)
		require.NoError(t, n.Close())
	}
	k.whole(t)
}

// TestWhatWaitsIsBounded: what doesn't fit is read from the stream.
func TestWhatWaitsIsBounded(t *testing.T) {
	k := newKit(t)
	n := k.open(t)
	big := make([]byte, MostEntry)
	for len(k.stream.messages) < 2*mostWaiting/MostEntry {
		k.stream.messages = append(k.stream.messages, big)
		n.Take(uint64(len(k.stream.messages)), big)
	}
	n.mu.Lock()
	require.LessOrEqual(t, n.bytes, mostWaiting)
	n.mu.Unlock()
	require.NoError(t, n.Wait(t.Context(), uint64(len(k.stream.messages))))
	k.take(t, n, 5)
	n.mu.Lock()
	require.Zero(t, n.bytes)
	require.Empty(t, n.waiting)
	n.mu.Unlock()
	require.NoError(t, n.Close())
	k.whole(t)
}

// TestAMessageThatIsTooLongIsTrouble: no file of it is left, and it is said.
func TestAMessageThatIsTooLongIsTrouble(t *testing.T) {
	k := newKit(t)
	n := k.open(t)
	k.take(t, n, 2)
	k.stream.messages = append(k.stream.messages, make([]byte, MostEntry+1))
	n.Take(3, k.stream.messages[2])
	require.ErrorContains(t, n.Wait(t.Context(), 3), "65536 bytes")
	require.EqualValues(t, 2, n.Size())
	require.Error(t, n.Close())
}

// TestAStreamThatGivesTooLittleIsTrouble: a gap is never archived.
func TestAStreamThatGivesTooLittleIsTrouble(t *testing.T) {
	k := newKit(t)
	k.stream.add(5)
	k.cfg.Stream = gap{k.stream}
	_, err := Open(t.Context(), k.cfg)
	require.ErrorContains(t, err, "the stream gave event 4 for 3")
	k.cfg.Stream = k.stream
	n := k.open(t)
	require.NoError(t, n.Close())
	k.whole(t)
}

// gap is a stream that leaves out event 3.
type gap struct{ *held }

func (g gap) Read(ctx context.Context, from, to uint64, each func(uint64, []byte) error) error {
	return g.held.Read(ctx, from, to, func(seq uint64, m []byte) error {
		if seq == 3 {
			return nil
		}
		return each(seq, m)
	})
}

// TestWaitingEnds: with the context, and with the notary.
func TestWaitingEnds(t *testing.T) {
	k := newKit(t)
	n := k.open(t)
	k.take(t, n, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, n.Wait(ctx, 2), context.Canceled)
	waited := make(chan error)
	go func() { waited <- n.Wait(t.Context(), 2) }()
	require.NoError(t, n.Close())
	require.ErrorIs(t, <-waited, ErrClosed)
	require.NoError(t, n.Wait(t.Context(), 1))
}

// TestBothKeysSign: a log's key that is replaced and the new one, from the next
// checkpoint on; each alone is enough to believe it.
func TestBothKeysSign(t *testing.T) {
	k := newKit(t)
	n := k.open(t)
	k.take(t, n, 1)
	fresh := newKit(t)
	n.Resign(append(k.cfg.Signers, fresh.cfg.Signers...)...)
	k.take(t, n, 1)
	signed := n.Signed()
	require.NoError(t, n.Close())
	for _, known := range []note.Verifiers{k.cfg.Known, fresh.cfg.Known} {
		_, err := OpenCheckpoint(signed, origin, known)
		require.NoError(t, err)
	}
	k.cfg.Known, k.cfg.Signers = fresh.cfg.Known, fresh.cfg.Signers
	n = k.open(t)
	require.EqualValues(t, 2, n.Size())
	require.NoError(t, n.Close())
}

// TestAMomentsWantIsNoDamage: what can't be read for want of descriptors says nothing
// about the file.
func TestAMomentsWantIsNoDamage(t *testing.T) {
	for err, damage := range map[error]bool{syscall.EMFILE: false, fs.ErrPermission: false, syscall.EIO: true, fs.ErrNotExist: true} {
		_, got := (files{failing{err: err}, "archive"}).tile(0, 0, 5)
		require.ErrorIs(t, errors.Join(got, err), err)
		require.Equal(t, damage, errors.As(got, new(*Damage)), "%v", got)
	}
}

type failing struct {
	fstest.MapFS
	err error
}

func (f failing) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: f.err}
}
