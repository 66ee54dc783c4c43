package commands

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore/cloudevent"
	"github.com/qtccc/assent/eventstore/vault"
)

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
