package commands

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/domain"
)

func newID() domain.UUID { return domain.UUID(uuid.NewString()) }

// first is an answer as it was given first.
func first(a Answer) Answer {
	a.Again = false
	return a
}

func TestTheSameIDIsAnsweredOnce(t *testing.T) {
	l := newTestLedger(t)
	for _, c := range []struct {
		actor      domain.ID
		name, data string
	}{
		{"gateway", "access.request", look},
		{"gateway", "access.request", `{"client":"acme","record":"none","party":"li","action":"consult","purpose":"service"}`},
		{"clerk", "party.register", `{"party":"wu","category":"staff","kind":"person","name":"Wu Min"}`},
		{"auditor", "party.register", `{"party":"wo","category":"staff","kind":"person","name":"Wo Min"}`}, // forbidden
		{"officer", "training.complete", `{"party":"li","course":"c","until":"2027-01-01T00:00:00Z"}`},     // refused
	} {
		id := newID()
		body := l.body(c.actor, id, c.name, c.data)
		a := l.send(c.actor, body)
		require.NotZero(t, a.Seq, "%v", a.Error)
		last := l.last()

		same := l.send(c.actor, body)
		require.True(t, same.Again, c.name)
		require.Equal(t, a, ptr(first(*same)), "the very same, its words too")

		// Composed anew: another salt, another time, another signature.
		l.clock.pass(time.Second)
		same = l.send(c.actor, l.body(c.actor, id, c.name, c.data))
		require.Equal(t, a, ptr(first(*same)))

		// Long after, and after a restart; an old one too.
		l.clock.pass(24 * time.Hour)
		l.close()
		l.open()
		same = l.send(c.actor, body)
		require.True(t, same.Again)
		require.Equal(t, a, ptr(first(*same)))
		require.Equal(t, last, l.last(), "nothing was added")
	}
}

func ptr[T any](v T) *T { return &v }

func TestTheSameIDWithOtherContentIsAConflict(t *testing.T) {
	l := newTestLedger(t)
	const wu = `{"party":"wu","category":"staff","kind":"person","name":"Wu Min"}`
	id := newID()
	l.send("clerk", l.body("clerk", id, "party.register", wu))
	l.ok("officer", "party.amend", `{"party":"wu","name":"Wu Mei","reason":"a slip"}`)
	refusedID := newID()
	l.send("auditor", l.body("auditor", refusedID, "party.register", wu))
	last := l.last()
	for _, c := range []struct {
		what       string
		name, data string
		id         domain.UUID
		actor      domain.ID
		conflict   bool
	}{
		{"the same", "party.register", wu, id, "clerk", false},
		{"another field", "party.register", swap(wu, `"wu"`, `"wo"`), id, "clerk", true},
		{"another text", "party.register", swap(wu, "Wu Min", "Wu Mia"), id, "clerk", true},
		{"a field more", "party.register", swap(wu, `"party"`, `"of":"lab","party"`), id, "clerk", true},
		{"another command", "party.amend", `{"party":"wu","name":"Wu Min","reason":"x"}`, id, "clerk", true},
		{"refused, another text, which was not kept", "party.register", swap(wu, "Wu Min", "Wu Mia"), refusedID, "auditor", false},
		{"refused, another field", "party.register", swap(wu, `"wu"`, `"wo"`), refusedID, "auditor", true},
	} {
		a := l.send(c.actor, l.body(c.actor, c.id, c.name, c.data))
		require.Equal(t, c.conflict, a.Error != nil && a.Error.Code == domain.Conflict, "%s: %+v", c.what, a)
		require.Equal(t, !c.conflict, a.Again, c.what)
	}
	// An id is its actor's: another one may use the same.
	a := l.send("officer", l.body("officer", id, "party.register", swap(wu, `"wu"`, `"wo"`)))
	require.True(t, a.OK)
	require.Equal(t, last+1, l.last())
}

// A text that can't be opened any more counts as the same (section 7).
func TestWithoutItsKeyTextCountsAsTheSame(t *testing.T) {
	l := newTestLedger(t)
	const wu = `{"party":"wu","category":"staff","kind":"person","name":"Wu Min"}`
	id := newID()
	l.send("clerk", l.body("clerk", id, "party.register", wu))
	l.close()
	l.blind = true
	l.open()
	a := l.send("clerk", l.body("clerk", id, "party.register", swap(wu, "Wu Min", "Wu Mia")))
	require.True(t, a.Again, "%v", a.Error)
	a = l.send("clerk", l.body("clerk", id, "party.register", swap(wu, "staff", "external")))
	require.Equal(t, domain.Conflict, a.Error.Code)

	a = l.refused(domain.Unavailable, "clerk", "party.register", swap(wu, "wu", "wo"))
	require.Contains(t, a.Error.Message, "key ring")
	l.ok("gateway", "access.request", look)
}

// The answer to a command still on its way is that of its event.
func TestSentTwiceAtOnceItTakesEffectOnce(t *testing.T) {
	l := newTestLedger(t)
	nc := l.connect("gateway")
	const callers, each = 8, 40
	answers := make(chan *Answer, callers*each)
	for i := range each {
		body := l.body("gateway", newID(), "access.request", fmt.Sprintf(
			`{"client":"acme","record":"r1","party":"li","action":"consult","purpose":"p%d"}`, i))
		for range callers {
			go func() { answers <- l.request(nc, "gateway", body) }()
		}
	}
	begun := l.last()
	byID := map[domain.UUID][]*Answer{}
	for range callers * each {
		a := <-answers
		require.True(t, a.OK, "%v", a.Error)
		byID[a.ID] = append(byID[a.ID], a)
	}
	require.LessOrEqual(t, l.last()-begun, uint64(each))
	require.Len(t, byID, each)
	for _, as := range byID {
		fresh := 0
		for _, a := range as {
			if !a.Again {
				fresh++
			}
			require.Equal(t, first(*as[0]), first(*a))
		}
		require.Equal(t, 1, fresh)
	}
}
