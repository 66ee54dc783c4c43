package projections

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore/cloudevent"
	"github.com/qtccc/assent/eventstore/vault"
)

// opened is a † field of an event as people read it: the text that its commitment
// commits to, and where its key is gone, or the box is not that text's, the
// commitment.
func (s *Service) opened(d *cloudevent.Document, field string, commitment domain.Text) string {
	if d == nil || d.Sealed == nil || commitment == "" {
		return string(commitment)
	}
	i := slices.IndexFunc(d.Sealed.Boxes, func(b cloudevent.Box) bool { return b.Field == field })
	if i < 0 {
		return string(commitment)
	}
	place := vault.Place{Subject: d.Sealed.Of, Event: string(d.ID), Field: field}
	plain, err := s.cfg.Ring.Unseal(place, d.Sealed.Gen, d.Sealed.Boxes[i].Box)
	if err != nil {
		if !errors.Is(err, vault.ErrSealed) {
			s.cfg.Logger.Error("a sealed text can't be opened", "seq", d.Seq, "field", field, "err", err)
		}
		return string(commitment)
	}
	o, err := vault.DecodeOpening(plain)
	if err != nil || !o.Opens(string(commitment)) {
		s.cfg.Logger.Error("a sealed text is not what its event commits to", "seq", d.Seq, "field", field)
		return string(commitment)
	}
	return o.Value
}

// openedData is an event's data with its † fields opened.
func (s *Service) openedData(d *cloudevent.Document) (jsontext.Value, error) {
	if d.Sealed == nil {
		return d.Data, nil
	}
	texts := make(map[string]string, len(d.Sealed.Boxes))
	for _, b := range d.Sealed.Boxes {
		texts[b.Field] = ""
	}
	var out bytes.Buffer
	dec := jsontext.NewDecoder(bytes.NewReader(d.Data))
	enc := jsontext.NewEncoder(&out)
	for dec.PeekKind() != 0 {
		t, err := dec.ReadToken()
		if err != nil {
			return nil, fmt.Errorf("event %d: %w", d.Seq, err)
		}
		if depth := dec.StackDepth(); t.Kind() == '"' && depth > 0 {
			kind, n := dec.StackIndex(depth)
			field := string(dec.StackPointer())
			if _, sealed := texts[field]; sealed && (kind != '{' || n%2 == 0) { // a value, not a name
				t = jsontext.String(s.opened(d, field, domain.Text(t.String())))
			}
		}
		if err := enc.WriteToken(t); err != nil {
			return nil, fmt.Errorf("event %d: %w", d.Seq, err)
		}
	}
	return bytes.TrimSpace(out.Bytes()), nil
}
