package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A server that opens a damaged block of a stream cuts it off there, and the sound
// messages behind it are gone. All that a checkpoint has is in the archive; what none
// has yet is in the last block or two. So where the stream was not stopped cleanly,
// what has changed since the last clean stop is copied aside before the server sees
// it, and kept until a start finds that nothing is missing.

// stoppedFile is what a clean stop notes in the data directory, asideDir where the
// copies are.
const (
	stoppedFile = "stopped.json"
	asideDir    = "nats.aside"
)

// mostBlocks is how many of the changed blocks are copied, the last ones.
const mostBlocks = 2

// A noted file is one of the stream's as a clean stop left it.
type noted struct {
	Size int64 `json:"size"`
	Time int64 `json:"time"` // of its last change, Unix ns
}

// streamFiles are the files of the stream, by their path below dir.
func streamFiles(dir string) (map[string]noted, error) {
	files := map[string]noted{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		rel, relErr := filepath.Rel(dir, path)
		if err := errors.Join(err, relErr); err != nil {
			return err
		}
		files[filepath.ToSlash(rel)] = noted{info.Size(), info.ModTime().UnixNano()}
		return nil
	})
	return files, err
}

// noteStop notes the stream's files as they are, the server having stopped.
func (h *home) noteStop() error {
	files, err := streamFiles(h.path("nats"))
	if err != nil {
		return err
	}
	b, err := json.Marshal(files)
	if err == nil {
		err = replaceFile(h.path(stoppedFile), b, 0o600)
	}
	return err
}

// setAside copies the stream's files that are not as the last clean stop noted them:
// the last blocks, and all that is no block. It says whether there were any. What an
// earlier start copied that found something missing is left as it is.
func (h *home) setAside() (bool, error) {
	if _, err := os.Stat(h.path(asideDir)); !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	now, err := streamFiles(h.path("nats"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("look at the stream's files: %w", err)
	}
	var before map[string]noted
	if b, err := os.ReadFile(h.path(stoppedFile)); err == nil {
		_ = json.Unmarshal(b, &before) // what it can't say counts as changed
	}
	var changed, blocks []string
	for name, is := range now {
		switch {
		case before[name] == is || filepath.Base(name) == "lock":
		case strings.HasSuffix(name, ".blk"):
			blocks = append(blocks, name)
		default:
			changed = append(changed, name)
		}
	}
	if len(changed)+len(blocks) == 0 {
		return false, nil
	}
	slices.SortFunc(blocks, byNumber)
	changed = append(changed, blocks[max(0, len(blocks)-mostBlocks):]...)
	fresh := h.path(asideDir) + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return false, err
	}
	for _, name := range changed {
		into := filepath.Join(fresh, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(into), 0o700); err != nil {
			return false, err
		}
		if err := copyFile(filepath.Join(h.path("nats"), filepath.FromSlash(name)), into); err != nil {
			return false, err
		}
	}
	return true, renameFile(fresh, h.path(asideDir))
}

// byNumber orders blocks as the server counts them: 2.blk before 10.blk.
func byNumber(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}
