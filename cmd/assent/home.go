package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/qtccc/assent/domain"
)

// format is the version of the data directory's layout that this program writes.
const format = 1

// A home is where a ledger lives: its data directory, and beside it the directory
// of its keys. Below the data directory lies no secret, so that a backup of it
// revives nothing that was erased (II.5).
//
//	DIR/assent.json    which ledger this is, and the version of the layout
//	DIR/begun.json     the same while it is being made (doc.go)
//	DIR/lock           held while a process has the ledger open
//	DIR/address        host:port of the running service, for the commands beside it
//	DIR/nats/          the stream
//	DIR/models/        the read models; they can be made again
//	KEYS/ring/         the key ring
//	KEYS/log.key       the key by which the ledger's log is signed
//	KEYS/identities/   NAME.nk, the secret key of an identity
type home struct {
	data, keys string

	// card is what assent.json or begun.json says; zero where there is no ledger.
	card  card
	state state
	lock  *os.File // nil until take
}

// A card is the content of assent.json.
type card struct {
	Ledger domain.UUID `json:"ledger"`
	Format int         `json:"format"`
	// Plan is what is to be made; only begun.json has it.
	Plan *plan `json:"plan,omitempty"`
}

// A plan is what init was asked for when it began. An init that finishes it makes
// what was begun, whatever it is asked for itself.
type plan struct {
	Name      domain.ID `json:"name"`
	AdminOnly bool      `json:"adminOnly"`
}

// A state says how far a data directory has come.
type state int

const (
	absent state = iota // there is nothing, or an empty directory
	begun               // an init didn't finish
	made
)

// findHome looks at a data directory and the directory of its keys, touching
// nothing. It refuses what is not ours, what a newer version made, keys below the
// data, and a ledger without its keys.
func findHome(data, keys string) (*home, error) {
	h := &home{data: data, keys: keys}
	if h.keys == "" {
		h.keys = filepath.Clean(data) + "-keys"
	}
	for _, path := range []*string{&h.data, &h.keys} {
		abs, err := filepath.Abs(*path)
		if err != nil {
			return nil, err
		}
		*path = abs
	}
	if err := h.look(); err != nil {
		return nil, err
	}
	return h, nil
}

func (h *home) path(name string) string { return filepath.Join(h.data, name) }

func (h *home) identity(name string) string {
	return filepath.Join(h.keys, "identities", name+".nk")
}

func (h *home) look() error {
	for _, name := range []string{"", "ring", "identities", "log.key"} {
		below, err := isBelow(filepath.Join(h.keys, name), h.data)
		if err != nil {
			return err
		}
		if below {
			return fmt.Errorf("the keys in %s lie below the data directory %s, where a backup would take them along (II.5); "+
				"name a directory outside it with --keys", filepath.Join(h.keys, name), h.data)
		}
	}
	h.state, h.card = absent, card{}
	entries, err := os.ReadDir(h.data)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, unix.ENOTDIR):
		return fmt.Errorf("%s is no directory; name the ledger's with --data", h.data)
	case err != nil:
		return fmt.Errorf("look at the data directory: %w", err)
	}
	foreign := ""
	for _, e := range entries {
		switch e.Name() {
		case "assent.json":
			h.state = made
		case "begun.json":
			h.state = max(h.state, begun)
		case "begun.json.new", "lock": // an init that came no further
		default:
			foreign = e.Name()
		}
	}
	if h.state == absent {
		if foreign != "" {
			return fmt.Errorf("%s is no data directory of assent: it has %q in it, but no assent.json; "+
				"name an empty or a new directory with --data", h.data, foreign)
		}
		return nil
	}
	if err := h.readCard(); err != nil {
		return err
	}
	if info, err := os.Stat(h.keys); err != nil || !info.IsDir() {
		return fmt.Errorf("the ledger in %s lacks its keys: there is no directory %s; put it back, or say with --keys where it is",
			h.data, h.keys)
	}
	return nil
}

func (h *home) readCard() error {
	name := map[state]string{begun: "begun.json", made: "assent.json"}[h.state]
	b, err := os.ReadFile(h.path(name))
	if err != nil {
		return fmt.Errorf("look at the data directory: %w", err)
	}
	var c card
	err = json.Unmarshal(b, &c)
	switch {
	case err == nil && c.Format > format:
		return fmt.Errorf("the ledger in %s is from a newer version of assent: its format is %d, this program knows %d; "+
			"use the newer assent", h.data, c.Format, format)
	case err != nil || c.Format != format || c.Ledger == "" || h.state == begun && (c.Plan == nil || c.Plan.Name == ""):
		return fmt.Errorf("%s is no data directory of assent: %s doesn't say which ledger this is", h.data, name)
	}
	h.card = c
	return nil
}

// take locks the data directory for this process, making it where it isn't there,
// and looks again at what it found. The lock ends with the process, however that
// ends.
func (h *home) take() error {
	if h.state == absent {
		if err := makeDir(h.data); err != nil {
			return fmt.Errorf("make the data directory: %w", err)
		}
	}
	f, err := os.OpenFile(h.path("lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("lock the data directory: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return h.inUse()
		}
		return fmt.Errorf("lock the data directory: %w", err)
	}
	if err := h.look(); err != nil {
		_ = f.Close()
		return err
	}
	h.lock = f
	return nil
}

// errInUse is matched where a command can go through the running service instead.
var errInUse = errors.New("is in use by another process")

func (h *home) inUse() error {
	if a := h.address(); a != "" {
		return fmt.Errorf("the ledger in %s %w, which serves it on %s; stop that one first", h.data, errInUse, a)
	}
	return fmt.Errorf("the ledger in %s %w; stop that one first", h.data, errInUse)
}

// release gives the lock back.
func (h *home) release() {
	if h.lock != nil {
		_ = h.lock.Close()
		h.lock = nil
	}
}

// address is where the running service answers, host:port; empty where none runs,
// as far as the data directory knows.
func (h *home) address() string {
	b, err := os.ReadFile(h.path("address"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// isBelow says whether path is dir or lies below it, links resolved. Neither has
// to be there.
func isBelow(path, dir string) (bool, error) {
	path, err := resolve(path)
	if err != nil {
		return false, err
	}
	if dir, err = resolve(dir); err != nil {
		return false, err
	}
	there, _ := os.Stat(dir)
	for {
		if path == dir {
			return true, nil
		}
		// A directory has more names than one where it is mounted twice, or
		// where a file system doesn't tell A from a.
		if info, err := os.Stat(path); err == nil && there != nil && os.SameFile(info, there) {
			return true, nil
		}
		above := filepath.Dir(path)
		if above == path {
			return false, nil
		}
		path = above
	}
}

// resolve resolves the links in as much of an absolute path as is there.
func resolve(path string) (string, error) {
	rest := ""
	for {
		real, err := filepath.EvalSymlinks(path)
		switch {
		case err == nil:
			return filepath.Join(real, rest), nil
		case !errors.Is(err, fs.ErrNotExist):
			return "", fmt.Errorf("look at %s: %w", path, err)
		}
		// A link that leads nowhere yet leads where it will be made.
		if to, err := os.Readlink(path); err == nil {
			if !filepath.IsAbs(to) {
				to = filepath.Join(filepath.Dir(path), to)
			}
			path = to
			continue
		}
		above := filepath.Dir(path)
		if above == path {
			return filepath.Join(path, rest), nil
		}
		path, rest = above, filepath.Join(filepath.Base(path), rest)
	}
}
