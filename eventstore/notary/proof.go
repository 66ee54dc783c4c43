package notary

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// A Proof says that a log has a message, for whoever has neither (C2SP tlog-proof).
type Proof struct {
	// Index is the message's place in the tree: its sequence less one.
	Index uint64
	// Extra is the message itself, for our proofs; nobody vouches for it before the
	// proof is checked against it.
	Extra      []byte
	Hashes     []tlog.Hash
	Checkpoint []byte // a signed note
}

const proofHeader = "c2sp.org/tlog-proof@v1"

// ErrProof says that a file is no proof, or proves nothing.
var ErrProof = errors.New("notary: not a proof")

// mostHashes is how many hashes a proof has at most: a tree has fewer than 2^63 leaves.
const mostHashes = 63

// Marshal writes the proof as C2SP tlog-proof has it.
func (p *Proof) Marshal() []byte {
	var b bytes.Buffer
	b.WriteString(proofHeader + "\n")
	if p.Extra != nil {
		b.WriteString("extra " + base64.StdEncoding.EncodeToString(p.Extra) + "\n")
	}
	fmt.Fprintf(&b, "index %d\n", p.Index)
	for i := range p.Hashes {
		b.WriteString(base64.StdEncoding.EncodeToString(p.Hashes[i][:]) + "\n")
	}
	b.WriteByte('\n')
	b.Write(p.Checkpoint)
	return b.Bytes()
}

// ParseProof reads a proof, the one spelling of it.
func ParseProof(b []byte) (*Proof, error) {
	head, checkpoint, ok := bytes.Cut(b, []byte("\n\n"))
	if !ok {
		return nil, fmt.Errorf("%w: there is no checkpoint in it", ErrProof)
	}
	p := &Proof{Checkpoint: checkpoint}
	lines := strings.Split(string(head), "\n")
	if lines[0] != proofHeader {
		return nil, fmt.Errorf("%w: it doesn't begin with %s", ErrProof, proofHeader)
	}
	lines = lines[1:]
	if len(lines) > 0 {
		if extra, ok := strings.CutPrefix(lines[0], "extra "); ok {
			raw, err := base64.StdEncoding.Strict().DecodeString(extra)
			if err != nil {
				return nil, fmt.Errorf("%w: its extra data is no base64", ErrProof)
			}
			p.Extra, lines = raw, lines[1:]
		}
	}
	if len(lines) == 0 {
		return nil, fmt.Errorf("%w: it says no index", ErrProof)
	}
	index, ok := strings.CutPrefix(lines[0], "index ")
	var err error
	if p.Index, err = strconv.ParseUint(index, 10, 63); !ok || err != nil || strconv.FormatUint(p.Index, 10) != index {
		return nil, fmt.Errorf("%w: it says no index", ErrProof)
	}
	if len(lines)-1 > mostHashes {
		return nil, fmt.Errorf("%w: it has more hashes than any tree", ErrProof)
	}
	for _, line := range lines[1:] {
		h, err := parseHash(line)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrProof, err)
		}
		p.Hashes = append(p.Hashes, h)
	}
	if !bytes.Equal(p.Marshal(), b) {
		return nil, fmt.Errorf("%w: it is spelled in another way", ErrProof)
	}
	return p, nil
}

// Verify says whether the log, which is known by its origin and keys, has the message
// at the proof's place. It returns the checkpoint that says so.
func (p *Proof) Verify(message []byte, origin string, known note.Verifiers) (Checkpoint, error) {
	c, err := OpenCheckpoint(p.Checkpoint, origin, known)
	if err != nil {
		return Checkpoint{}, err
	}
	if p.Index >= c.Size {
		return Checkpoint{}, fmt.Errorf("%w: its checkpoint has %d events, and none at %d", ErrProof, c.Size, p.Index)
	}
	if err := tlog.CheckRecord(tlog.RecordProof(p.Hashes), int64(c.Size), c.Root, int64(p.Index), tlog.RecordHash(message)); err != nil {
		return Checkpoint{}, fmt.Errorf("%w: its hashes don't lead from this event to the checkpoint's root", ErrProof)
	}
	return c, nil
}

// Prove proves that the message of a sequence is in the last checkpoint. Message is
// that message, which is looked at: the error is a *Damage where it isn't the one.
func (n *Notary) Prove(seq uint64, message []byte) (*Proof, error) {
	now := n.current()
	e, signed := now.edge, now.signed
	if seq == 0 || seq > e.size {
		return nil, fmt.Errorf("notary: the last checkpoint has %d events, and not event %d", e.size, seq)
	}
	if err := n.Check(seq, message); err != nil {
		return nil, err
	}
	hashes, err := tlog.ProveRecord(int64(e.size), int64(seq-1), n.tiles.reader(e))
	if err != nil {
		return nil, err
	}
	return &Proof{Index: seq - 1, Extra: message, Hashes: hashes, Checkpoint: signed}, nil
}

// Consistent proves that the tree of the last checkpoint goes on from the one of that
// size, with nothing altered in it (RFC 6962, section 2.1.2).
func (n *Notary) Consistent(size uint64) ([]tlog.Hash, error) {
	return n.tiles.consistent(n.current().edge, size)
}

// Prove proves that the message of a sequence is in the archive's checkpoint, which
// signed is, and holds that message as its extra data.
func (a *Archive) Prove(seq uint64, signed []byte) (*Proof, error) {
	if seq == 0 || seq > a.Size {
		return nil, fmt.Errorf("the last checkpoint has %d events, and not event %d", a.Size, seq)
	}
	first, messages, err := a.Bundle((seq - 1) / tileWidth)
	if err != nil {
		return nil, err
	}
	hashes, err := tlog.ProveRecord(int64(a.Size), int64(seq-1), a.tiles.reader(a.edge))
	if err != nil {
		return nil, err
	}
	return &Proof{Index: seq - 1, Extra: messages[seq-first], Hashes: hashes, Checkpoint: signed}, nil
}
