package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"

	"github.com/qtccc/assent/commands"
	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore"
	"github.com/qtccc/assent/eventstore/cloudevent"
	"github.com/qtccc/assent/projections"
)

// The ledger's log is signed by every key of these in the keys directory:
//
//	log.key         the one in force
//	log.key.next    made to replace it, until ledger.rekeyed names it
//	log.key.before  the one that it replaced, for 30 days
//
// So a checkpoint that has ledger.rekeyed is signed by the key that it names, whenever
// the process ended, and whoever knows only the old one has 30 days to learn the new.
const (
	logKeyFile   = "log.key"
	nextSuffix   = ".next"
	beforeSuffix = ".before"
	bothSign     = 30 * 24 * time.Hour
)

func (h *home) logKeyPath(suffix string) string { return filepath.Join(h.keys, logKeyFile+suffix) }

// makeLogKey makes a key for the ledger's log, where the file isn't there yet.
func (h *home) makeLogKey(suffix string) error {
	path := h.logKeyPath(suffix)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	secret, _, err := note.GenerateKey(rand.Reader, originOf(h))
	if err != nil {
		return err
	}
	return replaceFile(path, []byte(secret+"\n"), 0o600)
}

// readLogKey reads a secret key of the log, and its public one.
func readLogKey(path string) (signer note.Signer, public string, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, "", fmt.Errorf("read the key of the ledger's log: %w; put it back, or name the keys directory with --keys", err)
	}
	defer clear(b)
	secret := strings.TrimSuffix(string(b), "\n")
	signer, err = note.NewSigner(secret)
	if err == nil && !strings.HasPrefix(secret, fmt.Sprintf("PRIVATE+KEY+%s+%08x+", signer.Name(), signer.KeyHash())) {
		err = errors.New("it is spelled in another way") // a hash in capitals, which note takes too
	}
	if err == nil {
		public, err = verifierOf(secret)
	}
	if err != nil {
		return nil, "", fmt.Errorf("%s is no C2SP signer key: %w", path, err)
	}
	return signer, public, nil
}

// logKey is the public key of the ledger's log that is in force, by its secret one.
func (h *home) logKey() (string, error) {
	_, public, err := readLogKey(h.logKeyPath(""))
	return public, err
}

// logKeys are all that sign the log, with their public keys, the one in force first.
// Where it is lost it is missing.
func (h *home) logKeys() (signers []note.Signer, public []string, err error) {
	for _, suffix := range []string{"", nextSuffix, beforeSuffix} {
		signer, key, err := readLogKey(h.logKeyPath(suffix))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		signers, public = append(signers, signer), append(public, key)
	}
	return signers, public, nil
}

// knownLog are the keys by which the log's checkpoints are believed.
func (h *home) knownLog() (note.Verifiers, error) {
	if _, err := h.logKey(); err != nil {
		return nil, err
	}
	_, public, err := h.logKeys()
	if err != nil {
		return nil, err
	}
	return knownKeys(public...)
}

// knownKeys believes checkpoints that any of the public keys signed.
func knownKeys(public ...string) (note.Verifiers, error) {
	var all []note.Verifier
	for _, key := range public {
		v, err := note.NewVerifier(key)
		if err != nil {
			return nil, fmt.Errorf("%q is no public key of a log (name+hash+base64): %w", key, err)
		}
		all = append(all, v)
	}
	return note.VerifierList(all...), nil
}

// openLogKeys gives the keys that sign, and those that are believed. A lost key's
// public one is the word of the stream, which a witness or an auditor's checkpoint can
// be held against.
func (s *service) openLogKeys(ctx context.Context) (signers []note.Signer, known note.Verifiers, err error) {
	_, err = s.home.logKey()
	lost := errors.Is(err, fs.ErrNotExist)
	if lost && !s.lostLogKey {
		return nil, nil, fmt.Errorf("%w; if it is lost, start with --lost-log-key and replace it with `assent ledger rekey`", err)
	}
	if err != nil && !lost {
		return nil, nil, err
	}
	signers, public, err := s.home.logKeys()
	if err == nil && lost {
		s.log.Warn("the key of the ledger's log is lost: no checkpoint is signed until `assent ledger rekey` names another")
		err = s.events.Read(ctx, 1, 0, func(m eventstore.Message) error {
			if m.Seq == 1 || strings.HasSuffix(m.Subject, ".ledger.rekeyed") {
				key, err := logKeyIn(m.Data)
				if key != "" && !slices.Contains(public, key) {
					public = append(public, key)
				}
				return err
			}
			return nil
		})
	}
	if err == nil {
		known, err = knownKeys(public...)
	}
	return signers, known, err
}

// logKeyIn is the key that an event names as the log's; empty: none.
func logKeyIn(message []byte) (string, error) {
	d, err := cloudevent.Parse(message)
	if err != nil {
		return "", err
	}
	e, err := d.Event()
	if err != nil {
		return "", err
	}
	switch c := e.Data.(type) {
	case *domain.LedgerOpen:
		return string(c.Log), nil
	case *domain.LedgerRekey:
		return string(c.Log), nil
	}
	return "", nil
}

// recordedEvent is told of each event before a checkpoint has it.
func (s *service) recordedEvent(seq uint64, message []byte) {
	if bytes.Contains(message, []byte(`"ledger.rekeyed"`)) { // which may be somebody's words as well
		if signers, _, err := s.home.logKeys(); err != nil {
			s.log.Error("the keys of the log can't be read", "err", err)
		} else {
			s.notary.Resign(signers...)
		}
		s.rekeyed.Store(seq)
	}
	s.notary.Take(seq, message)
}

// settleLogKeys brings the key files to what was recorded, and the old key to its end.
// What is in the way of that is an alarm.
func (s *service) settleLogKeys(now time.Time) {
	err := s.settleKeys(now)
	if err == nil {
		s.logAlarm.Store(nil)
		return
	}
	s.log.Error("the keys of the ledger's log", "err", err)
	why := err.Error()
	s.logAlarm.Store(&why)
}

func (s *service) settleKeys(now time.Time) error {
	l, err := s.ledger()
	if err != nil || l == nil {
		return err
	}
	if err := s.home.replaceLogKey(string(l.Log)); err != nil {
		return err
	}
	if before := s.home.logKeyPath(beforeSuffix); isFile(before) && !l.Rekeyed.IsZero() && now.Sub(l.Rekeyed) >= bothSign {
		if err := errors.Join(os.Remove(before), syncDir(s.home.keys)); err != nil {
			return fmt.Errorf("remove the log's old key: %w", err)
		}
		s.log.Info("the log's old key signs no more, and was removed")
	}
	signers, public, err := s.home.logKeys()
	if err != nil {
		return err
	}
	s.notary.Resign(signers...)
	if len(public) == 0 || public[0] != string(l.Log) {
		suffix := "" // it is lost
		if isFile(s.home.logKeyPath("")) {
			suffix = nextSuffix // beside the one that signed until now
		}
		return fmt.Errorf("the log's key is to be %s, and its secret one is not here: put it into %s and start again, or replace it with `assent ledger rekey`",
			l.Log, s.home.logKeyPath(suffix))
	}
	return nil
}

// ledger is what is known of the ledger; nil: it isn't opened yet.
func (s *service) ledger() (l *domain.Ledger, err error) {
	err = projections.Guard(func() {
		if known, ok := s.store.Live().Get(domain.Key{Kind: domain.KindLedger}); ok {
			l = known.Fact.(*domain.Ledger)
		}
	})
	return l, err
}

// tendLogKeys settles the keys where ledger.rekeyed was recorded, or an hour has passed
// since it did, and says when it did last.
func (s *service) tendLogKeys(last time.Time) time.Time {
	now, rekeyed := time.Now(), s.rekeyed.Load()
	known, _ := s.store.Position()
	if (rekeyed == 0 || known < rekeyed) && now.Sub(last) < time.Hour {
		return last
	}
	s.settleLogKeys(now)
	s.rekeyed.CompareAndSwap(rekeyed, 0) // or another one was recorded meanwhile
	return now
}

// replaceLogKey puts the next key in the place of the one in force, if it is the
// recorded one: first the old one is kept, then the new one takes its name. It may be
// cut short anywhere, and done again.
func (h *home) replaceLogKey(recorded string) error {
	_, next, err := readLogKey(h.logKeyPath(nextSuffix))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || next != recorded {
		return err
	}
	old, err := os.ReadFile(h.logKeyPath(""))
	defer clear(old)
	if err == nil {
		err = replaceFile(h.logKeyPath(beforeSuffix), old, 0o600)
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) { // it is lost
		err = renameFile(h.logKeyPath(nextSuffix), h.logKeyPath(""))
	}
	if err != nil {
		return fmt.Errorf("put the log's new key in its place: %w", err)
	}
	return nil
}

// rekeyLog makes the log's next key where no public key is given. It is there before
// ledger.rekeyed is recorded, so that no recorded one is missing.
func rekeyLog(a *app, cmd *cobra.Command) sender {
	cmd.Long += `

Without --log a key is made in the keys directory of the service, which has to be this one's. For
30 days the old key and the new one both sign every checkpoint; give the new one to your auditors
and witnesses meanwhile. Then the old one is removed.`
	return func(ctx context.Context, plain *commands.Plain, data map[string]any) error {
		if data["log"] != nil {
			return a.issue(ctx, plain, data)
		}
		h, err := findHome(a.data, a.keysPath)
		if err != nil {
			return err
		}
		if h.state != made {
			return fmt.Errorf("there is no ledger in %s; name another with --data", h.data)
		}
		path := h.logKeyPath(nextSuffix)
		if err := h.makeLogKey(nextSuffix); err != nil {
			return fmt.Errorf("make the log's next key: %w", err)
		}
		_, key, err := readLogKey(path)
		if err != nil {
			return err
		}
		data["log"] = key
		ans, err := a.submit(ctx, plain, data)
		if err == nil && ans.Error != nil && !ans.open() {
			err = os.Remove(path) // nothing was recorded of it
		}
		if err != nil {
			return err
		}
		if err = a.report(plain, ans); err == nil && !a.json {
			_, err = fmt.Fprintf(a.out, "the log's key is now %s\n", key)
		}
		return err
	}
}
