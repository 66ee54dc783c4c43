package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/qtccc/assent/domain"
)

func demoCommand(a *app) *cobra.Command {
	var commands bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "see what it does: an agency's first client, in a ledger of its own",
		Long: `Demo makes a ledger in a temporary directory, serves it, and plays an agency's first client in
it: the consultation, the Engagement Confirmation, designees, an agent who is turned away, a
consent given and withdrawn, staff, a destruction. All that it shows is what the service
answered. It ends with the rights, the trail, and one denial explained; then the ledger is
removed.`,
		Example: `  assent demo
  assent demo --commands    # with each command as it could be typed
  assent demo --json        # the documents that were answered`,
		Args: noWord,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := &demo{app: a, stage: newStage(a.out, a.lang), commands: commands, story: story}
			return d.run(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&commands, "commands", false, "show each command as it could be typed")
	return cmd
}

// A demo plays the story through a service of its own. Each step is a command line
// of this program, and connects, signs and asks as any other does.
type demo struct {
	app      *app
	stage    *stage
	commands bool // shown too
	story    []scene

	dir     string       // the ledger and its keys; removed at the end
	said    bytes.Buffer // what the service logged, shown where something went wrong
	attempt domain.UUID  // of the access that is explained
}

func (d *demo) run(ctx context.Context) (err error) {
	if d.dir, err = os.MkdirTemp("", "assent-demo-"); err != nil {
		return fmt.Errorf("make a directory for the demo's ledger: %w", err)
	}
	defer func() {
		if gone := os.RemoveAll(d.dir); err == nil && gone != nil {
			err = fmt.Errorf("remove the demo's ledger: %w", gone)
		}
	}()
	h, err := findHome(filepath.Join(d.dir, "ledger"), filepath.Join(d.dir, "keys"))
	if err != nil {
		return err
	}
	s := &service{home: h, listen: "127.0.0.1:0", log: slog.New(slog.NewTextHandler(&d.said, nil))}
	stopped := false
	stop := func() {
		if !stopped {
			stopped = true
			s.stop()
		}
	}
	defer stop()
	if err = s.start(ctx, plan{Name: "demo"}); err == nil {
		err = s.admit()
	}
	if err == nil {
		err = d.play(ctx, s)
	}
	if err != nil && ctx.Err() == nil {
		stop() // it logs until then
		return fmt.Errorf("%w\n%s", err, d.said.String())
	}
	return err
}

func (d *demo) play(ctx context.Context, s *service) error {
	p := d.stage
	if !d.app.json {
		p.title("Assent", "an agency's first client")
		p.para(fmt.Sprintf("A ledger of its own, served on nats://%s while this runs. Each line is a command that was "+
			"signed and sent to it, and on the right what it answered: the clause of the Confidentiality Statement, "+
			"and #n, the event that now stands in the ledger for good.", s.nats.Addr()))
	}
	for i, sc := range d.story {
		if !d.app.json {
			p.scene(i+1, &sc)
		}
		for j := range sc.steps {
			if err := d.step(ctx, &sc.steps[j]); err != nil {
				return err
			}
		}
	}
	if err := d.results(ctx); err != nil {
		return err
	}
	return p.failed()
}

// step issues one command, shows what came of it, and holds that against the story.
func (d *demo) step(ctx context.Context, st *step) error {
	line := d.filled(st.line)
	out, err := d.assent(ctx, append(cut(line), "--as", st.as)...)
	doc := bytes.TrimSpace(out)
	if len(doc) == 0 {
		return fmt.Errorf("%s %s: %w", st.as, st.tells, err)
	}
	ans := readAnswer("", doc)
	if d.app.json {
		fmt.Fprintf(d.app.out, "%s\n", doc)
	} else {
		d.stage.step(st, ans)
		if d.commands {
			d.stage.command("assent " + line + " --as " + st.as)
		}
	}
	if got := outcome(ans); got != st.want {
		return fmt.Errorf("the story goes otherwise: when %s %s, the ledger's answer was to be %q, and is %q",
			st.as, st.tells, st.want, got)
	}
	if st.explain {
		d.attempt = ans.Decision.Attempt
	}
	return nil
}

// outcome is an answer as the story writes it.
func outcome(a *answer) string {
	switch {
	case a.Error != nil:
		return strings.TrimSpace(fmt.Sprintf("%s %s %s", a.Error.Code, a.Error.Clause, a.Error.Reason))
	case a.Decision != nil:
		parts := make([]string, len(a.Decision.Reasons))
		for i, r := range a.Decision.Reasons {
			parts[i] = string(r.Clause) + " " + r.Code
		}
		return a.Decision.Decision + " " + strings.Join(parts, ", ")
	}
	return a.Type
}

// assent runs one command line of this program against the demo's ledger, whatever
// the environment says of another one, and gives what it printed as documents.
func (d *demo) assent(ctx context.Context, args ...string) ([]byte, error) {
	var out, errs bytes.Buffer
	root := rootCommand(&app{in: strings.NewReader(""), out: &out, errs: &errs})
	root.SetArgs(append(args, "--json", "--server=", "--identity=",
		"--data", filepath.Join(d.dir, "ledger"), "--keys", filepath.Join(d.dir, "keys")))
	err := root.ExecuteContext(ctx)
	return out.Bytes(), err
}

// ask asks a question, and gives its items.
func (d *demo) ask(ctx context.Context, args ...string) ([]item, error) {
	out, err := d.assent(ctx, args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", strings.Join(args, " "), err)
	}
	if d.app.json {
		_, err := d.app.out.Write(out)
		return nil, err
	}
	var items []item
	dec := json.NewDecoder(bytes.NewReader(out))
	dec.UseNumber()
	for dec.More() {
		var it item
		if err := dec.Decode(&it); err != nil {
			return nil, fmt.Errorf("%s: the answer can't be read: %w", strings.Join(args, " "), err)
		}
		items = append(items, it)
	}
	return items, nil
}

// results asks for what the ledger knows at the end of the story.
func (d *demo) results(ctx context.Context) error {
	if d.attempt == "" {
		return errors.New("the story has no access to explain")
	}
	rights, err := d.ask(ctx, "rights", "--as", "auditor", "--client", "acme", "--ended")
	if err != nil {
		return err
	}
	trail, err := d.ask(ctx, "trail", "--as", "auditor", "--client", "acme")
	if err != nil {
		return err
	}
	why, err := d.ask(ctx, "explain", "--as", "auditor", "--attempt", string(d.attempt))
	if err != nil || d.app.json {
		return err
	}
	p := d.stage
	p.heading("Who may come near Acme's data", "assent rights --as auditor --client acme --ended")
	if err := p.rights(rights); err != nil {
		return err
	}
	p.heading("What happened to it", "assent trail --as auditor --client acme")
	if err := p.trail(trail); err != nil {
		return err
	}
	p.heading("Why Chen Jie didn't see the formula", "assent explain --as auditor --attempt "+string(d.attempt))
	if err := p.explained(why); err != nil {
		return err
	}
	p.close()
	return nil
}

// filled is a line of the story with its times and digests put in. DIGEST stands for
// that of a scanned paper: one for each line that is otherwise different.
func (d *demo) filled(line string) string {
	sum := sha256.Sum256([]byte(line))
	now := time.Now().UTC()
	return strings.NewReplacer(
		"DIGEST", hex.EncodeToString(sum[:]),
		"YESTERDAY", now.AddDate(0, 0, -1).Format(time.DateOnly)+"T00:00:00Z",
		"NEXTYEAR", now.AddDate(1, 0, 0).Format(time.DateOnly)+"T00:00:00Z",
	).Replace(line)
}

// cut cuts a command line as a shell would that knows single quotes and nothing
// else.
func cut(line string) (ws []string) {
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			ws = append(ws, part)
			continue
		}
		ws = append(ws, strings.Fields(part)...)
	}
	return ws
}
