package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/qtccc/assent/commands"
	"github.com/qtccc/assent/domain"
)

// A sender sends a command that was made of flags.
type sender func(context.Context, *commands.Plain, map[string]any) error

// prepared are the commands that do more than send what the flags say.
var prepared = map[string]func(*app, *cobra.Command) sender{
	"identity.add":    addIdentity,
	"identity.rotate": rotateIdentity,
	"ledger.rekey":    rekeyLog,
}

// addIdentity makes the actor's key file where no public key is given. The file is
// there before the identity is recorded, so that no recorded one lacks it.
func addIdentity(a *app, cmd *cobra.Command) sender {
	cmd.Long += `

Without --publicKey a key is made, and its file lies in the keys directory, named after the
actor. A key file of that name that is there already is used.`
	return func(ctx context.Context, plain *commands.Plain, data map[string]any) error {
		if data["publicKey"] != nil {
			return a.issue(ctx, plain, data)
		}
		h, name, err := a.keyHolder(data)
		if err != nil {
			return err
		}
		path := h.identity(name)
		made, err := a.fillKey(path, data)
		if err != nil {
			return err
		}
		ans, err := a.submit(ctx, plain, data)
		if made && (err != nil || ans.Error != nil && !ans.open()) {
			_ = os.Remove(path) // nothing was recorded of it
		}
		if err != nil {
			return err
		}
		if ans.OK && data["role"] == string(domain.Subscriber) {
			if err := writeContext(h, name, ""); err != nil {
				return err
			}
		}
		return a.reportKey(plain, ans, path)
	}
}

// reportKey prints what the command got, and where its key lies.
func (a *app) reportKey(plain *commands.Plain, ans *answer, path string) error {
	err := a.report(plain, ans)
	if err == nil && !a.json {
		_, err = fmt.Fprintf(a.out, "its key is in %s\n", shown(path))
	}
	return err
}

// rotateIdentity makes the actor's next key where no public key is given.
func rotateIdentity(a *app, cmd *cobra.Command) sender {
	cmd.Long += `

Without --publicKey a key is made, and takes the place of the old one's file once it is
recorded.`
	return func(ctx context.Context, plain *commands.Plain, data map[string]any) error {
		if data["publicKey"] != nil {
			return a.issue(ctx, plain, data)
		}
		h, name, err := a.keyHolder(data)
		if err != nil {
			return err
		}
		path := h.identity(name)
		made, err := a.fillKey(path+".next", data)
		if err != nil {
			return err
		}
		ans, err := a.submit(ctx, plain, data)
		if err != nil {
			return err
		}
		// A next key that was there before and that the ledger knows was recorded
		// by a rotation that was cut short.
		known := !made && ans.Error != nil && ans.Error.Code == domain.Exists && ans.Error.Field == "/data/publicKey"
		switch {
		case ans.OK || known:
			err = renameFile(path+".next", path)
		case !ans.open():
			err = os.Remove(path + ".next")
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // there no more: dial put it in place
			return fmt.Errorf("put the new key of %s in its place: %w", name, err)
		}
		if known {
			a.complain(fmt.Errorf("the new key of %s was recorded before, and is in place now", name))
			return nil
		}
		return a.reportKey(plain, ans, path)
	}
}

// keyHolder is the actor whose key file is to be made, and where.
func (a *app) keyHolder(data map[string]any) (*home, string, error) {
	name, _ := data["actor"].(string)
	var actor domain.ID
	if err := actor.UnmarshalText([]byte(name)); err != nil {
		return nil, "", &domain.Fault{Code: domain.Invalid, Field: "/data/actor", Message: err.Error()}
	}
	h, err := findHome(a.data, a.keysPath)
	if err != nil {
		return nil, "", err
	}
	return h, name, makeDir(filepath.Join(h.keys, "identities"))
}

// fillKey puts the public key of the key file into the data, making the file where
// it isn't there.
func (a *app) fillKey(path string, data map[string]any) (made bool, err error) {
	key, err := readSeed(path)
	if errors.Is(err, fs.ErrNotExist) {
		made = true
		key, err = writeSeed(path)
	}
	if err != nil {
		return false, fmt.Errorf("make the key: %w", err)
	}
	data["publicKey"], err = key.PublicKey()
	return made, err
}

// natsContext is a context of the nats CLI. With it, and with any stock client that
// is told the same, a subscriber reads its durable.
type natsContext struct {
	Description        string `json:"description"`
	URL                string `json:"url"`
	NKey               string `json:"nkey"`
	InboxPrefix        string `json:"inbox_prefix"`
	JetStreamAPIPrefix string `json:"jetstream_api_prefix"`
}

// writeContext writes the context of a subscriber, with the URL where the service
// answers; left out, where it does by the data directory, or would.
func writeContext(h *home, name, url string) error {
	if url == "" {
		address := h.address()
		if address == "" {
			address = defaultListen
		}
		url = "nats://" + address
	}
	b, err := json.MarshalIndent(natsContext{
		Description: "events of the ledger " + string(h.card.Ledger) + ": stream LEDGER, durable " + name,
		URL:         url, NKey: h.identity(name), InboxPrefix: "_INBOX." + name, JetStreamAPIPrefix: "LED.API",
	}, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(h.keys, "identities", name+".json")
	if old, err := os.ReadFile(path); err == nil && string(old) == string(b)+"\n" {
		return nil
	}
	if err := replaceFile(path, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("write the subscriber's context: %w", err)
	}
	return nil
}
