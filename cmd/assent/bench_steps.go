package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// machine says what is measured on, and what the law alone costs.
func (b *bench) machine(context.Context) error {
	b.page.Machine = fmt.Sprintf("%d cores, %s of memory, %s/%s, %s, %s", runtime.NumCPU(), cmp.Or(memoryOf("/proc/meminfo", "MemTotal"), "an unknown amount"),
		runtime.GOOS, runtime.GOARCH, runtime.Version(), time.Now().UTC().Format(time.DateOnly))
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		b.page.Machine += ", load before " + strings.Fields(string(load))[0]
	}
	took, err := syncTime(b.dir)
	if err != nil {
		return err
	}
	b.page.Disk = "one write of 4 KiB and its sync: " + millis(took) + ", in " + filepath.Dir(b.dir)
	for _, rights := range []int{1, 10_000} {
		took, err := decideTime(rights)
		if err != nil {
			return err
		}
		b.page.add(otherFigure{What: "one decision of the law, " + grouped(rights) + " rights of the client",
			Figure: micros(took), Bound: "2 µs", Holds: took <= 2*time.Microsecond})
	}
	return nil
}

// syncTime is what a write and its sync cost on the disk.
func syncTime(dir string) (time.Duration, error) {
	f, err := os.CreateTemp(dir, "sync-")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	block, took := make([]byte, 4096), make([]time.Duration, 301)
	for i := range took {
		began := time.Now()
		if _, err := f.Write(block); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		took[i] = time.Since(began)
	}
	return median(took), nil
}

func median[T cmp.Ordered](of []T) T {
	of = slices.Sorted(slices.Values(of))
	return of[len(of)/2]
}

// levels are how many callers there are, and what bounds the ratio.
var levels = []struct {
	callers int
	bound   float64
}{{1, 1.7}, {16, 0.9}, {256, 3.5}, {1024, 5}}

// accesses measures raw publishes, access requests and signed ones in turns, so
// that a machine that is slower for a while is so for all of them.
func (b *bench) accesses(context.Context) error {
	type turns struct{ raw, unsigned, signed []report }
	at := make([]turns, len(levels))
	var inside []report
	measure := func(h *hand, t task, into *[]report) error {
		t.For = b.span
		r, err := h.do(t)
		if err == nil {
			*into = append(*into, *r)
		}
		return err
	}
	for round := range b.rounds {
		for i, level := range levels {
			b.say(fmt.Sprintf("round %d of %d, %d callers", round+1, b.rounds, level.callers))
			err := errors.Join(
				measure(b.load, task{Do: "raw publish", Callers: level.callers}, &at[i].raw),
				measure(b.load, task{Do: "load access", Callers: level.callers}, &at[i].unsigned),
				measure(b.load, task{Do: "load access", Callers: level.callers, Signed: true}, &at[i].signed))
			if err != nil {
				return err
			}
		}
		if err := measure(b.raw, task{Do: "raw inside", Callers: 1}, &inside); err != nil {
			return err
		}
	}
	for i, level := range levels {
		f := compared(level.callers, at[i].unsigned, at[i].raw)
		f.Bound = level.bound
		b.page.Access = append(b.page.Access, f)
	}
	for i, level := range levels {
		f := compared(level.callers, at[i].signed, at[i].raw)
		f.Signed = true
		b.page.Access = append(b.page.Access, f)
	}
	f := compared(1, at[0].unsigned, inside)
	b.page.add(otherFigure{What: "1 raw publisher in the server's own process", Figure: "p50 " + millis(f.RawP50),
		Beside: fmt.Sprintf("unsigned access: %.2f times that", f.Ratio)})
	b.page.Size = b.size
	return nil
}

// compared holds the rounds of ours against the raw ones beside them.
func compared(callers int, ours, raw []report) accessFigure {
	each := func(rs []report, what func(*report) float64) float64 {
		all := make([]float64, len(rs))
		for i := range rs {
			all[i] = what(&rs[i])
		}
		return median(all)
	}
	p50 := func(r *report) float64 { return float64(r.P50) }
	ratios := make([]float64, len(ours))
	for i := range ours {
		ratios[i] = ours[i].rate() / raw[i].rate()
		if callers == 1 {
			ratios[i] = p50(&ours[i]) / p50(&raw[i])
		}
	}
	return accessFigure{Callers: callers, Ratio: median(ratios),
		Rate: each(ours, (*report).rate), P50: time.Duration(each(ours, p50)),
		P99:     time.Duration(each(ours, func(r *report) float64 { return float64(r.P99) })),
		RawRate: each(raw, (*report).rate), RawP50: time.Duration(each(raw, p50))}
}

// fill brings the ledger to so many events, by the callers of the mix.
func (b *bench) fill(ctx context.Context) error {
	last, err := b.last(ctx)
	if err != nil {
		return err
	}
	if missing := b.events - last; missing > 0 {
		r, err := b.load.do(task{Do: "load access", Callers: 1024, Events: missing})
		if err != nil {
			return err
		}
		b.page.add(otherFigure{What: "filled by 1,024 callers, " + grouped(r.Count) + " events", Figure: perSecond(r.rate())})
	}
	b.page.Events, err = b.last(ctx)
	return err
}

func (b *bench) last(ctx context.Context) (int, error) {
	c, err := b.auditor(ctx)
	if err != nil {
		return 0, err
	}
	defer c.close()
	ans, err := c.ask(ctx, patience, map[string]any{"ask": "status"})
	if err != nil {
		return 0, err
	}
	return int(ans.At), nil
}

// trails asks for the first page of each filter of trail, and of some pairs of them
// that have little or nothing in common, over NATS.
func (b *bench) trails(ctx context.Context) error {
	c, err := b.auditor(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	half := b.page.Events / 2
	filters := []map[string]any{
		{},
		{"client": "k-123"}, {"client": "k-123", "record": "r-1"}, {"record": "r-1"}, {"party": "x-23"}, {"party": "s-3"},
		{"actor": "gateway"}, {"actor": "gateway-1"}, {"actor": "officer"}, {"evidence": "ec-123"},
		{"type": "access.granted"}, {"type": "access.denied"}, {"type": "authorization.issued"}, {"clause": "IV.1"}, {"clause": "II.2"},
		{"decision": "granted"}, {"decision": "denied"}, {"from": half}, {"to": half}, {"from": time.Now().Add(-10 * time.Second)},
		{"from": half, "to": half + 50_000, "decision": "denied"},
		{"client": "k-123", "decision": "denied"}, {"party": "x-23", "clause": "II.4"}, {"actor": "gateway", "clause": "V.3"},
		{"decision": "granted", "clause": "IV.1"}, {"actor": "officer", "decision": "denied"}, {"party": "x-23", "type": "record.destroyed"},
	}
	const tries = 11
	var worst, all []time.Duration
	slowest := ""
	for _, f := range filters {
		took := make([]time.Duration, tries)
		f["ask"] = "trail"
		for i := range took {
			began := time.Now()
			if _, err := c.ask(ctx, patience, f); err != nil {
				return fmt.Errorf("%v: %w", f, err)
			}
			took[i] = time.Since(began)
		}
		delete(f, "ask")
		all = append(all, took...)
		m := median(took)
		if len(worst) == 0 || m > slices.Max(worst) {
			slowest = described(f)
		}
		worst = append(worst, m)
	}
	m := slices.Max(worst)
	b.page.add(otherFigure{What: fmt.Sprintf("first page of trail, the slowest of %d filters: %s", len(filters), slowest),
		Figure: millis(m), Beside: "all: " + millis(median(all)), Bound: "10 ms", Holds: m <= 10*time.Millisecond})
	return b.cold(ctx, c)
}

// cold asks for a client's trail when nothing was asked for longer than the server
// keeps what it read. A ledger that is too short to tell isn't asked.
func (b *bench) cold(ctx context.Context, c *client) error {
	if b.page.Events < 100_000 {
		return nil
	}
	select {
	case <-time.After(11 * time.Second):
	case <-ctx.Done():
		return ctx.Err()
	}
	began := time.Now()
	if _, err := c.ask(ctx, patience, map[string]any{"ask": "trail", "client": fmt.Sprint("k-", b.clients/2)}); err != nil {
		return err
	}
	took := time.Since(began)
	b.page.add(otherFigure{What: "first page of a client's trail, after 11 s without questions", Figure: millis(took),
		Bound: "10 ms", Holds: took <= 10*time.Millisecond})
	return nil
}

func described(filter map[string]any) string {
	if len(filter) == 0 {
		return "none"
	}
	return members(filter, nil)
}

// memory watches the service's resident memory under the load of 1,024 callers.
func (b *bench) memory(context.Context) error {
	status := fmt.Sprintf("/proc/%d/status", b.server.cmd.Process.Pid)
	if memoryOf(status, "VmRSS") == "" {
		b.page.add(otherFigure{What: "resident memory", Figure: "not known on " + runtime.GOOS})
		return nil
	}
	type result struct {
		r   *report
		err error
	}
	done := make(chan result, 1)
	go func() {
		r, err := b.load.do(task{Do: "load access", Callers: 1024, For: max(b.span, 2*time.Second)})
		done <- result{r, err}
	}()
	most := 0
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			most = max(most, kilobytes(status, "VmRSS"))
		case res := <-done:
			const bound = 600_000
			b.page.add(otherFigure{What: "resident memory of the service under load", Figure: megabytes(most),
				Beside: "most ever: " + megabytes(kilobytes(status, "VmHWM")), Bound: megabytes(bound * 1000 / 1024), Holds: most*1024 <= bound*1000})
			if res.err == nil {
				b.page.add(otherFigure{What: "1,024 callers meanwhile", Figure: perSecond(res.r.rate())})
			}
			return res.err
		}
	}
}

// kilobytes is a field of a file of /proc that is given in kB (1,024 bytes); 0 where
// it isn't there.
func kilobytes(path, field string) int {
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), field+":"); ok {
			n, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
			return n
		}
	}
	return 0
}

func megabytes(kilobytes int) string { return grouped(kilobytes*1024/1_000_000) + " MB" }

func memoryOf(path, field string) string {
	if n := kilobytes(path, field); n > 0 {
		return megabytes(n)
	}
	return ""
}

// rebuilds stops the service, builds its read models anew and verifies the whole ledger, in
// turns with raw reads of as many messages.
func (b *bench) rebuilds(ctx context.Context) error {
	b.load.stop()
	b.server.stop()
	b.load, b.server = nil, nil
	last, err := b.raw.do(task{Do: "raw fill", Events: b.page.Events})
	if err != nil {
		return err
	}
	if last.Count < b.page.Events {
		return errors.New("the raw stream is too short")
	}
	alone := func(do string) (*report, error) {
		unix.Sync() // what was measured before isn't written while this is
		h, err := hire(ctx, b.app.errs)
		if err != nil {
			return nil, err
		}
		defer h.stop()
		return h.do(task{Do: do, Dir: b.ledger, Keys: b.keys, For: b.span})
	}
	rates := map[string][]float64{}
	for range min(b.rounds, 5) {
		unix.Sync()
		r, err := b.raw.do(task{Do: "raw consume"})
		if err != nil {
			return err
		}
		raw := r.rate()
		rates["raw"] = append(rates["raw"], raw)
		if r, err = alone("rebuild"); err != nil {
			return err
		}
		all := r.Count
		rates["rebuild"] = append(rates["rebuild"], r.rate())
		for _, do := range []string{"verify but signatures", "verify", "verify what is signed", "verify nothing but signatures"} {
			if r, err = alone(do); err != nil {
				return err
			}
			if do == "verify" {
				r.Count = all
			}
			rates[do] = append(rates[do], r.rate())
		}
	}
	beside := func(do, other string) float64 {
		ratios := slices.Clone(rates[do])
		for i := range ratios {
			ratios[i] /= rates[other][i]
		}
		return median(ratios)
	}
	for _, f := range []struct {
		what, do string
		bound    float64
		spoken   string
	}{
		{"rebuild of all read models", "rebuild", 1.0 / 3, "at least 0.33"},
		{"verify of all events and decisions", "verify but signatures", 0.5, "at least 0.50"},
		{"the same with signatures, those that there are", "verify", 0, ""},
	} {
		ratio := beside(f.do, "raw")
		b.page.add(otherFigure{What: f.what, Figure: perSecond(median(rates[f.do])),
			Beside: "raw Consume: " + perSecond(median(rates["raw"])) + fmt.Sprintf(", ratio %.2f", ratio), Bound: f.spoken, Holds: ratio >= f.bound})
	}
	times := 1 / beside("verify what is signed", "verify nothing but signatures")
	b.page.add(otherFigure{What: "verify of events that are all signed", Figure: perSecond(median(rates["verify what is signed"])),
		Beside: "Ed25519 alone: " + perSecond(median(rates["verify nothing but signatures"])) + fmt.Sprintf(", %.2f times that long", times), Bound: "at most 1.30", Holds: times <= 1.3})
	return nil
}
