package main

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"swarmnode/internal/realclient"
)

// mandoc finds nothing wrong with the pages, under either name of the program. It looks for the
// pages that others refer to among those of the system, so TestManPagesAreWhole does that.
func TestMandocTakesThePages(t *testing.T) {
	t.Parallel()
	mandoc := realclient.RequireProgram(t, "mandoc")
	for _, name := range []string{"node", "swarmnode"} {
		dir := t.TempDir()
		if out, err := exec.Command(name, "man", "--dir", dir).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		pages, err := filepath.Glob(dir + "/man[15]/" + name + "*.[15]")
		if err != nil || len(pages) < 20 {
			t.Fatalf("%d pages, %v", len(pages), err)
		}
		out, _ := exec.Command(mandoc, append([]string{"-T", "lint"}, pages...)...).CombinedOutput()
		ofSystem := regexp.MustCompile(`mandoc: outdated mandoc\.db lacks .*\n`)
		for line := range strings.Lines(ofSystem.ReplaceAllString(string(out), "")) {
			if !strings.Contains(line, "STYLE: referenced manual not found") {
				t.Error(line)
			}
		}
		shown, err := exec.Command(mandoc, "-T", "ascii", "-O", "width=200",
			filepath.Join(dir, "man1", name+"-add.1")).Output()
		text := regexp.MustCompile(".\b").ReplaceAllString(string(shown), "")
		for _, want := range []string{name + " add [FLAGS] SOURCE...", "-d, --dir FOLDER\n",
			name + " add -d ~/Downloads some.torrent\n",
			name + " add --files 0,2-5 --files '*.srt' '"} {
			if err != nil || !strings.Contains(text, want) {
				t.Errorf("the page of add shows no %q: %v", want, err)
			}
		}
	}
}
