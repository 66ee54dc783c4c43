package natsd

import (
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	sharedMemory = "/dev/shm"
	// leastMemory is how much must be free there: several of the largest batches.
	leastMemory = 32 << 20
)

// memoryDir is a directory in memory; empty: there is none.
func memoryDir() string {
	var st unix.Statfs_t
	if err := unix.Statfs(sharedMemory, &st); err != nil || st.Type != unix.TMPFS_MAGIC {
		return ""
	}
	return sharedMemory
}

// hasRoom says whether enough is free there.
func hasRoom(dir string) bool {
	var st unix.Statfs_t
	return unix.Statfs(dir, &st) == nil && st.Bavail*uint64(st.Bsize) >= leastMemory
}

// isOwn says whether the directory is one that this user alone reads and writes.
func isOwn(dir string) bool {
	info, err := os.Lstat(dir)
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && info.Mode() == fs.ModeDir|0o700 && int(st.Uid) == os.Geteuid()
}
