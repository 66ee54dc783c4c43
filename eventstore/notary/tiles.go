package notary

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"sync"

	"golang.org/x/mod/sumdb/tlog"
)

// files are an archive's, in a directory or in an export.
type files struct {
	fs.FS
	where string // for messages
}

// get is a file of at most so many bytes, in room, and its name; where a
// partial one isn't there any more, the full one.
func (f files) get(room *[]byte, partial, full string, most int) ([]byte, string, error) {
	b, err := readInto(room, f, partial, most)
	if errors.Is(err, fs.ErrNotExist) && partial != full {
		if b, fullErr := readInto(room, f, full, most); fullErr == nil {
			return b, full, nil
		}
	}
	if err != nil {
		return nil, partial, unread(f.path(partial), err)
	}
	return b, partial, nil
}

func (f files) path(name string) string { return f.where + "/" + name }

// tile is the first width hashes of a tile, as it is on the disk: nobody has looked
// yet at whether they are right.
func (f files) tile(level int, n uint64, width int) ([]tlog.Hash, error) {
	full := tilePath(level, n, tileWidth)
	b, name, err := f.get(new([]byte), tilePath(level, n, width), full, tileWidth*tlog.HashSize)
	if err != nil {
		return nil, err
	}
	has := width
	if name == full {
		has = tileWidth
	}
	if len(b) != has*tlog.HashSize {
		return nil, damaged(f.path(name), "it has "+strconv.Itoa(len(b))+" bytes")
	}
	hashes := make([]tlog.Hash, width)
	for i := range hashes {
		hashes[i] = tlog.Hash(b[i*tlog.HashSize:])
	}
	return hashes, nil
}

// mostBundle is how many bytes a bundle has at most.
const mostBundle = tileWidth * (2 + MostEntry)

// bundle is the messages of a bundle, as many as there are leaves, each of them the
// one that the leaf is of. They lie in room.
func (f files) bundle(room *[]byte, n uint64, leaves []tlog.Hash) ([][]byte, error) {
	partial := bundlePath(n, len(leaves))
	b, name, err := f.get(room, partial, bundlePath(n, tileWidth), mostBundle)
	if err != nil {
		return nil, err
	}
	messages := make([][]byte, 0, len(leaves))
	for m, err := range Entries(b) {
		if len(messages) == len(leaves) {
			if name != partial {
				break // the rest is of a later checkpoint
			}
			return nil, damaged(f.path(name), fmt.Sprintf("it goes on after event %d, its last", n*tileWidth+uint64(len(messages))))
		}
		seq := n*tileWidth + uint64(len(messages)) + 1
		if err != nil || tlog.RecordHash(m) != leaves[len(messages)] {
			return nil, damaged(f.path(name), fmt.Sprintf("event %d is not the one that was recorded", seq))
		}
		messages = append(messages, m)
	}
	if len(messages) < len(leaves) {
		return nil, damaged(f.path(name), fmt.Sprintf("it ends before event %d", n*tileWidth+uint64(len(messages))+1))
	}
	return messages, nil
}

// edge is the right edge of the tree of that size, as it is there.
func (f files) edge(size uint64) (*edge, error) {
	e := &edge{size: size}
	for level, n := 0, size; n > 0; level, n = level+1, n/tileWidth {
		var hashes []tlog.Hash
		if width := int(n % tileWidth); width > 0 {
			var err error
			if hashes, err = f.tile(level, n/tileWidth, width); err != nil {
				return nil, err
			}
		}
		e.levels = append(e.levels, hashes)
	}
	return e, nil
}

// at is the right edge of the tree of a checkpoint. The error is a *Damage where the
// tree that is there is another one.
func (f files) at(c Checkpoint) (*edge, error) {
	e, err := f.edge(c.Size)
	if err != nil || e.root() == c.Root {
		return e, err
	}
	for level, n := 0, c.Size; n > 0; level, n = level+1, n/tileWidth {
		if width := int(n % tileWidth); width > 0 && !f.follows(e, level, n/tileWidth) {
			return nil, damaged(f.path(tilePath(level, n/tileWidth, width)), "its hashes are not of what is below it")
		}
	}
	return nil, damaged(f.where, fmt.Sprintf("its tree of %d events is not the one of the checkpoint", c.Size))
}

// follows says whether a tile of the edge has the hashes of what is below it.
func (f files) follows(e *edge, level int, n uint64) bool {
	hashes := e.levels[level]
	if level == 0 {
		_, err := f.bundle(new([]byte), n, hashes)
		return err == nil
	}
	for i, h := range hashes {
		below, err := f.tile(level-1, n*tileWidth+uint64(i), tileWidth)
		if err != nil || subtree(below) != h {
			return false
		}
	}
	return true
}

// A Damage is a difference between what was recorded and what is there: nothing is
// to be answered from it.
type Damage struct {
	Where string // a file, or an event
	Why   string
}

func (d *Damage) Error() string { return d.Where + ": " + d.Why }

func damaged(where, why string) error { return &Damage{where, why} }

// tiles reads hashes of the tree and believes none that don't lead to the edge, which
// is in memory. Its methods may be called from any goroutine.
type tiles struct {
	files

	mu    sync.Mutex
	known map[tileID][]tlog.Hash // guarded by mu: full tiles that were found right
}

type tileID struct {
	level int
	n     uint64
}

func newTiles(fsys fs.FS, where string) *tiles {
	return &tiles{files: files{fsys, where}, known: map[tileID][]tlog.Hash{}}
}

// mostKnown is how many tiles are kept, 8 KiB each.
const mostKnown = 1024

// full is a full tile, found right against the hash that the level above has of it.
func (t *tiles) full(e *edge, level int, n uint64) ([]tlog.Hash, error) {
	id := tileID{level, n}
	t.mu.Lock()
	hashes := t.known[id]
	t.mu.Unlock()
	if hashes != nil {
		return hashes, nil
	}
	hashes, err := t.tile(level, n, tileWidth)
	if err != nil {
		return nil, err
	}
	above, err := t.hash(e, level+1, n)
	if err != nil {
		return nil, err
	}
	if subtree(hashes) != above {
		return nil, damaged(t.path(tilePath(level, n, tileWidth)), "its hashes are not those that were recorded")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for old := range t.known {
		if len(t.known) < mostKnown {
			break
		}
		delete(t.known, old) // any one will do
	}
	t.known[id] = hashes
	return hashes, nil
}

// hash is the i-th of all hashes at the tiles' level.
func (t *tiles) hash(e *edge, level int, i uint64) (tlog.Hash, error) {
	width := e.size
	for range level {
		width /= tileWidth
	}
	if level < len(e.levels) && i/tileWidth == width/tileWidth && i < width {
		return e.levels[level][i%tileWidth], nil
	}
	if i >= width {
		return tlog.Hash{}, fmt.Errorf("notary: a tree of %d has no hash %d at level %d", e.size, i, level)
	}
	hashes, err := t.full(e, level, i/tileWidth)
	if err != nil {
		return tlog.Hash{}, err
	}
	return hashes[i%tileWidth], nil
}

// reader gives the hashes that proofs are made of: of every subtree whose number of
// leaves is a power of two.
func (t *tiles) reader(e *edge) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			level, n := tlog.SplitStoredHashIndex(index)
			below := level % tileHeight // so many levels are between tiles
			hashes := make([]tlog.Hash, 1<<below)
			for j := range hashes {
				var err error
				if hashes[j], err = t.hash(e, level/tileHeight, uint64(n)<<below+uint64(j)); err != nil {
					return nil, err
				}
			}
			out[i] = subtree(hashes)
		}
		return out, nil
	})
}

// consistent proves that the tree goes on from the one of that size.
func (t *tiles) consistent(e *edge, size uint64) ([]tlog.Hash, error) {
	if size == 0 || size > e.size {
		return nil, fmt.Errorf("notary: the last checkpoint has %d events; nothing goes on from %d", e.size, size)
	}
	return tlog.ProveTree(int64(e.size), int64(size), t.reader(e))
}

// An Archive is read without its notary: the messages up to a checkpoint, each
// believed only where it leads to the checkpoint's root.
type Archive struct {
	Checkpoint
	tiles *tiles
	edge  *edge
}

// OpenArchive reads an archive at a checkpoint that was believed. Where is how
// messages call it. The error is a *Damage where its tree is not the checkpoint's.
func OpenArchive(fsys fs.FS, where string, c Checkpoint) (*Archive, error) {
	a := &Archive{Checkpoint: c, tiles: newTiles(fsys, where)}
	var err error
	if a.edge, err = a.tiles.at(c); err != nil {
		return nil, err
	}
	return a, nil
}

// Bundles is how many bundles hold the messages, and a Bundle's number is less.
func (a *Archive) Bundles() uint64 { return (a.Size + tileWidth - 1) / tileWidth }

// Bundle is the messages of one bundle, the first of which has the sequence first. It
// may be called from any goroutine. The error is a *Damage where one of them is not
// what was recorded.
func (a *Archive) Bundle(n uint64) (first uint64, messages [][]byte, err error) {
	return a.BundleIn(new([]byte), n)
}

// BundleIn is Bundle whose messages lie in room, which grows where it is too small, and
// are good until that is used again.
func (a *Archive) BundleIn(room *[]byte, n uint64) (first uint64, messages [][]byte, err error) {
	first = n*tileWidth + 1
	if n >= a.Bundles() {
		return first, nil, fmt.Errorf("notary: %d events have no bundle %d", a.Size, n)
	}
	var leaves []tlog.Hash
	if n == a.Size/tileWidth {
		leaves = a.edge.levels[0]
	} else if leaves, err = a.tiles.full(a.edge, 0, n); err != nil {
		return first, nil, err
	}
	messages, err = a.tiles.bundle(room, n, leaves)
	return first, messages, err
}

// Range says which messages a bundle has: the first one's sequence and how many.
func (a *Archive) Range(n uint64) (first, count uint64) {
	return n*tileWidth + 1, min(tileWidth, a.Size-n*tileWidth)
}

// Leaf is the hash of the message of a sequence up to Size.
func (a *Archive) Leaf(seq uint64) (tlog.Hash, error) { return a.tiles.hash(a.edge, 0, seq-1) }

// Consistent says whether the tree goes on from an earlier checkpoint of the log:
// nothing that this one had was altered or left out.
func (a *Archive) Consistent(earlier Checkpoint) error {
	if earlier.Size > a.Size {
		return damaged("the checkpoint of "+strconv.FormatUint(earlier.Size, 10)+" events", fmt.Sprintf("the log has %d only: it was rolled back", a.Size))
	}
	root := tlog.Hash(sha256.Sum256(nil))
	if earlier.Size > 0 {
		var err error
		if root, err = tlog.TreeHash(int64(earlier.Size), a.tiles.reader(a.edge)); err != nil {
			return err
		}
	}
	if root != earlier.Root {
		return damaged("the checkpoint of "+strconv.FormatUint(earlier.Size, 10)+" events", "the log has another history than it says: it was rewritten")
	}
	return nil
}

// Files gives each file of the archive that the checkpoint's tree needs, tiles and
// bundles, with the name that C2SP tlog-tiles gives it. They are what is there: who
// wants them checked reads each Bundle.
func (a *Archive) Files(each func(name string, b []byte) error) error {
	for level, width := 0, a.Size; width > 0; level, width = level+1, width/tileWidth {
		for n := uint64(0); n*tileWidth < width; n++ {
			count := int(min(tileWidth, width-n*tileWidth))
			hashes, err := a.tiles.tile(level, n, count)
			if err != nil {
				return err
			}
			b := make([]byte, 0, count*tlog.HashSize)
			for i := range hashes {
				b = append(b, hashes[i][:]...)
			}
			if err := each(tilePath(level, n, count), b); err != nil {
				return err
			}
			if level > 0 {
				continue
			}
			_, messages, err := a.Bundle(n)
			if err != nil {
				return err
			}
			b = b[:0]
			for _, m := range messages {
				if b, err = appendEntry(b, m); err != nil {
					return err
				}
			}
			if err := each(bundlePath(n, count), b); err != nil {
				return err
			}
		}
	}
	return nil
}
