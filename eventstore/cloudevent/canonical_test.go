package cloudevent

import (
	"bytes"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"
)

// TestCanonicalIsRFC8785: the RFC's own examples, and what our shorter way leaves
// to the library.
func TestCanonicalIsRFC8785(t *testing.T) {
	for _, raw := range []string{
		`{}`, `[]`, `{"":""}`, `{"a":{"b":[1,-2,0]},"b":[],"c":null}`, `"text"`, `true`, `0`,
		`[56,{"1":[],"10":null,"d":true}]`, // section 3.2.3
		"{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u0080\":\"Control\u007f\",\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\",\"\ufb33\":\"Hebrew Letter Dalet With Dagesh\"}",
		`[333333333.3333333,1e+30,4.5,0.002,1e-27]`, // section 3.2.2.3
		`"€$\u000f\nA'B\"\\\\\"/"`, `9007199254740992`, `[` + strings.Repeat(`[`, 100) + strings.Repeat(`]`, 100) + `]`,
	} {
		require.True(t, Canonical([]byte(raw)), raw)
		require.Equal(t, slowly([]byte(raw)), Canonical([]byte(raw)), raw)
	}
	for _, raw := range []string{
		``, ` `, `{} `, ` {}`, `{"a": 1}`, `{"b":1,"a":2}`, `{"a":1,"a":2}`, `{"a":1,}`, `{,}`, `{"a"}`, `{"a":}`, `[1,]`, `[,1]`,
		`1.0`, `1e2`, `-0`, `01`, `-`, `+1`, `9007199254740993`, `1E+30`, `nul`, `truely`, `"\u0061"`, `"\/"`, `"\u000A"`, `"`, "\"\n\"",
		"\"\xff\"", `"\ud800"`, "{\"😀\":1,\"\ufb33\":2,\"a\":3}", `{"a":1}{}`, `{} {}`,
	} {
		require.False(t, Canonical([]byte(raw)), raw)
		require.Equal(t, slowly([]byte(raw)), Canonical([]byte(raw)), raw)
	}
}

// slowly is Canonical by the library alone.
func slowly(raw []byte) bool {
	v := jsontext.Value(bytes.Clone(raw))
	return v.Canonicalize() == nil && bytes.Equal(v, raw)
}

// FuzzCanonical: the shorter way says what the library says.
func FuzzCanonical(f *testing.F) {
	for _, raw := range []string{
		`{"client":"acme","purposes":["service"],"scope":{"all":true},"size":-12}`, `{"a":[{"b":null},false,{}],"c":"d\n"}`,
		`{"ö":1.5e300,"😀":0}`, `[1,2,[3,[4,[5]]]]`, `{"b":1,"a":2}`, `{"a":1,"a":1}`, `123456789012345678`, ` {}`,
	} {
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		require.Equal(t, slowly(raw), Canonical(raw))
		if end := canonical(raw, 0, 0); end > 0 {
			require.True(t, slowly(raw[:end]), "%s", raw[:end])
		}
	})
}
