package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A running is the real service in a process of its own, on a ledger of its own,
// until the test ends.
type running struct {
	*served
	bin, data, url string
}

// serveFresh makes a ledger and serves it.
func serveFresh(t testing.TB) *running {
	r := &running{bin: binary(t), data: filepath.Join(t.TempDir(), "ledger")}
	r.start(t)
	t.Cleanup(func() { r.kill() })
	return r
}

func (r *running) start(t testing.TB) {
	s, line, err := startServe(r.bin, ".", os.Environ(), "--data", r.data)
	require.NoError(t, err)
	r.served = s
	m := regexp.MustCompile(`on (nats://\S+)\n$`).FindStringSubmatch(line)
	require.NotNil(t, m, line)
	r.url = m[1]
}

// restart kills the service and starts it again.
func (r *running) restart(t testing.TB, sig syscall.Signal) {
	if err := r.signal(sig); sig == syscall.SIGTERM {
		require.NoError(t, err)
	}
	r.start(t)
}

// app is a command line of this ledger, as the identity, in this process.
func (r *running) app(t testing.TB, as string, in string, out io.Writer) *app {
	return &app{data: r.data, as: as, json: true, in: strings.NewReader(in), out: out, errs: t.Output()}
}

// dial connects an identity of the ledger.
func (r *running) dial(t testing.TB, as string) *client {
	a := r.app(t, as, "", io.Discard)
	who, err := a.who(r.data + "-keys")
	require.NoError(t, err)
	c, err := a.dial(t.Context(), who)
	require.NoError(t, err)
	t.Cleanup(c.close)
	return c
}
