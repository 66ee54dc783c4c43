package main

import (
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	mrand "math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/domain/lawtest"
	"github.com/qtccc/assent/eventstore"
	"github.com/qtccc/assent/eventstore/natsd"
	"github.com/qtccc/assent/eventstore/storetest"
	"github.com/qtccc/assent/eventstore/vault"
)

var (
	mixed = flag.Int("mixed", 1500, "how many commands TestAMixedLedgerIsDerivedAgain makes up")
	seed  = flag.Uint64("seed", 0, "from which seed; 0: any")
)

// TestAMixedLedgerIsDerivedAgain: a ledger of commands of every kind, made up from a
// seed and signed, is served; redecide finds no difference, nor does verify, and
// neither after one decision was altered by whoever has the disk and the log's key.
func TestAMixedLedgerIsDerivedAgain(t *testing.T) {
	from := *seed
	if from == 0 {
		from = mrand.Uint64()
	}
	chance := mrand.New(mrand.NewPCG(from, 3))
	l := lawtest.Open(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC))
	l.Settle()
	for len(l.Events) < *mixed {
		l.Step(chance.IntN)
	}
	types := map[string]int{}
	for _, e := range l.Events {
		types[e.Type]++
	}
	require.Greater(t, len(types), 40, "kinds of event")

	r := &running{bin: binary(t), data: filepath.Join(t.TempDir(), "ledger")}
	key := writeLedger(t, r.data, l.Events)
	r.start(t)
	began := time.Now()
	said, err := r.run("redecide", "--as", "auditor", "--json", "--data", r.data)
	require.NoError(t, err, "seed %d: %s", from, said)
	redecided := time.Since(began)
	lines := strings.Split(strings.TrimSpace(said), "\n")
	require.Len(t, lines, 1)
	var total struct{ Decisions, Refusals, Accepted, Differences int }
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &total))
	require.Equal(t, len(l.Events), total.Decisions+total.Refusals+total.Accepted)
	require.NoError(t, r.halt())
	began = time.Now()
	said, err = r.run("verify", "--data", r.data, "--key", key)
	require.NoError(t, err, "seed %d: %s", from, said)
	t.Logf("seed %d: %d commands, %d decisions, %d refusals, %d types of event; redecide %v, verify %v, 0 differences",
		from, len(l.Events), total.Decisions, total.Refusals, len(types), redecided.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))

	// One denial made a grant, in a ledger that its forger signs anew.
	at := -1
	for i, e := range l.Events {
		if e.Decision != nil && !e.Decision.Granted() && i > len(l.Events)/2 {
			forged := *e
			forged.Type, forged.Decision = "access.granted", &domain.Decision{Decision: domain.Granted, Attempt: e.ID, Edition: e.Decision.Edition, Rules: 1,
				Reasons: []domain.Reason{{Clause: "III.3", Code: "designated"}}}
			l.Events[i], at = &forged, i
			break
		}
	}
	require.Positive(t, at)
	f := &running{bin: r.bin, data: filepath.Join(t.TempDir(), "ledger")}
	key = writeLedger(t, f.data, l.Events)
	f.start(t)
	said, err = f.run("redecide", "--as", "auditor", "--data", f.data)
	require.Error(t, err)
	require.Contains(t, said, fmt.Sprintf("event %d, access.granted", at+1))
	require.NoError(t, f.halt())
	said, err = f.run("verify", "--data", f.data, "--key", key)
	require.Error(t, err)
	require.Contains(t, said, fmt.Sprintf("event %d: it is access.granted, and the law makes it access.denied", at+1))
}

func (r *running) halt() error { return r.signal(os.Interrupt) }

// writeLedger makes a ledger on disk of a made-up history, with its keys beside it, and
// says what the log's key is.
func writeLedger(t *testing.T, dir string, events []*domain.Event) (logKey string) {
	pen := storetest.NewPen()
	var messages []eventstore.Entry
	for _, d := range pen.Write(t, events) {
		b, err := d.Append(nil)
		require.NoError(t, err)
		messages = append(messages, eventstore.Entry{Subject: d.NATSSubject(), Data: b})
	}
	ledger := lawtest.UUID(4, 1)
	keys := dir + "-keys"
	require.NoError(t, os.MkdirAll(filepath.Join(keys, "identities"), 0o700))
	require.NoError(t, os.MkdirAll(dir, 0o700))
	card, err := json.Marshal(card{Ledger: ledger, Format: format})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "assent.json"), card, 0o600))
	require.NoError(t, vault.Create(keys, string(ledger)))
	secret, public, err := note.GenerateKey(rand.Reader, "assent/"+string(ledger))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(keys, "log.key"), []byte(secret), 0o600))
	auditor, err := pen.Pair(t, "auditor").Seed()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(keys, "identities", "auditor.nk"), auditor, 0o600))

	s, err := natsd.Start(t.Context(), natsd.Config{StoreDir: filepath.Join(dir, "nats"), Name: string(ledger)})
	require.NoError(t, err)
	defer s.Stop()
	nc, err := s.Ledger()
	require.NoError(t, err)
	log, err := eventstore.Create(t.Context(), nc, string(ledger))
	require.NoError(t, err)
	for i := 0; i < len(messages); i += eventstore.MaxBatch {
		require.NoError(t, log.Append(uint64(i), messages[i:min(len(messages), i+eventstore.MaxBatch)]).Err())
	}
	require.NoError(t, log.Close())
	return public
}
