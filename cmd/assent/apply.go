package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/qtccc/assent/commands"
	"github.com/qtccc/assent/domain"
)

const (
	// inFlight bounds the commands that are under way at once.
	inFlight = 512
	// longestLine bounds a line of the input, in bytes; a request has 32 KiB at most.
	longestLine = 1 << 20
)

func applyCommand(a *app) *cobra.Command {
	wait := time.Minute
	cmd := &cobra.Command{
		Use:   "apply FILE|-",
		Short: "send a file of commands, one a line, and print an answer a line",
		Long: `Apply sends commands, one JSON document a line, and prints an answer a line, both in the
order of the file, also between identities:

  {"as": "clerk", "name": "party.register", "data": {…}, "id"?: UUID}

Data has the plain values; commitments and signatures are made here. A line with an id counts
once, however often it is sent. A line that can't be read is answered in its place and the
rest goes on. Where the outcome of a command isn't known, nothing more is sent until its id is
answered.

It exits with 0 where every line was accepted (a denied access is an answer like any other),
with 1 where one was not, with 2 where the file can't be read.`,
		Example: `  assent apply commands.jsonl --as clerk
  generate | assent apply - --json > answers.jsonl`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("%w: name one file of commands, or - for stdin", errUnusable)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			in, total := a.in, int64(-1)
			if args[0] != "-" {
				f, err := os.Open(args[0])
				if err != nil {
					return fmt.Errorf("%w: %w", errUnusable, err)
				}
				defer f.Close()
				if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
					total = info.Size()
				}
				in = f
			}
			return a.apply(cmd.Context(), in, total, wait)
		},
	}
	cmd.Flags().DurationVar(&wait, "wait", wait, "for how `long` to ask again where an outcome isn't known")
	return cmd
}

// apply plays the lines of in; size is their length in bytes where it is known, for
// the progress bar.
func (a *app) apply(ctx context.Context, in io.Reader, size int64, wait time.Duration) error {
	h, err := findHome(a.data, a.keysPath)
	if err != nil {
		return err
	}
	if _, _, err := a.whereabouts(); err != nil {
		return err
	}
	bar := showProgress("applying", size, progressbar.OptionShowBytes(true))
	defer bar.done()
	ctx, cancel := context.WithCancel(ctx)
	p := newPlayer(ctx, a, h.keys, wait)
	defer p.close()
	defer cancel()
	var broken error // the reader's until it has closed the queue
	go func() {
		defer close(p.queue)
		broken = p.read(in)
	}()
	lines, failed := 0, 0
	out := bufio.NewWriter(a.out)
	for l := range p.queue {
		ans := p.settle(l)
		<-p.slots
		lines++
		if ans.Error != nil {
			failed++
		}
		document := ans.document()
		if !a.json {
			document = []byte(shown(ans.line(a.lang)))
		}
		out.Write(append(document[:len(document):len(document)], '\n'))
		if len(p.queue) == 0 {
			err = out.Flush() // who waits for an answer sees it
		}
		if err != nil {
			return fmt.Errorf("print the answers: %w", err)
		}
		bar.add(l.size)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("print the answers: %w", err)
	}
	if broken == nil && failed > 0 {
		broken = fmt.Errorf("%d of %d lines were not accepted; their answers say why", failed, lines)
	}
	return broken
}

// read reads the lines and sends each, in order.
func (p *player) read(in io.Reader) error {
	r := bufio.NewReaderSize(in, 64<<10)
	for {
		b, size, err := nextLine(r)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("%w: %w", errUnusable, err)
		}
		if size > 0 {
			select {
			case p.slots <- struct{}{}:
			case <-p.ctx.Done():
				return errors.New("interrupted; what was not answered was not sent")
			}
			l := &line{size: size, done: make(chan struct{})}
			if err := p.start(l, b); err != nil {
				return err
			}
		}
		if err != nil {
			return nil
		}
	}
}

// nextLine is the next line without its end, nil where it is too long, and how many
// bytes it took. With the last one comes io.EOF.
func nextLine(r *bufio.Reader) (line []byte, size int, err error) {
	line = []byte{}
	for {
		part, err := r.ReadSlice('\n')
		size += len(part)
		if line != nil {
			if line = append(line, part...); len(line) > longestLine {
				line = nil
			}
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if n := len(line); n > 0 && line[n-1] == '\n' {
			line = line[:n-1]
		}
		return line, size, err
	}
}

// A line is one line of the input on its way to its answer.
type line struct {
	size  int // in bytes
	plain commands.Plain
	who   *identity // nil: it is answered without being sent
	under bool      // guarded by player.gate: sent and not answered

	once sync.Once
	done chan struct{} // closed once got is there
	got  *answer
}

// answer answers the line; the first answer counts.
func (l *line) answer(a *answer) {
	l.once.Do(func() {
		l.got = a
		close(l.done)
	})
}

// parse reads a line; "as" is returned as it stands there.
func (l *line) parse(b []byte) (as string, _ *domain.Fault) {
	if b == nil {
		return "", invalid("", fmt.Sprintf("a line has at most %d bytes", longestLine))
	}
	var members map[string]jsontext.Value
	if err := json.Unmarshal(b, &members); err != nil || members == nil {
		return "", invalid("", "this line is no command: a JSON object of name, data and, if need be, id and as is wanted")
	}
	words := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		switch name {
		case "as", "id", "name":
			var w string
			if err := json.Unmarshal(members[name], &w); err != nil || members[name].Kind() != '"' {
				return "", invalid("/"+name, "a string is wanted")
			}
			words[name] = w
		case "data":
			l.plain.Data = members[name]
		default:
			return "", invalid("/"+name, "a line has no such member")
		}
	}
	l.plain.ID, l.plain.Name = domain.UUID(words["id"]), words["name"]
	if members["id"] == nil {
		id, err := uuid.NewV7()
		if err != nil {
			return "", unavailable(err.Error())
		}
		l.plain.ID = domain.UUID(id.String())
	}
	for _, name := range []string{"name", "data"} {
		if members[name] == nil {
			return "", invalid("/"+name, "this member is missing")
		}
	}
	return words["as"], nil
}

func invalid(at, message string) *domain.Fault {
	return &domain.Fault{Code: domain.Invalid, Field: at, Message: message}
}
