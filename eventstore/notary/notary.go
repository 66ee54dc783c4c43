package notary

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// A Stream is where the messages are, the one truth.
type Stream interface {
	// Last is the sequence of the last message; 0: none.
	Last(ctx context.Context) (uint64, error)
	// Read gives the messages from..to, in order and without a gap. What it gives is
	// good only until each returns.
	Read(ctx context.Context, from, to uint64, each func(seq uint64, message []byte) error) error
}

// A Config says what a notary keeps where. Origin, Dir, Archive, Signers, Known and
// Stream are wanted.
type Config struct {
	// Origin names the log: assent/ and the ledger's UUID.
	Origin string
	// Dir is where the last checkpoint is kept, Archive where the tiles and the bundles
	// are. They are made where they aren't there; they may be the same, and are best
	// not on the same disk as the stream. Dir is locked until Close.
	Dir, Archive string
	// Served says that the ledger was served before: then there is a checkpoint, and
	// one that isn't there is missing.
	Served bool
	// Signers sign every checkpoint, until Resign. None: nothing is archived.
	Signers []note.Signer
	// Known are the log's own keys that may have signed the checkpoint that is kept.
	Known  note.Verifiers
	Stream Stream
	// Every is how old a message gets before a checkpoint has it. 0: half a second.
	Every time.Duration
	// Witnesses are asked to cosign checkpoints, each at most once in Pace (0: a
	// second). None of them ever holds up a checkpoint.
	Witnesses []WitnessAt
	Pace      time.Duration
	// Client asks them. Nil: one that gives a witness ten seconds.
	Client *http.Client
	// Log takes what an operator should know. Nil: nothing is said.
	Log *slog.Logger

	tap     func(effect, func() error) error // a test's, for the disks of both
	segment int64                            // a test's, of the journal
}

// A Notary archives messages and signs checkpoints of them, until Close. Its methods
// may be called from any goroutine, Take from one.
type Notary struct {
	cfg   Config
	disk  disk
	lock  *os.File // of cfg.Dir
	tiles *tiles
	files *archive           // of the goroutine
	wake  chan struct{}      // holds one: there is something to do at once
	copy  chan struct{}      // holds one: somebody waits for a copy
	life  context.Context    // ends with Close: witnesses are asked no more
	end   context.CancelFunc // ends it
	ended chan struct{}      // closed when the goroutine has ended
	aside sync.WaitGroup     // the goroutines that ask witnesses or write the journal
	from  time.Time          // when it was opened

	// Of the goroutine. Unsure may stand in the place of the last checkpoint, since it was
	// tried and failed; nothing else is put there before it does.
	unsure    *stand
	published *stand // what the archive's copy of the checkpoint is of; nil: not known

	mu        sync.Mutex
	taken     uint64        // guarded by mu: the last message that is acknowledged
	copied    uint64        // guarded by mu: the last message that the journal has
	waiting   [][]byte      // guarded by mu: taken, not archived, without a gap
	first     uint64        // guarded by mu: the first of waiting; 0: none yet
	bytes     int           // guarded by mu: of waiting
	now       *stand        // guarded by mu: the last checkpoint; replaced by the goroutine alone
	moved     chan struct{} // guarded by mu: closed when now, copied or trouble is replaced
	trouble   error         // guarded by mu: why the last round failed
	witnesses []*Witnessed  // guarded by mu: what is in them
	target    *target       // guarded by mu: what witnesses are asked for; nil: nothing yet
	aimed     chan struct{} // guarded by mu: closed when target is replaced
	cosigned  *target       // guarded by mu: the last one that a witness cosigned; nil: none
}

// A stand is the archive at a checkpoint. It is never changed.
type stand struct {
	edge   *edge
	tail   [][]byte // the messages of the bundle that isn't full
	full   []grown  // the tiles that got full since the checkpoint before
	signed []byte   // the checkpoint; nil: there is none yet
	own    int      // how many bytes of it aren't cosignatures
	by     int      // how many witnesses cosigned it
}

// mostWaiting bounds what waits in memory; what is beyond it is read from the stream.
const mostWaiting = 32 << 20

// round is how many messages are archived between two checkpoints at most.
const round = 64 * tileWidth

// patience is how long the stream may take to give the messages of a round.
const patience = time.Minute

// checkpointFile is the last checkpoint's name in Dir, and that of its copy for
// others in Archive.
const checkpointFile = "checkpoint"

// mostCheckpoint is how many bytes a checkpoint has at most, with all its signatures.
const mostCheckpoint = 128 << 10

// Open goes on where the last checkpoint ends. It trusts nothing: the checkpoint is
// one of this log, signed by a key that is known; the tree in the archive has its
// root; the messages of its last bundle are there; and the stream is no shorter.
// Where one of these isn't so the error is a *Damage. Messages that the stream has
// beyond it are archived, and stand in a checkpoint when Open returns.
func Open(ctx context.Context, cfg Config) (*Notary, error) {
	if cfg.Every == 0 {
		cfg.Every = time.Second / 2
	}
	if cfg.Pace == 0 {
		cfg.Pace = time.Second
	}
	if cfg.Client == nil {
		cfg.Client = &http.Client{Timeout: 10 * time.Second}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.segment == 0 {
		cfg.segment = segmentBytes
	}
	d := disk{cfg.tap}
	n := &Notary{
		cfg: cfg, disk: d, tiles: newTiles(os.DirFS(cfg.Archive), cfg.Archive), files: newArchive(cfg.Archive, d), now: &stand{edge: &edge{}},
		wake: make(chan struct{}, 1), copy: make(chan struct{}, 1), ended: make(chan struct{}), moved: make(chan struct{}), aimed: make(chan struct{}), from: time.Now(),
	}
	for _, dir := range []string{cfg.Dir, cfg.Archive} {
		if err := d.makeDir(dir); err != nil {
			return nil, fmt.Errorf("notary: %w", err)
		}
	}
	var err error
	if n.lock, err = lockDir(cfg.Dir); err != nil {
		return nil, fmt.Errorf("notary: %w", err)
	}
	for _, step := range []func(context.Context) error{n.resume, n.compare, n.overtake} {
		if err == nil {
			err = step(ctx)
		}
	}
	if err != nil {
		return nil, errors.Join(err, n.lock.Close())
	}
	n.publish()
	n.life, n.end = context.WithCancel(context.Background())
	n.collect()
	n.aside.Go(n.copyOn)
	go n.run()
	return n, nil
}

// resume reads what the last checkpoint is of. Before anything is archived there is
// one of the empty tree: so whoever finds an archive without a checkpoint has lost it.
func (n *Notary) resume(ctx context.Context) error {
	path := n.checkpoint()
	empty, err := n.files.empty()
	if err != nil {
		return fmt.Errorf("notary: %w", err)
	}
	signed, err := readFile(os.DirFS(n.cfg.Dir), checkpointFile, mostCheckpoint)
	switch {
	case !errors.Is(err, fs.ErrNotExist):
	case n.cfg.Served:
		return damaged(path, "it is missing, and the ledger was served before")
	case !empty:
		return damaged(path, "it is missing, and the archive "+n.cfg.Archive+" has events")
	default:
		return n.certify(&stand{edge: &edge{}})
	}
	if err != nil {
		return unread(path, err)
	}
	c, err := OpenCheckpoint(signed, n.cfg.Origin, n.cfg.Known)
	if err != nil {
		return damaged(path, err.Error())
	}
	if err := n.latest(c); err != nil {
		return err
	}
	if empty && c.Size > 0 {
		n.cfg.Log.Warn("the archive is empty, and is made anew from the stream", "archive", n.cfg.Archive, "events", c.Size)
		err = n.renew(ctx, c)
	} else {
		err = n.reopen(c)
	}
	if err != nil {
		return err
	}
	next, err := n.kept(signed, n.now)
	if err != nil {
		return damaged(path, err.Error())
	}
	if bytes.Equal(next.signed, signed) {
		n.now = next
		return nil
	}
	n.now.signed = signed
	return n.place(next)
}

// latest holds the last checkpoint against its copy in the archive. The copy is put there
// after it: where it is of more events, somebody put an older checkpoint back
// (TestAnOlderCheckpointIsRefused). A copy that can't be read says nothing.
func (n *Notary) latest(c Checkpoint) error {
	signed, err := readFile(os.DirFS(n.cfg.Archive), checkpointFile, mostCheckpoint)
	if err != nil {
		return nil
	}
	copied, err := OpenCheckpoint(signed, n.cfg.Origin, n.cfg.Known)
	if err != nil || copied.Size <= c.Size {
		return nil
	}
	return damaged(n.checkpoint(), fmt.Sprintf("it is of %d events, and its copy in the archive of %d: an older one was put back", c.Size, copied.Size))
}

// reopen reads the archive at the checkpoint.
func (n *Notary) reopen(c Checkpoint) (err error) {
	now := &stand{}
	if now.edge, err = n.tiles.at(c); err != nil {
		return err
	}
	if c.Size%tileWidth != 0 {
		if now.tail, err = n.tiles.bundle(new([]byte), c.Size/tileWidth, now.edge.levels[0]); err != nil {
			return err
		}
	}
	n.now = now
	return n.tidy()
}

// tidy takes away what a crash left: the partial tiles beside full ones, and what was
// being made.
func (n *Notary) tidy() error {
	if err := n.disk.remove(n.beside()); err != nil {
		return fmt.Errorf("notary: %w", err)
	}
	for level, full := 0, n.now.edge.size/tileWidth; full > 0; level, full = level+1, full/tileWidth {
		for at := full - min(full, round/tileWidth); at < full; at++ {
			if err := n.files.sweep(level, at); err != nil {
				return fmt.Errorf("notary: %w", err)
			}
		}
	}
	return nil
}

// renew makes the archive anew from the stream, up to the checkpoint, whose root it
// has to have. It is made beside the archive and gets its name when it is whole.
func (n *Notary) renew(ctx context.Context, c Checkpoint) error {
	beside := n.beside()
	err := n.disk.remove(beside)
	if err == nil {
		err = n.disk.makeDir(beside)
	}
	if err != nil {
		return fmt.Errorf("notary: %w", err)
	}
	last, err := n.cfg.Stream.Last(ctx)
	if err == nil && last < c.Size {
		err = shorter(last, c.Size)
	}
	files, now := newArchive(beside, n.disk), n.now
	for err == nil && now.edge.size < c.Size {
		now, err = n.write(ctx, files, now, min(c.Size, now.edge.size+round))
		for i := 0; err == nil && i < len(now.full); i++ {
			err = files.sweep(now.full[i].level, now.full[i].n)
		}
	}
	if err == nil && now.edge.root() != c.Root {
		err = damaged("the stream", fmt.Sprintf("its first %d events are not those of the checkpoint", c.Size))
	}
	if err == nil {
		err = n.disk.rename(filepath.Join(beside, "tile"), filepath.Join(n.cfg.Archive, "tile"))
	}
	if err == nil {
		err = n.disk.syncDir(n.cfg.Archive)
	}
	if err == nil {
		n.now = now
	}
	return errors.Join(err, n.disk.remove(beside))
}

// beside is where an archive is made before it has its name.
func (n *Notary) beside() string { return filepath.Join(n.cfg.Archive, "renewed") }

// overtake archives what the stream has beyond the last checkpoint.
func (n *Notary) overtake(ctx context.Context) error {
	last, err := n.cfg.Stream.Last(ctx)
	if err != nil {
		return fmt.Errorf("notary: look for the stream's end: %w", err)
	}
	if size := n.now.edge.size; last < size {
		return shorter(last, size)
	}
	n.taken = last
	for n.now.edge.size < last {
		if err := n.archive(ctx, min(last, n.now.edge.size+round)); errors.Is(err, ErrUnsigned) {
			n.cfg.Log.Warn("no checkpoint is signed", "of", last, "err", err)
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

func shorter(last, size uint64) error {
	return damaged("the stream", fmt.Sprintf("it ends at event %d, and the checkpoint has %d", last, size))
}

// checkpoint is where the last one is kept.
func (n *Notary) checkpoint() string { return filepath.Join(n.cfg.Dir, checkpointFile) }

// current is the last checkpoint's stand.
func (n *Notary) current() *stand {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.now
}

// Signed is the last checkpoint, as a signed note, with the cosignatures that it has
// by now.
func (n *Notary) Signed() []byte { return n.current().signed }

// Size is how many messages the last checkpoint has.
func (n *Notary) Size() uint64 { return n.current().edge.size }

// Trouble is why messages aren't archived at present; nil: they are.
func (n *Notary) Trouble() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.trouble
}

// ErrUnsigned says that there is no key to sign a checkpoint: messages aren't archived
// until Resign names one.
var ErrUnsigned = errors.New("notary: the log's key is lost")

// Resign has the signers sign every checkpoint from the next one on. Whoever opens the
// notary next has to know one of them.
func (n *Notary) Resign(signers ...note.Signer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cfg.Signers = signers
}

// Check says whether the message is the one that was recorded at the sequence; where
// it isn't, or the archive can't tell any more, the error is a *Damage. What no
// checkpoint has yet can't be said: nil.
func (n *Notary) Check(seq uint64, message []byte) error {
	e := n.current().edge
	if seq == 0 || seq > e.size {
		return nil
	}
	leaf, err := n.tiles.hash(e, 0, seq-1)
	if err == nil && leaf != tlog.RecordHash(message) {
		err = damaged(fmt.Sprintf("event %d", seq), "the stream holds other bytes than were recorded")
	}
	return err
}

// Close archives what was taken, signs a last checkpoint and ends. It is called once.
func (n *Notary) Close() error {
	n.end()
	<-n.ended
	n.aside.Wait()
	return errors.Join(n.Trouble(), n.lock.Close())
}
