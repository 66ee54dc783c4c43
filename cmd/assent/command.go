package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/qtccc/assent/commands"
	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore/cloudevent"
)

// addCommands adds a subcommand for each row of the catalogue, its words as in the
// row's name. A word that is a question too asks it where nothing follows.
func addCommands(root *cobra.Command, a *app) {
	for i := range domain.Catalogue {
		row := &domain.Catalogue[i]
		if len(row.Roles) == 0 {
			continue // ledger.open is init's
		}
		word, verb, _ := strings.Cut(row.Command, ".")
		noun := nounCommand(root, word)
		noun.AddCommand(rowCommand(a, row, verb))
	}
}

// nounCommand is the command of a noun, made where it isn't there.
func nounCommand(root *cobra.Command, word string) *cobra.Command {
	for _, c := range root.Commands() {
		if c.Name() == word {
			return c
		}
	}
	noun := &cobra.Command{
		Use:     word,
		Short:   nouns[word],
		GroupID: groupCommands,
		Args:    noWord,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var verbs []string
			for _, c := range cmd.Commands() {
				verbs = append(verbs, c.Name())
			}
			return fmt.Errorf("say what to do: assent %s %s", word, strings.Join(verbs, "|"))
		},
	}
	root.AddCommand(noun)
	return noun
}

func rowCommand(a *app, row *domain.Row, verb string) *cobra.Command {
	page := manual[row.Command]
	words := strings.ReplaceAll(row.Command, ".", " ")
	cmd := &cobra.Command{
		Use:     verb,
		Short:   page.short,
		Long:    sentence(page.short) + ". It is issued by: " + strings.Join(texts(row.Roles), ", ") + ".",
		Example: strings.TrimRight("  assent "+words+" --as "+string(row.Roles[0])+" "+page.example, " "),
		Args:    noWord,
	}
	cmd.Flags().SortFlags = false // they stand as in the contract
	var id string
	ins := inputs(cmd, cloudevent.Fields(row))
	cmd.Flags().StringVar(&id, "id", "", "the command's `UUID`: sent again with the same one, it counts once; a new one where left out")
	_ = cmd.RegisterFlagCompletionFunc("id", cobra.NoFileCompletions)
	send := sender(a.issue)
	if prepare := prepared[row.Command]; prepare != nil {
		send = prepare(a, cmd)
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		data := map[string]any{}
		for _, in := range ins {
			if err := in(data); err != nil {
				return err
			}
		}
		return send(cmd.Context(), &commands.Plain{ID: domain.UUID(id), Name: row.Command}, data)
	}
	return cmd
}

func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
