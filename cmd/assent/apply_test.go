package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/commands"
	"github.com/qtccc/assent/eventstore/natsd"
)

// parties are lines that register the parties p<from> to p<to-1>.
func parties(from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, `{"name":"party.register","data":{"party":"p%d","category":"external","kind":"person","name":"Person %d"}}`+"\n", i, i)
	}
	return b.String()
}

// applyAll plays the app's input.
func (a *app) applyAll(t testing.TB) error {
	return a.apply(t.Context(), a.in, -1, 10*time.Second)
}

func answersIn(t testing.TB, out string) (answers []*commands.Answer) {
	for line := range strings.Lines(out) {
		a, err := commands.ParseAnswer([]byte(line))
		require.NoError(t, err, line)
		answers = append(answers, a)
	}
	return answers
}

// TestApplyKeepsTheOrderOfTheFile: between identities too, with hundreds of lines
// under way.
func TestApplyKeepsTheOrderOfTheFile(t *testing.T) {
	r := serveFresh(t)
	var in strings.Builder
	const lines = 1500
	for i := range lines {
		as := "clerk"
		if i > 600 { // first one identity in a row, then runs of several lengths
			as = []string{"clerk", "officer", "officer", "gateway", "clerk", "clerk", "clerk"}[i*i%7]
		}
		if as == "gateway" {
			fmt.Fprintf(&in, `{"as":"gateway","name":"access.request","data":{"client":"acme","record":"r1","party":"p%d","action":"consult","purpose":"fees"}}`+"\n", i)
			continue
		}
		fmt.Fprintf(&in, `{"as":%q,"name":"party.register","data":{"party":"p%d","category":"external","kind":"person","name":"Person"}}`+"\n", as, i)
	}
	var out bytes.Buffer
	require.NoError(t, r.app(t, "", in.String(), &out).applyAll(t))
	answers := answersIn(t, out.String())
	require.Len(t, answers, lines)
	for i, a := range answers {
		require.EqualValues(t, i+1+len(firstRoles), a.Seq, "line %d", i+1)
	}
}

// A counter is a door that answers as a test wants it to. It is a server and the
// ledger's side of the wire, and holds no ledger.
type counter struct {
	url string
	nc  *nats.Conn
	app *app
	out *bytes.Buffer
}

const aLedger = "0191e7a4-7c1b-7d6e-9f00-3a5b8c2d1e4f"

// openCounter gives every command to answer, one at a time and in the order in
// which they came; what it returns goes back at once, nil not at all.
func openCounter(t testing.TB, in string, answer func(id string, m *nats.Msg)) *counter {
	s, err := natsd.Start(t.Context(), natsd.Config{
		StoreDir: t.TempDir(), Name: aLedger, Listen: "127.0.0.1:0",
		LetIn: func(string) (natsd.Grant, bool) { return natsd.Commands("clerk"), true },
	})
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	nc, err := s.Ledger()
	require.NoError(t, err)
	_, err = nc.Subscribe("assent.cmd.*", func(m *nats.Msg) {
		var c struct{ ID string }
		if err := json.Unmarshal(m.Data, &c); err != nil {
			panic(err)
		}
		answer(c.ID, m)
	})
	require.NoError(t, err)
	require.NoError(t, nc.Flush())
	keys := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(keys, "identities"), 0o700))
	key, err := nkeys.CreateUser()
	require.NoError(t, err)
	seed, err := key.Seed()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(keys, "identities", "clerk.nk"), seed, 0o600))
	c := &counter{url: "nats://" + s.Addr(), nc: nc, out: &bytes.Buffer{}}
	c.app = &app{data: filepath.Join(keys, "none"), server: c.url, keysPath: keys, as: "clerk", json: true,
		in: strings.NewReader(in), out: c.out, errs: t.Output()}
	return c
}

func yes(id string) []byte {
	return fmt.Appendf(nil, `{"id":%q,"ok":true,"seq":1,"event":%q,"type":"party.registered"}`, id, id)
}

func unknownOutcome(id string) []byte {
	return fmt.Appendf(nil, `{"id":%q,"ok":false,"error":{"code":"unavailable","message":"later"}}`, id)
}

// TestNothingIsSentWhileAnOutcomeIsUnknown: after `unavailable` no other id comes
// until that one is answered; then all goes on, in order.
func TestNothingIsSentWhileAnOutcomeIsUnknown(t *testing.T) {
	const lines, doubtful = inFlight + 300, 9 // the tenth line
	var mu sync.Mutex
	var ids []string // by arrival, each once
	var waiting []*nats.Msg
	retries := 0
	c := openCounter(t, parties(0, lines), func(id string, m *nats.Msg) {
		mu.Lock()
		defer mu.Unlock()
		again := slices.Contains(ids, id)
		if !again {
			ids = append(ids, id)
		}
		switch {
		case again:
			assert.Equal(t, ids[doubtful], id)
			assert.Len(t, ids, inFlight, "a line came while the outcome of another wasn't known")
			if retries++; retries < 3 {
				assert.NoError(t, m.Respond(unknownOutcome(id)))
				return
			}
			assert.NoError(t, m.Respond(yes(id)))
		case len(ids) < inFlight: // apply waits for answers once these are under way
			waiting = append(waiting, m)
		case len(ids) == inFlight:
			waiting = append(waiting, m)
			assert.NoError(t, waiting[doubtful].Respond(unknownOutcome(ids[doubtful])))
			for i, w := range waiting {
				if i != doubtful {
					assert.NoError(t, w.Respond(yes(ids[i])))
				}
			}
		default:
			assert.NoError(t, m.Respond(yes(id)))
		}
	})
	require.NoError(t, c.app.applyAll(t))
	answers := answersIn(t, c.out.String())
	require.Len(t, answers, lines)
	for i, a := range answers {
		require.True(t, a.OK)
		require.EqualValues(t, ids[i], a.ID)
	}
	require.Equal(t, 3, retries)
}

// TestApplyGivesUpInTheEnd: what isn't answered in time is `unavailable`, and so is
// all that was not sent after it.
func TestApplyGivesUpInTheEnd(t *testing.T) {
	seen := map[string]bool{}
	c := openCounter(t, parties(0, inFlight+50), func(id string, m *nats.Msg) {
		seen[id] = true
		assert.NoError(t, m.Respond(unknownOutcome(id)))
	})
	err := c.app.apply(t.Context(), c.app.in, -1, 100*time.Millisecond)
	require.ErrorContains(t, err, "lines were not accepted")
	answers := answersIn(t, c.out.String())
	require.Len(t, answers, inFlight+50)
	for _, a := range answers {
		require.EqualValues(t, "unavailable", a.Error.Code)
	}
	require.Less(t, len(seen), inFlight+50, "all were sent")
	require.Contains(t, answers[len(answers)-1].Error.Message, "not sent")
}

// TestApplyStopsWhenInterrupted: what was sent is still answered, what wasn't
// is not sent any more.
func TestApplyStopsWhenInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	n := 0
	c := openCounter(t, parties(0, 2*inFlight), func(id string, m *nats.Msg) {
		if n++; n == 5 {
			interrupt()
			return
		}
		if err := m.Respond(yes(id)); ctx.Err() == nil { // once it is, the test may have ended
			assert.NoError(t, err)
		}
	})
	require.Error(t, c.app.apply(ctx, c.app.in, -1, time.Minute))
	require.Less(t, len(answersIn(t, c.out.String())), 2*inFlight)
}

// TestALineThatIsTooLongIsAnsweredInItsPlace, and the one after it.
func TestALineThatIsTooLongIsAnsweredInItsPlace(t *testing.T) {
	c := openCounter(t, strings.Repeat("x", longestLine+10)+"\n"+parties(0, 1)+"\n{}", func(id string, m *nats.Msg) {
		assert.NoError(t, m.Respond(yes(id)))
	})
	require.Error(t, c.app.applyAll(t))
	answers := answersIn(t, c.out.String())
	require.Len(t, answers, 4)
	require.Contains(t, answers[0].Error.Message, "at most")
	require.True(t, answers[1].OK)
	require.EqualValues(t, "invalid", answers[2].Error.Code, "an empty line is no command")
	require.EqualValues(t, "/name", answers[3].Error.Field)
}
