package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The floors of the house, lowest first. A package imports its own floor and
// those below it, never one above.
var floors = []string{"domain", "eventstore", "projections", "commands", "cmd"}

// homes says on which floors a library may be known: none where only tests may. One
// not named here may be known anywhere but in domain, which knows the standard
// library alone.
var homes = map[string]string{
	"github.com/nats-io/nats-server/":   "eventstore",
	"github.com/nats-io/nats.go/micro":  "projections commands",
	"github.com/cockroachdb/pebble/":    "projections",
	"github.com/spf13/cobra":            "cmd",
	"github.com/schollz/progressbar/":   "cmd",
	"golang.org/x/term":                 "cmd",
	"golang.org/x/crypto/":              "eventstore",
	"github.com/stretchr/testify/":      "",
	"github.com/rogpeppe/go-internal/":  "",
	"github.com/cockroachdb/datadriven": "",
	"github.com/minio/highwayhash":      "",
	"pgregory.net/rapid":                "",
	"go.uber.org/goleak":                "",
}

const module = "github.com/qtccc/assent/"

// TestHouseImports: the imports are a chain, and libraries stay at home.
func TestHouseImports(t *testing.T) {
	packages := 0
	for pkg, imports := range importsOf(t, "{{.ImportPath}} {{join .Imports \" \"}}") {
		packages++
		floor, _, _ := strings.Cut(pkg, "/")
		require.Contains(t, floors, floor, "a package outside the house")
		for _, imp := range imports {
			if ours, ok := strings.CutPrefix(imp, module); ok {
				if to, _, _ := strings.Cut(ours, "/"); slices.Index(floors, to) > slices.Index(floors, floor) {
					t.Errorf("%s imports %s, which is above it", pkg, ours)
				}
				if strings.HasSuffix(ours, "test") && !strings.HasSuffix(pkg, "test") {
					t.Errorf("%s imports %s, which is for tests", pkg, ours)
				}
			} else if pkg == "domain" && strings.Contains(imp, ".") {
				t.Errorf("%s imports %s; the law imports the standard library alone", pkg, imp)
			}
			for lib, home := range homes {
				if strings.HasPrefix(imp, lib) && !slices.Contains(strings.Fields(home), floor) && (home != "" || !strings.HasSuffix(pkg, "test")) {
					t.Errorf("%s imports %s, whose home is %q", pkg, imp, home)
				}
			}
		}
	}
	require.Greater(t, packages, 5, "no house found")
}

// TestHouseOfBytesKnowsNoMeaning: what knows bytes alone imports nothing of ours.
func TestHouseOfBytesKnowsNoMeaning(t *testing.T) {
	for pkg, imports := range importsOf(t, "{{.ImportPath}} {{join .Imports \" \"}}") {
		if pkg != "eventstore/vault" && pkg != "eventstore/natsd" && pkg != "eventstore/notary" {
			continue
		}
		for _, imp := range imports {
			if strings.HasPrefix(imp, module) {
				t.Errorf("%s imports %s", pkg, imp)
			}
		}
	}
}

// importsOf lists the packages of the module by their path in it.
func importsOf(t *testing.T, format string) map[string][]string {
	cmd := exec.Command("go", "list", "-f", format, module+"...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	imports := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		imports[strings.TrimPrefix(f[0], module)] = f[1:]
	}
	return imports
}

// lawFiles are the files of domain that aren't tests.
func lawFiles(t *testing.T) []string {
	files, err := filepath.Glob("../../domain/*.go")
	require.NoError(t, err)
	files = slices.DeleteFunc(files, func(name string) bool { return strings.HasSuffix(name, "_test.go") })
	require.NotEmpty(t, files, "no law found")
	return files
}

// TestLawIsPure holds domain to its doc.go: no clock, no chance, no goroutine,
// no I/O. What the compiler can't promise, this reads from the syntax.
func TestLawIsPure(t *testing.T) {
	allowed := []string{"cmp", "errors", "fmt", "iter", "maps", "slices", "strconv", "strings", "time"}
	clock := []string{"Now", "Since", "Until", "After", "AfterFunc", "Tick", "Sleep", "NewTimer", "NewTicker"}
	fset := token.NewFileSet()
	for _, name := range lawFiles(t) {
		f, err := parser.ParseFile(fset, name, nil, 0)
		require.NoError(t, err)
		for _, imp := range f.Imports {
			if path := strings.Trim(imp.Path.Value, `"`); !slices.Contains(allowed, path) {
				t.Errorf("%s: imports %s", fset.Position(imp.Pos()), path)
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt, *ast.SelectStmt, *ast.SendStmt, *ast.ChanType:
				t.Errorf("%s: concurrency in the law", fset.Position(n.Pos()))
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clock, n.Sel.Name) {
					t.Errorf("%s: time.%s; the law is told the time", fset.Position(n.Pos()), n.Sel.Name)
				}
			}
			return true
		})
	}
}

// TestLawCanBeReadWhole: at most 4,400 lines, comments and empty ones aside (docs/decisions/0008).
func TestLawCanBeReadWhole(t *testing.T) {
	lines := 0
	for _, name := range lawFiles(t) {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		for line := range bytes.Lines(b) {
			if line = bytes.TrimSpace(line); len(line) > 0 && !bytes.HasPrefix(line, []byte("//")) {
				lines++
			}
		}
	}
	require.LessOrEqual(t, lines, 4400, "the law has grown too long to be read")
}
