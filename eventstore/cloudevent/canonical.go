package cloudevent

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// Canonical says whether raw is one JSON value in exactly the form of RFC 8785.
func Canonical(raw []byte) bool {
	if canonical(raw, 0, 0) == len(raw) && len(raw) > 0 {
		return true
	}
	v := jsontext.Value(bytes.Clone(raw))
	return v.Canonicalize() == nil && bytes.Equal(v, raw)
}

// isData: an object in canonical form.
func isData(b []byte) bool { return len(b) > 0 && b[0] == '{' && Canonical(b) }

// deepest bounds how far canonical looks: no data of ours is that deep.
const deepest = 16

// canonical is the end of the canonical value that begins at i, -1 where it isn't
// canonical or this can't tell: the data of commands is words and whole numbers, so
// what lies beyond ASCII, is escaped, has a fraction or a long number is left
// to jsontext (FuzzCanonical holds the two equal).
func canonical(b []byte, i, depth int) int {
	if i >= len(b) || depth > deepest {
		return -1
	}
	switch c := b[i]; c {
	case '{':
		return canonicalObject(b, i+1, depth)
	case '[':
		if i+1 < len(b) && b[i+1] == ']' {
			return i + 2
		}
		for b[i] != ']' { // at [ or a comma
			if i = canonical(b, i+1, depth+1); i < 0 || i >= len(b) || b[i] != ',' && b[i] != ']' {
				return -1
			}
		}
		return i + 1
	case '"':
		return canonicalString(b, i)
	case 't':
		return word(b, i, "true")
	case 'f':
		return word(b, i, "false")
	case 'n':
		return word(b, i, "null")
	default:
		return canonicalInt(b, i)
	}
}

// canonicalObject demands ascending names. In ASCII the order of bytes is RFC
// 8785's order of UTF-16 code units.
func canonicalObject(b []byte, i, depth int) int {
	if i < len(b) && b[i] == '}' {
		return i + 1
	}
	var last []byte
	for {
		end := canonicalString(b, i)
		if end < 0 || end >= len(b) || b[end] != ':' {
			return -1
		}
		name := b[i+1 : end-1]
		if last != nil && bytes.Compare(last, name) >= 0 {
			return -1
		}
		last = name
		if i = canonical(b, end+1, depth+1); i < 0 || i >= len(b) {
			return -1
		}
		switch b[i] {
		case '}':
			return i + 1
		case ',':
			i++
		default:
			return -1
		}
	}
}

func canonicalString(b []byte, i int) int {
	if i >= len(b) || b[i] != '"' {
		return -1
	}
	for i++; i < len(b) && plain[b[i]]; i++ {
	}
	if i >= len(b) || b[i] != '"' {
		return -1
	}
	return i + 1
}

// canonicalInt leaves what a double may not have exactly to the library.
func canonicalInt(b []byte, i int) int {
	if end := intEnd(b, i); end-i <= 15 {
		return end
	}
	return -1
}

// intEnd is the end of the whole number at i, written in digits alone; -1 where
// there is none.
func intEnd(b []byte, i int) int {
	begin := i
	if b[i] == '-' {
		begin++
	}
	end := begin
	for end < len(b) && b[end] >= '0' && b[end] <= '9' {
		end++
	}
	switch n := end - begin; {
	case n == 0 || b[begin] == '0' && (n > 1 || begin > i):
		return -1
	case end < len(b) && (b[end] == '.' || b[end] == 'e' || b[end] == 'E'):
		return -1
	}
	return end
}

// word is the end of want, if it stands at i.
func word(b []byte, i int, want string) int {
	if len(b)-i < len(want) || string(b[i:i+len(want)]) != want {
		return -1
	}
	return i + len(want)
}
