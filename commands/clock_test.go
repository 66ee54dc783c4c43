package commands

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/domain"
)

func TestTimeNeverGoesBeforeTheLastEvent(t *testing.T) {
	c := newTestClock()
	w := newWatch(c, testTime.Add(5*time.Minute))
	r := w.look()
	require.Empty(t, r.doubt)
	require.Equal(t, testTime, r.now)
	require.Equal(t, testTime.Add(5*time.Minute), r.at, "5 minutes behind, it stands still")
	c.set(-time.Nanosecond)
	require.Contains(t, w.look().doubt, "before the last event")
	c.pass(10 * time.Minute)
	r = w.look()
	require.Empty(t, r.doubt)
	require.Equal(t, r.now, r.at)
}

func TestAClockThatJumpedIsInDoubtUntilItAgrees(t *testing.T) {
	for _, by := range []time.Duration{time.Hour, 10 * 365 * 24 * time.Hour, -time.Hour} {
		c := newTestClock()
		w := newWatch(c, testTime.Add(-2*time.Hour))
		require.Empty(t, w.look().doubt)
		c.pass(30 * 24 * time.Hour)
		require.Empty(t, w.look().doubt, "time that passes is no jump, however long")
		c.set(by)
		require.Contains(t, w.look().doubt, "jumped")
		c.pass(time.Hour)
		require.Contains(t, w.look().doubt, "jumped", "it doesn't become right by waiting")
		c.set(-by)
		require.Empty(t, w.look().doubt)
	}
}

func TestSmallJumpsAddUp(t *testing.T) {
	c := newTestClock()
	w := newWatch(c, testTime)
	require.Empty(t, w.look().doubt)
	for range 5 {
		c.set(time.Minute)
		require.Empty(t, w.look().doubt)
	}
	c.set(time.Second)
	require.Contains(t, w.look().doubt, "jumped forward by 5m1s")
}

func TestAStartLongAfterTheLastEventIsInDoubt(t *testing.T) {
	c := newTestClock()
	w := newWatch(c, testTime.Add(-90*24*time.Hour))
	require.Empty(t, w.look().doubt, "90 days are not more than 90 days")
	c.pass(90 * 24 * time.Hour)
	require.Empty(t, w.look().doubt, "the longest pause of a ledger that runs is no start")

	w = newWatch(c, testTime.Add(-time.Nanosecond))
	require.Contains(t, w.look().doubt, "90 days after the last event")
	c.set(-time.Hour)
	require.Empty(t, w.look().doubt, "the clock was set right")
	c.pass(time.Hour)
	require.Empty(t, w.look().doubt, "and stays right")
}

func TestAnAffirmedClockIsBelievedAndALostAffirmationIsNot(t *testing.T) {
	c := newTestClock()
	w := newWatch(c, testTime.Add(time.Hour))
	require.NotEmpty(t, w.look().doubt)
	before := w.affirmed(c.Now())
	require.Empty(t, w.look().doubt)
	require.Equal(t, testTime, w.look().at)
	w.restore(testTime.Add(time.Hour), &before)
	require.NotEmpty(t, w.look().doubt)
}

// Section 2: while its clock can't be right the ledger takes nothing but
// clock.affirm, and that one's time may lie before the last event's.
func TestWhileTheClockIsInDoubtOnlyItsAffirmationIsTaken(t *testing.T) {
	for what, by := range map[string]time.Duration{"back": -time.Hour, "forward": time.Hour} {
		t.Run(what, func(t *testing.T) {
			l := newTestLedger(t)
			l.clock.set(by)
			last := l.last()
			a := l.refused(domain.Unavailable, "gateway", "access.request", look)
			require.Contains(t, a.Error.Message, "clock.affirm")
			l.refused(domain.Unavailable, "clerk", "clock.affirm", `{}`)
			require.Len(t, l.svc.Alarms(), 1)
			require.Equal(t, last, l.last())

			a = l.ok("admin", "clock.affirm", `{}`)
			require.Empty(t, l.svc.Alarms())
			d := l.events(uint64(a.Seq))[0]
			require.True(t, d.Time.Equal(l.clock.Now()))
			require.True(t, d.Observed.Clock.IsZero())
			a = l.ok("gateway", "access.request", look)
			require.True(t, l.events(uint64(a.Seq))[0].Time.Equal(l.clock.Now()))

			// What was affirmed stays so after a restart.
			l.close()
			l.open()
			l.ok("gateway", "access.request", look)
		})
	}
}

func TestTheClockHealsByItself(t *testing.T) {
	l := newTestLedger(t)
	l.clock.set(-6 * time.Minute)
	l.refused(domain.Unavailable, "gateway", "access.request", look)
	l.clock.set(2 * time.Minute)
	a := l.ok("gateway", "access.request", look)
	d := l.events(uint64(a.Seq))[0]
	require.True(t, d.Time.Equal(testTime), "it stands still")
	require.True(t, d.Observed.Clock.Equal(l.clock.Now()), "and says what the clock said")

	// A refusal of clock.affirm has its time like any other event.
	a = l.refused(domain.Forbidden, "clerk", "clock.affirm", `{}`)
	d = l.events(uint64(a.Seq))[0]
	require.True(t, d.Time.Equal(testTime))
	require.True(t, d.Observed.Clock.Equal(l.clock.Now()))
}

func TestAStartAfterALongPauseWantsTheClockAffirmed(t *testing.T) {
	l := newTestLedger(t)
	l.close()
	l.clock.pass(91 * 24 * time.Hour)
	l.open()
	l.refused(domain.Unavailable, "gateway", "access.request", look)
	require.Contains(t, l.svc.Alarms()[0], "91 days after the last event")
	l.ok("admin", "clock.affirm", `{}`)
	l.ok("gateway", "access.request", look)
}

func TestTheSystemClockRuns(t *testing.T) {
	var c SystemClock
	up := c.Up()
	require.Positive(t, up)
	require.GreaterOrEqual(t, c.Up(), up)
	require.Less(t, time.Since(c.Now()).Abs(), time.Minute)
}

// R27: a clock that jumps ten years while the ledger runs ends no right early and serves
// none that has ended; it is right again once it agrees, and not before.
func TestNoJumpOfTheClockEndsARightOrPutsItsEndOff(t *testing.T) {
	const years = 10 * 365 * 24 * time.Hour
	l := newTestLedger(t)
	l.ok("clerk", "party.register", `{"party":"rival","category":"external","kind":"institution","name":"Rival"}`)
	l.ok("clerk", "evidence.file", `{"evidence":"e1","client":"acme","kind":"consent","sha256":"8e3854b38e3854b38e3854b38e3854b38e3854b38e3854b38e3854b38e3854b3",
		"size":1,"mediaType":"application/pdf","signed":true,"stamped":true,"signedOn":"2026-01-02T00:00:00Z","custody":"paper","place":"cabinet"}`)
	until := l.clock.Now().Add(30 * 24 * time.Hour)
	l.ok("clerk", "consent.give", `{"client":"acme","consent":"c1","party":"rival","scope":{"records":["r1"]},"purposes":["relationship"],"evidence":"e1","until":"`+
		until.Format(time.RFC3339)+`"}`)
	const use = `{"client":"acme","record":"r1","party":"rival","action":"consult","purpose":"relationship"}`
	jumps := func(word string) {
		for _, by := range []time.Duration{years, -years, time.Hour, -time.Hour} {
			l.clock.set(by)
			last := l.last()
			l.refused(domain.Unavailable, "gateway", "access.request", use)
			require.Equal(t, last, l.last(), "nothing is recorded by a clock that jumped by %v", by)
			l.clock.set(-by)
			a := l.ok("gateway", "access.request", use)
			require.Equal(t, word, string(a.Decision.Decision), "after a jump by %v and back", by)
		}
	}
	jumps("granted")
	l.clock.set(time.Second) // a leap second is no jump
	require.True(t, l.ok("gateway", "access.request", use).Decision.Granted())
	l.clock.set(-time.Second)
	require.True(t, l.ok("gateway", "access.request", use).Decision.Granted())
	l.clock.pass(31 * 24 * time.Hour)
	jumps("denied")
	l.clock.set(-4 * time.Minute) // too little to be noticed: time stands still
	require.False(t, l.ok("gateway", "access.request", use).Decision.Granted())
}
