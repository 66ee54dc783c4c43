package main

import (
	"crypto/sha256"
	"encoding/hex"
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

// placesFile is what a clean stop notes of the subscribers' durables: their digests. Nothing
// else holds what is in them. It isn't there while the ledger is served.
const placesFile = "places.json"

// mostBlocks is how many of the changed blocks are copied, the last ones.
const mostBlocks = 2

// renewedFile is what a file of the stream is written into that is to be put in its
// place. It lies outside of the stream's directory, where the server would take it for
// one of its own.
const renewedFile = "nats.renewed"

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

// unclean are the stream's files that are not as the last clean stop noted them: the
// last blocks, and all that is no block.
func (h *home) unclean() ([]string, error) {
	now, err := streamFiles(h.path("nats"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("look at the stream's files: %w", err)
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
	slices.SortFunc(blocks, byNumber)
	return append(changed, blocks[max(0, len(blocks)-mostBlocks):]...), nil
}

// setAside copies those files, and says whether it did. What an earlier start copied
// that found something missing is left as it is.
func (h *home) setAside(changed []string) (bool, error) {
	switch _, err := os.Stat(h.path(asideDir)); {
	case err == nil || len(changed) == 0:
		return false, nil
	case !errors.Is(err, fs.ErrNotExist):
		return false, err
	}
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

// renew writes those files anew, each into another file that takes its place. Where a
// sync fails, what it was to save counts as saved from then on: it is read, nothing
// syncs it again, and a power cut takes it. Whatever is built on what a stop left that
// was not clean, is built on what is on the disk (TestAnErrorOfASyncIsNoAck).
func (h *home) renew(changed []string) error {
	for _, name := range changed {
		was := filepath.Join(h.path("nats"), filepath.FromSlash(name))
		b, err := os.ReadFile(was)
		if err != nil {
			return err
		}
		if err := replaceBy(h.path(renewedFile), was, b, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// dropIndex removes what the server remembers of the stream besides its blocks, from
// which it makes that anew. Where an append failed, it may remember one that isn't there,
// and would take its number for used (TestAnIndexThatIsAheadIsDroppedWithWhatFailed).
func (h *home) dropIndex() error {
	indexes, err := below(h.data, "nats/jetstream/*/streams/*/msgs/index.db")
	for _, index := range indexes {
		err = errors.Join(err, os.Remove(index))
	}
	return err
}

// durables are the digests of the files of each durable, by its name.
func (h *home) durables() (map[string]string, error) {
	dirs, err := below(h.data, "nats/jetstream/*/streams/*/obs/*")
	if err != nil {
		return nil, err
	}
	digests := map[string]string{}
	for _, dir := range dirs {
		files, err := os.ReadDir(dir)
		if err != nil {
			return nil, err
		}
		all := sha256.New()
		for _, f := range files {
			b, err := os.ReadFile(filepath.Join(dir, f.Name()))
			if err != nil {
				return nil, err
			}
			fmt.Fprintf(all, "%s %x\n", f.Name(), sha256.Sum256(b))
		}
		rel, err := filepath.Rel(h.path("nats"), dir)
		if err != nil {
			return nil, err
		}
		digests[filepath.ToSlash(rel)] = hex.EncodeToString(all.Sum(nil))
	}
	return digests, nil
}

// notePlaces notes where the subscribers are, the server having stopped.
func (h *home) notePlaces() error {
	digests, err := h.durables()
	if err != nil {
		return err
	}
	b, err := json.Marshal(digests)
	if err == nil {
		err = replaceFile(h.path(placesFile), b, 0o600)
	}
	return err
}

// dropPlaces removes the durables that aren't as the last clean stop noted them, so
// that their subscribers get every event again, rather than not some. It names them.
// After a stop that wasn't clean nothing is known of them.
func (h *home) dropPlaces() (dropped []string, err error) {
	b, err := os.ReadFile(h.path(placesFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var before map[string]string
	_ = json.Unmarshal(b, &before) // what it can't say counts as changed
	now, err := h.durables()
	if err != nil {
		return nil, err
	}
	for name, digest := range now {
		if before[name] == digest {
			continue
		}
		dropped = append(dropped, filepath.Base(name))
		if err := os.RemoveAll(filepath.Join(h.path("nats"), filepath.FromSlash(name))); err != nil {
			return nil, err
		}
	}
	slices.Sort(dropped)
	return dropped, os.Remove(h.path(placesFile))
}

// byNumber orders blocks as the server counts them: 2.blk before 10.blk.
func byNumber(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// below is what lies in a directory under names of the pattern, whatever the directory's
// own name has in it.
func below(dir, pattern string) ([]string, error) {
	paths, err := fs.Glob(os.DirFS(dir), pattern)
	for i := range paths {
		paths[i] = filepath.Join(dir, filepath.FromSlash(paths[i]))
	}
	return paths, err
}
