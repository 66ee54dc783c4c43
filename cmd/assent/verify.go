package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/qtccc/assent/eventstore/cloudevent"
	"github.com/qtccc/assent/eventstore/notary"
	"github.com/qtccc/assent/projections"
)

func verifyCommand(a *app) *cobra.Command {
	v := &verification{app: a}
	cmd := &cobra.Command{
		Use:   "verify [FILE]",
		Short: "check a proof, an export, or the whole ledger, believing nothing",
		Long: `Verify checks the proof of one event that "assent prove" wrote (FILE.tlog-proof), or what "assent
export" wrote, with nothing but the file and the public key of the ledger's log; without a file it
checks the archive of the ledger in the data directory. Of an export or an archive it checks every
event against the tree, the tree against the signed checkpoint, every command's signature, and
derives every decision anew.

With --checkpoint it checks besides that the log goes on from an earlier checkpoint, which
somebody kept: that nothing was altered, left out or rolled back since.

It exits 0 where all is as it was recorded, 1 where it isn't, saying at which event.`,
		Example: `  assent verify event-120.tlog-proof --key assent/0191e7a4-7c1b-7d6e-9f00-3a5b8c2d1e4f+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW
  assent verify acme-2026.assent --checkpoint checkpoint-2025`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return v.ledger(cmd.Context())
			}
			return v.file(cmd.Context(), args[0])
		},
	}
	f := cmd.Flags()
	f.StringVar(&v.key, "key", "", "the public `key` of the ledger's log, name+hash+base64, from whom you trust")
	f.StringVar(&v.earlier, "checkpoint", "", "an earlier checkpoint of the log, in this `file`")
	f.StringVar(&v.archive, "archive", "", "the `directory` of the second copy (default DIR/archive)")
	_ = cmd.MarkFlagFilename("checkpoint")
	_ = cmd.MarkFlagDirname("archive")
	return cmd
}

// A verification is one run of the command.
type verification struct {
	*app
	key, earlier, archive string
}

func (v *verification) say(format string, args ...any) error {
	_, err := fmt.Fprintf(v.out, format+"\n", args...)
	return err
}

// file checks a proof or an export, whichever it is.
func (v *verification) file(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no file %s", path)
	} else if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it is read only
	b, err := io.ReadAll(io.LimitReader(f, mostProof))
	if err != nil {
		return err
	}
	if bytes.HasPrefix(b, []byte("c2sp.org/tlog-proof@")) {
		return v.proof(path, b)
	}
	return v.export(ctx, f)
}

// mostProof is more than any proof has: an event, 63 hashes and a checkpoint.
const mostProof = 1 << 20

// proof checks the proof of one event.
func (v *verification) proof(path string, b []byte) error {
	p, err := notary.ParseProof(b)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if v.key == "" {
		return errors.New("a proof is believed by the public key of the ledger's log; name it with --key")
	}
	known, err := knownKeys(v.key)
	if err != nil {
		return err
	}
	d, err := cloudevent.Parse(p.Extra)
	if err != nil {
		return fmt.Errorf("%s holds no event: %w", path, err)
	}
	c, err := p.Verify(p.Extra, "assent/"+string(d.Ledger), known)
	if err == nil && d.Seq != p.Index+1 {
		err = fmt.Errorf("%w: the event says that it is %d, and stands at %d", notary.ErrProof, d.Seq, p.Index+1)
	}
	if err != nil {
		return fmt.Errorf("%s proves nothing: %w", path, err)
	}
	if v.json {
		_, err = v.out.Write(append(p.Extra, '\n'))
		return err
	}
	return v.say("event %d is in the log %s, as it was recorded: %s by %s at %s, command %s\nby the checkpoint of %d events, root %v",
		d.Seq, c.Origin, d.Type, d.Actor, d.Time.Format("2006-01-02T15:04:05.999999999Z07:00"), d.Command, c.Size, c.Root)
}

// ledger checks the archive of the ledger in the data directory.
func (v *verification) ledger(ctx context.Context) error {
	h, err := findHome(v.data, v.keysPath)
	if err != nil {
		return err
	}
	if h.state != made {
		return fmt.Errorf("there is no ledger in %s; name another with --data, or a file to check", h.data)
	}
	if v.archive == "" {
		v.archive = h.archiveDir()
	}
	signed, err := os.ReadFile(filepath.Join(h.notaryDir(), checkpointName))
	if err != nil {
		return fmt.Errorf("read the last checkpoint: %w", err)
	}
	return v.examine(ctx, os.DirFS(v.archive), v.archive, signed)
}

// export checks what export wrote.
func (v *verification) export(ctx context.Context, f *os.File) error {
	path := f.Name()
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	files, err := openTar(f)
	if err != nil {
		return err
	}
	signed, err := files.ReadFile(checkpointName)
	if err != nil {
		return fmt.Errorf("%s is no export: it has no checkpoint", path)
	}
	return v.examine(ctx, files, path, signed)
}

// examine checks everything: events, tree, signatures, decisions; and then who signed
// the checkpoint, since the events say whose key that may be.
func (v *verification) examine(ctx context.Context, files fs.FS, where string, signed []byte) error {
	c, err := notary.Unsigned(signed)
	if err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	if c.Size == 0 {
		return fmt.Errorf("%s: its checkpoint has no event yet; ask again in a second", where)
	}
	log, err := notary.OpenArchive(files, where, c)
	if err != nil {
		return err
	}
	defer withRoom(ctx, roomy)()
	bar := showProgress("verifying", int64(c.Size))
	x, err := projections.Examine(ctx, log, func(done uint64) { bar.set(int64(done), int64(c.Size)) })
	bar.done()
	if err != nil {
		return err
	}
	if want := "assent/" + string(x.Ledger); c.Origin != want {
		return fmt.Errorf("%s: its checkpoint is of the log %s, and its events are of %s", where, c.Origin, want)
	}
	key, err := v.signedBy(signed, c, x)
	if err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	if err := v.goesOn(log, x, key); err != nil {
		return err
	}
	if v.json {
		return json.NewEncoder(v.out).Encode(map[string]any{"ledger": x.Ledger, "events": x.Events, "decisions": x.Decisions, "refusals": x.Refusals,
			"signatures": x.Signatures, "root": c.Root.String(), "log": key})
	}
	own := ""
	if v.key == "" {
		own = "\nThe log's key is this file's own word: compare it with the one that you have from somebody else, or name that with --key."
	}
	return v.say("verified: %d events of %s are what was recorded, in their order, the last at sequence %d\n"+
		"  %d decisions and %d refusals derived anew, each the same; %d signatures by the keys in force\n"+
		"  the checkpoint of root %v is signed by %s%s", x.Events, c.Origin, x.Events, x.Decisions, x.Refusals, x.Signatures, c.Root, key, own)
}

// signedBy is the log's key that signed the checkpoint: the one that is trusted, or the
// one that is in force after its last event.
func (v *verification) signedBy(signed []byte, c notary.Checkpoint, x *projections.Examined) (string, error) {
	key := string(x.Log)
	if v.key != "" {
		key = v.key
	}
	known, err := knownKeys(key)
	if err == nil {
		_, err = notary.OpenCheckpoint(signed, c.Origin, known)
	}
	switch {
	case err == nil:
		return key, nil
	case v.key != "":
		return "", fmt.Errorf("the key %s did not sign the checkpoint: %w", v.key, err)
	}
	return "", fmt.Errorf("the key of the log that is in force, %s, did not sign the checkpoint: %w", key, err)
}

// goesOn checks the log against an earlier checkpoint, where one is named: signed by
// the key that signed this one, or by one that it replaced.
func (v *verification) goesOn(log *notary.Archive, x *projections.Examined, key string) error {
	if v.earlier == "" {
		return nil
	}
	b, err := os.ReadFile(v.earlier)
	if err != nil {
		return fmt.Errorf("read the earlier checkpoint: %w", err)
	}
	keys := []string{key, string(x.Log)}
	for _, before := range x.LogsBefore {
		keys = append(keys, string(before))
	}
	slices.Sort(keys)
	known, err := knownKeys(slices.Compact(keys)...)
	if err != nil {
		return err
	}
	c, err := notary.OpenCheckpoint(b, log.Origin, known)
	if err != nil {
		return fmt.Errorf("%s: %w", v.earlier, err)
	}
	if err := log.Consistent(c); err != nil {
		return err
	}
	return v.say("the log goes on from the checkpoint of %d events in %s: nothing of it was altered", c.Size, v.earlier)
}
