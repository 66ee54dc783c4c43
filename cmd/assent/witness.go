package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"

	"github.com/qtccc/assent/eventstore/notary"
)

// A witness cosigns checkpoints of logs that go on from what it cosigned before: a
// ledger that showed one history to an auditor and another one to somebody else would
// need its cosignature on both.

// witnesses are those that serve asks, and what is done without them.
type witnesses struct {
	at   []notary.WitnessAt
	need int  // so many cosignatures are wanted
	stop bool // the ledger ends where they don't come
}

// unwitnessed is how long they may be missing.
const unwitnessed = time.Minute

// parse reads the flags of serve.
func (w *witnesses) parse(flags []string) error {
	for _, f := range flags {
		url, key, ok := strings.Cut(f, ",")
		if !ok || !strings.HasPrefix(url, "http://") && !strings.HasPrefix(url, "https://") {
			return fmt.Errorf("--witness takes URL,KEY, such as https://witness.example/assent,witness.example+3bf1c8a1+BFn…, and not %q", f)
		}
		v, err := notary.NewCosignatureVerifier(key)
		if err != nil {
			return fmt.Errorf("--witness %s: %w", url, err)
		}
		w.at = append(w.at, notary.WitnessAt{URL: url, Key: v})
	}
	if w.need > len(w.at) {
		return fmt.Errorf("--witnesses %d: only %d are named with --witness", w.need, len(w.at))
	}
	if w.stop && w.need == 0 {
		return errors.New("--witnesses-or-stop: say with --witnesses how many cosignatures are wanted")
	}
	return nil
}

// missing says that fewer than are wanted have cosigned, for too long; empty: they
// have.
func (w *witnesses) missing(n *notary.Notary) string {
	since := n.Unwitnessed(w.need)
	if w.need == 0 || since.IsZero() || time.Since(since) < unwitnessed {
		return ""
	}
	return fmt.Sprintf("fewer than %d witnesses have cosigned a checkpoint since %s", w.need, since.UTC().Format(time.RFC3339))
}

func (w *witnesses) alarms(n *notary.Notary) (alarms []string) {
	if said := w.missing(n); said != "" {
		alarms = append(alarms, said)
	}
	if err := n.Disputed(); err != nil {
		alarms = append(alarms, "a witness holds another history of this ledger: "+err.Error())
	}
	return alarms
}

// watch ends the service where its witnesses are missing, if that was asked for.
func (w *witnesses) watch(ctx context.Context, s *service) {
	for w.stop && rest(ctx, time.Second) {
		if said := w.missing(s.notary); said != "" {
			s.end(errors.New(said + ", and without them nothing is to be served; look at them, and start again"))
			return
		}
	}
}

func witnessCommand(a *app) *cobra.Command {
	dir, listen, name, logs := "assent-witness", "127.0.0.1:4280", "", []string(nil)
	cmd := &cobra.Command{
		Use:   "witness",
		Short: "cosign the checkpoints of ledgers on other machines",
		Long: `Witness serves POST /add-checkpoint (C2SP tlog-witness): it cosigns a checkpoint of a log that it was
told of with --log where that goes on from the one that it cosigned before, and keeps it durably
first. Its key is made in the directory of --dir at the first start, and printed. Run it on another
machine, for another person than the ledger's operator; never put its directory back from a copy.

A ledger asks it where it is served with --witness URL,KEY.`,
		Example: "  assent witness --name witness.example/assent --log assent/0191e7a4-7c1b-7d6e-9f00-3a5b8c2d1e4f+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
		Args:    noWord,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.witness(cmd.Context(), dir, listen, name, logs)
		},
	}
	f := cmd.Flags()
	f.StringVar(&dir, "dir", dir, "the witness' own `directory`: its key, and what it cosigned last")
	f.StringVar(&listen, "listen", listen, "the `address` to answer on; port 0 picks a free one")
	f.StringVar(&name, "name", "", "the `name` of its key, a URL without its scheme; wanted at the first start")
	f.StringArrayVar(&logs, "log", nil, "the public `key` of a ledger's log; may be given several times, for one log too whose key is replaced")
	_ = cmd.MarkFlagDirname("dir")
	_ = cmd.RegisterFlagCompletionFunc("listen", cobra.NoFileCompletions)
	return cmd
}

func (a *app) witness(ctx context.Context, dir, listen, name string, logs []string) error {
	if len(logs) == 0 {
		return errors.New("say with --log whose checkpoints it cosigns: the public key of a ledger's log")
	}
	keys := map[string][]note.Verifier{}
	for i, key := range logs {
		v, err := note.NewVerifier(key)
		if err != nil {
			return fmt.Errorf("--log %q is no public key of a log (name+hash+base64): %w", key, err)
		}
		if slices.Contains(logs[:i], key) {
			return fmt.Errorf("--log names %s twice", key)
		}
		keys[v.Name()] = append(keys[v.Name()], v)
	}
	known := map[string]note.Verifiers{}
	for origin, all := range keys {
		known[origin] = note.VerifierList(all...)
	}
	signer, err := witnessKey(dir, name)
	if err != nil {
		return err
	}
	w, err := notary.OpenWitness(notary.WitnessConfig{Dir: filepath.Join(dir, "logs"), Signer: signer, Logs: known, Log: a.logger()})
	if err != nil {
		return err
	}
	defer func() { _ = w.Close() }() // the lock, which ends with the process
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("listen: %w; name another address with --listen", err)
	}
	server := &http.Server{Handler: w, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute}
	if _, err := fmt.Fprintf(a.out, "assent: witness %s on http://%s, key %s\n", signer.Verifier().Name(), l.Addr(), signer.Public()); err != nil {
		return errors.Join(err, l.Close())
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	closing, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err = server.Shutdown(closing)
	if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// witnessKey reads the witness' key, or makes it at the first start.
func witnessKey(dir, name string) (*notary.Cosigner, error) {
	path := filepath.Join(dir, "witness.key")
	b, err := os.ReadFile(path)
	switch {
	case err == nil:
		defer clear(b)
		signer, err := notary.NewCosigner(strings.TrimSpace(string(b)))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return signer, nil
	case !errors.Is(err, os.ErrNotExist):
		return nil, err
	case name == "":
		return nil, fmt.Errorf("there is no key in %s yet; say with --name what it is to be called, such as witness.example/assent", dir)
	}
	secret, _, err := notary.GenerateCosigner(name)
	if err != nil {
		return nil, err
	}
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	if err := replaceFile(path, []byte(secret+"\n"), 0o600); err != nil {
		return nil, fmt.Errorf("keep the witness' key: %w", err)
	}
	return notary.NewCosigner(secret)
}
