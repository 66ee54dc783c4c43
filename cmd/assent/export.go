package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore/cloudevent"
	"github.com/qtccc/assent/eventstore/notary"
)

// What stands in an export besides the tiles and bundles of the archive, which lie in
// it as they do there (C2SP tlog-tiles).
const (
	exportAbout    = "export.json"      // what it is of
	exportKeys     = "identities.jsonl" // each public key: whose it is or was, from which event on
	exportEvidence = "evidence.jsonl"   // each written instrument, by its digest
	exportEditions = "editions.jsonl"   // the editions of the statement, and
	exportEdition6 = "edition-6.tsv"    // the one that this program carries
)

// exportFormat is the version of what an export has.
const exportFormat = 1

// An aboutExport says what an export is of.
type aboutExport struct {
	Format int           `json:"format"`
	Ledger domain.UUID   `json:"ledger"`
	Events uint64        `json:"events"`
	Root   string        `json:"root"`
	Log    domain.LogKey `json:"log"` // for convenience: whoever checks has it from somebody else
	Made   time.Time     `json:"made"`
}

func exportCommand(a *app) *cobra.Command {
	archive, out := "", ""
	cmd := &cobra.Command{
		Use:   "export",
		Short: "write all events, with their proof, into one file for an auditor",
		Long: `Export writes what was recorded up to the last checkpoint into one file: every event, the tree over
them, the signed checkpoint, the public keys of the actors, an index of the evidence and the
editions of the statement. Personal text is sealed in it as it is in the ledger. "assent verify
FILE" checks it offline. The service may be running.`,
		Example: "  assent export --out acme-2026.assent",
		Args:    noWord,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := findHome(a.data, a.keysPath)
			if err != nil {
				return err
			}
			if h.state != made {
				return fmt.Errorf("there is no ledger in %s to export; name another with --data", h.data)
			}
			if out == "" {
				return errors.New("say with --out which file to write")
			}
			if archive == "" {
				archive = h.archiveDir()
			}
			return a.export(h, archive, out)
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "the `file` to write")
	cmd.Flags().StringVar(&archive, "archive", "", "the `directory` of the second copy (default DIR/archive)")
	_ = cmd.MarkFlagDirname("archive")
	return cmd
}

func (a *app) export(h *home, dir, out string) error {
	key, err := h.logKey()
	if err != nil {
		return err
	}
	known, err := h.knownLog()
	if err != nil {
		return err
	}
	log, signed, err := h.readArchive(dir, known)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(out+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	e := &exporting{tar: tar.NewWriter(f), at: time.Now().UTC().Truncate(time.Second)}
	about := aboutExport{exportFormat, h.card.Ledger, log.Size, log.Root.String(), domain.LogKey(key), e.at}
	err = e.write(log, signed, about)
	if err := errors.Join(err, e.tar.Close(), f.Sync(), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("write the export: %w", mendable(err)), os.Remove(out+".new"))
	}
	if err := renameFile(out+".new", out); err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	_, err = fmt.Fprintf(a.out, "wrote %s: %d events, root %v; check it with `assent verify %s --key %s`\n", filepath.Clean(out), log.Size, log.Root, out, key)
	return err
}

// An exporting is one export being written.
type exporting struct {
	tar                      *tar.Writer
	at                       time.Time
	keys, evidence, editions bytes.Buffer
}

func (e *exporting) put(name string, b []byte) error {
	if err := e.tar.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(b)), ModTime: e.at, Format: tar.FormatPAX}); err != nil {
		return err
	}
	_, err := e.tar.Write(b)
	return err
}

func (e *exporting) write(log *notary.Archive, signed []byte, about aboutExport) error {
	b, err := json.Marshal(about)
	if err != nil {
		return err
	}
	if err := errors.Join(e.put(exportAbout, append(b, '\n')), e.put(checkpointName, signed), e.put(exportEdition6, edition6)); err != nil {
		return err
	}
	if err := log.Files(func(name string, b []byte) error { return e.put(name, b) }); err != nil {
		return err
	}
	bar := showProgress("writing the export", int64(log.Bundles()))
	defer bar.done()
	for n := range log.Bundles() {
		_, messages, err := log.Bundle(n)
		if err != nil {
			return err
		}
		for _, m := range messages {
			if err := e.index(m); err != nil {
				return err
			}
		}
		bar.add(1)
	}
	return errors.Join(e.put(exportKeys, e.keys.Bytes()), e.put(exportEvidence, e.evidence.Bytes()), e.put(exportEditions, e.editions.Bytes()))
}

// index adds to the indices what the event is of: the command's data and where it was
// recorded.
func (e *exporting) index(message []byte) error {
	d, err := cloudevent.Parse(message)
	if err != nil {
		return fmt.Errorf("an event can't be read: %w", err)
	}
	var into *bytes.Buffer
	switch d.Type {
	case "ledger.opened", "ledger.rekeyed", "identity.added", "identity.rotated", "identity.revoked":
		into = &e.keys
	case "evidence.filed", "evidence.voided":
		into = &e.evidence
	case "policy.published":
		into = &e.editions
	default:
		return nil
	}
	b, err := json.Marshal(struct {
		Seq   uint64          `json:"seq"`
		Time  time.Time       `json:"time"`
		Type  string          `json:"type"`
		Actor domain.ID       `json:"actor"`
		Event json.RawMessage `json:"event"`
	}{d.Seq, d.Time, d.Type, d.Actor, d.Data})
	into.Write(append(b, '\n'))
	return err
}

// A tarFS is the regular files of an uncompressed tar file. What is in it is read
// when it is asked for.
type tarFS struct {
	f     *os.File
	files map[string]span
}

type span struct{ at, size int64 }

// mostInTar bounds one file in an export: a full bundle of the largest events.
const mostInTar = 1 << 30

func openTar(f *os.File) (*tarFS, error) {
	t := &tarFS{f, map[string]span{}}
	r := tar.NewReader(f)
	for {
		h, err := r.Next()
		if err == io.EOF {
			return t, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s is no export: %w", f.Name(), err)
		}
		at, err := f.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, err
		}
		if _, twice := t.files[h.Name]; twice || h.Typeflag != tar.TypeReg || !fs.ValidPath(h.Name) || h.Size > mostInTar {
			return nil, fmt.Errorf("%s is no export: it has %q twice, or as something that an export doesn't have", f.Name(), h.Name)
		}
		t.files[h.Name] = span{at, h.Size}
	}
}

// ReadFile is the whole file.
func (t *tarFS) ReadFile(name string) ([]byte, error) {
	at, ok := t.files[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	b := make([]byte, at.size)
	_, err := t.f.ReadAt(b, at.at)
	return b, err
}

// Open opens a file.
func (t *tarFS) Open(name string) (fs.File, error) {
	at, ok := t.files[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &tarFile{io.NewSectionReader(t.f, at.at, at.size), name, at.size}, nil
}

// A tarFile is one of the files, and says of itself what is known.
type tarFile struct {
	*io.SectionReader
	name string
	size int64
}

func (f *tarFile) Stat() (fs.FileInfo, error) { return f, nil }
func (f *tarFile) Close() error               { return nil }
func (f *tarFile) Name() string               { return path.Base(f.name) }
func (f *tarFile) Size() int64                { return f.size }
func (f *tarFile) Mode() fs.FileMode          { return 0o444 }
func (f *tarFile) ModTime() time.Time         { return time.Time{} }
func (f *tarFile) IsDir() bool                { return false }
func (f *tarFile) Sys() any                   { return nil }
