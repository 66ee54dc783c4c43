package projections

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/domain/lawtest"
	"github.com/qtccc/assent/eventstore/cloudevent"
	"github.com/qtccc/assent/eventstore/storetest"
)

var keepMore = flag.Bool("write", false, "keep made-up ledgers in testdata too, for all that no ledger there shows yet; those that are there stay as they are")

// lines are the messages of a ledger, in runs of seven.
type lines [][]byte

func (l lines) Bundles() uint64 { return uint64(len(l)+6) / 7 }

func (l lines) BundleIn(_ *[]byte, n uint64) (uint64, [][]byte, error) {
	return n*7 + 1, l[n*7 : min(uint64(len(l)), n*7+7)], nil
}

// keptLedgers are ledgers as they were recorded, by the version of the rules that their
// directory names: documents, one a line. The scenarios' are as `assent replay --json`
// prints them. The made-up ones show what no scenario does, and
//
//	go test ./projections -run TestWhatRules1DecidedIsDerivedForEver -write
//
// keeps more of them where there is anything new to be shown: a new row, a new reason.
// None is ever edited or made again: a change of law that decides one of their commands
// otherwise takes a new version of the rules (docs/decisions/0011), and the old law stays.
func keptLedgers(t *testing.T) map[string]lines {
	paths, err := filepath.Glob("testdata/rules-*/*.jsonl")
	require.NoError(t, err)
	ledgers := map[string]lines{}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		ledgers[strings.TrimSuffix(filepath.Base(path), ".jsonl")] = bytes.Split(bytes.TrimSpace(b), []byte{'\n'})
	}
	require.Len(t, ledgers, len(paths), "two ledgers of one name")
	return ledgers
}

// shows is what an event shows of the law: its type, its refusal, each reason.
func shows(e *domain.Event) []string {
	all := []string{e.Type}
	if e.Refusal != nil {
		all = append(all, e.Name+" "+told(e.Refusal))
	}
	if e.Decision != nil {
		for _, r := range e.Decision.Reasons {
			all = append(all, fmt.Sprint(e.Decision.Decision, " ", r.Clause, " ", r.Code))
		}
	}
	return all
}

// allShown is what ledgers show.
func allShown(t *testing.T, ledgers map[string]lines) map[string]bool {
	all := map[string]bool{}
	for name, ledger := range ledgers {
		for _, m := range ledger {
			d, err := cloudevent.Parse(m)
			require.NoError(t, err, name)
			e, err := d.Event()
			require.NoError(t, err, name)
			for _, what := range shows(e) {
				all[what] = true
			}
		}
	}
	return all
}

// keep adds made-up ledgers to those that are kept, the one first that shows the most
// new in the fewest events, and no more once one takes fifty events to show one thing
// and every type of event is shown.
func keep(t *testing.T) {
	const from, size, dear = 120, 500, 50
	var candidates []*lawtest.Ledger
	for seed := range uint64(from) {
		candidates = append(candidates, madeUp(seed, size))
	}
	seen, dir := allShown(t, keptLedgers(t)), fmt.Sprintf("testdata/rules-%d", domain.Rules)
	require.NoError(t, os.MkdirAll(dir, 0o755))
	for n := 1; ; n++ {
		path := filepath.Join(dir, fmt.Sprintf("made-up-%02d.jsonl", n))
		if _, err := os.Stat(path); err == nil {
			continue
		}
		var best []*domain.Event
		most := 0.0
		for _, l := range candidates {
			fresh := map[string]bool{}
			for i, e := range l.Events {
				before := len(fresh)
				for _, what := range shows(e) {
					if !seen[what] {
						fresh[what] = true
					}
				}
				if worth := float64(len(fresh)) / float64(i+1); len(fresh) > before && worth > most {
					best, most = l.Events[:i+1], worth
				}
			}
		}
		if best == nil || most < 1.0/dear && len(unshown(seen)) == 0 {
			return
		}
		for _, e := range best {
			for _, what := range shows(e) {
				seen[what] = true
			}
		}
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		require.NoError(t, err)
		_, err = f.Write(append(bytes.Join(written(t, best), []byte{'\n'}), '\n'))
		require.NoError(t, err)
		require.NoError(t, f.Close())
		t.Logf("%s: %d events, %.2f of them show something new", path, len(best), most)
	}
}

// unshown are the types of event that aren't among what is shown.
func unshown(shown map[string]bool) (types []string) {
	for _, e := range eventTypes {
		if !shown[e] {
			types = append(types, e)
		}
	}
	return types
}

// madeUp is a history of n commands or more, made up from a seed.
func madeUp(seed uint64, n int) *lawtest.Ledger {
	chance := rand.New(rand.NewPCG(seed, 9))
	l := lawtest.Open(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC))
	l.Settle()
	for len(l.Events) < n {
		l.Step(chance.IntN)
	}
	return l
}

// written is a made-up history as a ledger records it.
func written(t testing.TB, events []*domain.Event) (messages lines) {
	for _, d := range storetest.NewPen().Write(t, events) {
		b, err := d.Append(nil)
		require.NoError(t, err)
		messages = append(messages, b)
	}
	return messages
}

// served is a service over a store that has taken the messages in.
func served(t testing.TB, messages lines) *Service {
	store, err := OpenStore(t.TempDir(), Config{Cache: 8 << 20})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	require.NoError(t, Replay(t.Context(), nothing{}, store, nil))
	facts := newLatest()
	var batch []Applied
	for i, m := range messages {
		d, err := cloudevent.Parse(m)
		require.NoError(t, err)
		e, err := d.Event()
		require.NoError(t, err)
		batch = append(batch, Applied{Doc: d, Event: e, Changes: domain.Apply(&facts.own, e), Message: m})
		facts.record(e)
		if len(batch) == 500 || i == len(messages)-1 {
			require.NoError(t, store.Apply(batch))
			batch = nil
		}
	}
	s := NewService(ServiceConfig{Ledger: theLedger, Store: store, Latest: func() uint64 { return uint64(len(messages)) }})
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// redecidePage is one page of the answer to a question, whoever may ask it, of so many events
// at most.
func (s *Service) redecidePage(t testing.TB, question string, most uint64) (reply, error) {
	t.Helper()
	q, f := parseAsked([]byte(question))
	require.Nil(t, f, question)
	at, _ := s.cfg.Store.Position()
	a := &asking{asked: q, s: s, ctx: t.Context()}
	if err := a.start(at); err != nil {
		return reply{}, err
	}
	if err := a.redecidePage(most); err != nil {
		return reply{}, err
	}
	return replied(t, a.encode()), nil
}

// redecidePages turns the pages, and gives the differences and the totals.
func (s *Service) redecidePages(t testing.TB, question string, most uint64) (differs []difference, total tallied, pages int) {
	t.Helper()
	for page := question; ; {
		r, err := s.redecidePage(t, page, most)
		require.NoError(t, err, page)
		pages++
		if r.Cursor == "" {
			require.NotEmpty(t, r.Items)
			last := len(r.Items) - 1
			return append(differs, each[difference](t, r.Items[:last])...), each[tallied](t, r.Items[last:])[0], pages
		}
		differs = append(differs, each[difference](t, r.Items)...)
		done, of, ok := Redecided([]byte(`"` + r.Cursor + `"`))
		require.True(t, ok)
		require.Less(t, done, of)
		page = strings.TrimSuffix(question, "}") + `,"cursor":"` + r.Cursor + `"}`
	}
}
