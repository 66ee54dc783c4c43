//go:build trials

package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/commands"
)

var (
	steps     = flag.Int("steps", 20, "at how many operations TestAKillAtEachStepLosesNothing kills the service")
	faultSeed = flag.Uint64("fault-seed", 1, "what the trials on a file system of our own take their moments from")
)

// A frail is the real service on a ledger that lies in a file system of our own. The
// commands of the test look at what lies behind it, so that they meet no fault.
type frail struct {
	*running
	fs  *faultFS
	log []*sent // all that was ever sent
}

func newFrail(t testing.TB) *frail {
	f := newFaultFS(t)
	s := &frail{running: &running{served: &served{}, bin: binary(t), data: filepath.Join(f.back, "ledger")}, fs: f}
	t.Cleanup(func() { s.kill() })
	return s
}

// begin starts the service. An error says that it ended before it served, and what it
// said.
func (s *frail) begin(args ...string) error {
	served, line, err := startServe(s.bin, ".", nil, append([]string{"--data", filepath.Join(s.fs.at, "ledger")}, args...)...)
	if err != nil {
		return err
	}
	s.served = served
	s.url = strings.TrimSpace(line[strings.LastIndex(line, "nats://"):])
	return nil
}

// reach connects an identity; nil where the service doesn't answer.
func (s *frail) reach(t testing.TB, as string) *client {
	a := s.app(t, as, "", t.Output())
	a.server = s.url
	who, err := a.who(s.data + "-keys")
	require.NoError(t, err)
	c, err := a.dial(t.Context(), who)
	if err != nil {
		return nil
	}
	return c
}

// send has callers send each so many commands, or until one isn't answered. It says
// how many were acknowledged.
func (s *frail) send(t testing.TB, name string, callers, each int) (acks int) {
	var wg sync.WaitGroup
	logs := make([][]*sent, callers)
	for i := range callers {
		c := s.reach(t, role(i))
		if c == nil {
			continue
		}
		wg.Go(func() {
			defer c.close()
			for n := range each {
				plain := wanted(c, fmt.Sprintf("%s-%d", name, i), n)
				a := &sent{plain: plain, answer: c.command(t.Context(), plain)}
				logs[i] = append(logs[i], a)
				if a.answer.open() {
					return
				}
			}
		})
	}
	wg.Wait()
	for i := range logs {
		s.log = append(s.log, logs[i]...)
		acks += len(logs[i])
		if n := len(logs[i]); n > 0 && logs[i][n-1].answer.open() {
			acks--
		}
	}
	return acks
}

// wanted is the n-th command of a caller.
func wanted(c *client, name string, n int) *commands.Plain {
	if c.who.actor == "gateway" {
		return &commands.Plain{Name: "access.request",
			Data: fmt.Appendf(nil, `{"client":"acme","record":"r%d","party":"p%s","action":"consult","purpose":"fees"}`, n, name)}
	}
	return &commands.Plain{Name: "party.register",
		Data: fmt.Appendf(nil, `{"party":"p%s-%d","category":"external","kind":"person","name":"Person"}`, name, n)}
}

// check holds all that was acknowledged against what is recorded, and says how much is
// lost: isn't there exactly once, at its sequence, with its id.
func (s *frail) check(t testing.TB) (acks, lost int) {
	recorded := s.recorded(t)
	for _, c := range s.log {
		if c.answer.open() {
			require.LessOrEqual(t, len(recorded[string(c.plain.ID)]), 1, "twice: %s", c.plain.ID)
			continue
		}
		acks++
		e := recorded[string(c.plain.ID)]
		if len(e) != 1 || e[0].seq != uint64(c.answer.Seq) || e[0].id != string(c.answer.Event) {
			lost++
			t.Logf("lost: %s, its answer %s, found %v", c.plain.ID, c.answer.document(), e)
		}
	}
	return acks, lost
}

// verified stops the service and has the whole ledger verified.
func (s *frail) verified(t testing.TB) {
	require.NoError(t, s.signal(syscall.SIGTERM))
	out, err := s.run("verify", "--data", s.data)
	require.NoError(t, err, out)
}

// live starts the service, has callers send, and stops it, in a life that is killed at
// the n-th operation that changes something, before it is done or after. It says at which
// one and during which phase that was; nil: it ended before.
func (s *frail) live(t testing.TB, name string, n int, after bool, each int) (*op, string) {
	reached, in := s.fs.killAt(n, after), "starting"
	if s.begin() == nil {
		in = "serving"
		s.send(t, name, 4, each)
		if reached() == nil {
			in = "stopping"
		}
		_ = s.signal(syscall.SIGTERM) // it may be gone
	}
	s.kill()
	s.fs.unmount(t)
	at := reached()
	s.fs.mount(t)
	return at, in
}

// TestAKillAtEachStepLosesNothing: a ledger is made, served to callers and stopped, and
// the process killed as it does its n-th operation that changes something on the disk,
// before it or after; half of the time it is killed again in its next life. Then it
// starts, all that was acknowledged is there, and all of it verifies (trial R04). With
// 2,000 steps it is killed at each of the first 2,000 operations once.
func TestAKillAtEachStepLosesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(*faultSeed, 4))
	order := r.Perm(2000)
	began, kills, phases, missed, acks, lost := time.Now(), map[string]int{}, map[string]int{}, 0, 0, 0
	for i := range *steps {
		s := newFrail(t)
		n, after := 1+order[i%len(order)], r.IntN(2) == 0
		at, in := s.live(t, "first", n, after, 110)
		said := fmt.Sprintf("step %d: %d, after %v: ", i, n, after)
		for again := 0; ; again++ {
			if at == nil {
				missed++
				said += "not reached"
				break
			}
			kills[at.kind]++
			if again > 0 {
				in += " again"
			}
			phases[in]++
			said += fmt.Sprintf("%s: %s %s (%d); ", in, at.kind, at.path, at.n)
			if again == 1 || r.IntN(2) == 0 {
				break
			}
			at, in = s.live(t, "second", 1+r.IntN(120), r.IntN(2) == 0, 5)
		}
		require.NoError(t, s.begin(), said)
		s.send(t, "last", 2, 2)
		a, l := s.check(t)
		acks, lost = acks+a, lost+l
		s.verified(t)
		s.fs.unmount(t)
		if l > 0 || testing.Verbose() && i%20 == 0 {
			t.Logf("%s: %d acks, %d lost", said, a, l)
		}
	}
	t.Logf("%d steps in %v: killed at %v, %v, %d not reached: %d acks, %d lost",
		*steps, time.Since(began).Round(time.Second), kills, phases, missed, acks, lost)
	require.NotEmpty(t, kills)
	require.Zero(t, lost)
}
