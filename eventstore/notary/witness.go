package notary

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// A WitnessConfig says for whom a witness cosigns. Dir, Signer and Logs are wanted.
type WitnessConfig struct {
	// Dir has a file for each log, with the last checkpoint that was cosigned. It is
	// made where it isn't there, locked until Close, and must never be put back from an
	// older copy: the witness would cosign what it cosigned otherwise before.
	Dir    string
	Signer *Cosigner
	// Logs are the logs' own keys, by origin.
	Logs map[string]note.Verifiers
	// Clock is the time that cosignatures say. Nil: this machine's.
	Clock func() time.Time
	// Log takes what an operator should know. Nil: nothing is said.
	Log *slog.Logger

	tap func(effect, func() error) error // a test's
}

// A Witness cosigns checkpoints of logs, each of which goes on from the one that it
// cosigned before (C2SP tlog-witness). It is an http.Handler, for POST
// /add-checkpoint; what it answers it has kept durably before.
type Witness struct {
	cfg  WitnessConfig
	disk disk
	lock *os.File // of cfg.Dir
	mux  *http.ServeMux
	logs map[string]*followed
}

// A followed is a log that a witness follows. Whoever has its turn owns it.
type followed struct {
	turn   chan struct{} // holds one while nobody has it
	known  note.Verifiers
	path   string
	last   cosignedAt
	unsure *cosignedAt // may stand in the place of last: it was tried and failed; nil: no
}

// A cosignedAt is a checkpoint that was cosigned.
type cosignedAt struct {
	Checkpoint
	signed []byte // with all its signatures; nil: no checkpoint was cosigned yet
}

// OpenWitness goes on where the witness ended. The error is a *Damage where what it
// cosigned last can't be read any more.
func OpenWitness(cfg WitnessConfig) (*Witness, error) {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	w := &Witness{cfg: cfg, disk: disk{cfg.tap}, mux: http.NewServeMux(), logs: map[string]*followed{}}
	if err := w.disk.makeDir(cfg.Dir); err != nil {
		return nil, fmt.Errorf("notary: %w", err)
	}
	var err error
	if w.lock, err = lockDir(cfg.Dir); err != nil {
		return nil, fmt.Errorf("notary: %w", err)
	}
	for origin, known := range cfg.Logs {
		l, err := w.follow(origin, known)
		if err != nil {
			return nil, errors.Join(err, w.lock.Close())
		}
		w.logs[origin] = l
	}
	w.mux.HandleFunc("POST /add-checkpoint", w.addCheckpoint)
	return w, nil
}

// follow reads what was cosigned of a log: the log's key or ours signed it.
func (w *Witness) follow(origin string, known note.Verifiers) (*followed, error) {
	l := &followed{turn: make(chan struct{}, 1), known: known, path: followedPath(w.cfg.Dir, origin),
		last: cosignedAt{Checkpoint: Checkpoint{Origin: origin, Root: (&edge{}).root()}}}
	l.turn <- struct{}{}
	signed, err := readFile(os.DirFS(w.cfg.Dir), filepath.Base(l.path), mostCheckpoint)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return nil, unread(l.path, err)
	}
	n, err := openNote(signed, either{known, note.VerifierList(w.cfg.Signer.Verifier())})
	if err != nil {
		return nil, damaged(l.path, err.Error())
	}
	c, err := parseExtended(n.Text)
	if err == nil && c.Origin != origin {
		err = fmt.Errorf("it is of the log %q", c.Origin)
	}
	if err != nil {
		return nil, damaged(l.path, err.Error())
	}
	l.last = cosignedAt{c, signed}
	return l, nil
}

// followedPath is where the last cosigned checkpoint of a log is.
func followedPath(dir, origin string) string {
	sum := sha256.Sum256([]byte(origin))
	return filepath.Join(dir, "log-"+hex.EncodeToString(sum[:16]))
}

// either is two sets of keys.
type either [2]note.Verifiers

func (e either) Verifier(name string, id uint32) (note.Verifier, error) {
	v, err := e[0].Verifier(name, id)
	if _, unknown := errors.AsType[*note.UnknownVerifierError](err); unknown {
		return e[1].Verifier(name, id)
	}
	return v, err
}

// ServeHTTP answers POST /add-checkpoint, and nothing else.
func (w *Witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) { w.mux.ServeHTTP(rw, r) }

// Close gives the directory back. Nothing is being answered any more.
func (w *Witness) Close() error { return w.lock.Close() }

// mostSubmission is how many bytes a submission has at most.
const mostSubmission = mostCheckpoint + 8<<10

func (w *Witness) addCheckpoint(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, mostSubmission))
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		http.Error(rw, "the submission is too long", http.StatusRequestEntityTooLarge)
		return
	}
	if err != nil {
		http.Error(rw, "the submission can't be read", http.StatusBadRequest)
		return
	}
	line, err := w.add(r.Context(), body)
	refused, ok := errors.AsType[*refused](err)
	switch {
	case err == nil:
		rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = rw.Write(line) // whoever didn't get it asks again
	case !ok:
		w.cfg.Log.Error("a checkpoint can't be cosigned", "err", err)
		http.Error(rw, "the checkpoint can't be kept at present", http.StatusInternalServerError)
	case refused.status == http.StatusConflict:
		rw.Header().Set("Content-Type", sizeType)
		rw.WriteHeader(refused.status)
		_, _ = fmt.Fprintf(rw, "%d\n", refused.size)
	default:
		http.Error(rw, refused.why, refused.status)
	}
}

// A refused is why a checkpoint isn't cosigned.
type refused struct {
	status int
	why    string
	size   uint64 // of a conflict: what was cosigned last
}

func (r *refused) Error() string { return r.why }

// add cosigns a submission: the checks are the specification's, in its order. The
// error is a *refused, or why it can't be kept.
func (w *Witness) add(ctx context.Context, body []byte) ([]byte, error) {
	old, proof, signed, err := parseSubmission(body)
	if err != nil {
		return nil, &refused{status: http.StatusBadRequest, why: err.Error()}
	}
	origin, _, _ := bytes.Cut(signed, []byte("\n"))
	l := w.logs[string(origin)]
	if l == nil {
		return nil, &refused{status: http.StatusNotFound, why: "this log is not known here"}
	}
	n, err := openNote(signed, l.known)
	_, unverified := errors.AsType[*note.UnverifiedNoteError](err)
	_, invalid := errors.AsType[*note.InvalidSignatureError](err)
	switch {
	case unverified || invalid:
		return nil, &refused{status: http.StatusForbidden, why: "no key of the log that is known here signed the checkpoint"}
	case err != nil:
		return nil, &refused{status: http.StatusBadRequest, why: "the checkpoint is no signed note"}
	}
	c, err := parseExtended(n.Text)
	if err != nil {
		return nil, &refused{status: http.StatusBadRequest, why: err.Error()}
	}
	if old > c.Size {
		return nil, &refused{status: http.StatusBadRequest, why: "the old size is more than the checkpoint's"}
	}
	select {
	case <-l.turn:
		defer func() { l.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := w.goesOn(l, old, c, proof, signed); err != nil {
		return nil, err
	}
	line := w.cfg.Signer.cosign(n.Text, w.cfg.Clock())
	if c.Size == l.last.Size {
		return line, nil // it was kept before
	}
	return line, w.keep(l, cosignedAt{c, append(onlyKnown(n), line...)})
}

// goesOn says whether a checkpoint goes on from what was cosigned last. The turn is
// had.
func (w *Witness) goesOn(l *followed, old uint64, c Checkpoint, proof tlog.TreeProof, signed []byte) error {
	if l.unsure != nil {
		if err := w.keep(l, *l.unsure); err != nil {
			return err
		}
	}
	last := l.last
	switch {
	case old != last.Size:
		return &refused{status: http.StatusConflict, why: "another size was cosigned last", size: last.Size}
	case old == c.Size && c.Root != last.Root:
		w.dispute(l, c, signed)
		return &refused{status: http.StatusConflict, why: "another tree of this size was cosigned", size: last.Size}
	case old == c.Size || old == 0:
		if len(proof) > 0 {
			return &refused{status: http.StatusUnprocessableEntity, why: "nothing is to be proven, and there is a proof"}
		}
	case tlog.CheckTree(proof, int64(c.Size), c.Root, int64(old), last.Root) != nil:
		w.cfg.Log.Error("a log signed a checkpoint that isn't shown to go on from the one that was cosigned", "log", c.Origin, "cosigned", old, "checkpoint", c.Size)
		return &refused{status: http.StatusUnprocessableEntity, why: "the proof doesn't lead from the old size to the checkpoint"}
	}
	return nil
}

// keep makes a checkpoint the last one of a log, durably. Until it succeeds no other is.
func (w *Witness) keep(l *followed, next cosignedAt) error {
	l.unsure = &next
	if err := w.disk.swap(l.path, l.last.signed, next.signed); err != nil {
		return fmt.Errorf("keep the checkpoint of %d events of %s: %w", next.Size, next.Origin, err)
	}
	l.last, l.unsure = next, nil
	return nil
}

// dispute keeps the proof that a log signed two trees of one size: the other is what
// was cosigned, which is kept beside it for good. The first one will do.
func (w *Witness) dispute(l *followed, c Checkpoint, signed []byte) {
	w.cfg.Log.Error("a log signed two trees of one size: it was rewritten; both are kept", "log", c.Origin, "size", c.Size, "kept", l.path+".disputed")
	path := l.path + ".disputed"
	if _, err := os.Lstat(path); err == nil {
		return
	}
	err := w.disk.replace(path, append(bytes.Clone(l.last.signed), signed...))
	if err == nil {
		err = w.disk.syncDir(w.cfg.Dir)
	}
	if err != nil {
		w.cfg.Log.Error("the proof can't be kept", "err", err)
	}
}

// onlyKnown is a note with the signatures that were verified.
func onlyKnown(n *note.Note) []byte {
	b := []byte(n.Text + "\n")
	for _, s := range n.Sigs {
		b = append(b, signatureLine(s)...)
	}
	return b
}

// parseSubmission takes what POST /add-checkpoint has: the old size, the proof and the
// checkpoint.
func parseSubmission(body []byte) (old uint64, proof tlog.TreeProof, signed []byte, err error) {
	head, signed, ok := bytes.Cut(body, []byte("\n\n"))
	if !ok {
		return 0, nil, nil, errors.New("there is no checkpoint in it")
	}
	lines := strings.Split(string(head), "\n")
	size, ok := strings.CutPrefix(lines[0], "old ")
	if old, err = strconv.ParseUint(size, 10, 63); !ok || err != nil || strconv.FormatUint(old, 10) != size {
		return 0, nil, nil, errors.New("it doesn't begin with an old size")
	}
	if len(lines)-1 > mostHashes {
		return 0, nil, nil, errors.New("its proof has more hashes than any")
	}
	for _, line := range lines[1:] {
		h, err := parseHash(line)
		if err != nil || h.String() != line {
			return 0, nil, nil, errors.New("its proof has a line that is no hash")
		}
		proof = append(proof, h)
	}
	return old, proof, signed, nil
}
