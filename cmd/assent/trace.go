package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

var askTrace = words{
	short: "a right back to its written instrument, and forward to every access that relied on it",
	long: `A client with one of its rights, terms or approvals is wanted, or evidence, or an attempt. With --format 27560 consents,
		designations and delegations are printed as ISO/IEC TS 27560 consent records, with 27560-receipt as receipts for the
		client.`,
	example: `  assent trace --as auditor --client acme --consent c1
  assent trace --as officer --client acme --consent c1 --format 27560`,
	print: printTraces,
	own:   traceFormats,
}

// traceFormats adds --format. With --json an item comes in one line, however many
// pages its accesses fill.
func traceFormats(a *app, cmd *cobra.Command) func(context.Context, words, map[string]any) error {
	var format string
	cmd.Flags().StringVar(&format, "format", "", "print consent records in this `format`: "+strings.Join(recordFormats, " or "))
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(recordFormats, cobra.ShellCompDirectiveNoFileComp))
	return func(ctx context.Context, w words, ask map[string]any) error {
		switch {
		case cmd.Flags().Changed("format"):
			return a.consentRecords(ctx, format, ask)
		case a.json:
			return a.traceLines(ctx, ask)
		}
		return a.ask(ctx, w, ask)
	}
}

// A tracePart is where the printing of an item stopped at the end of a page.
type tracePart struct {
	going bool // the next page goes on with it
	some  bool // an access of it was printed
	any   bool // an item was printed
}

// printTraces prints a chain for each item: what it is, its papers, and a table of
// the accesses.
func printTraces(p *printer, items []item) error {
	for _, it := range items {
		if !p.trace.going {
			var head strings.Builder
			if p.trace.any {
				head.WriteByte('\n')
			}
			for _, line := range chainOf(it) {
				head.WriteString(shown(line))
				head.WriteByte('\n')
			}
			if _, err := io.WriteString(p.out, head.String()); err != nil {
				return err
			}
			p.widths, p.trace = nil, tracePart{any: true}
		}
		p.trace.going = it["more"] == true
		if err := printRelied(p, it["relied"]); err != nil {
			return err
		}
		if !p.trace.going && !p.trace.some {
			if _, err := fmt.Fprintln(p.out, "no decision names it"); err != nil {
				return err
			}
		}
	}
	return nil
}

func printRelied(p *printer, v any) error {
	list, _ := v.([]any)
	if len(list) == 0 {
		return nil
	}
	rows := make([][]string, len(list))
	for i, v := range list {
		v, _ := v.(map[string]any)
		it := item(v)
		who := text(it["party"])
		for _, with := range [][2]string{{"bearer", ", by "}, {"behalfOf", ", for "}, {"recipient", ", to "}} {
			if it[with[0]] != nil {
				who += with[1] + text(it[with[0]])
			}
		}
		why := text(it["clause"]) + " " + text(it["code"])
		if it["evidence"] != nil {
			why += " by " + text(it["evidence"])
		}
		rows[i] = []string{text(it["seq"]), text(it["time"]), who, text(it["record"]), text(it["action"]), text(it["purpose"]),
			text(it["decision"]), why}
	}
	p.trace.some = true
	return p.table([]string{"SEQ", "TIME", "PARTY", "RECORD", "ACTION", "PURPOSE", "DECISION", "WHY"}, rows)
}

// chainOf is an item without its accesses, line by line.
func chainOf(it item) (lines []string) {
	right, _ := it["right"].(map[string]any)
	r := item(right)
	if right != nil {
		lines = append(lines, titleOf(r)+": "+stateOfTraced(r))
		var says []string
		for _, name := range []string{"scope", "rules", "record", "purposes", "purpose", "actions", "action", "recipient"} {
			switch {
			case name == "purposes" && r[name] != nil:
				says = append(says, strings.Replace(purposesOf(r), "all", "any purpose", 1))
			case name == "scope" && r[name] != nil:
				says = append(says, strings.Replace(text(r[name]), "all", "all records", 1))
			case r[name] != nil:
				says = append(says, text(r[name]))
			}
		}
		if r["until"] != nil {
			says = append(says, "until "+text(r["until"]))
		}
		says = append(says, "since #"+text(r["from"]))
		for _, said := range [][2]string{{"changed", "changed #"}, {"issuedBy", "issued by "}, {"givenBy", "given by "}} {
			if r[said[0]] != nil {
				says = append(says, said[1]+text(r[said[0]]))
			}
		}
		lines = append(lines, "  "+strings.Join(says, "; "))
	}
	paper := func(as string, v any) {
		if p, ok := v.(map[string]any); ok {
			lines = append(lines, paperOf(as, p)...)
		}
	}
	own, _ := it["instrument"].(map[string]any)
	switch {
	case right == nil:
		paper("", own)
	case own == nil:
		lines = append(lines, "  on no paper")
	case text(own["evidence"]) != text(r["evidence"]):
		paper("  rested on ", own)
	default:
		paper("  rests on ", own)
	}
	paper("  from a designation that rested on ", it["from"])
	others, _ := it["others"].([]any)
	for _, o := range others {
		as := "  rested also on "
		if o, ok := o.(map[string]any); ok && text(o["evidence"]) == text(r["evidence"]) {
			as = "  rests on "
		}
		paper(as, o)
	}
	return lines
}

func titleOf(r item) string {
	title := text(r["right"]) + " " + text(r["id"])
	if r["client"] != nil {
		title += " of " + text(r["client"])
	}
	if r["party"] != nil {
		title += " for " + text(r["party"])
	}
	if r["behalfOf"] != nil {
		title += " in the place of " + text(r["behalfOf"]) + " (designation " + text(r["designation"]) + ")"
	}
	return title
}

func stateOfTraced(r item) string {
	if r["spent"] != nil {
		return "spent #" + text(r["spent"])
	}
	return stateOfRight(r)
}

// paperOf is a written instrument, line by line.
func paperOf(as string, p item) []string {
	first := as + text(p["evidence"]) + ", " + text(p["kind"]) + ": "
	switch {
	case p["signed"] == true && p["stamped"] == true:
		first += "signed and stamped"
	case p["signed"] == true:
		first += "signed, not stamped"
	case p["stamped"] == true:
		first += "stamped, not signed"
	default:
		first += "neither signed nor stamped"
	}
	if p["signedOn"] != nil {
		first += ", on " + text(p["signedOn"])
	}
	if p["signedBy"] != nil {
		first += ", by " + text(p["signedBy"])
	}
	filed := "    filed #" + text(p["seq"]) + ", " + text(p["filed"]) + ", by " + text(p["filedBy"]) + "; "
	if text(p["custody"]) == "paper" {
		filed += "on paper: " + text(p["place"])
	} else {
		filed += "its content in the ledger's store"
	}
	lines := []string{first, "    sha256 " + text(p["sha256"]) + ", " + text(p["size"]) + " bytes of " + text(p["mediaType"]), filed}
	if p["void"] == true {
		lines = append(lines, "    VOID since #"+text(p["voided"])+", "+text(p["voidedOn"])+", by "+text(p["voidedBy"]))
	}
	return lines
}

// traceLines prints the items, one a line: a page that goes on with an item adds to
// its accesses.
func (a *app) traceLines(ctx context.Context, ask map[string]any) error {
	c, err := a.come(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	var part tracePart
	for {
		r, err := c.ask(ctx, patience, ask)
		if err != nil {
			return err
		}
		for _, raw := range r.all() {
			if err := part.write(a.out, raw); err != nil {
				return err
			}
		}
		if r.Cursor == nil {
			return nil
		}
		ask["cursor"] = r.Cursor
	}
}

// write writes an item, or what it adds to the one before, which is the same one.
func (t *tracePart) write(out io.Writer, raw json.RawMessage) error {
	var page struct {
		Relied []json.RawMessage `json:"relied"`
		More   bool              `json:"more"`
	}
	if err := json.Unmarshal(raw, &page); err != nil {
		return fmt.Errorf("the ledger's answer can't be read: %w", err)
	}
	var line bytes.Buffer
	if !t.going {
		head, err := membersBut(raw, "relied", "more")
		if err != nil {
			return fmt.Errorf("the ledger's answer can't be read: %w", err)
		}
		line.WriteByte('{')
		line.Write(head)
		line.WriteString(`"relied":[`)
		t.some = false
	}
	for _, access := range page.Relied {
		if t.some {
			line.WriteByte(',')
		}
		line.Write(access)
		t.some = true
	}
	if t.going = page.More; !t.going {
		line.WriteString("]}\n")
	}
	_, err := out.Write(line.Bytes())
	return err
}

// membersBut are the members of an object in their order, each with a comma after
// it, some left out.
func membersBut(object []byte, names ...string) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(object))
	if _, err := d.Token(); err != nil { // {
		return nil, err
	}
	var b bytes.Buffer
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		if n, _ := name.(string); !slices.Contains(names, n) {
			fmt.Fprintf(&b, "%q:%s,", n, value)
		}
	}
	return b.Bytes(), nil
}
