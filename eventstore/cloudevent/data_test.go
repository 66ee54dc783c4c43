package cloudevent_test

import (
	"encoding/json"
	"strings"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore/cloudevent"
)

// TestAFaultPointsToTheField: section 2, step 1. Each message is for a clerk.
func TestAFaultPointsToTheField(t *testing.T) {
	const (
		consent = `{"client":"acme","consent":"c1","evidence":"co-1","party":"nmpa","purposes":["registration"],"scope":{"records":["label"]}}`
		paper   = `{"client":"acme","custody":"paper","evidence":"mc-1","kind":"other","mediaType":"application/pdf","sha256":"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03","signed":false,"size":12,"stamped":false}`
		record  = `{"class":"ordinary","client":"acme","encrypted":true,"medium":"electronic","record":"label","retention":{"after":"registration","keep":"P30D"},"title":"sha256:059f296aa41a5a504c5ee4cef44c3a242208963c466ed114b360113b410800d2"}`
		ec      = `{"client":"acme","designees":[{"designation":"d1","party":"p","scope":{"all":true}},{"designation":"d2","party":"p","scope":{"all":true}}],"engagement":"e1","evidence":"ec-1","purposes":["service"]}`
		client  = `{"client":"acme","contacts":[],"name":"sha256:059f296aa41a5a504c5ee4cef44c3a242208963c466ed114b360113b410800d2"}`
	)
	for _, c := range []struct{ name, raw, old, with, field, message string }{
		{"consent.take", consent, ``, ``, "/name", `there is no command "consent.take"`},
		{"consent.give", consent, consent, `[]`, "/data", "an object of fields is wanted here, not a list"},
		{"consent.give", consent, consent, `null`, "/data", "null is nowhere valid: give a value, or leave an optional field out"},
		{"consent.give", consent, consent, ``, "/data", "this is no JSON: byte 0 of the data is not what JSON has there"},
		{"consent.give", consent, `"registration"]`, `"registration"}`, "/data/purposes", "this is no JSON: byte 91 of the data is not what JSON has there"},
		{"consent.give", consent, consent, consent + `{}`, "/data", "this is no JSON: byte 123 of the data is not what JSON has there"},
		{"consent.give", consent, `{"client"`, `{"client":"acme","client"`, "/data/client", "the field is given twice"},
		{"consent.give", consent, `"label"`, "\"\xff\"", "/data/scope/records/0", "this is no JSON: byte 114 of the data is not what JSON has there"},
		{"consent.give", consent, `{"client"`, `{"a/b~":1,"client"`, "/data/a~1b~0", "there is no such field; there are client, consent, party, scope, purposes, actions, until, evidence"},
		{"consent.give", consent, `{"records"`, `{"record"`, "/data/scope/record", "there is no such field; there are records, engagements, all, sensitive"},
		{"clock.affirm", `{"why":1}`, ``, ``, "/data/why", "there is no such field; this command has none"},
		{"consent.give", consent, `"party":"nmpa",`, ``, "/data/party", "this field is missing"},
		{"consent.give", consent, `"client":"acme","consent":"c1",`, ``, "/data/client", "this field is missing"},
		{"consent.give", consent, `"nmpa"`, `null`, "/data/party", "null is nowhere valid: give a value, or leave an optional field out"},
		{"consent.give", consent, `"nmpa"`, `5`, "/data/party", "a string is wanted here, not a number"},
		{"consent.give", consent, `"nmpa"`, `["nmpa"]`, "/data/party", "a string is wanted here, not a list"},
		{"consent.give", consent, `"nmpa"`, `""`, "/data/party", "an id is 1 to 63 of a-z 0-9 _ -, and starts with a letter or a digit"},
		{"consent.give", consent, `"nmpa"`, `"李伟"`, "/data/party", "an id is 1 to 63 of a-z 0-9 _ -, and starts with a letter or a digit"},
		{"consent.give", consent, `"label"`, `"La bel"`, "/data/scope/records/0", "an id is 1 to 63 of a-z 0-9 _ -, and starts with a letter or a digit"},
		{"consent.give", consent, `["label"]`, `[]`, "/data/scope/records", "the list is empty; name at least one"},
		{"consent.give", consent, `["label"]`, `"label"`, "/data/scope/records", "a list is wanted here, not a string"},
		{"consent.give", consent, `["label"]`, `["label",null]`, "/data/scope/records/1", "null is nowhere valid: give a value, or leave an optional field out"},
		{"consent.give", consent, `"records":["label"]`, `"all":false`, "/data/scope/all", "only true is wanted here"},
		{"consent.give", consent, `"records":["label"]`, `"all":{"yes":1}`, "/data/scope/all", "only true is wanted here"},
		{"consent.give", consent, `["registration"]`, `["registration","fun"]`, "/data/purposes/1", "one of service-plan consultation engagement service notarisation inspection registration fees engagement-related relationship is wanted"},
		{"consent.give", consent, `"scope"`, `"until":"tomorrow","scope"`, "/data/until", "a time is RFC 3339 with up to nanoseconds, such as 2026-01-31T09:00:00Z"},
		{"evidence.file", paper, `"size":12`, `"size":"12"`, "/data/size", "a whole number is wanted here, not a string"},
		{"evidence.file", paper, `"size":12`, `"size":12.5`, "/data/size", "a whole number is wanted here, of at most 9007199254740991"},
		{"evidence.file", paper, `"size":12`, `"size":1e16`, "/data/size", "a whole number is wanted here, of at most 9007199254740991"},
		{"evidence.file", paper, `"signed":false`, `"signed":0`, "/data/signed", "true or false is wanted here, not a number"},
		{"evidence.file", paper, `"signed":false,`, ``, "/data/signed", "this field is missing"},
		{"evidence.file", paper, `"size":12,`, ``, "/data/size", "this field is missing"},
		{"evidence.file", paper, `5891b5`, `5891B5`, "/data/sha256", "a digest is 64 lower case hex digits"},
		{"evidence.file", paper, `application/pdf`, `pdf`, "/data/mediaType", "a media type is type/subtype, such as application/pdf"},
		{"record.register", record, `sha256:`, `SHA256:`, "/data/title", "a † field holds a commitment, sha256: and 64 hex digits"},
		{"record.register", record, `"P30D"`, `"30 days"`, "/data/retention/keep", "a duration is ISO 8601, such as P1Y, P30D or PT2S, of at most 9,999 years"},
		{"record.register", record, `,"keep":"P30D"`, ``, "/data/retention/keep", "this field is missing"},
		{"engagement.confirm", ec, `"party":"p","scope":{"all":true}}]`, `"scope":{"all":true}}]`, "/data/designees/1/party", "this field is missing"},
		{"engagement.confirm", ec, `{"designation":"d1"`, `7,{"designation":"d1"`, "/data/designees/0", "an object of fields is wanted here, not a number"},
		{"client.register", client, `"contacts":[],`, ``, "/data/contacts", "this field is missing"},
	} {
		raw := strings.Replace(c.raw, c.old, c.with, 1)
		require.Contains(t, c.raw, c.old)
		data, fault := cloudevent.ParseData(c.name, []byte(raw))
		require.Nil(t, data, raw)
		require.Equal(t, &domain.Fault{Code: domain.Invalid, Field: c.field, Message: c.message}, fault, raw)
	}
	for name, raw := range map[string]string{"consent.give": consent, "evidence.file": paper, "record.register": record, "engagement.confirm": ec, "client.register": client} {
		_, fault := cloudevent.ParseData(name, []byte(raw))
		require.Nil(t, fault)
	}
}

// TestTheFormKnowsEverySpelling: whether the bytes are canonical is another question.
func TestTheFormKnowsEverySpelling(t *testing.T) {
	const canonical = `{"client":"acme","consent":"c1","evidence":"co-1","party":"nmpa","purposes":["registration"],"scope":{"all":true}}`
	want, fault := cloudevent.ParseData("consent.give", []byte(canonical))
	require.Nil(t, fault)
	for _, raw := range []string{
		`{"consent":"c1","client":"acme","evidence":"co-1","party":"nmpa","purposes":["registration"],"scope":{"all":true}}`,
		` { "client" : "acme", "consent":"c1","evidence":"co-1","party":"nmpa","purposes":[ "registration" ],"scope":{"all":true}}` + "\n",
		`{"client":"\u0061cme","consent":"c1","evidence":"co-1","party":"nmpa","purposes":["registration"],"scope":{"all":true}}`,
		`{"\u0063lient":"acme","consent":"c1","evidence":"co-1","party":"nmpa","purposes":["registration"],"scope":{"all":true}}`,
	} {
		data, fault := cloudevent.ParseData("consent.give", []byte(raw))
		require.Nil(t, fault, raw)
		require.Equal(t, want, data)
		require.False(t, cloudevent.Canonical([]byte(raw)), raw)
	}
	data, fault := cloudevent.ParseData("ledger.rekey", []byte(`{"log":"a\"\\b+01234567+AXJtekkDXb25kwpXIjj1qrMEHGXfAmD+J9PHszqxThoh"}`))
	require.Nil(t, fault)
	require.Equal(t, domain.LogKey(`a"\b+01234567+AXJtekkDXb25kwpXIjj1qrMEHGXfAmD+J9PHszqxThoh`), data.(*domain.LedgerRekey).Log)
}

// TestGivenIsToldFromLeftOut: false, 0 and an allowed empty list are values.
func TestGivenIsToldFromLeftOut(t *testing.T) {
	data, fault := cloudevent.ParseData("client.register", []byte(`{"client":"acme","contacts":[],"name":"sha256:059f296aa41a5a504c5ee4cef44c3a242208963c466ed114b360113b410800d2"}`))
	require.Nil(t, fault)
	require.NotNil(t, data.(*domain.ClientRegister).Contacts)
	const amend = `{"client":"acme","encrypted":false,"reason":"sha256:059f296aa41a5a504c5ee4cef44c3a242208963c466ed114b360113b410800d2","record":"label"}`
	data, fault = cloudevent.ParseData("record.amend", []byte(amend))
	require.Nil(t, fault)
	require.False(t, *data.(*domain.RecordAmend).Encrypted)
	data, fault = cloudevent.ParseData("record.amend", []byte(strings.Replace(amend, `"encrypted":false,`, ``, 1)))
	require.Nil(t, fault)
	require.Nil(t, data.(*domain.RecordAmend).Encrypted)
}

// TestTextsAreTheCommitmentsGiven: contract, 7.
func TestTextsAreTheCommitmentsGiven(t *testing.T) {
	for _, s := range samples(t) {
		d := s.document(t)
		data, fault := cloudevent.ParseData(d.Name, d.Data)
		require.Nil(t, fault)
		row, _ := domain.Find(s.Name)
		want := map[string]string{}
		for _, f := range cloudevent.Fields(row) {
			if v, given := s.Data[f.Name]; given && f.Kind == cloudevent.KindText {
				want["/"+f.Name] = v.(string)
			}
		}
		last := ""
		for _, text := range cloudevent.Texts(data) {
			require.Equal(t, want[text.Field], text.Commitment)
			require.Less(t, last, text.Field)
			last = text.Field
			delete(want, text.Field)
		}
		require.Empty(t, want)
	}
}

// TestFieldsAreTheContracts: one row of each kind, as flags and pages see it.
func TestFieldsAreTheContracts(t *testing.T) {
	row, _ := domain.Find("engagement.confirm")
	fields := cloudevent.Fields(row)
	require.Equal(t, cloudevent.Field{Name: "client", Required: true, Kind: cloudevent.KindID}, fields[0])
	designees := fields[4]
	require.Equal(t, "designees", designees.Name)
	require.True(t, designees.List && !designees.Required && !designees.MayEmpty)
	require.Equal(t, cloudevent.KindObject, designees.Kind)
	require.Equal(t, "scope", designees.Fields[2].Name)
	require.Equal(t, cloudevent.Field{Name: "all", Kind: cloudevent.KindFlag}, designees.Fields[2].Fields[2])
	require.Equal(t, []string{"consult", "use", "transfer", "modify"}, designees.Fields[4].Words)

	row, _ = domain.Find("record.amend")
	for _, f := range cloudevent.Fields(row) {
		if f.Name == "encrypted" {
			require.Equal(t, cloudevent.Field{Name: "encrypted", Kind: cloudevent.KindBool}, f)
		}
	}
	row, _ = domain.Find("client.register")
	require.True(t, cloudevent.Fields(row)[2].MayEmpty)
	require.Equal(t, cloudevent.KindText, cloudevent.Fields(row)[1].Kind)
}

// TestWhatIsOfTheFormIsTaken: any data made by the fields of its row is read as
// json/v2 reads it.
func TestWhatIsOfTheFormIsTaken(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		row := rapid.SampledFrom(domain.Catalogue).Draw(t, "row")
		raw, err := json.Marshal(drawObject(t, cloudevent.Fields(&row)))
		require.NoError(t, err)
		require.True(t, cloudevent.Canonical(raw), string(raw))
		data, fault := cloudevent.ParseData(row.Command, raw)
		require.Nil(t, fault, "%s %s", row.Command, raw)
		requireAsV2(t, &row, raw, data)
	})
}

type testingT interface {
	Errorf(string, ...any)
	FailNow()
}

func requireAsV2(t testingT, row *domain.Row, raw []byte, data domain.Data) {
	want := row.New()
	require.NoError(t, jsonv2.Unmarshal(raw, want, jsonv2.RejectUnknownMembers(true)), "%s", raw)
	require.Equal(t, want, data)
}

func drawObject(t *rapid.T, fields []cloudevent.Field) map[string]any {
	object := map[string]any{}
	for _, f := range fields {
		if !f.Required && rapid.Bool().Draw(t, f.Name+" left out") {
			continue
		}
		if !f.List {
			object[f.Name] = drawValue(t, f)
			continue
		}
		n := rapid.IntRange(1, 4).Draw(t, f.Name)
		if f.MayEmpty {
			n--
		}
		list := make([]any, n)
		for i := range list {
			list[i] = drawValue(t, f)
		}
		object[f.Name] = list
	}
	return object
}

func drawValue(t *rapid.T, f cloudevent.Field) any {
	text := func(pattern string) any { return rapid.StringMatching(pattern).Draw(t, f.Name) }
	switch f.Kind {
	case cloudevent.KindObject:
		return drawObject(t, f.Fields)
	case cloudevent.KindBool:
		return rapid.Bool().Draw(t, f.Name)
	case cloudevent.KindFlag:
		return true
	case cloudevent.KindNumber:
		return rapid.Int64Range(-9007199254740991, 9007199254740991).Draw(t, f.Name)
	case cloudevent.KindWord:
		return rapid.SampledFrom(f.Words).Draw(t, f.Name)
	case cloudevent.KindText:
		return text(`sha256:[0-9a-f]{64}`)
	case cloudevent.KindDigest:
		return text(`[0-9a-f]{64}`)
	case cloudevent.KindUUID:
		return text(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	case cloudevent.KindPublicKey:
		return text(`U[A-Z2-7]{55}`)
	case cloudevent.KindLogKey:
		return text(`[a-z/]{1,20}\+[0-9a-f]{8}\+[A-Za-z0-9]{43}=`)
	case cloudevent.KindMediaType:
		return text(`[a-z0-9]{1,20}/[a-z0-9]([.+-][a-z0-9]{1,20})?`)
	case cloudevent.KindTime:
		return text(`20[0-9]{2}-0[1-9]-[012][1-8]T[01][0-9]:[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]0[0-9]:[03]0)`)
	case cloudevent.KindDuration:
		return text(`P([1-9]Y)?[1-9][0-9]{0,2}D(T[0-9]{1,3}S)?`)
	}
	return text(`[a-z0-9][a-z0-9_-]{0,62}`)
}

// FuzzParseData: what is of the form is JSON that json/v2 reads to the same data;
// what isn't has a fault that points into the data, the same for every spelling.
func FuzzParseData(f *testing.F) {
	for _, s := range samples(f) {
		d := s.document(f)
		f.Add(s.Name, d.Data)
	}
	f.Fuzz(func(t *testing.T, name string, raw []byte) {
		row, ok := domain.Find(name)
		data, fault := cloudevent.ParseData(name, raw)
		require.Equal(t, data == nil, fault != nil)
		canonical := jsontext.Value(strings.Clone(string(raw)))
		switch err := canonical.Canonicalize(); {
		case fault != nil && ok && err == nil:
			require.True(t, strings.HasPrefix(fault.Field, "/data"), fault.Field)
			_, again := cloudevent.ParseData(name, canonical)
			require.Equal(t, again, fault)
		case fault != nil:
			require.NotEmpty(t, fault.Message)
		default:
			require.NoError(t, err, "%s", raw)
			requireAsV2(t, row, canonical, data)
		}
	})
}
