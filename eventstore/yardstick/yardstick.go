// Package yardstick is what the ledger is measured by: JetStream as it comes, synced
// always, with nothing between a publisher and its stream. It serves the bench and
// nothing else.
package yardstick

import (
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// A Server is a nats-server of one account, as whoever uses JetStream directly has
// it. It listens on this machine alone, for those who know its URL.
type Server struct {
	ns    *server.Server
	token string
}

// Start starts one whose streams lie in dir.
func Start(dir string) (*Server, error) { return start(dir, true) }

// StartLazy starts one that acknowledges before it syncs: what a power cut takes from
// it shows that a trial of power cuts takes anything.
func StartLazy(dir string) (*Server, error) { return start(dir, false) }

func start(dir string, sync bool) (*Server, error) {
	s := &Server{token: rand.Text()}
	var err error
	s.ns, err = server.NewServer(&server.Options{
		ServerName: "yardstick",
		Host:       "127.0.0.1", Port: server.RANDOM_PORT,
		Authorization: s.token,
		NoSigs:        true, NoLog: true,
		JetStream: true, StoreDir: dir, SyncAlways: sync,
	})
	if err != nil {
		return nil, fmt.Errorf("yardstick: %w", err)
	}
	s.ns.Start()
	if !s.ns.ReadyForConnections(10*time.Second) || !s.ns.JetStreamEnabled() {
		s.Stop()
		return nil, errors.New("yardstick: the server isn't ready")
	}
	return s, nil
}

// URL is where it listens, with the token that lets in.
func (s *Server) URL() string {
	return "nats://" + s.token + "@" + s.ns.Addr().String()
}

// Connect connects inside this process, without a socket.
func (s *Server) Connect() (*nats.Conn, error) {
	nc, err := nats.Connect("", nats.InProcessServer(s.ns), nats.Token(s.token))
	if err != nil {
		return nil, fmt.Errorf("yardstick: %w", err)
	}
	return nc, nil
}

// Stop ends it, and waits for that.
func (s *Server) Stop() {
	s.ns.Shutdown()
	s.ns.WaitForShutdown()
}
