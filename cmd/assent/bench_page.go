package main

import (
	"fmt"
	"io"
	"strconv"
	"time"
)

// A benchPage is all that a run found.
type benchPage struct {
	Machine string         `json:"machine"`
	Disk    string         `json:"disk"`
	Size    int            `json:"size"` // bytes of an access's event, and of a raw message
	Events  int            `json:"events"`
	Access  []accessFigure `json:"access"`
	Others  []otherFigure  `json:"others"`
}

// An accessFigure is what so many callers got, beside as many raw publishers.
// Medians of the rounds, the ratio's too.
type accessFigure struct {
	Callers int           `json:"callers"`
	Signed  bool          `json:"signed"`
	Rate    float64       `json:"rate"`
	P50     time.Duration `json:"p50"`
	P99     time.Duration `json:"p99"`
	RawRate float64       `json:"rawRate"`
	RawP50  time.Duration `json:"rawP50"`
	// Ratio is of the rates, for one caller of the times. Bound is what it is to
	// be at least, for one caller at most; 0: none.
	Ratio float64 `json:"ratio"`
	Bound float64 `json:"bound,omitzero"`
}

func (f *accessFigure) row() []string {
	what := map[bool]string{true: "signed", false: "unsigned"}[f.Signed]
	row := []string{grouped(f.Callers), what, grouped(int(f.Rate)), millis(f.P50), millis(f.P99), grouped(int(f.RawRate)), millis(f.RawP50),
		fmt.Sprintf("%.2f", f.Ratio), "", ""}
	if f.Callers == 1 {
		row[7] += " p50"
	}
	switch {
	case f.Bound == 0:
	case f.Callers == 1:
		row[8], row[9] = fmt.Sprintf("at most %.1f", f.Bound), verdictOn(f.Ratio <= f.Bound)
	default:
		row[8], row[9] = fmt.Sprintf("at least %.1f", f.Bound), verdictOn(f.Ratio >= f.Bound)
	}
	return row
}

// An otherFigure is one of another kind, ready to be read.
type otherFigure struct {
	What   string `json:"what"`
	Figure string `json:"figure"`
	Beside string `json:"beside,omitzero"` // what it is measured by
	Bound  string `json:"bound,omitzero"`
	Holds  bool   `json:"holds"`
}

func (p *benchPage) add(f otherFigure) { p.Others = append(p.Others, f) }

func (p *benchPage) print(out io.Writer) error {
	fmt.Fprintf(out, "%s\n%s\n%s events; an access's event, and a raw message: %d bytes\n\n", p.Machine, p.Disk, grouped(p.Events), p.Size)
	rows := make([][]string, len(p.Access))
	for i := range p.Access {
		rows[i] = p.Access[i].row()
	}
	err := (&printer{out: out}).table([]string{"CALLERS", "ACCESS", "A SECOND", "P50", "P99", "RAW", "RAW P50", "RATIO", "BOUND", ""}, rows)
	if err != nil {
		return err
	}
	fmt.Fprintln(out)
	rows = make([][]string, len(p.Others))
	for i, f := range p.Others {
		rows[i] = []string{f.What, f.Figure, f.Beside, f.Bound, ""}
		if f.Bound != "" {
			rows[i][4] = verdictOn(f.Holds)
		}
	}
	return (&printer{out: out}).table([]string{"ELSE", "FIGURE", "BESIDE", "BOUND", ""}, rows)
}

func verdictOn(holds bool) string {
	if holds {
		return "holds"
	}
	return "MISSED"
}

// grouped is a number with its thousands apart.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func perSecond(rate float64) string { return grouped(int(rate)) + " a second" }

func millis(d time.Duration) string {
	return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'f', 2, 64) + " ms"
}

func micros(d time.Duration) string {
	return strconv.FormatFloat(float64(d)/float64(time.Microsecond), 'f', 2, 64) + " µs"
}
