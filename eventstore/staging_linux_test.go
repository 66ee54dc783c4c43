package eventstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/eventstore/natsd"
)

const (
	streamDir  = "jetstream/LEDGER/streams/LEDGER"
	stagingDir = streamDir + "/batches"
)

// logIn makes an empty log in dir whose batches are staged in memory.
func logIn(t testing.TB, dir string) (l *Log, s *natsd.Server, staging string) {
	s = serve(t, dir)
	l, err := Create(t.Context(), connect(t, s), ledger, Restage(func() { s.StageOnDisk() }))
	require.NoError(t, err)
	staging, err = s.StageInMemory()
	require.NoError(t, err)
	require.NotEmpty(t, staging, "/dev/shm, with 32 MiB free, is wanted")
	return l, s, staging
}

func TestBatchesAreStagedInMemory(t *testing.T) {
	dir := t.TempDir()
	l, s, staging := logIn(t, dir)
	list := entries(0, 40)
	require.NoError(t, l.Append(0, list[:20]).Err())
	lose(l, commits)
	ack := l.Append(20, list[20:])
	require.Eventually(t, func() bool {
		blocks, err := filepath.Glob(staging + "/*/msgs/*.blk")
		require.NoError(t, err)
		return len(blocks) == 1
	}, 5*time.Second, time.Millisecond)
	to, err := os.Readlink(filepath.Join(dir, stagingDir))
	require.NoError(t, err)
	require.Equal(t, staging, to)
	require.NoError(t, l.Close())
	require.ErrorIs(t, ack.Err(), ErrUnknown)
	s.Stop()
	require.NoDirExists(t, staging)
	_, err = os.Lstat(filepath.Join(dir, stagingDir))
	require.ErrorIs(t, err, fs.ErrNotExist)

	l, err = Open(t.Context(), connect(t, serve(t, dir)), ledger)
	require.NoError(t, err)
	require.Equal(t, list[:20], standing(t, l))
}

// What batches are staged in is memory of the machine, which others may fill or clear:
// nothing depends on it.
func TestABatchThatCantBeStagedInMemoryIsStagedOnDisk(t *testing.T) {
	for name, spoil := range map[string]func(string) error{
		"gone":   os.RemoveAll,
		"a file": func(dir string) error { return errors.Join(os.RemoveAll(dir), os.WriteFile(dir, nil, 0o600)) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l, _, staging := logIn(t, dir)
			list := entries(0, 60)
			require.NoError(t, l.Append(0, list[:20]).Err())
			require.NoError(t, spoil(staging))
			require.ErrorIs(t, l.Append(20, list[20:40]).Err(), ErrUnknown)
			require.NoError(t, l.Settle(soon(t), 20, list[20:40]))
			require.NoError(t, l.Append(40, list[40:]).Err())
			require.Equal(t, list, standing(t, l))
			_ = os.RemoveAll(staging)
		})
	}
}

// A power cut in the middle of a commit takes what it was staged in: the first entries of
// the batch stand, and the log goes on behind them.
func TestOfABatchCutShortTheFirstEntriesStand(t *testing.T) {
	dir := t.TempDir()
	l, s, _ := logIn(t, dir)
	list := entries(0, 30)
	require.NoError(t, l.Append(0, list[:10]).Err())
	require.NoError(t, l.Append(10, list[10:]).Err())
	s.Stop()

	path := filepath.Join(dir, streamDir, "msgs", "1.blk")
	block, err := os.ReadFile(path)
	require.NoError(t, err)
	at := 0
	for range 17 {
		at += int(binary.LittleEndian.Uint32(block[at:]) &^ (1 << 31))
	}
	require.NoError(t, os.Truncate(path, int64(at+30))) // and a part of one
	require.NoError(t, os.Remove(filepath.Join(dir, streamDir, "msgs", "index.db")))

	var said bytes.Buffer
	s, err = natsd.Start(t.Context(), natsd.Config{StoreDir: dir, Name: ledger, Log: slog.New(slog.NewTextHandler(&said, nil))})
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	require.Contains(t, said.String(), "none of these was acknowledged")
	require.NotContains(t, said.String(), "ERROR")
	l, err = Open(t.Context(), connect(t, s), ledger)
	require.NoError(t, err)
	require.Equal(t, list[:17], standing(t, l))
	require.NoError(t, l.Append(17, list[17:]).Err())
	require.Equal(t, list, standing(t, l))
}
