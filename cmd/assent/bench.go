package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

func benchCommand(a *app) *cobra.Command {
	b := &bench{app: a, events: 1_000_000, clients: 10_000, rounds: 9, span: time.Second}
	quick := false
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "measure speed and memory beside raw JetStream, in ledgers of its own",
		Long: `Bench makes a ledger and a raw JetStream stream in a temporary directory, both synced always,
and measures them in turns, in processes of their own: access requests over NATS, decided and
durable before they are answered, beside raw publishes of messages as large; one decision of
the law; a rebuild beside a raw read; the first page of each kind of trail; memory. It prints
the figures beside their bounds, and exits with 0 wherever they lie: a machine is not always
as fast as it was. It takes some minutes; the directories are removed at the end.`,
		Example: `  assent bench --quick
  assent bench --dir /srv/tmp`,
		Args: noWord,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if quick {
				for name, set := range map[string]func(){
					"events": func() { b.events = 50_000 }, "clients": func() { b.clients = 1_000 },
					"rounds": func() { b.rounds = 3 }, "span": func() { b.span = 300 * time.Millisecond },
				} {
					if !cmd.Flags().Changed(name) {
						set()
					}
				}
			}
			if b.events < 1 || b.clients < 1 || b.rounds < 1 || b.span <= 0 {
				return errors.New("a bench has events, clients, rounds and a span, each more than none")
			}
			return b.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringVar(&b.dir, "dir", "", "the `directory` below which the ledgers lie, on the disk that is to be measured; where left out, the one for temporary files, if that is on a disk, else this one")
	f.IntVar(&b.events, "events", b.events, "fill the ledger to this `number` of events")
	f.IntVar(&b.clients, "clients", b.clients, "the `number` of clients")
	f.IntVar(&b.rounds, "rounds", b.rounds, "the `number` of rounds; the figures are their medians")
	f.DurationVar(&b.span, "span", b.span, "how `long` one measurement of a round takes")
	f.BoolVar(&quick, "quick", false, "a first look: 50,000 events, 1,000 clients, 3 rounds of 300 ms")
	for _, name := range []string{"events", "clients", "rounds", "span"} {
		_ = cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions)
	}
	cmd.AddCommand(handCommand(a))
	return cmd
}

// A bench is one run.
type bench struct {
	app     *app
	dir     string
	events  int
	clients int
	rounds  int
	span    time.Duration // of one measurement

	ledger, keys, stream string // directories
	server, load, raw    *hand
	size                 int // of a raw message: as of an access's event
	page                 benchPage
}

func (b *bench) run(ctx context.Context) (err error) {
	if b.dir, err = benchDir(b.dir); err != nil {
		return err
	}
	defer func() {
		if gone := os.RemoveAll(b.dir); err == nil && gone != nil {
			err = fmt.Errorf("remove the bench's ledgers: %w", gone)
		}
	}()
	b.ledger, b.keys, b.stream = filepath.Join(b.dir, "ledger"), filepath.Join(b.dir, "keys"), filepath.Join(b.dir, "raw")
	defer func() {
		for _, h := range []*hand{b.load, b.server, b.raw} {
			h.stop()
		}
	}()
	for _, step := range []struct {
		says string
		does func(context.Context) error
	}{
		{"the machine and the law", b.machine},
		{"setting up", b.setup},
		{"access requests", b.accesses},
		{"filling", b.fill},
		{"trails", b.trails},
		{"memory", b.memory},
		{"second copies", b.copies},
		{"rebuilds", b.rebuilds},
	} {
		b.say(step.says)
		if err := step.does(ctx); err != nil {
			if ctx.Err() != nil {
				return errors.New("interrupted; the bench's ledgers are removed")
			}
			return fmt.Errorf("%s: %w", step.says, err)
		}
	}
	b.say("")
	if b.app.json {
		return json.NewEncoder(b.app.out).Encode(b.page)
	}
	return b.page.print(b.app.out)
}

// say tells a person who watches how far it is.
func (b *bench) say(what string) {
	if watched(b.app.errs) {
		fmt.Fprintf(b.app.errs, "\r\x1b[K%s", what)
	}
}

// benchDir makes the directory of a run, on a disk.
func benchDir(below string) (string, error) {
	if below == "" {
		below = os.TempDir()
		if inMemory(below) {
			below = "."
		}
	}
	dir, err := os.MkdirTemp(below, "assent-bench-")
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return "", fmt.Errorf("make a directory for the bench's ledgers: %w; name another with --dir", err)
	}
	return dir, nil
}

// inMemory says whether a directory is in memory, where a sync costs nothing.
func inMemory(dir string) bool {
	const tmpfs, ramfs = 0x01021994, 0x858458f6
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return false
	}
	t := uint32(st.Type)
	return t == tmpfs || t == ramfs
}

// setup starts the service and makes its clients, and the raw stream, whose messages
// are as large as an access's event is.
func (b *bench) setup(ctx context.Context) (err error) {
	for _, h := range []**hand{&b.server, &b.load, &b.raw} {
		if *h, err = hire(ctx, b.app.errs); err != nil {
			return err
		}
	}
	if _, err := b.server.do(task{Do: "serve", Dir: b.ledger, Keys: b.keys}); err != nil {
		return err
	}
	if _, err := b.load.do(task{Do: "load open", Dir: b.ledger, Keys: b.keys, Clients: b.clients}); err != nil {
		return err
	}
	r, err := b.load.do(task{Do: "load setup"})
	if err != nil {
		return err
	}
	b.page.add(otherFigure{What: "registrations, signed, 800 under way", Figure: perSecond(r.rate())})
	if _, err := b.load.do(task{Do: "load access", Callers: 256, For: b.span}); err != nil { // it warms up, too
		return err
	}
	if b.size, err = b.eventSize(ctx); err != nil {
		return err
	}
	if r, err = b.raw.do(task{Do: "raw open", Dir: b.stream, Size: b.size}); err != nil {
		return err
	}
	if _, err := b.load.do(task{Do: "raw connect", URL: r.URL, Size: b.size}); err != nil {
		return err
	}
	_, err = b.load.do(task{Do: "raw publish", Callers: 256, For: b.span})
	return err
}

// eventSize is how many bytes the event of an access has, on average.
func (b *bench) eventSize(ctx context.Context) (int, error) {
	last, err := b.last(ctx)
	if err != nil {
		return 0, err
	}
	c, err := b.auditor(ctx)
	if err != nil {
		return 0, err
	}
	defer c.close()
	bytes, n := 0, 0
	ans, err := c.ask(ctx, patience, map[string]any{"ask": "events", "after": max(last-1000, 0)})
	if err != nil {
		return 0, err
	}
	for _, doc := range ans.Items {
		bytes += len(doc)
		n++
	}
	if n == 0 {
		return 0, errors.New("no event was recorded")
	}
	return bytes / n, nil
}

func (b *bench) auditor(ctx context.Context) (*client, error) {
	who, err := openIdentity(b.keys, "auditor")
	if err != nil {
		return nil, err
	}
	return (&app{data: b.ledger, keysPath: b.keys}).dial(ctx, who)
}
