package notary

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"errors"
	"math"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// A WitnessAt is a witness that is asked to cosign.
type WitnessAt struct {
	// URL is its submission prefix: add-checkpoint is below it.
	URL string
	// Key is its public key, of NewCosignatureVerifier.
	Key note.Verifier
}

// A Witnessed is how far a witness has followed.
type Witnessed struct {
	WitnessAt
	// Size is that of the last checkpoint that it cosigned since the notary was opened;
	// 0: none.
	Size uint64
	// Since is when the first checkpoint was shown that it hasn't cosigned, that one or a
	// later one; zero: it has cosigned the last.
	Since time.Time
	// Err is why it didn't cosign when it was last asked; a *Dispute is what it holds
	// against the log.
	Err error
}

// A target is the checkpoint that all witnesses are asked for, so that one checkpoint
// has the cosignatures of several.
type target struct {
	*stand
	after time.Time // guarded by mu: when a later one was first shown; zero: none was
	lines [][]byte  // guarded by mu: by witness, nil where it hasn't cosigned
}

// collect has a target follow the last checkpoint, at most once in Pace, and a
// goroutine ask each witness for it.
func (n *Notary) collect() {
	for _, w := range n.cfg.Witnesses {
		known := &Witnessed{WitnessAt: w}
		if n.now.edge.size > 0 {
			known.Since = n.from
		}
		n.witnesses = append(n.witnesses, known)
	}
	if len(n.witnesses) == 0 {
		return
	}
	for i := range n.witnesses {
		n.aside.Go(func() { n.ask(i) })
	}
	n.aside.Go(n.aim)
}

// aim sets the target.
func (n *Notary) aim() {
	for {
		n.mu.Lock()
		moved := n.moved
		if now := n.now; now.edge.size > 0 && (n.target == nil || n.target.edge.size < now.edge.size) {
			n.target = &target{stand: now, lines: make([][]byte, len(n.witnesses))}
			close(n.aimed)
			n.aimed = make(chan struct{})
		}
		n.mu.Unlock()
		select {
		case <-moved:
		case <-n.life.Done():
			return
		}
		select {
		case <-time.After(n.cfg.Pace):
		case <-n.life.Done():
			return
		}
	}
}

// mostPatience is how long a witness that fails is left alone at most.
const mostPatience = time.Minute

// ask asks one witness for each target, but for those that come while it is asked.
func (n *Notary) ask(i int) {
	var last *target // what it cosigned
	var old uint64   // the size that it last cosigned, as far as is known
	for pause := n.cfg.Pace; ; {
		n.mu.Lock()
		t, aimed := n.target, n.aimed
		n.mu.Unlock()
		if t == last {
			select {
			case <-aimed:
				continue
			case <-n.life.Done():
				return
			}
		}
		w := n.cfg.Witnesses[i]
		lines, err := Cosign(n.life, n.cfg.Client, w, t.signed[:t.own], old, func(from uint64) ([]tlog.Hash, error) {
			return n.tiles.consistent(t.edge, from)
		})
		if n.life.Err() != nil {
			return
		}
		n.answered(i, t, lines, err)
		if err == nil {
			last, old, pause = t, t.edge.size, n.cfg.Pace
			continue
		}
		select {
		case <-time.After(pause):
		case <-n.life.Done():
			return
		}
		pause = min(2*pause, mostPatience)
	}
}

// answered takes in what came of asking a witness.
func (n *Notary) answered(i int, t *target, lines []byte, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	w := n.witnesses[i]
	if err != nil {
		if w.Err == nil || w.Err.Error() != err.Error() {
			n.cfg.Log.Warn("a witness didn't cosign; it is asked again", "witness", w.Key.Name(), "checkpoint", t.edge.size, "err", err)
		}
		w.Err = err
		return
	}
	w.Size, w.Since, w.Err = t.edge.size, t.after, nil
	t.lines[i] = lines
	if n.cosigned == nil || n.cosigned.edge.size < t.edge.size {
		n.cosigned = t
	}
	n.hurry()
}

// behind notes that a checkpoint was shown that no witness has cosigned. Mu is held.
func (n *Notary) behind(at time.Time) {
	for _, w := range n.witnesses {
		if w.Since.IsZero() {
			w.Since = at
		}
	}
	if n.target != nil && n.target.after.IsZero() {
		n.target.after = at
	}
}

// countersign adds to the last checkpoint the cosignatures that it has by now.
func (n *Notary) countersign() error {
	n.mu.Lock()
	t := n.cosigned
	var lines [][]byte
	if t != nil && t.edge.size == n.now.edge.size {
		lines = compact(t.lines)
	}
	n.mu.Unlock()
	if len(lines) <= n.now.by {
		return nil
	}
	return n.place(t.with(lines))
}

// with is the stand with these cosignatures and no others.
func (s *stand) with(lines [][]byte) *stand {
	signed := append(slices.Clone(s.signed[:s.own]), bytes.Join(lines, nil)...)
	return &stand{edge: s.edge, tail: s.tail, signed: signed, own: s.own, by: len(lines)}
}

func compact(lines [][]byte) [][]byte {
	return slices.DeleteFunc(slices.Clone(lines), func(l []byte) bool { return l == nil })
}

// kept is how it stands with a checkpoint that was kept: with the signatures in it that
// are right, the log's own and those of witnesses that are known.
func (n *Notary) kept(signed []byte, now *stand) (*stand, error) {
	opened, err := openNote(signed, n.cfg.Known)
	if err != nil {
		return nil, err
	}
	own := onlyKnown(opened)
	var lines [][]byte
	for _, s := range opened.UnverifiedSigs {
		raw, err := base64.StdEncoding.Strict().DecodeString(s.Base64)
		if err == nil && slices.ContainsFunc(n.cfg.Witnesses, func(w WitnessAt) bool {
			return w.Key.Name() == s.Name && w.Key.KeyHash() == s.Hash && w.Key.Verify([]byte(opened.Text), raw[4:])
		}) {
			lines = append(lines, signatureLine(s))
		}
	}
	return (&stand{edge: now.edge, tail: now.tail, signed: own, own: len(own)}).with(lines), nil
}

// Witnesses says how far each witness has followed, in the order of the Config.
func (n *Notary) Witnesses() []Witnessed {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := make([]Witnessed, len(n.witnesses))
	for i, w := range n.witnesses {
		all[i] = *w
	}
	return all
}

// Cosigned is the last checkpoint that any witness cosigned since the notary was
// opened, with its cosignatures, and how many they are; nil: none. It may be an earlier
// one than Signed.
func (n *Notary) Cosigned() (signed []byte, by int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cosigned == nil {
		return nil, 0
	}
	s := n.cosigned.with(compact(n.cosigned.lines))
	return s.signed, s.by
}

// Unwitnessed is since when a checkpoint has been shown that fewer than need witnesses
// cosigned, that one or a later one; zero: there is none. At the opening nothing is
// known of any witness.
func (n *Notary) Unwitnessed(need int) time.Time {
	if need <= 0 {
		return time.Time{}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if need > len(n.witnesses) {
		return n.from
	}
	since := make([]time.Time, len(n.witnesses))
	for i, w := range n.witnesses {
		since[i] = w.Since
	}
	// Those that have followed furthest come first.
	slices.SortFunc(since, func(a, b time.Time) int { return cmp.Compare(rank(b), rank(a)) })
	return since[need-1]
}

// rank has a time that is zero after all others.
func rank(t time.Time) int64 {
	if t.IsZero() {
		return math.MaxInt64
	}
	return t.UnixNano()
}

// Disputed is what a witness holds against this log, a *Dispute; nil: none does.
func (n *Notary) Disputed() error {
	for _, w := range n.Witnesses() {
		if _, ok := errors.AsType[*Dispute](w.Err); ok {
			return w.Err
		}
	}
	return nil
}
