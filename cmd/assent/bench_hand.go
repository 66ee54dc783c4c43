package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/qtccc/assent/projections"
)

// A hand is a process of the bench's own: the service, the callers, the raw stream,
// a rebuild. Each is alone in its process, so that memory and cores are its own as
// they are in use. It takes tasks on stdin, one at a time, and ends with it.
type hand struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	enc *json.Encoder
	dec *json.Decoder
}

// A task is what a hand is to do. What it doesn't need is zero.
type task struct {
	Do      string        `json:"do"`
	Dir     string        `json:"dir,omitzero"`  // of the ledger, or of the raw stream
	Keys    string        `json:"keys,omitzero"` // of the ledger
	Callers int           `json:"callers,omitzero"`
	For     time.Duration `json:"for,omitzero"`
	Events  int           `json:"events,omitzero"` // as many, however long that takes
	Clients int           `json:"clients,omitzero"`
	Size    int           `json:"size,omitzero"` // of a raw message
	URL     string        `json:"url,omitzero"`  // of the raw stream
	Signed  bool          `json:"signed,omitzero"`
	Copies  string        `json:"copies,omitzero"` // one of copying; empty: as serve keeps them
}

// A report is what came of it.
type report struct {
	Count int           `json:"count,omitzero"`
	Took  time.Duration `json:"took,omitzero"`
	P50   time.Duration `json:"p50,omitzero"`
	P99   time.Duration `json:"p99,omitzero"`
	URL   string        `json:"url,omitzero"`
	Error string        `json:"error,omitzero"`
}

// rate is how many a second.
func (r *report) rate() float64 { return float64(r.Count) / r.Took.Seconds() }

// hire starts a hand. It ends when stop is called, or with this process.
func hire(ctx context.Context, errs io.Writer) (*hand, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	h := &hand{cmd: exec.CommandContext(ctx, self, "bench", "hand")}
	h.cmd.Args[0] = "assent" // whatever this one was called as
	h.cmd.Stderr = errs
	h.cmd.Cancel = func() error { return h.cmd.Process.Signal(syscall.SIGTERM) } // its task ends early
	h.cmd.WaitDelay = time.Minute
	if h.in, err = h.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	h.enc, h.dec = json.NewEncoder(h.in), json.NewDecoder(out)
	if err := h.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a process of the bench: %w", err)
	}
	return h, nil
}

// do gives the hand a task and waits for what comes of it.
func (h *hand) do(t task) (*report, error) {
	if err := h.enc.Encode(t); err != nil {
		return nil, fmt.Errorf("%s: its process is gone: %w", t.Do, err)
	}
	var r report
	if err := h.dec.Decode(&r); err != nil {
		return nil, fmt.Errorf("%s: its process is gone: %w", t.Do, err)
	}
	if r.Error != "" {
		return nil, fmt.Errorf("%s: %s", t.Do, r.Error)
	}
	return &r, nil
}

// stop lets the hand finish, and waits for it.
func (h *hand) stop() {
	if h == nil {
		return
	}
	_ = h.in.Close()
	_ = h.cmd.Wait() // what went wrong was said by the last task
}

func handCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:    "hand",
		Short:  "a process of the bench's own",
		Args:   noWord,
		Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w := &worker{log: slog.New(slog.NewTextHandler(a.errs, &slog.HandlerOptions{Level: slog.LevelWarn}))}
			defer w.end()
			dec, enc := json.NewDecoder(a.in), json.NewEncoder(a.out)
			for {
				var t task
				switch err := dec.Decode(&t); {
				case errors.Is(err, io.EOF):
					return nil
				case err != nil:
					return fmt.Errorf("read a task: %w", err)
				}
				r, err := w.do(cmd.Context(), t)
				if err != nil {
					r = &report{Error: err.Error()}
				}
				if err := enc.Encode(r); err != nil {
					return fmt.Errorf("report: %w", err)
				}
			}
		},
	}
}

// A worker is what a hand has made so far.
type worker struct {
	log     *slog.Logger
	service *service
	raw     *rawStream
	callers *rawCallers
	load    *load
}

func (w *worker) do(ctx context.Context, t task) (*report, error) {
	switch t.Do {
	case "serve":
		return w.serve(ctx, t)
	case "rebuild":
		return w.rebuild(ctx, t)
	}
	if strings.HasPrefix(t.Do, "verify") {
		return verifyTask(ctx, t)
	}
	if strings.HasPrefix(t.Do, "raw ") {
		return w.rawTask(ctx, t)
	}
	return w.loadTask(ctx, t)
}

func (w *worker) end() {
	if w.load != nil {
		w.load.close()
	}
	if w.callers != nil {
		w.callers.close()
	}
	if w.raw != nil {
		w.raw.own.Close()
		w.raw.server.Stop()
	}
	if w.service != nil {
		w.service.stop()
	}
}

// serve makes a ledger and serves it, as assent serve does.
func (w *worker) serve(ctx context.Context, t task) (*report, error) {
	h, err := findHome(t.Dir, t.Keys)
	if err != nil {
		return nil, err
	}
	w.service = &service{home: h, log: w.log, listen: "127.0.0.1:0"}
	w.service.keepCopy(t.Copies)
	if err := w.service.start(ctx, plan{Name: "bench"}); err != nil {
		return nil, err
	}
	return &report{}, w.service.admit()
}

// rebuild builds the read models anew, as assent rebuild does, and times that alone.
func (w *worker) rebuild(ctx context.Context, t task) (*report, error) {
	h, err := findHome(t.Dir, t.Keys)
	if err != nil {
		return nil, err
	}
	s := &service{home: h, log: w.log}
	defer s.stop()
	if err := h.take(); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context) error{s.openEvents, s.openStore} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	began := time.Now()
	if err := projections.Rebuild(ctx, s.events, s.store, nil); err != nil {
		return nil, err
	}
	r := &report{Took: time.Since(began)}
	last, _ := s.store.Position()
	r.Count = int(last)
	return r, nil
}
