package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/qtccc/assent/domain"
)

// waitForEvents is how long one question waits for events, and how that is written.
const (
	waitForEvents = 25 * time.Second
	waitPeriod    = "PT25S"
)

func replayCommand(a *app) *cobra.Command {
	return eventsCommand(a, &cobra.Command{
		Use:   "replay",
		Short: "print the recorded events, from the first one or from --after on",
		Long: `Replay prints what was recorded, in order, up to the last event. With --json it prints the
recorded documents, byte for byte, one a line.`,
		Example: `  assent replay --as auditor --json > events.jsonl
  assent replay --as auditor --client acme --after 120`,
	}, false)
}

func watchCommand(a *app) *cobra.Command {
	return eventsCommand(a, &cobra.Command{
		Use:   "watch",
		Short: "print events as they are recorded, from --after on",
		Long: `Watch prints what was recorded after --after (left out: everything), and then each event as
it is recorded, until it is interrupted. Where the service is gone it waits for it to come
back, and goes on after the last event that it printed. With --json it prints the recorded
documents, byte for byte, one a line.`,
		Example: `  assent watch --as auditor --type access.denied
  assent watch --as auditor --json --after 120 >> events.jsonl`,
	}, true)
}

// eventsCommand fills in what replay and watch have in common.
func eventsCommand(a *app, cmd *cobra.Command, on bool) *cobra.Command {
	var client, kind string
	var after uint64
	f := cmd.Flags()
	f.Uint64Var(&after, "after", 0, "begin after the event of this `sequence`")
	f.StringVar(&client, "client", "", "only what happened to this client's `id`")
	f.StringVar(&kind, "type", "", "only events of this `type`")
	_ = cmd.RegisterFlagCompletionFunc("client", cobra.NoFileCompletions)
	_ = cmd.RegisterFlagCompletionFunc("type", cobra.FixedCompletions(eventTypes(), cobra.ShellCompDirectiveNoFileComp))
	cmd.Args = noWord
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ask := map[string]any{"ask": "events"}
		for name, v := range map[string]string{"client": client, "type": kind} {
			if v != "" {
				ask[name] = v
			}
		}
		r := &eventReader{app: a, ask: ask, after: after, p: &printer{out: a.out}}
		if on {
			return r.watch(cmd.Context())
		}
		return r.replay(cmd.Context())
	}
	return cmd
}

// An eventReader asks for events, page by page, and prints them.
type eventReader struct {
	app   *app
	ask   map[string]any
	after uint64 // all events up to this one were printed
	p     *printer
	bar   *progress
}

func (r *eventReader) replay(ctx context.Context) error {
	c, err := r.dial(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	if !watched(r.app.out) { // else the events show how far it is
		r.bar = showProgress("replaying", -1, progressbar.OptionSetItsString("events"))
		defer r.bar.done()
	}
	_, err = r.pages(ctx, c, patience)
	return err
}

// watch goes on for ever: an interruption ends it, and all is well then.
func (r *eventReader) watch(ctx context.Context) error {
	c, err := r.dial(ctx)
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		if err == nil {
			r.ask["wait"] = waitPeriod
			for err == nil {
				var some bool
				if some, err = r.pages(ctx, c, waitForEvents+patience); some {
					pause = 50 * time.Millisecond
				}
			}
			c.close()
		}
		var fault *domain.Fault
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &fault) && fault.Code != domain.Unavailable, r.after == 0 && c == nil, errors.Is(err, errOutput):
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
		if c, err = r.dial(ctx); err == nil {
			r.app.complain(fmt.Errorf("the ledger answers again; going on after event %d", r.after))
		}
	}
}

func (r *eventReader) dial(ctx context.Context) (*client, error) {
	h, err := findHome(r.app.data, r.app.keysPath)
	if err != nil {
		return nil, err
	}
	who, err := r.app.who(h.keys)
	if err != nil {
		return nil, err
	}
	return r.app.dial(ctx, who)
}

// errOutput means that nothing more can be printed.
var errOutput = errors.New("print the events")

// pages prints all that follows after, and says whether that was anything.
func (r *eventReader) pages(ctx context.Context, c *client, within time.Duration) (some bool, err error) {
	delete(r.ask, "cursor")
	for {
		r.ask["after"] = r.after
		ans, err := c.ask(ctx, within, r.ask)
		if err != nil {
			return some, err
		}
		if err := r.print(ans.Items); err != nil {
			return some, fmt.Errorf("%w: %w", errOutput, err)
		}
		some = some || len(ans.Items) > 0
		r.bar.add(len(ans.Items))
		if ans.Cursor == nil {
			r.after = max(r.after, ans.At)
			return some, nil
		}
		r.ask["cursor"] = ans.Cursor
	}
}

func (r *eventReader) print(docs []json.RawMessage) error {
	if r.app.json {
		if err := printLines(r.app.out, docs); err != nil {
			return err
		}
	}
	rows := make([][]string, len(docs))
	for i, b := range docs {
		var d eventDocument
		if err := decode(b, &d); err != nil {
			return fmt.Errorf("an event can't be read: %w", err)
		}
		seq, err := strconv.ParseUint(d.Sequence, 10, 64)
		if err != nil {
			return fmt.Errorf("an event can't be read: %w", err)
		}
		r.after = max(r.after, seq)
		rows[i] = []string{strconv.FormatUint(seq, 10), d.Time, d.Type, d.Actor, d.Subject, whatHappened(item{
			"type": d.Type, "decision": d.Data["decision"], "refusal": d.Data["refusal"], "event": d.Data["event"]})}
	}
	if r.app.json || len(rows) == 0 {
		return nil
	}
	return r.p.table([]string{"SEQ", "TIME", "TYPE", "ACTOR", "SUBJECT", "WHAT"}, rows)
}

// An eventDocument is what a person reads of a recorded event.
type eventDocument struct {
	Sequence string         `json:"sequence"`
	Time     string         `json:"time"`
	Type     string         `json:"type"`
	Actor    string         `json:"actor"`
	Subject  string         `json:"subject"`
	Data     map[string]any `json:"data"`
}

func eventTypes() []string {
	types := []string{domain.CommandRefused}
	for _, row := range domain.Catalogue {
		types = append(types, row.Events...)
	}
	return types
}
