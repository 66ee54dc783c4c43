package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"
)

// The ways of keeping a second copy, in the order in which they cost more. Without any
// is the bench's alone: nothing is archived as long as it lasts.
var copying = []string{"none", "archive", "two"}

// keepCopy sets the service up to keep the second copy in one of these ways.
func (s *service) keepCopy(how string) {
	s.twoCopies = how == "two"
	if how == "none" {
		s.archiveEvery = 24 * time.Hour
	}
}

// copies measures what tree, checkpoints and archive cost, and what --two-copies does:
// three ledgers that differ in nothing else, in turns.
func (b *bench) copies(ctx context.Context) error {
	servers, loads := make([]*hand, len(copying)), make([]*hand, len(copying))
	defer func() {
		for i := range copying {
			loads[i].stop()
			servers[i].stop()
		}
	}()
	for i, how := range copying {
		t := task{Dir: filepath.Join(b.dir, "copies-"+how), Keys: filepath.Join(b.dir, "copies-"+how+"-keys"), Clients: min(b.clients, 1000), Copies: how}
		for _, h := range []struct {
			hand **hand
			does []string
		}{{&servers[i], []string{"serve"}}, {&loads[i], []string{"load open", "load setup"}}} {
			var err error
			if *h.hand, err = hire(ctx, b.app.errs); err != nil {
				return err
			}
			for _, t.Do = range h.does {
				if _, err := (*h.hand).do(t); err != nil {
					return err
				}
			}
		}
	}
	for _, level := range levels {
		rates := make([][]float64, len(copying))
		for range b.rounds {
			for i := range copying {
				r, err := loads[i].do(task{Do: "load access", Callers: level.callers, For: b.span})
				if err != nil {
					return err
				}
				rates[i] = append(rates[i], r.rate())
			}
		}
		ratio := func(i int) float64 {
			each := make([]float64, b.rounds)
			for round := range each {
				each[round] = rates[i][round] / rates[0][round]
			}
			return median(each)
		}
		archived := ratio(1)
		b.page.add(otherFigure{What: fmt.Sprintf("%s callers, tree and archive, of the throughput without", grouped(level.callers)),
			Figure: fmt.Sprintf("%.2f", archived), Beside: fmt.Sprintf("with --two-copies %.2f; without: %s", ratio(2), perSecond(median(rates[0]))),
			Bound: "0.90", Holds: archived >= 0.9})
	}
	return nil
}
