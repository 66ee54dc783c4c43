package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/commands"
)

// A dealing is a line of a scenario: what somebody issues and is answered, or a pause
// until something has run out, or what the next steps are about.
type dealing struct {
	About  string         `json:"about"`
	Sleep  float64        `json:"sleep"` // seconds
	As     string         `json:"as"`
	Name   string         `json:"name"`
	Data   map[string]any `json:"data"`
	Expect any            `json:"expect"` // left out: ok
}

// TestScenarios plays testdata/scenarios, each through a real service of its own: an
// agency's dealings with an importer, from the first consultation to the destruction
// of its papers, and what a user lives through under each clause of the statement.
// When it is done, every decision is derived anew from what was recorded before it.
func TestScenarios(t *testing.T) {
	paths, err := filepath.Glob("testdata/scenarios/*.jsonl")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".jsonl"), func(t *testing.T) {
			t.Parallel()
			playScenario(t, path)
		})
	}
}

func playScenario(t *testing.T, path string) {
	r := serveFresh(t)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	var waiting []dealing
	play := func() {
		var in, out bytes.Buffer
		for _, s := range waiting {
			line, err := json.Marshal(map[string]any{"as": s.As, "name": s.Name, "data": s.Data})
			require.NoError(t, err)
			in.Write(append(line, '\n'))
		}
		// An answer that was to be otherwise is what it says, not an error here.
		_ = r.app(t, "", in.String(), &out).applyAll(t)
		answers := answersIn(t, out.String())
		require.Len(t, answers, len(waiting))
		for i, s := range waiting {
			require.Equal(t, expected(s.Expect), verdict(answers[i]), "%s %v", s.Name, s.Data)
		}
		waiting = nil
	}
	for line := range strings.Lines(string(b)) {
		var s dealing
		require.NoError(t, json.Unmarshal([]byte(line), &s), line)
		switch {
		case s.About != "":
		case s.Sleep > 0:
			play()
			<-time.After(time.Duration(s.Sleep * float64(time.Second))) // a time runs out
		default:
			s.complete()
			waiting = append(waiting, s)
		}
	}
	play()
	said, err := r.run("redecide", "--as", "auditor", "--data", r.data)
	require.NoError(t, err, said)
	require.Contains(t, said, " 0 differences")
	require.NoError(t, r.signal(syscall.SIGTERM))
	said, err = r.run("verify", "--data", r.data)
	require.NoError(t, err, said)
}

// complete fills in what a step leaves out: the paper's particulars, and the times
// that "+30d" and "+1h" stand for.
func (s *dealing) complete() {
	if s.Name == "evidence.file" {
		sum := sha256.Sum256([]byte(s.Data["evidence"].(string)))
		for name, v := range map[string]any{"sha256": hex.EncodeToString(sum[:]), "size": 1000, "mediaType": "application/pdf",
			"signedOn": "2026-01-02T00:00:00Z", "custody": "paper", "place": "cabinet 3", "signed": true, "stamped": true} {
			if _, ok := s.Data[name]; !ok {
				s.Data[name] = v
			}
		}
	}
	for _, name := range []string{"until", "effective"} {
		at, _ := s.Data[name].(string)
		if days, ok := strings.CutSuffix(at, "d"); ok { // ParseDuration knows no days
			if n, err := strconv.Atoi(days); err == nil {
				at = strconv.Itoa(24*n) + "h"
			}
		}
		if d, err := time.ParseDuration(at); err == nil {
			s.Data[name] = time.Now().Add(d).UTC().Format(time.RFC3339Nano)
		}
	}
}

// verdict is an answer in the words of a step's expectation.
func verdict(a *commands.Answer) string {
	switch {
	case a.Decision != nil:
		var reasons []string
		for _, r := range a.Decision.Reasons {
			reasons = append(reasons, string(r.Clause)+" "+r.Code)
		}
		slices.Sort(reasons)
		return a.Decision.Decision + ": " + strings.Join(reasons, ", ")
	case a.Error != nil && a.Error.Code == "refused":
		return fmt.Sprintf("REFUSED %s %s", a.Error.Clause, a.Error.Reason)
	case a.Error != nil:
		return string(a.Error.Code)
	}
	return "ok"
}

func expected(e any) string {
	switch e := e.(type) {
	case string:
		return e
	case map[string]any:
		for decision, list := range e {
			var reasons []string
			for _, r := range list.([]any) {
				reasons = append(reasons, r.(string))
			}
			slices.Sort(reasons)
			return decision + ": " + strings.Join(reasons, ", ")
		}
	}
	return "ok"
}
