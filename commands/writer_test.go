package commands

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore"
	"github.com/qtccc/assent/eventstore/cloudevent"
	"github.com/qtccc/assent/projections"
)

// A heldLog keeps acks back until they are let go.
type heldLog struct {
	Log

	mu   sync.Mutex
	held chan struct{} // guarded by mu: nil where nothing is kept back
}

func (h *heldLog) hold() (release func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	held := make(chan struct{})
	h.held = held
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.held = nil
		close(held)
	}
}

func (h *heldLog) Append(after uint64, entries []eventstore.Entry) *eventstore.Ack {
	ack := h.Log.Append(after, entries)
	h.mu.Lock()
	held := h.held
	h.mu.Unlock()
	if held == nil {
		return ack
	}
	late, end := eventstore.NewAck()
	go func() {
		<-held
		end(ack.Err())
	}()
	return late
}

func withHeldLog(into **heldLog) func(*testLedger) {
	return func(l *testLedger) {
		l.wrap = func(log *eventstore.Log) Log {
			*into = &heldLog{Log: log}
			return *into
		}
	}
}

// A step is a command of a random history: ids are few, so that much of it exists,
// is unknown, or has ended.
func randomStep(r *rand.Rand) (actor domain.ID, name, data string) {
	p, c, rec := r.IntN(5), r.IntN(3), r.IntN(3)
	category := []string{"external", "staff", "contractor"}[r.IntN(3)]
	switch r.IntN(14) {
	case 0:
		return "clerk", "party.register", fmt.Sprintf(`{"party":"p%d","category":%q,"kind":"person","name":"x"}`, p, category)
	case 1:
		return "officer", "client.register", fmt.Sprintf(`{"client":"c%d","name":"x","contacts":["p%d"]}`, c, p)
	case 2:
		return "clerk", "record.register", fmt.Sprintf(`{"client":"c%d","record":"r%d","title":"x","class":"ordinary","medium":"electronic",
			"encrypted":false,"retention":{"after":"registration","keep":"P1Y"}}`, c, rec)
	case 3:
		return "officer", []string{"party.retire", "party.restore"}[r.IntN(2)], fmt.Sprintf(`{"party":"p%d","reason":"x"}`, p)
	case 4:
		return "clerk", []string{"contact.name", "contact.drop"}[r.IntN(2)], fmt.Sprintf(`{"client":"c%d","party":"p%d"}`, c, p)
	case 5:
		return "officer", "authorization.issue", fmt.Sprintf(`{"client":"c%d","authorization":"a%d","party":"p%d","scope":{"all":true},
			"purposes":["relationship"],"need":%q}`, c, r.IntN(4), p, []string{"x", " "}[r.IntN(2)])
	case 6:
		return "officer", "authorization.revoke", fmt.Sprintf(`{"client":"c%d","authorization":"a%d","reason":"x"}`, c, r.IntN(4))
	}
	return "gateway", "access.request", fmt.Sprintf(`{"client":"c%d","record":"r%d","party":"p%d","action":"consult","purpose":"relationship"}`, c, rec, p)
}

// What is answered is what stands in the stream, each event once, and everything was
// decided as a fold of the whole history before it decides (clever against dumb).
func TestWhatIsAnsweredIsWhatStands(t *testing.T) {
	for _, callers := range []int{1, 8, 200} {
		t.Run(fmt.Sprint(callers), func(t *testing.T) {
			l := newTestLedger(t)
			begun := l.last()
			answers := make(chan *Answer)
			for i := range callers {
				go func() {
					r := rand.New(rand.NewPCG(uint64(callers), uint64(i)))
					for range 600 / callers {
						actor, name, data := randomStep(r)
						answers <- l.issue(actor, name, data)
					}
				}()
			}
			recorded := map[domain.Seq]*Answer{}
			codes := map[domain.Code]int{}
			for range callers * (600 / callers) {
				a := <-answers
				if a.Error != nil {
					codes[a.Error.Code]++
				}
				if a.Seq != 0 {
					require.NotContains(t, recorded, a.Seq)
					recorded[a.Seq] = a
				}
			}
			require.NotZero(t, codes[domain.Exists]+codes[domain.Unknown]+codes[domain.Ended])
			require.Zero(t, codes[domain.Unavailable])

			var h domain.History
			for _, d := range l.events(1) {
				e, err := d.Event()
				require.NoError(t, err)
				requireDecidedAlike(t, &h, e, l.public)
				h.Record(e)
				a := recorded[e.Seq]
				if d.Seq <= begun {
					continue
				}
				require.NotNil(t, a, "event %d was answered", d.Seq)
				require.Equal(t, a.ID, d.Command)
				require.Equal(t, a.OK, d.Refusal == nil)
				if a.OK {
					require.Equal(t, a.Event, d.ID)
					require.Equal(t, a.Type, d.Type)
					require.Equal(t, decision(a.Decision), decision(d.Decision))
				} else {
					require.Equal(t, *d.Refusal, domain.Refusal{Code: a.Error.Code, Clause: a.Error.Clause, Reason: a.Error.Reason})
				}
				delete(recorded, e.Seq)
			}
			require.Empty(t, recorded, "what was answered stands")
			requireSameStore(t, l)
		})
	}
}

func decision(d *domain.Decision) string {
	if d == nil {
		return ""
	}
	return string(cloudevent.AppendDecision(nil, d))
}

// requireDecidedAlike decides an event anew from all that is before it.
func requireDecidedAlike(t testing.TB, h *domain.History, e *domain.Event, keys map[domain.ID]domain.PublicKey) {
	c := &domain.Command{ID: e.Command, Actor: e.Actor, Name: e.Name, Key: keys[e.Actor], Data: e.Data, Observed: e.Observed}
	out := domain.Decide(h.At(e.Seq-1), c, e.Time, e.ID)
	require.Equal(t, e.Type, out.Type, "event %d", e.Seq)
	require.Equal(t, e.Subject, out.Subject, "event %d", e.Seq)
	require.Equal(t, decision(e.Decision), decision(out.Decision), "event %d", e.Seq)
	require.Equal(t, e.Refusal, out.Refusal, "event %d", e.Seq)
}

// requireSameStore builds the read models anew from the stream and finds them the
// same as those that the running service wrote.
func requireSameStore(t testing.TB, l *testLedger) {
	require.NoError(t, l.store.Wait(t.Context(), l.last()))
	ours, err := l.store.Hash()
	require.NoError(t, err)
	anew, err := projections.OpenStore(filepath.Join(t.TempDir(), "anew"), projections.Config{})
	require.NoError(t, err)
	defer anew.Close()
	require.NoError(t, projections.Replay(t.Context(), l.log, anew, nil))
	theirs, err := anew.Hash()
	require.NoError(t, err)
	require.Equal(t, theirs, ours)
}

// Commands of one door are decided in the order in which they came, signed and
// unsigned ones mixed.
func TestOneDoorKeepsItsOrder(t *testing.T) {
	l := newTestLedger(t)
	nc := l.connect("gateway")
	inbox := "_INBOX.gateway.x"
	sub, err := nc.SubscribeSync(inbox)
	require.NoError(t, err)
	var ids []domain.UUID
	for i := range 300 {
		s := Sender{Ledger: theLedger, Actor: "gateway"}
		if i%3 == 0 {
			s.Key = l.keys["gateway"]
		}
		p := &Plain{Name: "access.request", Data: []byte(look)}
		b, err := s.Compose(p, l.clock.Now())
		require.NoError(t, err)
		ids = append(ids, p.ID)
		require.NoError(t, nc.PublishRequest("assent.cmd.gateway", inbox, b))
	}
	var seq domain.Seq
	for _, id := range ids {
		m, err := sub.NextMsg(10 * time.Second)
		require.NoError(t, err)
		a, err := ParseAnswer(m.Data)
		require.NoError(t, err)
		require.True(t, a.OK)
		require.Equal(t, id, a.ID, "answers come in their order too")
		require.Greater(t, a.Seq, seq)
		seq = a.Seq
	}
}

// Beyond what may wait the answer is `unavailable`, at once.
func TestAFullQueueSaysSoAtOnce(t *testing.T) {
	var log *heldLog
	l := newTestLedger(t, withHeldLog(&log), func(l *testLedger) {
		l.change = func(c *Config) { c.Waiting = 50 }
	})
	release := log.hold()
	nc := l.connect("gateway")
	inbox := "_INBOX.gateway.x"
	sub, err := nc.SubscribeSync(inbox)
	require.NoError(t, err)
	begun := l.last()
	const sent = 5000 // more than wait and are on their way together
	for range sent {
		require.NoError(t, nc.PublishRequest("assent.cmd.gateway", inbox, l.body("gateway", "", "access.request", look)))
	}
	next := func() *Answer {
		m, err := sub.NextMsg(10 * time.Second)
		require.NoError(t, err)
		a, err := ParseAnswer(m.Data)
		require.NoError(t, err)
		return a
	}
	a := next() // while nothing is acknowledged
	require.Equal(t, domain.Unavailable, a.Error.Code)
	require.NotEmpty(t, a.ID)
	full := 1
	release()
	taken := 0
	for range sent - 1 {
		if a := next(); a.OK {
			taken++
		} else {
			require.Equal(t, domain.Unavailable, a.Error.Code)
			full++
		}
	}
	require.NotZero(t, taken)
	require.EqualValues(t, begun+uint64(taken), l.last(), "what was refused so was not recorded")
	require.True(t, l.request(nc, "gateway", l.body("gateway", "", "access.request", look)).OK)
}

// An answer that records nothing waits for the events that it was decided on.
func TestNothingIsAnsweredBeforeWhatItRestsOnIsDurable(t *testing.T) {
	var log *heldLog
	l := newTestLedger(t, withHeldLog(&log))
	release := log.hold()
	const wu = `{"party":"wu","category":"staff","kind":"person","name":"Wu Min"}`
	body := l.body("clerk", newID(), "party.register", wu)
	order := make(chan string, 3)
	var wg sync.WaitGroup
	for _, b := range [][]byte{body, body, l.body("clerk", "", "party.register", wu)} {
		wg.Go(func() {
			a := l.send("clerk", b)
			switch {
			case a.Error != nil:
				order <- string(a.Error.Code)
			case a.Again:
				order <- "again"
			default:
				order <- "made"
			}
		})
	}
	select {
	case got := <-order:
		t.Fatalf("%s was answered before anything is durable", got)
	case <-time.After(100 * time.Millisecond):
	}
	release()
	wg.Wait()
	close(order)
	var got []string
	for s := range order {
		got = append(got, s)
	}
	slices.Sort(got)
	require.Contains(t, []string{"[again exists made]", "[exists exists made]"}, fmt.Sprint(got))
}

func TestAClosedServiceAnswersWhatWaits(t *testing.T) {
	l := newTestLedger(t)
	done := make(chan *Answer, 100)
	for range 100 {
		go func() { done <- l.issue("gateway", "access.request", look) }()
	}
	<-done
	l.svc.Close()
	for range 99 {
		a := <-done
		require.True(t, a.OK || a.Error.Code == domain.Unavailable)
	}
	a := l.issue("gateway", "access.request", look)
	require.Equal(t, domain.Unavailable, a.Error.Code)
	l.svc.Close()
}

func TestTheReadModelsFollowAndCatchUp(t *testing.T) {
	l := newTestLedger(t)
	l.ok("gateway", "access.request", look)
	require.Equal(t, l.last(), l.svc.Latest())
	require.NoError(t, l.store.Wait(t.Context(), l.svc.Latest()))
	l.close()
	// As if the machine had crashed before the models were on disk.
	require.NoError(t, os.RemoveAll(filepath.Join(l.dir, "models")))
	l.open()
	require.Equal(t, l.last(), l.svc.Latest())
	l.ok("gateway", "access.request", look)
	requireSameStore(t, l)
}
