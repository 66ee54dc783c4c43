package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"github.com/qtccc/assent/commands"
	"github.com/qtccc/assent/domain"
)

// A load is the callers of the bench's ledger: gateways that ask for decisions over
// NATS, from a process of their own, each caller waiting for its answer before it
// asks again.
type load struct {
	app      *app
	keys     string
	world    world
	gateways []*client
	heard    atomic.Int64 // answers
	patience time.Duration
}

const (
	// gateways ask, each over one connection, which its share of the callers uses.
	gateways = 4
	// setupFlight is how many commands a connection has under way while the ledger
	// is set up.
	setupFlight = 200
)

func (w *worker) loadTask(ctx context.Context, t task) (*report, error) {
	switch t.Do {
	case "load open":
		w.load = &load{app: &app{data: t.Dir, keysPath: t.Keys}, keys: t.Keys, world: world{clients: t.Clients}, patience: 5 * time.Second}
		return &report{}, nil
	case "load setup":
		return w.load.setup(ctx)
	}
	return w.load.access(ctx, t)
}

func (l *load) close() {
	for _, c := range l.gateways {
		c.close()
	}
}

func (l *load) dial(ctx context.Context, name string) (*client, error) {
	who, err := openIdentity(l.keys, name)
	if err != nil {
		return nil, err
	}
	return l.app.dial(ctx, who)
}

// setup makes the ledger's parties and clients, signed as always, and connects the
// gateways.
func (l *load) setup(ctx context.Context) (*report, error) {
	began, count := time.Now(), 0
	for _, phase := range l.world.phases() {
		errs := make([]error, len(phase.parts))
		var wg sync.WaitGroup
		for i, part := range phase.parts {
			wg.Go(func() { errs[i] = l.issue(ctx, phase.as, part) })
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			return nil, err
		}
		for _, part := range phase.parts {
			count += part.count
		}
	}
	r := &report{Count: count, Took: time.Since(began)}
	return r, l.connect(ctx)
}

// connect makes the gateways known and connects them.
func (l *load) connect(ctx context.Context) error {
	admin, err := l.dial(ctx, "admin")
	if err != nil {
		return err
	}
	defer admin.close()
	for i := range gateways {
		name := "gateway"
		if i > 0 {
			name = fmt.Sprint("gateway-", i)
			key, err := writeSeed((&home{keys: l.keys}).identity(name))
			if err != nil {
				return err
			}
			public, err := key.PublicKey()
			if err != nil {
				return err
			}
			data, err := json.Marshal(map[string]any{"actor": name, "role": domain.Gateway, "publicKey": public})
			if err != nil {
				return err
			}
			if ans := admin.command(ctx, &commands.Plain{Name: "identity.add", Data: data}); !ans.OK {
				return ans.Error
			}
		}
		c, err := l.dial(ctx, name)
		if err != nil {
			return err
		}
		l.gateways = append(l.gateways, c)
	}
	return nil
}

// issue issues commands in their order, many under way at once.
func (l *load) issue(ctx context.Context, as string, part part) error {
	c, err := l.dial(ctx, as)
	if err != nil {
		return err
	}
	defer c.close()
	flight := make(chan struct{}, setupFlight)
	var wrong atomic.Pointer[error]
	fail := func(err error) { wrong.CompareAndSwap(nil, &err) }
	for i := range part.count {
		name, data := part.make(i)
		body, err := c.compose(&commands.Plain{Name: name, Data: []byte(data)})
		if err != nil {
			return fmt.Errorf("%s: %w", data, err)
		}
		flight <- struct{}{}
		err = c.send(c.door(), body, func(b []byte, err error) {
			if err == nil && !bytes.Contains(b, accepted) {
				err = errors.New(string(b))
			}
			if err != nil {
				fail(fmt.Errorf("%s: %w", name, err))
			}
			<-flight
		})
		if err != nil {
			return err
		}
		if wrong.Load() != nil || ctx.Err() != nil {
			break
		}
	}
	for range setupFlight { // all are answered
		flight <- struct{}{}
	}
	if err := wrong.Load(); err != nil {
		return *err
	}
	return ctx.Err()
}

// accepted is in every answer to a command that was recorded as asked.
var accepted = []byte(`"ok":true`)

// access has callers ask for decisions, for a while or for so many events.
func (l *load) access(ctx context.Context, t task) (*report, error) {
	end := time.Now().Add(t.For)
	left := atomic.Int64{}
	left.Store(int64(t.Events))
	more := func() bool {
		if t.Events > 0 {
			return left.Add(-1) >= 0
		}
		return time.Now().Before(end)
	}
	var all sync.WaitGroup
	callers := make([]*caller, t.Callers)
	began := time.Now()
	for i := range callers {
		k := &caller{load: l, conn: l.gateways[i%len(l.gateways)], signed: t.Signed, chance: uint64(began.UnixNano()) ^ uint64(i)<<40,
			more: func() bool { return ctx.Err() == nil && more() }, done: all.Done}
		callers[i] = k
		all.Add(1)
		k.begin()
	}
	if err := l.answers(ctx, &all, callers); err != nil {
		return nil, err
	}
	took := make([][]time.Duration, len(callers))
	for i, k := range callers {
		if took[i] = k.took; k.err != nil {
			return nil, k.err
		}
	}
	return summed(took, time.Since(began)), ctx.Err()
}

// A caller asks, and asks anew when it is answered.
type caller struct {
	load   *load
	conn   *client
	signed bool
	more   func() bool
	done   func()
	chance uint64

	mu    sync.Mutex
	waits bool            // guarded by mu: for an answer to body
	body  []byte          // guarded by mu
	sent  time.Time       // guarded by mu
	took  []time.Duration // guarded by mu
	err   error           // guarded by mu
}

// stalled is how often those that wait send again while none of them is answered.
const stalled = 5

// answers waits for all callers. One answer in millions is left out (docs/decisions/0014):
// whoever waits for it, when nobody else does any more, sends again. An answer that never
// comes is an error: a bench that waits for ever says nothing.
func (l *load) answers(ctx context.Context, all *sync.WaitGroup, callers []*caller) error {
	done := make(chan struct{})
	go func() { defer close(done); all.Wait() }()
	for before, silent := int64(-1), 0; ; {
		select {
		case <-done:
			return ctx.Err()
		case <-time.After(l.patience):
			now := l.heard.Load()
			if now != before {
				before, silent = now, 0
				continue
			}
			if silent++; silent > stalled {
				return fmt.Errorf("of %d callers %d wait for an answer that doesn't come, after %d answers", len(callers), waiting(callers), now)
			}
			for _, k := range callers {
				if err := k.again(); err != nil {
					return err
				}
			}
		}
	}
}

func waiting(callers []*caller) (n int) {
	for _, k := range callers {
		k.mu.Lock()
		if k.waits {
			n++
		}
		k.mu.Unlock()
	}
	return n
}

// again sends what isn't answered once more, with the same id.
func (k *caller) again() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.waits {
		return nil
	}
	return k.conn.send(k.conn.door(), k.body, k.answered)
}

func (k *caller) begin() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.next()
}

// next asks, or is done. Called with mu held.
func (k *caller) next() {
	if k.err != nil || !k.more() {
		k.done()
		return
	}
	body, err := k.compose()
	if err == nil {
		k.body, k.sent = body, time.Now()
		k.waits = true
		err = k.conn.send(k.conn.door(), body, k.answered) // from here on it may be answered
	}
	if err != nil {
		k.err, k.waits = err, false
		k.done()
	}
}

func (k *caller) answered(b []byte, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.waits {
		return // it was sent again, and is answered twice
	}
	k.waits = false
	k.load.heard.Add(1)
	k.took = append(k.took, time.Since(k.sent))
	if err == nil && !bytes.Contains(b, accepted) {
		err = errors.New(string(b))
	}
	if errors.Is(err, nats.ErrNoResponders) {
		err = errLost
	}
	k.err = err
	k.next()
}

// compose makes the next request. Unsigned it is put together by hand: what the
// callers cost is taken from the service, on the same cores.
func (k *caller) compose() ([]byte, error) {
	k.chance = k.chance*6364136223846793005 + 1442695040888963407
	data := k.load.world.access(k.chance >> 33)
	c := k.conn
	if k.signed {
		return c.compose(&commands.Plain{Name: "access.request", Data: data})
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	b := append(k.body[:0], `{"ledger":"`...)
	b = append(append(b, c.ledger...), `","actor":"`...)
	b = append(append(b, c.who.actor...), `","id":"`...)
	b = append(b, id.String()...)
	b = time.Now().UTC().AppendFormat(append(b, `","issued":"`...), time.RFC3339Nano)
	b = append(append(b, `","name":"access.request","data":`...), data...)
	return append(b, '}'), nil
}
