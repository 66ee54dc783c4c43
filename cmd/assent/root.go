package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// An app is what every command shares: the global flags, and where it reads and
// writes.
type app struct {
	data, server       string // which ledger
	as, file, keysPath string // who
	json               bool
	lang               language // that people are spoken to in

	in        io.Reader
	out, errs io.Writer
}

// The groups of the help, in its order.
const (
	groupLedger    = "ledger"
	groupQuestions = "questions"
	groupCommands  = "commands"
)

func rootCommand(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "assent",
		Short: "a ledger of consent, access and confidentiality",
		Long: `Assent records who may come near a client's data, on whose written word, and decides
every access by the Confidentiality Statement. What it has recorded can't be changed.`,
		Example: `  assent serve                       # make a ledger in ./assent-data and serve it
  assent demo                        # see what it does, in a ledger of its own
  assent rights --client acme --as auditor`,
		Args:          noWord,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.errs)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())
	})
	f := root.PersistentFlags()
	f.SortFlags = false
	f.StringVar(&a.data, "data", env("ASSENT_DATA", "assent-data"), "the ledger's data `directory`, ASSENT_DATA")
	f.StringVar(&a.server, "server", env("ASSENT_SERVER", ""), "`URL` of the ledger's service, where it isn't the data directory's, ASSENT_SERVER")
	f.StringVar(&a.keysPath, "keys", env("ASSENT_KEYS", ""), "`directory` of the keys, the data directory's name with -keys where left out, ASSENT_KEYS")
	f.StringVar(&a.as, "as", env("ASSENT_AS", ""), "`name` of the identity that acts, ASSENT_AS")
	f.StringVar(&a.file, "identity", env("ASSENT_IDENTITY", ""), "key `file` of the identity that acts, ASSENT_IDENTITY")
	f.BoolVar(&a.json, "json", false, "print the documents, one a line, instead of tables")
	a.lang = languageOf(os.Getenv)
	f.Var(&a.lang, "lang", "`language` of the sentences about clauses, zh or en; where left out that of LC_ALL, LC_MESSAGES or LANG")
	_ = root.RegisterFlagCompletionFunc("as", a.completeIdentity)
	_ = root.RegisterFlagCompletionFunc("lang", cobra.FixedCompletions(languages[:], cobra.ShellCompDirectiveNoFileComp))
	root.AddGroup(
		&cobra.Group{ID: groupLedger, Title: "The ledger:"},
		&cobra.Group{ID: groupQuestions, Title: "Questions:"},
		&cobra.Group{ID: groupCommands, Title: "Commands, each recorded as one event:"},
	)
	addLedgerCommands(root, a)
	addQuestions(root, a)
	addCommands(root, a)
	addReviewReport(root, a)
	addCertificate(root, a)
	root.SetHelpCommandGroupID(groupLedger)
	root.SetCompletionCommandGroupID(groupLedger)
	return root
}

// addLedgerCommands adds what is about the ledger as a whole.
func addLedgerCommands(root *cobra.Command, a *app) {
	for _, make := range []func(*app) *cobra.Command{initCommand, serveCommand, demoCommand, applyCommand, replayCommand, watchCommand, proveCommand, verifyCommand, exportCommand, repairCommand, witnessCommand, rebuildCommand, benchCommand} {
		cmd := make(a)
		cmd.GroupID = groupLedger
		root.AddCommand(cmd)
	}
}

func env(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

// noWord refuses words that a command doesn't know, saying what it does know.
func noWord(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	cmd.SuggestionsMinimumDistance = 2
	near := cmd.SuggestionsFor(args[0])
	switch {
	case len(names) == 0:
		return fmt.Errorf("%s takes no word %q; see %s --help", cmd.CommandPath(), args[0], cmd.CommandPath())
	case len(near) > 0:
		return fmt.Errorf("there is no %s %s; did you mean %s?", cmd.CommandPath(), args[0], strings.Join(near, " or "))
	case cmd.HasParent():
		return fmt.Errorf("there is no %s %s, only %s", cmd.CommandPath(), args[0], strings.Join(names, ", "))
	}
	return fmt.Errorf("there is no %s %s; see assent --help", cmd.CommandPath(), args[0])
}

// completeIdentity completes the names of the key files that are there.
func (a *app) completeIdentity(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	h, err := findHome(a.data, a.keysPath)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	files, _ := below(h.keys, "identities/*.nk")
	for i := range files {
		files[i] = actorOf(files[i])
	}
	return files, cobra.ShellCompDirectiveNoFileComp
}

// who is the identity that acts: --as names it, --identity is its key's file. With
// both the file is the key and the name the actor.
func (a *app) who(keys string) (*identity, error) {
	switch {
	case a.file != "":
		key, err := readSeed(a.file)
		if err != nil {
			return nil, err
		}
		name := a.as
		if name == "" {
			name = actorOf(a.file)
		}
		return newIdentity(name, key)
	case a.as != "":
		return openIdentity(keys, a.as)
	}
	return nil, errors.New("unauthenticated: say who you are with --as NAME or --identity FILE")
}
