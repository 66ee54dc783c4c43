package natsd_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/eventstore/natsd"
)

// What a killed process was committing is read from where it was staged, and from nowhere
// else: after the machine was started anew, anybody may have put a directory there.
func TestOnlyWhatWasStagedByThisUserIsRead(t *testing.T) {
	cfg := natsd.Config{StoreDir: filepath.Join(t.TempDir(), "nats"), Name: "test"}
	s := ledgerIn(t, cfg.StoreDir)
	s.Stop()
	link := filepath.Join(cfg.StoreDir, "jetstream/LEDGER/streams/LEDGER/batches")

	made := func(below, pattern string, mode fs.FileMode) string {
		dir, err := os.MkdirTemp(below, pattern)
		require.NoError(t, err)
		require.NoError(t, os.Chmod(dir, mode))
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		return dir
	}
	for name, c := range map[string]struct {
		to   string
		gone bool // it was ours, and was removed
	}{
		"as it was left":      {made("/dev/shm", "assent-", 0o700), true},
		"open to others":      {made("/dev/shm", "assent-", 0o755), false},
		"of another name":     {made("/dev/shm", "other-", 0o700), false},
		"somewhere else":      {made(t.TempDir(), "assent-", 0o700), false},
		"that isn't there":    {"/dev/shm/assent-0", true},
		"that isn't absolute": {"../../assent-0", true},
	} {
		require.NoError(t, os.Symlink(c.to, link), name)
		s, err := natsd.Start(t.Context(), cfg)
		require.NoError(t, err, name)
		_, err = os.Lstat(link)
		require.ErrorIs(t, err, fs.ErrNotExist, name)
		if c.gone {
			require.NoDirExists(t, c.to, name)
		} else {
			require.DirExists(t, c.to, name)
		}
		s.Stop()
	}
}

// What a ledger left in memory that was killed, and is gone, the next one removes; that
// of one which may come again it doesn't touch.
func TestWhatIsLeftInMemoryForNobodyIsRemoved(t *testing.T) {
	staged := func() (*natsd.Server, string, string) {
		dir := filepath.Join(t.TempDir(), "nats")
		s := ledgerIn(t, dir)
		staging, err := s.StageInMemory()
		require.NoError(t, err)
		t.Cleanup(func() { _ = os.RemoveAll(staging) })
		return s, dir, staging
	}
	leave := func(dir, staging string) { // as a kill does
		link, err := filepath.Abs(filepath.Join(dir, "jetstream/LEDGER/streams/LEDGER/batches"))
		require.NoError(t, err)
		require.NoError(t, os.Mkdir(staging, 0o700))
		require.NoError(t, os.Symlink(link, filepath.Join(staging, "for")))
		require.NoError(t, os.Symlink(staging, link))
	}
	gone, goneDir, orphan := staged()
	gone.Stop()
	leave(goneDir, orphan)
	require.NoError(t, os.RemoveAll(goneDir))
	killed, killedDir, kept := staged()
	killed.Stop()
	leave(killedDir, kept)
	running, _, used := staged()
	defer running.Stop()
	require.NoDirExists(t, orphan)
	require.DirExists(t, kept)
	_, _, another := staged()
	require.DirExists(t, kept)
	require.DirExists(t, used)
	require.DirExists(t, another)
}

// ledgerIn starts a server with an empty ledger's stream.
func ledgerIn(t *testing.T, dir string) *natsd.Server {
	s, err := natsd.Start(t.Context(), natsd.Config{StoreDir: dir, Name: "test"})
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	nc, err := s.Ledger()
	require.NoError(t, err)
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "LEDGER", Subjects: []string{"assent.evt.>"},
		Storage: jetstream.FileStorage, AllowAtomicPublish: true})
	require.NoError(t, err)
	return s
}
