package projections

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore/cloudevent"
)

// A committee makes up a ledger in which authorisations come and go, are used, and
// are reviewed.
type committee struct {
	*book
	chance *rand.Rand
	n      int
	open   domain.ID // the review that is
}

func newCommittee(t testing.TB, seed uint64) *committee {
	c := &committee{book: newBook(t), chance: rand.New(rand.NewPCG(seed, 1))}
	for _, p := range []string{"wu", "chen"} {
		c.given("clerk", "party.register", `{"party":"`+p+`","category":"staff","kind":"person","name":"x"}`)
		c.given("officer", "training.complete", `{"party":"`+p+`","course":"care","until":"2036-01-01T00:00:00Z"}`)
	}
	c.given("clerk", "party.register", `{"party":"nmpa","category":"authority","kind":"institution","name":"x"}`)
	c.given("admin", "identity.add", `{"actor":"boss","role":"manager","publicKey":"UBAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","party":"chen"}`)
	for _, client := range []string{"a", "a-1", "b"} {
		c.given("clerk", "client.register", `{"client":"`+client+`","name":"x","contacts":[]}`)
		for _, r := range []string{"r1", "r2"} {
			c.given("clerk", "record.register", fmt.Sprintf(`{"client":%q,"record":%q,"title":"x","class":"ordinary","medium":"electronic",
				"encrypted":false,"retention":{"after":"registration","keep":"P9Y"}}`, client, r))
		}
		c.given("clerk", "evidence.file", withDefaults(t, "evidence.file", fmt.Sprintf(`{"evidence":"ec-%s","client":%q,"kind":"engagement-confirmation"}`, client, client)))
		c.given("clerk", "engagement.confirm", fmt.Sprintf(`{"client":%q,"engagement":"e1","evidence":"ec-%s","purposes":["service"]}`, client, client))
	}
	return c
}

func (c *committee) one(words ...string) string { return words[c.chance.IntN(len(words))] }

// some is one of the authorisations that were ever issued, of a client.
func (c *committee) some() (client, id string) {
	var all [][2]string
	for k := range c.history.At(domain.Seq(c.last)).List(domain.KindReviewable, "", "") {
		client, id, _ := strings.Cut(k.C, "/")
		all = append(all, [2]string{client, id})
	}
	if len(all) == 0 {
		return "a", "none"
	}
	got := all[c.chance.IntN(len(all))]
	return got[0], got[1]
}

// step does something that the law may take or not.
func (c *committee) step() {
	c.n++
	c.clock = c.clock.Add(time.Duration(c.chance.IntN(40)) * time.Hour)
	if c.chance.IntN(150) == 0 {
		c.clock = c.clock.Add(200 * 24 * time.Hour)
	}
	client, id := c.some()
	tries := func(actor, name, data string, args ...any) {
		c.issue(actor, name, fmt.Sprintf(data, args...))
	}
	switch c.chance.IntN(16) {
	case 0, 1, 2:
		until, scope, paper := "", c.one(`{"all":true}`, `{"records":["r1"]}`, `{"engagements":["e1"]}`), ""
		if c.chance.IntN(3) == 0 {
			until = `,"until":"` + c.clock.Add(time.Duration(c.chance.IntN(900))*time.Hour).Format(time.RFC3339) + `"`
		}
		if c.chance.IntN(4) == 0 {
			paper = `,"engagement":"e1"`
		}
		tries(c.one("officer", "officer", "manager"), "authorization.issue", `{"client":%q,"authorization":"x%d","party":%q,"scope":%s,
			"purposes":["relationship","consultation"],"actions":["consult","transfer"],"need":"need %d"%s%s}`,
			c.one("a", "a-1", "b"), c.n, c.one("wu", "chen", "nmpa"), scope, c.n, until, paper)
	case 3:
		tries("officer", "authorization.revoke", `{"client":%q,"authorization":%q,"reason":"x"}`, client, id)
	case 4:
		tries("officer", c.one("engagement.close", "engagement.reopen", "engagement.reopen"), `{"client":%q,"engagement":"e1","reason":"x"}`, client)
	case 5:
		if c.open == "" && c.chance.IntN(2) == 0 {
			tries("manager", "review.open", `{"review":"rv-%d","title":"title %d"}`, c.n, c.n)
			c.open = domain.ID(fmt.Sprintf("rv-%d", c.n))
		} else if c.open != "" {
			for k := range c.history.At(domain.Seq(c.last)).List(domain.KindReviewable, "", "") {
				client, id, _ := strings.Cut(k.C, "/")
				if v, _ := fact[domain.Verdict](c.history.At(domain.Seq(c.last)), domain.Key{Kind: domain.KindVerdict, A: string(c.open), C: k.C}); v != nil {
					continue
				}
				const all = `{"review":%q,"client":%q,"authorization":%q,"verdict":%q,"reason":"at the end"}`
				if e, _ := c.issue("manager", "review.decide", fmt.Sprintf(all, c.open, client, id, "keep")); e == nil || e.Refusal != nil {
					tries("manager", "review.decide", all, c.open, client, id, "revoke") // its own
				}
			}
			tries("manager", "review.close", `{"review":%q,"statement":"statement %d"}`, c.open, c.n)
			c.open = ""
		}
	case 6, 7:
		verdict := c.one(`"keep"`, `"keep"`, `"revoke"`, `"narrow","actions":["consult"]`, `"narrow","scope":{"records":["r1"]}`)
		if c.open != "" {
			tries("manager", "review.decide", `{"review":%q,"client":%q,"authorization":%q,"verdict":%s,"reason":"reason %d"}`, c.open, client, id, verdict, c.n)
		}
	default:
		party, extra := c.one("wu", "chen", "nmpa"), ""
		action := c.one("consult", "consult", "consult", "use", "transfer")
		if action == "transfer" {
			extra = `,"recipient":"` + c.one("wu", "chen", "nmpa") + `"`
		}
		tries("gateway", "access.request", `{"client":%q,"record":%q,"party":%q,"action":%q,"purpose":%q%s}`, c.one("a", "a-1", "b", "b"),
			c.one("r1", "r2"), party, action, c.one("relationship", "relationship", "fees"), extra)
	}
}

// shows is what a review has to say, found the long way: by a look at all that was
// issued, and at every decision.
func (c *committee) shows(docs []*cloudevent.Document, id domain.ID, unseen bool) (want []reviewItem) {
	last := domain.Seq(c.last)
	is := c.history.At(last)
	known, ok := is.Get(domain.Key{Kind: domain.KindReview, C: string(id)})
	require.True(c.t, ok)
	opened := known.First
	then := c.history.At(opened)
	began := docs[opened-1].Time
	var before, closed domain.Seq // the review before, opened and closed
	for _, d := range docs[:opened-1] {
		switch d.Type {
		case "review.opened":
			before = domain.Seq(d.Seq)
		case "review.closed":
			closed = domain.Seq(d.Seq)
		}
	}
	from := closed
	if unseen {
		from = before
	}
	for k := range then.List(domain.KindReviewable, "", "") {
		client, name, _ := strings.Cut(k.C, "/")
		r, _, _ := domain.FindRight(then, domain.ID(client), domain.Authorized, domain.ID(name))
		s := r.Standing(then, began)
		switch {
		case !unseen && !s.InForce, unseen && s.InForce, unseen && r.Made < before:
			continue
		}
		it := reviewItem{Client: r.Client, Authorization: r.ID, Party: r.Party, IssuedBy: r.IssuedBy, Overdue: s.Overdue,
			Scope: r.Scope, Purposes: r.Purposes, Actions: r.Actions, Until: r.Until, Engagement: r.Engagement,
			From: r.Made, Reviewed: r.Reviewed, Need: "need " + name[1:]}
		now, _, _ := domain.FindRight(is, r.Client, domain.Authorized, r.ID)
		ends := now.Standing(is, c.clock)
		it.InForce, it.Ended = ends.InForce, ends.Ended
		for _, d := range docs {
			seq := domain.Seq(d.Seq)
			if d.Decision != nil && d.Subject.Client == r.Client && seq > from && seq < opened &&
				slices.ContainsFunc(d.Decision.Reasons, func(why domain.Reason) bool { return why.Right == r.Ref() }) {
				if d.Decision.Decision == domain.Granted {
					it.Granted, it.LastSeq, it.LastUsed = it.Granted+1, d.Seq, d.Time
				} else {
					it.Denied++
				}
			}
			if d.Refusal != nil {
				continue
			}
			e, err := d.Event()
			require.NoError(c.t, err)
			switch data := e.Data.(type) {
			case *domain.ReviewDecide:
				if data.Client != r.Client {
					continue
				}
				of, _, _ := domain.FindRight(is, r.Client, domain.Authorized, data.Authorization)
				if data.Verdict == domain.Revoke && seq < r.Made && of.Party == r.Party {
					it.TakenBefore = seq
				}
				if data.Authorization != r.ID {
					continue
				}
				if data.Verdict == domain.Narrow && seq > opened {
					it.Changed, it.Now = seq, &says{now.Scope, now.Purposes, now.Actions, now.Until}
				}
				if data.Review == id {
					it.Verdict, it.DecidedBy, it.Decided, it.Again = data.Verdict, d.Actor, seq, nil
				}
			case *domain.AuthorizationIssue:
				if it.Verdict == domain.Revoke && data.Client == r.Client && data.Party == r.Party {
					it.Again = append(it.Again, data.Authorization)
				}
			}
		}
		if n := len(it.Again); n > mostAgain {
			it.Again, it.More = it.Again[:mostAgain], n-mostAgain
		}
		want = append(want, it)
	}
	slices.SortFunc(want, func(x, y reviewItem) int {
		return strings.Compare(string(x.Client)+"/"+string(x.Authorization), string(y.Client)+"/"+string(y.Authorization))
	})
	return want
}

// II.2: a review shows what a count over every event shows.
func TestAReviewShowsWhatEveryEventTells(t *testing.T) {
	c := newCommittee(t, 7)
	c.together(func() {
		for range 900 {
			c.step()
		}
	})
	docs := c.documents()
	found, _ := c.all("manager", `{"ask":"reviews"}`)
	reviews := each[sittingItem](t, found)
	require.Greater(t, len(reviews), 8)
	sum := map[string]int{}
	for _, rv := range reviews {
		for _, unseen := range []bool{false, true} {
			question := fmt.Sprintf(`{"ask":"review","review":%q,"unseen":%t}`, rv.Review, unseen)
			found, at := c.all("manager", question)
			require.Equal(t, c.last, at)
			got, want := each[reviewItem](t, found), c.shows(docs, rv.Review, unseen)
			for i := range got {
				require.Equal(t, got[i].Verdict != "", strings.HasPrefix(got[i].Reason, "reason ") || got[i].Reason == "at the end", got[i].Reason)
				got[i].Reason = ""
			}
			require.Equal(t, want, got, question)
			for _, it := range got {
				sum[fmt.Sprintf("unseen %t", unseen)]++
				sum["granted"] += it.Granted
				sum["denied"] += it.Denied
				sum["again"] += len(it.Again)
				for what, is := range map[string]bool{"overdue": it.Overdue, "taken before": it.TakenBefore != 0, "changed": it.Changed != 0,
					"ended": it.Ended != 0, "in force": it.InForce, "undecided": it.Verdict == "", "ran out": !it.InForce && it.Ended == 0} {
					if is {
						sum[what]++
					}
				}
			}
		}
	}
	t.Log(sum)
	for _, what := range []string{"unseen false", "unseen true", "granted", "denied", "again", "taken before", "changed", "ended", "overdue", "in force", "undecided", "ran out"} {
		require.Positive(t, sum[what], what)
	}
}

// Contract, section 5: the answer is what held then. A ledger that had no more events
// would have given it.
func TestAReviewOfThePastIsAsItWasThen(t *testing.T) {
	c := newCommittee(t, 11)
	c.together(func() {
		for range 250 {
			c.step()
		}
	})
	then, err := OpenStore(t.TempDir(), Config{Cache: 8 << 20})
	require.NoError(t, err)
	defer func() { require.NoError(t, then.Close()) }()
	require.NoError(t, Replay(t.Context(), nothing{}, then, nil))
	var h domain.History
	var questions []string
	cfg, items := c.config(), 0
	cfg.Store = then
	for _, raw := range c.raw {
		d, err := cloudevent.Parse(raw)
		require.NoError(t, err)
		a := Applied{Doc: d, Message: raw}
		a.Event, err = d.Event()
		require.NoError(t, err)
		a.Changes = h.Record(a.Event)
		require.NoError(t, then.Apply([]Applied{a}))
		if d.Type == "review.opened" {
			rv := a.Event.Data.(*domain.ReviewOpen).Review
			questions = append(questions, fmt.Sprintf(`{"ask":"review","review":%q}`, rv), fmt.Sprintf(`{"ask":"review","review":%q,"unseen":true}`, rv))
		}
		cfg.Latest = func() uint64 { return d.Seq }
		cfg.Clock = func() time.Time { return d.Time }
		s := NewService(cfg)
		for _, q := range append([]string{`{"ask":"reviews"}`}, questions...) {
			if d.Seq < 8 {
				continue // nobody may ask yet
			}
			was := c.askWith(t.Context(), s, "auditor", q)
			is := c.ask("auditor", fmt.Sprintf(`%s,"at":%d}`, strings.TrimSuffix(q, "}"), d.Seq))
			require.True(t, was.OK, "%s at %d: %v", q, d.Seq, was.Error)
			require.Equal(t, was.Items, is.Items, "%s at %d", q, d.Seq)
			items += len(is.Items)
		}
		require.NoError(t, s.Close())
	}
	require.Greater(t, len(questions), 4)
	require.Greater(t, items, 500)
}

// However much was done with one authorisation, a page looks at a bounded part of it,
// and the pages together count all of it.
func TestAReviewCountsOverManyPages(t *testing.T) {
	c := newCommittee(t, 1)
	const accesses, quiet = 9000, 600
	for _, id := range []string{"a1", "a2"} {
		c.given("officer", "authorization.issue", fmt.Sprintf(`{"client":"b","authorization":%q,"party":"wu","scope":{"all":true},
			"purposes":[%q],"need":"x"}`, id, map[string]string{"a1": "relationship", "a2": "consultation"}[id]))
	}
	c.together(func() {
		for i := range quiet { // on either side
			c.given("officer", "authorization.issue", fmt.Sprintf(`{"client":%q,"authorization":"x%d","party":"nmpa","scope":{"all":true},
				"purposes":["relationship"],"need":%q}`, []string{"a", "b"}[i%2], i, strings.Repeat("客", 500)))
		}
	})
	for n := range accesses / 1000 {
		c.together(func() {
			for i := 1000 * n; i < 1000*(n+1); i++ {
				c.given("gateway", "access.request", fmt.Sprintf(`{"client":"b","record":"r1","party":"wu","action":%q,"purpose":%q}`,
					[]string{"consult", "consult", "use"}[i%3], []string{"relationship", "consultation"}[i/3%2]))
			}
		})
	}
	c.given("manager", "review.open", `{"review":"rv","title":"x"}`)
	var items []reviewItem
	pages, empty := 0, 0
	const question = `{"ask":"review","review":"rv"}`
	for page := question; ; pages++ {
		a := c.ask("manager", page)
		require.True(t, a.OK, "%v", a.Error)
		items = append(items, each[reviewItem](t, a.Items)...)
		if len(a.Items) == 0 {
			empty++
		}
		if a.Cursor == "" {
			break
		}
		require.Less(t, len(a.Cursor), 16<<10)
		page = strings.TrimSuffix(question, "}") + `,"cursor":"` + a.Cursor + `"}`
	}
	require.Positive(t, empty)
	require.Less(t, pages, 12)
	require.Len(t, items, quiet+2)
	for i, it := range items {
		granted, denied := 0, 0
		if it.Party == "wu" { // each gets furthest for its own purpose
			granted, denied = accesses/3, accesses/6
		}
		require.Equal(t, []int{granted, denied}, []int{it.Granted, it.Denied}, it.Authorization)
		require.True(t, i == 0 || items[i-1].Client <= it.Client)
	}

	// A cursor that is no longer what it was is refused, and does no harm.
	first := c.ask("manager", question)
	cut, err := parseCursor(jsontext.Value(`"` + first.Cursor + `"`))
	require.NoError(t, err)
	for i, with := range map[int]string{1: "9999", 2: "x", 3: "77", 4: "1.2.3"} {
		forged := *cut
		forged.Key = slices.Clone(cut.Key)
		forged.Key[i] = with
		a := c.ask("manager", strings.TrimSuffix(question, "}")+`,"cursor":"`+forged.String()+`"}`)
		require.False(t, a.OK, "%v", forged.Key)
		require.Equal(t, "/cursor", a.Error.Field)
	}
}
