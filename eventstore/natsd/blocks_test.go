package natsd_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/eventstore/natsd"
)

// The server would take note of each number that is missing until there is no memory
// left: a high bit of a sequence is found before it reads the block, by Start or, of the
// older blocks, by CheckBlocks.
func TestAFlippedSequenceIsFoundBeforeTheServerReadsIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "nats")
	cfg := natsd.Config{StoreDir: dir, Name: "test"}
	s, err := natsd.Start(t.Context(), cfg)
	require.NoError(t, err)
	nc, err := s.Ledger()
	require.NoError(t, err)
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "TEST", Subjects: []string{"test.>"}, Storage: jetstream.FileStorage})
	require.NoError(t, err)
	for i := range 1_000 {
		_, err := js.Publish(t.Context(), fmt.Sprintf("test.%d", i%7), make([]byte, 9_000))
		require.NoError(t, err)
	}
	s.Stop()

	blocks, err := filepath.Glob(filepath.Join(dir, "jetstream/*/streams/TEST/msgs/*.blk"))
	require.NoError(t, err)
	require.Len(t, blocks, 2)
	for _, path := range blocks {
		sound, err := os.ReadFile(path)
		require.NoError(t, err)
		var records []int
		for at := 0; at < len(sound); at += int(binary.LittleEndian.Uint32(sound[at:])) {
			records = append(records, at)
		}
		for _, at := range []int{records[1], records[len(records)/2], records[len(records)-1]} {
			for bit := 24; bit < 62; bit++ {
				b := append([]byte{}, sound...)
				b[at+4+bit/8] ^= 1 << (bit % 8)
				require.NoError(t, os.WriteFile(path, b, 0o600))
				s, err := natsd.Start(t.Context(), cfg)
				if err == nil {
					s.Stop()
				}
				var d *natsd.BlockDamage
				require.ErrorAs(t, err, &d, "bit %d of the sequence at %d", bit, at)
				require.Equal(t, natsd.BlockDamage{Path: path, At: at + 4}, *d)
			}
		}
		require.NoError(t, os.WriteFile(path, sound, 0o600))
	}

	// A start that hasn't the time for it leaves it to CheckBlocks.
	sound, err := os.ReadFile(blocks[0])
	require.NoError(t, err)
	b := append([]byte{}, sound...)
	b[binary.LittleEndian.Uint32(b)+4+5] ^= 1
	cfg.CheckFor = 1
	s, err = natsd.Start(t.Context(), cfg)
	require.NoError(t, err)
	defer s.Stop()
	require.NoError(t, os.WriteFile(blocks[0], b, 0o600))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.CheckBlocks(ended), context.Canceled)
	began := time.Now()
	var d *natsd.BlockDamage
	require.True(t, errors.As(s.CheckBlocks(t.Context()), &d))
	require.Equal(t, blocks[0], d.Path)
	require.Less(t, time.Since(began), 5*time.Second)
}
