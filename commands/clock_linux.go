package commands

import (
	"time"

	"golang.org/x/sys/unix"
)

// A SystemClock is the machine's own.
type SystemClock struct{}

// Now is the wall clock's time.
func (SystemClock) Now() time.Time { return time.Now() }

// Up is CLOCK_BOOTTIME.
func (SystemClock) Up() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		panic("commands: read CLOCK_BOOTTIME: " + err.Error()) // Linux has it since 2.6.39
	}
	return time.Duration(t.Nano())
}
