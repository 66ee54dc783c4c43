package cloudevent

import (
	"errors"

	"github.com/qtccc/assent/domain"
)

// ErrNewer means that an event is of a type, or a version of its shape, that this
// program doesn't know: a newer one wrote it. Who reads the record stops there.
var ErrNewer = errors.New("a newer version of this program wrote it")

// schemaVersion is the version of the shape of every event type so far. When the
// shape of a type changes, that type's version goes up, its Document says which it
// has, and Event brings an older one into the present shape before ParseData sees
// it. Old documents are never written anew.
const schemaVersion = 1

// A form is what the data of one row looks like.
type form struct {
	row  *domain.Row
	plan *plan
}

// forms are the rows of the catalogue by their command.
var forms = func() map[string]*form {
	m := make(map[string]*form, len(domain.Catalogue))
	for i := range domain.Catalogue {
		r := &domain.Catalogue[i]
		m[r.Command] = &form{r, planOf(r)}
	}
	return m
}()

// types are the events' types, to be found by their bytes.
var types = func() map[string]string {
	m := map[string]string{domain.CommandRefused: domain.CommandRefused}
	for _, r := range domain.Catalogue {
		for _, t := range r.Events {
			m[t] = t
		}
	}
	return m
}()
