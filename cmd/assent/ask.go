package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore/cloudevent"
	"github.com/qtccc/assent/projections"
)

// A words says how a question of the contract's section 5 looks to a person.
type words struct {
	short, long, example string
	// print shows items to a person; it is called once a page.
	print func(p *printer, items []item) error
	// verdict is why the answer, as it is printed, is no good news; nil: an answer is
	// an answer. It is called once a page too.
	verdict func(items []item) error
	// own adds flags of its own and asks in its own way; nil: as all others do.
	own func(a *app, cmd *cobra.Command) func(ctx context.Context, w words, ask map[string]any) error
}

// An item is one of an answer's, as the contract's table has it.
type item map[string]any

// addQuestions adds a word for each question, its flags named like the fields.
func addQuestions(root *cobra.Command, a *app) {
	for i := range projections.Questions {
		q := &projections.Questions[i]
		if asks, ok := asked[q.Ask]; ok { // events are replay's and watch's
			root.AddCommand(askCommand(a, q, asks))
		}
	}
}

func askCommand(a *app, q *projections.Question, w words) *cobra.Command {
	cmd := &cobra.Command{
		Use:     q.Ask,
		Short:   w.short,
		Long:    strings.Join(strings.Fields(sentence(w.short)+". "+w.long+" It is answered to: "+strings.Join(texts(q.Roles), ", ")+"."), " "),
		Example: w.example,
		GroupID: groupQuestions,
		Args:    noWord,
	}
	cmd.Flags().SortFlags = false
	put, do := filters(cmd, q.Fields), a.ask
	if w.own != nil {
		do = w.own(a, cmd)
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ask := map[string]any{"ask": q.Ask}
		if err := put(ask); err != nil {
			return err
		}
		return do(cmd.Context(), w, ask)
	}
	return cmd
}

// filters gives the command a flag for each field of a question, and for `after`.
// The function that it returns puts what was given into the question.
func filters(cmd *cobra.Command, fields []cloudevent.Field) func(ask map[string]any) error {
	flags := cmd.Flags()
	var puts []func(map[string]any) error
	for _, f := range fields {
		complete := cobra.NoFileCompletions
		if f.Words != nil {
			complete = cobra.FixedCompletions(f.Words, cobra.ShellCompDirectiveNoFileComp)
		}
		if f.Kind == cloudevent.KindBool {
			v := flags.Bool(f.Name, false, filterUsage(f))
			puts = append(puts, func(ask map[string]any) error {
				if *v {
					ask[f.Name] = true
				}
				return nil
			})
		} else {
			v := flags.String(f.Name, "", filterUsage(f))
			puts = append(puts, func(ask map[string]any) (err error) {
				if flags.Changed(f.Name) {
					ask[f.Name], err = filterValue(f, *v)
				}
				return err
			})
		}
		_ = cmd.RegisterFlagCompletionFunc(f.Name, complete)
	}
	after := flags.Uint64("after", 0, "answer with no less than the event of this `sequence` taken in")
	return func(ask map[string]any) error {
		if *after != 0 {
			ask["after"] = *after
		}
		for _, put := range puts {
			if err := put(ask); err != nil {
				return err
			}
		}
		return nil
	}
}

func filterUsage(f cloudevent.Field) string {
	if u := filterUsages[f.Name]; u != "" {
		return u
	}
	return "of this " + f.Name + ": " + meaning(cloudevent.Field{Name: f.Name, Kind: f.Kind, Words: f.Words, Required: true})
}

var filterUsages = map[string]string{
	"client":   "of this client's `id`",
	"party":    "of this party's `id`, in whatever part",
	"record":   "about this record's `id`",
	"actor":    "issued by this actor's `id`",
	"evidence": "that names this evidence's `id`, or rests on it",
	"type":     "of this event `type`, such as consent.given",
	"clause":   "under this `clause` of the statement, such as II.1",
	"decision": "with this `decision`, granted or denied",
	"ended":    "those that have ended too",
	"review":   "of this review's `id`",
	"open":     "those that are open alone",
	"edition":  "of the edition of this `number`",
	"by":       "due before this `sequence` or time, and still there",
	"unseen":   "what was issued and ended before it was opened, looked at by nobody, instead",
	"at":       "as it was after this `sequence`, or at this time",
	"from":     "from this `sequence` or time on",
	"to":       "before this `sequence` or time",
	"attempt":  "the attempt's `UUID`, which its answer and its event have",
	"request":  "what would be decided on this request, `JSON` as access.request has it; nothing is recorded",
}

// filterValue is what a flag says as the question's field has it: a sequence is a
// number, a time a string.
func filterValue(f cloudevent.Field, v string) (any, error) {
	switch f.Kind {
	case projections.KindMoment:
		if seq, err := strconv.ParseUint(v, 10, 53); err == nil {
			return seq, nil
		}
	case cloudevent.KindNumber:
		if n, err := strconv.ParseUint(v, 10, 53); err == nil {
			return n, nil
		}
	case cloudevent.KindObject:
		if !json.Valid([]byte(v)) {
			return nil, invalid("/"+f.Name, "--"+f.Name+" takes JSON, and this is none")
		}
		return json.RawMessage(v), nil
	}
	return v, nil
}

// A reply is the answer to a question.
type reply struct {
	OK     bool              `json:"ok"`
	At     uint64            `json:"at"`
	Items  []json.RawMessage `json:"items"`
	Item   json.RawMessage   `json:"item"`
	Cursor json.RawMessage   `json:"cursor"`
	Error  *domain.Fault     `json:"error"`
}

// all are the items, one or many.
func (r *reply) all() []json.RawMessage {
	if r.Item != nil {
		return []json.RawMessage{r.Item}
	}
	return r.Items
}

// come is a connection of who acts or asks, to be closed.
func (a *app) come(ctx context.Context) (*client, error) {
	h, err := findHome(a.data, a.keysPath)
	if err != nil {
		return nil, err
	}
	if h.state == absent && a.server == "" && a.as != "" {
		_, _, err := a.whereabouts() // which says so, before anybody looks for a key
		return nil, err
	}
	who, err := a.who(h.keys)
	if err != nil {
		return nil, err
	}
	return a.dial(ctx, who)
}

// ask asks, turns the pages and prints them as they come.
func (a *app) ask(ctx context.Context, w words, ask map[string]any) error {
	c, err := a.come(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	p := &printer{out: a.out, lang: a.lang}
	for {
		r, err := c.ask(ctx, patience, ask)
		if err != nil {
			return err
		}
		if err := a.printItems(p, w, r.all()); err != nil {
			return err
		}
		if w.verdict != nil {
			items, err := itemsOf(r.all())
			if err != nil {
				return err
			}
			if err := w.verdict(items); err != nil {
				return err
			}
		}
		if r.Cursor == nil {
			return nil
		}
		ask["cursor"] = r.Cursor
	}
}

// ask is one question and its answer, which comes in time or not at all.
func (c *client) ask(ctx context.Context, within time.Duration, ask map[string]any) (*reply, error) {
	body, err := json.Marshal(ask)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	b, err := c.request(ctx, "assent.ask."+string(c.who.actor), body)
	switch {
	case errors.Is(err, context.Canceled):
		return nil, errors.New("interrupted")
	case isFault(err):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("unavailable: %w; ask again", err)
	}
	var r reply
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("unavailable: the ledger's answer can't be read: %w", err)
	}
	if !r.OK {
		if r.Error == nil {
			return nil, errors.New("unavailable: the ledger's answer says nothing")
		}
		return nil, r.Error
	}
	return &r, nil
}

func (a *app) printItems(p *printer, w words, raw []json.RawMessage) error {
	if a.json {
		return printLines(a.out, raw)
	}
	items, err := itemsOf(raw)
	if err != nil {
		return err
	}
	return w.print(p, items)
}

func itemsOf(raw []json.RawMessage) ([]item, error) {
	items := make([]item, len(raw))
	for i, b := range raw {
		if err := decode(b, &items[i]); err != nil {
			return nil, fmt.Errorf("the ledger's answer can't be read: %w", err)
		}
	}
	return items, nil
}

func printLines(out io.Writer, raw []json.RawMessage) error {
	for _, b := range raw {
		if _, err := out.Write(append(b[:len(b):len(b)], '\n')); err != nil {
			return err
		}
	}
	return nil
}

// decode reads JSON with its numbers as they stand there: a float would show a
// large sequence rounded.
func decode(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return d.Decode(v)
}
