package commands

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore/cloudevent"
)

const (
	theLedger = domain.UUID("0191e7a4-7c1b-7d6e-9f00-3a5b8c2d1e4f")
	testID    = domain.UUID("0191e7a4-8000-7000-8000-00000000002a")
)

var testTime = time.Date(2026, 1, 31, 9, 0, 0, 0, time.UTC)

func user(t testing.TB) nkeys.KeyPair {
	k, err := nkeys.FromRawSeed(nkeys.PrefixByteUser, random(32))
	require.NoError(t, err)
	return k
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// composed is the body of a command of the actor, its text plain.
func composed(t testing.TB, s Sender, name, data string) []byte {
	b, err := s.Compose(&Plain{ID: testID, Name: name, Data: []byte(data)}, testTime)
	require.NoError(t, err)
	return b
}

func TestWhatIsComposedIsRead(t *testing.T) {
	s := Sender{Ledger: theLedger, Actor: "clerk", Key: user(t)}
	for name, data := range map[string]string{
		"client.register": `{"name": "Acme Trading Co., Ltd. 客户", "client": "acme", "contacts": [ ]}`,
		"record.amend":    `{"client":"acme","record":"r1","title":"a\u0000b\"\\","custody":" ","reason":""}`,
		"clock.affirm":    ` {} `,
		"access.request":  `{"record":"label","client":"acme","party":"li","action":"consult","purpose":"service"}`,
	} {
		body := composed(t, s, name, data)
		r, f := ParseRequest(body)
		require.Nil(t, f, name)
		require.Equal(t, theLedger, r.Ledger)
		require.Equal(t, domain.ID("clerk"), r.Actor)
		require.Equal(t, testID, r.ID)
		require.Equal(t, name, r.Name)
		require.Equal(t, "2026-01-31T09:00:00Z", r.Issued)
		require.Equal(t, string(body), string(r.Append(nil)), "it is written as it was read")
		require.Len(t, r.Openings, len(cloudevent.Texts(r.data)))
	}
	r, f := ParseRequest(composed(t, s, "record.amend", `{"client":"acme","record":"r1","title":"a\u0000b\"\\","custody":" ","reason":""}`))
	require.Nil(t, f)
	require.Equal(t, "a\x00b\"\\", r.opening("/title").Value)
	require.Equal(t, " ", r.opening("/custody").Value)
	require.Equal(t, "", r.opening("/reason").Value)
}

func TestAnIDIsMadeOnce(t *testing.T) {
	p := &Plain{Name: "clock.affirm", Data: []byte(`{}`)}
	s := Sender{Ledger: theLedger, Actor: "admin", Key: user(t)}
	first, err := s.Compose(p, testTime)
	require.NoError(t, err)
	require.True(t, domain.IsUUID(string(p.ID)))
	again, err := s.Compose(p, testTime)
	require.NoError(t, err)
	require.Equal(t, string(first), string(again))
}

// Whoever sends a malformed request is told which field is wrong (section 2, 1).
func TestAMalformedRequestIsInvalidByItsField(t *testing.T) {
	s := Sender{Ledger: theLedger, Actor: "clerk", Key: user(t)}
	party := string(composed(t, s, "party.register", `{"party":"p","category":"staff","kind":"person","name":"Wu Min"}`))
	access := string(composed(t, Sender{Ledger: theLedger, Actor: "gateway"}, "access.request",
		`{"client":"acme","record":"label","party":"li","action":"consult","purpose":"service"}`))
	salt := base64.StdEncoding.EncodeToString(make([]byte, 32))
	deep := strings.Repeat(`{"a":`, 3000)
	r, f := ParseRequest([]byte(party))
	require.Nil(t, f)
	opening := party[strings.Index(party, `,"personal":`) : len(party)-1]

	for _, c := range []struct {
		what, body, field string
	}{
		{"nothing", ``, ""},
		{"no JSON", `hello`, ""},
		{"an array", `[]`, ""},
		{"a string", `"x"`, ""},
		{"null", `null`, ""},
		{"cut short", party[:len(party)-1], ""},
		{"trailing data", party + `{}`, ""},
		{"trailing bytes", access + "x", ""},
		{"two objects", access + access, ""},
		{"a comma too many", strings.Replace(access, `}}`, `},}`, 1), ""},
		{"a BOM", "\ufeff" + access, ""},
		{"NUL at the end", access + "\x00", ""},
		{"deep nesting", deep + `1` + strings.Repeat(`}`, 3000), "/a"},
		{"deep nesting in data", access[:strings.Index(access, `"data":`)] + `"data":` + deep + `1` + strings.Repeat(`}`, 3000) + `}`, "/data/a"},
		{"arrays without an end", strings.Repeat(`[`, 30000), ""},
		{"an unknown member", swap(access, `"id"`, `"as":"clerk","id"`), "/as"},
		{"a member in capitals", swap(access, `"id"`, `"ID"`), "/ID"},
		{"a member twice", swap(access, `"id"`, `"actor":"gateway","id"`), "/actor"},
		{"data twice", swap(access, `"data"`, `"data":{},"data"`), "/data"},
		{"a field twice", swap(access, `"client":"acme"`, `"client":"acme","client":"acme"`), "/data/client"},
		{"no ledger", swap(access, `"ledger":"`+string(theLedger)+`",`, ``), "/ledger"},
		{"no actor", swap(access, `"actor":"gateway",`, ``), "/actor"},
		{"no id", swap(access, `"id":"`+string(testID)+`",`, ``), "/id"},
		{"no issued", swap(access, `"issued":"2026-01-31T09:00:00Z",`, ``), "/issued"},
		{"no name", swap(access, `"name":"access.request",`, ``), "/name"},
		{"no data", access[:strings.Index(access, `,"data"`)] + `}`, "/data"},
		{"ledger is a number", swap(access, `"`+string(theLedger)+`"`, `7`), "/ledger"},
		{"id is null", swap(access, `"`+string(testID)+`"`, `null`), "/id"},
		{"ledger in capitals", swap(access, string(theLedger), strings.ToUpper(string(theLedger))), "/ledger"},
		{"actor with a dot", swap(access, `"gateway"`, `"gate.way"`), "/actor"},
		{"actor with a wildcard", swap(access, `"gateway"`, `"*"`), "/actor"},
		{"actor with a line break", swap(access, `"gateway"`, `"gate\nway"`), "/actor"},
		{"a long actor", swap(access, `"gateway"`, `"`+strings.Repeat("a", 10000)+`"`), "/actor"},
		{"id is no UUID", swap(access, string(testID), "1"), "/id"},
		{"issued is no time", swap(access, "2026-01-31T09:00:00Z", "2026-01-31"), "/issued"},
		{"issued with a tenth digit", swap(access, "09:00:00Z", "09:00:00.1234567890Z"), "/issued"},
		{"an unknown command", swap(access, "access.request", "access.demand"), "/name"},
		{"data is a list", swap(access, `"data":`, `"data":[],"x":`), "/data"},
		{"data is null", swap(access, `"data":`, `"data":null,"x":`), "/data"},
		{"an unknown field", swap(access, `"client"`, `"all":true,"client"`), "/data/all"},
		{"a missing field", swap(access, `"record":"label"`, `"record":""`), "/data/record"},
		{"data in another order", swap(access, `"action":"consult","client":"acme"`, `"client":"acme","action":"consult"`), "/data"},
		{"data with a blank", swap(access, `"client":"acme"`, `"client": "acme"`), "/data"},
		{"data with an escape", swap(access, `"client":"acme"`, `"client":"\u0061cme"`), "/data"},
		{"invalid UTF-8", swap(access, `"gateway"`, "\"gate\xffway\""), "/actor"},
		{"invalid UTF-8 in data", swap(access, `"acme"`, "\"\xc3\x28\""), "/data/client"},
		{"half a surrogate", swap(access, `"gateway"`, `"\ud800"`), "/actor"},
		{"a signature that is a number", swap(access, `"data"`, `"signature":1,"data"`), "/signature"},
		{"a signature not in BASE64", swap(access, `"data"`, `"signature":"%%%%","data"`), "/signature"},
		{"a signature in another BASE64", swap(access, `"data"`, `"signature":"__8=","data"`), "/signature"},
		{"a signature without padding", swap(access, `"data"`, `"signature":"AA","data"`), "/signature"},
		{"a signature with bits left over", swap(access, `"data"`, `"signature":"AB==","data"`), "/signature"},
		{"a signature with a line break", swap(access, `"data"`, `"signature":"AA\n==","data"`), "/signature"},
		{"personal is a list", swap(party, opening, `,"personal":[]`), "/personal"},
		{"no opening", swap(party, opening, ``), "/personal/~1name"},
		{"an empty personal", swap(party, opening, `,"personal":{}`), "/personal/~1name"},
		{"an opening of nothing", swap(access, `"data"`, `"personal":{"/name":{"salt":"`+salt+`","value":"x"}},"data"`), "/personal/~1name"},
		{"an opening of a field that isn't †", swap(party, `"personal":{`, `"personal":{"/party":{"salt":"`+salt+`","value":"p"},`), "/personal/~1party"},
		{"an opening by another pointer", swap(party, `"/name"`, `"name"`), "/personal/name"},
		{"an opening that is text", swap(party, opening, `,"personal":{"/name":"Wu Min"}`), "/personal/~1name"},
		{"an opening twice", swap(party, `"personal":{`, `"personal":{"/name":{},`), "/personal/~1name"},
		{"an opening with a stranger", swap(party, `"value"`, `"more":1,"value"`), "/personal/~1name/more"},
		{"no salt", swap(party, `"salt":"`+base64.StdEncoding.EncodeToString(r.Openings[0].Salt[:])+`",`, ``), "/personal/~1name/salt"},
		{"no value", swap(party, `,"value":"Wu Min"`, ``), "/personal/~1name/value"},
		{"a value that is a number", swap(party, `"value":"Wu Min"`, `"value":1`), "/personal/~1name/value"},
		{"a short salt", swap(party, `"salt":"`, `"salt":"AA==","x":"`), "/personal/~1name/salt"},
		{"another value", swap(party, `"value":"Wu Min"`, `"value":"Wu Ming"`), "/personal/~1name"},
		{"another salt", swap(party, base64.StdEncoding.EncodeToString(r.Openings[0].Salt[:]), salt), "/personal/~1name"},
		{"a long value", swap(party, `"value":"Wu Min"`, `"value":"`+strings.Repeat("长", MaxText+1)+`"`), "/personal/~1name/value"},
		{"invalid UTF-8 in a value", swap(party, `Wu Min`, "Wu\xffMin"), "/personal/~1name/value"},
		{"plain text in the data", swap(party, r.Openings[0].Commitment(), "Wu Min"), "/data/name"},
		{"too many bytes", access[:len(access)-1] + strings.Repeat(" ", MaxRequest) + "}", ""},
	} {
		_, f := ParseRequest([]byte(c.body))
		require.NotNil(t, f, c.what)
		require.Equal(t, domain.Invalid, f.Code, c.what)
		require.Equal(t, c.field, f.Field, "%s: %s", c.what, f.Message)
		require.NotEmpty(t, f.Message, c.what)
	}
}

func swap(s, old, with string) string {
	if !strings.Contains(s, old) {
		panic("nothing to swap: " + old)
	}
	return strings.Replace(s, old, with, 1)
}

func TestAFaultNamesTheIDWhereItCanBeRead(t *testing.T) {
	access := string(composed(t, Sender{Ledger: theLedger, Actor: "gateway"}, "access.request",
		`{"client":"acme","record":"label","party":"li","action":"consult","purpose":"service"}`))
	for _, body := range []string{
		swap(access, `"gateway"`, `7`),
		swap(access, `"ledger"`, `"legder"`),
		swap(access, `"acme"`, `"Acme"`),
		access + "x",
	} {
		r, f := ParseRequest([]byte(body))
		require.NotNil(t, f)
		require.Equal(t, testID, r.ID, body)
	}
	r, f := ParseRequest([]byte(swap(access, string(testID), "x")))
	require.NotNil(t, f)
	require.Empty(t, r.ID)
}

// The zero time would ask the law not to look at it at all.
func TestTheZeroTimeIsNoWayAroundTheClock(t *testing.T) {
	access := string(composed(t, Sender{Ledger: theLedger, Actor: "gateway"}, "access.request",
		`{"client":"acme","record":"label","party":"li","action":"consult","purpose":"service"}`))
	for _, zero := range []string{"0001-01-01T00:00:00Z", "0001-01-01T01:00:00+01:00"} {
		_, f := ParseRequest([]byte(swap(access, "2026-01-31T09:00:00Z", zero)))
		require.NotNil(t, f)
		require.Equal(t, "/issued", f.Field)
	}
}

func TestFreeTextStandsAtTheTop(t *testing.T) {
	for i := range domain.Catalogue {
		row := &domain.Catalogue[i]
		for _, f := range cloudevent.Fields(row) {
			require.Zero(t, deepText(f.Fields), "%s %s", row.Command, f.Name)
			require.False(t, f.List && f.Kind == cloudevent.KindText, "%s %s", row.Command, f.Name)
		}
	}
}

func deepText(fields []cloudevent.Field) (n int) {
	for _, f := range fields {
		if f.Kind == cloudevent.KindText {
			n++
		}
		n += deepText(f.Fields)
	}
	return n
}

func TestComposeBlamesThePlainField(t *testing.T) {
	s := Sender{Ledger: theLedger, Actor: "clerk", Key: user(t)}
	for _, c := range []struct{ name, data, field string }{
		{"party.register", `{"party":"p","category":"staff","kind":"person","name":7}`, "/data/name"},
		{"party.register", `{"party":"p","category":"staff","kind":"person","name":"` + strings.Repeat("x", 2001) + `"}`, "/data/name"},
		{"party.register", `{"party":"P","category":"staff","kind":"person","name":"x"}`, "/data/party"},
		{"party.register", `{"party":"p","category":"staff","kind":"person"}`, "/data/name"},
		{"party.register", `{"party":"p","party":"p","category":"staff","kind":"person","name":"x"}`, "/data/party"},
		{"party.register", `{"name":"` + "\xff" + `"}`, "/data/name"},
		{"party.register", `[]`, "/data"},
		{"party.register", `{`, "/data"},
		{"party.register", ``, "/data"},
		{"party.marry", `{}`, "/name"},
	} {
		_, err := s.Compose(&Plain{ID: testID, Name: c.name, Data: []byte(c.data)}, testTime)
		var f *domain.Fault
		require.ErrorAs(t, err, &f, c.data)
		require.Equal(t, domain.Invalid, f.Code)
		require.Equal(t, c.field, f.Field, c.data)
	}
	_, err := s.Compose(&Plain{ID: "1", Name: "clock.affirm", Data: []byte(`{}`)}, testTime)
	var f *domain.Fault
	require.ErrorAs(t, err, &f)
	require.Equal(t, "/id", f.Field)
}

// FuzzScan holds the two ways of finding a request's parts equal.
func FuzzScan(f *testing.F) {
	f.Add(composed(f, Sender{Ledger: theLedger, Actor: "clerk", Key: user(f)}, "access.request",
		`{"client":"acme","record":"label","party":"li","action":"consult","purpose":"service"}`))
	f.Add([]byte(`{"data":{"a":[{"b":"}"}]},"id":""}`))
	f.Add([]byte(`{"name":"x","name":"y"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, fault := ParseRequest(b)
		require.NotNil(t, r)
		if fault == nil {
			again, fault := ParseRequest(r.Append(nil))
			require.Nil(t, fault)
			again.Data, r.Data = bytes.Clone(again.Data), bytes.Clone(r.Data)
			require.Equal(t, r, again)
		}
		var plain, strict parts
		if !scanPlain(b, &plain) {
			return
		}
		if scanStrict(b, &strict) != nil {
			// Only what stands in the data may be worse than it looked.
			if plain[mData] == nil {
				t.Fatalf("taken, and no JSON: %q", b)
			}
			return
		}
		require.Equal(t, fmt.Sprintf("%q", strict), fmt.Sprintf("%q", plain))
	})
}

func BenchmarkParseUnsignedAccess(b *testing.B) {
	body := composed(b, Sender{Ledger: theLedger, Actor: "gateway"}, "access.request",
		`{"client":"acme","record":"label","party":"li","action":"consult","purpose":"service"}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, f := ParseRequest(body); f != nil {
			b.Fatal(f)
		}
	}
}
