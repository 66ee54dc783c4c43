package domain_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/domain/lawtest"
	"github.com/qtccc/assent/eventstore/cloudevent"
)

// TestStories plays testdata/stories, each on a ledger as init leaves it: an actor
// of each role, named after it. The clock stands at 2026-03-02 until an argument
// "on" of a verb moves it. The verbs:
//
//	given   commands that are accepted; the sequences of their events are printed
//	refuse  commands that are not; a line each says how
//	access  access requests, of the gateway unless said otherwise; with "after" they
//	        are decided on what was known after that event, and not recorded
//
// A line is a command in the CLI's words. So that a story shows what it is about,
// some of what a command needs is filled in where a line leaves it out (fill), a
// day stands for its midnight (UTC), #14 for the id of that event, and a word for the
// paper or the key whose digest or text nobody reads.
//
// Run with -rewrite after a change of law, and read the diff as a lawyer would.
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		s := &story{lawtest.Open(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			on, after := "", int64(0)
			d.MaybeScanArgs(t, "on", &on)
			d.MaybeScanArgs(t, "after", &after)
			if on != "" {
				s.Now = moment(t, on)
			}
			verb := map[string]func(*testing.T, string) string{"given": s.given, "refuse": s.refuse, "access": s.access}[d.Cmd]
			if after != 0 {
				verb = func(t *testing.T, line string) string { return s.wouldHave(t, line, domain.Seq(after)) }
			}
			if verb == nil {
				d.Fatalf(t, "there is no verb %s", d.Cmd)
			}
			begin, out := s.Last()+1, ""
			for line := range strings.Lines(d.Input) {
				out += verb(t, strings.TrimSpace(line))
			}
			if d.Cmd == "given" && s.Last() >= begin {
				out = fmt.Sprintf("#%d", begin)
				if s.Last() > begin {
					out += fmt.Sprintf(" to #%d", s.Last())
				}
				out += "\n"
			}
			return out
		})
	})
}

type story struct{ *lawtest.Ledger }

func (s *story) given(t *testing.T, line string) string {
	out, _ := s.Send(s.command(t, line))
	require.Nil(t, out.Fault, line)
	require.Zero(t, out.Again, line)
	return ""
}

func (s *story) refuse(t *testing.T, line string) string {
	out, e := s.Send(s.command(t, line))
	require.NotNil(t, out.Fault, "it was accepted: %s", line)
	f := out.Fault
	require.NotEmpty(t, f.Message)
	said := string(f.Code)
	if f.Clause != "" {
		said += " " + string(f.Clause) + " " + f.Reason
	}
	if f.Field != "" {
		said += " " + f.Field
	}
	if require.Equal(t, f.Recorded(), e != nil); e != nil {
		said += fmt.Sprintf(" #%d", e.Seq)
	}
	return said + "\n"
}

func (s *story) access(t *testing.T, line string) string {
	out, e := s.Send(s.command(t, asked(line)))
	require.Nil(t, out.Fault, line)
	d := out.Decision
	joined := ""
	if d.Violation != "" && d.Violation != e.ID {
		for _, before := range s.Events {
			if before.ID == d.Violation {
				joined = fmt.Sprintf(", of the violation of #%d", before.Seq)
			}
		}
	}
	return fmt.Sprintf("#%d ", e.Seq) + strings.Replace(ruling(d), d.Decision, d.Decision+joined, 1) + "\n"
}

// wouldHave decides without recording.
func (s *story) wouldHave(t *testing.T, line string, after domain.Seq) string {
	r, _ := s.command(t, asked(line)).Data.(*domain.AccessRequest)
	return ruling(domain.DecideAccess(s.History.At(after), r, s.Now, s.Next())) + "\n"
}

// asked is the whole command of a line that may have its flags alone.
func asked(line string) string {
	if !strings.HasPrefix(line, "as ") {
		line = "as gateway  access request " + line
	}
	return line
}

// command reads a line: "as clerk  consent give --client acme …".
func (s *story) command(t testing.TB, line string) *domain.Command {
	words := split(line)
	require.Greater(t, len(words), 3, line)
	require.Equal(t, "as", words[0], line)
	row, ok := domain.Find(words[2] + "." + words[3])
	require.True(t, ok, line)
	data, blank := s.data(t, row, words[4:])
	raw, err := json.Marshal(data)
	require.NoError(t, err)
	d, fault := cloudevent.ParseData(row.Command, raw)
	require.Nil(t, fault, "%s: %s", line, raw)
	c := s.Command(domain.ID(words[1]), d, blank...)
	if answer, ok := d.(*domain.InquiryAnswer); ok && answer.Attempt != "" {
		c.NoAttempt = !slices.ContainsFunc(s.Events, func(e *domain.Event) bool { return e.Decision != nil && e.ID == answer.Attempt })
	}
	return c
}

// data is what the flags say, and which † fields are blank.
func (s *story) data(t testing.TB, row *domain.Row, words []string) (data map[string]any, blank []string) {
	flags := map[string]string{}
	for i := 0; i < len(words); i++ {
		name, value, ok := strings.Cut(strings.TrimPrefix(words[i], "--"), "=")
		if !ok && i+1 < len(words) && !strings.HasPrefix(words[i+1], "--") {
			i++
			value = words[i]
		} else if !ok {
			value = "true"
		}
		flags[name] = value
	}
	fill(row.Command, flags)
	data = object(t, cloudevent.Fields(row), flags, &blank)
	require.Empty(t, flags, "%s has no such flags", row.Command)
	return data, blank
}

func object(t testing.TB, fields []cloudevent.Field, flags map[string]string, blank *[]string) map[string]any {
	data := map[string]any{}
	for _, f := range fields {
		if f.Name == "scope" || f.Name == "retention" {
			if members := object(t, f.Fields, flags, blank); len(members) > 0 {
				data[f.Name] = members
			}
			continue
		}
		given, ok := flags[f.Name]
		delete(flags, f.Name)
		switch {
		case !ok && f.Required && f.Kind == cloudevent.KindText:
			data[f.Name] = commitment("…")
		case !ok && f.Required && f.MayEmpty:
			data[f.Name] = []string{}
		case !ok:
		case f.Kind == cloudevent.KindObject:
			data[f.Name] = json.RawMessage(given)
		case f.List:
			data[f.Name] = strings.Split(given, ",")
		case f.Kind == cloudevent.KindBool, f.Kind == cloudevent.KindFlag:
			data[f.Name] = given == "true"
		case f.Kind == cloudevent.KindNumber:
			n, err := strconv.Atoi(given)
			require.NoError(t, err)
			data[f.Name] = n
		case f.Kind == cloudevent.KindText:
			if data[f.Name] = commitment(given); strings.TrimSpace(given) == "" {
				*blank = append(*blank, "/"+f.Name)
			}
		case f.Kind == cloudevent.KindTime:
			data[f.Name] = moment(t, given).Format(time.RFC3339Nano)
		case f.Kind == cloudevent.KindDigest:
			data[f.Name] = strings.TrimPrefix(commitment(given), "sha256:")
		case f.Kind == cloudevent.KindPublicKey:
			data[f.Name] = string(lawtest.Key(given))
		case f.Kind == cloudevent.KindUUID:
			data[f.Name] = idOf(t, given)
		default:
			data[f.Name] = given
		}
	}
	return data
}

// fill gives the flags that a line leaves out because the story isn't about them.
func fill(command string, flags map[string]string) {
	for name, value := range map[string]map[string]string{
		"evidence.file": {"sha256": flags["evidence"], "size": "1000", "mediaType": "application/pdf", "signed": "true", "stamped": "true",
			"signedOn": "2026-01-02", "custody": "paper", "place": "cabinet 3"},
		"record.register":   {"class": "ordinary", "medium": "electronic", "encrypted": "false", "after": "registration", "keep": "P1Y"},
		"record.destroy":    {"method": "shred"},
		"party.register":    {"kind": "person"},
		"access.request":    {"client": "acme", "action": "consult"},
		"training.complete": {"course": "confidentiality"},
		"identity.rotate":   {"publicKey": flags["actor"] + "-new"},
		"identity.add":      {"publicKey": flags["actor"]},
		"approval.give":     {"action": "consult", "until": "2026-12-31"},
		"policy.publish":    {"sha256": "edition-" + flags["edition"], "major": "false", "reviewEvery": "P6M", "noticeWithin": "P30D"},
		"policy.notify":     {"channel": "letter"},
		"inquiry.receive":   {"kind": "access", "to": "officer"},
	}[command] {
		if _, ok := flags[name]; !ok {
			flags[name] = value
		}
		if flags[name] == "left-out" {
			delete(flags, name)
		}
	}
}

func commitment(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// idOf is the id of the event that is written #14, or of none that there is. An
// event's id is the n-th (lawtest.Ledger.Next), and a violation's or an attempt's
// that of the event that opened or decided it.
func idOf(t testing.TB, s string) domain.UUID {
	if s == "none" {
		return lawtest.UUID(7, 404)
	}
	n, err := strconv.Atoi(strings.TrimPrefix(s, "#"))
	require.NoError(t, err, s)
	return lawtest.UUID(7, n)
}

// moment is a day's midnight, or a time.
func moment(t testing.TB, s string) time.Time {
	at, err := time.Parse(time.DateOnly, s)
	if err != nil {
		at, err = time.Parse(time.RFC3339Nano, s)
	}
	require.NoError(t, err)
	return at
}

// split cuts a line into words. A word in single quotes may have blanks.
func split(line string) (words []string) {
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	return words
}
