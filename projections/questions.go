package projections

import (
	"slices"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore/cloudevent"
)

// KindMoment is what at, from and to hold: a sequence, as a number, or a time.
const KindMoment cloudevent.Kind = "moment"

// A Question is one row of the contract's table of questions (section 5). Besides
// its own Fields each takes `after` and `cursor`, which doors and the CLI fill in
// (docs/questions.md).
type Question struct {
	Ask string
	// Roles may ask it.
	Roles  []domain.Role
	Fields []cloudevent.Field
	// One: it is answered with one `item`, not with pages of `items`.
	One bool

	answer func(*asking) error
}

var (
	readers   = []domain.Role{domain.Officer, domain.Manager, domain.Auditor}
	andClerk  = []domain.Role{domain.Clerk, domain.Officer, domain.Manager, domain.Auditor}
	andAdmin  = []domain.Role{domain.Officer, domain.Manager, domain.Auditor, domain.Admin}
	watchdogs = []domain.Role{domain.Clerk, domain.Officer, domain.Manager, domain.Auditor, domain.Admin}
)

// Questions are what may be asked, in the contract's order.
var Questions = []Question{
	{Ask: "rights", Roles: andClerk, answer: (*asking).rights, Fields: []cloudevent.Field{
		id("client"), id("party"), id("record"), {Name: "ended", Kind: cloudevent.KindBool}, moment("at")}},
	{Ask: "trail", Roles: readers, answer: (*asking).trail, Fields: []cloudevent.Field{
		id("client"), id("record"), id("party"), id("actor"), id("evidence"), words("type", eventTypes),
		words("clause", domain.Clauses()), words("decision", []string{domain.Granted, domain.Denied}), moment("from"), moment("to")}},
	{Ask: "trace", Roles: readers, answer: (*asking).trace, Fields: []cloudevent.Field{
		id("client"), id("consent"), id("designation"), id("delegation"), id("authorization"), id("terms"), id("approval"),
		id("evidence"), {Name: "attempt", Kind: cloudevent.KindUUID}, moment("at")}},
	{Ask: "explain", Roles: readers, One: true, answer: (*asking).explain, Fields: []cloudevent.Field{
		{Name: "attempt", Kind: cloudevent.KindUUID}, accessRequest(), moment("at")}},
	{Ask: "redecide", Roles: readers, answer: (*asking).redecide, Fields: []cloudevent.Field{moment("from"), moment("to")}},
	{Ask: "reviews", Roles: readers, answer: (*asking).reviews, Fields: []cloudevent.Field{moment("at")}},
	{Ask: "review", Roles: readers, answer: (*asking).snapshot, Fields: []cloudevent.Field{
		needed(id("review")), {Name: "unseen", Kind: cloudevent.KindBool}, moment("at")}},
	{Ask: "violations", Roles: readers, answer: (*asking).violations, Fields: []cloudevent.Field{
		yes("open"), id("client"), id("party"), moment("at")}},
	{Ask: "destruction", Roles: readers, answer: (*asking).destruction, Fields: []cloudevent.Field{
		id("client"), id("record"), moment("by"), moment("at")}},
	{Ask: "notices", Roles: andClerk, answer: (*asking).notices, Fields: []cloudevent.Field{
		needed(cloudevent.Field{Name: "edition", Kind: cloudevent.KindNumber}), moment("at")}},
	{Ask: "inquiries", Roles: andClerk, answer: (*asking).inquiries, Fields: []cloudevent.Field{yes("open"), moment("at")}},
	{Ask: "records", Roles: andClerk, answer: (*asking).records, Fields: []cloudevent.Field{needed(id("client")), moment("at")}},
	{Ask: "clients", Roles: andClerk, answer: (*asking).clients, Fields: []cloudevent.Field{moment("at")}},
	{Ask: "parties", Roles: andClerk, answer: (*asking).parties, Fields: []cloudevent.Field{
		words("category", domain.Categories), moment("at")}},
	{Ask: "evidence", Roles: andClerk, answer: (*asking).evidences, Fields: []cloudevent.Field{
		id("client"), id("party"), moment("at")}},
	{Ask: "terms", Roles: andClerk, answer: (*asking).specialTerms, Fields: []cloudevent.Field{needed(id("client")), moment("at")}},
	{Ask: "engagements", Roles: andClerk, answer: (*asking).engagements, Fields: []cloudevent.Field{needed(id("client")), moment("at")}},
	{Ask: "approvals", Roles: andClerk, answer: (*asking).approvals, Fields: []cloudevent.Field{needed(id("client")), moment("at")}},
	{Ask: "holds", Roles: readers, answer: (*asking).holds, Fields: []cloudevent.Field{id("client"), moment("at")}},
	{Ask: "editions", Roles: andClerk, answer: (*asking).editions, Fields: []cloudevent.Field{moment("at")}},
	{Ask: "identities", Roles: andAdmin, answer: (*asking).identities, Fields: []cloudevent.Field{moment("at")}},
	{Ask: "events", Roles: readers, answer: (*asking).events, Fields: []cloudevent.Field{
		id("client"), words("type", eventTypes), {Name: "wait", Kind: cloudevent.KindDuration}}},
	{Ask: "status", Roles: watchdogs, One: true, answer: (*asking).status},
}

// FindQuestion is the row of a question.
func FindQuestion(ask string) (*Question, bool) {
	i := slices.IndexFunc(Questions, func(q Question) bool { return q.Ask == ask })
	if i < 0 {
		return nil, false
	}
	return &Questions[i], true
}

// everywhere are the fields that every question takes.
var everywhere = []cloudevent.Field{
	{Name: "after", Kind: cloudevent.KindNumber},
	{Name: "cursor", Kind: cloudevent.KindID},
}

func (q *Question) field(name string) (*cloudevent.Field, bool) {
	for _, fields := range [...][]cloudevent.Field{q.Fields, everywhere} {
		if i := slices.IndexFunc(fields, func(f cloudevent.Field) bool { return f.Name == name }); i >= 0 {
			return &fields[i], true
		}
	}
	return nil, false
}

func id(name string) cloudevent.Field { return cloudevent.Field{Name: name, Kind: cloudevent.KindID} }

func moment(name string) cloudevent.Field { return cloudevent.Field{Name: name, Kind: KindMoment} }

// yes is a field that is true, or says nothing.
func yes(name string) cloudevent.Field {
	return cloudevent.Field{Name: name, Kind: cloudevent.KindBool}
}

func words[W ~string](name string, set []W) cloudevent.Field {
	f := cloudevent.Field{Name: name, Kind: cloudevent.KindWord}
	for _, w := range set {
		f.Words = append(f.Words, string(w))
	}
	return f
}

func needed(f cloudevent.Field) cloudevent.Field {
	f.Required = true
	return f
}

// accessRequest is the data of an access request, whole.
func accessRequest() cloudevent.Field {
	row, _ := domain.Find(accessCommand)
	return cloudevent.Field{Name: "request", Kind: cloudevent.KindObject, Fields: cloudevent.Fields(row)}
}

const accessCommand = "access.request"

// eventTypes are all there are.
var eventTypes = func() (types []string) {
	for i := range domain.Catalogue {
		types = append(types, domain.Catalogue[i].Events...)
	}
	return append(types, domain.CommandRefused)
}()
