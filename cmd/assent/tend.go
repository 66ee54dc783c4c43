package main

import (
	"context"
	"errors"
	"os"
	"time"
)

// After a disk was full, or refused to be written for another reason, neither the
// stream's server nor the read models write again until they are opened anew. So that
// is done here, once the disk takes what is written. Until then commands are
// `unavailable`, and questions are answered.

// errAnew ends a service that is to begin anew at once.
var errAnew = errors.New("the disk can be written again: the ledger is opened anew")

// How often tend looks, and how often in a row it has to find the disk well and
// commands not taken: what mends itself is given the time for it.
const (
	tendEvery = time.Second
	tendLooks = 3
)

// room is what a start may need: the last blocks of the stream are copied aside, and
// each is written anew.
const room = (mostBlocks + 1) << 23

// tend has the service begin anew where that helps, and sees to the keys of the log.
func (s *service) tend(ctx context.Context) {
	settled := time.Now()
	for looks := 0; rest(ctx, tendEvery); {
		settled = s.tendLogKeys(settled)
		if !s.commands.Stuck() {
			looks = 0
			continue
		}
		if err := s.home.writes(room); err != nil {
			s.log.Warn("the disk can't be written; commands are taken again once it can", "err", err)
			looks = 0
			continue
		}
		if looks++; looks == tendLooks {
			s.anew = true
			s.log.Warn(errAnew.Error())
			s.end(errAnew)
			return
		}
	}
}

// writes says why so many bytes can't be written into the data directory, durably.
func (h *home) writes(n int) error {
	path := h.path("room")
	err := replaceFile(path, make([]byte, n), 0o600)
	return errors.Join(err, os.RemoveAll(path), os.RemoveAll(path+".new"))
}
