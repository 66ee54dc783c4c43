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

// recover opens what is on disk. The server skips a stream that it can't read,
// with a warning; here that ends the start, since a new stream in its place would
// hide the loss (TestDamagedStreamEndsTheStart). What a crash left while a stream
// was being made holds no message and would never be read again: it is removed, so
// that the stream can be made (TestCreationKilledAnywhereIsFinished).
func (s *Server) recover(store string, ledger *server.Account) error {
	if err := ledger.EnableJetStream(nil, nil); err != nil {
		return fmt.Errorf("natsd: open the store: %w", err)
	}
	if err := s.voice.fatal(); err != nil {
		return err
	}
	read, err := s.streams(ledger.Name)
	if err != nil {
		return fmt.Errorf("natsd: open the store: %w", err)
	}
	dir := filepath.Join(store, server.JetStreamStoreDir, ledger.Name, "streams")
	kept, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("natsd: open the store: %w", err)
	}
	for _, e := range kept {
		// The server renames what it deletes so, and removes it by itself.
		if read[e.Name()] || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		path := filepath.Join(dir, e.Name())
		holds, err := holdsMessages(path)
		if err != nil {
			return fmt.Errorf("natsd: open the store: %w", err)
		}
		if holds {
			return fmt.Errorf("natsd: stream %s is on disk and can't be read: %s", e.Name(), s.voice.lastWarning())
		}
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("natsd: remove a stream that was never made: %w", err)
		}
	}
	return nil
}

// streams are the names of the streams that the account has now.
func (s *Server) streams(account string) (map[string]bool, error) {
	info, err := s.ns.Jsz(&server.JSzOptions{Account: account, Streams: true})
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, a := range info.AccountDetails {
		for _, d := range a.Streams {
			names[d.Name] = true
		}
	}
	return names, nil
}

// holdsMessages says whether a message was ever written into the stream of this
// directory.
func holdsMessages(stream string) (bool, error) {
	blocks, err := os.ReadDir(filepath.Join(stream, "msgs"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, b := range blocks {
		info, err := b.Info()
		if err != nil {
			return false, err
		}
		if strings.HasSuffix(b.Name(), ".blk") && info.Size() > 0 {
			return true, nil
		}
	}
	return false, nil
}
