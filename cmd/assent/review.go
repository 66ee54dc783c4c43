package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore/cloudevent"
	"github.com/qtccc/assent/projections"
)

// addReviewReport adds `review report`, which is neither a question nor a command of
// the contract: it writes down what questions answer.
func addReviewReport(root *cobra.Command, a *app) {
	out, csv := "", false
	cmd := &cobra.Command{
		Use:   "report",
		Short: "write the record of a management review (II.2)",
		Long: `Report writes down a review: who opened and closed it, the authorisations that were in force, each
with its need, its use and its verdict; what is undecided or was overdue, what changed since, what
was issued and ended without anybody's look, what was issued again after a review took it away. It
is Markdown, or CSV for a spreadsheet. It holds as of an event, and says which; given that with
--at it comes out the same again. It is written for those who may ask for a review.`,
		Example: "  assent review report --as manager --review rv-1 --out reviews",
		Args:    noWord,
	}
	cmd.Flags().SortFlags = false
	put := filters(cmd, []cloudevent.Field{{Name: "review", Kind: cloudevent.KindID, Required: true}, {Name: "at", Kind: projections.KindMoment}})
	cmd.Flags().StringVar(&out, "out", "", "write review-ID.md and review-ID.csv into this `directory`, instead of Markdown to stdout")
	cmd.Flags().BoolVar(&csv, "csv", false, "CSV to stdout")
	_ = cmd.MarkFlagDirname("out")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ask := map[string]any{}
		if err := put(ask); err != nil {
			return err
		}
		switch {
		case ask["review"] == nil:
			return errors.New("say with --review which one; `assent reviews` has them")
		case a.json:
			return errors.New("a report is for people; `assent review --json` gives the documents")
		case out != "" && csv:
			return errors.New("--out writes Markdown and CSV both: leave --csv out")
		}
		return a.reviewReport(cmd.Context(), ask, out, csv)
	}
	nounCommand(root, "review").AddCommand(cmd)
}

func (a *app) reviewReport(ctx context.Context, ask map[string]any, out string, csv bool) error {
	r, err := a.readReview(ctx, ask)
	if err != nil {
		return err
	}
	if out == "" {
		if csv {
			return r.csv(a.out)
		}
		return r.markdown(a.out)
	}
	if err := makeDir(out); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	path := filepath.Join(out, "review-"+r.id)
	for end, write := range map[string]func(io.Writer) error{".md": r.markdown, ".csv": r.csv} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			return err
		}
		if err := replaceFile(path+end, b.Bytes(), 0o600); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
	}
	_, err = fmt.Fprintf(a.out, "wrote %s.md and .csv: %s\n", shown(path), r.sum())
	return err
}

// A reviewed is a review as its questions answer, all of one moment.
type reviewed struct {
	id     string
	ledger domain.UUID
	at     uint64 // the event that it is as of
	review item   // of `reviews`
	// items are what was in force when it was opened, unseen what was issued and ended
	// before, since the opening of the review before it.
	items, unseen []item
}

func (a *app) readReview(ctx context.Context, ask map[string]any) (*reviewed, error) {
	c, err := a.come(ctx)
	if err != nil {
		return nil, err
	}
	defer c.close()
	r := &reviewed{id: text(ask["review"]), ledger: c.ledger}
	all := map[string]any{"ask": "reviews"}
	for _, name := range []string{"at", "after"} {
		if ask[name] != nil {
			all[name] = ask[name]
		}
	}
	reviews, at, err := c.askAll(ctx, all)
	if err != nil {
		return nil, err
	}
	for _, it := range reviews {
		if text(it["review"]) == r.id {
			r.review = it
		}
	}
	if r.at = at; all["at"] == nil {
		ask["at"] = at // what happens meanwhile is in no part
	}
	ask["ask"] = "review"
	if r.items, _, err = c.askAll(ctx, ask); err != nil {
		return nil, err
	}
	if r.review == nil {
		return nil, fmt.Errorf("the review %s was not open yet after event %d", r.id, at)
	}
	ask["unseen"] = true
	delete(ask, "cursor")
	r.unseen, _, err = c.askAll(ctx, ask)
	return r, err
}

// askAll asks and turns all pages; at is the event that the answer is of.
func (c *client) askAll(ctx context.Context, ask map[string]any) (items []item, at uint64, err error) {
	for {
		r, err := c.ask(ctx, patience, ask)
		if err != nil {
			return nil, 0, err
		}
		for _, b := range r.all() {
			var it item
			if err := decode(b, &it); err != nil {
				return nil, 0, fmt.Errorf("the ledger's answer can't be read: %w", err)
			}
			items = append(items, it)
		}
		if r.Cursor == nil {
			return items, r.At, nil
		}
		ask["cursor"] = r.Cursor
	}
}
