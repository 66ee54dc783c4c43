package projections

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A cursor is where the next page begins, and the moment that all pages are of.
type cursor struct {
	Mark string    `json:"q"`
	N    uint64    `json:"n"`          // the answer holds after this event
	At   uint64    `json:"a,omitzero"` // what is shown stood so after this event, at
	Time time.Time `json:"t,omitzero"` // this time
	Key  []string  `json:"k"`          // where to go on
}

func (c *cursor) String() string {
	b, err := json.Marshal(c)
	if err != nil {
		panic("projections: " + err.Error()) // strings, numbers and a time always go
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

var errCursor = errors.New("a cursor goes back as it came, with the question that it came from")

func parseCursor(raw jsontext.Value) (*cursor, error) {
	s, err := stringOf(raw)
	if err != nil {
		return nil, err
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return nil, errCursor
	}
	c := &cursor{}
	if err := json.Unmarshal(b, c, json.RejectUnknownMembers(true)); err != nil {
		return nil, errCursor
	}
	return c, nil
}

// mark is a digest of what is asked, but for what may differ from page to page.
func mark(members []given) string {
	members = slices.Clone(members)
	slices.SortFunc(members, func(a, b given) int { return cmp.Compare(a.name, b.name) })
	h := sha256.New()
	for _, m := range members {
		if m.name == "after" || m.name == "wait" || m.name == "cursor" {
			continue
		}
		v := m.raw.Clone()
		_ = v.Canonicalize() // it was read, so it can be
		fmt.Fprintf(h, "%q %d\n", m.name, len(v))
		h.Write(v)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
