package main

import (
	"errors"
	"os"
	"path/filepath"
)

// replaceFile puts b in the place of a file, or where none was, durably: after a
// crash the file is the old one or the new one, never a part of either.
func replaceFile(path string, b []byte, mode os.FileMode) error {
	return replaceBy(path+".new", path, b, mode)
}

// replaceBy is replaceFile, by way of a file of the same file system that is no
// other's.
func replaceBy(fresh, path string, b []byte, mode os.FileMode) error {
	f, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return renameFile(fresh, path)
}

// renameFile renames durably, inside one directory.
func renameFile(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}

// makeDir makes the directory and those above it, durably. One that is there is
// left as it is.
func makeDir(path string) error {
	if info, err := os.Stat(path); err == nil {
		if !info.IsDir() {
			return &os.PathError{Op: "mkdir", Path: path, Err: errors.New("there is a file of that name")}
		}
		return nil
	}
	above := filepath.Dir(path)
	if above != path {
		if err := makeDir(above); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return syncDir(above)
}

// syncDir makes what was made, renamed or removed in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
