package projections

import (
	"fmt"
	"log/slog"
	"runtime"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
)

// options are Pebble's. What is written is synced when its log or a table is
// closed, not at a commit: after a crash the stream is read on from there.
func options(cfg *Config, logs *logged) *pebble.Options {
	o := &pebble.Options{
		FS:                 logs,
		FormatMajorVersion: pebble.FormatNewest,
		Comparer:           comparer,
		CacheSize:          cfg.Cache, // the tables being filled are a part of it
		MemTableSize:       8 << 20,
		MaxOpenFiles:       500,
		// Ids of commands spread over all keys, so merging them costs more than all
		// else: it is done for twice as much at a time as Pebble would.
		L0CompactionThreshold: 8,
		Logger:                said{cfg.Log},
		EventListener: &pebble.EventListener{
			BackgroundError: func(err error) { logs.background(cfg.Log, err) },
			DataCorruption:  func(i pebble.DataCorruptionInfo) { cfg.Log.Error("the read models are damaged", "what", i.String()) },
		},
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	o.EnsureDefaults()
	return o
}

// said takes what Pebble says.
type said struct{ *slog.Logger }

// Infof drops what Pebble does all day.
func (said) Infof(string, ...any) {}

func (s said) Errorf(format string, args ...any) {
	s.Warn("pebble: " + fmt.Sprintf(format, args...))
}

// Fatalf is called where Pebble can't go on, and doesn't return: the process ends,
// and starts from what is on disk. That its log or its manifest can't be written is no
// such case (logged).
func (s said) Fatalf(format string, args ...any) {
	err := fmt.Errorf("pebble: "+format, args...)
	s.Error(err.Error())
	panic(err)
}

// openPebble opens one that can be written. Where Pebble can't go on, it panics with the
// error, and holds nothing any more. Where a table can't be written, it tries for ever:
// then it is left to that, and the process is to end.
func openPebble(dir string, o *pebble.Options, logs *logged) (*pebble.DB, error) {
	var db *pebble.DB
	var err error
	opened := make(chan struct{})
	go func() {
		defer close(opened)
		defer func() {
			switch p := recover().(type) {
			case nil:
			case runtime.Error:
				panic(p)
			case error:
				db, err = nil, p
			default:
				panic(p)
			}
		}()
		db, err = pebble.Open(dir, o)
	}()
	select {
	case <-opened:
	case <-logs.hopeless:
		go func() {
			if <-opened; db != nil {
				_ = db.Close() // it was well again, too late
			}
		}()
		return nil, fmt.Errorf("write a table: %w", *logs.table.Load())
	}
	if err != nil {
		return nil, err
	}
	if err := logs.failed(); err != nil {
		return nil, closing(err, db.Close)
	}
	return db, nil
}
