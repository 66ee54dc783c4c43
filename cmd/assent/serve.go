package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/qtccc/assent/commands"
	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore"
	"github.com/qtccc/assent/eventstore/natsd"
	"github.com/qtccc/assent/eventstore/notary"
	"github.com/qtccc/assent/eventstore/vault"
	"github.com/qtccc/assent/projections"
)

const defaultListen = "127.0.0.1:4222"

func serveCommand(a *app) *cobra.Command {
	listen, archive, twoCopies, lost, asked, w := defaultListen, "", false, false, []string(nil), witnesses{}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "serve the ledger; make it first where there is none",
		Long: `Serve opens the ledger in the data directory and answers on the address of --listen. It prints
one line on stdout when it does, and logs to stderr. Where the data directory is empty or
isn't there it makes a ledger first, as init does.

SIGTERM and SIGINT end it: nothing more is taken, what is under way is finished. The second
one ends it at once.`,
		Example: `  assent serve
  assent serve --data /srv/assent --keys /etc/assent/keys --listen 10.0.0.5:4222`,
		Args: noWord,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := w.parse(asked); err != nil {
				return err
			}
			acknowledged := uint64(0)
			for anew := false; ; anew = true {
				h, err := findHome(a.data, a.keysPath)
				if err != nil {
					return err
				}
				s := &service{home: h, log: a.logger(), listen: listen, archive: archive, twoCopies: twoCopies, lostLogKey: lost, witnesses: w, ending: make(chan error, 1), atLeast: acknowledged}
				err = a.serve(cmd.Context(), s, anew)
				if !errors.Is(err, errAnew) {
					return err
				}
				listen = s.listen // whoever was connected comes back to it
				acknowledged = s.atLeast
			}
		},
	}
	cmd.Flags().StringVar(&listen, "listen", listen, "the `address` to answer on; port 0 picks a free one")
	_ = cmd.RegisterFlagCompletionFunc("listen", cobra.NoFileCompletions)
	cmd.Flags().StringVar(&archive, "archive", "", "keep the second copy of the events in this `directory`, best on another disk (default DIR/archive)")
	_ = cmd.MarkFlagDirname("archive")
	cmd.Flags().StringArrayVar(&asked, "witness", nil, "have this witness cosign every checkpoint, `URL,KEY`; may be given several times")
	cmd.Flags().IntVar(&w.need, "witnesses", 0, "how `many` witnesses are to cosign: where fewer do for a minute, status says so")
	cmd.Flags().BoolVar(&w.stop, "witnesses-or-stop", false, "end where they don't")
	cmd.Flags().BoolVar(&twoCopies, "two-copies", false, "answer only once the second copy is on its disk too")
	cmd.Flags().BoolVar(&lost, "lost-log-key", false, "start without the key of the ledger's log: no checkpoint is signed until ledger.rekey names another")
	return cmd
}

// serve serves until the context ends, which is no error, or something is wrong.
func (a *app) serve(ctx context.Context, s *service, anew bool) error {
	defer s.stop()
	err := s.start(ctx, plan{Name: "assent"})
	if err == nil {
		err = s.admit()
	}
	switch {
	case err != nil:
		return err
	case anew:
		s.log.Info("commands are taken again")
	default:
		if _, err := fmt.Fprintf(a.out, "assent: serving ledger %s on nats://%s\n", s.home.card.Ledger, s.nats.Addr()); err != nil {
			return fmt.Errorf("say that it serves: %w", err)
		}
	}
	select {
	case <-ctx.Done():
		s.log.Info("stopping: finishing what is under way")
		return nil
	case err := <-s.ending:
		return mendable(err)
	}
}

// logger logs for the operator.
func (a *app) logger() *slog.Logger { return slog.New(slog.NewTextHandler(a.errs, nil)) }

// A service is a ledger with all its floors. One goroutine starts and stops it.
type service struct {
	home   *home
	log    *slog.Logger
	listen string // empty: no port is opened
	// archive is where the second copy of the events is; empty: in the data directory.
	// With twoCopies nothing is answered before both have it.
	archive   string
	twoCopies bool
	// archiveEvery is how old an event gets before the archive has it. 0: as the notary
	// has it.
	archiveEvery time.Duration
	// lostLogKey has it start where log.key is missing.
	lostLogKey bool
	witnesses  witnesses

	// atLeast is the last event that is known to have been acknowledged: at the start
	// by whoever served before in this process, after stop by this one.
	atLeast uint64

	replies natsd.Replies // of both doors

	// What start made so far, nil where it didn't come to it.
	nats      *natsd.Server
	events    *eventstore.Log
	notary    *notary.Notary
	rekeyed   atomic.Uint64          // where ledger.rekeyed stands, the key files not being as it says yet; 0: they are
	logAlarm  atomic.Pointer[string] // why they aren't; nil: they are
	scrub     *scrub
	wrong     atomic.Bool
	ending    chan error // holds one: why nothing more is to be served; nil: nobody waits
	anew      bool       // what ends it is the disk, which is well again: tend's, to be read once scrubbing returned
	scrubbing func()     // stops the scrub and tend, and waits for that
	store     *projections.Store
	ring      *vault.Ring
	gate      *gatekeeper
	commands  *commands.Service
	questions *projections.Service
	doors     []*nats.Conn
	alarms    []string // that stand as long as the service does
	heap      func()   // stops tending the heap, and waits for that
}

// start opens the ledger from the stream up, making it by the plan where it isn't
// made yet. Nobody is let in before admit.
func (s *service) start(ctx context.Context, p plan) error {
	h := s.home
	if _, _, err := net.SplitHostPort(s.listen); s.listen != "" && err != nil {
		return fmt.Errorf("--listen takes host:port: %w", err)
	}
	if err := h.mayBegin(p); err != nil {
		return err
	}
	if err := h.take(); err != nil {
		return err
	}
	for _, step := range h.founding(p) {
		if err := step(); err != nil {
			return fmt.Errorf("make the ledger: %w", err)
		}
	}
	widenHeap()
	for _, step := range s.floors() {
		if err := step(ctx); err != nil {
			return interrupted(ctx, mendable(err))
		}
	}
	for _, step := range s.opening() {
		if err := step(ctx); err != nil {
			return interrupted(ctx, mendable(err))
		}
	}
	return nil
}

// floors are opened from the stream up.
func (s *service) floors() []func(context.Context) error {
	return []func(context.Context) error{s.openRing, s.openEvents, s.openNotary, s.openStore, s.openCommands}
}

func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("interrupted while it started; nothing was lost, start it again")
	}
	return err
}

// openRing opens the key ring. Without it the ledger serves what isn't sealed.
func (s *service) openRing(context.Context) error {
	ring, err := vault.Open(s.home.keys, string(s.home.card.Ledger))
	switch {
	case errors.Is(err, vault.ErrNoRing), errors.Is(err, vault.ErrDamaged):
		s.log.Error("the key ring can't be opened: what is sealed stays sealed, and no command with personal text is taken; "+
			"put the ring back and start again", "keys", s.home.keys, "err", err)
		s.alarms = append(s.alarms, "the key ring is missing or damaged: what is sealed stays sealed, and no command with personal text is taken")
		return nil
	case errors.Is(err, vault.ErrOtherLedger):
		return fmt.Errorf("the keys in %s are those of another ledger than the one in %s: %w; name its own with --keys",
			s.home.keys, s.home.data, err)
	case err != nil:
		return err
	}
	for _, n := range ring.Notices() {
		s.log.Warn(n)
		s.alarms = append(s.alarms, n)
	}
	s.ring = ring
	return nil
}

// ackWithin is how long an append may take: a disk that is full or fails says nothing,
// and whoever waits is to hear of it within 5 s.
const ackWithin = 3 * time.Second

// checkFor is for how long a start looks through the stream's blocks, some 500,000 events
// of them, before the server may read any; each round of the scrub begins with them all.
const checkFor = 300 * time.Millisecond

// openEvents starts the server, its port closed, and opens the stream, or makes it
// where the ledger is being made: step 7 of doc.go.
func (s *service) openEvents(ctx context.Context) (err error) {
	h := s.home
	if _, err := os.Stat(h.path("nats")); h.state == made && errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the ledger in %s has lost its events: there is no %s; run `assent repair`, or put it back from a backup", h.data, h.path("nats"))
	}
	changed, err := h.unclean()
	if err != nil {
		return err
	}
	if aside, err := h.setAside(changed); err != nil {
		return fmt.Errorf("copy aside what a stop that was not clean left: %w", err)
	} else if aside {
		s.log.Info("the stream was not stopped cleanly: its last blocks are copied aside until nothing was found missing", "dir", h.path(asideDir))
	}
	if err := h.renew(changed); err != nil {
		return fmt.Errorf("write anew what a stop that was not clean left: %w", err)
	}
	dropped, err := h.dropPlaces()
	if err != nil {
		return fmt.Errorf("look at the subscribers' durables: %w", err)
	}
	for _, name := range dropped {
		s.log.Warn("a subscriber's durable is damaged and was removed: it gets every event again", "actor", name)
		s.alarms = append(s.alarms, "the durable of "+name+" was damaged and began anew: it gets every event again")
	}
	s.gate = newGatekeeper()
	s.nats, err = natsd.Start(ctx, natsd.Config{
		StoreDir: h.path("nats"), Name: string(h.card.Ledger), Listen: s.listen, Hold: true, LetIn: s.gate.letIn, CheckFor: checkFor, Log: s.log,
	})
	if err != nil {
		return fmt.Errorf("open the ledger's events: %w", err)
	}
	nc, err := s.nats.Ledger()
	if err != nil {
		return err
	}
	open := eventstore.Open
	if h.state == begun {
		open = eventstore.Create
	}
	s.events, err = open(ctx, nc, string(h.card.Ledger), eventstore.AckWithin(ackWithin), eventstore.Restage(s.restage))
	if err != nil {
		return fmt.Errorf("open the ledger's events: %w", err)
	}
	last, err := s.events.Last(ctx)
	if err == nil && last == 0 && h.state == made {
		err = errors.New("there are none left; run `assent repair`, or put them back from a backup")
	}
	if err != nil {
		return fmt.Errorf("open the ledger's events: %w", err)
	}
	return nil
}

// restage lets batches be staged on disk from now on, since one that was staged in memory
// was refused, and refused again.
func (s *service) restage() {
	if s.nats.StageOnDisk() {
		s.log.Warn("events can't be staged in memory any more, and are staged on disk until the next start: answers take longer")
	}
}

func (s *service) openStore(ctx context.Context) (err error) {
	tending, stop := context.WithCancel(context.Background())
	tended := make(chan struct{})
	s.heap = func() { stop(); <-tended }
	go func() { defer close(tended); tendHeap(tending, roomy) }()
	if s.store, err = projections.OpenStore(s.home.path("models"), projections.Config{Log: s.log}); err != nil {
		return err
	}
	return s.nothingMissing(ctx)
}

// nothingMissing holds the stream against what was acknowledged before in this process,
// and against the read models: they take in only what is durable, so where they are ahead
// of it, something was lost that no checkpoint had yet.
func (s *service) nothingMissing(ctx context.Context) error {
	last, err := s.events.Last(ctx)
	if err == nil && s.atLeast > last {
		err = &notary.Damage{Where: "the stream", Why: fmt.Sprintf("it ends at event %d, and event %d was acknowledged", last, s.atLeast)}
	}
	if known, _ := s.store.Position(); err == nil && known > last {
		err = &notary.Damage{Where: "the stream", Why: fmt.Sprintf("it ends at event %d, and the read models know of %d", last, known)}
	}
	if err == nil {
		err = os.RemoveAll(s.home.path(asideDir))
	}
	return err
}

// openCommands brings the read models to the last event, learns who is known, and
// begins to decide.
func (s *service) openCommands(ctx context.Context) (err error) {
	staged, err := s.nats.StageInMemory()
	if err != nil {
		s.log.Warn("events are staged on disk: answers take longer", "err", err)
	}
	bar := showProgress("reading what is recorded", -1)
	s.commands, err = commands.Open(ctx, commands.Config{
		Ledger: s.home.card.Ledger, Log: s.events, Store: s.store, Ring: s.ring, InMemory: staged != "",
		Added: s.added, Revoked: s.revoked, Say: s.log, Recorded: s.recordedEvent, Copied: s.copied(), Replies: &s.replies,
		Progress: func(done, total uint64) { bar.set(int64(done), int64(total)) },
	})
	bar.done()
	if err != nil {
		return err
	}
	if err := projections.Guard(func() { s.gate.load(s.store.Live()) }); err != nil {
		return err
	}
	s.settleLogKeys(time.Now())
	in, out := s.gate.subscribers()
	for _, id := range in {
		if err := s.events.AddConsumer(ctx, id); err != nil {
			return fmt.Errorf("make the durable of %s: %w", id, err)
		}
	}
	for _, id := range out {
		if err := s.events.DropConsumer(ctx, id); err != nil {
			return fmt.Errorf("remove the durable of %s: %w", id, err)
		}
	}
	return nil
}

// added lets a new actor in. A subscriber's durable is there before its command is
// answered.
func (s *service) added(actor domain.ID, role domain.Role) {
	s.learn(actor)
	if role != domain.Subscriber {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.events.AddConsumer(ctx, string(actor)); err != nil {
		s.log.Error("a subscriber's durable can't be made; it is tried again at the next start", "actor", actor, "err", err)
	}
}

// farewell is how long the connections of a key stay open that is out of force, so
// that the answer which says so arrives. The doors take nothing on them any more.
const farewell = time.Second

// revoked puts a key out: first it is let in no more, then its connections are
// closed; those of a subscriber, whom no door looks at, at once.
func (s *service) revoked(actor domain.ID, key domain.PublicKey) {
	s.learn(actor)
	role, gone := s.gate.standing(actor)
	if role != domain.Subscriber {
		time.AfterFunc(farewell, func() { s.nats.Disconnect(string(key)) })
		return
	}
	s.nats.Disconnect(string(key))
	if !gone {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.events.DropConsumer(ctx, string(actor)); err != nil {
		s.log.Error("the durable of a subscriber that was revoked can't be removed", "actor", actor, "err", err)
	}
}

// learn takes in what has become of an actor.
func (s *service) learn(actor domain.ID) {
	err := projections.Guard(func() {
		if known, ok := s.store.Live().Get(domain.Key{Kind: domain.KindActor, C: string(actor)}); ok {
			s.gate.take(known.Fact.(*domain.Actor))
		}
	})
	if err != nil {
		s.log.Error("an identity can't be read; start the ledger again", "actor", actor, "err", err)
	}
}

// admit opens the doors, then the port, and says in the data directory where it is.
func (s *service) admit() error {
	for range 2 {
		nc, err := s.nats.Ledger()
		if err != nil {
			return err
		}
		s.doors = append(s.doors, nc)
	}
	if err := s.commands.Listen(s.doors[0]); err != nil {
		return err
	}
	var err error
	s.questions, err = projections.Serve(s.doors[1], projections.ServiceConfig{
		Ledger: s.home.card.Ledger, Store: s.store, Log: s.events, Ring: s.ring, Latest: s.commands.Latest,
		Alarms: s.allAlarms, Proof: s.proof, Replies: &s.replies, Logger: s.log,
	})
	if err != nil {
		return err
	}
	scrubbing, stop := context.WithCancel(context.Background())
	scrubbed := make(chan struct{})
	s.scrubbing = func() { stop(); <-scrubbed }
	go func() {
		defer close(scrubbed)
		var wg sync.WaitGroup
		wg.Go(func() { s.witnesses.watch(scrubbing, s) })
		wg.Go(func() { s.tend(scrubbing) })
		s.scrub.run(scrubbing)
		wg.Wait()
	}()
	if err := s.nats.Admit(); err != nil {
		return fmt.Errorf("listen on %s: %w; name another address with --listen", s.listen, err)
	}
	s.listen = s.nats.Addr()
	address := reachable(s.listen)
	if err := replaceFile(s.home.path("address"), []byte(address+"\n"), 0o600); err != nil {
		return fmt.Errorf("say where the ledger answers: %w", err)
	}
	in, _ := s.gate.subscribers()
	for _, id := range in {
		if path := s.home.identity(id); isFile(path) {
			if err := writeContext(s.home, id, "nats://"+address); err != nil {
				s.log.Warn("a subscriber's context can't be written", "actor", id, "err", err)
			}
		}
	}
	return nil
}

// reachable is the address under which this machine reaches a listener.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return address
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// stop takes nothing more, finishes what is under way, and gives the data directory
// back. It may be called after a start that failed.
func (s *service) stop() {
	if s.heap != nil {
		defer s.heap()
	}
	lost := false // what became of the last events isn't known
	if s.commands != nil {
		s.commands.Close()
		lost = s.commands.Stuck()
		s.atLeast = s.commands.Latest()
	}
	if s.questions != nil {
		s.closed("questions", s.questions.Close())
	}
	if s.scrubbing != nil {
		s.scrubbing()
	}
	for _, nc := range s.doors {
		_ = nc.FlushTimeout(time.Second) // the last answers; nobody waits for them longer
	}
	if s.notary != nil {
		s.closed("archive", s.notary.Close())
	}
	if s.events != nil {
		s.closed("events", s.events.Close())
	}
	if s.nats != nil {
		s.nats.Stop()
		switch {
		case s.anew || lost:
			s.closed("the stream's index", s.home.dropIndex())
		case s.questions != nil && !s.wrong.Load():
			s.closed("stream", errors.Join(s.home.noteStop(), s.home.notePlaces()))
		}
	}
	if s.store != nil {
		s.closed("read models", s.store.Close())
	}
	if s.home.lock != nil {
		if err := os.Remove(s.home.path("address")); err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.closed("address", err)
		}
		s.home.release()
	}
}

func (s *service) closed(what string, err error) {
	if err != nil {
		s.log.Error("closing", "what", what, "err", err)
	}
}
