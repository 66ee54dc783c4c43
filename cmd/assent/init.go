package main

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/qtccc/assent/commands"
	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore/vault"
)

// edition6 is the Confidentiality Statement, edition 6: a clause a line, id TAB text.
//
//go:embed edition-6.tsv
var edition6 []byte

// firstPolicy puts edition 6 in force.
func firstPolicy() map[string]any {
	sum := sha256.Sum256(edition6)
	return map[string]any{"edition": 6, "effective": "2023-04-14T00:00:00+08:00", "sha256": hex.EncodeToString(sum[:]),
		"reviewEvery": "P6M", "noticeWithin": "P30D"}
}

// firstRoles are the roles of the identities that init makes, each named after its
// role. The admin is the first: it makes the others known.
var firstRoles = []domain.Role{domain.Admin, domain.Clerk, domain.Officer, domain.Manager, domain.Auditor, domain.Gateway, domain.Subscriber}

func (p *plan) roles() []domain.Role {
	if p.AdminOnly {
		return firstRoles[:1]
	}
	return firstRoles
}

func initCommand(a *app) *cobra.Command {
	p := plan{Name: "assent"}
	cmd := &cobra.Command{
		Use:   "init",
		Short: "make a ledger, and one identity for each role",
		Long: `Init makes a ledger in the data directory, and beside it the directory of its keys, with one
identity for each role, named after it: admin, clerk, officer, manager, auditor, gateway,
subscriber. The subscriber's context for the nats CLI lies beside its key.

An init that was killed is finished by the next one, or by serve.`,
		Example: `  assent init --data /srv/assent --keys /etc/assent/keys
  assent init --admin-only --name lisbon`,
		Args: noWord,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := findHome(a.data, a.keysPath)
			if err != nil {
				return err
			}
			if h.state == made {
				return a.initialised(h, "there is a ledger already")
			}
			s := &service{home: h, log: a.logger()}
			defer s.stop()
			if err := s.start(cmd.Context(), p); err != nil {
				return err
			}
			return a.initialised(h, "made the ledger")
		},
	}
	cmd.Flags().StringVar((*string)(&p.Name), "name", string(p.Name), "the ledger's `name`, an id")
	cmd.Flags().BoolVar(&p.AdminOnly, "admin-only", false, "make no identity but the admin")
	return cmd
}

func (a *app) initialised(h *home, what string) error {
	if a.json {
		return json.NewEncoder(a.out).Encode(h.card)
	}
	_, err := fmt.Fprintf(a.out, "%s %s in %s, its keys in %s\n", what, h.card.Ledger, h.data, h.keys)
	return err
}

// founding is the making of what a ledger needs on disk before its stream, steps 2
// to 6 of doc.go. The home is locked.
func (h *home) founding(p plan) []func() error {
	if h.state == made {
		return nil
	}
	steps := []func() error{
		func() error { return h.begin(p) },
		func() error { return h.makeLogKey("") },
		func() error { return makeDir(filepath.Join(h.keys, "identities")) },
	}
	if h.state == begun {
		p = *h.card.Plan
	}
	for _, r := range p.roles() {
		steps = append(steps, func() error { return h.makeIdentity(r) })
	}
	return append(steps, func() error { return vault.Create(h.keys, string(h.card.Ledger)) })
}

// mayBegin refuses what can't become a ledger, touching nothing.
func (h *home) mayBegin(p plan) error {
	if h.state != absent {
		return nil
	}
	if err := new(domain.ID).UnmarshalText([]byte(p.Name)); err != nil {
		return fmt.Errorf("a ledger's name is an id: %w; give another --name", err)
	}
	entries, err := os.ReadDir(h.keys)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look at the keys directory: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s isn't empty: it may hold the keys of another ledger; name another directory with --keys, or move it away", h.keys)
	}
	return nil
}

// begin makes the keys directory and says which ledger this will be.
func (h *home) begin(p plan) error {
	if h.state != absent {
		return nil
	}
	err := makeDir(h.keys)
	if err == nil {
		err = os.Chmod(h.keys, 0o700)
	}
	if err != nil {
		return fmt.Errorf("make the keys directory: %w", err)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	h.card = card{Ledger: domain.UUID(id.String()), Format: format, Plan: &p}
	b, err := json.Marshal(h.card)
	if err != nil {
		return err
	}
	if err := replaceFile(h.path("begun.json"), append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("begin the ledger: %w", err)
	}
	h.state = begun
	return nil
}

// finish says that the ledger is made: step 11 of doc.go. What begun.json says of
// the plan stays in assent.json as how the ledger was made.
func (h *home) finish() error {
	if h.state != begun {
		return nil
	}
	if err := renameFile(h.path("begun.json"), h.path("assent.json")); err != nil {
		return fmt.Errorf("finish the ledger: %w", err)
	}
	h.state = made
	return nil
}

func (h *home) makeIdentity(r domain.Role) error {
	path := h.identity(string(r))
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_, err := writeSeed(path)
	return err
}

// opening is the recording of what opens a ledger, and its end: steps 8 to 11 of
// doc.go. All floors are open, the port isn't.
func (s *service) opening() []func(context.Context) error {
	h := s.home
	if h.state != begun {
		return nil
	}
	var steps []func(context.Context) error
	for _, r := range h.card.Plan.roles() {
		steps = append(steps, func(ctx context.Context) error { return s.introduce(ctx, r) })
	}
	return append(steps,
		func(context.Context) error {
			if h.card.Plan.AdminOnly {
				return nil
			}
			return writeContext(h, string(domain.Subscriber), "")
		},
		func(context.Context) error { return h.finish() })
}

// introduce records the first identity of a role, the admin's with the ledger's
// opening.
func (s *service) introduce(ctx context.Context, r domain.Role) error {
	h, name := s.home, string(r)
	if s.gate.knows(domain.ID(name)) {
		return nil
	}
	admin, err := openIdentity(h.keys, string(domain.Admin))
	if err != nil {
		return err
	}
	who, err := openIdentity(h.keys, name)
	if err != nil {
		return err
	}
	key, err := who.public()
	if err != nil {
		return err
	}
	p, data := &commands.Plain{Name: "identity.add"}, map[string]any{"actor": name, "role": name, "publicKey": key}
	if r == domain.Admin {
		log, err := h.logKey()
		if err != nil {
			return err
		}
		p.Name = "ledger.open"
		data = map[string]any{"ledger": h.card.Ledger, "name": h.card.Plan.Name, "format": domain.Format, "log": log,
			"admin": map[string]any{"actor": name, "publicKey": key}, "policy": firstPolicy()}
	}
	if p.Data, err = json.Marshal(data); err != nil {
		return err
	}
	if err := s.record(ctx, admin, p); err != nil {
		return fmt.Errorf("open the ledger: %s for %s: %w", p.Name, name, err)
	}
	return nil
}

// record has one command decided and recorded, without a door.
func (s *service) record(ctx context.Context, by *identity, p *commands.Plain) error {
	key, err := by.public()
	if err != nil {
		return err
	}
	body, err := commands.Sender{Ledger: s.home.card.Ledger, Actor: by.actor, Key: by.key}.Compose(p, time.Now())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ans, err := s.commands.Do(ctx, by.actor, key, body)
	if err == nil && ans.Error != nil {
		err = ans.Error
	}
	return err
}
