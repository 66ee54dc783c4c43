package vault

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// An epochCopy is one of the two copies of an epoch key, as read.
type epochCopy struct {
	name string         // in the ring's directory
	key  *[keySize]byte // nil where err isn't
	err  error          // why it can't be used
}

func readEpoch(ring string, h header) (copies [2]epochCopy) {
	for i, which := range [...]string{"a", "b"} {
		c := &copies[i]
		c.name = fmt.Sprintf("epoch-%d.%s", h.epoch, which)
		file, err := readFile(filepath.Join(ring, c.name))
		if err == nil {
			c.key, err = decodeEpoch(h, file)
		}
		c.err = err
	}
	return copies
}

// openRoot opens the root with the first copy of the epoch key that fits, and says
// which key that is. Its errors are text: nothing in them is to be matched.
func openRoot(head, body []byte, copies [2]epochCopy) (entries []byte, good *[keySize]byte, err error) {
	for _, c := range copies {
		if c.key == nil {
			continue
		}
		if entries, err = decodeRoot(head, body, c.key); err == nil {
			return entries, c.key, nil
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("ring/root: %v", err)
	}
	a, b := copies[0], copies[1]
	return nil, nil, fmt.Errorf("ring/%s: %v; ring/%s: %v", a.name, a.err, b.name, b.err)
}

// heal makes the copies of the epoch key again that aren't good, and says so. One
// that can't be written leaves the ring usable.
func heal(ring string, h header, copies [2]epochCopy, good *[keySize]byte) (notices []string) {
	for _, c := range copies {
		if c.key != nil && *c.key == *good {
			continue
		}
		why := c.err
		if why == nil {
			why = errors.New("it doesn't open ring/root")
		}
		if err := replaceFile(filepath.Join(ring, c.name), encodeEpoch(h, good)); err != nil {
			notices = append(notices, fmt.Sprintf("ring/%s is damaged (%v) and couldn't be made again from its other copy: %v", c.name, why, err))
			continue
		}
		notices = append(notices, fmt.Sprintf("ring/%s was damaged (%v) and has been made again from its other copy", c.name, why))
	}
	return notices
}

// exposed says which of the keys directory and the ring others may get at.
func exposed(dir string, copies [2]epochCopy) (notices []string) {
	for _, name := range []string{".", "ring", "ring/root", "ring/" + copies[0].name, "ring/" + copies[1].name} {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 {
			notices = append(notices, fmt.Sprintf("%s is open to others than its owner (mode %#o); chmod go= %s",
				path, info.Mode().Perm(), path))
		}
	}
	return notices
}

// readFile reads a plain file of the ring, of at most mostFile bytes.
func readFile(path string) ([]byte, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, reason(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is no plain file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, reason(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, mostFile+1))
	if err != nil {
		return nil, reason(err)
	}
	if len(b) > mostFile {
		return nil, fmt.Errorf("it has more than %d bytes", mostFile)
	}
	return b, nil
}

// reason leaves out of a file's error what was done to which path: the message
// around it says so.
func reason(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// writeFile writes a new file and syncs it. Its directory is still to be synced.
func writeFile(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}

// replaceFile puts b in the place of a file, durably: after a crash the file is
// either the old one or the new one.
func replaceFile(path string, b []byte) error {
	if err := writeFile(path+".new", b); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes what was made, renamed or removed in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
