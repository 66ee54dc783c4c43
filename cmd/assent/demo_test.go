package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDemoTellsItsStory: it ends well, fits a terminal of 100 columns, writes no
// escapes where no terminal is, and leaves nothing behind.
func TestDemoTellsItsStory(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	t.Setenv("ASSENT_SERVER", "nats://127.0.0.1:1") // another ledger is not its business
	var out, errs bytes.Buffer
	require.Equal(t, 0, run([]string{"demo", "--commands"}, strings.NewReader(""), &out, &errs), errs.String())
	require.Empty(t, errs.String())
	require.NotContains(t, out.String(), "\x1b")
	for l := range strings.Lines(out.String()) {
		require.LessOrEqual(t, wide(strings.TrimRight(l, "\n")), 100, l)
	}
	require.Contains(t, out.String(), "history gives the same decision again")
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	require.NoError(t, err)
	require.Empty(t, left)
}

// TestDemoGivesDocuments: with --json it prints the answers themselves.
func TestDemoGivesDocuments(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var out, errs bytes.Buffer
	require.Equal(t, 0, run([]string{"demo", "--json"}, strings.NewReader(""), &out, &errs), errs.String())
	for l := range strings.Lines(out.String()) {
		var it item
		require.NoError(t, decode([]byte(l), &it), l)
	}
	require.Contains(t, out.String(), `"type":"record.destroyed"`)
}

// TestDemoFailsWhereTheLedgerAnswersOtherwise: nothing that it shows is canned.
func TestDemoFailsWhereTheLedgerAnswersOtherwise(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var out, errs bytes.Buffer
	d := &demo{app: &app{out: &out, errs: &errs}, stage: newStage(&out, english), story: []scene{{title: "Another", steps: []step{
		asking("label", "nobody", "service", "", "Nobody asks", "granted III.3 designated"),
	}}}}
	require.ErrorContains(t, d.run(t.Context()), `is "denied II.0 unknown-client, II.0 unknown-party"`)
}
