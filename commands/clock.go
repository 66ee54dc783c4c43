package commands

import (
	"fmt"
	"sync"
	"time"
)

// A Clock is where the ledger takes its time from.
type Clock interface {
	// Now is the wall clock's time.
	Now() time.Time
	// Up is how long the machine has been up, its sleep counted, and nobody can
	// set it: CLOCK_BOOTTIME. Only differences of it are used.
	Up() time.Duration
}

const (
	// behind is how far the clock may be before the last event, which its
	// successor's time then stands still at, and how far it may jump.
	behind = 5 * time.Minute
	// idle is how long after the last event a start doesn't believe the clock.
	idle = 90 * 24 * time.Hour
)

// A watch holds the clock against the ledger's history and against the machine's
// uptime (design, decision 5). A clock that can't be right is in doubt, and then
// nothing is recorded but clock.affirm: else an expiry could be dodged, or a right
// end early, by setting a clock. It is safe for concurrent use.
type watch struct {
	clock Clock

	mu    sync.Mutex
	state watchState // guarded by mu
}

// A watchState is what a watch knows. The anchor is a moment at which the clock was
// believed: from there on wall clock and uptime go on side by side. It stays where
// it is, so that many small jumps count as the one that they add up to.
type watchState struct {
	last     time.Time // of the last event, decided on or recorded; zero: none
	wall     time.Time // the anchor; zero: the clock wasn't believed yet
	up       time.Duration
	starting bool // no look has found the clock right since the start
}

// A reading is the clock as the next event sees it.
type reading struct {
	// Now is what the clock says, At the time of the next event: Now, or the last
	// event's where the clock is behind.
	now, at time.Time
	// Doubt says why nothing may be recorded, and what to do; empty: the clock is
	// believed.
	doubt string
}

// newWatch begins after the last event, whose time is last (zero: there is none).
func newWatch(c Clock, last time.Time) *watch {
	return &watch{clock: c, state: watchState{last: last, starting: true}}
}

// look reads the clock.
func (w *watch) look() reading {
	w.mu.Lock()
	defer w.mu.Unlock()
	// UTC and Round: the monotonic reading must not speak where times are compared.
	now, up := w.clock.Now().UTC().Round(0), w.clock.Up()
	r := reading{now: now, at: now, doubt: w.state.doubt(now, up)}
	if r.doubt != "" {
		return r
	}
	if w.state.starting = false; w.state.wall.IsZero() {
		w.state.wall, w.state.up = now, up
	}
	if now.Before(w.state.last) {
		r.at = w.state.last
	}
	return r
}

func (s *watchState) doubt(now time.Time, up time.Duration) string {
	const remedy = "set the machine's clock, or have an admin issue clock.affirm if it is right"
	if !s.last.IsZero() {
		if d := s.last.Sub(now); d > behind {
			return fmt.Sprintf("the clock says %s, which is %s before the last event: %s",
				now.Format(time.RFC3339), d.Round(time.Second), remedy)
		}
		if d := now.Sub(s.last); s.starting && d > idle {
			return fmt.Sprintf("the clock says %s, which is %d days after the last event: %s",
				now.Format(time.RFC3339), int(d/(24*time.Hour)), remedy)
		}
	}
	if s.wall.IsZero() {
		return ""
	}
	if d := now.Sub(s.wall) - (up - s.up); d.Abs() > behind {
		way := "forward"
		if d < 0 {
			way = "back"
		}
		return fmt.Sprintf("the clock says %s and has jumped %s by %s: %s",
			now.Format(time.RFC3339), way, d.Abs().Round(time.Second), remedy)
	}
	return ""
}

// passed notes that an event of the time at was decided on.
func (w *watch) passed(at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state.last = at
}

// affirmed notes that an admin said that the clock, which says now, is right. What
// it returns is what restore needs where that turns out not to be recorded.
func (w *watch) affirmed(now time.Time) (before watchState) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before = w.state
	w.state = watchState{last: now, wall: now, up: w.clock.Up()}
	return before
}

// restore puts back what is known where events that were decided on turned out not
// to be recorded: last is the time of the last one that is, and s what affirmed
// returned if one of those lost was an affirmation, else nil.
func (w *watch) restore(last time.Time, s *watchState) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s != nil {
		w.state = *s
	}
	w.state.last = last
}
