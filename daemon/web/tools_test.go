//go:build linux

package web_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"swarmnode/internal/realclient"
)

const (
	// frontsFolder names the folder in which .ci/fronts has put the tools that npm has.
	frontsFolder = "SWARM_FRONTS"
	// toolWait bounds one run of a tool.
	toolWait = 3 * time.Minute
)

// The types that the comments of the page's modules name are right.
func TestFrontTypes(t *testing.T) {
	script(t, tool(t, "typescript/bin/tsc"), "--project", "tsconfig.json", "--pretty", "false")
}

// The modules keep to the rules of eslint.config.mjs, which let no text become markup.
func TestFrontLint(t *testing.T) {
	script(t, tool(t, "eslint/bin/eslint.js"), "--max-warnings", "0", "page/js")
}

// The rules find what they are there for.
func TestFrontLintFinds(t *testing.T) {
	bad := []string{
		"el.innerHTML = text;", "el.insertAdjacentHTML('beforeend', text);",
		"el.setAttribute('style', text);", "el.setAttribute('onclick', text);",
		"document.write(text);", "eval(text);", "setTimeout('run()', 1);", "new Function(text)();",
		"el.style.cssText = text;", "new DOMParser();", "location.href = 'javascript:1';",
		"import(text);", "frame.srcdoc = text;",
	}
	module := "export const text = '', el = {}, frame = {};\n" + strings.Join(bad, "\n") + "\n"
	out, err := run(t, module, tool(t, "eslint/bin/eslint.js"), "--format", "json", "--stdin",
		"--stdin-filename", "page/js/bad.js")
	var results []struct{ Messages []struct{ Line int } }
	if jsonErr := json.Unmarshal(out, &results); err == nil || jsonErr != nil || len(results) != 1 {
		t.Fatalf("%v, %v: %s", err, jsonErr, out)
	}
	found := make([]bool, len(bad)+2)
	for _, one := range results[0].Messages {
		found[one.Line-1] = true
	}
	if found[0] {
		t.Errorf("eslint refuses the first line: %s", out)
	}
	for i, line := range bad {
		if !found[i+1] {
			t.Errorf("eslint accepts %s", line)
		}
	}
}

// The modules that need no browser pass their tests in Node.js.
func TestModules(t *testing.T) {
	tests, err := filepath.Glob("testdata/js/*.test.js")
	if err != nil || len(tests) == 0 {
		t.Fatalf("there are %d tests, %v", len(tests), err)
	}
	realclient.RequireProgram(t, "nodejs")
	script(t, append([]string{"--test"}, tests...)...)
}

// tool returns the path of a program of npm. It skips the test if those are not wanted.
func tool(t *testing.T, path string) string {
	t.Helper()
	folder := os.Getenv(frontsFolder)
	if folder == "" {
		t.Skip(frontsFolder + " is not set: see make test-fronts")
	}
	realclient.RequireProgram(t, "nodejs")
	path = filepath.Join(folder, "node_modules", path)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run .ci/fronts", err)
	}
	return path
}

// script runs Node.js, which must succeed.
func script(t *testing.T, args ...string) {
	t.Helper()
	if out, err := run(t, "", args...); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// run runs Node.js in the folder of the package and returns what it prints.
func run(t *testing.T, input string, args ...string) ([]byte, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), toolWait)
	defer cancel()
	cmd := exec.CommandContext(ctx, "nodejs", args...)
	cmd.Stdin = strings.NewReader(input)
	return cmd.CombinedOutput()
}
