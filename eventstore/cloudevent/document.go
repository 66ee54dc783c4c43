package cloudevent

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/qtccc/assent/domain"
)

// MaxSize is how many bytes a document has at most (contract, section 4). A
// command that fits a request never makes more (TestTheLargestDocumentFits).
const MaxSize = 65535

// ErrTooLarge means that a document would have more than MaxSize bytes. It isn't
// written.
var ErrTooLarge = errors.New("the event would be larger than 65,535 bytes")

// A Document is one event as the stream holds it: a CloudEvents 1.0 document
// (contract, section 4).
type Document struct {
	Ledger  domain.UUID
	ID      domain.UUID // version 7
	Type    string
	Subject domain.Subject
	Time    time.Time // written in UTC, to the nanosecond
	Seq     uint64    // the stream's, from 1
	Actor   domain.ID
	Command domain.UUID // the command's id
	Rules   int         // the version of the law's code that made it, from 1

	// Data is data.event: the signed bytes of the command's data, in canonical
	// form (RFC 8785), once and unchanged.
	Data     []byte
	Decision *domain.Decision // of access.granted and access.denied, only there
	Refusal  *domain.Refusal  // of command.refused, only there

	// Name and Issued are the command's, as signed.
	Name   string
	Issued string
	// Signature is the actor's, Ed25519, 64 bytes. Where a gateway left it out,
	// Connection is the public key of the connection that stands for it.
	Signature  []byte
	Connection domain.PublicKey

	Sealed   *Sealed
	Observed domain.Observed
}

// Sealed are the openings of an event's † fields, each in its box (vault).
type Sealed struct {
	Of    string // whose key: "client/acme", "party/p-17", "inquiry/i1", "ledger"
	Gen   int    // the key's generation, from 1
	Boxes []Box  // at least one, ascending by field
}

// A Box is one sealed opening.
type Box struct {
	Field string // JSON pointer into Data: "/name"
	Box   []byte
}

// NATSSubject is the subject that the document is published under:
// assent.evt.<context>.<bucket>.<event type>. The bucket lets consumers share the
// clients: the first byte of SHA-256 of the client's or party's id, in hex.
func (d *Document) NATSSubject() string {
	context, whom := d.Subject.Context()
	bucket := [1]byte{}
	if whom != "" {
		sum := sha256.Sum256([]byte(whom))
		bucket[0] = sum[0]
	}
	b := make([]byte, 0, 64)
	b = append(append(b, "assent.evt."...), context...)
	b = hex.AppendEncode(append(b, '.'), bucket[:])
	return string(append(append(b, '.'), d.Type...))
}

// SignedBytes appends what an actor signs (contract, section 7) to dst. Data is in
// canonical form.
func SignedBytes(dst []byte, ledger domain.UUID, actor domain.ID, id domain.UUID, issued, name string, data []byte) []byte {
	dst = append(dst, "assent command v1\n"...)
	for _, part := range [...]string{string(ledger), string(actor), string(id), issued, name} {
		dst = append(append(dst, part...), '\n')
	}
	return append(dst, data...)
}

// SignedBytes appends to dst what the actor of this event signed.
func (d *Document) SignedBytes(dst []byte) []byte {
	return SignedBytes(dst, d.Ledger, d.Actor, d.Command, d.Issued, d.Name, d.Data)
}

// Event is the event that the law applies. It fails where Data isn't of the form
// of its command, which then was altered.
func (d *Document) Event() (*domain.Event, error) {
	e := &domain.Event{}
	if err := d.EventIn(e); err != nil {
		return nil, err
	}
	return e, nil
}

// EventIn makes of e what Event is.
func (d *Document) EventIn(e *domain.Event) error {
	data, err := d.ParseData()
	if err == nil {
		d.EventWith(e, data)
	}
	return err
}

// ParseData is what Data says, in the law's type for it.
func (d *Document) ParseData() (domain.Data, error) {
	data, fault := ParseData(d.Name, d.Data)
	if fault != nil {
		return nil, fmt.Errorf("event %d (%s) holds no data of %s: %w", d.Seq, d.Type, d.Name, fault)
	}
	return data, nil
}

// EventWith makes of e what Event is, with the data that ParseData gave.
func (d *Document) EventWith(e *domain.Event, data domain.Data) {
	*e = domain.Event{
		Seq: domain.Seq(d.Seq), ID: d.ID, Type: d.Type, Subject: d.Subject, Time: d.Time,
		Actor: d.Actor, Command: d.Command, Name: d.Name, Rules: d.Rules,
		Data: data, Decision: d.Decision, Refusal: d.Refusal, Observed: d.Observed,
	}
}
