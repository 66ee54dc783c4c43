package cloudevent_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore/cloudevent"
)

// mostRequest is how large a request body is at most (contract, 7).
const mostRequest = 32 << 10

// mostReasons is how many clauses and codes the contract's tables have for one
// access (section 3), the exclusive ones counted too: 3 unknown, 12 bars of the
// attempt, 6 of the recipient, 3 reasons each why no basis serves party or recipient.
const mostReasons = 27

// TestTheLargestDocumentFits: no command that fits a request makes a document of
// more than 65,535 bytes, with 2,000 characters of four bytes in each † field, a
// decision with every reason there is, and all that could be observed.
func TestTheLargestDocumentFits(t *testing.T) {
	largest := 0
	for _, row := range domain.Catalogue {
		data, request := largestRequest(t, &row)
		require.LessOrEqual(t, request, mostRequest, row.Command)
		if hasList(cloudevent.Fields(&row)) {
			require.Greater(t, request, mostRequest-200, "%s could be larger", row.Command)
		}
		for _, eventType := range append([]string{domain.CommandRefused}, row.Events...) {
			d := largestDocument(&row, eventType, data)
			b, err := d.Append(nil)
			require.NoError(t, err, eventType)
			largest = max(largest, len(b))
			t.Logf("%-24s %6d bytes, of a request of %d", eventType, len(b), request)
			_, err = cloudevent.Parse(b)
			require.NoError(t, err, eventType)
			_, err = d.Event()
			require.NoError(t, err, eventType)
		}
	}
	require.Less(t, largest, cloudevent.MaxSize)
}

// TestWhatIsTooLargeIsNotWritten: nor is it read.
func TestWhatIsTooLargeIsNotWritten(t *testing.T) {
	for _, s := range samples(t) {
		if s.Name != "client.register" {
			continue
		}
		d := s.document(t)
		b, err := d.Append(nil)
		require.NoError(t, err)
		contacts := `"contacts":[` + strings.Repeat(`"a",`, (cloudevent.MaxSize-len(b))/4)
		long := strings.Replace(string(d.Data), `"contacts":[`, contacts, 1)
		long = strings.Replace(long, `,]`, `]`, 1)
		short := strings.Replace(long, `"a",`, ``, 2)
		for range 8 { // by one byte from below the bound to above it
			e := *d
			e.Data = []byte(short)
			again, err := e.Append([]byte("before"))
			size := len(b) - len(d.Data) + len(e.Data)
			require.Equal(t, size > cloudevent.MaxSize, errorIsTooLarge(err), "%d: %v", size, err)
			if err != nil {
				require.Equal(t, "before", string(again))
			} else {
				require.Len(t, again, len("before")+size)
			}
			_, err = cloudevent.Parse([]byte(strings.Replace(string(b), string(d.Data), short, 1)))
			require.Equal(t, size > cloudevent.MaxSize, errorIsTooLarge(err), "%d: %v", size, err)
			short = strings.Replace(short, `"a`, `"aa`, 1)
		}
	}
}

// largestRequest is the data of a row and the size of its request, every field
// given and a list made as long as the request allows.
func largestRequest(t *testing.T, row *domain.Row) (data []byte, size int) {
	fields := cloudevent.Fields(row)
	object := largestObject(fields)
	for {
		data = canonical(t, object)
		n := requestSize(t, row.Command, data, fields)
		if n > mostRequest {
			return canonical(t, shorter(object)), size
		}
		size = n
		if !grow(object) {
			return data, size
		}
	}
}

func requestSize(t *testing.T, name string, data []byte, fields []cloudevent.Field) int {
	personal := map[string]any{}
	for _, f := range fields {
		if f.Kind == cloudevent.KindText {
			personal["/"+f.Name] = map[string]string{"salt": strings.Repeat("A", 44), "value": strings.Repeat("😀", 2000)}
		}
	}
	request, err := json.Marshal(map[string]any{
		"ledger": ledger, "actor": "a", "id": ledger, "issued": "2026-03-01T09:00:00Z", "name": name,
		"data": json.RawMessage(data), "signature": strings.Repeat("A", 88), "personal": personal,
	})
	require.NoError(t, err)
	return len(request)
}

// grow makes a list of the object longer, the one that isn't a closed set's first.
func grow(object map[string]any) bool {
	for _, name := range []string{"rules", "records", "contacts", "designees", "scope", "purposes"} {
		switch v := object[name].(type) {
		case []any:
			if name == "rules" {
				return grow(v[0].(map[string]any))
			}
			object[name] = append(v, v[0])
			return true
		case map[string]any:
			if grow(v) {
				return true
			}
		}
	}
	return false
}

// shorter takes back what grow did last.
func shorter(object map[string]any) map[string]any {
	for _, name := range []string{"rules", "records", "contacts", "designees", "scope", "purposes"} {
		switch v := object[name].(type) {
		case []any:
			if name == "rules" {
				shorter(v[0].(map[string]any))
				return object
			}
			object[name] = v[1:]
			return object
		case map[string]any:
			shorter(v)
			return object
		}
	}
	return object
}

func hasList(fields []cloudevent.Field) bool {
	for _, f := range fields {
		if f.List || hasList(f.Fields) {
			return true
		}
	}
	return false
}

func largestObject(fields []cloudevent.Field) map[string]any {
	object := map[string]any{}
	for _, f := range fields {
		object[f.Name] = largestValue(f)
		if f.List {
			object[f.Name] = []any{object[f.Name]}
		}
	}
	return object
}

func largestValue(f cloudevent.Field) any {
	switch f.Kind {
	case cloudevent.KindObject:
		return largestObject(f.Fields)
	case cloudevent.KindBool:
		return false
	case cloudevent.KindFlag:
		return true
	case cloudevent.KindNumber:
		return -999999999999999
	case cloudevent.KindWord:
		longest := ""
		for _, w := range f.Words {
			if len(w) > len(longest) {
				longest = w
			}
		}
		return longest
	case cloudevent.KindText:
		return "sha256:" + strings.Repeat("f", 64)
	case cloudevent.KindDigest:
		return strings.Repeat("f", 64)
	case cloudevent.KindUUID:
		return ledger
	case cloudevent.KindPublicKey:
		return "U" + strings.Repeat("A", 55)
	case cloudevent.KindLogKey:
		return strings.Repeat("a", 146) + "+01234567+" + base64.StdEncoding.EncodeToString(make([]byte, 33))
	case cloudevent.KindMediaType:
		return strings.Repeat("a", 127) + "/" + strings.Repeat("b", 127)
	case cloudevent.KindTime:
		return "2026-03-01T09:00:00.123456789+08:00"
	case cloudevent.KindDuration:
		return "P9999Y9999M9999W9999DT9999H9999M9999.123456789S"
	}
	return longID
}

var longID = strings.Repeat("z", 63)

func largestDocument(row *domain.Row, eventType string, data []byte) *cloudevent.Document {
	there := false
	now := time.Date(2026, 3, 1, 9, 0, 0, 123456789, time.UTC)
	d := &cloudevent.Document{
		Ledger: ledger, ID: "0191e7a4-8000-7000-8000-000000000001", Type: eventType,
		Subject: domain.Subject{Client: domain.ID(longID)}, Time: now, Seq: math.MaxUint64,
		Actor: domain.ID(longID), Command: ledger, Rules: math.MaxInt32, Data: data, Name: row.Command,
		Issued: "2026-03-01T17:00:00.123456789+08:00", Signature: make([]byte, ed25519.SignatureSize),
		Observed: domain.Observed{Content: &there, Clock: now},
	}
	for _, f := range cloudevent.Fields(row) {
		if f.Kind == cloudevent.KindText {
			d.Observed.Blank = append(d.Observed.Blank, "/"+f.Name)
		}
	}
	switch {
	case eventType == domain.CommandRefused:
		d.Refusal = &domain.Refusal{Code: domain.Forbidden, Clause: "I.3.10", Reason: longID}
		return d
	case len(row.Events) > 1:
		d.Decision = largestDecision(d.ID, strings.TrimPrefix(eventType, "access."))
	}
	ascending := cloudevent.Texts(must(d.Event()).Data)
	for _, text := range ascending {
		if d.Sealed == nil {
			d.Sealed = &cloudevent.Sealed{Of: "inquiry/" + longID, Gen: math.MaxInt32}
		}
		opening := 32 + 2000*len("😀")
		d.Sealed.Boxes = append(d.Sealed.Boxes, cloudevent.Box{Field: text.Field, Box: make([]byte, 24+(opening/64+1)*64+16)})
	}
	return d
}

func largestDecision(id domain.UUID, decision string) *domain.Decision {
	c := &domain.Decision{Decision: decision, Attempt: id, Edition: 9999, Rules: math.MaxInt32}
	if !c.Granted() {
		c.Violation = ledger
	}
	for i := range mostReasons {
		r := domain.Reason{Clause: "I.3.10", Code: fmt.Sprintf("recipient-sensitive-not-covered-%02d", i),
			Right: "authorization/" + longID, More: math.MaxInt32}
		for range 16 {
			r.Refs = append(r.Refs, math.MaxUint64)
			r.Evidence = append(r.Evidence, domain.ID(longID))
		}
		c.Reasons = append(c.Reasons, r)
	}
	return c
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func errorIsTooLarge(err error) bool { return errors.Is(err, cloudevent.ErrTooLarge) }
