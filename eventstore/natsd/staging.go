package natsd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// stagedPrefix begins the name of each directory in which batches are staged in memory.
	stagedPrefix = "assent-"
	// stagedFor is a link in it, back to the link that leads to it.
	stagedFor = "for"
)

// stagingOf is where the server stages the batches of the ledger's stream: a file
// store for each, of a directory and six files, made, synced, read back and removed.
func stagingOf(store string) string {
	return filepath.Join(store, server.JetStreamStoreDir, "LEDGER", "streams", "LEDGER", "batches")
}

// StageInMemory lets batches be staged in memory: on a disk that costs more than the
// rest of a batch (docs/decisions/0015). It is called when the stream is there and
// nothing is being appended. The path of the directory that it made in memory is
// returned, and empty where the machine has no place for it: batches are staged on
// disk then, as the server does by itself.
func (s *Server) StageInMemory() (string, error) {
	memory := memoryDir()
	if memory == "" {
		return "", nil
	}
	dropOrphans(memory)
	if !hasRoom(memory) {
		return "", nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done || s.staging != "" {
		return s.staging, nil
	}
	dir, err := os.MkdirTemp(memory, stagedPrefix)
	if err != nil {
		return "", fmt.Errorf("natsd: stage batches in memory: %w", err)
	}
	place, err := filepath.Abs(stagingOf(s.storeDir))
	if err == nil {
		err = os.RemoveAll(place)
	}
	if err == nil {
		err = os.Symlink(dir, place)
	}
	if err == nil {
		err = os.Symlink(place, filepath.Join(dir, stagedFor))
	}
	if err != nil {
		return "", fmt.Errorf("natsd: stage batches in memory: %w", errors.Join(err, os.RemoveAll(dir)))
	}
	s.staging = dir
	return dir, nil
}

// dropOrphans removes what this user's ledgers left in memory that were killed and are
// gone since: nothing leads there any more.
func dropOrphans(memory string) {
	dirs, err := filepath.Glob(filepath.Join(memory, stagedPrefix+"*"))
	if err != nil {
		return // of a bad pattern, and it is none
	}
	for _, dir := range dirs {
		place, err := os.Readlink(filepath.Join(dir, stagedFor))
		if err != nil || !isOwn(dir) {
			continue // it is being made, or another user's
		}
		if to, err := os.Readlink(place); err != nil || to != dir {
			_ = os.RemoveAll(dir)
		}
	}
}

// StageOnDisk ends StageInMemory: it says whether batches were staged in memory. What
// is staged is lost, and its batch refused when it is committed.
func (s *Server) StageOnDisk() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	dir := s.staging
	if dir == "" {
		return false
	}
	s.staging = ""
	_ = os.Remove(stagingOf(s.storeDir)) // as the next start would
	_ = os.RemoveAll(dir)
	return true
}

// leftStaging is where batches were staged in memory by a process that was killed: what
// it was committing is there still, unless the machine was started anew since. Whatever
// else the link leads to isn't ours, and mustn't be read: it is removed.
func leftStaging(store string) (string, error) {
	place := stagingOf(store)
	if info, err := os.Lstat(place); errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode().Type() != fs.ModeSymlink {
		return "", nil
	}
	dir, err := os.Readlink(place)
	if err != nil {
		return "", fmt.Errorf("natsd: look where batches were staged: %w", err)
	}
	below, name := filepath.Split(dir)
	if memory := memoryDir(); memory != "" && filepath.Clean(below) == memory && strings.HasPrefix(name, stagedPrefix) && isOwn(dir) {
		return dir, nil
	}
	if err := os.Remove(place); err != nil {
		return "", fmt.Errorf("natsd: remove what no batch was staged in: %w", err)
	}
	return "", nil
}
