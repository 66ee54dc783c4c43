package projections

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore/cloudevent"
)

// MaxQuestion is how many bytes a question has at most.
const MaxQuestion = 32 << 10

// An asked is a question as it was asked, its form checked. What was left out is
// zero.
type asked struct {
	*Question
	client, party, record, actor, evidence domain.ID
	review                                 domain.ID
	about                                  about  // what trace traces of a client
	kind                                   string // trail's and events' type
	category                               domain.Category
	clause                                 domain.Clause
	decision                               string
	attempt                                domain.UUID
	request                                *domain.AccessRequest
	ended                                  bool
	open                                   bool // only what is open
	edition                                int
	by                                     when
	unseen                                 bool // by any review
	at, from, to                           when
	after                                  uint64
	wait                                   time.Duration
	cursor                                 *cursor
	// mark tells this question from others, whatever its after, wait and cursor.
	mark string
}

// An about is one thing of a client: the field that names it, and its id.
type about struct {
	kind string
	id   domain.ID
}

// A when is an event or a moment, or neither.
type when struct {
	seq  uint64
	time time.Time // never zero where it is given
}

func (w when) given() bool { return w.seq != 0 || !w.time.IsZero() }

// parseAsked reads a question. Its faults are `invalid`, their field the JSON
// pointer to what is wrong.
func parseAsked(body []byte) (*asked, *domain.Fault) {
	if len(body) > MaxQuestion {
		return nil, wrong("", fmt.Sprintf("a question has at most %d bytes", MaxQuestion))
	}
	members, f := membersOf(body)
	if f != nil {
		return nil, f
	}
	q := &asked{}
	if f := q.find(members); f != nil {
		return nil, f
	}
	for _, m := range members {
		if m.name == "ask" {
			continue
		}
		field, ok := q.field(m.name)
		if !ok {
			return nil, wrong("/"+escaped(m.name), q.Ask+" has no such field; it has: "+q.names())
		}
		if err := q.set(field, m.raw); err != nil {
			if f := (*domain.Fault)(nil); errors.As(err, &f) {
				return nil, f
			}
			return nil, wrong("/"+m.name, err.Error())
		}
	}
	for _, field := range q.Fields {
		if field.Required && !slices.ContainsFunc(members, func(m given) bool { return m.name == field.Name }) {
			return nil, wrong("/"+field.Name, q.Ask+" needs "+field.Name)
		}
	}
	q.mark = mark(members)
	return q, nil
}

// A given is one member of a question.
type given struct {
	name string
	raw  jsontext.Value
}

// membersOf takes one JSON object, strictly: no name twice, no byte after it.
func membersOf(body []byte) ([]given, *domain.Fault) {
	dec := jsontext.NewDecoder(bytes.NewReader(body))
	if dec.PeekKind() != '{' {
		return nil, wrong("", `a question is a JSON object, such as {"ask": "status"}`)
	}
	_, err := dec.ReadToken()
	var members []given
	for err == nil && dec.PeekKind() == '"' {
		var name jsontext.Token
		if name, err = dec.ReadToken(); err != nil {
			break
		}
		m := given{name: name.String()}
		var raw jsontext.Value
		if raw, err = dec.ReadValue(); err == nil {
			m.raw = raw.Clone()
			members = append(members, m)
		}
	}
	if err == nil {
		_, err = dec.ReadToken() // }
	}
	if err == nil {
		if _, end := dec.ReadToken(); end != io.EOF {
			return nil, wrong("", "something follows the question")
		}
		return members, nil
	}
	f := wrong("", "this is no JSON")
	var at *jsontext.SyntacticError
	if errors.As(err, &at) {
		f.Field, f.Message = string(at.JSONPointer), fmt.Sprintf("this is no JSON: byte %d is not what JSON has there", at.ByteOffset)
	}
	if errors.Is(err, jsontext.ErrDuplicateName) {
		f.Message = "the field is given twice"
	}
	return nil, f
}

// find says which question it is.
func (q *asked) find(members []given) *domain.Fault {
	for _, m := range members {
		if m.name != "ask" {
			continue
		}
		name, err := stringOf(m.raw)
		if row, ok := FindQuestion(name); err == nil && ok {
			q.Question = row
			return nil
		}
		break
	}
	names := make([]string, len(Questions))
	for i := range Questions {
		names[i] = Questions[i].Ask
	}
	return wrong("/ask", "ask one of: "+strings.Join(names, " "))
}

func (q *asked) names() string {
	var names []string
	for _, fields := range [...][]cloudevent.Field{q.Fields, everywhere} {
		for _, f := range fields {
			names = append(names, f.Name)
		}
	}
	return strings.Join(names, " ")
}

// set reads the value of one field.
func (q *asked) set(f *cloudevent.Field, raw jsontext.Value) (err error) {
	if f.Words != nil {
		return q.setWord(f, raw)
	}
	switch f.Name {
	case "client":
		return word(raw, &q.client)
	case "party":
		return word(raw, &q.party)
	case "record":
		return word(raw, &q.record)
	case "actor":
		return word(raw, &q.actor)
	case "evidence":
		return word(raw, &q.evidence)
	case "attempt":
		return word(raw, &q.attempt)
	case "review":
		return word(raw, &q.review)
	case "consent", "designation", "delegation", "authorization", "terms", "approval":
		if q.about.kind != "" {
			return errors.New("one thing is traced, and this is the second")
		}
		q.about.kind = f.Name
		return word(raw, &q.about.id)
	case "ended":
		q.ended, err = parseBool(raw)
	case "open":
		q.open, err = parseBool(raw)
	case "edition":
		q.edition, err = parseEdition(raw)
	case "by":
		q.by, err = parseWhen(raw)
	case "unseen":
		q.unseen, err = parseBool(raw)
	case "at":
		q.at, err = parseWhen(raw)
	case "from":
		q.from, err = parseWhen(raw)
	case "to":
		q.to, err = parseWhen(raw)
	case "after":
		q.after, err = parseSeq(raw)
	case "wait":
		q.wait, err = parseWait(raw)
	case "request":
		return q.setRequest(raw)
	case "cursor":
		q.cursor, err = parseCursor(raw)
	}
	return err
}

// setWord reads one of a closed set.
func (q *asked) setWord(f *cloudevent.Field, raw jsontext.Value) error {
	s, err := stringOf(raw)
	if err != nil || !slices.Contains(f.Words, s) {
		return errors.New("one of these is wanted: " + strings.Join(f.Words, " "))
	}
	switch f.Name {
	case "type":
		q.kind = s
	case "category":
		q.category = domain.Category(s)
	case "clause":
		q.clause = domain.Clause(s)
	case "decision":
		q.decision = s
	}
	return nil
}

// setRequest reads the data of an access request as a command's is read.
func (q *asked) setRequest(raw jsontext.Value) error {
	data, f := cloudevent.ParseData(accessCommand, raw)
	if f == nil {
		q.request = data.(*domain.AccessRequest)
		f = q.request.Check()
	}
	if f == nil {
		return nil
	}
	f.Field = "/request" + strings.TrimPrefix(f.Field, "/data")
	return f
}

func parseBool(raw jsontext.Value) (bool, error) {
	if k := raw.Kind(); k != 't' && k != 'f' {
		return false, errors.New("true or false is wanted")
	}
	return raw.Kind() == 't', nil
}

func parseEdition(raw jsontext.Value) (int, error) {
	n, err := strconv.ParseUint(string(raw), 10, 16)
	if err != nil || n < 1 || n > 9999 {
		return 0, errors.New("an edition is wanted: a number from 1 to 9999")
	}
	return int(n), nil
}

func stringOf(raw jsontext.Value) (string, error) {
	if raw.Kind() != '"' {
		return "", errors.New("a string is wanted")
	}
	b, err := jsontext.AppendUnquote(nil, raw)
	return string(b), err
}

// word reads a string that checks itself.
func word[P encoding.TextUnmarshaler](raw jsontext.Value, into P) error {
	s, err := stringOf(raw)
	if err != nil {
		return err
	}
	return into.UnmarshalText([]byte(s))
}

// mostSeq is the largest integer that every JSON reader has exactly.
const mostSeq = 1<<53 - 1

func parseSeq(raw jsontext.Value) (uint64, error) {
	n, err := strconv.ParseUint(string(raw), 10, 64)
	if err != nil || n > mostSeq {
		return 0, errors.New("a sequence is wanted: a whole number")
	}
	return n, nil
}

func parseWhen(raw jsontext.Value) (w when, err error) {
	if raw.Kind() == '"' {
		var t domain.Time
		err = word(raw, &t)
		return when{time: t.Time}, err
	}
	w.seq, err = parseSeq(raw)
	if err != nil || w.seq == 0 {
		return when{}, errors.New("a sequence from 1 on is wanted, or a time such as 2026-01-31T09:00:00Z")
	}
	return w, nil
}

// longestWait bounds how long a question for events may wait for some.
const longestWait = 30 * time.Second

func parseWait(raw jsontext.Value) (time.Duration, error) {
	var p domain.Period
	if err := word(raw, &p); err != nil {
		return 0, err
	}
	if p.Years != 0 || p.Months != 0 || p.Days != 0 || p.Clock > longestWait {
		return 0, errors.New("a question waits for PT30S at most")
	}
	return p.Clock, nil
}

// escaped is a name as JSON pointers write it.
func escaped(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// wrong blames a field of the question.
func wrong(field, message string) *domain.Fault {
	return &domain.Fault{Code: domain.Invalid, Field: field, Message: message}
}

// absent blames a field that names what the ledger doesn't know.
func absent(field, message string, args ...any) *domain.Fault {
	return &domain.Fault{Code: domain.Unknown, Field: field, Message: fmt.Sprintf(message, args...)}
}

// unavailable says that nothing can be answered at present, and what to do.
func unavailable(message string) *domain.Fault {
	return &domain.Fault{Code: domain.Unavailable, Message: message}
}
