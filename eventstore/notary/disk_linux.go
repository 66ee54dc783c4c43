package notary

import (
	"os"

	"golang.org/x/sys/unix"
)

// dataSync syncs what was written over in a file that is as long as before.
func dataSync(f *os.File) error { return unix.Fdatasync(int(f.Fd())) }

// forget lets the system use the memory that has the file's data for something else.
func forget(f *os.File) { _ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) }
