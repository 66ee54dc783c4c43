package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/qtccc/assent/eventstore"
	"github.com/qtccc/assent/eventstore/cloudevent"
	"github.com/qtccc/assent/eventstore/natsd"
	"github.com/qtccc/assent/eventstore/notary"
	"github.com/qtccc/assent/projections"
)

func repairCommand(a *app) *cobra.Command {
	archive := ""
	cmd := &cobra.Command{
		Use:   "repair",
		Short: "mend the stream from the archive, or the archive from the stream",
		Long: `Repair reads the stream and the archive against the last checkpoint. Where one of them is not what
was recorded it is made anew from the other, event for event at its sequence, so that the tree has
the same root. What was damaged is kept beside it, under a name that ends in .damaged and the
time. Events that the last checkpoint doesn't have yet are taken over from the stream where they
can still be read, and named. The ledger must not be served meanwhile.`,
		Example: "  assent repair --data /srv/assent --archive /mnt/second/assent",
		Args:    noWord,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := findHome(a.data, a.keysPath)
			if err != nil {
				return err
			}
			if h.state != made {
				return fmt.Errorf("there is no ledger in %s to repair; name another with --data", h.data)
			}
			if err := h.take(); err != nil {
				return err
			}
			defer h.release()
			if archive == "" {
				archive = h.archiveDir()
			}
			r := &repair{app: a, home: h, dir: archive, at: time.Now().UTC().Format("20060102T150405Z")}
			return r.run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&archive, "archive", "", "the `directory` of the second copy (default DIR/archive)")
	_ = cmd.MarkFlagDirname("archive")
	return cmd
}

// A repair is one run of the command. One goroutine owns it.
type repair struct {
	*app
	home  *home
	dir   string // the archive's
	at    string // the time, as names of files have it
	known note.Verifiers

	log *notary.Archive // at the checkpoint; nil: its tree isn't there
	bad map[uint64]bool // bundles of the archive that are not what was recorded

	nats   *natsd.Server // over a copy of the stream; nil: it can't be read at all
	stream *eventstore.Log
	last   uint64 // of the copy
	whole  bool   // every event of it up to the checkpoint is what was recorded

	models *projections.Store // nil: they can't be read
	seen   uint64             // the last event that they took in
}

func (r *repair) say(format string, args ...any) error {
	_, err := fmt.Fprintf(r.out, format+"\n", args...)
	return err
}

func (r *repair) run(ctx context.Context) (err error) {
	if r.known, err = r.home.knownLog(); err != nil {
		return err
	}
	c, err := r.checkpoint()
	if err != nil {
		return err
	}
	if err := r.openArchive(c); err != nil {
		return err
	}
	aside := r.home.path("nats") + ".repairing"
	defer func() {
		r.close()
		err = errors.Join(err, os.RemoveAll(aside))
	}()
	if err := r.openCopy(ctx, aside); err != nil {
		return err
	}
	if err := r.assess(ctx, c); err != nil {
		return err
	}
	if err := r.openModels(); err != nil {
		return err
	}
	sound := r.log != nil && len(r.bad) == 0
	switch {
	case r.whole && sound:
		r.close()
		if err := errors.Join(os.RemoveAll(r.home.path("models")), os.RemoveAll(r.home.path(asideDir))); err != nil {
			return fmt.Errorf("remove the read models: %w", err)
		}
		return r.say("nothing to repair: the stream and the archive are what was recorded, %d events; the next start makes the read models anew", c.Size)
	case r.whole:
		return r.renewArchive()
	case r.log == nil:
		return fmt.Errorf("neither the stream nor the archive in %s is what was recorded, so nothing can be mended here; "+
			"put one of them back from a backup and run this again", r.dir)
	}
	return r.renewStream(ctx, c)
}

// checkpoint is the last one. Where it is missing or damaged, its copy in the archive
// is, which may be older.
func (r *repair) checkpoint() (notary.Checkpoint, error) {
	var c notary.Checkpoint
	path := filepath.Join(r.home.notaryDir(), checkpointName)
	signed, err := os.ReadFile(path)
	if err == nil {
		c, err = notary.OpenCheckpoint(signed, originOf(r.home), r.known)
	}
	if err == nil {
		return r.later(c)
	}
	copied := filepath.Join(r.dir, checkpointName)
	signed, copyErr := os.ReadFile(copied)
	if copyErr == nil {
		c, copyErr = notary.OpenCheckpoint(signed, originOf(r.home), r.known)
	}
	if copyErr != nil {
		return c, fmt.Errorf("there is no checkpoint of this ledger: %w; its copy in the archive: %w; put one back from a backup or from whoever keeps one", err, copyErr)
	}
	if err := makeDir(r.home.notaryDir()); err != nil {
		return c, err
	}
	if err := replaceFile(path, signed, 0o600); err != nil {
		return c, fmt.Errorf("put the checkpoint back: %w", err)
	}
	return c, r.say("the checkpoint was missing or damaged (%v); its copy in the archive is in its place, of %d events: whoever keeps a later one should compare", err, c.Size)
}

// later is the checkpoint, or its copy in the archive where that is of more events: then
// an older one was put back.
func (r *repair) later(c notary.Checkpoint) (notary.Checkpoint, error) {
	signed, err := os.ReadFile(filepath.Join(r.dir, checkpointName))
	if err != nil {
		return c, nil // it is no authority
	}
	copied, err := notary.OpenCheckpoint(signed, originOf(r.home), r.known)
	if err != nil || copied.Size <= c.Size {
		return c, nil
	}
	if log, err := notary.OpenArchive(os.DirFS(r.dir), r.dir, copied); err == nil { // else the stream has to have its root
		if err := log.Consistent(c); err != nil {
			return c, fmt.Errorf("the archive is of another history than the last checkpoint: %w", err)
		}
	}
	if err := replaceFile(filepath.Join(r.home.notaryDir(), checkpointName), signed, 0o600); err != nil {
		return c, fmt.Errorf("put the checkpoint back: %w", err)
	}
	return copied, r.say("the checkpoint was an older one, of %d events; its copy in the archive, of %d, is in its place", c.Size, copied.Size)
}

// openArchive reads the whole archive against the checkpoint.
func (r *repair) openArchive(c notary.Checkpoint) error {
	log, err := notary.OpenArchive(os.DirFS(r.dir), r.dir, c)
	if d := (*notary.Damage)(nil); errors.As(err, &d) {
		return r.say("the archive is damaged: %v", d)
	} else if err != nil {
		return err
	}
	r.log, r.bad = log, map[uint64]bool{}
	bar := showProgress("reading the archive", int64(log.Bundles()))
	defer bar.done()
	for n := range log.Bundles() {
		_, _, err := log.Bundle(n)
		if d := (*notary.Damage)(nil); errors.As(err, &d) {
			r.bad[n] = true
			if err := r.say("the archive is damaged: %v", d); err != nil {
				return err
			}
		} else if err != nil {
			return err
		}
		bar.add(1)
	}
	return nil
}

// openCopy starts a server over a copy of the stream: what it does to damaged blocks
// it does to the copy.
func (r *repair) openCopy(ctx context.Context, dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	err := copyDir(r.home.path("nats"), dir)
	if errors.Is(err, fs.ErrNotExist) {
		return r.say("the stream is missing: there is no %s", r.home.path("nats"))
	}
	if err != nil {
		return fmt.Errorf("copy the stream: %w", err)
	}
	if r.nats, r.stream, err = r.open(ctx, dir, eventstore.Open); err == nil {
		r.last, err = r.stream.Last(ctx)
	}
	if err != nil {
		r.close()
		return r.say("the stream can't be opened: %v", err)
	}
	return nil
}

func (r *repair) open(ctx context.Context, dir string, how func(context.Context, *nats.Conn, string, ...eventstore.Option) (*eventstore.Log, error)) (*natsd.Server, *eventstore.Log, error) {
	s, err := natsd.Start(ctx, natsd.Config{StoreDir: dir, Name: string(r.home.card.Ledger), Log: r.logger()})
	if err != nil {
		return nil, nil, err
	}
	nc, err := s.Ledger()
	var log *eventstore.Log
	if err == nil {
		log, err = how(ctx, nc, string(r.home.card.Ledger))
	}
	if err != nil {
		s.Stop()
		return nil, nil, err
	}
	return s, log, nil
}

// openModels opens the read models, which took in every event as soon as it was
// durable, and have the documents of the last ones.
func (r *repair) openModels() error {
	store, err := projections.OpenStore(r.home.path("models"), projections.Config{Log: r.logger()})
	if err != nil {
		return r.say("the read models can't be opened, and are made anew: %v", err)
	}
	r.models = store
	if r.seen, _ = store.Position(); r.seen > r.last && r.stream != nil {
		r.whole = false
		return r.say("the stream is damaged: it ends at event %d, and the read models know of %d", r.last, r.seen)
	}
	return nil
}

func (r *repair) close() {
	if r.models != nil {
		_ = r.models.Close() // it was read only
		r.models = nil
	}
	if r.stream != nil {
		_ = r.stream.Close() // nothing is on its way
	}
	if r.nats != nil {
		r.nats.Stop()
	}
	r.nats, r.stream, r.last = nil, nil, 0
}

// assess reads the copy against the checkpoint: by the leaves where the archive has
// them, else by the root.
func (r *repair) assess(ctx context.Context, c notary.Checkpoint) error {
	if r.stream == nil {
		return nil
	}
	if r.last < c.Size {
		return r.say("the stream is damaged: it ends at event %d, and the checkpoint has %d", r.last, c.Size)
	}
	bar := showProgress("reading the stream", int64(c.Size))
	defer bar.done()
	var stored storedHashes
	if c.Size == 0 {
		return r.promised(ctx)
	}
	err := r.stream.Read(ctx, 1, c.Size, func(m eventstore.Message) error {
		bar.add(1)
		leaf := tlog.RecordHash(m.Data)
		if r.log == nil {
			return stored.add(leaf)
		}
		want, err := r.log.Leaf(m.Seq)
		if d := (*notary.Damage)(nil); errors.As(err, &d) {
			r.log = nil // its tiles are damaged: the stream has to have the root by itself
			return errAgain
		}
		if err == nil && leaf != want {
			err = &notary.Damage{Where: fmt.Sprintf("event %d", m.Seq), Why: "the stream holds other bytes than were recorded"}
		}
		return err
	})
	d := (*notary.Damage)(nil)
	switch {
	case errors.Is(err, errAgain):
		return r.assess(ctx, c)
	case errors.As(err, &d) || errors.Is(err, eventstore.ErrGap):
		return r.say("the stream is damaged: %v", err)
	case err != nil:
		return err
	case r.log == nil:
		root, err := stored.root()
		if err != nil {
			return err
		}
		if root != c.Root {
			return r.say("the stream is damaged: its first %d events are not those of the checkpoint", c.Size)
		}
	}
	return r.promised(ctx)
}

// promised looks whether the stream has what the archive's journal has beyond the
// checkpoint: it was answered once both had it.
func (r *repair) promised(ctx context.Context) error {
	if r.log != nil {
		beyond, err := r.log.Beyond()
		if err != nil {
			return err
		}
		for i, m := range beyond {
			seq := r.log.Size + uint64(i) + 1
			if has, err := r.stream.Get(ctx, seq); err != nil || !bytes.Equal(has.Data, m) {
				return r.say("the stream is damaged: event %d is not the one that the archive has", seq)
			}
		}
	}
	r.whole = true
	return nil
}

var errAgain = errors.New("again")

// storedHashes are those of a tree, in tlog's order.
type storedHashes struct {
	hashes []tlog.Hash
	n      int64
}

func (s *storedHashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, at := range indexes {
		out[i] = s.hashes[at]
	}
	return out, nil
}

func (s *storedHashes) add(leaf tlog.Hash) error {
	more, err := tlog.StoredHashesForRecordHash(s.n, leaf, s)
	s.hashes, s.n = append(s.hashes, more...), s.n+1
	return err
}

func (s *storedHashes) root() (tlog.Hash, error) { return tlog.TreeHash(s.n, s) }

// renewArchive puts the archive aside; the next start makes it anew from the stream,
// which was found to be what was recorded.
func (r *repair) renewArchive() error {
	aside := r.dir + ".damaged-" + r.at
	if err := os.Rename(r.dir, aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("put the archive aside: %w", err)
	}
	return r.say("the stream is what was recorded; the archive was put aside as %s, and the next start makes it anew", aside)
}

// renewStream makes the stream anew from the archive; where a bundle of it is bad,
// from the old stream; and what the checkpoint doesn't have yet from the old stream
// too.
func (r *repair) renewStream(ctx context.Context, c notary.Checkpoint) (err error) {
	last := r.last
	fresh := r.home.path("nats") + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return err
	}
	server, log, err := r.open(ctx, fresh, eventstore.Create)
	if err != nil {
		return fmt.Errorf("make the stream anew: %w", err)
	}
	more, err := r.fill(ctx, log)
	err = errors.Join(err, log.Close())
	server.Stop()
	if err != nil {
		return errors.Join(err, os.RemoveAll(fresh))
	}
	r.close()
	old, aside := r.home.path("nats"), r.home.path("nats")+".damaged-"+r.at
	if err := os.Rename(old, aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("put the damaged stream aside: %w", err)
	}
	if err := renameFile(fresh, old); err != nil {
		return fmt.Errorf("put the new stream in its place: %w; rename %s to %s", err, fresh, old)
	}
	// The read models may know of events that are lost; the next start makes them anew.
	if err := errors.Join(os.RemoveAll(r.home.path("models")), os.RemoveAll(r.home.path(asideDir))); err != nil {
		return fmt.Errorf("remove the read models: %w", err)
	}
	if len(r.bad) > 0 {
		if err := r.renewArchive(); err != nil {
			return err
		}
	}
	if err := r.say("the stream was made anew from the archive: %d events, the root %v; the damaged one is %s", c.Size, c.Root, aside); err != nil {
		return err
	}
	if more > 0 {
		err = r.say("events %d to %d no checkpoint has yet: they were taken over as the archive's journal, the damaged stream or the read models have them", c.Size+1, c.Size+more)
	}
	if end := max(r.seen, last); err == nil && end > c.Size+more {
		err = r.say("EVENTS %d TO %d ARE LOST: nothing has them any more, but that they were there", c.Size+more+1, end)
	}
	return err
}

// fill appends every event to a new stream, and says how many of them come after the
// checkpoint.
func (r *repair) fill(ctx context.Context, log *eventstore.Log) (more uint64, err error) {
	bar := showProgress("making the stream anew", int64(r.log.Size))
	defer bar.done()
	var after uint64
	put := func(messages [][]byte) error {
		entries := make([]eventstore.Entry, len(messages))
		for i, m := range messages {
			d, err := cloudevent.Parse(m)
			if err != nil {
				return fmt.Errorf("event %d: %w", after+uint64(i)+1, err)
			}
			entries[i] = eventstore.Entry{Subject: d.NATSSubject(), Data: m}
		}
		if err := log.Append(after, entries).Err(); err != nil {
			return fmt.Errorf("append after event %d: %w", after, err)
		}
		after += uint64(len(entries))
		bar.add(len(entries))
		return ctx.Err()
	}
	for n := range r.log.Bundles() {
		_, messages, err := r.log.Bundle(n)
		if r.bad[n] {
			messages, err = r.fromStream(ctx, n)
		}
		if err == nil {
			err = put(messages)
		}
		if err != nil {
			return 0, err
		}
	}
	beyond, err := r.log.Beyond()
	if err != nil {
		return 0, err
	}
	for _, m := range beyond { // answered once both copies had it
		if err := put([][]byte{m}); err != nil {
			return 0, err
		}
		more++
	}
	for seq := after + 1; ; seq++ {
		m := r.unproven(ctx, seq)
		if m == nil {
			return more, nil // what comes after it is nothing without it
		}
		if err := put([][]byte{m}); err != nil {
			return 0, err
		}
		more++
	}
}

// unproven is an event that no checkpoint has, as the old stream has it, or else the
// documents of the read models; nil where neither does.
func (r *repair) unproven(ctx context.Context, seq uint64) []byte {
	good := func(b []byte) bool {
		d, err := cloudevent.Parse(b)
		return err == nil && d.Seq == seq && d.Ledger == r.home.card.Ledger
	}
	if r.stream != nil && seq <= r.last {
		if m, err := r.stream.Get(ctx, seq); err == nil && good(m.Data) {
			return m.Data
		}
	}
	if r.models != nil && seq <= r.seen {
		if b, ok, err := r.models.Document(seq); err == nil && ok && good(b) {
			return b
		}
	}
	return nil
}

// fromStream is a bundle that the archive has lost, where the old stream has it as it
// was recorded.
func (r *repair) fromStream(ctx context.Context, n uint64) (messages [][]byte, err error) {
	first, count := r.log.Range(n)
	for seq := first; seq < first+count; seq++ {
		lost := fmt.Errorf("event %d is what was recorded neither in the stream nor in the archive; put one of them back from a backup and run this again", seq)
		if r.stream == nil {
			return nil, lost
		}
		m, err := r.stream.Get(ctx, seq)
		if err != nil {
			return nil, lost
		}
		if leaf, err := r.log.Leaf(seq); err != nil || leaf != tlog.RecordHash(m.Data) {
			return nil, lost
		}
		messages = append(messages, m.Data)
	}
	return messages, nil
}

// copyDir copies a directory with all that is in it; a lock file isn't.
func copyDir(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		into := filepath.Join(to, rel)
		if d.IsDir() {
			return os.MkdirAll(into, 0o700)
		}
		if !d.Type().IsRegular() {
			return nil
		}
		return copyFile(path, into)
	})
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // it was read only
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
