package notary

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// A Checkpoint is the tree at some size.
type Checkpoint struct {
	// Origin names the log: assent/ and the ledger's UUID.
	Origin string
	// Size is how many messages the tree has, and the sequence of the last.
	Size uint64
	Root tlog.Hash
}

// ErrCheckpoint says that a note is no checkpoint of this log, or that no key of its
// signed it.
var ErrCheckpoint = errors.New("notary: not a signed checkpoint of this log")

// String is the checkpoint's text, the three lines that are signed (C2SP
// tlog-checkpoint).
func (c Checkpoint) String() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, base64.StdEncoding.EncodeToString(c.Root[:]))
}

// Sign is the checkpoint as a note, signed by each of the signers.
func (c Checkpoint) Sign(signers ...note.Signer) ([]byte, error) {
	return note.Sign(&note.Note{Text: c.String()}, signers...)
}

// OpenCheckpoint reads a signed checkpoint of the log, believed where one of the
// verifiers' keys signed it. They are the log's own: a witness that cosigned it doesn't
// make it the log's. The error is an ErrCheckpoint.
func OpenCheckpoint(signed []byte, origin string, known note.Verifiers) (Checkpoint, error) {
	n, err := openNote(signed, known)
	if err != nil {
		return Checkpoint{}, err
	}
	c, err := parseCheckpoint(n.Text)
	if err != nil {
		return Checkpoint{}, err
	}
	if c.Origin != origin {
		return Checkpoint{}, fmt.Errorf("%w: it is of the log %q, not of %q", ErrCheckpoint, c.Origin, origin)
	}
	return c, nil
}

// Unsigned reads a signed checkpoint that nobody vouches for yet: its keys are to be
// found in what it is of.
func Unsigned(signed []byte) (Checkpoint, error) {
	text, _, ok := strings.Cut(string(signed), "\n\n")
	if !ok {
		return Checkpoint{}, fmt.Errorf("%w: it is no signed note", ErrCheckpoint)
	}
	return parseCheckpoint(text + "\n")
}

// openNote opens a note of which every known signature is right and has one spelling:
// in base64 the last character has bits that mean nothing, and note doesn't look.
func openNote(signed []byte, known note.Verifiers) (*note.Note, error) {
	n, err := note.Open(signed, known)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	for _, s := range n.Sigs {
		if _, err := base64.StdEncoding.Strict().DecodeString(s.Base64); err != nil {
			return nil, fmt.Errorf("%w: the signature of %s is spelled in another way", ErrCheckpoint, s.Name)
		}
	}
	return n, nil
}

// parseCheckpoint takes the one spelling that String gives.
func parseCheckpoint(text string) (Checkpoint, error) {
	c, err := parseExtended(text)
	if err == nil && c.String() != text {
		err = fmt.Errorf("%w: it has more than three lines", ErrCheckpoint)
	}
	return c, err
}

// parseExtended takes a checkpoint of any log, which may have further lines; what they
// say is the log's affair.
func parseExtended(text string) (Checkpoint, error) {
	lines := strings.SplitAfterN(text, "\n", 4)
	if len(lines) < 4 || lines[0] == "\n" {
		return Checkpoint{}, fmt.Errorf("%w: it has fewer than three lines", ErrCheckpoint)
	}
	size, hash := strings.TrimSuffix(lines[1], "\n"), strings.TrimSuffix(lines[2], "\n")
	c := Checkpoint{Origin: strings.TrimSuffix(lines[0], "\n")}
	var err error
	if c.Size, err = strconv.ParseUint(size, 10, 63); err != nil {
		return Checkpoint{}, fmt.Errorf("%w: %q is no size of a tree", ErrCheckpoint, size)
	}
	if c.Root, err = parseHash(hash); err != nil || c.String() != lines[0]+lines[1]+lines[2] {
		return Checkpoint{}, fmt.Errorf("%w: it is spelled in another way", ErrCheckpoint)
	}
	if more := lines[3]; more != "" && (!strings.HasSuffix(more, "\n") || more[0] == '\n' || strings.Contains(more, "\n\n")) {
		return Checkpoint{}, fmt.Errorf("%w: it has an empty line", ErrCheckpoint)
	}
	return c, nil
}

func parseHash(s string) (h tlog.Hash, err error) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != len(h) {
		return h, fmt.Errorf("notary: %q is no hash", s)
	}
	return tlog.Hash(b), nil
}
