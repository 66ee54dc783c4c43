//go:build !linux

package commands

import "time"

// A SystemClock is the machine's own.
type SystemClock struct{}

var started = time.Now()

// Now is the wall clock's time.
func (SystemClock) Now() time.Time { return time.Now() }

// Up counts from the start of the process. Sleep may not be counted: then waking
// counts as a jump.
func (SystemClock) Up() time.Duration { return time.Since(started) }
