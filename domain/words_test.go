package domain_test

import (
	"encoding"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/domain/lawtest"
)

// TestAPeriodRunsByTheCalendar: years and months by the UTC calendar, and a month
// that has no such day ends with its last.
func TestAPeriodRunsByTheCalendar(t *testing.T) {
	for _, tt := range []struct{ from, period, to string }{
		{"2026-01-31T09:00:00Z", "P1M", "2026-02-28T09:00:00Z"},
		{"2024-01-31T09:00:00Z", "P1M", "2024-02-29T09:00:00Z"},
		{"2026-03-31T00:00:00Z", "P1M", "2026-04-30T00:00:00Z"},
		{"2026-12-31T00:00:00Z", "P2M", "2027-02-28T00:00:00Z"},
		{"2026-12-31T00:00:00Z", "P14M", "2028-02-29T00:00:00Z"},
		{"2024-02-29T00:00:00Z", "P1Y", "2025-02-28T00:00:00Z"},
		{"2024-02-29T00:00:00Z", "P4Y", "2028-02-29T00:00:00Z"},
		{"2000-02-29T00:00:00Z", "P100Y", "2100-02-28T00:00:00Z"},
		{"2026-01-15T23:59:59.999999999Z", "P6M", "2026-07-15T23:59:59.999999999Z"},
		{"2026-08-31T00:00:00Z", "P6M", "2027-02-28T00:00:00Z"},
		{"2026-01-31T00:00:00Z", "P1M1D", "2026-03-01T00:00:00Z"}, // months first, then days
		{"2026-02-01T00:00:00Z", "P30D", "2026-03-03T00:00:00Z"},
		{"2026-02-28T00:00:00Z", "P1W", "2026-03-07T00:00:00Z"},
		{"2026-12-31T23:59:58Z", "PT2S", "2027-01-01T00:00:00Z"},
		{"2026-01-01T00:00:00Z", "P1Y2M3DT4H5M6.000000007S", "2027-03-04T04:05:06.000000007Z"},
		{"2026-01-01T00:00:00Z", "PT0S", "2026-01-01T00:00:00Z"},
		{"2026-03-01T07:30:00+08:00", "P1M", "2026-03-28T23:30:00Z"}, // there it is March, by UTC still February
	} {
		var p domain.Period
		require.NoError(t, p.UnmarshalText([]byte(tt.period)))
		assert.Equal(t, tt.to, p.After(moment(t, tt.from)).Format(time.RFC3339Nano), "%s after %s", tt.period, tt.from)
	}
}

// TestAPeriodHasOneForm: what is taken is written again in its shortest form, and
// what isn't ISO 8601, or too long to be meant, is not taken.
func TestAPeriodHasOneForm(t *testing.T) {
	for in, out := range map[string]string{
		"P1Y": "P1Y", "P6M": "P6M", "P30D": "P30D", "PT2S": "PT2S", "P1Y2M3DT4H5M6S": "P1Y2M3DT4H5M6S", "P2W": "P14D", "P1W1D": "P8D",
		"P0D": "PT0S", "PT0.5S": "PT0.5S", "PT0.000000001S": "PT0.000000001S", "PT1.500S": "PT1.5S", "PT90M": "PT1H30M", "PT86400S": "PT24H",
		"PT31536000S": "PT8760H", "P01M": "P1M", "P9999Y9999M": "P9999Y9999M", "P9999W": "P69993D", "P999999D": "P999999D", "PT999999H": "PT999999H",
		"PT10000H60M": "PT10001H",
	} {
		var p, again domain.Period
		require.NoError(t, p.UnmarshalText([]byte(in)), in)
		assert.Equal(t, out, p.String())
		require.NoError(t, again.UnmarshalText([]byte(out)), out)
		assert.Equal(t, p, again)
	}
	for _, in := range []string{"", "P", "PT", "P1", "1Y", "p1y", "P1Y ", " P1Y", "P1y", "-P1Y", "P-1Y", "P+1Y", "P1.5Y", "P1,5Y", "PT1,5S", "PT1.S", "PT.5S",
		"PT0.1234567890S", "PT1.5M", "PT0.5.5S", "P1M1Y", "P1D1M", "P1Y1Y", "PT1S1M", "P1YT", "P1H", "PT1D", "PT1Y", "P1T1S", "P10000Y", "P10000M", "P142857W1D",
		"P1000000D", "P999999DT1000000H", "PT999999H60M", "PT3600000000S", "PT4294967296S", "P99999999999999999999Y", "P0x1Y", "P1_0Y", "P1Y\n", "P1/P2"} {
		assert.Error(t, new(domain.Period).UnmarshalText([]byte(in)), in)
	}
}

func FuzzPeriod(f *testing.F) {
	for _, s := range []string{"P1Y6M", "PT2S", "P1W", "PT9999H60M", "PT0.5S", "P", "P1M1M"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var p, again domain.Period
		if p.UnmarshalText([]byte(s)) != nil {
			return
		}
		require.NoError(t, again.UnmarshalText([]byte(p.String())), "%s is written %s", s, p)
		require.Equal(t, p, again)
		require.False(t, p.After(newYear).Before(newYear), s)
	})
}

// TestNoTimeThatIsNamedIsLeftOut: the zero time stands for "left out", so it can't be
// named: an end in the year 1 would be no end.
func TestNoTimeThatIsNamedIsLeftOut(t *testing.T) {
	for _, s := range []string{"2026-01-31T09:00:00Z", "2026-01-31T09:00:00.123456789+08:00", "2024-02-29T23:59:59-23:59", "9999-12-31T23:59:59Z",
		"0002-01-01T00:00:00Z", "2026-01-31T09:00:00.100000000Z"} {
		var at domain.Time
		require.NoError(t, at.UnmarshalText([]byte(s)), s)
		assert.False(t, at.IsZero())
		assert.Equal(t, moment(t, s).UTC(), at.UTC())
	}
	for _, s := range []string{"", "2026-01-31", "2026-01-31T09:00:00", "2026-01-31 09:00:00Z", "2026-01-31t09:00:00z", "2026-01-31T09:00:00.1234567890Z",
		"2026-01-31T09:00:00,5Z", "2026-01-31T09:00:00.Z", "2026-02-29T00:00:00Z", "2026-01-31T24:00:00Z", "2026-01-31T23:59:60Z", "2026-01-31T9:00:00Z",
		"2026-01-31T09:00:00+24:00", "2026-01-31T09:00:00+0800", "26-01-31T09:00:00Z", "0001-01-01T00:00:00Z", "0001-01-01T08:00:00+08:00",
		"0000-12-31T00:00:00Z", "9999-12-31T23:59:59-01:00", "12026-01-31T09:00:00Z", "null"} {
		assert.Error(t, new(domain.Time).UnmarshalText([]byte(s)), s)
	}
}

func FuzzTime(f *testing.F) {
	for _, s := range []string{"2026-01-31T09:00:00Z", "2026-01-31T09:00:00.5+08:00", "0001-01-01T00:00:00Z"} {
		f.Add(s)
	}
	form := regexp.MustCompile(`\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)\z`)
	f.Fuzz(func(t *testing.T, s string) {
		var at, again domain.Time
		if at.UnmarshalText([]byte(s)) != nil {
			return
		}
		require.Regexp(t, form, s)
		require.False(t, at.IsZero())
		require.NoError(t, again.UnmarshalText([]byte(at.UTC().Format(time.RFC3339Nano))))
		require.True(t, at.Equal(again.Time))
	})
}

func FuzzID(f *testing.F) {
	for _, s := range []string{"acme", "a", "-a", "a_b-c", "", "A", "a\n", strings.Repeat("a", 63), strings.Repeat("a", 64)} {
		f.Add(s)
	}
	form := regexp.MustCompile(`\A[a-z0-9][a-z0-9_-]{0,62}\z`)
	f.Fuzz(func(t *testing.T, s string) {
		var id domain.ID
		require.Equal(t, form.MatchString(s), id.UnmarshalText([]byte(s)) == nil, "%q", s)
	})
}

// TestEveryWordIsOfItsPattern: a value outside its pattern or closed set never
// becomes a word, and is left what it was.
func TestEveryWordIsOfItsPattern(t *testing.T) {
	hex, key, base64 := strings.Repeat("0123456789abcdef", 4), string(lawtest.Key("clerk")), strings.Repeat("A", 44)
	for _, tt := range []struct {
		word func() encoding.TextUnmarshaler
		good []string
		bad  []string
	}{
		{func() encoding.TextUnmarshaler { return new(domain.Digest) }, []string{hex}, []string{hex[1:], hex + "0", strings.ToUpper(hex), "g" + hex[1:]}},
		{func() encoding.TextUnmarshaler { return new(domain.Text) }, []string{"sha256:" + hex}, []string{hex, "sha256:" + hex[1:], "SHA256:" + hex, "sha512:" + hex, "Li Wei"}},
		{func() encoding.TextUnmarshaler { return new(domain.UUID) }, []string{"0191e7a4-7c1b-7d6e-9f00-3a5b8c2d1e4f"},
			[]string{"0191E7A4-7c1b-7d6e-9f00-3a5b8c2d1e4f", "0191e7a47c1b7d6e9f003a5b8c2d1e4f", "0191e7a4-7c1b-7d6e-9f00-3a5b8c2d1e4", "{191e7a4-7c1b-7d6e-9f00-3a5b8c2d1e4f", "0191e7a4x7c1b-7d6e-9f00-3a5b8c2d1e4f"}},
		{func() encoding.TextUnmarshaler { return new(domain.PublicKey) }, []string{key}, []string{key[1:], "A" + key[1:], strings.ToLower(key), key + "A", key[:55] + "1"}},
		{func() encoding.TextUnmarshaler { return new(domain.LogKey) }, []string{"assent/x+0123abcd+" + base64},
			[]string{"+0123abcd+" + base64, "assent/x+0123abc+" + base64, "assent/x+0123abcd+" + base64[1:], "assent x+0123abcd+" + base64, "assent/x+0123ABCD+" + base64, "assent/x", strings.Repeat("x", 200) + "+0123abcd+" + base64}},
		{func() encoding.TextUnmarshaler { return new(domain.MediaType) }, []string{"application/pdf", "image/svg+xml", "Application/vnd.ms-excel"},
			[]string{"pdf", "/pdf", "application/", "text/plain; charset=utf-8", "text /plain", ".text/plain", "text/plain/x", "text/" + strings.Repeat("x", 128)}},
		{func() encoding.TextUnmarshaler { return new(domain.Category) }, []string{"staff", "contractor", "external", "authority", "assignee"}, []string{"designee", "Staff"}},
		{func() encoding.TextUnmarshaler { return new(domain.PartyKind) }, []string{"person", "institution"}, []string{"company"}},
		{func() encoding.TextUnmarshaler { return new(domain.Role) }, []string{"clerk", "officer", "manager", "auditor", "gateway", "subscriber", "admin"}, []string{"root"}},
		{func() encoding.TextUnmarshaler { return new(domain.Purpose) }, strings.Fields("service-plan consultation engagement service notarisation inspection registration fees engagement-related relationship"), []string{"curiosity"}},
		{func() encoding.TextUnmarshaler { return new(domain.Action) }, []string{"consult", "use", "transfer", "modify"}, []string{"read"}},
		{func() encoding.TextUnmarshaler { return new(domain.EvidenceKind) }, strings.Fields(`engagement-confirmation confirmation-letter special-authorization consent undertaking
			special-terms modification-confirmation destruction-request destruction-certificate notice surveillance other`), []string{"letter"}},
		{func() encoding.TextUnmarshaler { return new(domain.Custody) }, []string{"ledger", "paper"}, []string{"cloud"}},
		{func() encoding.TextUnmarshaler { return new(domain.Class) }, []string{"ordinary", "sensitive"}, []string{"secret"}},
		{func() encoding.TextUnmarshaler { return new(domain.Medium) }, []string{"electronic", "physical"}, []string{"paper"}},
		{func() encoding.TextUnmarshaler { return new(domain.Method) }, strings.Fields("shred pulp incinerate wipe degauss crypto-erase"), []string{"delete"}},
		{func() encoding.TextUnmarshaler { return new(domain.RetentionStart) }, []string{"registration", "engagement"}, []string{"never"}},
	} {
		for _, s := range tt.good {
			assert.NoError(t, tt.word().UnmarshalText([]byte(s)), "%T %s", tt.word(), s)
		}
		for _, s := range append(tt.bad, "", " ", "null", tt.good[0]+" ", tt.good[0]+"\x00") {
			w := tt.word()
			assert.Error(t, w.UnmarshalText([]byte(s)), "%T %q", w, s)
			assert.Equal(t, tt.word(), w)
		}
	}
	assert.Error(t, json.Unmarshal([]byte(`{"all":false}`), new(domain.Scope)))
	assert.NoError(t, json.Unmarshal([]byte(`{"all":true}`), new(domain.Scope)))
}

// TestPurposesNeedAnEngagementFromServiceToRelated is I.3.4 to I.3.9, told apart by
// II.2 no-relation.
func TestPurposesNeedAnEngagementFromServiceToRelated(t *testing.T) {
	l := lawtest.Open(newYear)
	l.Settle()
	for i, p := range domain.Purposes {
		out, _ := l.Fork().Do("officer", &domain.AuthorizationIssue{Client: "acme", Authorization: "a", Party: "nmpa", Scope: domain.Scope{All: true},
			Purposes: []domain.Purpose{p}, Need: lawtest.Text(1)})
		if i >= 3 && i <= 8 {
			require.NotNil(t, out.Fault, p)
			assert.Equal(t, "no-relation", out.Fault.Reason, p)
		} else {
			assert.Nil(t, out.Fault, p)
		}
	}
}

// TestAFaultSaysWhatIsWrongAndWhere: code, clause or field, and words for a person.
func TestAFaultSaysWhatIsWrongAndWhere(t *testing.T) {
	for want, f := range map[string]*domain.Fault{
		"refused under III.3 (evidence-unfit): letter-7 is not stamped": {Code: domain.Refused, Clause: "III.3", Reason: "evidence-unfit", Message: "letter-7 is not stamped"},
		"unknown /data/party: there is no party li":                     {Code: domain.Unknown, Field: "/data/party", Message: "there is no party li"},
		"forbidden: auditor may not issue it":                           {Code: domain.Forbidden, Message: "auditor may not issue it"},
	} {
		assert.EqualError(t, f, want)
	}
}

// What is kept for longer than calendars go has an end that can still be written.
func TestNoPeriodEndsAfterTheYear9999(t *testing.T) {
	for _, p := range []string{"P9999Y", "P7974Y", "P9999M", "P999999D", "P9999YT999999H"} {
		var long domain.Period
		require.NoError(t, long.UnmarshalText([]byte(p)))
		end := long.After(time.Date(9998, 6, 1, 0, 0, 0, 0, time.UTC))
		require.Equal(t, 9999, end.Year(), p)
		_, err := end.MarshalJSON()
		require.NoError(t, err, p)
	}
}
