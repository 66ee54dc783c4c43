package domain

import (
	"slices"
	"strconv"
)

// A Scope says which records a right covers: some by name, those registered to
// some engagements then and later, or all. With Sensitive it covers sensitive
// records too, without it none (II.4).
type Scope struct {
	Records     []ID `json:"records,omitempty"`
	Engagements []ID `json:"engagements,omitempty"`
	All         True `json:"all,omitzero"`
	Sensitive   bool `json:"sensitive,omitzero"`
}

// check: exactly one of records, engagements and all, and no empty list.
func (s *Scope) check(at string) *Fault {
	n := 0
	for _, given := range []bool{s.Records != nil, s.Engagements != nil, bool(s.All)} {
		if given {
			n++
		}
	}
	switch {
	case n != 1:
		return invalid(at, "a scope is one of records, engagements and all")
	case s.Records != nil && len(s.Records) == 0:
		return invalid(at+"/records", "the list is empty")
	case s.Engagements != nil && len(s.Engagements) == 0:
		return invalid(at+"/engagements", "the list is empty")
	}
	return nil
}

// has says whether the scope reaches the record, sensitive or not.
func (s *Scope) has(record ID, r *Record) bool {
	switch {
	case bool(s.All):
		return true
	case s.Records != nil:
		return slices.Contains(s.Records, record)
	default:
		return r.Engagement != "" && slices.Contains(s.Engagements, r.Engagement)
	}
}

// beyond says whether the scope reaches further than the one engagement.
func (s *Scope) beyond(engagement ID) bool {
	return s.Engagements == nil || slices.ContainsFunc(s.Engagements, func(e ID) bool { return e != engagement })
}

// scope blames one that names what the client doesn't have. An engagement that is
// being made may be named.
func (d *deciding) scope(at string, of ID, s *Scope, making ID) {
	for i, id := range s.Records {
		if r, _ := record(d, of, id); r == nil {
			d.blame(Unknown, at+"/records/"+strconv.Itoa(i), "%s has no record %s", of, id)
		}
	}
	for i, id := range s.Engagements {
		if g, _ := engagement(d, of, id); g == nil && id != making {
			d.blame(Unknown, at+"/engagements/"+strconv.Itoa(i), "%s has no engagement %s", of, id)
		}
	}
}
