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
	s, err := natsd.Start(t.Context(), cfg)
	require.NoError(t, err)
	nc, err := s.Ledger()
	require.NoError(t, err)
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "LEDGER", Subjects: []string{"assent.evt.>"},
		Storage: jetstream.FileStorage, AllowAtomicPublish: true})
	require.NoError(t, err)
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
