package commands

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore/natsd"
	"github.com/qtccc/assent/eventstore/vault"
	"github.com/qtccc/assent/projections"
)

// Config says what to open. Ledger, Log and Store are wanted.
type Config struct {
	// Ledger is the ledger's UUID: commands for another one are nobody's.
	Ledger domain.UUID
	// Log is where events are recorded. Nobody else appends to it.
	Log Log
	// Store is what is known of them. Open brings it to the log's last event, and
	// from then on nobody else applies events to it.
	Store *projections.Store
	// Ring seals personal text. Blind (nil), no command with any is taken.
	Ring *vault.Ring
	// Clock is where time is taken from. Nil: the machine's.
	Clock Clock
	// Waiting is how many commands may wait to be decided; beyond it they are
	// answered `unavailable` at once. 0: 4,096.
	Waiting int
	// Added is told of each actor that an event made known, Revoked of each public
	// key that is in force no more. Both are called when the store knows the event,
	// and before its command is answered, unless the answer goes to that very key.
	// They are called one at a time, all answers wait for them, and they must not
	// wait for a command. Nil: nobody is told.
	Added   func(actor domain.ID, role domain.Role)
	Revoked func(actor domain.ID, publicKey domain.PublicKey)
	// Recorded is told of each event that is durable, in order, before its command is
	// answered; it must not wait, and the message doesn't change any more. Nil: nobody
	// is told.
	Recorded func(seq uint64, message []byte)
	// Copied, where it isn't nil, returns once a second copy of the events up to seq is
	// durable too: nothing is answered before. After an error the answer is
	// `unavailable`, and the same id sent again tells what became of it.
	Copied func(seq uint64) error
	// InMemory says that the server stages batches in memory, which makes them worth
	// while for fewer callers. It is no more than a price.
	InMemory bool
	// Replies are those of all doors of the ledger. Nil: of this one.
	Replies *natsd.Replies
	// Progress is told how far the store is while Open brings it up to date.
	Progress func(done, total uint64)
	// Say takes what an operator should know. Nil: nothing is said.
	Say *slog.Logger
}

// A Service takes commands until Close. Its methods may be called from any
// goroutine.
type Service struct {
	cfg  Config
	say  *slog.Logger
	w    *writer
	stop context.CancelFunc

	provers, rest sync.WaitGroup
	acks, applies chan struct{} // closed when these goroutines have ended

	mu     sync.Mutex
	doors  []*nats.Subscription // guarded by mu
	closed bool                 // guarded by mu
}

// Open begins where the log ends: the store is brought to its last event first. No
// door is open yet.
func Open(ctx context.Context, cfg Config) (*Service, error) {
	if !domain.IsUUID(string(cfg.Ledger)) || cfg.Log == nil || cfg.Store == nil {
		return nil, errors.New("commands: a ledger, its log and its store are wanted")
	}
	if cfg.Clock == nil {
		cfg.Clock = SystemClock{}
	}
	if cfg.Waiting == 0 {
		cfg.Waiting = 4096
	}
	if cfg.Replies == nil {
		cfg.Replies = &natsd.Replies{}
	}
	if cfg.Say == nil {
		cfg.Say = slog.New(slog.DiscardHandler)
	}
	if err := projections.Replay(ctx, cfg.Log, cfg.Store, cfg.Progress); err != nil {
		return nil, fmt.Errorf("commands: read what is recorded: %w", err)
	}
	last, _ := cfg.Store.Position()
	at, err := lastTime(cfg.Store, last)
	if err != nil {
		return nil, fmt.Errorf("commands: read when event %d was recorded: %w", last, err)
	}
	s := &Service{cfg: cfg, say: cfg.Say, acks: make(chan struct{}), applies: make(chan struct{})}
	q := newQueue(cfg.Waiting, func(j *job, why string) { j.refuse(s.say, why) })
	known := cfg.Store.Lookups()
	s.w = &writer{
		ledger: cfg.Ledger, log: cfg.Log, store: cfg.Store, ring: cfg.Ring, say: s.say,
		queue: q, watch: newWatch(cfg.Clock, at), applier: newApplier(cfg.Store, q, s.say),
		retries: newRetries(cfg.Log, cfg.Store, cfg.Ring, s.say), identity: s.told,
		known: known, overlay: projections.NewOverlay(known, cachedFacts), seq: last,
		began: time.Now(), lingering: time.NewTimer(time.Hour), told: cfg.Recorded, copied: cfg.Copied,
		inflight: make(chan *group, 64), returned: make(chan []*group, 1), price: stagedOnDisk,
	}
	if cfg.InMemory {
		s.w.price = stagedInMemory
	}
	s.w.latest.Store(last)
	running, stop := context.WithCancel(context.Background())
	s.stop = stop
	for range runtime.GOMAXPROCS(0) {
		s.provers.Go(s.prove)
	}
	s.rest.Go(func() { s.w.run(running) })
	go func() { defer close(s.acks); s.w.acknowledge() }()
	go func() { defer close(s.applies); s.w.applier.run() }()
	return s, nil
}

// cachedFacts is how many facts the writer keeps at hand, some 100 MB: twice those that
// are asked for of 10,000 clients such as the bench has.
const cachedFacts = 3 << 18

// door is where commands come in: an actor sends to the subject that has its name.
const door = "assent.cmd."

// Listen opens the door assent.cmd.* on a connection in the ledger's account. It
// stays open until Close.
func (s *Service) Listen(nc *nats.Conn) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.New("commands: open the door: the service is closed")
	}
	sub, err := nc.Subscribe(door+"*", func(m *nats.Msg) { s.receive(nc, m) })
	if err == nil {
		err = nc.Flush() // the server knows it
	}
	if err != nil {
		return fmt.Errorf("commands: open the door: %w", err)
	}
	s.doors = append(s.doors, sub)
	return nil
}

// receive takes one message in. A door has one goroutine, so what is dear is left to
// others: all that is signed, long, or spelled otherwise than usual.
func (s *Service) receive(nc *nats.Conn, m *nats.Msg) {
	if !strings.HasPrefix(m.Reply, "_R_.") {
		// The server makes the reply of whoever comes from outside the ledger's
		// account. An answer to any other subject could be anything there.
		s.say.Warn("a command without a reply that the server made is dropped", "subject", m.Subject)
		return
	}
	j := &job{
		door: domain.ID(m.Subject[len(door):]), key: domain.PublicKey(natsd.Caller(m)),
		body: m.Data, conn: nc,
	}
	s.cfg.Replies.Open(&j.reply, m.Reply)
	s.take(j)
}

// Do takes one command in without a door, proven by the holder of the key: what
// init issues before there is anyone to connect. It returns the answer, or the
// context's error, and then the outcome isn't known.
func (s *Service) Do(ctx context.Context, actor domain.ID, key domain.PublicKey, body []byte) (*Answer, error) {
	j := &job{door: actor, key: key, body: body, done: make(chan *Answer, 1)}
	s.take(j)
	select {
	case a := <-j.done:
		return a, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// take queues a job: at once where that is cheap, else by way of the provers.
func (s *Service) take(j *job) {
	if r := parseUnsigned(j.body); r != nil {
		j.req, j.body = r, nil
		j.prove(s.cfg.Ledger)
		s.w.queue.put(j, true)
		return
	}
	s.w.queue.put(j, false)
}

// prove is a prover: it reads and proves jobs until there are no more.
func (s *Service) prove() {
	for j := range s.w.queue.work {
		j.req, j.fault = ParseRequest(j.body)
		j.body = nil
		if j.fault == nil {
			j.prove(s.cfg.Ledger)
		}
		if a, ok := j.req.data.(*domain.InquiryAnswer); ok && j.proof != "" && a.Attempt != "" {
			j.attempted(s, a.Attempt)
		}
		s.w.queue.proved(j)
	}
}

// attempted finds out whether there is an access with the id that a command names:
// no fact is kept of each, so it is looked for in the record (IV.4).
func (j *job) attempted(s *Service, id domain.UUID) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	there, err := s.cfg.Store.Attempted(ctx, s.cfg.Log, id, s.Latest())
	if err != nil {
		s.say.Error("an access can't be looked for", "actor", j.door, "command", j.req.ID, "attempt", id, "err", err)
		j.fault = unavailable("the ledger could not look for the access that is named; send it again, with the same id")
	}
	j.noAttempt = !there
}

func (s *Service) told(n *notice) {
	if n.added && s.cfg.Added != nil {
		s.cfg.Added(n.actor, n.role)
	}
	if n.revoked != "" && s.cfg.Revoked != nil {
		s.cfg.Revoked(n.actor, n.revoked)
	}
}

// refuse answers that the ledger can't say, or can't record, at present.
func (j *job) refuse(say *slog.Logger, why string) {
	if j.req == nil {
		j.req = readID(j.body)
	}
	j.answer = Answer{ID: j.req.ID, Error: unavailable(why)}
	j.respond(say)
}

// respond sends the answer, once.
func (j *job) respond(say *slog.Logger) {
	if j.answered {
		return
	}
	j.answered = true
	if e := j.answer.Error; e != nil && e.Code == domain.Unauthenticated {
		say.Warn("a command is not authenticated", "actor", j.door, "key", j.key, "command", j.req.ID, "name", j.req.Name,
			"why", j.unproven, "field", e.Field)
	}
	if j.done != nil {
		j.done <- &j.answer
		return
	}
	if !j.reply.Close() {
		say.Warn("an answer is left out: the server gave its reply to another request; its caller sends it again", "actor", j.door, "command", j.req.ID)
		return
	}
	// What fails here is the connection; the caller sends it again.
	if err := j.conn.Publish(j.reply.Subject(), j.answer.Append(make([]byte, 0, 512))); err != nil {
		say.Warn("an answer could not be sent", "actor", j.door, "command", j.req.ID, "err", err)
	}
}

// Latest is the sequence of the last event that is durable; 0: none. A question that
// comes now is answered as of this event or a later one.
func (s *Service) Latest() uint64 { return s.w.latest.Load() }

// Stuck says whether no command is taken, since the log or the read models couldn't
// be written. Where the log can be again, that ends by itself before long, unless
// its server gave up; of the read models it doesn't.
func (s *Service) Stuck() bool {
	return s.w.trouble.Load() != nil || s.w.applier.failed() != nil
}

// Alarms say why commands aren't taken at present, and what to do. None: they are.
func (s *Service) Alarms() (alarms []string) {
	if doubt := s.w.watch.look().doubt; doubt != "" {
		alarms = append(alarms, "nothing but clock.affirm is recorded: "+doubt)
	}
	if t := s.w.trouble.Load(); t != nil {
		alarms = append(alarms, "commands are not taken: what became of the last events isn't known yet")
	}
	if s.w.applier.failed() != nil {
		alarms = append(alarms, "commands are not taken: the read models can't be written; see the log")
	}
	return alarms
}

// Close shuts the door, answers all that waits and can't be recorded any more with
// `unavailable`, and returns when what was on its way is recorded, answered and
// applied, and no goroutine is left. Closing again does nothing.
func (s *Service) Close() {
	s.mu.Lock()
	doors, closed := s.doors, s.closed
	s.doors, s.closed = nil, true
	s.mu.Unlock()
	if closed {
		return
	}
	for _, d := range doors {
		_ = d.Unsubscribe() // fails only where the connection is closed already
	}
	s.w.queue.end(stopping)
	close(s.w.queue.work)
	s.provers.Wait()
	s.stop()
	s.rest.Wait() // the writer's goroutine
	<-s.acks
	s.w.retries.close()
	s.w.applier.close()
	<-s.applies
}
