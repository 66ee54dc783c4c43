package commands

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

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
		_, _ = inPointer.WriteString(&b, n) // a builder takes all
	}
	return b.String()
}

// inPointer writes a name as JSON pointers have it.
var inPointer = strings.NewReplacer("~", "~0", "/", "~1")

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
