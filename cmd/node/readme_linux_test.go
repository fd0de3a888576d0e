package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A shownCommand is a command line of a terminal session, and what is printed.
type shownCommand struct {
	line string
	want []string
}

// shownSession returns the terminal session of a document: its first indented
// block of which a line begins with a prompt.
func shownSession(t *testing.T, path string) (list []shownCommand) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		code, indented := strings.CutPrefix(line, "    ")
		command, prompt := strings.CutPrefix(code, "$ ")
		last := len(list) - 1
		switch {
		case indented && prompt:
			list = append(list, shownCommand{line: command})
		case indented && last >= 0 && strings.HasSuffix(list[last].line, "\\"):
			list[last].line = strings.TrimSuffix(list[last].line, "\\") + strings.TrimSpace(code)
		case indented && last >= 0:
			list[last].want = append(list[last].want, code)
		case last >= 0 && line != "":
			return list
		}
	}
	return list
}

// The session of the README works in the order in which it is printed, each
// command on a terminal of its own, and prints what stands there. Only the port
// of the first node, the folder and the time that it takes are others.
func TestREADMESession(t *testing.T) {
	t.Parallel()
	const port, home = "6881", "/home/me"
	session := shownSession(t, "../../README.md")
	if len(session) < 4 || !strings.HasPrefix(session[0].line, "node bootstrap ") {
		t.Fatalf("the README has no session that begins with node bootstrap: %q", session)
	}
	dir := t.TempDir()
	env := []string{"NO_COLOR=1", "HOME=" + dir, "XDG_STATE_HOME=" + filepath.Join(dir, "state"),
		"PWD=" + dir}
	took := regexp.MustCompile(`in \d\S*$`)
	bound := "" // what the first node listens on in place of port
	for _, shown := range session {
		line := shown.line
		if bound == "" {
			line = strings.ReplaceAll(line, ":"+port, ":0")
		} else {
			line = strings.ReplaceAll(line, ":"+port, ":"+bound)
		}
		if strings.HasPrefix(line, "node ") {
			line = "exec " + line // so that the shell is not left over
		}
		x := onTerminal(t, 100, env, "sh", "-c", `cd "$1" && exec sh -c "$2"`, "sh", dir, line)
		for _, want := range shown.want {
			re := regexp.QuoteMeta(strings.ReplaceAll(want, home, dir))
			re = took.ReplaceAllString(re, `in \S+`)
			re = strings.ReplaceAll(re, ":"+port, `:(\d+)`)
			if m := x.await(`(?m)(?:^|\x1b\[K)` + re + `\r?$`); len(m) > 1 {
				bound = m[1]
			}
			x.skip()
		}
		if len(shown.want) == 0 || strings.HasPrefix(shown.line, "node add") {
			if code := x.wait(); code != exitDone {
				text, _ := x.out.read()
				t.Fatalf("%s: exit code %d\n%s", line, code, text)
			}
		}
	}
	for _, file := range []string{"numbers.txt", "copy/numbers.txt"} {
		if st, err := os.Stat(filepath.Join(dir, file)); err != nil || st.Size() != 38888896 {
			t.Errorf("%s: %v, %v", file, st, err)
		}
	}
}
