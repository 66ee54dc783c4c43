package commands

import (
	"bytes"
	"errors"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/qtccc/assent/domain"
)

// A member is one of a request's.
type member int

const (
	mLedger member = iota
	mActor
	mID
	mIssued
	mName
	mData
	mSignature
	mPersonal
	members
)

// memberNames are in the order in which members are looked at.
var memberNames = [members]string{"ledger", "actor", "id", "issued", "name", "data", "signature", "personal"}

func memberOf(name []byte) (member, bool) {
	switch string(name) {
	case "ledger":
		return mLedger, true
	case "actor":
		return mActor, true
	case "id":
		return mID, true
	case "issued":
		return mIssued, true
	case "name":
		return mName, true
	case "data":
		return mData, true
	case "signature":
		return mSignature, true
	case "personal":
		return mPersonal, true
	}
	return 0, false
}

// parts are the members of a request: strings without their quotes, data and
// personal as they stand in it. Nil: left out.
type parts [members][]byte

// scanPlain finds the parts of a request without white space, escapes, openings,
// and characters beyond ASCII. It says false of any other, and of some that is
// none; what it takes, scanStrict takes too, with the same parts (FuzzScan), as
// soon as data proves to be JSON.
func scanPlain(b []byte, p *parts) bool {
	if len(b) == 0 || b[0] != '{' {
		return false
	}
	for i := 1; ; i++ {
		end := plainString(b, i)
		if end < 0 || end >= len(b) || b[end] != ':' {
			return false
		}
		m, ok := memberOf(b[i+1 : end-1])
		if !ok || p[m] != nil || m == mPersonal {
			return false
		}
		begin := end + 1
		if m == mData {
			end = plainObject(b, begin)
		} else {
			end = plainString(b, begin)
		}
		if end < 0 || end >= len(b) {
			return false
		}
		if m == mData {
			p[m] = b[begin:end:end]
		} else {
			p[m] = b[begin+1 : end-1 : end-1]
		}
		switch {
		case b[end] == '}':
			return end == len(b)-1
		case b[end] != ',':
			return false
		}
		i = end
	}
}

// plainString is the end of the string that begins at i; -1: there is none, or one
// that is spelled otherwise.
func plainString(b []byte, i int) int {
	if i >= len(b) || b[i] != '"' {
		return -1
	}
	for i++; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return i + 1
		case c < ' ' || c > '~' || c == '\\':
			return -1
		}
	}
	return -1
}

// plainObject is the end of the object that begins at i, if it is one at all.
func plainObject(b []byte, i int) int {
	if i >= len(b) || b[i] != '{' {
		return -1
	}
	for depth := 0; i < len(b); {
		switch b[i] {
		case '"':
			if i = plainString(b, i); i < 0 {
				return -1
			}
			continue
		case '{':
			depth++
		case '}':
			depth--
		}
		if i++; depth == 0 {
			return i
		}
	}
	return -1
}

// scanStrict finds the parts of a request in any spelling that JSON has: names once
// each, UTF-8, nothing after it. Where a member is wrong it goes on as long as that
// is possible, to find the id that the answer names.
func scanStrict(b []byte, p *parts) *domain.Fault {
	d := jsontext.NewDecoder(bytes.NewReader(b))
	if d.PeekKind() != '{' {
		if _, err := d.ReadValue(); err != nil {
			return noJSON(err)
		}
		return invalid("", "a request is an object")
	}
	var first *domain.Fault
	_, err := d.ReadToken()
	for err == nil && d.PeekKind() == '"' {
		var name jsontext.Token
		if name, err = d.ReadToken(); err != nil {
			break
		}
		var f *domain.Fault
		if f, err = p.read(d, b, name.String()); first == nil {
			first = f
		}
	}
	if err == nil {
		_, err = d.ReadToken() // the closing brace, or what stands in its place
	}
	if err == nil && len(bytes.TrimLeft(b[d.InputOffset():], " \t\r\n")) > 0 {
		err = errors.New("more follows")
	}
	if first == nil && err != nil {
		return noJSON(err)
	}
	return first
}

// read reads the value of one member.
func (p *parts) read(d *jsontext.Decoder, b []byte, name string) (*domain.Fault, error) {
	kind := d.PeekKind()
	m, ok := memberOf([]byte(name))
	if !ok {
		return invalid(pointer(name), "a request has no such member"), d.SkipValue()
	}
	want := jsontext.KindString
	if m == mData || m == mPersonal {
		want = jsontext.KindBeginObject
	}
	if kind != want {
		what := map[jsontext.Kind]string{jsontext.KindString: "a string", jsontext.KindBeginObject: "an object"}[want]
		return invalid(pointer(name), what+" is wanted"), d.SkipValue()
	}
	if want == jsontext.KindString {
		s, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		p[m] = append([]byte{}, s.String()...)
		return nil, nil
	}
	v, err := d.ReadValue()
	if err != nil {
		return nil, err
	}
	end := d.InputOffset()
	p[m] = b[end-int64(len(v)) : end : end]
	return nil, nil
}
