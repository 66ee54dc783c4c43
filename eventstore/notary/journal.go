package notary

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
)

// A journal has the messages that no checkpoint has yet, for those who wait until there
// are two copies: two files in the archive that are written over and over, so that a
// copy costs one sync and no other change to the disk.
//
// A record is its length (4 bytes, the higher first), its sequence (8), a CRC-32C of
// both and the message (4), and the message. What follows the last one is of an earlier
// turn: its sequence doesn't follow.
type journal struct {
	disk
	dir      string
	most     int64 // how long a segment is, whatever is in it
	segments [2]segment
	active   int
}

// A segment is one of the two files.
type segment struct {
	file *os.File
	at   int64  // where the next record goes
	last uint64 // the sequence of the last one; 0: none
}

// segmentBytes is how long a segment is at most.
const segmentBytes = 8 << 20

const recordHeader = 16

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func segmentName(i int) string { return fmt.Sprintf("journal.%d", i) }

// openJournal makes the two files, with nothing in them.
func openJournal(dir string, d disk, most int64) (*journal, error) {
	j := &journal{disk: d, dir: dir, most: most}
	for i := range j.segments {
		path := filepath.Join(dir, segmentName(i))
		err := d.replace(path, make([]byte, most))
		if err == nil {
			j.segments[i].file, err = os.OpenFile(path, os.O_RDWR, 0)
		}
		if err != nil {
			return nil, errors.Join(err, j.close())
		}
	}
	if err := d.syncDir(dir); err != nil {
		return nil, errors.Join(err, j.close())
	}
	return j, nil
}

func (j *journal) close() (err error) {
	for _, s := range j.segments {
		if s.file != nil {
			err = errors.Join(err, s.file.Close())
		}
	}
	return err
}

// appendRecord appends the record of a message.
func appendRecord(b []byte, seq uint64, message []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(message)))
	b = binary.BigEndian.AppendUint64(b, seq)
	sum := crc32.Update(crc32.Checksum(b[len(b)-12:], castagnoli), castagnoli, message)
	return append(binary.BigEndian.AppendUint32(b, sum), message...)
}

// records gives the messages of a segment, as far as each follows the one before.
func records(b []byte, each func(seq uint64, message []byte)) {
	for before := uint64(0); len(b) >= recordHeader; {
		length, seq := binary.BigEndian.Uint32(b), binary.BigEndian.Uint64(b[4:])
		if length > MostEntry || len(b) < recordHeader+int(length) || seq == 0 || before > 0 && seq != before+1 {
			return
		}
		m := b[recordHeader : recordHeader+length]
		if crc32.Update(crc32.Checksum(b[:12], castagnoli), castagnoli, m) != binary.BigEndian.Uint32(b[12:]) {
			return
		}
		each(seq, m)
		before, b = seq, b[recordHeader+length:]
	}
}

// put writes as many of the messages from a sequence on as there is room for, durably,
// and returns how many they are. Those up to size need no journal any more.
func (j *journal) put(size, first uint64, messages [][]byte) (int, error) {
	s := &j.segments[j.active]
	if s.last <= size {
		s.at = 0
	}
	if other := 1 - j.active; s.at+recordHeader+int64(len(messages[0])) > j.most && j.segments[other].last <= size {
		j.active = other
		s = &j.segments[other]
		s.at = 0
	}
	var b []byte
	n := 0
	for _, m := range messages {
		if s.at+int64(len(b)+recordHeader+len(m)) > j.most {
			break
		}
		b = appendRecord(b, first+uint64(n), m)
		n++
	}
	if n == 0 {
		return 0, nil
	}
	path := filepath.Join(j.dir, segmentName(j.active))
	err := j.do(effect{what: "overwrite", path: path, data: b, at: s.at}, func() error {
		_, err := s.file.WriteAt(b, s.at)
		return err
	})
	if err == nil {
		err = j.do(effect{what: "sync", path: path}, func() error { return dataSync(s.file) })
	}
	if err != nil {
		return 0, fmt.Errorf("notary: write %s: %w", path, err)
	}
	s.at, s.last = s.at+int64(len(b)), first+uint64(n)-1
	return n, nil
}

// journaled are the messages after a sequence that a journal in the archive has,
// without a gap.
func (f files) journaled(after uint64) ([][]byte, error) {
	found := map[uint64][]byte{}
	for i := range 2 {
		b, err := readFile(f, segmentName(i), segmentBytes)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, unread(f.path(segmentName(i)), err)
		}
		records(b, func(seq uint64, m []byte) { found[seq] = m })
	}
	var messages [][]byte
	for seq := after + 1; found[seq] != nil; seq++ {
		messages = append(messages, found[seq])
	}
	return messages, nil
}

// Beyond is the messages that the archive has beyond its checkpoint, from sequence
// Size+1 on: the stream acknowledged them, Copied promised them, and nobody signed for
// them yet.
func (a *Archive) Beyond() ([][]byte, error) { return a.tiles.journaled(a.Size) }

// compare looks whether the stream has what Copied promised beyond the last checkpoint.
func (n *Notary) compare(ctx context.Context) error {
	promised, err := n.tiles.journaled(n.now.edge.size)
	if err != nil || len(promised) == 0 {
		return err
	}
	first, last := n.now.edge.size+1, n.now.edge.size+uint64(len(promised))
	has, err := n.cfg.Stream.Last(ctx)
	if err != nil {
		return fmt.Errorf("notary: look for the stream's end: %w", err)
	}
	if has < last {
		return damaged("the stream", fmt.Sprintf("it ends at event %d, and the archive has %d", has, last))
	}
	err = n.cfg.Stream.Read(ctx, first, last, func(seq uint64, m []byte) error {
		if seq < first || seq > last || !bytes.Equal(m, promised[seq-first]) {
			return damaged(fmt.Sprintf("event %d", seq), "the stream holds other bytes than the archive")
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("notary: compare events %d to %d: %w", first, last, err)
	}
	return nil
}

// Copied returns nil once the message seq is on the archive's disk, in a checkpoint or
// not yet, else the context's error, or why it can't be at present, which is tried
// again. It is quicker than Wait: where a message needs a second copy, not a proof.
func (n *Notary) Copied(ctx context.Context, seq uint64) error {
	for {
		n.mu.Lock()
		reached, moved, trouble := max(n.copied, n.now.edge.size), n.moved, n.trouble
		n.mu.Unlock()
		if reached >= seq {
			return nil
		}
		select {
		case n.copy <- struct{}{}:
		default:
		}
		if trouble != nil {
			return trouble
		}
		select {
		case <-moved:
		case <-n.ended:
			if n.Size() < seq {
				return ErrClosed
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// copyOn writes the journal, whenever somebody waits for it. Where it can't, a
// checkpoint is made instead, and the journal anew when that has all that was in it.
func (n *Notary) copyOn() {
	var j *journal
	var said string
	for {
		select {
		case <-n.copy:
		case <-n.life.Done():
			if j != nil {
				_ = j.close() // each record was synced
			}
			return
		}
		n.mu.Lock()
		needed := n.copied > n.now.edge.size
		n.mu.Unlock()
		if j == nil && needed {
			n.hurry()
			continue
		}
		var err error
		if j == nil {
			j, err = openJournal(n.cfg.Archive, n.disk, n.cfg.segment)
		}
		for more := err == nil; more && err == nil; {
			more, err = n.copySome(j)
		}
		if err == nil {
			said = ""
			continue
		}
		if said != err.Error() {
			said = err.Error()
			n.cfg.Log.Warn("the archive's journal can't be written; checkpoints are made instead", "err", err)
		}
		if j != nil {
			_ = j.close() // it is made anew
		}
		j = nil
		n.hurry()
	}
}

// mostCopied bounds the bytes that are copied between two answers.
const mostCopied = 1 << 20

// copySome copies what waits, and says whether there may be more.
func (n *Notary) copySome(j *journal) (bool, error) {
	n.mu.Lock()
	size := n.now.edge.size
	from := max(n.copied, size) + 1
	var here [][]byte
	if i := from - n.first; n.first <= from && i < uint64(len(n.waiting)) {
		for bytes := 0; i < uint64(len(n.waiting)) && bytes < mostCopied; i++ {
			here = append(here, n.waiting[i])
			bytes += len(n.waiting[i])
		}
	}
	behind := from <= n.taken
	n.mu.Unlock()
	done := 0
	var err error
	if len(here) > 0 {
		done, err = j.put(size, from, here)
	}
	if err != nil || done == 0 {
		if behind {
			n.hurry() // it isn't in memory, or there is no room: a checkpoint makes some
		}
		return false, err
	}
	n.mu.Lock()
	n.copied = from + uint64(done) - 1
	n.tell()
	n.mu.Unlock()
	return true, nil
}
