package projections

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// In the directory of a generation, beside Pebble's files, lies the directory
// `documents`. In it are segments, each of two files that are named by the sequence
// of its first event, in 20 digits:
//
//	00000000000000000001.documents  messages, one after the other, byte for byte
//	00000000000000000001.index      an entry for each event: offset (4) ‖ length (4) ‖ XXH64 of the message, seeded with its sequence (8), big endian
//
// A segment holds the events from its first one on, up to the first one of the next
// segment, at most 65,536 of them: with messages of less than 64 KiB an offset has
// four bytes.
const (
	documentsDir   = "documents"
	documentsFile  = ".documents"
	indexFile      = ".index"
	entrySize      = 4 + 4 + 8
	segmentEvents  = 1 << 16
	mostDocument   = 1<<16 - 1
	mostSegments   = 16      // are open for reading at a time: 32 descriptors
	documentsBatch = 1 << 20 // bytes of messages that are written at a time, about
)

// documents keeps the messages themselves, so that reading one costs two reads of a
// file, and not a block of the stream, which its server loads whole and keeps for
// seconds (docs/decisions/0007).
//
// It is written, unsynced, before the position is, and read up to the position. What
// a crash took away, or damaged, is missing and nothing else: each message is
// compared with its checksum, which no other event's entry has
// (TestADocumentIsWhatWasRecordedOrMissing). No file is written any more once it was
// closed: an opening cuts off what lies beyond the position, and may be of events that
// were never recorded, and begins a new segment after it. So whatever part of the
// writing is lost, no older bytes appear in its place
// (TestNoDocumentOfAnotherHistoryIsSeen).
type documents struct {
	fs  vfs.FS
	dir string
	per uint64 // events a segment
	log *slog.Logger

	// Owned by the goroutine that applies.
	data, index vfs.File // being written; nil: the next event begins a segment
	first       uint64   // of the segment being written
	size        int      // of its messages, those in buf included
	buf, ibuf   []byte   // not written yet
	reopened    bool     // an earlier opening left segments here, and this one hasn't written yet

	mu     sync.Mutex
	firsts []uint64            // guarded by mu: of all segments, ascending
	open   map[uint64]*segment // guarded by mu: for reading, at most mostSegments
	reads  uint64              // guarded by mu: counts
}

// A segment is open for reading.
type segment struct {
	data, index vfs.File
	readers     int    // guarded by documents.mu
	used        uint64 // guarded by documents.mu: the read that used it last
	dropped     bool   // guarded by documents.mu: the last reader closes it
}

func newDocuments(cfg *Config, generation string) *documents {
	d := &documents{fs: cfg.fs, dir: cfg.fs.PathJoin(generation, documentsDir), per: cfg.segment, log: cfg.Log, open: map[uint64]*segment{}}
	if d.per == 0 {
		d.per = segmentEvents
	}
	return d
}

// load finds the segments that are there, and removes those of events beyond the
// position.
func (d *documents) load(pos uint64) error {
	names, err := d.fs.List(d.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, name := range names {
		digits, isIndex := strings.CutSuffix(name, indexFile)
		digits, isData := strings.CutSuffix(digits, documentsFile)
		first, err := strconv.ParseUint(digits, 10, 64)
		if err != nil || isIndex == isData {
			continue
		}
		d.reopened = true
		switch {
		case first > pos:
			if err := d.fs.Remove(d.fs.PathJoin(d.dir, name)); err != nil {
				return fmt.Errorf("remove documents beyond the position: %w", err)
			}
		default: // where a file is lost, no other segment stands for it
			d.firsts = append(d.firsts, first)
		}
	}
	slices.Sort(d.firsts)
	d.firsts = slices.Compact(d.firsts)
	if n := len(d.firsts); n > 0 {
		if err := d.cut(d.firsts[n-1], pos); err != nil {
			return fmt.Errorf("cut documents beyond the position off: %w", err)
		}
	}
	return nil
}

// cut leaves a segment's index with the entries up to the position. What lies beyond
// it may be of events that were never recorded.
func (d *documents) cut(first, pos uint64) error {
	name := d.path(first, indexFile)
	f, err := d.fs.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	b, err := io.ReadAll(f)
	if err := closing(err, f.Close); err != nil {
		return err
	}
	keep := (pos - first + 1) * entrySize
	if uint64(len(b)) <= keep {
		return nil
	}
	if f, err = d.fs.Create(name+".new", vfs.WriteCategoryUnspecified); err != nil {
		return err
	}
	_, err = f.Write(b[:keep])
	if err := closing(err, f.Close); err != nil {
		return err
	}
	return d.fs.Rename(name+".new", name)
}

// path is that of a segment's file.
func (d *documents) path(first uint64, kind string) string {
	return d.fs.PathJoin(d.dir, fmt.Sprintf("%020d%s", first, kind))
}

// append writes the messages of the events, the first of which is event next. One
// goroutine calls it. After an error it isn't called again.
func (d *documents) append(next uint64, events []Applied) error {
	for i := range events {
		seq, e := next+uint64(i), &events[i]
		if d.data == nil || seq-d.first == d.per {
			if err := d.begin(seq); err != nil {
				return fmt.Errorf("begin documents from %d on: %w", seq, err)
			}
		}
		message := e.Message
		if len(message) > mostDocument { // no event is: it would be read from the log
			message = nil
		}
		d.ibuf = binary.BigEndian.AppendUint32(d.ibuf, uint32(d.size))
		d.ibuf = binary.BigEndian.AppendUint32(d.ibuf, uint32(len(message)))
		d.ibuf = binary.BigEndian.AppendUint64(d.ibuf, documentSum(seq, message))
		d.buf = append(d.buf, message...)
		if d.size += len(message); len(d.buf) >= documentsBatch {
			if err := d.flush(); err != nil {
				return err
			}
		}
	}
	return d.flush()
}

// documentSum is the checksum of the event's message. The sequence is its seed, and
// isn't kept beside it: bytes that slipped could then put one event's sequence
// before another's offset, length and checksum.
func documentSum(seq uint64, message []byte) uint64 {
	var d xxhash.Digest
	d.ResetWithSeed(seq)
	d.Write(message)
	return d.Sum64()
}

// flush hands to the operating system what is buffered.
func (d *documents) flush() error {
	if len(d.buf) > 0 {
		if _, err := d.data.Write(d.buf); err != nil {
			return fmt.Errorf("write documents: %w", err)
		}
	}
	if len(d.ibuf) > 0 {
		if _, err := d.index.Write(d.ibuf); err != nil {
			return fmt.Errorf("write the index of documents: %w", err)
		}
	}
	d.buf, d.ibuf = d.buf[:0], d.ibuf[:0]
	return nil
}

// begin ends the segment being written and begins one at seq.
func (d *documents) begin(seq uint64) (err error) {
	if d.data != nil {
		if err := d.flush(); err != nil {
			return err
		}
		if err := d.end(); err != nil {
			return err
		}
	} else if err := d.fs.MkdirAll(d.dir, 0o700); err != nil {
		return err
	}
	if d.data, err = d.fs.Create(d.path(seq, documentsFile), vfs.WriteCategoryUnspecified); err != nil {
		return err
	}
	if d.index, err = d.fs.Create(d.path(seq, indexFile), vfs.WriteCategoryUnspecified); err != nil {
		return err
	}
	if d.reopened {
		// For good: else, after a crash, an older segment would stand for the events
		// of this one, with what it has beyond the position that was.
		dir, err := d.fs.OpenDir(d.dir)
		if err != nil {
			return err
		}
		if err := closing(dir.Sync(), dir.Close); err != nil {
			return err
		}
		d.reopened = false
	}
	d.first, d.size = seq, 0
	d.mu.Lock()
	d.firsts = append(d.firsts, seq)
	d.mu.Unlock()
	return nil
}

// end closes the files being written.
func (d *documents) end() (err error) {
	for _, f := range []*vfs.File{&d.data, &d.index} {
		if *f != nil {
			err = closing(err, (*f).Close)
			*f = nil
		}
	}
	return err
}

// close closes all files. Nobody reads or appends any more.
func (d *documents) close() error {
	err := d.end()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.open {
		err = closing(err, s.close)
	}
	clear(d.open)
	return err
}

func (s *segment) close() error { return closing(s.data.Close(), s.index.Close) }

// errLost says that a document isn't there as it was applied.
var errLost = errors.New("it isn't there as it was applied")

// read is the message of the event, which is applied; nil where it is missing.
func (d *documents) read(seq uint64) []byte {
	message, err := d.get(seq)
	switch {
	case err == nil:
		return message
	case errors.Is(err, errLost), errors.Is(err, io.EOF), errors.Is(err, fs.ErrNotExist):
		d.log.Debug("a document is read from the log", "seq", seq, "err", err)
	default:
		d.log.Warn("a document can't be read, and is read from the log", "seq", seq, "err", err)
	}
	return nil
}

func (d *documents) get(seq uint64) ([]byte, error) {
	s, first, err := d.enter(seq)
	if err != nil {
		return nil, err
	}
	defer d.leave(s)
	var entry [entrySize]byte
	if _, err := s.index.ReadAt(entry[:], int64((seq-first)*entrySize)); err != nil {
		return nil, err
	}
	offset, length := binary.BigEndian.Uint32(entry[:]), binary.BigEndian.Uint32(entry[4:])
	if length == 0 || length > mostDocument {
		return nil, errLost
	}
	message := make([]byte, length)
	if _, err := s.data.ReadAt(message, int64(offset)); err != nil {
		return nil, err
	}
	if documentSum(seq, message) != binary.BigEndian.Uint64(entry[8:]) {
		return nil, errLost
	}
	return message, nil
}

// enter is the segment that has the event, open until the caller leaves it, and its
// first event.
func (d *documents) enter(seq uint64) (*segment, uint64, error) {
	d.mu.Lock()
	i, found := slices.BinarySearch(d.firsts, seq)
	if !found {
		i--
	}
	if i < 0 {
		d.mu.Unlock()
		return nil, 0, errLost
	}
	first := d.firsts[i]
	s := d.open[first]
	if s != nil {
		d.use(s)
	}
	d.mu.Unlock()
	if s != nil {
		return s, first, nil
	}

	s = new(segment)
	var err error
	if s.data, err = d.fs.Open(d.path(first, documentsFile), vfs.RandomReadsOption); err != nil {
		return nil, 0, err
	}
	if s.index, err = d.fs.Open(d.path(first, indexFile), vfs.RandomReadsOption); err != nil {
		return nil, 0, closing(err, s.data.Close)
	}
	unused := s // what nobody reads any more
	d.mu.Lock()
	if other := d.open[first]; other != nil { // somebody was faster
		s = other
	} else {
		unused = d.drop()
		d.open[first] = s
	}
	d.use(s)
	d.mu.Unlock()
	if unused != nil {
		unused.close() // it was only read
	}
	return s, first, nil
}

// use counts a reader. The caller holds mu.
func (d *documents) use(s *segment) {
	d.reads++
	s.readers++
	s.used = d.reads
}

// drop makes room for one more segment, and gives what is to be closed for it, if
// anything. The caller holds mu.
func (d *documents) drop() *segment {
	if len(d.open) < mostSegments {
		return nil
	}
	var oldest uint64
	var s *segment
	for first, o := range d.open {
		if s == nil || o.used < s.used {
			oldest, s = first, o
		}
	}
	delete(d.open, oldest)
	s.dropped = true
	if s.readers > 0 {
		return nil
	}
	return s
}

func (d *documents) leave(s *segment) {
	d.mu.Lock()
	s.readers--
	last := s.dropped && s.readers == 0
	d.mu.Unlock()
	if last {
		s.close() // it was only read
	}
}

// Document is the message of the event, byte for byte as it was applied; the memory
// is the caller's. False: the store hasn't applied it, or lost it in a crash or to
// damage; the log has it. The error is that of a store that answers nothing
// (ErrClosed, ErrNotBuilt).
func (s *Store) Document(seq uint64) ([]byte, bool, error) {
	g, err := s.use()
	if err != nil {
		return nil, false, err
	}
	defer g.leave()
	if seq == 0 || seq > g.position() {
		return nil, false, nil
	}
	message := g.documents.read(seq)
	return message, message != nil, nil
}
