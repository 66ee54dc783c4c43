package natsd

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A BlockDamage says of a block of the stream, a file of the server's, that it isn't
// what the server wrote.
type BlockDamage struct {
	Path string
	At   int // byte
}

func (d *BlockDamage) Error() string {
	return fmt.Sprintf("the block %s of the stream is damaged at byte %d", d.Path, d.At)
}

// The server (2.15) reads what lies where in a block without looking at checksums, and
// takes note of each sequence that is left out in it, one by one: a bit that is flipped
// in the sequence of a record has it take note until there is no memory left, whoever
// reads the block. So the sequences are looked at before it does
// (TestAFlippedSequenceIsFoundBeforeTheServerReadsIt).
//
//	record  length (4), of it all, the highest bit for headers ‖ sequence (8), the two
//	        highest bits for what was removed ‖ time (8) ‖ length of the subject (2) ‖
//	        subject, headers and data ‖ checksum (8), all little endian
const (
	recordHeader = 22
	hasHeaders   = 1 << 31
	removed      = 3 << 62
)

// blocks are the blocks of all streams in a store, the newest first.
func blocks(storeDir string) ([]string, error) {
	paths, err := fs.Glob(os.DirFS(storeDir), "jetstream/*/streams/*/msgs/*.blk")
	if err != nil {
		return nil, err
	}
	for i, path := range paths {
		paths[i] = filepath.Join(storeDir, filepath.FromSlash(path))
	}
	number := func(path string) int {
		n, _ := strconv.Atoi(strings.TrimSuffix(filepath.Base(path), ".blk"))
		return n
	}
	slices.SortFunc(paths, func(a, b string) int { return cmp.Compare(number(b), number(a)) })
	return paths, nil
}

// checkBlock is a *BlockDamage where the sequences of the block go further than it has
// room for. What else is wrong in it the server finds itself. It is read into room, 8 MB.
func checkBlock(room *bytes.Buffer, path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) { // the server removed it
		return nil
	}
	if err == nil {
		room.Reset()
		_, err = room.ReadFrom(f)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return fmt.Errorf("natsd: look through a block of the stream: %w", err)
	}
	b := room.Bytes()
	last := uint64(0)
	for at := 0; at+recordHeader <= len(b); {
		length := int(binary.LittleEndian.Uint32(b[at:]) &^ hasHeaders)
		seq := binary.LittleEndian.Uint64(b[at+4:]) &^ removed
		if length < recordHeader || length > len(b)-at {
			return nil
		}
		if last > 0 && seq > last && seq-last > uint64(len(b)) {
			return &BlockDamage{path, at + 4}
		}
		last = max(last, seq)
		at += length
	}
	return nil
}

// checkBlocks looks through the blocks for so long, the newest first; 0: through all.
func checkBlocks(ctx context.Context, storeDir string, within time.Duration) error {
	began := time.Now()
	var room bytes.Buffer
	all, err := blocks(storeDir)
	for i := 0; err == nil && i < len(all) && (within == 0 || time.Since(began) < within); i++ {
		if err = checkBlock(&room, all[i]); err == nil {
			err = ctx.Err()
		}
	}
	return err
}

// CheckBlocks looks through all blocks, resting nine tenths of the time. The error is a
// *BlockDamage where one is damaged.
func (s *Server) CheckBlocks(ctx context.Context) error {
	all, err := blocks(s.storeDir)
	if err != nil {
		return err
	}
	var room bytes.Buffer
	for _, path := range all {
		began := time.Now()
		if err := checkBlock(&room, path); err != nil {
			return err
		}
		rest := time.NewTimer(9 * time.Since(began))
		select {
		case <-rest.C:
		case <-ctx.Done():
			rest.Stop()
			return ctx.Err()
		}
	}
	return nil
}
