package cloudevent

import (
	"bytes"
	"encoding"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// A reader reads canonical JSON into the law's types. What it takes is of the form
// that the plan says; of other spellings it only says that they are wrong.
type reader struct {
	b []byte
	i int
}

func (r *reader) read(p *plan, v reflect.Value) *wrong {
	if r.i == len(r.b) {
		return invalid("the data ends here")
	}
	c := r.b[r.i]
	if c == 'n' {
		return invalid("null is nowhere valid: give a value, or leave an optional field out")
	}
	switch p.shape {
	case aWord:
		return r.word(v)
	case aRaw:
		return r.raw(v)
	case aBool:
		return r.bool(v)
	case aNumber:
		return r.number(v)
	case aList:
		return r.list(p, v)
	case anObject:
		return r.object(p, v)
	default:
		v.Set(reflect.New(v.Type().Elem()))
		return r.read(p.elem, v.Elem())
	}
}

// word reads a string that checks itself.
func (r *reader) word(v reflect.Value) *wrong {
	if r.b[r.i] != '"' {
		return r.other("a string")
	}
	text, w := r.text()
	if w != nil {
		return w
	}
	if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText(text); err != nil {
		return invalid(err.Error())
	}
	return nil
}

// text is what the string that begins here says.
func (r *reader) text() ([]byte, *wrong) {
	if end := canonicalString(r.b, r.i); end > 0 {
		text := r.b[r.i+1 : end-1]
		r.i = end
		return text, nil
	}
	d := jsontext.NewDecoder(bytes.NewReader(r.b[r.i:]))
	token, err := d.ReadToken()
	if err != nil {
		return nil, invalid("this is no string")
	}
	r.i += int(d.InputOffset())
	return []byte(token.String()), nil
}

// raw reads a number, true or false that checks itself.
func (r *reader) raw(v reflect.Value) *wrong {
	begin := r.i
	for r.i < len(r.b) && !strings.ContainsRune(",]}", rune(r.b[r.i])) {
		r.i++
	}
	if err := v.Addr().Interface().(rawUnmarshaler).UnmarshalJSON(r.b[begin:r.i]); err != nil {
		return invalid(err.Error())
	}
	return nil
}

func (r *reader) bool(v reflect.Value) *wrong {
	for _, b := range [...]bool{true, false} {
		if end := word(r.b, r.i, strconv.FormatBool(b)); end > 0 {
			r.i = end
			v.SetBool(b)
			return nil
		}
	}
	return r.other("true or false")
}

// mostNumber is the largest whole number that every JSON reader has exactly.
const mostNumber = 1<<53 - 1

func (r *reader) number(v reflect.Value) *wrong {
	if c := r.b[r.i]; c != '-' && (c < '0' || c > '9') {
		return r.other("a whole number")
	}
	if end := intEnd(r.b, r.i); end > 0 {
		n, err := strconv.ParseInt(string(r.b[r.i:end]), 10, 64)
		if err == nil && n >= -mostNumber && n <= mostNumber && !v.OverflowInt(n) {
			r.i = end
			v.SetInt(n)
			return nil
		}
	}
	return invalid("a whole number is wanted here, of at most " + strconv.Itoa(mostNumber))
}

func (r *reader) list(p *plan, v reflect.Value) *wrong {
	if r.b[r.i] != '[' {
		return r.other("a list")
	}
	r.i++
	v.Set(reflect.MakeSlice(v.Type(), 0, 0)) // given, though it be empty
	if r.has(']') {
		return nil
	}
	for n := 0; ; n++ {
		v.Grow(1)
		v.SetLen(n + 1)
		if w := r.read(p.elem, v.Index(n)); w != nil {
			return w.in(strconv.Itoa(n))
		}
		switch {
		case r.has(']'):
			return nil
		case !r.has(','):
			return invalid("the list goes on otherwise than JSON's")
		}
	}
}

// object reads the members in ascending order, in which each stands once.
func (r *reader) object(p *plan, v reflect.Value) *wrong {
	if r.b[r.i] != '{' {
		return r.other("an object of fields")
	}
	r.i++
	missing, next := p.required, 0
	for n := 0; !r.has('}'); n++ {
		if n > 0 && !r.has(',') || r.i == len(r.b) || r.b[r.i] != '"' {
			return invalid("the object goes on otherwise than JSON's")
		}
		name, w := r.text()
		if w != nil || !r.has(':') {
			return invalid("the object goes on otherwise than JSON's")
		}
		for next < len(p.fields) && p.fields[next].name != string(name) {
			next++
		}
		if next == len(p.fields) {
			return p.unknown().in(string(name))
		}
		f := &p.fields[next]
		w = r.read(f.plan, v.Field(f.index))
		if w == nil && f.shape == aList && !f.mayEmpty && v.Field(f.index).Len() == 0 {
			w = invalid("the list is empty; name at least one")
		}
		if w != nil {
			return w.in(f.name)
		}
		missing &^= 1 << next
		next++
	}
	return p.missing(missing)
}

func (r *reader) has(c byte) bool {
	if r.i < len(r.b) && r.b[r.i] == c {
		r.i++
		return true
	}
	return false
}

// other says what is wanted, and what is there.
func (r *reader) other(wanted string) *wrong {
	there := "a number"
	switch r.b[r.i] {
	case '"':
		there = "a string"
	case '{':
		there = "an object"
	case '[':
		there = "a list"
	case 't':
		there = "true"
	case 'f':
		there = "false"
	}
	return invalid(wanted + " is wanted here, not " + there)
}

func (p *plan) unknown() *wrong {
	names := make([]string, len(p.fields))
	for _, f := range p.fields {
		names[f.index] = f.name
	}
	if len(names) == 0 {
		return invalid("there is no such field; this command has none")
	}
	return invalid("there is no such field; there are " + strings.Join(names, ", "))
}

// missing is the first of the members, in the order of the struct.
func (p *plan) missing(which uint64) *wrong {
	first := len(p.fields)
	name := ""
	for i, f := range p.fields {
		if which>>i&1 == 1 && f.index < first {
			first, name = f.index, f.name
		}
	}
	if name == "" {
		return nil
	}
	return invalid("this field is missing").in(name)
}
