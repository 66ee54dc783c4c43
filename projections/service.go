package projections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore"
	"github.com/qtccc/assent/eventstore/natsd"
	"github.com/qtccc/assent/eventstore/vault"
)

// patience is how long a question waits for events to be applied.
const patience = 10 * time.Second

// Bounds of a service where its config has none.
const (
	mostOpen      = 512
	mostOpenActor = 64
)

// A ServiceConfig says what a service answers from. What has no default is wanted.
type ServiceConfig struct {
	Ledger domain.UUID
	Store  *Store
	Log    *eventstore.Log
	// Ring opens † fields. Nil: they are shown as their commitments.
	Ring *vault.Ring
	// Latest is the last event that was acknowledged to anybody: no answer is of
	// an earlier one. It is asked from many goroutines.
	Latest func() uint64
	// Clock is the ledger's. Nil: time.Now.
	Clock func() time.Time
	// Alarms are what an operator should look at, for `status`. Nil: none.
	Alarms func() []string
	// Proof is the last checkpoint and how far the scrub is, for `status`. Nil: there is
	// neither.
	Proof func() (*Proven, *Scrubbed)
	// Running is how many questions are worked on at a time: the rest of the
	// machine is the writer's. 0: half the cores, two at least.
	Running int
	// Open is how many questions there are at a time, those that wait included;
	// beyond it the answer is `unavailable`. 0: 512. One actor has 64 of them at
	// most.
	Open int
	// Replies are those of all doors of the ledger. Nil: of this one.
	Replies *natsd.Replies
	// Logger takes what an operator should know. Nil: nothing is said.
	Logger *slog.Logger
}

// A Service answers questions. Its methods may be called from any goroutine.
type Service struct {
	cfg     ServiceConfig
	running chan struct{} // one for each question that is worked on

	mu   sync.Mutex
	open map[domain.ID]int // guarded by mu: questions by their actor; none is 0
	all  int               // guarded by mu: the sum of open
	done bool              // guarded by mu: closed

	// Of Serve alone.
	sub    *nats.Subscription
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// NewService answers by Answer, and opens no door.
func NewService(cfg ServiceConfig) *Service {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Alarms == nil {
		cfg.Alarms = func() []string { return nil }
	}
	if cfg.Running == 0 {
		cfg.Running = max(2, runtime.GOMAXPROCS(0)/2)
	}
	if cfg.Open == 0 {
		cfg.Open = mostOpen
	}
	if cfg.Replies == nil {
		cfg.Replies = &natsd.Replies{}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Service{cfg: cfg, running: make(chan struct{}, cfg.Running), open: map[domain.ID]int{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// door is what a service subscribes to; the actor follows.
const door = "assent.ask."

// Serve opens the door assent.ask.<actor> on nc, a connection into the ledger's
// account, until Close.
func Serve(nc *nats.Conn, cfg ServiceConfig) (*Service, error) {
	s := NewService(cfg)
	var err error
	if s.sub, err = nc.Subscribe(door+"*", s.receive); err != nil {
		return nil, fmt.Errorf("projections: open the door of questions: %w", err)
	}
	if err = nc.Flush(); err != nil {
		return nil, errors.Join(fmt.Errorf("projections: open the door of questions: %w", err), s.Close())
	}
	return s, nil
}

// Close takes no more questions, ends those that are open and waits for them.
func (s *Service) Close() error {
	var err error
	if s.sub != nil {
		if err = s.sub.Unsubscribe(); errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, nats.ErrBadSubscription) {
			err = nil
		}
	}
	s.cancel()
	s.mu.Lock()
	s.done = true // what still comes in is turned away
	s.mu.Unlock()
	s.wg.Wait()
	return err
}

// receive takes in one message of the door. It never waits: the subscription's one
// goroutine calls it. Who asks is what the server says of the connection, in a
// header that only it can write; nothing else in a message but its body counts, and
// an answer goes only to a reply subject that the server made (contract, section
// 7): a reply of the caller's own making would be published to with the ledger's
// permissions.
func (s *Service) receive(m *nats.Msg) {
	if !strings.HasPrefix(m.Reply, "_R_.") {
		return
	}
	actor := domain.ID(strings.TrimPrefix(m.Subject, door))
	reply := &natsd.Reply{}
	s.cfg.Replies.Open(reply, m.Reply)
	if !s.admit(actor) {
		s.respond(m, reply, refusal(unavailable("too many questions are open; ask again when some are answered")))
		return
	}
	go func() {
		defer s.release(actor)
		key := domain.PublicKey(natsd.Caller(m))
		s.respond(m, reply, s.Answer(s.ctx, actor, key, m.Data))
	}()
}

func (s *Service) respond(m *nats.Msg, reply *natsd.Reply, answer []byte) {
	if !reply.Close() {
		s.cfg.Logger.Warn("an answer is left out: the server gave its reply to another request; its caller asks again", "subject", m.Subject)
		return
	}
	if err := m.Respond(answer); err != nil && s.ctx.Err() == nil {
		s.cfg.Logger.Warn("an answer could not be sent", "err", err)
	}
}

func (s *Service) admit(actor domain.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done || s.all >= s.cfg.Open || s.open[actor] >= mostOpenActor {
		return false
	}
	s.all++
	s.open[actor]++
	s.wg.Add(1)
	return true
}

func (s *Service) release(actor domain.ID) {
	s.mu.Lock()
	s.all--
	if s.open[actor]--; s.open[actor] == 0 {
		delete(s.open, actor)
	}
	s.mu.Unlock()
	s.wg.Done()
}

// Answer answers one question of the actor, whose connection proved key. It looks
// at the question in this order, and the first failure answers: its form
// (`invalid`), its actor (`unauthenticated`), the role, or an own party that is
// retired (`forbidden`), what it names and isn't there (`unknown`).
func (s *Service) Answer(ctx context.Context, actor domain.ID, key domain.PublicKey, body []byte) []byte {
	q, f := parseAsked(body)
	if f != nil {
		return refusal(f)
	}
	answer, err := s.answer(ctx, q, actor, key)
	if err != nil {
		return refusal(s.fault(q, err))
	}
	return answer
}

// answer answers once all that was acknowledged before the question came is known,
// and where the question waits for something, once that is there or its time is up. Where
// it won't ever be known, status says so, in its alarms.
func (s *Service) answer(ctx context.Context, q *asked, actor domain.ID, key domain.PublicKey) (answer []byte, err error) {
	from := max(s.cfg.Latest(), q.after)
	until := time.Now().Add(q.wait)
	for {
		if err := s.await(ctx, from); err != nil && !(q.Ask == "status" && errors.Is(err, ErrBroken)) {
			return nil, err
		}
		var a *asking
		err := s.work(ctx, func() (err error) {
			latest, _ := s.cfg.Store.Position()
			if err := s.known(q, actor, key, latest); err != nil {
				return err
			}
			a = &asking{asked: q, s: s, ctx: ctx}
			if err := a.start(latest); err != nil {
				return err
			}
			if err := q.answer(a); err != nil {
				return err
			}
			answer = a.encode()
			return nil
		})
		left := time.Until(until)
		if err != nil || a.count > 0 || a.next != nil || q.cursor != nil || left <= 0 {
			return answer, err
		}
		// Nothing yet of what is waited for. What was looked at isn't looked at again.
		q.after = a.n
		waiting, cancel := context.WithTimeout(ctx, left)
		err = s.cfg.Store.Wait(waiting, a.n+1)
		cancel()
		if err != nil {
			if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
				return answer, nil
			}
			return nil, err
		}
		from = a.n + 1
	}
}

// await returns once the event is applied.
func (s *Service) await(ctx context.Context, seq uint64) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := s.cfg.Store.Wait(ctx, seq)
	if errors.Is(err, context.DeadlineExceeded) {
		at, _ := s.cfg.Store.Position()
		return unavailable(fmt.Sprintf("the ledger stands at %d and didn't come to %d in time; ask again", at, seq))
	}
	return err
}

// work calls f when it is its turn.
func (s *Service) work(ctx context.Context, f func() error) (err error) {
	select {
	case s.running <- struct{}{}:
		defer func() { <-s.running }()
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() {
		if p := recover(); p != nil { // a question never takes the writer with it
			err = fmt.Errorf("%w at %s", errBug, debug.Stack()) // p may hold what was asked
		}
	}()
	if broken := Guard(func() { err = f() }); broken != nil {
		return broken
	}
	return err
}

var errBug = errors.New("a question met a fault of this program")

// known: the connection's key is the one in force of the actor whom the subject
// names, its role may ask this, and nobody that it acts for is retired (P.1).
func (s *Service) known(q *asked, actor domain.ID, key domain.PublicKey, latest uint64) error {
	v := s.cfg.Store.At(domain.Seq(latest))
	who, _ := fact[domain.Actor](v, domain.Key{Kind: domain.KindActor, C: string(actor)})
	if who == nil || who.Revoked || key == "" || who.PublicKey != key {
		return &domain.Fault{Code: domain.Unauthenticated, Message: "the key of this connection is not in force for the actor that its subject names"}
	}
	if !slices.Contains(q.Roles, who.Role) {
		names := make([]string, len(q.Roles))
		for i, r := range q.Roles {
			names[i] = string(r)
		}
		return &domain.Fault{Code: domain.Forbidden, Message: fmt.Sprintf("%s may not ask for %s; %s may", who.Role, q.Ask, strings.Join(names, ", "))}
	}
	for id := who.Party; id != ""; {
		p, _ := fact[domain.Party](v, domain.Key{Kind: domain.KindParty, C: string(id)})
		if p == nil {
			break
		}
		if p.Retired {
			return &domain.Fault{Code: domain.Forbidden, Message: fmt.Sprintf("the party %s, which %s acts for, is retired", id, actor)}
		}
		id = p.Of
	}
	return nil
}

// now is the ledger's present after the event: its clock, but never before that
// event.
func (s *Service) now(latest uint64) (time.Time, error) {
	t := s.cfg.Clock()
	if latest == 0 {
		return t, nil
	}
	last, err := s.cfg.Store.TimeOf(latest)
	if err == nil && last.After(t) {
		t = last
	}
	return t, err
}

// mark ties a cursor to its question and its ledger.
func (s *Service) mark(q *asked) string { return q.mark + string(s.cfg.Ledger[:8]) }
