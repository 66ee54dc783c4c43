package main

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// watched says whether a person watches this stream.
func watched(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// A progress shows how far something has come, on stderr where a person watches.
// The nil progress shows nothing.
type progress struct{ bar *progressbar.ProgressBar }

// showProgress begins one; total -1 is not known.
func showProgress(what string, total int64, more ...progressbar.Option) *progress {
	if !watched(os.Stderr) {
		return nil
	}
	return &progress{progressbar.NewOptions64(total, append(more,
		progressbar.OptionSetWriter(os.Stderr),
		progressbar.OptionSetDescription(what),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetWidth(24),
		progressbar.OptionClearOnFinish(),
	)...)}
}

func (p *progress) set(done, total int64) {
	if p == nil {
		return
	}
	if total != p.bar.GetMax64() {
		p.bar.ChangeMax64(total)
	}
	_ = p.bar.Set64(done)
}

func (p *progress) add(n int) {
	if p != nil {
		_ = p.bar.Add(n)
	}
}

// done takes the bar off the screen.
func (p *progress) done() {
	if p != nil {
		_ = p.bar.Finish()
	}
}
