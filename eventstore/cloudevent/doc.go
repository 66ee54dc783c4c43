// Package cloudevent is bytes and events: the envelope of an event, the form of
// what it holds, its schemas. It does no I/O, keeps nothing, and all of it may be
// called at the same time.
//
// The way of a command, and of its event:
//
//	Canonical    are the signed bytes in RFC 8785 canonical form
//	ParseData    the form of a command's data (contract, section 2, step 1)
//	Texts        the † fields in it, each a commitment
//	SignedBytes  what the actor signed
//	Append       a Document becomes the bytes that the stream keeps
//	Parse        those bytes become the same Document
//	Event        a Document becomes what the law applies
//
// # One spelling
//
// A document has one spelling: no white space, attributes and members in one
// order, nothing escaped. Parse takes that spelling and no other, so what it takes,
// Append writes again byte for byte (FuzzParse). Duplicate names, unknown members
// and trailing bytes need no rule of their own. Both ends check the same things in
// the same function: what Append can't write, Parse doesn't read.
//
// # Versions
//
// Each event type has a schema, named by `dataschema` with a version. What is
// written has the present version; a version or a type that this program doesn't
// know is ErrNewer. testdata/golden has a document of every type and shape that was
// ever written, and no file of it is ever edited.
//
// docs/formats.md has all of it for readers that aren't ours.
package cloudevent
