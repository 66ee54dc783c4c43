package commands

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/nats-io/nkeys"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore/cloudevent"
	"github.com/qtccc/assent/eventstore/vault"
)

// A Plain is a command as people give it: its free text is in clear.
type Plain struct {
	ID   domain.UUID // empty: a new one is made
	Name string
	Data []byte // JSON, in any spelling
}

// A Sender issues commands to a ledger.
type Sender struct {
	Ledger domain.UUID
	Actor  domain.ID
	// Key signs. Nil leaves the signature out: a gateway's connection stands for it
	// on access.request.
	Key nkeys.KeyPair
}

// Compose makes the request of a command: each † field becomes a commitment with
// its opening, the data canonical, the whole signed. It sets an empty p.ID, so that
// the same command can be composed again. Issued is the sender's clock.
//
// What is wrong with the command's form is a *domain.Fault, as the ledger would
// answer it; its field points into the plain command, a † field's too.
func (s Sender) Compose(p *Plain, issued time.Time) ([]byte, error) {
	if p.ID == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return nil, fmt.Errorf("commands: make an id: %w", err)
		}
		p.ID = domain.UUID(id.String())
	}
	if !domain.IsUUID(string(p.ID)) {
		return nil, invalid("/id", "a UUID is 36 characters, in lower case")
	}
	row, ok := domain.Find(p.Name)
	if !ok {
		return nil, invalid("/name", "there is no such command")
	}
	data, openings, f := commit(row, p.Data)
	if f != nil {
		return nil, f
	}
	r := Request{Ledger: s.Ledger, Actor: s.Actor, ID: p.ID, Name: row.Command, Data: data, Openings: openings,
		Issued: issued.UTC().Format(time.RFC3339Nano)}
	if r.data, f = cloudevent.ParseData(r.Name, r.Data); f != nil {
		return nil, f
	}
	if s.Key != nil {
		sig, err := s.Key.Sign(r.signed(nil))
		if err != nil {
			return nil, fmt.Errorf("commands: sign as %s: %w", s.Actor, err)
		}
		r.Signature = sig
	}
	b := r.Append(nil)
	if len(b) > MaxRequest {
		return nil, invalid("", fmt.Sprintf("a request has at most %d bytes, this one has %d", MaxRequest, len(b)))
	}
	return b, nil
}

// commit puts commitments in the places of plain text, and the data into canonical
// form. † fields stand at the top of every row's data (TestFreeTextStandsAtTheTop).
func commit(row *domain.Row, plain []byte) (data []byte, openings []FieldOpening, _ *domain.Fault) {
	v := jsontext.Value(bytes.Clone(plain))
	if err := v.Canonicalize(); err != nil {
		f := noJSON(err)
		f.Field = "/data" + f.Field
		return nil, nil, f
	}
	if v.Kind() != '{' {
		return nil, nil, invalid("/data", "an object is wanted")
	}
	free := freeText[row.Command]
	if len(free) == 0 {
		return v, nil, nil
	}
	d := jsontext.NewDecoder(bytes.NewReader(v))
	_, err := d.ReadToken()
	data = append(data, '{')
	for err == nil && d.PeekKind() == '"' {
		var member, value jsontext.Value
		if member, err = d.ReadValue(); err != nil {
			break
		}
		if len(data) > 1 {
			data = append(data, ',')
		}
		data = append(append(data, member...), ':')
		name, _ := jsontext.AppendUnquote(nil, member)
		if value, err = d.ReadValue(); err != nil {
			break
		}
		if !slices.Contains(free, string(name)) {
			data = append(data, value...)
			continue
		}
		o, f := open(string(name), value)
		if f != nil {
			return nil, nil, f
		}
		openings = append(openings, o)
		data = append(append(append(data, '"'), o.Commitment()...), '"')
	}
	if err != nil {
		return nil, nil, noJSON(err)
	}
	return append(data, '}'), openings, nil // canonical: by name, ascending
}

// open makes the opening of one † field.
func open(name string, value jsontext.Value) (FieldOpening, *domain.Fault) {
	if value.Kind() != '"' {
		return FieldOpening{}, invalid(pointer("data", name), "a text is wanted")
	}
	text, err := jsontext.AppendUnquote(nil, value)
	if err != nil {
		return FieldOpening{}, noJSON(err)
	}
	if n := utf8.RuneCount(text); n > MaxText {
		return FieldOpening{}, invalid(pointer("data", name), fmt.Sprintf("a text has at most %d characters, this one has %d", MaxText, n))
	}
	return FieldOpening{Field: pointer(name), Opening: vault.NewOpening(string(text))}, nil
}

// freeText are the names of the † fields of each command.
var freeText = func() map[string][]string {
	m := map[string][]string{}
	for i := range domain.Catalogue {
		row := &domain.Catalogue[i]
		for _, f := range cloudevent.Fields(row) {
			if f.Kind == cloudevent.KindText {
				m[row.Command] = append(m[row.Command], f.Name)
			}
		}
	}
	return m
}()

// signed appends what the actor signs.
func (r *Request) signed(dst []byte) []byte {
	return cloudevent.SignedBytes(dst, r.Ledger, r.Actor, r.ID, r.Issued, r.Name, r.Data)
}

// Append appends the request's body to dst. Its words are as the form wants them,
// so that none needs escaping.
func (r *Request) Append(dst []byte) []byte {
	b := append(append(dst, `{"ledger":"`...), r.Ledger...)
	b = append(append(b, `","actor":"`...), r.Actor...)
	b = append(append(b, `","id":"`...), r.ID...)
	b = append(append(b, `","issued":"`...), r.Issued...)
	b = append(append(b, `","name":"`...), r.Name...)
	b = append(append(b, `","data":`...), r.Data...)
	if r.Signature != nil {
		b = base64.StdEncoding.AppendEncode(append(b, `,"signature":"`...), r.Signature)
		b = append(b, '"')
	}
	if len(r.Openings) > 0 {
		b = append(b, `,"personal":{`...)
		for i := range r.Openings {
			if i > 0 {
				b = append(b, ',')
			}
			o := &r.Openings[i]
			b = appendString(b, o.Field)
			b = base64.StdEncoding.AppendEncode(append(b, `:{"salt":"`...), o.Salt[:])
			b = append(appendString(append(b, `","value":`...), o.Value), '}')
		}
		b = append(b, '}')
	}
	return append(b, '}')
}
