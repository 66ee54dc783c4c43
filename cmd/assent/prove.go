package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"

	"github.com/qtccc/assent/eventstore/notary"
)

// checkpointName is the last checkpoint's, in the notary's directory and in an archive.
const checkpointName = "checkpoint"

// readArchive opens the archive at the last checkpoint that the ledger kept, which
// one of its own keys signed. The service may be running.
func (h *home) readArchive(dir string, known note.Verifiers) (*notary.Archive, []byte, error) {
	path := filepath.Join(h.notaryDir(), checkpointName)
	signed, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("there is no checkpoint in %s yet; serve the ledger once", h.notaryDir())
	} else if err != nil {
		return nil, nil, err
	}
	c, err := notary.OpenCheckpoint(signed, originOf(h), known)
	if err != nil {
		return nil, nil, mendable(&notary.Damage{Where: path, Why: err.Error()})
	}
	archive, err := notary.OpenArchive(os.DirFS(dir), dir, c)
	return archive, signed, mendable(err)
}

func proveCommand(a *app) *cobra.Command {
	archive, out := "", ""
	cmd := &cobra.Command{
		Use:   "prove SEQUENCE",
		Short: "prove that an event was recorded, to whoever has the log's key alone",
		Long: `Prove writes a proof that the event of a sequence is in the ledger's log: the event, its place in
the tree, and the last checkpoint, in one file (C2SP tlog-proof). "assent verify FILE" checks it
without the ledger, by the public key of the ledger's log. The service may be running.`,
		Example: "  assent prove 120 --out event-120.tlog-proof",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			seq, err := strconv.ParseUint(args[0], 10, 53)
			if err != nil || seq == 0 {
				return fmt.Errorf("prove takes the sequence of an event, a number from 1 on, and not %q", args[0])
			}
			h, err := findHome(a.data, a.keysPath)
			if err != nil {
				return err
			}
			if h.state != made {
				return fmt.Errorf("there is no ledger in %s; name another with --data", h.data)
			}
			key, err := h.logKey()
			if err != nil {
				return err
			}
			known, err := h.knownLog()
			if err != nil {
				return err
			}
			if archive == "" {
				archive = h.archiveDir()
			}
			log, signed, err := h.readArchive(archive, known)
			if err != nil {
				return err
			}
			p, err := log.Prove(seq, signed)
			if err != nil {
				return mendable(err)
			}
			if out == "" {
				_, err = a.out.Write(p.Marshal())
				return err
			}
			if err := replaceFile(out, p.Marshal(), 0o644); err != nil {
				return fmt.Errorf("write the proof: %w", err)
			}
			_, err = fmt.Fprintf(a.out, "wrote %s; check it with `assent verify %s --key %s`\n", out, out, key)
			return err
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "write to this `file` (default stdout)")
	cmd.Flags().StringVar(&archive, "archive", "", "the `directory` of the second copy (default DIR/archive)")
	_ = cmd.MarkFlagDirname("archive")
	return cmd
}
