package notary

import (
	"os"

	"golang.org/x/sys/unix"
)

// dataSync syncs what was written over in a file that is as long as before.
func dataSync(f *os.File) error { return unix.Fdatasync(int(f.Fd())) }
