package projections

import (
	"cmp"
	"context"
	"encoding/binary"
	"slices"

	"github.com/bits-and-blooms/bloom/v3"
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/qtccc/assent/domain"
)

const (
	// runSize is how many ids of commands are sorted together: 24 bytes each.
	runSize = 1 << 20
	// tableBlocks is how many blocks of the trail make a table: 3 MB.
	tableBlocks = 8
	// mostWritten is for how many facts the filter has room: 80 MB. Of more, it lets
	// more look-ups through that find nothing.
	mostWritten = 1 << 26
)

// A bulk is the way into a generation that is built as a whole. What is most of a
// rebuild's keys comes sorted (the blocks of the trail) or can be (the ids of
// commands, one an event, which nothing reads meanwhile), so it is written as whole
// tables where Pebble would keep them in the end, instead of being sorted into
// memory, flushed and merged. That takes a third of a rebuild's work away
// (BenchmarkReplay). And since everything that is there was written through it, it
// knows of most facts that they aren't: of nine look-ups eight find nothing.
type bulk struct {
	fs      vfs.FS
	file    string // a table being written; nobody else's
	writer  sstable.WriterOptions
	db      *pebble.DB
	byActor map[string][]answered
	count   int // in byActor
	full    []*block
	written *bloom.BloomFilter // the keys of facts, but for ids of commands
}

// answered is a command's id, and the event that answered it.
type answered struct{ hi, lo, seq uint64 }

// newBulk is the way in for so many events.
func newBulk(cfg *Config, dir string, o *pebble.Options, db *pebble.DB, events uint64) *bulk {
	return &bulk{fs: cfg.fs, file: cfg.fs.PathJoin(dir, "new.sst"), writer: o.MakeWriterOptions(6, db.TableFormat()),
		db: db, byActor: map[string][]answered{},
		written: bloom.NewWithEstimates(uint(min(events, mostWritten)), 0.01)}
}

// command takes a command's id.
func (b *bulk) command(k domain.Key, seq domain.Seq) error {
	var room [128]byte
	key, ok := appendPrefix(room[:0], k)
	if !ok {
		return errNoKey(k)
	}
	id := key[len(key)-16:]
	b.byActor[k.A] = append(b.byActor[k.A], answered{binary.BigEndian.Uint64(id), binary.BigEndian.Uint64(id[8:]), uint64(seq)})
	if b.count++; b.count == runSize {
		return b.commands()
	}
	return nil
}

// commands writes the ids that were taken.
func (b *bulk) commands() error {
	if b.count == 0 {
		return nil
	}
	actors := make([]string, 0, len(b.byActor))
	for actor := range b.byActor {
		actors = append(actors, actor+"\x00") // as it sorts in a key
	}
	slices.Sort(actors)
	err := b.table(func(put func(key, value []byte) error) error {
		var key []byte
		for _, actor := range actors {
			ids := b.byActor[actor[:len(actor)-1]]
			slices.SortFunc(ids, func(x, y answered) int {
				return cmp.Or(cmp.Compare(x.hi, y.hi), cmp.Compare(x.lo, y.lo), cmp.Compare(y.seq, x.seq))
			})
			for _, id := range ids {
				key = append(append(key[:0], byte(domain.KindCommand)), actor...)
				key = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(key, id.hi), id.lo)
				if err := put(appendSeq(key, domain.Seq(id.seq)), nil); err != nil {
					return err
				}
			}
		}
		return nil
	})
	b.byActor, b.count = map[string][]answered{}, 0
	return err
}

// block takes a full block.
func (b *bulk) block(full *block) error {
	if b.full = append(b.full, full); len(b.full) == tableBlocks {
		return b.blocks()
	}
	return nil
}

// blocks writes the blocks that were taken.
func (b *bulk) blocks() error {
	if len(b.full) == 0 {
		return nil
	}
	err := b.table(func(put func(key, value []byte) error) error {
		for _, full := range b.full {
			if err := full.pairs(put); err != nil {
				return err
			}
		}
		return nil
	})
	b.full = nil
	return err
}

// table writes keys and values, which come ascending, into a table of their own.
func (b *bulk) table(pairs func(put func(key, value []byte) error) error) error {
	f, err := b.fs.Create(b.file, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	w := sstable.NewWriter(objstorageprovider.NewFileWritable(f), b.writer)
	if err := closing(pairs(w.Set), w.Close); err != nil {
		return err
	}
	return b.db.Ingest(context.Background(), []string{b.file})
}
