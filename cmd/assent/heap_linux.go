package main

import (
	"bytes"
	"os"
	"runtime/debug"

	"golang.org/x/sys/unix"
)

// hugePages asks the kernel for huge pages where the heap will be, which it gives to those
// alone who ask on most systems (/sys/kernel/mm/transparent_hugepage/enabled: madvise), and
// Go doesn't: finding a fact among those of ten thousand clients is a walk through memory,
// and without them each step is one through page tables as well. It is a wish: where it
// can't be had nothing changes. The memory is had and given back at once, untouched, so
// that what the kernel was told of it stays (docs/decisions/0016).
func hugePages(room int64) {
	if !hasAddresses() {
		return
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // not before it is all had
	const piece = 4 << 20
	pieces := make([][]byte, room/piece)
	for i := range pieces {
		pieces[i] = make([]byte, piece)
		_ = unix.Madvise(pieces[i], unix.MADV_HUGEPAGE)
	}
	clear(pieces)
	debug.FreeOSMemory()
}

// hasAddresses says whether memory that isn't used costs nothing: where it is counted
// (ulimit -v, vm.overcommit_memory 2), having that much at once may end the process.
func hasAddresses() bool {
	var most unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_AS, &most); err != nil || most.Cur != unix.RLIM_INFINITY {
		return false
	}
	policy, err := os.ReadFile("/proc/sys/vm/overcommit_memory")
	return err == nil && !bytes.HasPrefix(policy, []byte("2"))
}
