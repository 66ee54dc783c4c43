package cloudevent

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/qtccc/assent/domain"
)

// A scanner reads the one spelling from the front. After its first error it reads
// nothing more.
type scanner struct {
	b   []byte
	i   int
	err error
}

func (s *scanner) fail(why string) {
	if s.err == nil {
		s.err = fmt.Errorf("at byte %d: %s", s.i, why)
	}
}

// has takes want if it comes next.
func (s *scanner) has(want string) bool {
	if s.err != nil || len(s.b)-s.i < len(want) || string(s.b[s.i:s.i+len(want)]) != want {
		return false
	}
	s.i += len(want)
	return true
}

// literal demands that want comes next.
func (s *scanner) literal(want string) {
	if !s.has(want) {
		s.fail("here is wanted " + want)
	}
}

// more says whether a list has an element n, and takes the comma before it or the
// end of the list.
func (s *scanner) more(n int, end byte) bool {
	switch {
	case s.err != nil:
		return false
	case s.i < len(s.b) && s.b[s.i] == end:
		s.i++
		return false
	case n > 0:
		s.literal(",")
	}
	return s.err == nil
}

// text is the rest of a string that has no character beyond ASCII and none that
// JSON escapes; its opening quote was taken.
func (s *scanner) text() []byte {
	if s.err != nil {
		return nil
	}
	rest := s.b[s.i:]
	for n, c := range rest {
		if plain[c] {
			continue
		}
		if c != '"' {
			break
		}
		s.i += n + 1
		return rest[:n]
	}
	s.fail("a string is wanted here that ends, of characters that words have")
	return nil
}

// plain are the characters that stand in a canonical string as they are, as far as
// ASCII goes.
var plain = func() (p [256]bool) {
	for c := ' '; c < 0x7f; c++ {
		p[c] = c != '"' && c != '\\'
	}
	return p
}()

// given is the text of a member that would be left out if it were empty.
func (s *scanner) given() []byte {
	t := s.text()
	if len(t) == 0 {
		s.fail("an empty member is left out")
	}
	return t
}

func (s *scanner) uint() uint64 {
	begin := s.i
	for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' {
		s.i++
	}
	digits := s.b[begin:s.i]
	n, err := strconv.ParseUint(string(digits), 10, 64)
	if err != nil || digits[0] == '0' && len(digits) > 1 {
		s.fail("a whole number is wanted before this")
	}
	return n
}

func (s *scanner) number() int {
	n := s.uint()
	if n > math.MaxInt {
		s.fail("a smaller number is wanted before this")
	}
	return int(n)
}

func (s *scanner) sequence() uint64 {
	t := s.text()
	n, err := strconv.ParseUint(string(t), 10, 64)
	if len(t) != 20 || err != nil {
		s.fail("a sequence has 20 digits")
	}
	return n
}

// schema reads the type again, and the version of its shape.
func (s *scanner) schema(eventType string) {
	s.literal(eventType)
	s.literal("/")
	version := s.number()
	s.literal(`"`)
	if s.err == nil && version != schemaVersion {
		s.err = fmt.Errorf("dataschema: of %s this program knows version %d, not %d: %w",
			eventType, schemaVersion, version, ErrNewer)
	}
}

func (s *scanner) subject() (who domain.Subject) {
	context, id, named := bytes.Cut(s.text(), []byte("/"))
	switch {
	case named && len(id) > 0 && string(context) == "client":
		who.Client = domain.ID(id)
	case named && len(id) > 0 && string(context) == "party":
		who.Party = domain.ID(id)
	case named || string(context) != "ledger":
		s.fail("a subject is client/…, party/… or ledger")
	}
	return who
}

func (s *scanner) clause() domain.Clause {
	c := clauses[string(s.text())]
	if c == "" {
		s.fail("a clause of the statement is wanted before this")
	}
	return c
}

// time reads RFC 3339 in UTC, its fraction without zeros at the end.
func (s *scanner) time() (t time.Time) {
	text := s.text()
	if s.err != nil {
		return t
	}
	var again [len(time.RFC3339Nano)]byte
	if err := t.UnmarshalText(text); err != nil || !bytes.Equal(t.UTC().AppendFormat(again[:0], time.RFC3339Nano), text) {
		s.fail("a time in UTC is wanted before this")
	}
	return t
}

// base64 is read into the memory of before, if that is large enough.
func (s *scanner) base64(before []byte) []byte {
	text := s.text()
	b, err := base64.StdEncoding.Strict().AppendDecode(slices.Grow(before[:0], base64.StdEncoding.DecodedLen(len(text))), text)
	if err != nil {
		s.fail("BASE64 (RFC 4648, section 4) is wanted before this")
	}
	return b
}

// value takes one object as it stands, in canonical form.
func (s *scanner) value() []byte {
	if s.err != nil {
		return nil
	}
	begin, end := s.i, canonical(s.b, s.i, 0)
	if end < 0 { // it isn't, or the shorter way can't tell
		d := jsontext.NewDecoder(bytes.NewReader(s.b[begin:]))
		if err := d.SkipValue(); err != nil {
			s.fail("data.event is no JSON, or has a name twice")
			return nil
		}
		end = begin + int(d.InputOffset())
	}
	v := s.b[begin:end:end]
	if !isData(v) {
		s.fail("here is wanted an object in canonical form (RFC 8785)")
	}
	s.i = end
	return v
}
