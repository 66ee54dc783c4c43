package projections

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore/cloudevent"
)

// A desk decides commands without recording them anywhere but in a history: who
// looks at what falls due needs no stream.
type desk struct {
	h     domain.History
	n     domain.Seq
	clock time.Time
	undue []Applied // not yet in the store
}

const someText = `"sha256:0000000000000000000000000000000000000000000000000000000000000000"`

// does decides the command; what isn't recorded is left out.
func (k *desk) does(t require.TestingT, actor, name, data string) {
	data = strings.ReplaceAll(data, "†", someText)
	parsed, fault := cloudevent.ParseData(name, []byte(data))
	require.Nil(t, fault, "%s %s", name, data)
	v := k.h.At(k.n)
	who, _ := fact[domain.Actor](v, domain.Key{Kind: domain.KindActor, C: actor})
	cmd := &domain.Command{ID: domain.UUID(aUUID(uint64(k.n + 1))), Actor: domain.ID(actor), Name: name, Data: parsed}
	if cmd.Key = domain.PublicKey("U" + strings.Repeat("A", 55)); who != nil {
		cmd.Key = who.PublicKey
	}
	e := &domain.Event{Seq: k.n + 1, ID: domain.UUID(aUUID(uint64(k.n + 1))), Time: k.clock, Actor: cmd.Actor, Command: cmd.ID, Name: name, Rules: 1, Data: parsed}
	out := domain.Decide(v, cmd, k.clock, e.ID)
	if out.Type == "" {
		return
	}
	e.Type, e.Subject, e.Decision, e.Refusal = out.Type, out.Subject, out.Decision, out.Refusal
	k.n++
	k.undue = append(k.undue, Applied{Event: e, Changes: k.h.Record(e)})
}

// key is a public key without its U, another one at each event.
func (k *desk) key() string {
	b := []byte(strings.Repeat("Z", 55))
	for i, n := 0, k.n; n > 0; i, n = i+1, n/26 {
		b[i] = 'A' + byte(n%26)
	}
	return string(b)
}

func (k *desk) opens(t require.TestingT) {
	k.does(t, "admin", "ledger.open", `{"ledger":"`+string(theLedger)+`","name":"qtccc","format":1,"log":"assent/x+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
		"admin":{"actor":"admin","publicKey":"U`+strings.Repeat("A", 55)+`"},
		"policy":{"edition":6,"effective":"2023-04-14T00:00:00+08:00","sha256":"`+strings.Repeat("8e", 32)+`","reviewEvery":"P1M","noticeWithin":"P30D"}}`)
	for i, r := range []string{"clerk", "officer", "manager", "gateway"} {
		k.does(t, "admin", "identity.add", fmt.Sprintf(`{"actor":%q,"role":%q,"publicKey":"U%s%s"}`, r, r, strings.Repeat("A", 54), "BCDE"[i:i+1]))
	}
	k.does(t, "clerk", "party.register", `{"party":"wu","category":"staff","kind":"person","name":†}`)
	k.does(t, "clerk", "party.register", `{"party":"chen","category":"staff","kind":"person","name":†}`)
	for _, c := range []string{"acme", "beta"} {
		k.does(t, "clerk", "client.register", `{"client":"`+c+`","name":†,"contacts":[]}`)
		k.files(t, c+"-p0", c)
		k.files(t, c+"-p1", c)
		k.does(t, "clerk", "engagement.confirm", fmt.Sprintf(`{"client":%q,"engagement":"%s-g0","evidence":"%s-p0","purposes":["service"]}`, c, c, c))
		k.does(t, "clerk", "engagement.confirm", fmt.Sprintf(`{"client":%q,"engagement":"%s-g1","evidence":"%s-p1","purposes":["service"]}`, c, c, c))
	}
}

func (k *desk) files(t require.TestingT, paper, client string) {
	k.does(t, "clerk", "evidence.file", fmt.Sprintf(`{"evidence":%q,"client":%q,"kind":"engagement-confirmation","sha256":"%064d","size":1,"mediaType":"a/b","signed":true,"stamped":true,"signedOn":"2026-01-01T00:00:00Z","custody":"paper","place":†}`,
		paper, client, k.n))
}

// step is one command of many, on few names, so that they meet.
func (k *desk) step(t *rapid.T) {
	var (
		client = rapid.SampledFrom([]string{"acme", "beta"}).Draw(t, "client")
		other  = rapid.SampledFrom([]string{"acme", "beta"}).Draw(t, "other")
		id     = fmt.Sprintf("x%d", rapid.IntRange(0, 9).Draw(t, "id"))
		eng    = fmt.Sprintf("%s-g%d", client, rapid.IntRange(0, 1).Draw(t, "engagement"))
		paper  = fmt.Sprintf("%s-p%d", other, rapid.IntRange(0, 4).Draw(t, "paper"))
		until  = rapid.SampledFrom([]string{``, `,"until":"2026-02-10T00:00:00Z"`, `,"until":"2026-04-01T00:00:00Z"`}).Draw(t, "until")
		under  = rapid.SampledFrom([]string{``, `,"engagement":"` + eng + `"`}).Draw(t, "under")
		by     = rapid.SampledFrom([]string{``, `,"evidence":"` + paper + `"`}).Draw(t, "by")
	)
	does := func(actor, name, format string, args ...any) { k.does(t, actor, name, fmt.Sprintf(format, args...)) }
	switch rapid.SampledFrom([]string{"close", "issue", "void", "reopen", "time", "issue", "keep", "issue", "file", "record", "confirm", "issue", "move", "destroy", "revoke",
		"deny", "add", "rotate", "end"}).Draw(t, "step") {
	case "time":
		k.clock = k.clock.Add(time.Duration(rapid.IntRange(1, 40*24).Draw(t, "hours")) * time.Hour)
	case "record":
		does("clerk", "record.register", `{"client":%q,"record":%q,"title":†,"class":"ordinary","medium":"electronic","encrypted":false,"retention":{"after":"registration","keep":"P20D"}%s}`, client, id, under)
	case "keep":
		does("clerk", "record.register", `{"client":%q,"record":%q,"title":†,"class":"ordinary","medium":"electronic","encrypted":false,"retention":{"after":"engagement","keep":"P5D"},"engagement":%q}`, client, id, eng)
	case "move":
		does("officer", "record.amend", `{"client":%q,"record":%q,"engagement":%q,"reason":†}`, client, id, eng)
	case "destroy":
		does("officer", "record.destroy", `{"client":%q,"record":%q,"method":"shred","operator":"chen","witness":"wu"}`, client, id)
	case "issue":
		does("officer", "authorization.issue", `{"client":%q,"authorization":%q,"party":"wu","scope":{"all":true},"purposes":["relationship"],"need":†%s%s%s}`, client, id, until, under, by)
	case "revoke":
		does("officer", "authorization.revoke", `{"client":%q,"authorization":%q,"reason":†}`, client, id)
	case "file":
		k.files(t, paper, other)
	case "void":
		does("officer", "evidence.void", `{"evidence":%q,"reason":†}`, paper)
	case "confirm":
		does("clerk", "engagement.confirm", `{"client":%q,"engagement":%q,"evidence":%q,"purposes":["service"]}`, client, eng, paper)
	case "close":
		does("officer", "engagement.close", `{"client":%q,"engagement":%q,"reason":†}`, client, eng)
	case "reopen":
		does("officer", "engagement.reopen", `{"client":%q,"engagement":%q,"reason":†}`, client, eng)
	case "deny":
		does("gateway", "access.request", `{"client":%q,"record":"none","party":%q,"action":"consult","purpose":"service"}`, client, id)
	case "add":
		does("admin", "identity.add", `{"actor":%q,"role":"manager","publicKey":"U%s","party":"wu"}`, id, k.key())
	case "rotate":
		does("admin", "identity.rotate", `{"actor":%q,"publicKey":"U%s"%s}`, rapid.SampledFrom([]string{"manager", id}).Draw(t, "who"),
			k.key(), rapid.SampledFrom([]string{``, `,"party":"wu"`}).Draw(t, "party"))
	case "end":
		does("admin", "identity.revoke", `{"actor":%q}`, rapid.SampledFrom([]string{"manager", id}).Draw(t, "who"))
	}
}

// counted is what status has to say, by the law itself, asked about everything.
func (k *desk) counted(at time.Time) tally {
	t := tally{withoutParty: []domain.ID{}}
	v := k.h.At(k.n)
	for _, client := range []string{"acme", "beta"} {
		for _, known := range v.List(domain.KindRecord, client, "") {
			r := known.Fact.(*domain.Record)
			if due, runs := domain.Due(v, domain.ID(client), r); r.Destroyed == 0 && !runs && !at.Before(due) {
				t.due++
			}
		}
		for _, known := range v.List(domain.KindRight, client, "") {
			if known.Fact.(*domain.Right).Standing(v, at).Overdue {
				t.overdue++
			}
		}
		for range v.List(domain.KindViolating, client, "") {
			t.openViolations++
		}
	}
	for key, known := range v.List(domain.KindActor, "", "") {
		a := known.Fact.(*domain.Actor)
		if office := slices.Contains([]domain.Role{domain.Clerk, domain.Officer, domain.Manager}, a.Role); office && !a.Revoked && a.Party == "" {
			t.withoutParty = append(t.withoutParty, domain.ID(key.C))
		}
	}
	slices.Sort(t.withoutParty)
	return t
}

// moments are those at which something may fall due, and each right before.
func (k *desk) moments() []time.Time {
	all := []time.Time{k.clock, k.clock.AddDate(1, 0, 0)}
	v := k.h.At(k.n)
	for _, client := range []string{"acme", "beta"} {
		for _, known := range v.List(domain.KindRecord, client, "") {
			due, _ := domain.Due(v, domain.ID(client), known.Fact.(*domain.Record))
			all = append(all, due, due.Add(-1))
		}
		for _, known := range v.List(domain.KindRight, client, "") {
			r := known.Fact.(*domain.Right)
			over := r.Reviewed.AddDate(0, 1, 0)
			all = append(all, r.Until, r.Until.Add(-1), over, over.Add(-1))
		}
	}
	return slices.DeleteFunc(all, func(t time.Time) bool { return t.Before(k.clock) })
}

// What status counts is what the law says of every record, right and actor, at
// every time, however the events came into the store.
func TestStatusCountsWhatTheLawSays(t *testing.T) {
	all := t
	rapid.Check(t, func(t *rapid.T) {
		k := &desk{clock: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
		s := memory(all, vfs.NewMem())
		defer s.Close()
		k.opens(t)
		for range rapid.IntRange(1, 6).Draw(t, "batches") {
			for range rapid.IntRange(1, 30).Draw(t, "steps") {
				k.step(t)
			}
			require.NoError(t, s.Apply(k.undue))
			k.undue = nil
			for _, at := range k.moments() {
				n, got, err := s.tally(func(n uint64) (time.Time, domain.Period, error) {
					return at, domain.EditionInForce(s.At(domain.Seq(n)), at).ReviewEvery, nil
				})
				require.NoError(t, err)
				require.Equal(t, uint64(k.n), n)
				require.Equal(t, k.counted(at), got, "at %v", at)
			}
		}
	})
}

// At the end of a month a later start ends earlier.
func TestAReviewIsOverdueOnItsDayAtAMonthsEndToo(t *testing.T) {
	k := &desk{clock: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	k.opens(t)
	for i, at := range []string{"2026-01-28T23:00:00Z", "2026-01-29T22:00:00Z", "2026-01-30T03:00:00Z", "2026-01-31T01:00:00Z"} {
		k.clock, _ = time.Parse(time.RFC3339, at)
		k.does(t, "officer", "authorization.issue", fmt.Sprintf(`{"client":"acme","authorization":"a%d","party":"wu","scope":{"all":true},"purposes":["relationship"],"need":†}`, i))
	}
	s := memory(t, vfs.NewMem())
	defer s.Close()
	require.NoError(t, s.Apply(k.undue))
	for hour, want := range map[int]int{0: 0, 1: 1, 3: 2, 21: 2, 22: 3, 23: 4} {
		at := time.Date(2026, 2, 28, hour, 0, 0, 0, time.UTC)
		_, got, err := s.tally(func(uint64) (time.Time, domain.Period, error) { return at, domain.Period{Months: 1}, nil })
		require.NoError(t, err)
		require.Equal(t, want, got.overdue, hour)
		require.Equal(t, k.counted(at), got, hour)
	}
}
