package main

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/qtccc/assent/eventstore/cloudevent"
)

// An input puts what was given on the command line for one field into the data.
// What a value may be is for the ledger to judge.
type input func(data map[string]any) error

// inputs gives the command a flag for each of the fields, named as the field. The
// members of a scope and of a retention are flags of their own, other objects are
// JSON.
func inputs(cmd *cobra.Command, fields []cloudevent.Field) []input {
	ins := make([]input, 0, len(fields))
	for _, f := range fields {
		make := plainInput
		switch {
		case f.Kind == cloudevent.KindObject && !f.List && (f.Name == "scope" || f.Name == "retention"):
			make = membersInput
		case f.Kind == cloudevent.KindObject:
			make = objectInput
		case f.List:
			make = listInput
		case f.Kind == cloudevent.KindBool || f.Kind == cloudevent.KindFlag:
			make = boolInput
		case f.Kind == cloudevent.KindNumber:
			make = numberInput
		}
		ins = append(ins, make(cmd, f))
	}
	return ins
}

// flagsOf makes a flag under the field's name and, hidden, under its name with
// hyphens: --behalfOf and --behalf-of both do. The function that it returns says
// whether either was given.
func flagsOf(cmd *cobra.Command, f cloudevent.Field, make func(name string)) (given func() bool) {
	names := []string{f.Name}
	if other := hyphened(f.Name); other != f.Name {
		names = append(names, other)
	}
	for i, n := range names {
		make(n)
		if i > 0 {
			_ = cmd.Flags().MarkHidden(n)
		}
		complete := cobra.NoFileCompletions
		if f.Words != nil {
			complete = cobra.FixedCompletions(f.Words, cobra.ShellCompDirectiveNoFileComp)
		}
		_ = cmd.RegisterFlagCompletionFunc(n, complete)
	}
	return func() bool { return slices.ContainsFunc(names, cmd.Flags().Changed) }
}

func hyphened(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsUpper(r) {
			b.WriteByte('-')
			r = unicode.ToLower(r)
		}
		b.WriteRune(r)
	}
	return b.String()
}

func plainInput(cmd *cobra.Command, f cloudevent.Field) input {
	var v string
	given := flagsOf(cmd, f, func(n string) { cmd.Flags().StringVar(&v, n, "", meaning(f)) })
	return func(data map[string]any) error {
		if given() {
			data[f.Name] = v
		}
		return nil
	}
}

// boolInput: one that the ledger wants to know is false where the flag isn't given.
func boolInput(cmd *cobra.Command, f cloudevent.Field) input {
	var v bool
	given := flagsOf(cmd, f, func(n string) { cmd.Flags().BoolVar(&v, n, false, meaning(f)) })
	return func(data map[string]any) error {
		if f.Required || given() && (v || f.Kind != cloudevent.KindFlag) {
			data[f.Name] = v
		}
		return nil
	}
}

func numberInput(cmd *cobra.Command, f cloudevent.Field) input {
	var v int64
	given := flagsOf(cmd, f, func(n string) { cmd.Flags().Int64Var(&v, n, 0, meaning(f)) })
	return func(data map[string]any) error {
		if given() {
			data[f.Name] = v
		}
		return nil
	}
}

// listInput: one that may be empty and must be there is empty where the flag isn't
// given.
func listInput(cmd *cobra.Command, f cloudevent.Field) input {
	var v []string
	given := flagsOf(cmd, f, func(n string) { cmd.Flags().StringSliceVar(&v, n, nil, meaning(f)) })
	return func(data map[string]any) error {
		if given() || f.Required && f.MayEmpty {
			data[f.Name] = append([]string{}, v...)
		}
		return nil
	}
}

func objectInput(cmd *cobra.Command, f cloudevent.Field) input {
	var v string
	given := flagsOf(cmd, f, func(n string) { cmd.Flags().StringVar(&v, n, "", meaning(f)) })
	return func(data map[string]any) error {
		if !given() {
			return nil
		}
		if !json.Valid([]byte(v)) {
			return invalid("/data/"+f.Name, "--"+f.Name+" takes JSON, and this is none")
		}
		data[f.Name] = json.RawMessage(v)
		return nil
	}
}

// membersInput makes the members of an object flags of their own.
func membersInput(cmd *cobra.Command, f cloudevent.Field) input {
	ins := inputs(cmd, f.Fields)
	return func(data map[string]any) error {
		members := map[string]any{}
		for _, in := range ins {
			if err := in(members); err != nil {
				return err
			}
		}
		if len(members) > 0 || f.Required {
			data[f.Name] = members
		}
		return nil
	}
}

// meaning is what a flag takes, for the help. The word in backquotes stands for
// the value.
func meaning(f cloudevent.Field) string {
	what := meanings[f.Kind]
	if f.Kind == cloudevent.KindID {
		what = "the `id` of the " + strings.ReplaceAll(hyphened(f.Name), "-", " ")
		if notes[f.Name] != "" {
			what = notes[f.Name]
		}
	}
	switch {
	case f.Words != nil:
		what = "one `word` of: " + strings.Join(f.Words, ", ")
	case f.Kind == cloudevent.KindObject && f.List:
		what = "`JSON`, a list"
	case f.Kind == cloudevent.KindObject:
		what = "`JSON`"
	}
	if f.List && f.Kind != cloudevent.KindObject {
		what = "`list`, apart by commas, each " + strings.TrimPrefix(strings.ReplaceAll(what, "`", ""), "one ")
	}
	if f.Name == "records" || f.Name == "engagements" || f.Name == "all" || f.Name == "sensitive" {
		what = scopes[f.Name]
	}
	if !f.Required || f.MayEmpty {
		what += " (may be left out)"
	}
	return what
}

var meanings = map[cloudevent.Kind]string{
	cloudevent.KindText:      "`text`, personal or free: it is sealed and lies nowhere in clear",
	cloudevent.KindUUID:      "`UUID`",
	cloudevent.KindTime:      "`time`, such as 2026-01-31T09:00:00Z",
	cloudevent.KindDuration:  "`duration`, such as P1Y or P30D",
	cloudevent.KindDigest:    "`SHA-256` in 64 hex digits",
	cloudevent.KindPublicKey: "`key`, an NKey user key (U…)",
	cloudevent.KindLogKey:    "`key`, a C2SP verifier key",
	cloudevent.KindMediaType: "media `type`, such as application/pdf",
	cloudevent.KindNumber:    "`number`",
	cloudevent.KindBool:      "it is so",
	cloudevent.KindFlag:      "it is so",
}

// notes say what an id names where the flag's name doesn't.
var notes = map[string]string{
	"of":           "the `id` of the institution that the person is of",
	"behalfOf":     "the `id` of the party for which this one comes",
	"bearer":       "the `id` of the person that comes for the party",
	"recipient":    "the `id` of the party to which it goes",
	"confirmation": "the `id` of the evidence that confirms this modification",
	"contacts":     "the `id` of a party",
	"channel":      "the way by which it was told, an `id` such as registered-letter",
	"purpose":      "what for, an `id`: one of I.3, anything else is denied",
	"operator":     "the `id` of the party that destroyed it",
	"witness":      "the `id` of the party that saw it",
	"delegate":     "the `id` of the party that comes instead",
	"actor":        "the actor's `id`, its name",
}

var scopes = map[string]string{
	"all":         "scope: every record of the client",
	"records":     "scope: the records of this `list`, apart by commas",
	"engagements": "scope: the records registered to the engagements of this `list`, then and later",
	"sensitive":   "scope: sensitive records too",
}

func texts[W ~string](words []W) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = string(w)
	}
	return out
}
