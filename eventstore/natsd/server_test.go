package natsd

import (
	"bytes"
	"context"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// listening are the TCP sockets on which this process listens, as the kernel says.
func listening(t testing.TB) (ports []string) {
	if runtime.GOOS != "linux" {
		return nil
	}
	own := map[string]bool{}
	fds, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	for _, fd := range fds {
		if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil {
			own[strings.TrimSuffix(strings.TrimPrefix(to, "socket:["), "]")] = true
		}
	}
	for _, table := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		b, err := os.ReadFile(table)
		if os.IsNotExist(err) {
			continue
		}
		require.NoError(t, err)
		for line := range strings.Lines(string(b)) {
			const listen = "0A"
			if f := strings.Fields(line); len(f) > 9 && f[3] == listen && own[f[9]] {
				ports = append(ports, f[1])
			}
		}
	}
	return ports
}

func TestNoPortIsOpenedUnlessAskedFor(t *testing.T) {
	before := listening(t)
	s, err := Start(soon(t), Config{StoreDir: t.TempDir(), Name: "ledger"})
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	ledger(t, s)
	require.Equal(t, before, listening(t))
	require.Empty(t, s.Addr())
	require.Error(t, s.Admit(), "none was asked for")
	require.Equal(t, before, listening(t))
	s.Stop()

	r := &roster{}
	s, err = Start(soon(t), Config{StoreDir: t.TempDir(), Name: "ledger", Listen: "127.0.0.1:0", Hold: true, LetIn: r.letIn})
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	require.Equal(t, before, listening(t), "nobody comes before Admit")
	require.Empty(t, s.Addr())
	require.NoError(t, s.Admit())
	require.Error(t, s.Admit(), "a second port")
	if runtime.GOOS == "linux" {
		require.Len(t, listening(t), len(before)+1)
	}
	dial(t, s, r.add(newActor(t, "alice"), Commands("alice")))
	s.Stop()
	require.Equal(t, before, listening(t))
	require.Error(t, s.Admit())
}

func TestStoreIsForOneServer(t *testing.T) {
	dir := t.TempDir()
	s, err := Start(soon(t), Config{StoreDir: dir, Name: "ledger"})
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	ledger(t, s)
	_, err = Start(soon(t), Config{StoreDir: dir, Name: "ledger"})
	require.ErrorIs(t, err, ErrInUse)
	require.ErrorContains(t, err, dir)
	s.Stop()
	again, err := Start(soon(t), Config{StoreDir: dir, Name: "ledger"})
	require.NoError(t, err)
	t.Cleanup(again.Stop)
}

// What can't be started leaves nothing running, and the store free.
func TestFailedStartLeavesNothing(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx context.Context
		cfg Config
	}{
		"no directory":      {t.Context(), Config{Name: "ledger"}},
		"no name":           {t.Context(), Config{StoreDir: dir}},
		"no address":        {t.Context(), Config{StoreDir: dir, Name: "ledger", Listen: "here"}},
		"no port":           {t.Context(), Config{StoreDir: dir, Name: "ledger", Listen: "127.0.0.1:http"}},
		"no such port":      {t.Context(), Config{StoreDir: dir, Name: "ledger", Listen: "127.0.0.1:65536"}},
		"the port taken":    {t.Context(), Config{StoreDir: dir, Name: "ledger", Listen: taken.Addr().String()}},
		"no such address":   {t.Context(), Config{StoreDir: dir, Name: "ledger", Listen: "192.0.2.1:0"}},
		"nobody waits":      {canceled, Config{StoreDir: dir, Name: "ledger"}},
		"a file in the way": {t.Context(), Config{StoreDir: file, Name: "ledger"}},
	} {
		s, err := Start(c.ctx, c.cfg)
		require.Error(t, err, name)
		require.Nil(t, s, name)
	}
	s, err := Start(soon(t), Config{StoreDir: dir, Name: "ledger"})
	require.NoError(t, err)
	s.Stop()
}

func TestEveryWriteIsSynced(t *testing.T) {
	s, _ := start(t)
	require.True(t, s.ns.JetStreamConfig().SyncAlways)
}

func TestWhatWasRecordedIsThereAgain(t *testing.T) {
	dir := t.TempDir()
	for n := range uint64(3) {
		s, err := Start(soon(t), Config{StoreDir: dir, Name: "ledger"})
		require.NoError(t, err)
		nc, stream := ledger(t, s)
		require.Equal(t, n, end(t, stream))
		_, err = nc.RequestWithContext(soon(t), "assent.evt.x", nil)
		require.NoError(t, err)
		s.Stop()
		s.Stop()
		_, err = s.Ledger()
		require.Error(t, err)
		require.True(t, nc.IsClosed())
	}
}

// tree is all that is below dir, and what it holds.
func tree(t testing.TB, dir string) map[string]string {
	m := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		m[path] = string(b)
		return err
	}))
	return m
}

// A stream that the server would pass over, and put a new one in its place.
func TestDamagedStreamEndsTheStart(t *testing.T) {
	for name, harm := range map[string]func(stream string) error{
		"no description":      func(s string) error { return os.Remove(filepath.Join(s, "meta.inf")) },
		"no checksum":         func(s string) error { return os.Remove(filepath.Join(s, "meta.sum")) },
		"a description of 0s": func(s string) error { return os.WriteFile(filepath.Join(s, "meta.inf"), make([]byte, 400), 0o600) },
		"an empty checksum":   func(s string) error { return os.WriteFile(filepath.Join(s, "meta.sum"), nil, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, err := Start(soon(t), Config{StoreDir: dir, Name: "ledger"})
			require.NoError(t, err)
			nc, _ := ledger(t, s)
			_, err = nc.RequestWithContext(soon(t), "assent.evt.x", []byte("an event"))
			require.NoError(t, err)
			s.Stop()

			stream := filepath.Join(dir, "jetstream", "LEDGER", "streams", "LEDGER")
			require.NoError(t, harm(stream))
			before := tree(t, stream)
			for range 2 {
				_, err = Start(soon(t), Config{StoreDir: dir, Name: "ledger"})
				require.ErrorContains(t, err, "stream LEDGER")
				require.Equal(t, before, tree(t, stream), "nothing is touched")
			}
		})
	}
}

// A stream of which no message was ever written was being made when the process
// ended. The server would never read it, and couldn't make it either.
func TestStreamThatWasNeverMadeIsRemoved(t *testing.T) {
	dir := t.TempDir()
	streams := filepath.Join(dir, "jetstream", "LEDGER", "streams")
	require.NoError(t, os.MkdirAll(filepath.Join(streams, "LEDGER", "msgs"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(streams, "LEDGER", "msgs", "1.blk"), nil, 0o600))
	require.NoError(t, os.MkdirAll(filepath.Join(streams, ".deleted"), 0o700))
	s, err := Start(soon(t), Config{StoreDir: dir, Name: "ledger"})
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	require.NoDirExists(t, filepath.Join(streams, "LEDGER"))
	nc, stream := ledger(t, s)
	_, err = nc.RequestWithContext(soon(t), "assent.evt.x", nil)
	require.NoError(t, err)
	require.EqualValues(t, 1, end(t, stream))
}

func TestServerSpeaksToTheLogAndNowhereElse(t *testing.T) {
	var said bytes.Buffer
	s, err := Start(soon(t), Config{StoreDir: t.TempDir(), Name: "ledger", Log: slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	require.NoError(t, err)
	s.Stop()
	require.Contains(t, said.String(), "from=nats-server")
	require.Contains(t, said.String(), "level=DEBUG")
	require.NotContains(t, said.String(), "level=ERROR")

	said.Reset()
	v := newVoice(slog.New(slog.NewTextHandler(&said, nil)))
	v.Fatalf("first %d", 1)
	v.Fatalf("second")
	v.Warnf(" a warning\n")
	require.ErrorContains(t, v.fatal(), "first 1")
	require.Equal(t, "a warning", v.lastWarning())
	require.Equal(t, 2, strings.Count(said.String(), "level=ERROR"))
}

// A client tells by the name whom it has reached.
func TestServersNameIsTheLedgers(t *testing.T) {
	s, r := start(t)
	alice := dial(t, s, r.add(newActor(t, "alice"), Commands("alice")))
	require.Equal(t, "ledger", alice.ConnectedServerName())
}
