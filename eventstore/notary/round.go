package notary

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// Take is told of each message that the stream acknowledged, in their order. It never
// waits; message must not change any more.
func (n *Notary) Take(seq uint64, message []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.taken = seq
	switch next := n.first + uint64(len(n.waiting)); {
	case n.bytes+len(message) > mostWaiting: // what doesn't follow is read from the stream
	case len(n.waiting) == 0:
		n.waiting, n.first, n.bytes = append(n.waiting, message), seq, len(message)
	case seq == next:
		n.waiting, n.bytes = append(n.waiting, message), n.bytes+len(message)
	}
}

// ErrClosed says that the notary ended before the message was archived.
var ErrClosed = errors.New("notary: it ended")

// Wait returns nil once the message seq is archived and stands in a checkpoint, else
// the context's error, or why it can't be archived at present, which is tried again.
func (n *Notary) Wait(ctx context.Context, seq uint64) error {
	for {
		n.mu.Lock()
		size, moved, trouble := n.now.edge.size, n.moved, n.trouble
		n.mu.Unlock()
		if size >= seq {
			return nil
		}
		n.hurry()
		if trouble != nil {
			return trouble
		}
		select {
		case <-moved:
		case <-n.ended:
			if n.Size() < seq {
				return ErrClosed
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// hurry has a round begin now.
func (n *Notary) hurry() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// run archives what was taken, every now and then or when somebody waits for it.
func (n *Notary) run() {
	defer close(n.ended)
	tick := time.NewTicker(n.cfg.Every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			n.catchUp(false)
			n.publish()
		case <-n.wake:
			n.catchUp(false)
		case <-n.life.Done():
			n.catchUp(true)
			n.publish()
			return
		}
	}
}

// publish puts a copy of the last checkpoint into the archive, for its readers. It is
// no authority, and may be behind.
func (n *Notary) publish() {
	if n.published == n.now {
		return
	}
	err := n.files.replace(n.files.path(checkpointFile), n.now.signed)
	if err == nil {
		err = n.files.syncDir(n.files.dir)
	}
	if err != nil {
		n.cfg.Log.Warn("the archive's copy of the checkpoint can't be renewed; it is tried again", "err", err)
		return
	}
	n.published = n.now
}

// many is from how many messages on a round ends where a bundle is full, and leaves the
// rest to the next one, which comes soon: else each round would make a partial tile and a
// partial bundle, each in a directory of its own, that the next one takes away.
const many = 16 * tileWidth

// catchUp archives all that the stream has acknowledged by now, or nearly, and adds to
// the last checkpoint who cosigned it.
func (n *Notary) catchUp(all bool) {
	n.mu.Lock()
	last := n.taken // what the stream says that it has need not be on its disk yet
	n.mu.Unlock()
	if !all && last >= n.now.edge.size+many {
		last -= last % tileWidth
	}
	var err error
	for err == nil && (n.now.edge.size < last || n.unsure != nil) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		err = n.archive(ctx, min(last, n.now.edge.size+round))
		cancel()
	}
	if err == nil {
		err = n.countersign()
	}
	n.mu.Lock()
	before := n.trouble
	if n.trouble = err; err != nil || before != nil {
		n.tell()
	}
	n.mu.Unlock()
	if err != nil && (before == nil || before.Error() != err.Error()) {
		n.cfg.Log.Error("events can't be archived; it is tried again", "archived", n.now.edge.size, "err", err)
	}
}

// tell wakes whoever waits for something to move. Mu is held.
func (n *Notary) tell() {
	close(n.moved)
	n.moved = make(chan struct{})
}

// archive takes the messages up to `to` into the archive and into a checkpoint. Where
// it fails nothing has changed but files that will be written again, and a checkpoint
// that may stand in its place already: it is put there again, before any other.
func (n *Notary) archive(ctx context.Context, to uint64) error {
	if n.unsure != nil {
		return n.place(n.unsure)
	}
	if !n.signs() {
		return ErrUnsigned
	}
	next, err := n.write(ctx, n.files, n.now, to)
	if err != nil {
		return err
	}
	return n.certify(next)
}

// write writes the bundles and tiles of the messages from a stand up to `to`,
// durably, and returns how it stands then, with no checkpoint yet.
func (n *Notary) write(ctx context.Context, files *archive, from *stand, to uint64) (*stand, error) {
	files.queued, files.bytes = nil, 0 // of a round that failed
	next := &stand{edge: from.edge.clone(), tail: slices.Clone(from.tail)}
	var failed error
	full := func(g grown) {
		if next.full = append(next.full, g); failed == nil {
			failed = files.putTile(g)
		}
	}
	err := n.messages(ctx, from.edge.size+1, to, func(m []byte) error {
		next.tail = append(next.tail, m)
		at := next.edge.size / tileWidth
		if next.edge.add(tlog.RecordHash(m), full); next.edge.size%tileWidth == 0 && failed == nil {
			failed = files.putBundle(at, next.tail)
			next.tail = nil
		}
		return failed
	})
	if err == nil && len(next.tail) > 0 {
		err = files.putBundle(next.edge.size/tileWidth, next.tail)
	}
	for _, g := range next.edge.partial() {
		if err == nil && !from.edge.has(g) {
			err = files.putTile(g)
		}
	}
	if err == nil {
		err = files.sync()
	}
	if err != nil {
		return nil, fmt.Errorf("notary: archive events %d to %d: %w", from.edge.size+1, to, err)
	}
	return next, nil
}

// messages gives those of from..to, from memory where they are there, else from the
// stream.
func (n *Notary) messages(ctx context.Context, from, to uint64, each func([]byte) error) error {
	var here [][]byte
	n.mu.Lock()
	if len(n.waiting) > 0 && n.first <= from && to < n.first+uint64(len(n.waiting)) {
		here = slices.Clone(n.waiting[from-n.first : to-n.first+1])
	}
	n.mu.Unlock()
	for _, m := range here {
		if err := each(m); err != nil {
			return err
		}
	}
	if len(here) > 0 {
		return nil
	}
	next := from
	err := n.cfg.Stream.Read(ctx, from, to, func(seq uint64, m []byte) error {
		if seq != next {
			return fmt.Errorf("the stream gave event %d for %d", seq, next)
		}
		next++
		return each(bytes.Clone(m))
	})
	if err == nil && next != to+1 {
		err = fmt.Errorf("the stream gave no event %d", next)
	}
	return err
}

func (a *archive) putTile(g grown) error {
	b := a.next(len(g.hashes) * tlog.HashSize)
	for i := range g.hashes {
		b = append(b, g.hashes[i][:]...)
	}
	return a.put(tilePath(g.level, g.n, len(g.hashes)), b)
}

func (a *archive) putBundle(at uint64, messages [][]byte) (err error) {
	size := 0
	for _, m := range messages {
		size += 2 + len(m)
	}
	b := a.next(size)
	for _, m := range messages {
		if b, err = appendEntry(b, m); err != nil {
			return err
		}
	}
	return a.put(bundlePath(at, len(messages)), b)
}

func (n *Notary) signs() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.cfg.Signers) > 0
}

// certify signs a checkpoint over what is archived and puts it in its place.
func (n *Notary) certify(next *stand) error {
	c := Checkpoint{Origin: n.cfg.Origin, Size: next.edge.size, Root: next.edge.root()}
	n.mu.Lock()
	signers := n.cfg.Signers
	n.mu.Unlock()
	var err error
	if next.signed, err = c.Sign(signers...); err != nil {
		return fmt.Errorf("notary: sign the checkpoint of %d events: %w", c.Size, err)
	}
	next.own = len(next.signed)
	return n.place(next)
}

// place puts a checkpoint in the place of the last one, if that is still there, and
// shows it. From when it begins until it succeeds no other is put there: so there are
// never two of one size, and none that doesn't go on from the one before.
func (n *Notary) place(next *stand) error {
	n.unsure = next
	if err := n.disk.swap(n.checkpoint(), n.now.signed, next.signed); err != nil {
		return fmt.Errorf("notary: keep the checkpoint of %d events: %w", next.edge.size, err)
	}
	n.unsure = nil
	n.mu.Lock()
	grew := next.edge.size > n.now.edge.size
	n.now = next
	if done := int(min(max(next.edge.size+1, n.first)-n.first, uint64(len(n.waiting)))); done > 0 {
		for _, m := range n.waiting[:done] {
			n.bytes -= len(m)
		}
		clear(n.waiting[:done])
		n.waiting, n.first = n.waiting[done:], n.first+uint64(done)
	}
	if grew {
		n.behind(time.Now())
	}
	n.tell()
	n.mu.Unlock()
	var err error
	for _, g := range next.full {
		err = errors.Join(err, n.files.sweep(g.level, g.n))
	}
	if err != nil {
		n.cfg.Log.Warn("partial tiles that are full now can't be removed", "err", err)
	}
	return nil
}
