//go:build linux

package realclient

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"swarmnode/internal/proc"
)

// repeatCase names, in the environment, what TestRepeatedParts does, and
// repeatState a folder in which its runs leave their marks.
const (
	repeatCase  = "SWARM_TEST_REPEAT"
	repeatState = "SWARM_TEST_REPEAT_STATE"
)

// TestRepeatedParts is the test that TestRepeat runs. Its part "flaky" fails when it
// runs for the first time, and "broken" always.
func TestRepeatedParts(t *testing.T) {
	what := os.Getenv(repeatCase)
	if what == "" {
		t.Skip("TestRepeat runs this test")
	}
	if !InNamespace(t) {
		return
	}
	for _, name := range []string{"sound", "flaky", "broken"} {
		t.Run(name, func(t *testing.T) {
			if what != "own" {
				Beside(t)
			}
			mark := filepath.Join(os.Getenv(repeatState), name)
			_, err := os.Stat(mark)
			if err := os.WriteFile(mark, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			switch {
			case name == "flaky" && err != nil:
				t.Error("fails the first time")
			case name == "broken" && what == "broken":
				t.Error("fails every time")
			case name == "sound" && err == nil:
				t.Error("runs again, although it passed")
			}
		})
	}
}

// A part that fails beside a foreign program runs once more, alone, and the second
// outcome counts. A part without a foreign program never runs twice.
func TestRepeat(t *testing.T) {
	if err := namespaceWorks(); err != nil {
		t.Skipf("no network namespace can be made: %v", err)
	}
	for _, tt := range []struct {
		what   string
		passes bool
		shows  string
		never  string
	}{
		{"flaky", true, "second run, alone: PASS", "second run, alone: FAIL"},
		{"broken", false, "second run, alone: FAIL", "second run, alone: PASS"},
		{"own", false, "fails the first time", "once more, alone"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			var out bytes.Buffer
			dir := t.TempDir()
			p, err := proc.Start(proc.Config{
				Path: os.Args[0], Args: []string{"-test.run=^TestRepeatedParts$", "-test.v=true"},
				// A lock of its own: the other tests of the machine need not end first.
				Env: []string{repeatCase + "=" + tt.what, repeatState + "=" + dir,
					"TMPDIR=" + dir},
				Stdout: &out, Stderr: &out,
			})
			if err != nil {
				t.Fatal(err)
			}
			err = p.Wait()
			if (err == nil) != tt.passes || !strings.Contains(out.String(), tt.shows) ||
				strings.Contains(out.String(), tt.never) {
				t.Errorf("ended with %v, want success: %v, %q and never %q in\n%s", err, tt.passes,
					tt.shows, tt.never, out.String())
			}
		})
	}
}

func TestRepeatable(t *testing.T) {
	const beside = "    testing.go:1: " + besideClient
	for _, tt := range []struct {
		name, output, want string
	}{
		{"no failure", "--- PASS: TestX (1s)\n", ""},
		{"a part beside a client",
			beside + "TestX/a\n--- FAIL: TestX (1s)\n    --- FAIL: TestX/a (1s)\n",
			`^(TestX)$/^(a)$`},
		{"two of them", beside + "TestX/a\n" + beside +
			"TestX/b\n--- FAIL: TestX (1s)\n    --- FAIL: TestX/a (1s)\n    --- FAIL: " +
			"TestX/b (1s)\n", `^(TestX)$/^(a|b)$`},
		{"one of our own too",
			beside + "TestX/a\n--- FAIL: TestX (1s)\n    --- FAIL: TestX/a (1s)\n    --- FAIL: " +
				"TestX/own (1s)\n", ""},
		{"below a client of the whole",
			beside + "TestX\n--- FAIL: TestX (1s)\n    --- FAIL: TestX/a (1s)\n",
			`^(TestX)$/^(a)$`},
		{"another that begins alike",
			beside + "TestX/a\n--- FAIL: TestX (1s)\n    --- FAIL: TestX/ab (1s)\n", ""},
		{"the whole", beside + "TestX\n--- FAIL: TestX (1s)\n", `^(TestX)$`},
		{"a data race", beside + "TestX/a\nWARNING: DATA RACE\n    --- FAIL: TestX/a (1s)\n", ""},
		{"a panic", beside + "TestX/a\n--- FAIL: TestX/a (1s)\n\npanic: no\n", ""},
		{"killed", "", ""},
	} {
		r := run{output: tt.output}
		if !strings.Contains(tt.output, "PASS") {
			r.err = os.ErrInvalid
		}
		if got := r.repeatable("TestX"); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
