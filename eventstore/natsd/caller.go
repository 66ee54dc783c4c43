package natsd

import (
	"strings"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// mostHeaders is how many headers a request with a caller has at most. Few enough,
// see Caller.
const mostHeaders = 16

// Caller is the public key that the connection proved from which the request m
// came to a door: the server puts it on each, in the header Nats-Request-Info, and
// takes off what the client put there. Empty where the server's word isn't beyond
// doubt, and for a message that came to no door. It takes half a microsecond.
//
// What a client's own library wouldn't send gets past the server: a line of that
// name after a bare line feed stays, and a blank line hides from the parser what
// the server adds at the end. Then the block of headers is longer than what was
// parsed of it, by at least the server's line, some 200 bytes. No spelling takes
// that back: a header can be shorter than we would write it by 2 bytes, the status
// line with the two headers made of it by 25. So with at most 16 headers and equal lengths
// nothing is hidden (TestForgedCallerIsNobody).
func Caller(m *nats.Msg) string {
	said := m.Header[server.ClientInfoHdr]
	if len(said) != 1 {
		return ""
	}
	n, length := 0, len("NATS/1.0\r\n\r\n")
	for key, values := range m.Header {
		for _, v := range values {
			n++
			length += len(key) + len(": \r\n") + len(v)
		}
	}
	if n > mostHeaders || length != m.Size()-len(m.Subject)-len(m.Reply)-len(m.Data) {
		return ""
	}
	return user(said[0])
}

// user is the value of the member "user" of a JSON object as the server writes it:
// no white space, the member once, its value without escapes. Empty for any other
// text.
func user(object string) string {
	const member = `"user":"`
	// A quote inside a string is escaped, so this is found nowhere but where a
	// string begins; and no object is nested in this one.
	_, rest, ok := strings.Cut(object, member)
	if !ok || strings.Contains(rest, member) {
		return ""
	}
	name, _, ok := strings.Cut(rest, `"`)
	if !ok || strings.Contains(name, `\`) || object[0] != '{' || object[len(object)-1] != '}' {
		return ""
	}
	return name
}
