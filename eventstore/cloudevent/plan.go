package cloudevent

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/qtccc/assent/domain"
)

// A plan is how one Go type of the law's data is read: made once from the type's
// fields and their JSON tags, then only looked at.
type plan struct {
	shape  shape
	kind   Kind
	elem   *plan    // of a list, a pointer
	fields []member // of an object, ascending by name: the canonical order
	// required are the members that must be there, a bit each as in fields.
	required uint64
	// free are the † fields, members of objects in it included.
	free []freeField
}

type member struct {
	*plan
	name     string
	index    int // of the struct's field
	required bool
	mayEmpty bool
}

type freeField struct {
	pointer string
	index   []int
}

// A shape is what is done with a value of a type.
type shape uint8

const (
	aWord    shape = iota // a string that checks itself: encoding.TextUnmarshaler
	aRaw                  // a scalar that checks itself: UnmarshalJSON
	aBool                 // true or false
	aNumber               // a whole number
	aList                 // a list
	anObject              // an object
	aPointer              // what it points to
)

// rawUnmarshaler is what encoding/json calls Unmarshaler.
type rawUnmarshaler interface{ UnmarshalJSON([]byte) error }

func planOf(r *domain.Row) *plan {
	return planType(reflect.TypeOf(r.New()).Elem())
}

// planType panics where the law has a type that can't be read from JSON in one way
// only; it runs when the program starts.
func planType(t reflect.Type) *plan {
	p := &plan{kind: kinds[t]}
	switch pt := reflect.PointerTo(t); {
	case pt.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		p.shape = aWord
		if p.kind == "" {
			p.kind = KindWord
		}
	case pt.Implements(reflect.TypeFor[rawUnmarshaler]()):
		p.shape, p.kind = aRaw, KindFlag
	case t.Kind() == reflect.Bool:
		p.shape, p.kind = aBool, KindBool
	case t.Kind() == reflect.Int, t.Kind() == reflect.Int64:
		p.shape, p.kind = aNumber, KindNumber
	case t.Kind() == reflect.Slice:
		p.shape, p.elem = aList, planType(t.Elem())
		p.kind = p.elem.kind
	case t.Kind() == reflect.Pointer:
		p.shape, p.elem = aPointer, planType(t.Elem())
		p.kind = p.elem.kind
	case t.Kind() == reflect.Struct:
		p.shape, p.kind = anObject, KindObject
		p.addFields(t)
	default:
		panic(fmt.Sprintf("cloudevent: %s is no type for the data of a command", t))
	}
	return p
}

func (p *plan) addFields(t reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || f.Anonymous || !isPointer("/"+name) || i == 64 {
			panic(fmt.Sprintf("cloudevent: %s.%s has no name in JSON, or is one too many", t, f.Name))
		}
		p.fields = append(p.fields, member{
			plan: planType(f.Type), name: name, index: i,
			required: !strings.Contains(options, "omitzero") && !strings.Contains(options, "omitempty"),
			mayEmpty: f.Tag.Get("may") == "empty",
		})
	}
	slices.SortFunc(p.fields, func(a, b member) int { return strings.Compare(a.name, b.name) })
	for i, f := range p.fields {
		if f.required {
			p.required |= 1 << i
		}
		switch {
		case f.kind == KindText && f.shape == aWord:
			p.free = append(p.free, freeField{"/" + f.name, []int{f.index}})
		case f.shape == anObject:
			for _, inner := range f.free {
				p.free = append(p.free, freeField{"/" + f.name + inner.pointer, append([]int{f.index}, inner.index...)})
			}
		}
	}
}
