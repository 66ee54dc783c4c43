package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program but for the process: 0 where all is well, 1 where
// anything isn't, 2 where the input of apply is unusable.
func run(args []string, in io.Reader, out, errs io.Writer) int {
	a := &app{in: in, out: out, errs: errs}
	root := rootCommand(a)
	root.SetArgs(args)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if !errors.Is(err, errSaid) {
		a.complain(err)
	}
	if errors.Is(err, errUnusable) {
		return 2
	}
	return 1
}

// errSaid means that what went wrong has been said already: it only makes the exit
// code.
var errSaid = errors.New("not everything was accepted")

// errUnusable means that apply can't read its input.
var errUnusable = errors.New("the input is unusable")

// complain writes an error to stderr: one paragraph, after the program's name,
// with nothing in it that a terminal would obey.
func (a *app) complain(err error) {
	lines := strings.FieldsFunc(a.lang.explain(err), func(r rune) bool { return r == '\n' })
	for i := range lines {
		lines[i] = shown(strings.TrimSpace(lines[i]))
	}
	fmt.Fprintln(a.errs, "assent:", strings.Join(lines, "; "))
}
