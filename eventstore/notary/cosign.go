package notary

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// sizeType is what the body of a conflict is: the size that the witness cosigned last.
const sizeType = "text/x.tlog.size"

// mostAnswer is how many bytes of a witness' answer are read.
const mostAnswer = 64 << 10

// mostTries is how often a checkpoint is submitted: with the size that is believed,
// with the one that the witness names, and once more where somebody else submitted
// meanwhile.
const mostTries = 3

// A Dispute is what a witness holds against a log: the log was rolled back or rewritten,
// or the witness is wrong.
type Dispute struct{ Witness, Why string }

func (d *Dispute) Error() string { return "the witness " + d.Witness + ": " + d.Why }

func disputed(w WitnessAt, why string) error { return &Dispute{w.Key.Name(), why} }

// Cosign has a witness cosign a checkpoint of the log, and returns its signature lines,
// which are verified. Old is the size of the last checkpoint that it is believed to
// have cosigned; where it names another one the proof begins there. Prove proves that
// the tree goes on from a size, which is more than 0 and less than the checkpoint's.
//
// What the witness holds against the log is a *Dispute: that it cosigned a larger tree,
// that the one of this size was another, or that the proof isn't one. Any other error
// is prove's, or says that it couldn't be asked, or its answer not be used.
func Cosign(ctx context.Context, client *http.Client, w WitnessAt, signed []byte, old uint64, prove func(old uint64) ([]tlog.Hash, error)) ([]byte, error) {
	c, err := Unsigned(signed)
	if err != nil {
		return nil, err
	}
	for range mostTries {
		if old > c.Size {
			return nil, disputed(w, fmt.Sprintf("it has cosigned %d events, and this log has %d: the log was rolled back", old, c.Size))
		}
		var proof tlog.TreeProof
		if old > 0 && old < c.Size {
			if proof, err = prove(old); err != nil {
				return nil, err
			}
		}
		status, kind, answer, err := post(ctx, client, w.URL, submission(old, proof, signed))
		if err != nil {
			return nil, fmt.Errorf("ask the witness %s: %w", w.Key.Name(), err)
		}
		switch status {
		case http.StatusOK:
			return cosignatures(signed, answer, w.Key)
		case http.StatusUnprocessableEntity:
			return nil, disputed(w, fmt.Sprintf("it doesn't find that the log's %d events go on from the %d that it cosigned: the log was rewritten", c.Size, old))
		case http.StatusConflict:
			at, err := conflict(kind, answer)
			if err != nil {
				return nil, fmt.Errorf("ask the witness %s: %w", w.Key.Name(), err)
			}
			if at == old {
				return nil, disputed(w, fmt.Sprintf("it has cosigned another tree of %d events: the log was rewritten", old))
			}
			old = at
		default:
			return nil, fmt.Errorf("ask the witness %s: it answers %d %s", w.Key.Name(), status, http.StatusText(status))
		}
	}
	return nil, fmt.Errorf("ask the witness %s: its size changes all the time", w.Key.Name())
}

// submission is what parseSubmission takes.
func submission(old uint64, proof tlog.TreeProof, signed []byte) []byte {
	b := fmt.Appendf(nil, "old %d\n", old)
	for i := range proof {
		b = append(base64.StdEncoding.AppendEncode(b, proof[i][:]), '\n')
	}
	return append(append(b, '\n'), signed...)
}

func post(ctx context.Context, client *http.Client, prefix string, body []byte) (status int, kind string, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(prefix, "/")+"/add-checkpoint", bytes.NewReader(body))
	if err != nil {
		return 0, "", nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", nil, err
	}
	defer func() { _ = resp.Body.Close() }() // it was read only
	answer, err = io.ReadAll(io.LimitReader(resp.Body, mostAnswer))
	return resp.StatusCode, resp.Header.Get("Content-Type"), answer, err
}

// conflict is the size that a witness names.
func conflict(kind string, answer []byte) (uint64, error) {
	if t, _, err := mime.ParseMediaType(kind); err != nil || t != sizeType {
		return 0, errors.New("it answers 409 without a size")
	}
	text, ok := strings.CutSuffix(string(answer), "\n")
	size, err := strconv.ParseUint(text, 10, 63)
	if !ok || err != nil || strconv.FormatUint(size, 10) != text {
		return 0, errors.New("it answers 409 without a size")
	}
	return size, nil
}

// cosignatures are the lines of an answer that the witness' key signed; there may be
// others, of keys that nobody asked for.
func cosignatures(signed, answer []byte, key note.Verifier) ([]byte, error) {
	n, err := openNote(append(bytes.Clone(signed), answer...), note.VerifierList(key))
	if err != nil {
		return nil, fmt.Errorf("the witness %s answers with no cosignature of its own: %w", key.Name(), err)
	}
	return onlyKnown(n)[len(n.Text)+1:], nil
}
