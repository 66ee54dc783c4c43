package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/qtccc/assent/domain"
)

// patience is how long a command waits for one answer. One that doesn't come means
// that the outcome isn't known.
const patience = 10 * time.Second

// errLost means that the connection to the ledger is gone: what was under way has
// an outcome that isn't known.
var errLost = errors.New("the connection to the ledger is lost")

// errDoor is the answer where the role of an identity doesn't let it send to a door
// at all.
var errDoor = &domain.Fault{Code: domain.Forbidden, Message: "the role of this identity lets it send nothing of the kind"}

// A client is one identity's connection to a ledger. It lives once: when it is lost,
// all that was under way fails with errLost, and nothing more can be sent on it.
// Its methods may be called from any goroutine.
type client struct {
	nc     *nats.Conn
	who    *identity
	ledger domain.UUID
	inbox  string // what replies come below, with its dot at the end

	mu    sync.Mutex
	next  uint64                         // guarded by mu: number of the last call
	calls map[string]func([]byte, error) // guarded by mu: by the reply subject; nil once lost
}

// dial connects the identity to the ledger that --server or --data says. Where its
// key is refused but its next one isn't, a rotation was cut short, and is finished.
func (a *app) dial(ctx context.Context, who *identity) (*client, error) {
	url, want, err := a.whereabouts()
	if err != nil {
		return nil, err
	}
	c, err := a.connect(ctx, who, url, want)
	if who.path == "" || !isFault(err) {
		return c, err
	}
	key, keyErr := readSeed(who.path + ".next")
	if keyErr != nil {
		return nil, err
	}
	c, nextErr := a.connect(ctx, &identity{actor: who.actor, key: key}, url, want)
	if nextErr != nil {
		return nil, err
	}
	if err := renameFile(who.path+".next", who.path); err != nil {
		c.close()
		return nil, fmt.Errorf("put the new key of %s in its place: %w", who.actor, err)
	}
	return c, nil
}

func (a *app) connect(ctx context.Context, who *identity, url string, want domain.UUID) (*client, error) {
	public, err := who.public()
	if err != nil {
		return nil, err
	}
	prefix := "_INBOX." + string(who.actor)
	c := &client{who: who, calls: map[string]func([]byte, error){}}
	c.inbox = strings.TrimSuffix(prefix, ".") + "." + nats.NewInbox()[len(nats.InboxPrefix):] + "."
	options := []nats.Option{
		nats.Name("assent " + string(who.actor)),
		nats.Nkey(string(public), who.key.Sign),
		nats.CustomInboxPrefix(prefix),
		nats.Timeout(5 * time.Second),
		nats.NoReconnect(),
		nats.ClosedHandler(func(*nats.Conn) { c.fail(errLost, true) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if errors.Is(err, nats.ErrPermissionViolation) {
				c.fail(errDoor, false)
			}
		}),
	}
	if deadline, ok := ctx.Deadline(); ok {
		options = append(options, nats.Timeout(min(5*time.Second, time.Until(deadline))))
	}
	if c.nc, err = nats.Connect(url, options...); err != nil {
		return nil, a.unreached(ctx, url, want, who, err)
	}
	c.ledger = domain.UUID(c.nc.ConnectedServerName())
	if !domain.IsUUID(string(c.ledger)) || want != "" && c.ledger != want {
		c.close()
		if want != "" {
			return nil, a.stranger(url, string(c.ledger), want)
		}
		return nil, fmt.Errorf("what answers on %s is no ledger, but a server named %q; name the ledger's with --server", url, c.nc.ConnectedServerName())
	}
	sub, err := c.nc.Subscribe(c.inbox+"*", c.answered)
	if err == nil {
		err = sub.SetPendingLimits(-1, -1) // bounded by what is asked
	}
	if err != nil {
		c.close()
		return nil, fmt.Errorf("connect to the ledger: %w", err)
	}
	return c, nil
}

// whereabouts is the service's URL, and the UUID of the ledger in the data
// directory where that one is meant.
func (a *app) whereabouts() (url string, ledger domain.UUID, err error) {
	if a.server != "" {
		return a.server, "", nil
	}
	h, err := findHome(a.data, a.keysPath)
	if err != nil {
		return "", "", err
	}
	if h.state == absent {
		return "", "", fmt.Errorf("there is no ledger in %s; make and serve one with assent serve, or name one with --data or --server", h.data)
	}
	address := h.address()
	if address == "" {
		return "", "", fmt.Errorf("nobody serves the ledger in %s; start assent serve --data %s", h.data, a.data)
	}
	return "nats://" + address, h.card.Ledger, nil
}

// stranger says that another server has the address of a ledger that isn't served
// any more.
func (a *app) stranger(url, name string, want domain.UUID) error {
	return fmt.Errorf("what answers on %s is %q, not the ledger %s in %s; start assent serve --data %s", url, name, want, a.data, a.data)
}

func (a *app) unreached(ctx context.Context, url string, want domain.UUID, who *identity, err error) error {
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked):
		if name := nameOf(ctx, url); want != "" && name != "" && name != string(want) {
			return a.stranger(url, name, want)
		}
		return &domain.Fault{Code: domain.Unauthenticated,
			Message: fmt.Sprintf("the ledger doesn't know this key of %s, or no longer; ask an admin to add or rotate the identity", who.actor)}
	case a.server == "":
		return fmt.Errorf("the ledger in %s doesn't answer on %s (%w); start assent serve --data %s", a.data, url, err, a.data)
	}
	return fmt.Errorf("no ledger answers on %s: %w", url, err)
}

// nameOf is the name of the server at an address of ours, which it says to
// everybody before anything else; empty where that can't be had.
func nameOf(ctx context.Context, url string) string {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", strings.TrimPrefix(url, "nats://"))
	if err != nil {
		return ""
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(time.Second))
	line, err := bufio.NewReader(io.LimitReader(conn, 64<<10)).ReadString('\n')
	if err != nil {
		return ""
	}
	var info struct {
		Name string `json:"server_name"`
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(line, "INFO ")), &info); err != nil {
		return ""
	}
	return info.Name
}

// send publishes a request; then is called once with the answer, or with the reason
// why there is none: errLost, or nats.ErrNoResponders where nobody is at that door.
// Requests of one client arrive in the order in which they were sent.
func (c *client) send(subject string, body []byte, then func([]byte, error)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls == nil {
		return errLost
	}
	c.next++
	reply := c.inbox + strconv.FormatUint(c.next, 36)
	if err := c.nc.PublishRequest(subject, reply, body); err != nil {
		return fmt.Errorf("%w: %w", errLost, err)
	}
	c.calls[reply] = then
	return nil
}

func (c *client) answered(m *nats.Msg) {
	c.mu.Lock()
	then := c.calls[m.Subject]
	delete(c.calls, m.Subject)
	c.mu.Unlock()
	switch {
	case then == nil: // it came too late
	case len(m.Data) == 0 && m.Header.Get("Status") == "503":
		then(nil, nats.ErrNoResponders)
	default:
		then(m.Data, nil)
	}
}

// fail ends all that is under way, and what comes later too where it is for good.
func (c *client) fail(err error, forGood bool) {
	c.mu.Lock()
	calls := c.calls
	c.calls = map[string]func([]byte, error){}
	if forGood {
		c.calls = nil
	}
	c.mu.Unlock()
	for _, then := range calls {
		then(nil, err)
	}
}

// request is one question or command and its answer.
func (c *client) request(ctx context.Context, subject string, body []byte) ([]byte, error) {
	type result struct {
		answer []byte
		err    error
	}
	done := make(chan result, 1)
	if err := c.send(subject, body, func(b []byte, err error) { done <- result{b, err} }); err != nil {
		return nil, err
	}
	select {
	case r := <-done:
		return r.answer, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c *client) close() { c.nc.Close() }
