package projections

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"iter"
	"math/rand/v2"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/domain/lawtest"
	"github.com/qtccc/assent/eventstore/cloudevent"
)

var commands = flag.Int("made-up", 3000, "how many commands TestEveryMadeUpDecisionIsDerivedAgain makes up")

// TestWhatRules1DecidedIsDerivedForEver: every event of the kept ledgers, signatures
// included, by verify from nothing and by redecide from the store. Every type of event
// is among them.
func TestWhatRules1DecidedIsDerivedForEver(t *testing.T) {
	if *keepMore {
		keep(t)
	}
	ledgers := keptLedgers(t)
	require.Empty(t, unshown(allShown(t, ledgers)), "run it with -write")
	decisions, refusals := 0, 0
	for name, ledger := range ledgers {
		x, err := Examine(t.Context(), ledger, nil)
		require.NoError(t, err, name)
		differs, total, _ := served(t, ledger).redecidePages(t, `{"ask":"redecide"}`, mostRedecided)
		require.Empty(t, differs, name)
		require.Equal(t, tallied{Decisions: int(x.Decisions), Refusals: int(x.Refusals), Accepted: int(x.Accepted)}, total, name)
		require.Len(t, ledger, total.Decisions+total.Refusals+total.Accepted, name)
		decisions, refusals = decisions+total.Decisions, refusals+total.Refusals
	}
	require.Greater(t, decisions, 500)
	require.Greater(t, refusals, 400)
}

// TestExamineNamesTheFirstEventThatDiffers: a decision, a refusal, a reason, an event
// left out or put in, a word of a command.
func TestExamineNamesTheFirstEventThatDiffers(t *testing.T) {
	ledger := keptLedgers(t)["agency"]
	find := func(has, was string) int {
		for i, m := range ledger {
			if bytes.Contains(m, []byte(has)) && bytes.Contains(m, []byte(was)) {
				return i
			}
		}
		t.Fatalf("no event has %s and %s", has, was)
		return 0
	}
	for _, c := range []struct{ name, has, was, is, why string }{
		{"a denial made a grant's reason", `"type":"access.denied"`, `"code":"not-contact"`, `"code":"contact"`, "its decision is not the one that the law makes"},
		{"a refusal's reason", `"type":"command.refused"`, `"reason":"no-need"`, `"reason":"external"`, "it was refused by II.2 external, and the law has it refused by II.2 no-need"},
		{"a party named otherwise", `"party":"courier"`, `"party":"courier"`, `"party":"courief"`, ""},
		{"whom its texts are sealed for", `"sealed":{"of":"client/acme"`, `"of":"client/acme"`, `"of":"ledger"`, "and the law seals them for client/acme"},
		{"a time before the last event's", `"type":"consent.given"`, `"time":"2026-`, `"time":"2025-`, "its time is before"},
		{"another actor", `"actor":"clerk"`, `"actor":"clerk"`, `"actor":"officer"`, ""},
	} {
		i := find(c.has, c.was)
		forged := append(lines(nil), ledger...)
		forged[i] = bytes.Replace(forged[i], []byte(c.was), []byte(c.is), 1)
		require.NotEqual(t, ledger[i], forged[i], c.name)
		_, err := Examine(t.Context(), forged, nil)
		var w *Wrong
		require.ErrorAs(t, err, &w, c.name)
		assert.EqualValues(t, i+1, w.Seq, c.name)
		assert.Contains(t, w.Why, c.why, c.name)
	}
	for i := 8; i < len(ledger); i += 9 { // left out, doubled
		var w *Wrong
		out := append(append(lines(nil), ledger[:i]...), ledger[i+1:]...)
		_, err := Examine(t.Context(), out, nil)
		if i < len(ledger)-1 {
			require.ErrorAs(t, err, &w)
		}
		twice := append(append(append(lines(nil), ledger[:i]...), ledger[i-1]), ledger[i:]...)
		_, err = Examine(t.Context(), twice, nil)
		require.ErrorAs(t, err, &w)
		require.EqualValues(t, i+1, w.Seq)
	}
}

// hidden is a law that doesn't know one kind of fact.
type hidden struct {
	domain.View
	kind domain.Kind
}

func (h hidden) Get(k domain.Key) (domain.Known, bool) {
	if k.Kind == h.kind {
		return domain.Known{}, false
	}
	return h.View.Get(k)
}

func (h hidden) List(kind domain.Kind, a, b string) iter.Seq2[domain.Key, domain.Known] {
	if kind == h.kind {
		return func(func(domain.Key, domain.Known) bool) {}
	}
	return h.View.List(kind, a, b)
}

// TestAnotherLawIsNoticed: where a rule sees less than it did, decisions differ.
func TestAnotherLawIsNoticed(t *testing.T) {
	differing := map[domain.Kind]int{}
	kinds := []domain.Kind{domain.KindTraining, domain.KindUndertaking, domain.KindRight, domain.KindTerms, domain.KindApproval,
		domain.KindSpent, domain.KindNotified, domain.KindHold, domain.KindVerdict, domain.KindContact, domain.KindViolating}
	for _, ledger := range keptLedgers(t) {
		history := &domain.History{}
		for _, m := range ledger {
			d, err := cloudevent.Parse(m)
			require.NoError(t, err)
			e, err := d.Event()
			require.NoError(t, err)
			for _, kind := range append(kinds, 0) {
				r := derivation{view: hidden{history.At(e.Seq - 1), kind}, doc: d, data: e.Data}
				if err := Guard(func() {
					defer func() {
						if p := recover(); p != nil {
							differing[kind]++ // what it took for granted isn't there
						}
					}()
					if r.differs(func(domain.PublicKey) bool { return true }) != "" {
						differing[kind]++
					}
				}); err != nil {
					t.Fatal(err)
				}
			}
			history.Record(e)
		}
	}
	require.Zero(t, differing[0])
	for _, kind := range kinds {
		assert.Positive(t, differing[kind], "kind %d", kind)
	}
}

// TestEveryMadeUpDecisionIsDerivedAgain: of a ledger of mixed commands, made up from a
// seed, signed and served.
func TestEveryMadeUpDecisionIsDerivedAgain(t *testing.T) {
	seed := rand.Uint64()
	l := madeUp(seed, *commands)
	a := served(t, written(t, l.Events))
	began := time.Now()
	differs, total, pages := a.redecidePages(t, `{"ask":"redecide"}`, mostRedecided)
	require.Empty(t, differs, "seed %d", seed)
	require.Equal(t, len(l.Events), total.Decisions+total.Refusals+total.Accepted)
	require.Greater(t, total.Decisions, *commands/10)
	require.Greater(t, total.Refusals, *commands/10)
	t.Logf("seed %d: %d decisions, %d refusals and %d others derived again in %v, on %d pages, 0 differences",
		seed, total.Decisions, total.Refusals, total.Accepted, time.Since(began), pages)
}

// find is the last event of a ledger of which is is true.
func (l lines) find(t *testing.T, is func(*cloudevent.Document) bool) (int, *cloudevent.Document) {
	for i := len(l) - 1; i >= 0; i-- {
		d, err := cloudevent.Parse(l[i])
		require.NoError(t, err)
		if is(d) {
			return i, d
		}
	}
	t.Fatal("there is no such event")
	return 0, nil
}

// TestRedecideShowsWhatWasAltered, and nothing else: by whoever writes the stream
// himself, without the keys of those who issue commands.
func TestRedecideShowsWhatWasAltered(t *testing.T) {
	agency := keptLedgers(t)["agency"]
	denied := func(d *cloudevent.Document) bool {
		return d.Decision != nil && len(d.Decision.Reasons) > 1 && !d.Decision.Granted()
	}
	granted := func(d *cloudevent.Document) bool { return d.Decision != nil && d.Decision.Granted() }
	refused := func(d *cloudevent.Document) bool { return d.Refusal != nil && d.Refusal.Reason != "" }
	signed := func(d *cloudevent.Document) bool { return d.Type == "designation.made" }
	for _, c := range []struct {
		name              string
		of                func(*cloudevent.Document) bool
		alter             func(*cloudevent.Document)
		recorded, derived string // parts of them
	}{
		{"a reason left out of a denial", denied, func(d *cloudevent.Document) { d.Decision.Reasons = d.Decision.Reasons[1:] },
			`"decision":"denied"`, `"decision":"denied"`},
		{"a denial made a grant", denied, func(d *cloudevent.Document) {
			d.Type, d.Decision.Decision, d.Decision.Violation = "access.granted", domain.Granted, ""
		}, `"decision":"granted"`, `"decision":"denied"`},
		{"a grant made a denial", granted, func(d *cloudevent.Document) {
			d.Type, d.Decision.Decision, d.Decision.Violation = "access.denied", domain.Denied, d.ID
		}, `"decision":"denied"`, `"decision":"granted"`},
		{"a grant's paper", granted, func(d *cloudevent.Document) { d.Decision.Reasons[0].Refs = []domain.Seq{1} }, `"refs":[1]`, `"decision":"granted"`},
		{"a refusal's reason", refused, func(d *cloudevent.Document) { d.Refusal.Reason = "no-reason" }, `"reason":"no-reason"`, `the law has it refused by`},
		{"a refusal made a prohibition", refused, func(d *cloudevent.Document) { d.Refusal = &domain.Refusal{Code: domain.Forbidden} },
			`"code":"forbidden"`, `it was forbidden, and the law has it refused by`},
		{"an accepted command made a refusal", signed, func(d *cloudevent.Document) {
			d.Type, d.Sealed, d.Refusal = domain.CommandRefused, nil, &domain.Refusal{Code: domain.Refused, Clause: "III.3", Reason: "not-external"}
		}, `"reason":"not-external"`, `the law makes it designation.made`},
		{"whom it is about", signed, func(d *cloudevent.Document) { d.Subject = domain.Subject{Client: "other"} },
			`"designation.made"`, `it is about client/other, and the law has it about client/`},
		{"whom a decision is about", granted, func(d *cloudevent.Document) { d.Subject = domain.Subject{Client: "other"} },
			`"decision":"granted"`, `it is about client/other, and the law has it about client/`},
		{"a signature", signed, func(d *cloudevent.Document) { d.Signature[3]++ }, `"designation.made"`, `the key of clerk that was in force did not sign its command`},
		{"when it was issued", signed, func(d *cloudevent.Document) { d.Issued = "2026-01-01T00:00:00Z" }, `"designation.made"`, `did not sign its command`},
		{"who issued it", signed, func(d *cloudevent.Document) { d.Actor = "officer" }, `"designation.made"`, `the key of officer that was in force did not sign`},
		{"an actor that nobody added", signed, func(d *cloudevent.Document) { d.Actor = "nobody" }, `"designation.made"`, `its actor nobody was not known`},
		{"the id of a command that was answered", signed, func(d *cloudevent.Document) {
			_, before := agency.find(t, func(b *cloudevent.Document) bool { return b.Actor == d.Actor && b.Seq < d.Seq })
			d.Data, d.Name, d.Type, d.Subject, d.Sealed = before.Data, before.Name, before.Type, before.Subject, before.Sealed
			d.Command, d.Issued, d.Signature, d.Decision, d.Refusal = before.Command, before.Issued, before.Signature, nil, before.Refusal
		}, ``, `its command was answered by event`},
	} {
		i, d := agency.find(t, c.of)
		d.Signature = bytes.Clone(d.Signature)
		c.alter(d)
		m, err := d.Append(nil)
		require.NoError(t, err, c.name)
		forged := append(append(lines(nil), agency[:i]...), m)
		differs, total, _ := served(t, forged).redecidePages(t, `{"ask":"redecide"}`, mostRedecided)
		if !assert.Len(t, differs, 1, c.name) {
			continue
		}
		assert.Equal(t, d.Seq, differs[0].Seq, c.name)
		assert.Equal(t, d.Type, differs[0].Type, c.name)
		assert.Contains(t, string(differs[0].Recorded), c.recorded, c.name)
		assert.Contains(t, string(differs[0].Derived), c.derived, c.name)
		assert.NotEqual(t, string(differs[0].Recorded), string(differs[0].Derived), c.name)
		assert.Equal(t, 1, total.Differences, c.name)
		assert.Equal(t, i+1, total.Decisions+total.Refusals+total.Accepted, c.name)

		_, err = Examine(t.Context(), forged, nil) // which says no less
		var w *Wrong
		if assert.ErrorAs(t, err, &w, c.name) {
			assert.Equal(t, d.Seq, w.Seq, c.name)
		}
	}
}

// TestOtherRulesAreADifference: what a version made that this program doesn't know.
func TestOtherRulesAreADifference(t *testing.T) {
	ledger := keptLedgers(t)["agency"]
	d, err := cloudevent.Parse(ledger[0])
	require.NoError(t, err)
	e, err := d.Event()
	require.NoError(t, err)
	d.Rules = domain.Rules + 1
	diff, err := (&asking{}).rederive((&domain.History{}).At(0), d, e)
	require.NoError(t, err)
	require.NotNil(t, diff)
	require.Contains(t, string(diff.Derived), "use a later one")
}

// TestAnAnswerNamesAnAccessBeforeIt: an inquiry's answer that names an access which isn't
// there, or wasn't yet, is a difference, signed as it may be (IV.4).
func TestAnAnswerNamesAnAccessBeforeIt(t *testing.T) {
	answered := func(l *lawtest.Ledger) int {
		return slices.IndexFunc(l.Events, func(e *domain.Event) bool { return attemptIn(e.Data, e.Refusal) != "" })
	}
	var l *lawtest.Ledger
	at := -1
	for seed := uint64(0); at < 0; seed++ {
		l = madeUp(seed, 400)
		at = answered(l)
	}
	last := slices.IndexFunc(l.Events[at:], func(e *domain.Event) bool { return e.Decision != nil })
	require.Positive(t, last)
	for name, attempt := range map[string]domain.UUID{
		"none": "0191e7a4-8000-7000-8000-00000000ffff", "no access": l.Events[0].ID, "a later one": l.Events[at+last].ID,
	} {
		events := slices.Clone(l.Events)
		forged, answer := *events[at], *events[at].Data.(*domain.InquiryAnswer)
		answer.Attempt = attempt
		forged.Data = &answer
		events[at] = &forged
		ledger := written(t, events)
		_, err := Examine(t.Context(), ledger, nil)
		var w *Wrong
		if assert.ErrorAs(t, err, &w, name) {
			assert.EqualValues(t, forged.Seq, w.Seq, name)
			assert.Contains(t, w.Why, "there is no access", name)
		}
		differs, _, _ := served(t, ledger).redecidePages(t, `{"ask":"redecide"}`, mostRedecided)
		if assert.NotEmpty(t, differs, name) {
			assert.EqualValues(t, forged.Seq, differs[0].Seq, name)
			assert.Contains(t, string(differs[0].Derived), "there is no access", name)
		}
	}
}

// unsigned is the message with a signature that nobody made.
func unsigned(t testing.TB, message []byte) []byte {
	d, err := cloudevent.Parse(message)
	require.NoError(t, err)
	d.Signature = bytes.Clone(d.Signature)
	d.Signature[0]++
	b, err := d.Append(nil)
	require.NoError(t, err)
	return b
}

// TestRedecideTurnsPages: whatever a page's size, each event is derived on what was
// recorded before it, once, and the totals are of all pages.
func TestRedecideTurnsPages(t *testing.T) {
	l := madeUp(1, 400)
	ledger := written(t, l.Events)
	for i := 20; i < len(ledger); i += 60 { // some differ
		ledger[i] = unsigned(t, ledger[i])
	}
	a := served(t, ledger)
	whole, total, pages := a.redecidePages(t, `{"ask":"redecide"}`, mostRedecided)
	require.Equal(t, 1, pages)
	require.Len(t, whole, 7)
	for _, most := range []uint64{1, 7, 100, uint64(len(ledger)) - 1} {
		differs, again, pages := a.redecidePages(t, `{"ask":"redecide"}`, most)
		require.Equal(t, whole, differs, "%d events a page", most)
		require.Equal(t, total, again, "%d events a page", most)
		require.Equal(t, (len(ledger)+int(most)-1)/int(most), pages)
	}
	differs, some, _ := a.redecidePages(t, `{"ask":"redecide","from":80,"to":82}`, 1)
	require.Equal(t, whole[1:2], differs) // event 81
	require.Equal(t, 2, some.Decisions+some.Refusals+some.Accepted)
	_, none, pages := a.redecidePages(t, `{"ask":"redecide","from":82,"to":82}`, 1)
	require.Equal(t, tallied{}, none)
	require.Equal(t, 1, pages)
	from, to := l.Events[99].Time, l.Events[299].Time
	count := 0
	for _, e := range l.Events {
		if !e.Time.Before(from) && e.Time.Before(to) {
			count++
		}
	}
	question := fmt.Sprintf(`{"ask":"redecide","from":%q,"to":%q}`, from.Format(time.RFC3339Nano), to.Format(time.RFC3339Nano))
	_, timed, _ := a.redecidePages(t, question, 9)
	require.Positive(t, count)
	require.Equal(t, count, timed.Decisions+timed.Refusals+timed.Accepted)
}

// TestAPageFullOfDifferencesGoesOnWithTheNext, and a cursor goes back as it came.
func TestAPageFullOfDifferencesGoesOnWithTheNext(t *testing.T) {
	ledger := written(t, madeUp(2, mostItems+100).Events)
	for i := 8; i < len(ledger); i++ { // nothing of it was signed
		ledger[i] = unsigned(t, ledger[i])
	}
	a := served(t, ledger)
	differs, total, pages := a.redecidePages(t, `{"ask":"redecide"}`, mostRedecided)
	require.Equal(t, 2, pages)
	require.Equal(t, len(ledger)-8, total.Differences)
	require.Len(t, differs, total.Differences)
	for i, d := range differs {
		require.EqualValues(t, i+9, d.Seq)
	}
	first, err := a.redecidePage(t, `{"ask":"redecide"}`, mostRedecided)
	require.NoError(t, err)
	require.NotEmpty(t, first.Cursor)
	was, err := parseCursor([]byte(`"` + first.Cursor + `"`))
	require.NoError(t, err)
	beyond := fmt.Sprint(len(ledger) + 1)
	for _, c := range []struct {
		question string
		key      []string
	}{
		{`"from":9`, was.Key}, {`"to":100`, was.Key},
		{`"after":1`, nil}, {`"after":1`, []string{"1"}}, {`"after":1`, []string{"1", "9", "0", "0", "0", "0"}},
		{`"after":1`, []string{"0", beyond, "0", "0", "0", "0"}}, {`"after":1`, []string{"x", beyond, "0", "0", "0", "0"}},
		{`"after":1`, []string{"9", beyond, "0", "0", "0", "y"}},
	} {
		other := *was
		other.Key = c.key
		_, err := a.redecidePage(t, `{"ask":"redecide",`+c.question+`,"cursor":"`+other.String()+`"}`, mostRedecided)
		var f *domain.Fault
		require.ErrorAs(t, err, &f, "%v", c)
		require.Equal(t, "/cursor", f.Field, "%v", c)
	}
	_, err = a.redecidePage(t, `{"ask":"redecide","after":1,"cursor":"`+first.Cursor+`"}`, mostRedecided)
	require.NoError(t, err)
	_, _, ok := Redecided([]byte(`"e30"`))
	require.False(t, ok)
}

// TestRedecideFindsNothingInAnHonestLedger, and says how much it looked at; a forged
// decision, recorded on the stream, is one difference.
func TestRedecideFindsNothingInAnHonestLedger(t *testing.T) {
	b := newBook(t)
	b.play(t, agency)
	items, _ := b.all("auditor", `{"ask":"redecide"}`)
	require.Len(t, items, 1)
	total := each[tallied](t, items)[0]
	require.Zero(t, total.Differences)
	require.EqualValues(t, b.last, total.Decisions+total.Refusals+total.Accepted)
	require.Positive(t, total.Decisions)
	require.Positive(t, total.Refusals)
	some := each[tallied](t, func() []json.RawMessage {
		items, _ := b.all("auditor", `{"ask":"redecide","from":8,"to":20}`)
		return items
	}())
	require.Equal(t, 12, some[0].Decisions+some[0].Refusals+some[0].Accepted)

	// What nobody would grant, recorded by somebody who writes the stream himself.
	req := `{"client":"acme","record":"label","party":"agent","action":"consult","purpose":"service"}`
	d := b.document("gateway", accessCommand, req)
	d.Type, d.Decision = "access.granted", &domain.Decision{Decision: domain.Granted, Attempt: d.ID, Edition: 6, Rules: 1,
		Reasons: []domain.Reason{{Clause: "III.3", Code: "designated", Right: "designation/d1", Refs: []domain.Seq{20}, Evidence: []domain.ID{"letter"}}}}
	b.record(d)
	items, _ = b.all("auditor", `{"ask":"redecide"}`)
	require.Len(t, items, 2)
	diff := each[difference](t, items[:1])[0]
	require.EqualValues(t, b.last, diff.Seq)
	require.Contains(t, string(diff.Recorded), `"granted"`)
	require.Contains(t, string(diff.Derived), `"denied"`)
	require.Equal(t, 1, each[tallied](t, items[1:])[0].Differences)
}

// TestExamineNamesTheFirstOfSeveral: a signature is looked at beside what others fold, and
// may be found wrong after what is behind it.
func TestExamineNamesTheFirstOfSeveral(t *testing.T) {
	ledger := keptLedgers(t)["agency"]
	var signed, decided []int
	for i, m := range ledger {
		if bytes.Contains(m, []byte(`"signature":"`)) {
			signed = append(signed, i)
		}
		if bytes.Contains(m, []byte(`"decision":{"decision":"denied"`)) {
			decided = append(decided, i)
		}
	}
	forge := func(i int, re, with string) []byte {
		m := regexp.MustCompile(re).ReplaceAll(ledger[i], []byte(with))
		require.NotEqual(t, ledger[i], m)
		return m
	}
	signature := func(i int) []byte { return forge(i, `"signature":"....`, `"signature":"AAAA`) }
	decision := func(i int) []byte { return forge(i, `"edition":[0-9]+`, `"edition":77`) }
	for range 20 {
		for n, i := range decided {
			before, after := signed[n*len(signed)/len(decided)], signed[len(signed)-1-n]
			for _, other := range []int{before, after} {
				forged := append(lines(nil), ledger...)
				forged[i] = decision(i)
				if other != i {
					forged[other] = signature(other)
				}
				_, err := Examine(t.Context(), forged, nil)
				var w *Wrong
				require.ErrorAs(t, err, &w)
				require.EqualValues(t, min(i, other)+1, w.Seq)
			}
		}
	}
	altered := append(lines(nil), ledger...)
	altered[signed[3]] = signature(signed[3])
	_, err := Examine(t.Context(), altered, nil)
	require.ErrorContains(t, err, "did not sign its command")
	x, err := ExamineUnsigned(t.Context(), altered)
	require.NoError(t, err)
	require.EqualValues(t, len(ledger), x.Events)
}

// A source that fails is no ledger that differs.
type failingSource struct{ lines }

var errSource = errors.New("the disk fails")

func (f failingSource) BundleIn(room *[]byte, n uint64) (uint64, [][]byte, error) {
	if n == 2 {
		return 0, nil, errSource
	}
	return f.lines.BundleIn(room, n)
}

func TestExamineSaysWhatFails(t *testing.T) {
	_, err := Examine(t.Context(), failingSource{keptLedgers(t)["agency"]}, nil)
	require.ErrorIs(t, err, errSource)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Examine(ctx, keptLedgers(t)["agency"], nil)
	require.ErrorIs(t, err, context.Canceled)
}
