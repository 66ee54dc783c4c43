package commands

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore/cloudevent"
	"github.com/qtccc/assent/eventstore/vault"
)

const (
	// MaxRequest is how many bytes a request's body has at most.
	MaxRequest = 32 << 10
	// mostPointer is how long a pointer in an answer may be, in bytes: what is nested
	// ten thousand deep isn't answered in kind.
	mostPointer = 256
	// MaxText is how many characters a † field has at most.
	MaxText = 2000
)

// A Request is a command as the wire has it (contract, section 7), its form checked.
type Request struct {
	Ledger    domain.UUID
	Actor     domain.ID
	ID        domain.UUID
	Issued    string // as signed
	Name      string
	Data      []byte // as signed: RFC 8785
	Signature []byte // nil: left out
	// Openings open the † fields given in Data, every one of them, ascending by field.
	Openings []FieldOpening

	data   domain.Data // Data, read
	issued time.Time   // Issued, read; never zero, since no such time is taken
}

// A FieldOpening opens the commitment that stands in Data at the JSON pointer Field.
type FieldOpening struct {
	Field string
	vault.Opening
}

// ParseRequest reads a request's body and checks its form, step 1 of the contract's
// section 2, as far as one field doesn't speak of another. A fault is always
// `invalid`. The request is never nil: with a fault it holds the ID where one could
// be read, and is good for nothing else. Data aliases body, nothing else does.
func ParseRequest(body []byte) (*Request, *domain.Fault) {
	if len(body) > MaxRequest {
		return &Request{}, invalid("", fmt.Sprintf("a request has at most %d bytes", MaxRequest))
	}
	var p parts
	if scanPlain(body, &p) {
		if r, f := p.request(); f == nil {
			return r, nil
		}
	}
	// It is spelled otherwise, or wrong: the strict way makes the same fault of
	// every spelling.
	p = parts{}
	if f := scanStrict(body, &p); f != nil {
		return p.idOnly(), f
	}
	if r, f := p.request(); f != nil {
		return p.idOnly(), f
	} else {
		return r, nil
	}
}

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

func (p *parts) idOnly() *Request {
	if id := string(p[mID]); domain.IsUUID(id) {
		return &Request{ID: domain.UUID(id)}
	}
	return &Request{}
}

// request checks the parts, in the order of members.
func (p *parts) request() (*Request, *domain.Fault) {
	for m := mLedger; m <= mData; m++ {
		if p[m] == nil {
			return nil, invalid(pointer(memberNames[m]), "this member is missing")
		}
	}
	r := &Request{Data: p[mData]}
	// One string for three, since they live as long as each other.
	words := string(append(append(append(make([]byte, 0, 128), p[mLedger]...), p[mID]...), p[mIssued]...))
	ledger, rest := words[:len(p[mLedger])], words[len(p[mLedger]):]
	id, issued := rest[:len(p[mID])], rest[len(p[mID]):]
	r.Ledger, r.ID, r.Issued = domain.UUID(ledger), domain.UUID(id), issued
	if !domain.IsUUID(ledger) {
		return nil, invalid("/ledger", "a UUID is 36 characters, in lower case")
	}
	if err := r.Actor.UnmarshalText(p[mActor]); err != nil {
		return nil, invalid("/actor", err.Error())
	}
	if !domain.IsUUID(id) {
		return nil, invalid("/id", "a UUID is 36 characters, in lower case")
	}
	var at domain.Time
	if err := at.UnmarshalText(p[mIssued]); err != nil {
		return nil, invalid("/issued", err.Error())
	}
	r.issued = at.Time
	row, ok := domain.Find(string(p[mName]))
	if !ok {
		return nil, invalid("/name", "there is no such command")
	}
	r.Name = row.Command
	if f := r.readData(); f != nil {
		return nil, f
	}
	if f := r.readSignature(p[mSignature]); f != nil {
		return nil, f
	}
	return r, r.readPersonal(p[mPersonal])
}

func (r *Request) readData() (f *domain.Fault) {
	if r.data, f = cloudevent.ParseData(r.Name, r.Data); f != nil {
		return f
	}
	if !cloudevent.Canonical(r.Data) {
		return invalid("/data", "the data isn't in canonical form (RFC 8785)")
	}
	return nil
}

func (r *Request) readSignature(text []byte) *domain.Fault {
	if text == nil {
		return nil
	}
	sig, err := base64.StdEncoding.Strict().AppendDecode([]byte{}, text)
	if err != nil || bytes.ContainsAny(text, "\r\n") {
		return invalid("/signature", "a signature is in BASE64 (RFC 4648, section 4)")
	}
	r.Signature = sig
	return nil
}

// readPersonal reads the openings and holds each against its commitment.
func (r *Request) readPersonal(b []byte) *domain.Fault {
	if b != nil {
		if f := r.readOpenings(b); f != nil {
			return f
		}
	}
	texts := cloudevent.Texts(r.data)
	for _, o := range r.Openings {
		at := pointer("personal", o.Field)
		i := slices.IndexFunc(texts, func(t cloudevent.Text) bool { return t.Field == o.Field })
		switch {
		case i < 0:
			return invalid(at, "the data has no † field there")
		case !o.Opens(texts[i].Commitment):
			return invalid(at, "this doesn't open the commitment that the data has there")
		}
	}
	for _, t := range texts {
		if r.opening(t.Field) == nil {
			return invalid(pointer("personal", t.Field), "the data has a † field there, and its opening is missing")
		}
	}
	return nil
}

// opening is that of a † field, nil where it has none.
func (r *Request) opening(field string) *FieldOpening {
	for i := range r.Openings {
		if r.Openings[i].Field == field {
			return &r.Openings[i]
		}
	}
	return nil
}

// readOpenings reads {"/name": {"salt": BASE64, "value": "…"}, …}. That b is one
// JSON object was looked at before.
func (r *Request) readOpenings(b []byte) *domain.Fault {
	d := jsontext.NewDecoder(bytes.NewReader(b))
	if _, err := d.ReadToken(); err != nil {
		return noJSON(err)
	}
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			return noJSON(err)
		}
		o := FieldOpening{Field: name.String()}
		if f := o.read(d, pointer("personal", o.Field)); f != nil {
			return f
		}
		r.Openings = append(r.Openings, o)
	}
	slices.SortFunc(r.Openings, func(a, b FieldOpening) int { return strings.Compare(a.Field, b.Field) })
	return nil
}

func (o *FieldOpening) read(d *jsontext.Decoder, at string) *domain.Fault {
	if d.PeekKind() != '{' {
		return invalid(at, "an opening is an object of salt and value")
	}
	if _, err := d.ReadToken(); err != nil {
		return noJSON(err)
	}
	var salt, value bool
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			return noJSON(err)
		}
		member := name.String()
		if member != "salt" && member != "value" {
			return invalid(at+pointer(member), "an opening has no such member")
		}
		if d.PeekKind() != '"' {
			return invalid(at+pointer(member), "a string is wanted")
		}
		text, err := d.ReadToken()
		if err != nil {
			return noJSON(err)
		}
		var f *domain.Fault
		if member == "salt" {
			salt, f = true, o.readSalt(text.String(), at)
		} else {
			value, f = true, o.readValue(text.String(), at)
		}
		if f != nil {
			return f
		}
	}
	switch _, err := d.ReadToken(); {
	case err != nil:
		return noJSON(err)
	case !salt:
		return invalid(at+"/salt", "this member is missing")
	case !value:
		return invalid(at+"/value", "this member is missing")
	}
	return nil
}

func (o *FieldOpening) readSalt(text, at string) *domain.Fault {
	salt, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(salt) != vault.SaltSize || strings.ContainsAny(text, "\r\n") {
		return invalid(at+"/salt", "a salt is 32 bytes in BASE64 (RFC 4648, section 4)")
	}
	o.Salt = [vault.SaltSize]byte(salt)
	return nil
}

func (o *FieldOpening) readValue(text, at string) *domain.Fault {
	if n := utf8.RuneCountInString(text); n > MaxText {
		return invalid(at+"/value", fmt.Sprintf("a text has at most %d characters, this one has %d", MaxText, n))
	}
	o.Value = text
	return nil
}

// invalid blames what stands at the JSON pointer.
func invalid(at, message string) *domain.Fault {
	return &domain.Fault{Code: domain.Invalid, Field: at, Message: message}
}

// noJSON says what jsontext found, in words for a person.
func noJSON(err error) *domain.Fault {
	var at *jsontext.SyntacticError
	if !errors.As(err, &at) {
		return invalid("", "this is no JSON: it ends too early, or more follows it")
	}
	f := invalid(string(at.JSONPointer), fmt.Sprintf("this is no JSON: byte %d is not what JSON has there", at.ByteOffset))
	if len(f.Field) > mostPointer {
		f.Field = ""
	}
	if errors.Is(err, jsontext.ErrDuplicateName) {
		f.Message = "the member is given twice"
	}
	return f
}

// pointer is the JSON pointer (RFC 6901) to a member of a member of …
func pointer(names ...string) string {
	var b strings.Builder
	for _, n := range names {
		b.WriteByte('/')
		b.WriteString(strings.NewReplacer("~", "~0", "/", "~1").Replace(n))
	}
	return b.String()
}

// parseUnsigned reads the request that gateways send by the thousand: short, spelled
// as usual, without signature or free text, and right. Nil: it is another, or wrong,
// and ParseRequest says what. It costs some 1.5 µs.
func parseUnsigned(body []byte) *Request {
	const short = 1 << 10
	var p parts
	if len(body) > short || !scanPlain(body, &p) || p[mSignature] != nil {
		return nil
	}
	r, f := p.request()
	if f != nil {
		return nil
	}
	return r
}

// readID reads no more of a request than the answer names.
func readID(body []byte) *Request {
	var p parts
	if len(body) > MaxRequest {
		return &Request{}
	}
	if !scanPlain(body, &p) {
		p = parts{}
		scanStrict(body, &p)
	}
	return p.idOnly()
}
