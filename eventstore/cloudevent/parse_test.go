package cloudevent_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore/cloudevent"
)

// TestParseTakesOneSpelling: what JSON has other spellings for has one here, and
// what isn't of the contract isn't taken.
func TestParseTakesOneSpelling(t *testing.T) {
	for _, c := range []struct{ file, old, with, why string }{
		{"consent.given", `{"specversion":"1.0"`, `{"specversion":"1.1"`, `at byte 0: here is wanted {"specversion":"1.0","id":"`},
		{"consent.given", `{"specversion":"1.0","id"`, `{ "specversion":"1.0","id"`, `at byte 0: here is wanted {"specversion":"1.0","id":"`},
		{"consent.given", `"id":"0191e7a4-8000-7`, `"id":"0191e7a4-8000-4`, "id is a UUID of another version than 7"},
		{"consent.given", `"id":"0191e7a4-8000-7`, `"id":"0191E7A4-8000-7`, "id is no UUID in lower case"},
		{"consent.given", `"id":"0191e7a4`, `"\u0069d":"0191e7a4`, `here is wanted {"specversion":"1.0","id":"`},
		{"consent.given", `"urn:uuid:`, `"urn:oid:`, `here is wanted ,"source":"urn:uuid:`},
		{"consent.given", `urn:uuid:0191e7a4-7c1b-7d6e-9f00-3a5b8c2d1e4f`, `urn:uuid:0191e7a4`, "source is no UUID in lower case"},
		{"consent.given", `"type":"consent.given","s`, `"type":"consent.forged","s`, `there is no event type "consent.forged": a newer version`},
		{"consent.given", `"type":"consent.given","s`, `"type":"consent.withdrawn","s`, `here is wanted consent.withdrawn`},
		{"consent.given", `consent.given`, `consent.withdrawn`, `consent.give makes no event of the type "consent.withdrawn"`},
		{"consent.given", `client/acme`, `client/`, "a subject is client/…, party/… or ledger"},
		{"consent.given", `client/acme`, `clients/acme`, "a subject is client/…, party/… or ledger"},
		{"consent.given", `client/acme`, `client/Acme`, "subject names no id"},
		{"consent.given", `client/acme`, `ledger/acme`, "a subject is client/…, party/… or ledger"},
		{"consent.given", `:11.25Z`, `:11.250Z`, "a time in UTC is wanted before this"},
		{"consent.given", `:11.25Z`, `:11.25+00:00`, "a time in UTC is wanted before this"},
		{"consent.given", `:11.25Z`, `:71.25Z`, "a time in UTC is wanted before this"},
		{"consent.given", `:11.25Z`, `:11,25Z`, "a time in UTC is wanted before this"},
		{"consent.given", `:11.25Z`, `:11.0000000001Z`, "a time in UTC is wanted before this"},
		{"consent.given", `2026-03-01T09:00:11.25Z`, `0001-01-01T00:00:00Z`, "time is missing"},
		{"consent.given", `application/json`, `text/json`, `here is wanted ,"datacontenttype":"application/json"`},
		{"consent.given", `consent.given/1"`, `consent.given/2"`, "of consent.given this program knows version 1, not 2: a newer version"},
		{"consent.given", `consent.given/1"`, `consent.given/01"`, "a whole number is wanted"},
		{"consent.given", `"sequence":"00000000000000000045"`, `"sequence":"45"`, "a sequence has 20 digits"},
		{"consent.given", `"sequence":"00000000000000000045"`, `"sequence":"+0000000000000000045"`, "a sequence has 20 digits"},
		{"consent.given", `"sequence":"00000000000000000045"`, `"sequence":"00000000000000000000"`, "sequence is missing"},
		{"consent.given", `"sequence":"00000000000000000045"`, `"sequence":"99999999999999999999"`, "a sequence has 20 digits"},
		{"consent.given", `"sequence":"00000000000000000045"`, `"sequence":45`, `here is wanted ,"sequence":"`},
		{"consent.given", `"actor":"clerk"`, `"actor":"Clerk"`, "actor is no id"},
		{"consent.given", `"actor":"clerk"`, `"actor":"clerk\n"`, "of characters that words have"},
		{"consent.given", `"actor":"clerk"`, `"actor":"clerk","actor":"officer"`, `here is wanted ,"command":"`},
		{"consent.given", `"actor":"clerk"`, `"actor":"clerk","tracestate":"x"`, `here is wanted ,"command":"`},
		{"consent.given", `"command":"0191e7a4-9000`, `"command":"0191e7a4-`, "command is no UUID in lower case"},
		{"consent.given", `"rules":1,`, `"rules":0,`, "rules is missing"},
		{"consent.given", `"rules":1,`, `"rules":01,`, "a whole number is wanted"},
		{"consent.given", `"rules":1,`, `"rules":1.0,`, `here is wanted ,"data"`},
		{"consent.given", `"rules":1,`, `"rules":-1,`, "a whole number is wanted"},
		{"consent.given", `"rules":1,`, `"rules":9999999999999999999,`, "a smaller number is wanted"},
		{"consent.given", `{"event":{`, `{"event":{"a":1,"a":2,`, "data.event is no JSON, or has a name twice"},
		{"consent.given", `{"event":{`, `{"event": {`, "an object in canonical form"},
		{"consent.given", `{"event":{`, "{\"event\":{\"\xff\":1,", "data.event is no JSON"},
		{"consent.given", `{"event":{`, `{"event":{"zz":1,`, "an object in canonical form"},
		{"consent.given", `,"proof":{`, `,"decision":null,"proof":{`, `here is wanted {"decision":"`},
		{"consent.given", `,"proof":{`, `,"refusal":{"code":"forbidden"},"proof":{`, "data.refusal and the type consent.given don't go together"},
		{"consent.given", `"name":"consent.give"`, `"name":"consent.take"`, `there is no command "consent.take": a newer version`},
		{"consent.given", `"name":"consent.give"`, `"name":"consent.withdraw"`, "consent.withdraw makes no event of the type"},
		{"consent.given", `"issued":"2026`, `"issued":"26`, "data.proof.issued is no time"},
		{"consent.given", `=="`, `="`, "BASE64"},
		{"consent.given", `=="`, `A="`, "data.proof has no signature of 64 bytes"},
		{"consent.given", `"}}}`, `"}}} `, "the document ends before this"},
		{"consent.given", `"}}}`, `"}}}{}`, "the document ends before this"},
		{"consent.given", `"}}}`, `"}}`, "here is wanted }}"},
		{"consent.given", `"}}}`, `"},"observed":{}}}`, "an empty member is left out"},
		{"consent.given", `"}}}`, `"},"observed":{"blank":[]}}}`, "an empty list is left out"},
		{"consent.given", `"}}}`, `"},"observed":{"clock":"0001-01-01T00:00:00Z"}}}`, "a zero time is left out"},
		{"consent.given", `"}}}`, `"},"observed":{"clock":"2026-03-01T09:00:00Z","content":true}}}`, "here is wanted }"},
		{"consent.given", `"}}}`, `"},"observed":{"content":null}}}`, "here is wanted false"},
		{"consent.given", `"}}}`, `"},"sealed":{"of":"ledger","gen":1,"boxes":{}}}}`, "data.sealed.boxes is empty"},
		{"client.amended", `"gen":1`, `"gen":0`, "data.sealed.gen is missing"},
		{"client.amended", `"of":"client/acme"`, `"of":"Acme"`, "data.sealed.of is no subject"},
		{"client.amended", `"/name":"`, `"/zame":"`, "data.sealed.boxes are not boxes by ascending field"},
		{"client.amended", `"/name":"`, `"name":"`, "data.sealed.boxes are not boxes by ascending field"},
		{"client.amended", `"/name":"`, `"/reason":"`, "data.sealed.boxes are not boxes by ascending field"},
		{"access.denied-connection", `"connection":"U`, `"connection":"u`, "data.proof.connection is no public key"},
		{"access.denied-connection", `"decision":"denied"`, `"decision":"granted"`, "data.decision.decision and the type access.denied don't go together"},
		{"access.denied-connection", `access.denied`, `access.granted`, "data.decision.decision and the type access.granted don't go together"},
		{"access.denied-connection", `"attempt":"0191e7a4-8000-7`, `"attempt":"0191e7a4-8001-7`, "data.decision.attempt is not the event's id"},
		{"access.denied-connection", `"rules":1,"violation"`, `"rules":0,"violation"`, "data.decision has no edition or no rules"},
		{"access.denied-connection", `"violation":"0191e7a4-`, `"violation":"0191e7a4`, "data.decision.violation is no UUID"},
		{"access.denied-connection", `"violation":"0191e7a4-8000-7000-8000-0000000000ff"`, `"violation":""`, "an empty member is left out"},
		{"access.denied-connection", `"violation":"0191e7a4-8000-7000-8000-0000000000ff",`, ``, "a denial opens or joins one"},
		{"access.granted", `"rules":1,"reasons"`, `"rules":1,"violation":"0191e7a4-8000-7000-8000-0000000000ff","reasons"`, "a grant doesn't"},
		{"access.denied-connection", `"II.4"`, `"II.7"`, "a clause of the statement is wanted"},
		{"access.denied-connection", `"sensitive-not-covered"`, `"not covered"`, "data.decision.reasons: the one at 0 is no reason"},
		{"access.denied-connection", `"designation/d2"`, `"d2"`, "data.decision.reasons: the one at 0 is no reason"},
		{"access.denied-connection", `"refs":[1,`, `"refs":[0,`, "data.decision.reasons: the one at 0 is no reason"},
		{"access.denied-connection", `"refs":[1,`, `"refs":[,1,`, "a whole number is wanted"},
		{"access.denied-connection", `15,16]`, `15,16,]`, "a whole number is wanted"},
		{"access.denied-connection", `"more":7`, `"more":0`, "more is left out where nothing was"},
		{"access.denied-unknown-client", `"evidence":[]`, `"evidence":null`, `here is wanted ,"evidence":[`},
		{"command.refused-consent.give-forbidden", `"code":"forbidden"`, `"code":"conflict"`, "data.refusal.code is neither forbidden nor refused"},
		{"command.refused-consent.give-forbidden", `"refusal":{"code":"forbidden"},`, ``, "data.refusal and the type command.refused don't go together"},
	} {
		b := golden(t)["testdata/golden/"+c.file+".json"]
		require.Contains(t, string(b), c.old, c.file)
		_, err := cloudevent.Parse([]byte(strings.ReplaceAll(string(b), c.old, c.with)))
		require.ErrorContains(t, err, c.why, "%s: %s instead of %s", c.file, c.with, c.old)
		require.Equal(t, strings.Contains(c.why, "a newer version"), errors.Is(err, cloudevent.ErrNewer), "%v", err)
	}
}

// TestNoByteIsIgnored: a document with a byte less, more or other is refused, or it
// is another document that is written so.
func TestNoByteIsIgnored(t *testing.T) {
	for _, b := range golden(t) {
		for i := range b {
			for _, altered := range [][]byte{
				slices.Delete(slices.Clone(b), i, i+1),
				slices.Insert(slices.Clone(b), i, b[i]),
				slices.Insert(slices.Clone(b), i, ' '),
				slices.Replace(slices.Clone(b), i, i+1, b[i]^1),
			} {
				requireOneSpelling(t, altered)
			}
			if _, err := cloudevent.Parse(b[:i]); err == nil {
				t.Fatalf("the first %d bytes are taken for %s", i, b)
			}
		}
	}
}

func requireOneSpelling(t testing.TB, b []byte) *cloudevent.Document {
	d, err := cloudevent.Parse(b)
	if err != nil {
		return nil
	}
	again, err := d.Append(nil)
	if err != nil || string(again) != string(b) {
		t.Fatalf("%s\nis read, and written as\n%s\n%v", b, again, err)
	}
	return d
}

// FuzzParse: whatever is read is written again byte for byte, and is JSON without
// duplicate names (jsontext).
func FuzzParse(f *testing.F) {
	for _, b := range golden(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d := requireOneSpelling(t, b)
		if d == nil {
			return
		}
		require.True(t, jsontext.Value(b).IsValid())
		if e, err := d.Event(); err == nil {
			require.NotNil(t, e.Data)
		}
	})
}

// TestADocumentReadOverAnotherIsTheSame: nothing of the documents before, whole or cut
// off, shows in the one that is read over them.
func TestADocumentReadOverAnotherIsTheSame(t *testing.T) {
	var all [][]byte
	for _, s := range samples(t) {
		doc, err := s.document(t).Append(nil)
		require.NoError(t, err)
		all = append(all, doc)
	}
	with := func(has string) *rapid.Generator[[]byte] {
		return rapid.SampledFrom(slices.DeleteFunc(slices.Clone(all), func(b []byte) bool { return !strings.Contains(string(b), has) }))
	}
	decided, sealed, any := with(`,"decision":`), with(`,"sealed":`), with("")
	rapid.Check(t, func(t *rapid.T) {
		var d cloudevent.Document
		for range rapid.IntRange(1, 50).Draw(t, "documents") {
			b := rapid.OneOf(decided, decided, sealed, any).Draw(t, "document")
			if rapid.Bool().Draw(t, "cut") {
				require.Error(t, d.Parse(b[:rapid.IntRange(0, len(b)-1).Draw(t, "at")]))
				continue
			}
			require.NoError(t, d.Parse(b))
			fresh, err := cloudevent.Parse(b)
			require.NoError(t, err)
			require.Equal(t, fresh, &d)
		}
	})
}

// TestAppendWritesNothingUnfit: what Parse would refuse isn't written, and dst stays
// as it was.
func TestAppendWritesNothingUnfit(t *testing.T) {
	for why, spoil := range map[string]func(d *cloudevent.Document){
		"id is no UUID":                        func(d *cloudevent.Document) { d.ID = "" },
		"source is no UUID":                    func(d *cloudevent.Document) { d.Ledger = "x" },
		"command is no UUID":                   func(d *cloudevent.Document) { d.Command = `"` },
		"subject names no id":                  func(d *cloudevent.Document) { d.Subject = domain.Subject{Party: `p"`} },
		"time is missing":                      func(d *cloudevent.Document) { d.Time = time.Time{} },
		"time is missing or beyond":            func(d *cloudevent.Document) { d.Time = d.Time.AddDate(9000, 0, 0) },
		"sequence is missing":                  func(d *cloudevent.Document) { d.Seq = 0 },
		"actor is no id":                       func(d *cloudevent.Document) { d.Actor = "a\\" },
		"rules is missing":                     func(d *cloudevent.Document) { d.Rules = 0 },
		"data.event is no object in canonical": func(d *cloudevent.Document) { d.Data = []byte(`{"b":1,"a":2}`) },
		"no object in canonical form":          func(d *cloudevent.Document) { d.Data = []byte(`"text"`) },
		"data.event is no object":              func(d *cloudevent.Document) { d.Data = nil },
		`there is no command "party.hire"`:     func(d *cloudevent.Document) { d.Name = "party.hire" },
		"makes no event of the type":           func(d *cloudevent.Document) { d.Type = "party.registered" },
		"data.proof.issued is no time":         func(d *cloudevent.Document) { d.Issued = "today" },
		"no signature of 64 bytes":             func(d *cloudevent.Document) { d.Signature = d.Signature[:63] },
		"both a signature and a connection":    func(d *cloudevent.Document) { d.Connection = "U" },
		"a connection stands for no client":    func(d *cloudevent.Document) { d.Signature, d.Connection = nil, domain.PublicKey(publicKey(t, "x")) },
		"data.decision and the type":           func(d *cloudevent.Document) { d.Decision = &domain.Decision{} },
		"data.refusal and the type":            func(d *cloudevent.Document) { d.Refusal = &domain.Refusal{Code: domain.Forbidden} },
		"a refused command keeps no openings": func(d *cloudevent.Document) {
			d.Type, d.Refusal = domain.CommandRefused, &domain.Refusal{Code: domain.Forbidden}
		},
		"data.sealed.boxes is empty":           func(d *cloudevent.Document) { d.Sealed.Boxes = nil },
		"not boxes by ascending field":         func(d *cloudevent.Document) { slices.Reverse(d.Sealed.Boxes) },
		"boxes are not boxes":                  func(d *cloudevent.Document) { d.Sealed.Boxes[0].Box = nil },
		"data.observed.blank holds what is no": func(d *cloudevent.Document) { d.Observed.Blank = []string{"name"} },
		"data.observed.clock is beyond":        func(d *cloudevent.Document) { d.Observed.Clock = d.Time.AddDate(9000, 0, 0) },
	} {
		for _, s := range samples(t) {
			if s.Name != "client.amend" {
				continue
			}
			d := s.document(t)
			spoil(d)
			b, err := d.Append([]byte("before"))
			require.ErrorContains(t, err, why)
			require.Equal(t, "before", string(b))
		}
	}
}

// TestTheSubjectSaysContextBucketAndType: contract, 4.
func TestTheSubjectSaysContextBucketAndType(t *testing.T) {
	for _, c := range []struct {
		who  domain.Subject
		want string
	}{
		{domain.Subject{Client: "acme"}, "assent.evt.client.82.consent.given"},
		{domain.Subject{Party: "acme"}, "assent.evt.party.82.consent.given"},
		{domain.Subject{Client: "acme", Party: "p-17"}, "assent.evt.client.82.consent.given"},
		{domain.Subject{}, "assent.evt.ledger.00.consent.given"},
	} {
		require.Equal(t, c.want, (&cloudevent.Document{Subject: c.who, Type: "consent.given"}).NATSSubject())
	}
}
