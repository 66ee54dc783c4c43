package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/qtccc/assent/eventstore/cloudevent"
)

// addCertificate adds `destruction certificate`, which is neither a question nor a
// command of the contract: it writes down what questions answer.
func addCertificate(root *cobra.Command, a *app) {
	out := ""
	cmd := &cobra.Command{
		Use:   "certificate",
		Short: "write the certificate of a record's destruction (II.5)",
		Long: `Certificate writes down, as Markdown, that a record was destroyed: by which method, by whom, who
witnessed it, by which rule of retention it was due, and which event records it. All of it is as it
stood after that event, so it comes out the same again. It is written for those who may ask for
destruction.`,
		Example: "  assent destruction certificate --as officer --client acme --record brochure --out brochure.md",
		Args:    noWord,
	}
	cmd.Flags().SortFlags = false
	put := filters(cmd, []cloudevent.Field{{Name: "client", Kind: cloudevent.KindID, Required: true}, {Name: "record", Kind: cloudevent.KindID, Required: true}})
	cmd.Flags().StringVar(&out, "out", "", "write to this `file` (default stdout)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ask := map[string]any{"ask": "destruction"}
		if err := put(ask); err != nil {
			return err
		}
		switch {
		case ask["client"] == nil || ask["record"] == nil:
			return errors.New("say with --client and --record which record was destroyed; `assent destruction` has them")
		case a.json:
			return errors.New("a certificate is for people; `assent destruction --json` gives the document")
		}
		c, err := a.readCertificate(cmd.Context(), ask)
		if err != nil {
			return err
		}
		if out == "" {
			_, err := a.out.Write(c.markdown())
			return err
		}
		if err := replaceFile(out, c.markdown(), 0o600); err != nil {
			return fmt.Errorf("write the certificate: %w", err)
		}
		_, err = fmt.Fprintf(a.out, "wrote %s\n", shown(out))
		return err
	}
	nounCommand(root, "destruction").AddCommand(cmd)
}

// A certificate is the destruction of a record as questions answer it, all as of its
// event.
type certificate struct {
	ledger item // of `status`
	record item // of `destruction`
	event  item // of `trail`
	paper  item // of `evidence`: what was named as such; nil: nothing, or none of the client's
}

func (a *app) readCertificate(ctx context.Context, ask map[string]any) (*certificate, error) {
	c, err := a.come(ctx)
	if err != nil {
		return nil, err
	}
	defer c.close()
	one := func(into *item, ask map[string]any, wanted func(item) bool) error {
		items, _, err := c.askAll(ctx, ask)
		for _, it := range items {
			if wanted == nil || wanted(it) {
				*into = it
			}
		}
		return err
	}
	cert := &certificate{}
	if err := one(&cert.record, ask, nil); err != nil {
		return nil, err
	}
	if cert.record == nil || cert.record["event"] == nil {
		return nil, fmt.Errorf("the record %s of %s was not destroyed: it is %s", ask["record"], ask["client"], text(cert.record["state"]))
	}
	seq := cert.record["event"]
	ask["at"] = seq
	if err := one(&cert.record, ask, nil); err != nil {
		return nil, err
	}
	if err := one(&cert.ledger, map[string]any{"ask": "status"}, nil); err != nil {
		return nil, err
	}
	trail := map[string]any{"ask": "trail", "client": ask["client"], "record": ask["record"], "type": "record.destroyed", "from": seq}
	err = one(&cert.event, trail, func(it item) bool { return text(it["seq"]) == text(seq) })
	if err == nil && cert.event == nil {
		err = fmt.Errorf("event %s is not in the trail of the record", text(seq))
	}
	if paper := cert.record["evidence"]; err == nil && paper != nil {
		papers := map[string]any{"ask": "evidence", "client": ask["client"], "at": seq}
		err = one(&cert.paper, papers, func(it item) bool { return text(it["evidence"]) == text(paper) })
	}
	return cert, err
}

// markdown is the certificate for people.
func (c *certificate) markdown() []byte {
	r := c.record
	ledger := text(c.ledger["ledger"])
	if c.ledger["name"] != nil {
		ledger = text(c.ledger["name"]) + ", " + ledger
	}
	rows := [][]string{
		{"Client", text(r["client"])},
		{"Record", idAndName(r["record"], r["title"])},
		{"Class and medium", text(r["class"]) + ", " + text(r["medium"])},
		{"Retention rule", c.rule()},
		{"Destroyed", text(r["time"])},
		{"Method", text(r["method"])},
		{"Operator", idAndName(r["operator"], r["operatorName"])},
		{"Witness", idAndName(r["witness"], r["witnessName"])},
	}
	if paper := r["evidence"]; paper != nil {
		says := text(paper)
		if c.paper != nil {
			says += ", " + text(c.paper["kind"]) + ", SHA-256 " + text(c.paper["sha256"])
		}
		rows = append(rows, []string{"Evidence", says})
	}
	rows = append(rows,
		[]string{"Recorded by", text(c.event["actor"])},
		[]string{"Event", fmt.Sprintf("%s, %s, %s", text(r["event"]), text(c.event["type"]), text(c.event["id"]))},
		[]string{"Ledger", ledger})
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Certificate of destruction\n\nThe record below was destroyed under clause II.5 of the Confidentiality Statement.\n\n")
	markdownTable(&b, []string{"", ""}, rows)
	fmt.Fprintf(&b, "\nAs of event %s. `assent prove %s` proves that this event stands in the ledger's log.\n", text(r["event"]), text(r["event"]))
	return b.Bytes()
}

// rule is the record's rule of retention, and how it stood when it was destroyed.
func (c *certificate) rule() string {
	rule, _ := c.record["retention"].(map[string]any)
	s := "kept " + text(rule["keep"]) + " after its registration"
	if rule["after"] == "engagement" {
		s = "kept " + text(rule["keep"]) + " after the closing of its engagement " + text(c.record["engagement"])
	}
	const sooner = "destroyed sooner, as the client asked"
	if c.record["due"] == nil {
		return s + ", which was open: " + sooner
	}
	s += ", until " + text(c.record["due"])
	due, _ := time.Parse(time.RFC3339, text(c.record["due"]))
	if at, _ := time.Parse(time.RFC3339, text(c.record["time"])); at.Before(due) {
		s += ": " + sooner
	}
	return s
}

// idAndName is an id, and after it what it is called.
func idAndName(id, name any) string { return text(id) + ", " + text(name) }
