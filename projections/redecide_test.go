package projections

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/domain/lawtest"
	"github.com/qtccc/assent/eventstore/cloudevent"
)

var madeUp = flag.Int("made-up", 3000, "how many commands TestEveryMadeUpDecisionIsDerivedAgain makes up")

// keptLedgers are ledgers as they were recorded by version 1 of the rules: documents, one a
// line, as `assent replay --json` prints them. They are never edited: a change of law
// that decides one of their commands otherwise takes a new version of the rules
// (docs/decisions/0011), and the old law stays.
func keptLedgers(t *testing.T) map[string]lines {
	paths, err := filepath.Glob("testdata/rules-1/*.jsonl")
	require.NoError(t, err)
	require.Greater(t, len(paths), 25)
	ledgers := map[string]lines{}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		ledgers[strings.TrimSuffix(filepath.Base(path), ".jsonl")] = bytes.Split(bytes.TrimSpace(b), []byte{'\n'})
	}
	return ledgers
}

// lines are the messages of a ledger, in runs of seven.
type lines [][]byte

func (l lines) Bundles() uint64 { return uint64(len(l)+6) / 7 }

func (l lines) Bundle(n uint64) (uint64, [][]byte, error) {
	return n*7 + 1, l[n*7 : min(uint64(len(l)), n*7+7)], nil
}

// TestWhatRules1DecidedIsDerivedForEver: every event of the kept ledgers, signatures
// included.
func TestWhatRules1DecidedIsDerivedForEver(t *testing.T) {
	decisions, refusals := uint64(0), uint64(0)
	for name, ledger := range keptLedgers(t) {
		x, err := Examine(t.Context(), ledger, nil)
		if assert.NoError(t, err, name) {
			assert.EqualValues(t, len(ledger), x.Events)
			decisions, refusals = decisions+x.Decisions, refusals+x.Refusals
		}
	}
	assert.Greater(t, decisions, uint64(250))
	assert.Greater(t, refusals, uint64(150))
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
		{"a refusal's reason", `"type":"command.refused"`, `"reason":"no-need"`, `"reason":"external"`, "the law refuses it by II.2 no-need"},
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
				r := derivation{view: hidden{history.At(e.Seq - 1), kind}, doc: d, event: e}
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
// seed.
func TestEveryMadeUpDecisionIsDerivedAgain(t *testing.T) {
	seed := rand.Uint64()
	chance := rand.New(rand.NewPCG(seed, 7))
	l := lawtest.Open(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC))
	l.Settle()
	for len(l.Events) < *madeUp {
		l.Step(chance.IntN)
	}
	began, kinds := time.Now(), map[string]int{}
	for _, e := range l.Events {
		before := l.History.At(e.Seq - 1)
		d := &cloudevent.Document{ID: e.ID, Type: e.Type, Subject: e.Subject, Time: e.Time, Seq: uint64(e.Seq), Actor: e.Actor, Command: e.Command,
			Rules: e.Rules, Decision: e.Decision, Refusal: e.Refusal, Name: e.Name, Observed: e.Observed}
		r := derivation{view: before, doc: d, event: e}
		require.Empty(t, r.differs(func(domain.PublicKey) bool { return true }), "seed %d, event %d, %s", seed, e.Seq, e.Name)
		kinds[e.Type]++
	}
	t.Logf("seed %d: %d commands derived again in %v, %d types of event, 0 differences", seed, len(l.Events), time.Since(began), len(kinds))
}

// TestRedecideFindsNothingInAnHonestLedger, and says how much it looked at, over many
// pages; a forged decision is one difference.
func TestRedecideAsks(t *testing.T) {
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

// A source that fails is no ledger that differs.
type failingSource struct{ lines }

var errSource = errors.New("the disk fails")

func (f failingSource) Bundle(n uint64) (uint64, [][]byte, error) {
	if n == 2 {
		return 0, nil, errSource
	}
	return f.lines.Bundle(n)
}

func TestExamineSaysWhatFails(t *testing.T) {
	_, err := Examine(t.Context(), failingSource{keptLedgers(t)["agency"]}, nil)
	require.ErrorIs(t, err, errSource)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Examine(ctx, keptLedgers(t)["agency"], nil)
	require.ErrorIs(t, err, context.Canceled)
}
