package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/qtccc/assent/commands"
	"github.com/qtccc/assent/domain"
)

// A player sends the lines of apply and waits for their answers. Two goroutines use
// it: the reader sends (start), the other one takes the answers in order (settle).
//
// The order of the lines is the order in which the ledger takes them: it takes the
// requests of one connection as they were sent, and before another identity sends,
// what was under way is answered. Where an answer is missing or unavailable, the
// reader holds until every line that is under way is answered
// (TestNothingIsSentWhileAnOutcomeIsUnknown).
type player struct {
	app  *app
	ctx  context.Context
	keys string
	wait time.Duration

	slots chan struct{} // one for each line under way
	queue chan *line    // those lines, in order; never full

	known map[string]*identity // the reader's: identities by their name

	// gate is held while a line is sent, and is never held for an answer.
	gate   sync.Mutex
	moved  sync.Cond // with gate: hold, given or under changed
	hold   bool      // guarded by gate: an outcome isn't known, nothing is sent
	given  bool      // guarded by gate: waiting for it was given up
	last   *client   // guarded by gate: who sent last
	under  int       // guarded by gate: lines sent and not answered
	joined bool      // guarded by gate: the ledger was reached once

	dialing sync.Mutex
	clients map[domain.ID]*client // guarded by dialing
}

func newPlayer(ctx context.Context, a *app, keys string, wait time.Duration) *player {
	p := &player{
		app: a, ctx: ctx, keys: keys, wait: wait,
		slots:   make(chan struct{}, inFlight),
		queue:   make(chan *line, inFlight),
		known:   map[string]*identity{},
		clients: map[domain.ID]*client{},
	}
	p.moved.L = &p.gate
	context.AfterFunc(ctx, p.moved.Broadcast)
	return p
}

func (p *player) close() {
	p.dialing.Lock()
	defer p.dialing.Unlock()
	for _, c := range p.clients {
		c.close()
	}
}

// start sends the line, or answers it where that can't be. An error ends it all:
// the ledger couldn't be reached even once.
func (p *player) start(l *line, b []byte) error {
	as, fault := l.parse(b)
	if fault == nil {
		l.who, fault = p.identity(l, as)
	}
	if fault != nil {
		l.answer(faulty(l.shownID(), fault))
		p.queue <- l
		return nil
	}
	for {
		if !p.free() {
			l.answer(faulty(l.plain.ID, &domain.Fault{Code: domain.Unavailable,
				Message: "it was not sent, since the outcome of a command before it isn't known"}))
			p.queue <- l
			return nil
		}
		c, err := p.client(l.who)
		if err != nil && !p.reached() && !isFault(err) {
			return err
		}
		var body []byte
		if err == nil {
			body, err = c.compose(&l.plain)
		}
		if p.send(l, c, body, err) {
			return nil
		}
	}
}

// free waits until a line may be sent; false: none ever may.
func (p *player) free() bool {
	p.gate.Lock()
	defer p.gate.Unlock()
	for p.hold && !p.given && p.ctx.Err() == nil {
		p.moved.Wait()
	}
	return !p.given && p.ctx.Err() == nil
}

// send sends the line and puts it into the queue; false where it has to wait again.
// With an error it answers it instead.
func (p *player) send(l *line, c *client, body []byte, err error) bool {
	p.gate.Lock()
	defer p.gate.Unlock()
	for p.last != c && p.under > 0 && !p.hold && p.ctx.Err() == nil {
		p.moved.Wait()
	}
	if p.hold || p.ctx.Err() != nil {
		return false
	}
	if err == nil {
		p.joined = true
		err = c.send(c.door(), body, func(b []byte, err error) { p.answered(l, b, err) })
	}
	switch {
	case err == nil:
		p.last, l.under = c, true
		p.under++
	case isFault(err):
		l.answer(faulty(l.plain.ID, whyNot(err)))
	default:
		p.hold = true
		l.answer(faulty(l.plain.ID, whyNot(err)))
	}
	p.queue <- l
	return true
}

// answered takes an answer as it comes, in any order.
func (p *player) answered(l *line, b []byte, err error) {
	var ans *answer
	if err != nil {
		ans = faulty(l.plain.ID, whyNot(err))
	} else {
		ans = readAnswer(l.plain.ID, b)
	}
	p.gate.Lock()
	p.hold = p.hold || l.under && ans.open() // one that comes too late says nothing new
	p.ended(l)
	p.gate.Unlock()
	l.answer(ans)
}

// ended notes that the line is under way no longer. Called with gate held.
func (p *player) ended(l *line) {
	if l.under {
		l.under = false
		p.under--
	}
	if p.under == 0 || p.hold {
		p.moved.Broadcast()
	}
}

func (p *player) stop() {
	p.gate.Lock()
	defer p.gate.Unlock()
	p.hold = true
	p.moved.Broadcast()
}

// settle waits for the answer of the line that is next in order. Where its outcome
// isn't known, the same id is sent again until it is, or until wait is over.
func (p *player) settle(l *line) *answer {
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-l.done:
	case <-late.C:
		p.stop()
		l.answer(faulty(l.plain.ID, whyNot(context.DeadlineExceeded)))
	case <-p.ctx.Done():
		p.stop()
		l.answer(faulty(l.plain.ID, whyNot(context.Canceled)))
	}
	ans := l.got
	if ans.open() && l.who != nil {
		ans = p.insist(l)
	}
	p.gate.Lock()
	defer p.gate.Unlock()
	p.ended(l)
	if p.hold && len(p.queue) == 0 {
		p.hold = false
		p.moved.Broadcast()
	}
	return ans
}

// insist sends the line's id again until its outcome is known.
func (p *player) insist(l *line) *answer {
	ans := l.got
	pause := 20 * time.Millisecond
	for end := time.Now().Add(p.wait); !p.gaveUp(); pause = min(2*pause, time.Second) {
		if time.Now().After(end) || p.ctx.Err() != nil {
			p.giveUp()
			break
		}
		select {
		case <-time.After(pause):
		case <-p.ctx.Done():
			continue
		}
		c, err := p.client(l.who)
		if err == nil {
			ans = c.command(p.ctx, &l.plain)
		} else if isFault(err) {
			ans = faulty(l.plain.ID, whyNot(err))
		}
		if !ans.open() {
			break
		}
	}
	return ans
}

func (p *player) gaveUp() bool {
	p.gate.Lock()
	defer p.gate.Unlock()
	return p.given
}

func (p *player) giveUp() {
	p.gate.Lock()
	defer p.gate.Unlock()
	p.given = true
	p.moved.Broadcast()
}

func (p *player) reached() bool {
	p.gate.Lock()
	defer p.gate.Unlock()
	return p.joined
}

// client is the identity's connection, made anew where it was lost: the service may
// have another address by now.
func (p *player) client(who *identity) (*client, error) {
	p.dialing.Lock()
	defer p.dialing.Unlock()
	if c := p.clients[who.actor]; c != nil && !c.nc.IsClosed() {
		return c, nil
	}
	c, err := p.app.dial(p.ctx, who)
	if err != nil {
		return nil, err
	}
	p.clients[who.actor] = c
	return c, nil
}

// identity is who sends the line: whom it names, or whom the command line does. A
// line that is malformed is that first (contract, section 2).
func (p *player) identity(l *line, as string) (*identity, *domain.Fault) {
	who, err := p.find(as)
	if err == nil {
		return who, nil
	}
	if _, err := (commands.Sender{}).Compose(&l.plain, time.Now()); isFault(err) {
		return nil, whyNot(err)
	}
	return nil, &domain.Fault{Code: domain.Unauthenticated, Message: err.Error()}
}

func (p *player) find(as string) (*identity, error) {
	if who := p.known[as]; who != nil {
		return who, nil
	}
	var who *identity
	var err error
	if as == "" {
		if p.app.file == "" && p.app.as == "" {
			return nil, errors.New(`the line says no identity with "as", and --as names none`)
		}
		who, err = p.app.who(p.keys)
	} else {
		who, err = openIdentity(p.keys, as)
	}
	if err != nil {
		return nil, err
	}
	p.known[as] = who
	return who, nil
}

// shownID is the line's id as far as it is one.
func (l *line) shownID() domain.UUID {
	if domain.IsUUID(string(l.plain.ID)) {
		return l.plain.ID
	}
	return ""
}

// isFault says whether the error is an answer in itself.
func isFault(err error) bool {
	var f *domain.Fault
	return errors.As(err, &f)
}
