package projections

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/go-json-experiment/json"

	"github.com/qtccc/assent/domain"
)

// Every key begins with one byte that says what it is. Below spaceMeta it is the
// kind of a fact.
const (
	spaceMeta   = 0xf0 // ‖ name
	spaceBlocks = 0xf1 // ‖ block (8) ‖ filter (1) ‖ value → postings; ‖ block (8) ‖ ff ‖ chunk (1) → times
	spaceTail   = 0xf3 // ‖ seq (8) → what a batch added to the open block
	spaceBack   = 0xf4 // ‖ seq (8): at this event the clock went back
	// f5 is what falls due (due.go).
)

// A fact's key is
//
//	kind ‖ A ‖ 00 ‖ B ‖ 00 ‖ C ‖ 00 ‖ ^From (8)
//
// so that versions of one fact stand side by side, the newest first, and "as it was
// after n" is the first one not before ^n. What stands before ^From is the key's
// prefix (split), which the Bloom filters hold. No A, B or C has a byte 00 in it.
// The id of a command, in by far the most facts, is 16 bytes instead:
//
//	24 ‖ actor ‖ 00 ‖ UUID (16) ‖ ^From (8)
const seqLen = 8

// appendPrefix appends the key of the fact without its version. It says false for
// what can't be a fact's key: then there is no such fact.
func appendPrefix(dst []byte, k domain.Key) ([]byte, bool) {
	dst = append(append(dst, byte(k.Kind)), k.A...)
	dst = append(dst, 0)
	if k.Kind == domain.KindCommand {
		if k.B != "" || !domain.IsUUID(k.C) {
			return dst, false
		}
		for _, part := range [...]string{k.C[:8], k.C[9:13], k.C[14:18], k.C[19:23], k.C[24:]} {
			dst, _ = hex.AppendDecode(dst, []byte(part))
		}
		return dst, true
	}
	dst = append(append(dst, k.B...), 0)
	return append(append(dst, k.C...), 0), true
}

// appendList appends what the keys of the facts of a list begin with.
func appendList(dst []byte, kind domain.Kind, a, b string) []byte {
	dst = append(append(dst, byte(kind)), a...)
	dst = append(dst, 0)
	if b != "" {
		dst = append(append(dst, b...), 0)
	}
	return dst
}

// appendSeq appends a version.
func appendSeq(dst []byte, seq domain.Seq) []byte {
	return binary.BigEndian.AppendUint64(dst, ^uint64(seq))
}

// split is where the prefix of a key ends. It is a function of the bytes up to the
// prefix's end alone, so prefixes sort as keys do, whatever the keys are.
func split(key []byte) int {
	if len(key) == 0 || key[0] >= spaceMeta {
		return len(key)
	}
	at, zeros := 1, 3
	if key[0] == byte(domain.KindCommand) {
		zeros = 1
	}
	for range zeros {
		i := bytes.IndexByte(key[at:], 0)
		if i < 0 {
			return len(key)
		}
		at += i + 1
	}
	if key[0] == byte(domain.KindCommand) {
		at += 16
	}
	return min(at, len(key))
}

// comparer sorts bytewise and knows prefixes. Its name is written to disk.
var comparer = func() *pebble.Comparer {
	c := *pebble.DefaultComparer
	c.Name = "assent.facts.1"
	c.Split = split
	c.ImmediateSuccessor = func(dst, prefix []byte) []byte {
		n := len(dst)
		dst = append(dst, prefix...)
		if len(prefix) > 0 && prefix[0] < spaceMeta {
			for i := len(dst) - 1; i > n; i-- { // one more than the prefix, as a number
				if dst[i]++; dst[i] != 0 {
					return dst
				}
			}
			return append(dst[:n], prefix[0]+1)
		}
		return append(dst, 0)
	}
	return &c
}()

var errDamaged = errors.New("a read model holds what this program never wrote")

// errNoKey says that an event changes what can't be a fact.
func errNoKey(k domain.Key) error { return fmt.Errorf("there can be no fact %v", k) }

// parseKey reads a fact's key.
func parseKey(b []byte) (domain.Key, domain.Seq, error) {
	n := split(b)
	if len(b) != n+seqLen {
		return domain.Key{}, 0, fmt.Errorf("%w: key %x", errDamaged, b)
	}
	from := domain.Seq(^binary.BigEndian.Uint64(b[n:]))
	k := domain.Key{Kind: domain.Kind(b[0])}
	rest := b[1:n]
	if k.Kind == domain.KindCommand {
		k.A, k.C = string(rest[:len(rest)-17]), uuid(rest[len(rest)-16:])
		return k, from, nil
	}
	a := bytes.IndexByte(rest, 0)
	c := a + 1 + bytes.IndexByte(rest[a+1:], 0)
	k.A, k.B, k.C = string(rest[:a]), string(rest[a+1:c]), string(rest[c+1:len(rest)-1])
	return k, from, nil
}

func uuid(b []byte) string {
	var s [36]byte
	hex.Encode(s[:8], b[:4])
	hex.Encode(s[9:13], b[4:6])
	hex.Encode(s[14:18], b[6:8])
	hex.Encode(s[19:23], b[8:10])
	hex.Encode(s[24:], b[10:])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return string(s[:])
}

// A version is a fact as one event left it.
type version struct {
	domain.Known
	// ord is the fact's place among those that its first event changed: facts that
	// became known by one event are listed in the order in which it names them.
	ord int
}

// A version's value is
//
//	uvarint(From - First) ‖ uvarint(ord) ‖ the fact in JSON
//
// and empty where both numbers are 0 and the fact says nothing. JSON, because a
// fact that gets a field with a later issue is then read as it was written before,
// and because it costs little where it is needed: most events change no fact that
// says anything (BenchmarkFactCodec).
func appendVersion(dst []byte, v version) ([]byte, error) {
	n := len(dst)
	dst = binary.AppendUvarint(dst, uint64(v.From-v.First))
	dst = binary.AppendUvarint(dst, uint64(v.ord))
	m := len(dst)
	dst, err := appendJSON(dst, v.Fact)
	if err != nil {
		return nil, err
	}
	if string(dst[m:]) == "{}" {
		dst = dst[:m]
	}
	if m == len(dst) && m == n+2 && dst[n] == 0 && dst[n+1] == 0 {
		dst = dst[:n]
	}
	return dst, nil
}

func appendJSON(dst []byte, f domain.Fact) ([]byte, error) {
	if _, ok := f.(*domain.Answered); ok { // one an event
		return append(dst, "{}"...), nil
	}
	buf := bytes.NewBuffer(dst)
	if err := json.MarshalWrite(buf, f); err != nil {
		return nil, fmt.Errorf("write a fact: %w", err)
	}
	return buf.Bytes(), nil
}

// parseVersion reads a version of a fact of that kind. Nothing of b is kept.
func parseVersion(kind domain.Kind, from domain.Seq, b []byte) (version, error) {
	v, rest, err := parseLife(from, b)
	if err != nil {
		return version{}, err
	}
	if v.Fact = domain.NewFact(kind); v.Fact == nil {
		return version{}, fmt.Errorf("%w: a fact of kind %d", errDamaged, kind)
	}
	if len(rest) > 0 {
		if err := json.Unmarshal(rest, v.Fact); err != nil {
			return version{}, fmt.Errorf("%w: a fact of kind %d: %w", errDamaged, kind, err)
		}
	}
	return v, nil
}

// parseLife reads a version without its fact.
func parseLife(from domain.Seq, b []byte) (v version, rest []byte, err error) {
	v.From, v.First = from, from
	if len(b) == 0 {
		return v, nil, nil
	}
	since, n := binary.Uvarint(b)
	ord, m := binary.Uvarint(b[max(n, 0):])
	if n <= 0 || m <= 0 || since >= uint64(from) {
		return v, nil, fmt.Errorf("%w: a fact's life %x", errDamaged, b[:min(len(b), 20)])
	}
	v.First, v.ord = from-domain.Seq(since), int(ord)
	return v, b[n+m:], nil
}
