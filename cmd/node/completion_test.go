package main

import (
	"os/exec"
	"strings"
	"testing"
)

// The script for bash completes the commands, those of a group, and the flags
// of each.
func TestBashCompletion(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash here")
	}
	script := bashCompletion(completionWords())
	for line, want := range map[string]string{
		"node boot":                 "bootstrap",
		"node dht fi":               "find",
		"node add --time":           "--timeout",
		"node -q seed --pie":        "--piece-length",
		"node dht ping --jso":       "--json",
		"node completion fi":        "fish",
		"node help verif":           "verify",
		"node add --encryption req": "require",
	} {
		words := strings.Fields(line)
		run := script + "\nCOMP_WORDS=(" + line + "); COMP_CWORD=" +
			string(rune('0'+len(words)-1)) + "; _node; echo \"${COMPREPLY[@]}\""
		cmd := exec.Command(bash, "-c", run)
		cmd.Dir = t.TempDir() // no files to complete
		out, err := cmd.CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != want {
			t.Errorf("%q completes to %q, %v, want %q", line, out, err, want)
		}
	}
}

// The shells of the other scripts accept them, if installed.
func TestCompletionSyntax(t *testing.T) {
	for shell, args := range map[string][]string{"zsh": {"-n"}, "fish": {"--no-execute"}} {
		script := completions()[shell](completionWords())
		if !strings.Contains(script, "bootstrap") || !strings.Contains(script, "piece-length") {
			t.Errorf("%s: commands or flags are missing", shell)
		}
		path, err := exec.LookPath(shell)
		if err != nil {
			continue
		}
		cmd := exec.Command(path, args...)
		cmd.Stdin = strings.NewReader(script)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", shell, err, out)
		}
	}
	if script := powershellCompletion(completionWords()); strings.Count(script,
		"{") != strings.Count(script, "}") {
		t.Error("powershell: braces do not match")
	}
}

func TestShellQuote(t *testing.T) {
	if got := shellQuote("a node's"); got != `'a node'\''s'` {
		t.Errorf("shellQuote = %s", got)
	}
}
