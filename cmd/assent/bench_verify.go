package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nkeys"

	"github.com/qtccc/assent/eventstore/cloudevent"
	"github.com/qtccc/assent/eventstore/notary"
	"github.com/qtccc/assent/projections"
)

// verifyTask verifies the ledger by its archive: all of it as assent verify does, all
// but the signatures, or those events at its beginning that are all signed. Or it does
// nothing but look at signatures, on all cores.
func verifyTask(ctx context.Context, t task) (*report, error) {
	defer withRoom(ctx, roomy)()
	began := time.Now()
	switch t.Do {
	case "verify":
		v := &verification{app: &app{data: t.Dir, keysPath: t.Keys, out: io.Discard, errs: io.Discard}}
		err := v.ledger(ctx)
		return &report{Took: time.Since(began)}, err
	case "verify nothing but signatures":
		return verifySignatures(ctx, t.For)
	}
	log, err := openCopy(t)
	if err != nil {
		return nil, err
	}
	var x *projections.Examined
	switch t.Do {
	case "verify but signatures":
		x, err = projections.ExamineUnsigned(ctx, log)
	case "verify what is signed":
		var signed beginning
		if signed, err = allSigned(log); err == nil {
			began = time.Now()
			x, err = projections.Examine(ctx, signed, nil)
		}
	default:
		err = fmt.Errorf("there is no task %s", t.Do)
	}
	if err != nil {
		return nil, err
	}
	return &report{Count: int(x.Events), Took: time.Since(began)}, nil
}

func openCopy(t task) (*notary.Archive, error) {
	h, err := findHome(t.Dir, t.Keys)
	if err != nil {
		return nil, err
	}
	signed, err := os.ReadFile(filepath.Join(h.notaryDir(), checkpointName))
	if err != nil {
		return nil, fmt.Errorf("read the last checkpoint: %w", err)
	}
	c, err := notary.Unsigned(signed)
	if err != nil {
		return nil, err
	}
	return notary.OpenArchive(os.DirFS(h.archiveDir()), h.archiveDir(), c)
}

// A beginning is the first bundles of a ledger.
type beginning struct {
	projections.Bundled
	bundles uint64
}

func (b beginning) Bundles() uint64 { return b.bundles }

// allSigned is as much of the ledger as has a signature in each event: how its parties
// and clients were registered. It has one bundle at least.
func allSigned(log *notary.Archive) (beginning, error) {
	for n := range log.Bundles() {
		_, messages, err := log.Bundle(n)
		if err != nil {
			return beginning{}, err
		}
		for _, m := range messages {
			d, err := cloudevent.Parse(m)
			if err != nil {
				return beginning{}, err
			}
			if d.Signature == nil {
				return beginning{log, max(n, 1)}, nil
			}
		}
	}
	return beginning{log, log.Bundles()}, nil
}

// verifySignatures looks at signatures on all cores, of texts as long as a command's.
func verifySignatures(ctx context.Context, span time.Duration) (*report, error) {
	text := payloadOf(400)
	pair, err := nkeys.CreateUser()
	if err != nil {
		return nil, err
	}
	public, err := pair.PublicKey()
	if err != nil {
		return nil, err
	}
	signature, err := pair.Sign(text)
	if err != nil {
		return nil, err
	}
	key, err := nkeys.FromPublicKey(public)
	if err != nil {
		return nil, err
	}
	var count, wrong atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for time.Since(began) < span && ctx.Err() == nil {
				if key.Verify(text, signature) != nil {
					wrong.Add(1)
				}
				count.Add(1)
			}
		})
	}
	wg.Wait()
	if n := wrong.Load(); n > 0 {
		return nil, fmt.Errorf("%d signatures were found wrong that aren't", n)
	}
	return &report{Count: int(count.Load()), Took: time.Since(began)}, ctx.Err()
}
