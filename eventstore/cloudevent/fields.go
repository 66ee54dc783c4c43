package cloudevent

import (
	"reflect"

	"github.com/qtccc/assent/domain"
)

// A Text is a † field that a command gives: its commitment, and where it stands.
type Text struct {
	Field      string // JSON pointer into the data, such as "/name"
	Commitment string // sha256:…
}

// Texts are the † fields given in the data, ascending by field. d is of a row of
// the catalogue.
func Texts(d domain.Data) []Text {
	v := reflect.ValueOf(d).Elem()
	var texts []Text
	for _, f := range plans[v.Type()].free {
		if c := v.FieldByIndex(f.index).String(); c != "" {
			texts = append(texts, Text{f.pointer, c})
		}
	}
	return texts
}

// plans are the plans of the rows' types.
var plans = func() map[reflect.Type]*plan {
	m := make(map[reflect.Type]*plan, len(forms))
	for _, f := range forms {
		m[reflect.TypeOf(f.row.New()).Elem()] = f.plan
	}
	return m
}()

// A Field is one field of a command's data, as flags and pages need to know it.
type Field struct {
	Name     string
	Required bool
	Kind     Kind
	// List: a list of Kind, which has at least one element unless MayEmpty.
	List, MayEmpty bool
	// Words is the closed set that a KindWord is one of.
	Words []string
	// Fields are those of a KindObject.
	Fields []Field
}

// A Kind is what a field holds.
type Kind string

// The kinds of fields.
const (
	KindText      Kind = "text" // †: a commitment here, plain text for people
	KindID        Kind = "id"
	KindUUID      Kind = "uuid"
	KindWord      Kind = "word" // of a closed set
	KindTime      Kind = "time"
	KindDuration  Kind = "duration"
	KindDigest    Kind = "digest"
	KindPublicKey Kind = "public key"
	KindLogKey    Kind = "log key"
	KindMediaType Kind = "media type"
	KindNumber    Kind = "number"
	KindBool      Kind = "bool"
	KindFlag      Kind = "flag" // true, or left out
	KindObject    Kind = "object"
)

var kinds = map[reflect.Type]Kind{
	reflect.TypeFor[domain.Text]():      KindText,
	reflect.TypeFor[domain.ID]():        KindID,
	reflect.TypeFor[domain.UUID]():      KindUUID,
	reflect.TypeFor[domain.Time]():      KindTime,
	reflect.TypeFor[domain.Period]():    KindDuration,
	reflect.TypeFor[domain.Digest]():    KindDigest,
	reflect.TypeFor[domain.PublicKey](): KindPublicKey,
	reflect.TypeFor[domain.LogKey]():    KindLogKey,
	reflect.TypeFor[domain.MediaType](): KindMediaType,
}

// closedSets are the words of the law's types (TestEveryWordHasItsClosedSet).
var closedSets = map[reflect.Type][]string{
	reflect.TypeFor[domain.Category]():     texts(domain.Categories),
	reflect.TypeFor[domain.PartyKind]():    texts(domain.PartyKinds),
	reflect.TypeFor[domain.Role]():         texts(domain.Roles),
	reflect.TypeFor[domain.Purpose]():      texts(domain.Purposes),
	reflect.TypeFor[domain.Action]():       texts(domain.Actions),
	reflect.TypeFor[domain.EvidenceKind](): texts(domain.EvidenceKinds),
	reflect.TypeFor[domain.Custody]():      texts(domain.Custodies),
	reflect.TypeFor[domain.Class]():        texts(domain.Classes),
	reflect.TypeFor[domain.Medium]():       texts(domain.Media),
	reflect.TypeFor[domain.Method]():       texts(domain.Methods),
	reflect.TypeFor[domain.Effect]():       texts(domain.Effects),
	reflect.TypeFor[domain.Finding]():      texts(domain.Findings),
	reflect.TypeFor[domain.VerdictWord]():  texts(domain.Verdicts),
	reflect.TypeFor[domain.InquiryKind]():  texts(domain.InquiryKinds),
	reflect.TypeFor[domain.Addressee]():    texts(domain.Addressees),
	reflect.TypeFor[domain.RetentionStart](): {
		string(domain.AfterRegistration), string(domain.AfterEngagement)},
}

func texts[W ~string](words []W) []string {
	s := make([]string, len(words))
	for i, w := range words {
		s[i] = string(w)
	}
	return s
}

// Fields are the fields of a row's data, in the order of its struct.
func Fields(r *domain.Row) []Field {
	return fieldsOf(reflect.TypeOf(r.New()).Elem(), forms[r.Command].plan)
}

func fieldsOf(t reflect.Type, p *plan) []Field {
	fields := make([]Field, len(p.fields))
	for _, m := range p.fields {
		f := Field{Name: m.name, Required: m.required, Kind: m.kind, MayEmpty: m.mayEmpty}
		inner, of := t.Field(m.index).Type, m.plan
		for of.elem != nil {
			f.List = f.List || of.shape == aList
			inner, of = inner.Elem(), of.elem
		}
		f.Words = closedSets[inner]
		if of.shape == anObject {
			f.Fields = fieldsOf(inner, of)
		}
		fields[m.index] = f
	}
	return fields
}
