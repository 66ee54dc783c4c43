package projections

import (
	"encoding/binary"
	"fmt"
	"iter"
	"maps"
	"math/bits"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

const (
	// blockSize is how many events a block of the trail has. It is written once,
	// when it is full: a key for each value in it and not for each event and value.
	// Larger blocks make fewer keys and more memory for the open one.
	blockSize = 1 << 14
	// chunkSize is how many times stand under one key.
	chunkSize = 1 << 8
)

// blockOf is the block that the event lies in, and its place there.
func blockOf(seq uint64) (number uint64, at int) {
	return (seq - 1) / blockSize, int((seq - 1) % blockSize)
}

// firstOf is the first event of a block.
func firstOf(number uint64) uint64 { return number*blockSize + 1 }

// A block is the postings and times of blockSize events, as far as they are known.
// The places of a value are a chain through links, so that a value costs no memory
// but its string and its entry.
type block struct {
	number uint64
	values [filters]map[string]uint32 // → chains
	chains []chain
	links  []link
	times  []int64 // nanoseconds since 1970, by place
}

// A chain is the places of the events with a value.
type chain struct {
	last  uint32 // the link with the last place
	count uint32
}

// A link is a place, and the link with the one before.
type link struct {
	before uint32
	place  uint16
}

func newBlock(number uint64) *block {
	b := &block{number: number}
	for f := range b.values {
		b.values[f] = map[string]uint32{}
	}
	return b
}

// roomAs makes room for as much as the block before had, so that it doesn't grow by
// and by.
func (b *block) roomAs(before *block) {
	b.times = make([]int64, 0, len(before.times))
	b.links = make([]link, 0, len(before.links)+len(before.links)/16)
	b.chains = make([]chain, 0, len(before.chains)+len(before.chains)/16)
	for f, values := range before.values {
		b.values[f] = make(map[string]uint32, len(values))
	}
}

// add adds the next event.
func (b *block) add(at int64, found mentions) {
	place := uint16(len(b.times))
	b.times = append(b.times, at)
	for _, m := range found {
		values, n := b.values[m.filter], uint32(len(b.links))
		i, ok := values[m.value]
		if !ok {
			i = uint32(len(b.chains))
			values[strings.Clone(m.value)] = i // it may hold a whole event
			b.chains = append(b.chains, chain{})
		}
		c := &b.chains[i]
		b.links = append(b.links, link{c.last, place})
		c.last = n
		c.count++
	}
}

// backwards gives the places of a chain, the last one first.
func (b *block) backwards(c chain) iter.Seq2[int, uint16] {
	return func(yield func(int, uint16) bool) {
		at := c.last
		for i := int(c.count) - 1; i >= 0; i-- {
			if l := b.links[at]; !yield(i, l.place) {
				return
			} else {
				at = l.before
			}
		}
	}
}

func (b *block) full() bool { return len(b.times) == blockSize }

// places is a set of places in a block.
type places [blockSize / 64]uint64

func (p *places) set(at uint16) { p[at/64] |= 1 << (at % 64) }

// all are the places from..to, half-open.
func (p *places) all(from, to int) {
	*p = places{}
	for at := from; at < to; at++ {
		p.set(uint16(at))
	}
}

// and keeps those that are in both.
func (p *places) and(q *places) {
	for i := range p {
		p[i] &= q[i]
	}
}

// or adds those of q.
func (p *places) or(q *places) {
	for i := range p {
		p[i] |= q[i]
	}
}

// each gives the places ascending, until f says false.
func (p *places) each(f func(at int) bool) {
	for i, word := range p {
		for ; word != 0; word &= word - 1 {
			if !f(i*64 + bits.TrailingZeros64(word)) {
				return
			}
		}
	}
}

// in sets p to the places under the mention.
func (b *block) in(m mention, p *places) {
	*p = places{}
	if i, ok := b.values[m.filter][m.value]; ok {
		for _, at := range b.backwards(b.chains[i]) {
			p.set(at)
		}
	}
}

// Postings are written as 00 and the places as uvarints, each less the one before,
// or as 01 and one bit a place, whichever is shorter.
func appendPostings(dst []byte, at []uint16) []byte {
	n := len(dst)
	dst = append(dst, 0)
	before := uint16(0)
	for _, place := range at {
		dst = binary.AppendUvarint(dst, uint64(place-before))
		before = place
		if len(dst)-n > blockSize/8 {
			var p places
			for _, place := range at {
				p.set(place)
			}
			dst = append(dst[:n], 1)
			for _, word := range p {
				dst = binary.LittleEndian.AppendUint64(dst, word)
			}
			return dst
		}
	}
	return dst
}

// parsePostings sets p to the places that appendPostings wrote.
func parsePostings(b []byte, p *places) error {
	*p = places{}
	switch {
	case len(b) == 1+blockSize/8 && b[0] == 1:
		for i := range p {
			p[i] = binary.LittleEndian.Uint64(b[1+8*i:])
		}
		return nil
	case len(b) > 1 && b[0] == 0:
		place := uint64(0)
		for b = b[1:]; len(b) > 0; {
			d, n := binary.Uvarint(b)
			if place += d; n <= 0 || d >= blockSize || place >= blockSize {
				return fmt.Errorf("%w: postings", errDamaged)
			}
			p.set(uint16(place))
			b = b[n:]
		}
		return nil
	}
	return fmt.Errorf("%w: postings of %d bytes", errDamaged, len(b))
}

func postingsKey(dst []byte, number uint64, m mention) []byte {
	dst = binary.BigEndian.AppendUint64(append(dst, spaceBlocks), number)
	return append(append(dst, byte(m.filter)), m.value...)
}

func timesKey(dst []byte, number uint64, chunk int) []byte {
	dst = binary.BigEndian.AppendUint64(append(dst, spaceBlocks), number)
	return append(dst, byte(byTime), byte(chunk))
}

// pairs gives each key and value of the block, ascending. Neither is good after
// put returns.
func (b *block) pairs(put func(key, value []byte) error) error {
	var key, value []byte
	var sorted []string
	var at []uint16
	for f, values := range b.values {
		sorted = slices.AppendSeq(sorted[:0], maps.Keys(values))
		slices.Sort(sorted)
		for _, v := range sorted {
			c := b.chains[values[v]]
			at = slices.Grow(at[:0], int(c.count))[:c.count]
			for i, place := range b.backwards(c) {
				at[i] = place
			}
			key = postingsKey(key[:0], b.number, mention{filter(f), v})
			value = appendPostings(value[:0], at)
			if err := put(key, value); err != nil {
				return err
			}
		}
	}
	for i := 0; i < len(b.times); i += chunkSize {
		key = timesKey(key[:0], b.number, i/chunkSize)
		value = appendTimes(value[:0], b.times[i:min(i+chunkSize, len(b.times))])
		if err := put(key, value); err != nil {
			return err
		}
	}
	return nil
}

// Times are written as varints, each less the one before.
func appendTimes(dst []byte, times []int64) []byte {
	before := int64(0)
	for _, t := range times {
		dst = binary.AppendVarint(dst, t-before)
		before = t
	}
	return dst
}

// parseTime is the time at a place among those that appendTimes wrote.
func parseTime(b []byte, at int) (time.Time, error) {
	t := int64(0)
	for range at + 1 {
		d, n := binary.Varint(b)
		if n <= 0 {
			return time.Time{}, fmt.Errorf("%w: times", errDamaged)
		}
		t += d
		b = b[n:]
	}
	return time.Unix(0, t).UTC(), nil
}

// A tail is what one batch added to the open block, so that the block is there
// again after a crash: an event after the other
//
//	varint (time less the one before) ‖ uvarint (mentions) ‖ { filter ‖ uvarint (length) ‖ value }
func appendTail(dst []byte, before, at int64, found mentions) []byte {
	dst = binary.AppendVarint(dst, at-before)
	dst = binary.AppendUvarint(dst, uint64(len(found)))
	for _, m := range found {
		dst = binary.AppendUvarint(append(dst, byte(m.filter)), uint64(len(m.value)))
		dst = append(dst, m.value...)
	}
	return dst
}

// asTail is the whole block as one tail.
func (b *block) asTail() []byte {
	found := make([]mentions, len(b.times))
	for f, values := range b.values {
		for v, i := range values {
			for _, at := range b.backwards(b.chains[i]) {
				found[at] = append(found[at], mention{filter(f), v})
			}
		}
	}
	var tail []byte
	before := int64(0)
	for i, at := range b.times {
		tail = appendTail(tail, before, at, found[i])
		before = at
	}
	return tail
}

// addTail adds the events of a tail.
func (b *block) addTail(tail []byte) error {
	damaged := fmt.Errorf("%w: the tail of block %d", errDamaged, b.number)
	at := int64(0)
	var found mentions
	for len(tail) > 0 {
		d, n := binary.Varint(tail)
		if n <= 0 || b.full() {
			return damaged
		}
		count, m := binary.Uvarint(tail[n:])
		if m <= 0 {
			return damaged
		}
		at, tail, found = at+d, tail[n+m:], found[:0]
		for range count {
			if len(tail) == 0 {
				return damaged
			}
			f := filter(tail[0])
			size, n := binary.Uvarint(tail[1:])
			if f >= filters || n <= 0 || size > uint64(len(tail)-1-n) {
				return damaged
			}
			found = append(found, mention{f, string(tail[1+n : 1+n+int(size)])})
			tail = tail[1+n+int(size):]
		}
		b.add(at, found)
	}
	return nil
}

func tailKey(seq uint64) []byte { return binary.BigEndian.AppendUint64([]byte{spaceTail}, seq) }
func backKey(seq uint64) []byte { return binary.BigEndian.AppendUint64([]byte{spaceBack}, seq) }

// seal writes the block and drops what was kept in case of a crash.
func (b *block) seal(to *pebble.Batch) error {
	if err := b.pairs(func(k, v []byte) error { return to.Set(k, v, nil) }); err != nil {
		return err
	}
	return to.DeleteRange(tailKey(firstOf(b.number)), tailKey(firstOf(b.number+1)), nil)
}
