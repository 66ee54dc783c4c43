package main

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What the heap asks of the kernel costs no memory until it is used, and is asked for all
// that it is about to have.
func TestHugePagesAreAskedForAndNotTaken(t *testing.T) {
	const room = 256 << 20
	before, _ := heapOfKernel(t)
	hugePages(room)
	after, asked := heapOfKernel(t)
	require.Less(t, after, before+room/4)
	if _, err := os.Stat("/sys/kernel/mm/transparent_hugepage"); err == nil && hasAddresses() {
		require.GreaterOrEqual(t, asked, room*9/10)
	}
}

// heapOfKernel is how many bytes of this process are in memory, and of how many huge
// pages were asked for.
func heapOfKernel(t *testing.T) (resident, asked int) {
	b, err := os.ReadFile("/proc/self/smaps")
	require.NoError(t, err)
	size := 0
	for line := range strings.Lines(string(b)) {
		switch f := strings.Fields(line); f[0] {
		case "Size:", "Rss:":
			n, err := strconv.Atoi(f[1])
			require.NoError(t, err)
			if f[0] == "Size:" {
				size = n << 10
			} else {
				resident += n << 10
			}
		case "VmFlags:":
			if slices.Contains(f, "hg") {
				asked += size
			}
		}
	}
	return resident, asked
}
