package natsd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// ErrInUse says that another process has the store open.
var ErrInUse = errors.New("the store is in use by another process")

// maxPayload lets an answer of 1 MiB pass with its headers. A request's own,
// smaller bound is the doors' to hold.
const maxPayload = 1<<20 + 8<<10

// maxStore is no bound: the disk is. The server's own default would be three
// quarters of what was free at the first start.
const maxStore = 1 << 50

// Config says what to start. Its zero value is refused.
type Config struct {
	// StoreDir is where the stream lies. It is made where it isn't there, locked
	// while the server runs, and belongs to nothing else.
	StoreDir string
	// Name is the server's NATS name, the ledger's UUID: a client tells by it
	// whom it has reached.
	Name string
	// Listen is host:port for callers, port 0 for a free one. Empty: no port is
	// opened, whatever else happens.
	Listen string
	// Hold keeps the port closed until Admit, so that nobody comes before the
	// doors are there.
	Hold bool
	// LetIn says whether the holder of a public key may connect, and what it may
	// do then. It is asked once a connection, after the key was proven, from
	// many goroutines. Nil lets nobody in.
	LetIn func(publicKey string) (Grant, bool)
	// CheckFor is for how long the blocks of the stream are looked through before the
	// server reads any, the newest first. 0: all of them.
	CheckFor time.Duration
	// Log takes what the server has to say: errors, warnings, and at debug level
	// its notices. Nil: nothing is said.
	Log *slog.Logger
}

// A Server runs from Start until Stop. Its methods may be called from any
// goroutine.
type Server struct {
	ns    *server.Server
	gate  *gate
	voice *voice
	lock  *os.File
	own   nkeys.KeyPair // proves the ledger's own connections; never leaves the process

	storeDir string
	asked    bool // whether Config.Listen asks for a port; set once

	mu       sync.Mutex
	conns    []*nats.Conn // guarded by mu; nil after Stop
	admitted bool         // guarded by mu
	done     bool         // guarded by mu
	staging  string       // guarded by mu: where batches are staged in memory; empty: on disk
}

// Start opens the store and returns when the server is ready, its streams
// recovered whole and, unless Config.Hold, its port open; or it returns an error, a
// *BlockDamage among them, and leaves nothing running. It always syncs every write before it is
// acknowledged.
func Start(ctx context.Context, cfg Config) (_ *Server, err error) {
	if cfg.StoreDir == "" || cfg.Name == "" {
		return nil, errors.New("natsd: a store directory and a name are wanted")
	}
	host, port, err := split(cfg.Listen)
	if err != nil {
		return nil, err
	}
	lock, err := lockDir(cfg.StoreDir)
	if err != nil {
		return nil, err
	}
	s := &Server{lock: lock, storeDir: cfg.StoreDir, voice: newVoice(cfg.Log), asked: cfg.Listen != ""}
	defer func() {
		if err != nil {
			s.Stop()
		}
	}()
	if err := checkBlocks(ctx, cfg.StoreDir, cfg.CheckFor); err != nil {
		return nil, err
	}
	left, err := leftStaging(cfg.StoreDir)
	if err != nil {
		return nil, err
	}
	if s.own, err = nkeys.CreateUser(); err != nil {
		return nil, fmt.Errorf("natsd: make the ledger's own key: %w", err)
	}
	own, err := s.own.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("natsd: make the ledger's own key: %w", err)
	}
	s.gate = newGate(own, cfg.LetIn)
	opts := options(cfg, host, port)
	opts.CustomClientAuthentication = s.gate
	if s.ns, err = server.NewServer(opts); err != nil {
		return nil, fmt.Errorf("natsd: %w", err)
	}
	s.ns.SetLoggerV2(s.voice, false, false, false)
	ledger, callers, err := accounts(s.ns)
	if err != nil {
		return nil, fmt.Errorf("natsd: make the accounts: %w", err)
	}
	s.gate.open(s.ns, ledger, callers)
	s.ns.Start() // opens no port: DontListen
	if err := s.voice.fatal(); err != nil {
		return nil, err
	}
	if err := s.recover(cfg.StoreDir, ledger); err != nil {
		return nil, err
	}
	if left != "" { // the server has read it, and has removed the link
		_ = os.RemoveAll(left)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("natsd: %w", err)
	}
	if s.asked && !cfg.Hold {
		if err := s.Admit(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// options is the whole configuration of the embedded server. What isn't here is
// off: monitoring, profiling, routes, gateways, leaf nodes, MQTT, websockets.
func options(cfg Config, host string, port int) *server.Options {
	return &server.Options{
		ServerName:             cfg.Name,
		Host:                   host,
		Port:                   port,
		DontListen:             true, // Admit opens the port
		NoSigs:                 true,
		AlwaysEnableNonce:      true,
		JetStream:              true,
		StoreDir:               cfg.StoreDir,
		SyncAlways:             true, // an acknowledged message survives a power cut
		JetStreamMaxMemory:     1 << 30,
		JetStreamMaxStore:      maxStore,
		DisableJetStreamBanner: true,
		NoSublistCache:         true, // most subjects are replies, and come once
		MaxPayload:             maxPayload,
		MaxControlLine:         4096,
	}
}

func split(listen string) (string, int, error) {
	if listen == "" {
		return "127.0.0.1", server.RANDOM_PORT, nil
	}
	host, p, err := net.SplitHostPort(listen)
	if err != nil {
		return "", 0, fmt.Errorf("natsd: listen address: %w", err)
	}
	port, err := strconv.ParseUint(p, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("natsd: listen address %s: the port is a number up to 65535", listen)
	}
	if port == 0 {
		return host, server.RANDOM_PORT, nil
	}
	return host, int(port), nil
}

// Admit opens the port of Config.Listen, once.
func (s *Server) Admit() error {
	s.mu.Lock()
	admitted, done := s.admitted, s.done
	s.admitted = s.asked
	s.mu.Unlock()
	switch {
	case done:
		return errors.New("natsd: admit: the server has stopped")
	case !s.asked:
		return errors.New("natsd: admit: Config.Listen asks for no port")
	case admitted:
		return errors.New("natsd: admit: the port is open already")
	}
	ready := make(chan struct{})
	s.ns.AcceptLoop(ready)
	<-ready
	return s.voice.fatal()
}

// Addr is the address as bound, host:port; empty before Admit.
func (s *Server) Addr() string {
	if a := s.ns.Addr(); a != nil {
		return a.String()
	}
	return ""
}

// Ledger makes a connection into the ledger's account, inside this process. No
// other way leads there. It reconnects by itself, keeps nothing back while it
// isn't connected, and is closed by Stop.
func (s *Server) Ledger() (*nats.Conn, error) {
	own, err := s.own.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("natsd: connect the ledger: %w", err)
	}
	nc, err := nats.Connect("",
		nats.InProcessServer(inProcess{s.ns}),
		nats.Name("ledger"),
		nats.Nkey(own, s.own.Sign),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(10*time.Millisecond),
		nats.ReconnectBufSize(-1), // a publish goes out now or fails
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			subject := ""
			if sub != nil {
				subject = sub.Subject
			}
			s.voice.log.Error("ledger's own connection", "subject", subject, "err", err)
		}),
	)
	if err != nil {
		return nil, fmt.Errorf("natsd: connect the ledger: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		nc.Close()
		return nil, errors.New("natsd: connect the ledger: the server has stopped")
	}
	s.conns = append(s.conns, nc)
	return nc, nil
}

// Disconnect closes every connection that proved this key. It is called when
// LetIn refuses the key already: a connection being made meanwhile is closed too,
// or refused.
func (s *Server) Disconnect(publicKey string) {
	for _, id := range s.gate.connections(publicKey) {
		_ = s.ns.DisconnectClientByID(id) // the one error: it is gone already
	}
}

// Stop closes all connections and the store, and waits for it. What was
// acknowledged is on disk. Stopping again does nothing.
func (s *Server) Stop() {
	s.mu.Lock()
	conns, done := s.conns, s.done
	s.conns, s.done = nil, true
	s.mu.Unlock()
	if done {
		return
	}
	for _, nc := range conns {
		nc.Close()
	}
	if s.ns != nil {
		s.ns.Shutdown()
		s.ns.WaitForShutdown()
	}
	s.StageOnDisk()
	_ = s.lock.Close() // and with it the lock goes
}
