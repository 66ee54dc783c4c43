package cloudevent

import (
	"fmt"
	"slices"

	"github.com/qtccc/assent/domain"
)

// Parse reads one document. It takes what Append writes and nothing else: any
// other spelling, any other member and any other order is an error, which says at
// which byte. ErrNewer where a newer version of this program wrote it. Data aliases
// b; nothing else does.
func Parse(b []byte) (*Document, error) {
	d := &Document{}
	if err := d.Parse(b); err != nil {
		return nil, err
	}
	return d, nil
}

// Parse makes of d what Parse reads. Who reads many documents into one d makes less
// garbage: decision, signature and boxes are read into the memory of those that d had,
// which nobody may look at any more, and a text that d had already is not made again.
func (d *Document) Parse(b []byte) error {
	before := *d
	*d = Document{}
	s := scanner{b: b}
	s.attributes(d, &before)
	s.data(d, &before)
	s.literal("}}")
	switch {
	case s.err == nil && s.i != len(b):
		s.fail("the document ends before this")
	case s.err == nil && len(b) > MaxSize:
		s.err = ErrTooLarge
	}
	if s.err == nil {
		s.err = d.check()
	}
	if s.err != nil {
		return fmt.Errorf("this is no event as the ledger writes it: %w", s.err)
	}
	return nil
}

// again is what the text says, in the string that said it before, if one did.
func again[T ~string](before T, text []byte) T {
	if string(before) == string(text) {
		return before
	}
	return T(text)
}

func (s *scanner) attributes(d, before *Document) {
	s.literal(`{"specversion":"1.0","id":"`)
	d.ID = domain.UUID(s.text())
	s.literal(`,"source":"urn:uuid:`)
	d.Ledger = again(before.Ledger, s.text())
	s.literal(`,"type":"`)
	t := s.text()
	if d.Type = types[string(t)]; d.Type == "" && s.err == nil {
		s.err = fmt.Errorf("there is no event type %q: %w", t, ErrNewer)
	}
	s.literal(`,"subject":"`)
	d.Subject = s.subject()
	s.literal(`,"time":"`)
	d.Time = s.time()
	s.literal(`,"datacontenttype":"application/json","dataschema":"` + schemas)
	s.schema(d.Type)
	s.literal(`,"sequence":"`)
	d.Seq = s.sequence()
	s.literal(`,"actor":"`)
	d.Actor = again(before.Actor, s.text())
	s.literal(`,"command":"`)
	d.Command = domain.UUID(s.text())
	s.literal(`,"rules":`)
	d.Rules = s.number()
}

func (s *scanner) data(d, before *Document) {
	s.literal(`,"data":{"event":`)
	d.Data = s.value()
	if s.has(`,"decision":`) {
		d.Decision = s.decision(d.ID, before.Decision)
	}
	if s.has(`,"refusal":`) {
		d.Refusal = s.refusal()
	}
	s.literal(`,"proof":{"name":"`)
	if name := s.text(); s.err == nil {
		if f, ok := forms[string(name)]; ok {
			d.Name = f.row.Command
		} else {
			s.err = fmt.Errorf("there is no command %q: %w", name, ErrNewer)
		}
	}
	s.literal(`,"issued":"`)
	d.Issued = string(s.text())
	if s.has(`,"connection":"`) {
		d.Connection = again(before.Connection, s.text())
	} else {
		s.literal(`,"signature":"`)
		d.Signature = s.base64(before.Signature)
	}
	s.literal(`}`)
	if s.has(`,"sealed":`) {
		d.Sealed = s.sealed(before.Sealed)
	}
	if s.has(`,"observed":{`) {
		s.observed(&d.Observed)
	}
}

func (s *scanner) decision(id domain.UUID, d *domain.Decision) *domain.Decision {
	if d == nil {
		d = &domain.Decision{Reasons: make([]domain.Reason, 0, 2)} // as many as a grant usually has
	}
	*d = domain.Decision{Reasons: d.Reasons[:0]}
	s.literal(`{"decision":"`)
	if t := s.text(); string(t) == domain.Granted {
		d.Decision = domain.Granted
	} else {
		d.Decision = string(t)
	}
	s.literal(`,"attempt":"`)
	d.Attempt = again(id, s.text())
	s.literal(`,"edition":`)
	d.Edition = s.number()
	s.literal(`,"rules":`)
	d.Rules = s.number()
	if s.has(`,"violation":"`) {
		d.Violation = again(id, s.given())
	}
	s.literal(`,"reasons":[`)
	for n := 0; s.more(n, ']'); n++ {
		if n == cap(d.Reasons) {
			d.Reasons = slices.Grow(d.Reasons, 1)
		}
		d.Reasons = d.Reasons[:n+1]
		s.reason(&d.Reasons[n])
	}
	if len(d.Reasons) == 0 {
		d.Reasons = nil
	}
	s.literal(`}`)
	return d
}

func (s *scanner) reason(r *domain.Reason) {
	before := *r
	*r = domain.Reason{Refs: before.Refs[:0], Evidence: before.Evidence[:0]}
	s.literal(`{"clause":"`)
	r.Clause = s.clause()
	s.literal(`,"code":"`)
	r.Code = again(before.Code, s.text())
	if s.has(`,"right":"`) {
		r.Right = again(before.Right, s.given())
	}
	s.literal(`,"refs":[`)
	for n := 0; s.more(n, ']'); n++ {
		r.Refs = append(r.Refs, domain.Seq(s.uint()))
	}
	s.literal(`,"evidence":[`)
	for n := 0; s.more(n, ']'); n++ {
		s.literal(`"`)
		r.Evidence = append(r.Evidence, domain.ID(s.text()))
	}
	if len(r.Refs) == 0 {
		r.Refs = nil
	}
	if len(r.Evidence) == 0 {
		r.Evidence = nil
	}
	if s.has(`,"more":`) {
		if r.More = s.number(); r.More == 0 {
			s.fail("more is left out where nothing was")
		}
	}
	s.literal(`}`)
}

func (s *scanner) refusal() *domain.Refusal {
	r := &domain.Refusal{}
	s.literal(`{"code":"`)
	r.Code = domain.Code(s.text())
	if s.has(`,"clause":"`) {
		r.Clause = s.clause()
	}
	if s.has(`,"reason":"`) {
		r.Reason = string(s.given())
	}
	s.literal(`}`)
	return r
}

func (s *scanner) sealed(b *Sealed) *Sealed {
	if b == nil {
		b = &Sealed{}
	}
	before := b.Boxes[:cap(b.Boxes)]
	s.literal(`{"of":"`)
	b.Of = again(b.Of, s.text())
	s.literal(`,"gen":`)
	b.Gen = s.number()
	s.literal(`,"boxes":{`)
	b.Boxes = b.Boxes[:0]
	for n := 0; s.more(n, '}'); n++ {
		var box Box
		if n < len(before) {
			box = before[n]
		}
		s.literal(`"`)
		box.Field = again(box.Field, s.text())
		s.literal(`:"`)
		box.Box = s.base64(box.Box)
		b.Boxes = append(b.Boxes, box)
	}
	s.literal(`}`)
	return b
}

// observed reads at least one member: an empty one isn't written.
func (s *scanner) observed(o *domain.Observed) {
	begin := s.i
	member := func(name string) bool {
		if s.i > begin {
			name = "," + name
		}
		return s.has(name)
	}
	if member(`"blank":[`) {
		for n := 0; s.more(n, ']'); n++ {
			s.literal(`"`)
			o.Blank = append(o.Blank, string(s.text()))
		}
		if o.Blank == nil {
			s.fail("an empty list is left out")
		}
	}
	if member(`"content":`) {
		there := s.has("true")
		if !there {
			s.literal("false")
		}
		o.Content = &there
	}
	if member(`"clock":"`) {
		if o.Clock = s.time(); o.Clock.IsZero() {
			s.fail("a zero time is left out")
		}
	}
	if s.i == begin {
		s.fail("an empty member is left out")
	}
	s.literal(`}`)
}
