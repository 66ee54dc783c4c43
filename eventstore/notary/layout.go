package notary

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
)

// tileWidth is how many hashes a full tile has, and how many entries a full bundle.
const tileWidth = 256

// tileHeight is log2 of it, as tlog counts.
const tileHeight = 8

// MostEntry is how many bytes a message has at most.
const MostEntry = 1<<16 - 1

// tilePath is where the hashes of a tile are: tile/LEVEL/N, or tile/LEVEL/N.p/WIDTH
// while it isn't full.
func tilePath(level int, n uint64, width int) string {
	return fmt.Sprintf("tile/%d/%s", level, numbered(n, width))
}

// bundlePath is where the messages are whose hashes a tile of level 0 has.
func bundlePath(n uint64, width int) string { return "tile/entries/" + numbered(n, width) }

// numbered writes a tile's number in path elements of three digits, all but the last
// beginning with an x: 1234067 is x001/x234/067.
func numbered(n uint64, width int) string {
	s := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		s = fmt.Sprintf("x%03d/%s", n%1000, s)
	}
	if width < tileWidth {
		s += fmt.Sprintf(".p/%d", width)
	}
	return s
}

// appendEntry appends a message to a bundle: two bytes that say how long it is, the
// higher first, and the message.
func appendEntry(bundle, message []byte) ([]byte, error) {
	if len(message) > MostEntry {
		return nil, fmt.Errorf("notary: a message of %d bytes; an entry has at most %d", len(message), MostEntry)
	}
	return append(binary.BigEndian.AppendUint16(bundle, uint16(len(message))), message...), nil
}

// ErrBundle says that a file is no entry bundle.
var ErrBundle = errors.New("notary: not an entry bundle")

// Entries yields the messages of a bundle, in their order; what it yields lies in the
// bundle. After an ErrBundle, which is what is wrong with the rest, nothing follows.
func Entries(bundle []byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for len(bundle) > 0 {
			if len(bundle) < 2 || len(bundle) < 2+int(binary.BigEndian.Uint16(bundle)) {
				yield(nil, ErrBundle)
				return
			}
			n := 2 + int(binary.BigEndian.Uint16(bundle))
			if !yield(bundle[2:n:n], nil) {
				return
			}
			bundle = bundle[n:]
		}
	}
}
