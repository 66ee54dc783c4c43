package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/qtccc/assent/eventstore"
	"github.com/qtccc/assent/eventstore/natsd"
	"github.com/qtccc/assent/eventstore/notary"
	"github.com/qtccc/assent/projections"
)

// recorded is the stream as the notary reads it.
type recorded struct{ *eventstore.Log }

func (r recorded) Read(ctx context.Context, from, to uint64, each func(uint64, []byte) error) error {
	return r.Log.Read(ctx, from, to, func(m eventstore.Message) error { return each(m.Seq, m.Data) })
}

// originOf names the ledger's log in its checkpoints.
func originOf(h *home) string { return "assent/" + string(h.card.Ledger) }

// archiveDir is where the second copy of the events is, where nothing else is said.
func (h *home) archiveDir() string { return h.path("archive") }

// notaryDir is where the last checkpoint is kept.
func (h *home) notaryDir() string { return h.path("notary") }

// copied is what answers wait for, if they do.
func (s *service) copied() func(uint64) error {
	if !s.twoCopies {
		return nil
	}
	return func(seq uint64) error {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		return s.notary.Copied(ctx, seq)
	}
}

// proof is the last checkpoint and how far the scrub is.
func (s *service) proof() (*projections.Proven, *projections.Scrubbed) {
	c, err := notary.Unsigned(s.notary.Signed())
	if err != nil {
		return nil, nil // nothing was recorded yet
	}
	p := &projections.Proven{Size: c.Size, Root: c.Root.String()}
	if _, by := s.notary.Cosigned(); len(s.witnesses.at) > 0 {
		p.Cosigned = by
	}
	scrubbed := &projections.Scrubbed{Read: s.scrub.done.Load(), Of: s.scrub.of.Load()}
	if last := s.scrub.last.Load(); last != 0 {
		scrubbed.Last = time.Unix(0, last).UTC()
	}
	return p, scrubbed
}

// allAlarms are what an operator has to look at.
func (s *service) allAlarms() []string {
	alarms := append(s.commands.Alarms(), s.alarms...)
	if why := s.logAlarm.Load(); why != nil {
		alarms = append(alarms, *why)
	}
	if err := s.notary.Trouble(); err != nil {
		alarms = append(alarms, "events are not archived, and no checkpoint has them: "+err.Error())
	}
	return append(alarms, s.witnesses.alarms(s.notary)...)
}

// soon is how long a start reads events back, newest first. What it doesn't come to,
// the scrub reads.
const soon = time.Second

// openNotary opens the archive and the checkpoints. From then on nothing that is read
// from the stream is believed that isn't what was recorded.
func (s *service) openNotary(ctx context.Context) error {
	signers, known, err := s.openLogKeys(ctx)
	if err != nil {
		return err
	}
	if s.archive == "" {
		s.archive = s.home.archiveDir()
	}
	_, statErr := os.Stat(s.home.notaryDir())
	s.notary, err = notary.Open(ctx, notary.Config{
		Origin: originOf(s.home), Dir: s.home.notaryDir(), Archive: s.archive, Served: s.home.state == made && statErr == nil,
		Witnesses: s.witnesses.at, Every: s.archiveEvery,
		Signers: signers, Known: known, Stream: recorded{s.events}, Log: s.log,
	})
	if err == nil {
		s.scrub = &scrub{s: s, over: scrubOver}
		s.events.Check(func(m eventstore.Message) error {
			err := s.notary.Check(m.Seq, m.Data)
			if err != nil {
				s.report(err)
			}
			return err
		})
		err = s.readBack(ctx, s.notary.Size())
	}
	return err
}

// readBack reads events back against what was recorded, newest first, for as long as
// a start takes that time.
func (s *service) readBack(ctx context.Context, last uint64) error {
	const stretch = 1000
	for end := time.Now().Add(soon); last > 0 && time.Now().Before(end); last -= min(last, stretch) {
		err := s.events.Read(ctx, max(last, stretch)-stretch+1, last, func(eventstore.Message) error { return nil })
		if err != nil {
			return err
		}
	}
	return nil
}

// differs says whether something is not what was recorded.
func differs(err error) bool {
	d, b := (*notary.Damage)(nil), (*natsd.BlockDamage)(nil)
	return errors.As(err, &d) || errors.As(err, &b) || errors.Is(err, eventstore.ErrGap) || errors.Is(err, projections.ErrForeign)
}

// mendable says with a difference what mends it.
func mendable(err error) error {
	if err != nil && differs(err) {
		return fmt.Errorf("the ledger is not what was recorded, and serves nothing: %w; keep a copy of its directory, and run `assent repair`", err)
	}
	return err
}
