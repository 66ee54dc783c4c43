package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/qtccc/assent/projections"
)

func rebuildCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "rebuild",
		Short: "make all read models anew from the recorded events",
		Long: `Rebuild makes all read models anew from the recorded events, beside those that are there, and
swaps them in once they are whole. The ledger must not be served meanwhile.`,
		Example: "  assent rebuild --data /srv/assent",
		Args:    noWord,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := findHome(a.data, a.keysPath)
			if err != nil {
				return err
			}
			if h.state != made {
				return fmt.Errorf("there is no ledger in %s to rebuild; name another with --data", h.data)
			}
			s := &service{home: h, log: a.logger()}
			defer s.stop()
			return s.rebuild(cmd.Context(), a)
		},
	}
}

func (s *service) rebuild(ctx context.Context, a *app) error {
	if err := s.home.take(); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{s.openEvents, s.openNotary, s.openStore} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	bar := showProgress("rebuilding", -1)
	err := projections.Rebuild(ctx, s.events, s.store, func(done, total uint64) { bar.set(int64(done), int64(total)) })
	bar.done()
	if err != nil {
		return fmt.Errorf("rebuild the read models: %w; those that were there stay", err)
	}
	last, _ := s.store.Position()
	_, err = fmt.Fprintf(a.out, "rebuilt the read models from %d events\n", last)
	return err
}
