//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"swarmnode/internal/nodeproc"
)

// oddKinds are names of every kind that some system or program cannot hold or changes;
// the names of one line are in one folder. native is what the node makes of the first on
// Linux, if that differs.
var oddKinds = []struct {
	names  []string
	native string
}{
	{names: []string{"What?.bin"}},
	{names: []string{"a:b"}},
	{names: []string{"con"}},
	{names: []string{"aux.txt"}},
	{names: []string{"dot."}},
	{names: []string{"x..."}},
	{names: []string{"blank "}},
	{names: []string{" lead"}},
	{names: []string{"ReadMe.txt", "readme.txt", "README.TXT"}},
	{names: []string{"\u00e9", "e\u0301"}},
	{names: []string{`"q"`, "'q'"}},
	{names: []string{`a\b`}},
	{names: []string{`\lead`}},
	{names: []string{"*"}},
	{names: []string{"<", ">", "|"}},
	{names: []string{"100%"}},
	{names: []string{"tab\tnew\nline\x1b[31m"}, native: "tab_new_line_[31m"},
	{names: []string{"exe.\u202egpj"}, native: "exe._gpj"},
	{names: []string{"\ufeffmark"}, native: "_mark"},
	{names: []string{strings.Repeat("n", 255)}},
	{names: []string{"_____padding_file_of my own"}},
	{names: []string{"C:/x", "C:/d?/con"}},
	{names: []string{"d /x.", "d/x"}},
	{names: []string{"x\x02/y", "x_/y"}, native: "x_/y (2)"},
}

// TestEveryKindOfName makes a torrent of a folder with each kind of name, in each
// version. verify and add --seed find the content where it lies, and another node fetches
// it and finds what it has fetched.
func TestEveryKindOfName(t *testing.T) {
	for i, tt := range oddKinds {
		t.Run(fmt.Sprintf("%d %q", i, tt.names[0][:min(len(tt.names[0]), 20)]), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			dir := t.TempDir()
			for _, name := range append(tt.names, "plain") {
				writeOdd(t, filepath.Join(dir, "t", name), "this is "+name)
			}
			before := foldersAndFiles(t, dir)
			kind := []string{"--v1", "--v2", "--hybrid"}[i%3]
			if code, _, stderr := runNode(t, dir, "create", kind, "-o", "t.torrent",
				"t"); code != 0 {
				t.Fatalf("create: exit code %d: %s", code, stderr)
			}
			native := tt.native
			if native == "" {
				native = tt.names[0]
			}
			checkVerify(t, dir, ".", native, tt.names[0])

			seed, err := nodeproc.Start("node", t.TempDir(), "add", "--seed", "--no-dht",
				"--no-lsd", "--listen", "127.0.0.1:0",
				"--dir", dir, filepath.Join(dir, "t.torrent"))
			if err != nil {
				t.Fatal(err)
			}
			defer seed.Stop()
			if _, err := seed.WaitEvent(ctx, "seeding"); err != nil {
				t.Fatalf("%v\n%s", err, seed.Log())
			}
			addr, err := seed.Addr(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, more := range [][]string{nil, {"--portable-names"}} {
				out := "out" + strings.Join(more, "")
				args := append([]string{"add", "--no-dht", "--no-lsd", "--ephemeral", "--listen",
					"127.0.0.1:0",
					"--peer", addr.String(), "--timeout", "100s", "--dir", out}, more...)
				if code, _, stderr := runNode(t, dir, append(args, "t.torrent")...); code != 0 {
					t.Fatalf("add: exit code %d: %s", code, stderr)
				}
				if more == nil {
					if got, err := os.ReadFile(filepath.Join(dir, out, "t", native)); err != nil ||
						string(got) != "this is "+tt.names[0] {
						t.Errorf("fetched %q, %v", got, err)
					}
					checkVerify(t, dir, out, native, native)
				} else if code, stdout, _ := runNode(t, dir, "verify", "t.torrent",
					out); code != 0 {
					t.Errorf("verify of portable names: %s", stdout)
				}
			}
			seed.Stop()
			after := slices.DeleteFunc(foldersAndFiles(t, dir), func(name string) bool {
				return name == "t.torrent" || strings.HasPrefix(name, "out") ||
					strings.HasPrefix(name, "state")
			})
			if !slices.Equal(before, after) {
				t.Errorf("there are %q, there were %q", after, before)
			}
		})
	}
}

func writeOdd(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// checkVerify checks that verify finds everything in dir, and finds under the name found
// the file that the node would call name.
func checkVerify(t *testing.T, home, dir, name, found string) {
	t.Helper()
	code, stdout, stderr := runNode(t, home, "verify", "--json", "t.torrent", dir)
	if code != 0 {
		t.Errorf("verify: exit code %d: %s%s", code, stdout, stderr)
	}
	seen := false
	for line := range strings.Lines(stdout) {
		var e struct {
			Event, Path, State string
			Found              string `json:"found_as"`
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e.Event != "verified" || e.Path != "t/"+name {
			continue
		}
		seen = true
		if e.Found == "" {
			e.Found = e.Path
		}
		if e.State != "ok" || e.Found != "t/"+found {
			t.Errorf("verify: %q is %s as %q, want it as %q", e.Path, e.State, e.Found, found)
		}
	}
	if !seen {
		t.Errorf("verify does not name %q: %s", name, stdout)
	}
}

// foldersAndFiles lists everything below dir.
func foldersAndFiles(t *testing.T, dir string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && path != dir {
			list = append(list, path[len(dir)+1:])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}
