package cloudevent

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/qtccc/assent/domain"
)

// ParseData reads the data of the command called name: step 1 of the contract's
// section 2. The fault points to the first field that is wrong, in the canonical
// order of fields, missing ones after those that are there. What fields say of each
// other, domain.Decide looks at; whether raw is canonical, Canonical does. Nothing
// in the data aliases raw.
func ParseData(name string, raw []byte) (domain.Data, *domain.Fault) {
	f, ok := forms[name]
	if !ok {
		return nil, invalid("there is no command " + strconv.Quote(name)).in("name").fault("")
	}
	if data, w := f.parse(raw); w == nil {
		return data, nil
	}
	// Something is wrong, or spelled otherwise. The canonical form tells which, and
	// makes the same fault of every spelling.
	v := jsontext.Value(bytes.Clone(raw))
	if err := v.Canonicalize(); err != nil {
		return nil, noJSON(err).fault("/data")
	}
	data, w := f.parse(v)
	if w != nil {
		return nil, w.fault("/data")
	}
	return data, nil
}

func (f *form) parse(b []byte) (domain.Data, *wrong) {
	data := f.row.New()
	r := reader{b: b}
	if w := r.read(f.plan, reflect.ValueOf(data).Elem()); w != nil {
		return nil, w
	}
	if r.i != len(b) {
		return nil, invalid("the data ends before this")
	}
	return data, nil
}

// A wrong is a fault whose place is still being said, from the inside out.
type wrong struct {
	field, message string
}

func invalid(message string) *wrong { return &wrong{"", message} }

// in says that it lies in the member or element called name.
func (w *wrong) in(name string) *wrong {
	w.field = "/" + inPointer.Replace(name) + w.field
	return w
}

// inPointer writes a name as JSON pointers (RFC 6901) have it.
var inPointer = strings.NewReplacer("~", "~0", "/", "~1")

func (w *wrong) fault(in string) *domain.Fault {
	return &domain.Fault{Code: domain.Invalid, Field: in + w.field, Message: w.message}
}

// noJSON says what jsontext found, in words for a person.
func noJSON(err error) *wrong {
	var at *jsontext.SyntacticError
	if !errors.As(err, &at) {
		return invalid("this is no JSON")
	}
	w := invalid(fmt.Sprintf("this is no JSON: byte %d of the data is not what JSON has there", at.ByteOffset))
	w.field = string(at.JSONPointer)
	if errors.Is(err, jsontext.ErrDuplicateName) {
		w.message = "the field is given twice"
	}
	return w
}
