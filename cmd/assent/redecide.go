package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/qtccc/assent/projections"
)

var askRedecide = words{
	short: "derive every recorded decision anew, and report every difference",
	long: `Every access, every refusal and every other command is derived anew from what was recorded before it, signatures included.
		It exits with 1 where anything differs.`,
	example: "  assent redecide --as auditor --from 2026-01-01T00:00:00Z",
	print:   printRedecided,
	verdict: redecidedVerdict,
	own:     redecideWatched,
}

// redecideWatched shows how far it has come where a person watches: a ledger's whole
// history takes as long as it is long.
func redecideWatched(a *app, _ *cobra.Command) func(context.Context, words, map[string]any) error {
	return func(ctx context.Context, w words, ask map[string]any) error {
		c, err := a.come(ctx)
		if err != nil {
			return err
		}
		defer c.close()
		p, bar := &printer{out: a.out, lang: a.lang}, showProgress("deriving anew", -1)
		defer func() { bar.done() }()
		for {
			r, err := c.ask(ctx, patience, ask)
			if err != nil {
				return err
			}
			if len(r.Items) > 0 && bar != nil { // not in the middle of the bar's line
				bar.done()
				bar = nil
			}
			if err := a.printItems(p, w, r.Items); err != nil {
				return err
			}
			if r.Cursor == nil {
				items, err := itemsOf(r.Items)
				if err != nil {
					return err
				}
				return w.verdict(items)
			}
			ask["cursor"] = r.Cursor
			if done, of, ok := projections.Redecided(r.Cursor); ok {
				if bar == nil {
					bar = showProgress("deriving anew", int64(of))
				}
				bar.set(int64(done), int64(of))
			}
		}
	}
}

// redecidedVerdict is of the last page, which has the totals.
func redecidedVerdict(items []item) error {
	for _, it := range items {
		if n, ok := it["differences"].(json.Number); ok && n != "0" {
			return fmt.Errorf("%s events differ from what the law makes of what was recorded before them (II.1); `assent verify` says which is the first", n)
		}
	}
	return nil
}

// printRedecided shows each event that differs, then how much was looked at.
func printRedecided(p *printer, items []item) error {
	for _, it := range items {
		if it["differences"] != nil {
			_, err := fmt.Fprintf(p.out, "%s decisions, %s refusals and %s other events derived anew: %s differences\n",
				text(it["decisions"]), text(it["refusals"]), text(it["accepted"]), text(it["differences"]))
			if err != nil {
				return err
			}
			continue
		}
		if _, err := fmt.Fprintf(p.out, "event %s, %s\n  recorded: %s\n  derived:  %s\n",
			text(it["seq"]), shown(text(it["type"])), shown(ruling(it["recorded"])), shown(ruling(it["derived"]))); err != nil {
			return err
		}
	}
	return nil
}

// ruling is what became of a command, in a line.
func ruling(v any) string {
	r, _ := v.(map[string]any)
	if r["decision"] != nil {
		s := text(r["decision"]) + " by edition " + text(r["edition"]) + ", rules " + text(r["rules"])
		if r["violation"] != nil {
			s += ", violation " + text(r["violation"])
		}
		return s + ": " + reasons(r["reasons"], "; ")
	}
	var parts []string
	if r["type"] != nil {
		parts = append(parts, text(r["type"]))
	}
	if f, ok := r["refusal"].(map[string]any); ok {
		parts = append(parts, strings.TrimSpace(text(f["code"])+" "+text(f["clause"])+" "+text(f["reason"])))
	}
	if r["why"] != nil {
		parts = append(parts, text(r["why"]))
	}
	return strings.Join(parts, ": ")
}
