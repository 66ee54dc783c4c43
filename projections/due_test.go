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
	times map[domain.Seq]time.Time
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
	if k.times == nil {
		k.times = map[domain.Seq]time.Time{}
	}
	k.times[k.n] = k.clock
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
	k.does(t, "admin", "identity.add", `{"actor":"manager-2","role":"manager","publicKey":"U`+strings.Repeat("A", 54)+`F","party":"chen"}`)
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
	steps := rapid.SampledFrom([][]string{
		{"close", "issue", "void", "reopen", "time", "issue", "keep", "issue", "file", "record", "confirm", "issue", "move", "destroy", "revoke"},
		{"tell", "register", "forget", "publish", "tell", "time", "issue there", "back", "register"},
		{"review", "decide", "time", "sign off", "decide"},
		{"deny", "report", "look into", "judge", "add", "rotate", "end"},
	}).Draw(t, "of")
	switch rapid.SampledFrom(steps).Draw(t, "step") {
	case "time":
		k.clock = k.clock.Add(time.Duration(rapid.IntRange(1, 40*24).Draw(t, "hours")) * time.Hour)
	case "back":
		k.clock = k.clock.Add(-time.Duration(rapid.IntRange(0, 10).Draw(t, "days")) * 24 * time.Hour)
		k.does(t, "admin", "clock.affirm", `{}`)
	case "review":
		does("manager", "review.open", `{"review":"rv%d","title":†}`, k.n)
	case "decide":
		verdict := rapid.SampledFrom([]string{`"keep"`, `"revoke"`, `"narrow","until":"2026-03-01T00:00:00Z"`}).Draw(t, "verdict")
		does("manager", "review.decide", `{"review":%q,"client":%q,"authorization":%q,"verdict":%s,"reason":†}`, k.review(), client, id, verdict)
	case "sign off":
		does("manager", "review.close", `{"review":%q,"statement":†}`, k.review())
	case "report":
		about := rapid.SampledFrom([]string{``, `"client":"` + client + `",`, `"party":"chen",`, `"client":"` + client + `","party":"chen",`}).Draw(t, "about")
		does("clerk", "violation.report", `{%s"note":†}`, about)
	case "look into":
		does("officer", "violation.investigate", `{"violation":%q,"note":†}`, k.violation(t))
	case "judge":
		does("manager", "violation.close", `{"violation":%q,"finding":"mistake","note":†}`, k.violation(t))
	case "register":
		does("clerk", "client.register", `{"client":%q,"name":†,"contacts":[]}`, "c-"+id)
	case "publish":
		effective := rapid.SampledFrom([]string{``, k.date(0), k.date(1), k.date(20), k.date(50)}).Draw(t, "effective")
		does("manager", "policy.publish", `{"edition":%d,"major":%t,"sha256":"%064d","reviewEvery":%q,"noticeWithin":"P10D","summary":†%s}`,
			k.edition()+rapid.IntRange(0, 2).Draw(t, "higher"), rapid.Bool().Draw(t, "major"), 7,
			rapid.SampledFrom([]string{"P1M", "P20D", "P28D"}).Draw(t, "every"), effective)
	case "tell":
		does("clerk", "policy.notify", `{"edition":%d,"client":%q,"channel":"letter"}`, max(k.edition()-rapid.IntRange(0, 2).Draw(t, "lower"), 6), k.anyClient(t))
	case "forget":
		who := k.anyClient(t)
		does("officer", "erasure.request", `{"client":%q,"reason":†}`, who)
		does("manager-2", "erasure.approve", `{"client":%q}`, who)
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
	case "issue there":
		does("officer", "authorization.issue", `{"client":%q,"authorization":%q,"party":"wu","scope":{"all":true},"purposes":["relationship"],"need":†%s%s}`, k.anyClient(t), id, until, by)
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

// date is an edition's day, so many days from now.
func (k *desk) date(days int) string {
	return `,"effective":"` + k.clock.AddDate(0, 0, days).Format(time.RFC3339) + `"`
}

// review is the one that is open.
func (k *desk) review() string {
	if r, _ := fact[domain.Reviews](k.h.At(k.n), domain.Key{Kind: domain.KindReviews}); r != nil && r.Open != "" {
		return string(r.Open)
	}
	return "none"
}

// edition is the last one published.
func (k *desk) edition() (n int) {
	for _, known := range k.h.At(k.n).List(domain.KindEdition, "", "") {
		n = max(n, known.Fact.(*domain.Edition).Number)
	}
	return n
}

func (k *desk) violation(t *rapid.T) string {
	all := []string{aUUID(0)}
	for key := range k.h.At(k.n).List(domain.KindViolation, "", "") {
		all = append(all, key.C)
	}
	return rapid.SampledFrom(all).Draw(t, "violation")
}

func (k *desk) anyClient(t *rapid.T) string { return rapid.SampledFrom(k.clients()).Draw(t, "who") }

func (k *desk) clients() (all []string) {
	for key := range k.h.At(k.n).List(domain.KindClient, "", "") {
		all = append(all, key.C)
	}
	return all
}

// counted is what status has to say, by the law itself, asked about everything.
func (k *desk) counted(at time.Time) tally {
	t := tally{withoutParty: []domain.ID{}}
	v := k.h.At(k.n)
	for _, client := range k.clients() {
		for _, known := range v.List(domain.KindRecord, client, "") {
			r := known.Fact.(*domain.Record)
			if due, runs := domain.Due(v, domain.ID(client), r); r.Destroyed == 0 && !runs && !at.Before(due) {
				t.due++
			}
		}
		for _, known := range v.List(domain.KindRight, client, "") {
			overdue := func(at time.Time) bool { return known.Fact.(*domain.Right).Standing(v, at).Overdue }
			switch {
			case overdue(at):
				t.overdue++
			case slices.ContainsFunc(k.moments(), func(m time.Time) bool { return m.After(at) && m.Before(at.AddDate(0, 0, 30)) && overdue(m) }):
				t.overdueSoon++
			}
		}
		if e := domain.EditionInForce(v, at); e.Major && !at.Before(e.Effective.AddDate(0, 0, e.NoticeWithin.Days)) {
			known, _ := v.Get(domain.Key{Kind: domain.KindClient, C: client})
			_, told := v.Get(domain.Key{Kind: domain.KindTold, A: fmt.Sprintf("%04d", e.Number), C: client})
			if known.Fact.(*domain.Client).Erased == 0 && !told && k.times[known.First].Before(e.Effective) {
				t.late++
			}
		}
	}
	for _, known := range v.List(domain.KindViolation, "", "") {
		if known.Fact.(*domain.Violation).State != domain.Closed {
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
	var every []domain.Period
	for _, known := range v.List(domain.KindEdition, "", "") {
		e := known.Fact.(*domain.Edition)
		every = append(every, e.ReviewEvery)
		by := e.Effective.AddDate(0, 0, e.NoticeWithin.Days)
		all = append(all, e.Effective, e.Effective.Add(-1), by, by.Add(-1))
	}
	for _, client := range k.clients() {
		for _, known := range v.List(domain.KindRecord, client, "") {
			due, _ := domain.Due(v, domain.ID(client), known.Fact.(*domain.Record))
			all = append(all, due, due.Add(-1))
		}
		for _, known := range v.List(domain.KindRight, client, "") {
			r := known.Fact.(*domain.Right)
			all = append(all, r.Until, r.Until.Add(-1))
			for _, p := range every {
				over := p.After(r.Reviewed)
				all = append(all, over, over.Add(-1))
			}
		}
	}
	slices.SortFunc(all, time.Time.Compare)
	all = slices.CompactFunc(all, time.Time.Equal)
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
				n, got, err := s.tally(func(n uint64) (present, error) { return presentAt(s.At(domain.Seq(n)), at), nil })
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
		_, got, err := s.tally(func(n uint64) (present, error) { return presentAt(s.At(domain.Seq(n)), at), nil })
		require.NoError(t, err)
		require.Equal(t, want, got.overdue, hour)
		require.Equal(t, k.counted(at), got, hour)
	}
}
