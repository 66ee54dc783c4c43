package main

import (
	"bufio"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nkeys"
	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite the expected output inside the scripts")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"assent": main})
}

// TestScript plays testdata/script: each file is an hour in the life of a user,
// against the real binary and a fresh data directory.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                "testdata/script",
		UpdateScripts:      *update,
		RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("ASSENT_DATA", filepath.Join(e.WorkDir, "ledger"))
			e.Setenv("ESCAPE", "Eve\x1b[2J\nadmin")
			key, err := nkeys.CreateUser()
			if err != nil {
				return err
			}
			public, err := key.PublicKey()
			if err != nil {
				return err
			}
			e.Setenv("PUBLIC", public)
			e.Values[serving{}] = &served{}
			e.Defer(e.Values[serving{}].(*served).kill)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve": cmdServe, "halt": cmdStop, "capture": cmdCapture, "seen": cmdSeen,
		},
	})
}

// serving is the key of a script's served.
type serving struct{}

// A served is the service that a script has running, one at a time.
type served struct {
	cmd    *exec.Cmd
	stderr *strings.Builder
	ended  chan error // holds one, once the process has ended
}

func (s *served) kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		<-s.ended
		s.cmd = nil
	}
}

// startServe starts the service and returns when it says that it answers.
func startServe(binary, dir string, env []string, args ...string) (*served, string, error) {
	s := &served{stderr: &strings.Builder{}, ended: make(chan error, 1)}
	s.cmd = exec.Command(binary, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
	s.cmd.Dir, s.cmd.Env, s.cmd.Stderr = dir, env, s.stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, "", err
	}
	r := bufio.NewReader(out)
	line, err := r.ReadString('\n')
	go func() {
		_, _ = io.Copy(io.Discard, r)
		s.ended <- s.cmd.Wait()
	}()
	if err != nil {
		err := <-s.ended
		return nil, "", errors.Join(errors.New("serve said nothing: "+s.stderr.String()), err)
	}
	return s, line, nil
}

// signal ends the service and waits for it.
func (s *served) signal(sig os.Signal) error {
	if err := s.cmd.Process.Signal(sig); err != nil {
		return err
	}
	select {
	case err := <-s.ended:
		s.cmd = nil
		return err
	case <-time.After(30 * time.Second):
		return errors.New("serve doesn't end: " + s.stderr.String())
	}
}

// cmdServe: serve [args] starts the service and waits until it answers.
func cmdServe(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("say ! exec assent serve instead")
	}
	s := ts.Value(serving{}).(*served)
	if s.cmd != nil {
		ts.Fatalf("a service is running already")
	}
	var env []string
	for _, name := range []string{"PATH", "HOME", "ASSENT_DATA", "ASSENT_KEYS"} {
		if v := ts.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	started, line, err := startServe(inPath(ts), ts.MkAbs("."), env, args...)
	ts.Check(err)
	*s = *started
	if !regexp.MustCompile(`^assent: serving ledger [0-9a-f-]{36} on nats://127\.0\.0\.1:\d+\n$`).MatchString(line) {
		ts.Fatalf("serve said %q", line)
	}
}

// cmdStop: halt [KILL] ends the service, which exits with 0 unless it is killed.
func cmdStop(ts *testscript.TestScript, neg bool, args []string) {
	s := ts.Value(serving{}).(*served)
	if s.cmd == nil {
		ts.Fatalf("no service is running")
	}
	sig := syscall.SIGTERM
	if len(args) > 0 && args[0] == "KILL" {
		sig = syscall.SIGKILL
	}
	if err := s.signal(sig); sig == syscall.SIGTERM {
		ts.Check(err)
	}
	ts.Logf("[serve's stderr]\n%s", s.stderr)
}

// cmdCapture: capture NAME REGEXP sets the variable to what the regexp's group
// matches in the last stdout.
func cmdCapture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: capture NAME REGEXP")
	}
	m := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if m == nil {
		ts.Fatalf("no %s in stdout", args[1])
	}
	ts.Setenv(args[0], m[1])
}

// cmdSeen: seen FILE REGEXP waits until what a background command writes into the
// file has it. A file can't be waited on, so it is looked at.
func cmdSeen(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: seen FILE REGEXP")
	}
	re := regexp.MustCompile(args[1])
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); <-time.After(10 * time.Millisecond) {
		if b, _ := os.ReadFile(ts.MkAbs(args[0])); re.Match(b) {
			return
		}
	}
	ts.Fatalf("%s never had %s: %s", args[0], args[1], ts.ReadFile(args[0]))
}

func inPath(ts *testscript.TestScript) string {
	for dir := range strings.SplitSeq(ts.Getenv("PATH"), string(os.PathListSeparator)) {
		if path := filepath.Join(dir, "assent"); isFile(path) {
			return path
		}
	}
	ts.Fatalf("no assent in PATH")
	return ""
}
