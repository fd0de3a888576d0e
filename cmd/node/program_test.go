package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestProgramName(t *testing.T) {
	for arg, want := range map[string]string{
		"node": "node", "/usr/bin/swarmnode": "swarmnode", "./bin/node": "node", "-node": "node",
		"swarmnode.exe": "swarmnode", "": "node", "/": "node", "my node": "my node",
	} {
		if got := programName(arg); got != want {
			t.Errorf("programName(%q) = %q, want %q", arg, got, want)
		}
	}
}

// A flag has its default once.
func TestDefaultsAreShownOnce(t *testing.T) {
	for _, cmd := range leaves() {
		fs := newFlags("")
		new(outputFlags).register(fs)
		cmd.setup(fs)
		fs.VisitAll(func(f *pflag.Flag) {
			one := newFlags("")
			one.AddFlag(f)
			if line := one.FlagUsages(); strings.Count(line, "(default") > 1 {
				t.Errorf("%s: %s", cmd.path(), line)
			}
		})
		if strings.Contains(fs.FlagUsages(), "--verbose count") {
			t.Errorf("%s: --verbose seems to take a value", cmd.path())
		}
	}
}

// make install warns if a Node.js would hide the program or be hidden by it, and replaces
// none.
func TestInstallBesideNodeJS(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash here")
	}
	script, err := filepath.Abs("../../.ci/beside")
	if err != nil {
		t.Fatal(err)
	}
	base := t.TempDir()
	put := func(path, version string) {
		t.Helper()
		path = filepath.Join(base, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, fmt.Appendf(nil, "#!/bin/sh\necho '%s'\n", version),
			0o777); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(base, "tools"), 0o777); err != nil {
		t.Fatal(err)
	}
	for _, tool := range []string{"timeout", "head"} { // and no Node.js that is installed here
		path, err := exec.LookPath(tool)
		if err != nil {
			t.Skip(err)
		}
		if err := os.Symlink(path, filepath.Join(base, "tools", tool)); err != nil {
			t.Fatal(err)
		}
	}
	put("js/node", "v22.12.0")
	put("other/node", "node 0.1.0 (go1.26.8, linux/amd64)")
	put("late/node", "v18.19.0")
	for _, tt := range []struct {
		path, folder, name string
		want               string // "" is nothing
		fails              bool
	}{
		{"own js", "own", "node",
			"warning: own/node stands before js/node in PATH, which is Node.js", false},
		{"js own", "own", "node", "warning: js/node stands before own/node in PATH, and is Node.js",
			false},
		{"js", "own", "node", "warning: js/node stands before own/node in PATH, and is Node.js",
			false},
		{"own other late", "own", "node",
			"warning: own/node stands before late/node in PATH, which is Node.js", false},
		{"own js", "own", "swarmnode", "", false},
		{"own other", "own", "node", "", false},
		{"js other", "js", "node", "js/node is Node.js and is not replaced", true},
		{"js", "other", "swarmnode", "", false},
		{"", "own", "node", "", false},
	} {
		cmd := exec.Command(bash, script, filepath.Join(base, tt.folder), tt.name)
		var path []string
		for _, dir := range strings.Fields(tt.path) {
			path = append(path, filepath.Join(base, dir))
		}
		cmd.Env = append(os.Environ(),
			"PATH="+strings.Join(append(path, filepath.Join(base, "tools")), ":"))
		out, err := cmd.CombinedOutput()
		got := strings.ReplaceAll(string(out), base+"/", "")
		want := tt.want
		if want != "" {
			want += " (try: make install BIN=swarmnode)\n"
		}
		if got != want || (err != nil) != tt.fails {
			t.Errorf("%q into %s as %s: %v\ngot  %q\nwant %q", tt.path, tt.folder, tt.name, err,
				got, want)
		}
	}
}

// Texts outside the help, which is renamed as a whole, never name a command as "node
// add": the program may have another name.
func TestMessagesHaveTheOwnName(t *testing.T) {
	var names []string
	for _, cmd := range commands() {
		names = append(names, cmd.name)
	}
	own := regexp.MustCompile(`\bnode (` + strings.Join(names, "|") + `)\b`)
	said := map[string]bool{
		"warn": true, "note": true, "say": true, "fail": true, "failWithHint": true, "New": true,
		"Errorf": true,
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			name := ""
			switch f := call.Fun.(type) {
			case *ast.Ident:
				name = f.Name
			case *ast.SelectorExpr:
				name = f.Sel.Name
			}
			if !said[name] {
				return true
			}
			calls++
			for _, arg := range call.Args {
				if lit, ok := arg.(*ast.BasicLit); ok && own.MatchString(lit.Value) {
					t.Errorf("%v: %s", set.Position(lit.Pos()), lit.Value)
				}
			}
			return true
		})
	}
	if calls < 100 {
		t.Errorf("only %d messages were looked at", calls)
	}
}
