package projections

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/domain"
)

// roles says, for each field of a command's data that holds an id, by which filter
// its event is found; 0: by none.
var roles = map[string]filter{
	"client": byClient,
	"record": byRecord, "records": byRecord,
	"holder": byParty, "parties": byParty,
	"party": byParty, "of": byParty, "contacts": byParty, "delegate": byParty, "assignee": byParty, "operator": byParty,
	"witness": byParty, "bearer": byParty, "recipient": byParty, "behalfOf": byParty,
	"evidence": byEvidence, "confirmation": byEvidence,
	// Rights are found by the party that holds them, and these by nothing.
	"designation": 0, "delegation": 0, "consent": 0, "authorization": 0,
	"terms": 0, "hold": 0, "review": 0, "inquiry": 0, "approval": 0, "engagement": 0, "engagements": 0, "course": 0, "channel": 0, "purpose": 0, "name": 0, "actor": 0,
}

// No row, and no field of a row, can be forgotten: each id in it is found under the
// filter that its name says, and a name that isn't known here fails.
func TestEveryIDOfEveryRowIsFoundOrIsNone(t *testing.T) {
	for _, row := range domain.Catalogue {
		data := row.New()
		ids := map[string][]string{}
		n := 0
		fill(reflect.ValueOf(data).Elem(), "", func(field string, v reflect.Value) {
			n++
			v.SetString(fmt.Sprintf("id-%d", n))
			ids[field] = append(ids[field], v.String())
		})
		asked := false
		var m mentions
		require.NoError(t, m.of(&domain.Event{Type: row.Events[0], Data: data}, func(k domain.Key) (domain.Fact, error) {
			switch k.Kind {
			case domain.KindRightID:
				asked = true
				kind, id, _ := strings.Cut(k.C, "/")
				require.Contains(t, ids[kind], id)
				return &domain.RightID{Party: "holder"}, nil
			case domain.KindViolation:
				return &domain.Violation{Party: "suspect", Record: "r"}, nil
			case domain.KindApproval:
				return &domain.Approval{Party: "approved", Recipient: "recipient"}, nil
			}
			require.Equal(t, "holder", k.B)
			return &domain.Right{Party: "holder", Principal: "principal"}, nil
		}))
		for field, values := range ids {
			f, known := roles[field]
			require.True(t, known, "%s has a field %s: say in mentions.go and here by what it is found", row.Command, field)
			for _, v := range values {
				if f != 0 {
					require.Contains(t, m, mention{f, v}, "%s is not found by its %s", row.Command, field)
				}
			}
		}
		if asked {
			require.Contains(t, m, mention{byParty, "holder"})
			require.Contains(t, m, mention{byParty, "principal"})
		}
		if _, names := reflect.TypeOf(data).Elem().FieldByName("Violation"); names {
			require.Contains(t, m, mention{byParty, "suspect"})
		}
		if row.Command == "approval.withdraw" {
			require.Contains(t, m, mention{byParty, "approved"})
		}
		names := ids["designation"] != nil || ids["delegation"] != nil || ids["consent"] != nil || ids["authorization"] != nil
		makes := ids["party"] != nil // it says itself whose it is
		require.Equal(t, names && !makes, asked, "%s names a right whose party it is to be found by", row.Command)
	}
}

// fill gives each id in the data a value of its own, in lists and pointers too.
func fill(v reflect.Value, field string, id func(field string, v reflect.Value)) {
	switch {
	case v.Type() == reflect.TypeFor[domain.ID]():
		id(field, v)
	case v.Kind() == reflect.Struct && v.Type().PkgPath() == reflect.TypeFor[domain.ID]().PkgPath():
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				fill(v.Field(i), jsonName(f), id)
			}
		}
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(v.Index(i), field, id)
		}
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), field, id)
	}
}

func jsonName(f reflect.StructField) string {
	name := f.Tag.Get("json")
	for i := range name {
		if name[i] == ',' {
			return name[:i]
		}
	}
	return name
}

// What a decision says is found, each value once.
func TestADecisionIsFoundByItsClausesAndPapers(t *testing.T) {
	var m mentions
	require.NoError(t, m.of(&domain.Event{Type: "access.denied", Actor: "gw", Subject: domain.Subject{Client: "acme"},
		Data: &domain.AccessRequest{Client: "acme", Record: "r1", Party: "li", BehalfOf: "li"},
		Decision: &domain.Decision{Decision: domain.Denied, Reasons: []domain.Reason{
			{Clause: "II.6", Evidence: []domain.ID{"e1"}}, {Clause: "IV.1", Evidence: []domain.ID{"e1", "e2"}}, {Clause: "IV.1"}}}}, nil))
	require.ElementsMatch(t, []mention{{byClient, "acme"}, {byRecord, "r1"}, {byParty, "li"}, {byActor, "gw"}, {byEvidence, "e1"},
		{byEvidence, "e2"}, {byType, "access.denied"}, {byClause, "II.6"}, {byClause, "IV.1"}, {byDecision, "denied"}}, m)
	m = nil
	require.NoError(t, m.of(&domain.Event{Type: "command.refused", Actor: "clerk", Data: &domain.ClockAffirm{},
		Refusal: &domain.Refusal{Code: domain.Refused, Clause: "II.1"}}, nil))
	require.Equal(t, mentions{{byActor, "clerk"}, {byType, "command.refused"}, {byClause, "II.1"}}, m)
}
