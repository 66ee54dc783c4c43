package cloudevent_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/eventstore/cloudevent"
)

// This file reads events by docs/formats.md with the standard library alone. From
// cloudevent it takes what it compares itself with.

type document struct {
	Specversion, ID, Source, Type, Subject, Time, Datacontenttype, Dataschema, Sequence, Actor, Command string
	Rules                                                                                               int
	Data                                                                                                struct {
		Event    json.RawMessage
		Decision *struct {
			Decision, Attempt, Violation string
			Edition, Rules               int
			Reasons                      []struct {
				Clause, Code, Right string
				Refs                []uint64
				Evidence            []string
				More                int
			}
		}
		Refusal *struct{ Code, Clause, Reason string }
		Proof   struct{ Name, Issued, Signature, Connection string }
		Sealed  *struct {
			Of    string
			Gen   int
			Boxes map[string]string
		}
		Observed *struct {
			Blank   []string
			Content *bool
			Clock   *string
		}
	}
}

func read(t testing.TB, b []byte) (d document) {
	var compact bytes.Buffer
	require.NoError(t, json.Compact(&compact, b))
	require.Equal(t, compact.String(), string(b), "no white space")
	r := json.NewDecoder(bytes.NewReader(b))
	r.DisallowUnknownFields()
	require.NoError(t, r.Decode(&d))
	return d
}

// TestAReaderThatIsNotOurs reads every golden document: its attributes, its
// signature, and each commitment by its opening.
func TestAReaderThatIsNotOurs(t *testing.T) {
	id := regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)
	uuid := regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	for file, b := range golden(t) {
		d := read(t, b)
		require.Equal(t, "1.0", d.Specversion)
		require.Regexp(t, uuid, d.ID)
		require.Equal(t, "7", d.ID[14:15])
		require.Equal(t, "urn:uuid:"+ledger, d.Source)
		require.Equal(t, "application/json", d.Datacontenttype)
		require.Equal(t, "https://github.com/qtccc/assent/schema/"+d.Type+"/1", d.Dataschema)
		require.Regexp(t, `^[0-9]{20}$`, d.Sequence)
		require.Regexp(t, id, d.Actor)
		require.Regexp(t, uuid, d.Command)
		require.Equal(t, 1, d.Rules)
		when, err := time.Parse(time.RFC3339Nano, d.Time)
		require.NoError(t, err)

		requireSigned(t, &d)
		requireOpens(t, &d)
		if c := d.Data.Decision; c != nil {
			require.Equal(t, "access."+c.Decision, d.Type)
			require.Equal(t, d.ID, c.Attempt)
		}
		require.Equal(t, d.Data.Refusal != nil, d.Type == "command.refused")

		ours, err := cloudevent.Parse(b)
		require.NoError(t, err, file)
		require.Equal(t, d.natsSubject(), ours.NATSSubject())
		require.Equal(t, []any{d.ID, d.Type, d.Subject, d.Actor, d.Command, d.Data.Proof.Name, d.Data.Proof.Issued, string(d.Data.Event)},
			[]any{string(ours.ID), ours.Type, ours.Subject.String(), string(ours.Actor), string(ours.Command), ours.Name, ours.Issued, string(ours.Data)})
		require.True(t, when.Equal(ours.Time))
		require.Equal(t, d.Sequence, fmt.Sprintf("%020d", ours.Seq))
		require.Equal(t, d.rest(t), restOf(ours), file)
	}
}

// requireSigned: contract, 7. The signed bytes are made again from the document.
func requireSigned(t testing.TB, d *document) {
	signed := strings.Join([]string{"assent command v1", strings.TrimPrefix(d.Source, "urn:uuid:"), d.Actor, d.Command,
		d.Data.Proof.Issued, d.Data.Proof.Name, string(d.Data.Event)}, "\n")
	seed := sha256.Sum256([]byte("assent test seed of " + d.Actor))
	public := ed25519.NewKeyFromSeed(seed[:]).Public().(ed25519.PublicKey)
	if d.Data.Proof.Signature == "" {
		require.Equal(t, []byte(public), fromNKey(t, d.Data.Proof.Connection))
		return
	}
	require.Empty(t, d.Data.Proof.Connection)
	signature, err := base64.StdEncoding.Strict().DecodeString(d.Data.Proof.Signature)
	require.NoError(t, err)
	require.True(t, ed25519.Verify(public, []byte(signed), signature), "%s", signed)
}

// requireOpens: every commitment in an accepted event has its opening in a box.
func requireOpens(t testing.TB, d *document) {
	var event map[string]any
	require.NoError(t, json.Unmarshal(d.Data.Event, &event))
	var committed, sealed []string
	for name, v := range event {
		if s, ok := v.(string); ok && strings.HasPrefix(s, "sha256:") {
			committed = append(committed, "/"+name)
		}
	}
	if d.Data.Sealed != nil {
		require.Equal(t, 1, d.Data.Sealed.Gen)
		sealed = slices.Collect(maps.Keys(d.Data.Sealed.Boxes))
	}
	if d.Data.Refusal != nil {
		require.Empty(t, sealed, "a refused command keeps no openings")
		return
	}
	require.ElementsMatch(t, committed, sealed)
	for _, field := range sealed {
		box, err := base64.StdEncoding.Strict().DecodeString(d.Data.Sealed.Boxes[field])
		require.NoError(t, err)
		aead, associated := boxCipher(t, d.Data.Sealed.Of, d.ID, field)
		text, err := aead.Open(nil, box[:24], box[24:], associated)
		require.NoError(t, err)
		opening := bytes.TrimRight(text, "\x00")
		sum := sha256.Sum256(opening[:len(opening)-1])
		require.Equal(t, event[field[1:]], "sha256:"+hex.EncodeToString(sum[:]))
	}
}

// fromNKey takes the 32 bytes out of a user key and holds its checksum (CRC-16,
// XMODEM) against them.
func fromNKey(t testing.TB, key string) []byte {
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(key)
	require.NoError(t, err)
	require.Len(t, raw, 35)
	require.Equal(t, byte(20<<3), raw[0], "U")
	crc := uint16(0)
	for _, c := range raw[:33] {
		crc ^= uint16(c) << 8
		for range 8 {
			carry := crc&0x8000 != 0
			if crc <<= 1; carry {
				crc ^= 0x1021
			}
		}
	}
	require.Equal(t, crc, binary.LittleEndian.Uint16(raw[33:]))
	return raw[1:33]
}

func (d *document) natsSubject() string {
	context, whom, named := strings.Cut(d.Subject, "/")
	bucket := "00"
	if sum := sha256.Sum256([]byte(whom)); named {
		bucket = hex.EncodeToString(sum[:1])
	}
	return "assent.evt." + context + "." + bucket + "." + d.Type
}

// rest writes out all that has a form of its own, to be compared as text.
func (d *document) rest(t testing.TB) string {
	var s strings.Builder
	if c := d.Data.Decision; c != nil {
		fmt.Fprintln(&s, c.Decision, c.Attempt, c.Edition, c.Rules, c.Violation)
		for _, r := range c.Reasons {
			fmt.Fprintln(&s, r.Clause, r.Code, r.Right, r.Refs, r.Evidence, r.More)
		}
	}
	if r := d.Data.Refusal; r != nil {
		fmt.Fprintln(&s, r.Code, r.Clause, r.Reason)
	}
	fmt.Fprintln(&s, d.Data.Proof.Signature, d.Data.Proof.Connection)
	if b := d.Data.Sealed; b != nil {
		fmt.Fprintln(&s, b.Of, b.Gen)
		for _, field := range slices.Sorted(maps.Keys(b.Boxes)) {
			fmt.Fprintln(&s, field, b.Boxes[field])
		}
	}
	if o := d.Data.Observed; o != nil {
		fmt.Fprint(&s, o.Blank)
		if o.Content != nil {
			fmt.Fprint(&s, *o.Content)
		}
		if o.Clock != nil {
			clock, err := time.Parse(time.RFC3339Nano, *o.Clock)
			require.NoError(t, err)
			fmt.Fprint(&s, clock.UTC())
		}
	}
	return s.String()
}

func restOf(d *cloudevent.Document) string {
	var s strings.Builder
	if c := d.Decision; c != nil {
		fmt.Fprintln(&s, c.Decision, c.Attempt, c.Edition, c.Rules, c.Violation)
		for _, r := range c.Reasons {
			fmt.Fprintln(&s, r.Clause, r.Code, r.Right, r.Refs, r.Evidence, r.More)
		}
	}
	if r := d.Refusal; r != nil {
		fmt.Fprintln(&s, r.Code, r.Clause, r.Reason)
	}
	fmt.Fprintln(&s, base64.StdEncoding.EncodeToString(d.Signature), d.Connection)
	if b := d.Sealed; b != nil {
		fmt.Fprintln(&s, b.Of, b.Gen)
		for _, box := range b.Boxes {
			fmt.Fprintln(&s, box.Field, base64.StdEncoding.EncodeToString(box.Box))
		}
	}
	if o := d.Observed; o.Blank != nil || o.Content != nil || !o.Clock.IsZero() {
		fmt.Fprint(&s, o.Blank)
		if o.Content != nil {
			fmt.Fprint(&s, strconv.FormatBool(*o.Content))
		}
		if !o.Clock.IsZero() {
			fmt.Fprint(&s, o.Clock)
		}
	}
	return s.String()
}
