package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/qtccc/assent/commands"
	"github.com/qtccc/assent/domain"
)

// issue sends one command, made of flags, and says what became of it.
func (a *app) issue(ctx context.Context, plain *commands.Plain, data map[string]any) error {
	ans, err := a.submit(ctx, plain, data)
	if err != nil {
		return err
	}
	return a.report(plain, ans)
}

// submit sends one command as the identity that acts.
func (a *app) submit(ctx context.Context, plain *commands.Plain, data map[string]any) (*answer, error) {
	var err error
	if plain.Data, err = json.Marshal(data); err != nil {
		return nil, err
	}
	c, err := a.come(ctx)
	if err != nil {
		return nil, err
	}
	defer c.close()
	return c.command(ctx, plain), nil
}

// report prints what one command got. A denied access is an answer like any other;
// all that isn't accepted is an error.
func (a *app) report(plain *commands.Plain, ans *answer) error {
	if a.json {
		if _, err := fmt.Fprintf(a.out, "%s\n", ans.document()); err != nil {
			return err
		}
	}
	switch {
	case ans.open():
		return fmt.Errorf("%w; send it with --id %s", ans.Error, plain.ID)
	case ans.Error != nil:
		return ans.Error
	case a.json:
		return nil
	}
	return ans.tell(&printer{out: a.out, lang: a.lang})
}

// command sends one command and waits for its answer.
func (c *client) command(ctx context.Context, plain *commands.Plain) *answer {
	body, err := c.compose(plain)
	if err != nil {
		return faulty(plain.ID, whyNot(err))
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	b, err := c.request(ctx, c.door(), body)
	if err != nil {
		return faulty(plain.ID, whyNot(err))
	}
	return readAnswer(plain.ID, b)
}

func (c *client) door() string { return "assent.cmd." + string(c.who.actor) }

// compose makes the request of a command, signed now.
func (c *client) compose(plain *commands.Plain) ([]byte, error) {
	return commands.Sender{Ledger: c.ledger, Actor: c.who.actor, Key: c.who.key}.Compose(plain, time.Now())
}

// whyNot is the answer where there is none of the ledger's. What isn't a fault by
// itself leaves the outcome unknown.
func whyNot(err error) *domain.Fault {
	var f *domain.Fault
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, context.DeadlineExceeded):
		return unavailable(fmt.Sprintf("no answer came within %v", patience))
	case errors.Is(err, context.Canceled):
		return unavailable("interrupted before the answer came")
	case errors.Is(err, nats.ErrNoResponders):
		return unavailable("the ledger takes no commands at present")
	}
	return unavailable(err.Error())
}
