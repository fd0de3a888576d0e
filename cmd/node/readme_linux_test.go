package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A shownCommand is a command line of a terminal session and its output.
type shownCommand struct {
	line string
	want []string
}

// stays reports whether the command runs until it is interrupted.
func (s *shownCommand) stays() bool {
	for _, command := range []string{"node bootstrap ", "node seed ", "node daemon ", "node top "} {
		if strings.HasPrefix(s.line, command) {
			return true
		}
	}
	return strings.Contains(s.line, " --seed ")
}

// shownSessions returns the terminal sessions of a document, in order: its indented
// blocks that have a line with a prompt.
func shownSessions(t *testing.T, path string) (list []shownCommand) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	prompt := regexp.MustCompile(`^ {4,}\$ `)
	indent := "" // of the prompt of the current session, if there is one
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if at := prompt.FindString(line); at != "" {
			indent = strings.TrimSuffix(at, "$ ")
			list = append(list, shownCommand{line: line[len(at):]})
			continue
		}
		code, indented := strings.CutPrefix(line, indent)
		if indent == "" || line == "" {
			continue
		}
		if !indented {
			indent = ""
			continue
		}
		last := &list[len(list)-1]
		if before, more := strings.CutSuffix(last.line, "\\"); more {
			last.line = before + strings.TrimSpace(code)
		} else {
			last.want = append(last.want, code)
		}
	}
	return list
}

// The home folder and the port that documents show.
const shownHome, shownPort = "/home/me", ":6881"

// varies are the parts of shown output that differ from run to run.
var varies = []*regexp.Regexp{
	regexp.MustCompile(`in \d\S*$`), regexp.MustCompile(`peers \d+/\d+`),
	regexp.MustCompile(`dht \d+ nodes?`), regexp.MustCompile(`on \d\S*`),
}

// shownPattern returns the pattern of a line that a document shows, in which its
// first group is the port.
func shownPattern(want, home string) string {
	re := regexp.QuoteMeta(strings.ReplaceAll(want, shownHome, home))
	for _, v := range varies {
		re = v.ReplaceAllStringFunc(re, func(s string) string {
			word, _, _ := strings.Cut(s, " ")
			return word + ` \S+(?: nodes?)?`
		})
	}
	return `(?m)(?:^|\x1b\[K)` + strings.ReplaceAll(re, shownPort, `:(\d+)`) + `\r?$`
}

// run runs the command in home on a terminal of its own, and waits until it has
// printed what is shown. It returns the port that it printed, if it printed one.
func (s *shownCommand) run(t *testing.T, home, line string, env []string) (port string) {
	t.Helper()
	if strings.HasPrefix(line, "node ") && !strings.ContainsAny(line, ";|") {
		line = "exec " + line // so that the shell is not left over
	}
	env = append([]string{"NO_COLOR=1", "HOME=" + home, "PWD=" + home,
		"XDG_STATE_HOME=" + filepath.Join(home, "state")}, env...)
	x := onTerminal(t, 100, env, "sh", "-c", `cd "$1" && exec sh -c "$2"`, "sh", home, line)
	for _, want := range s.want {
		if m := x.await(shownPattern(want, home)); len(m) > 1 {
			port = m[1]
		}
		x.skip()
	}
	if !s.stays() {
		if code := x.wait(); code != exitDone {
			text, _ := x.out.read()
			t.Fatalf("%s: exit code %d\n%s", line, code, text)
		}
	}
	return port
}

// The session of the README works in the order in which it is printed, each command on a
// terminal of its own, and prints what stands there. Only the port of the first node, the
// folder and the times differ.
func TestREADMESession(t *testing.T) {
	t.Parallel()
	session := shownSessions(t, "../../README.md")
	if len(session) < 4 || !strings.HasPrefix(session[0].line, "node bootstrap ") {
		t.Fatalf("the README has no session that begins with node bootstrap: %q", session)
	}
	dir := t.TempDir()
	bound := "0" // the port that the first node listens on in place of the shown one
	for _, shown := range session {
		line := strings.ReplaceAll(shown.line, shownPort, ":"+bound)
		var env []string
		if !strings.Contains(line, "--bootstrap ") { // the daemon and what steers it
			line = strings.ReplaceAll(line, " & ", " ") // each has a terminal here
			env = []string{"SWARM_LISTEN=127.0.0.1:0", "SWARM_BOOTSTRAP=127.0.0.1:" + bound,
				"SWARM_SOCKET=" + filepath.Join(dir, "ctl.sock")}
		}
		if port := shown.run(t, dir, line, env); port != "" {
			bound = port
		}
	}
	for _, file := range []string{"numbers.txt", "copy/numbers.txt"} {
		if st, err := os.Stat(filepath.Join(dir, file)); err != nil || st.Size() != 38888896 {
			t.Errorf("%s: %v, %v", file, st, err)
		}
	}
}

// The sessions of the guide work in the order in which they are printed, in one
// folder. Variables of the environment keep them on loopback, in a DHT of their own.
func TestGuideSessions(t *testing.T) {
	t.Parallel()
	sessions := shownSessions(t, "../../docs/guide.md")
	if len(sessions) < 8 {
		t.Fatalf("the guide has %d commands", len(sessions))
	}
	dir := t.TempDir()
	env := []string{"SWARM_LISTEN=127.0.0.1:0"}
	way := shownCommand{line: "node bootstrap --bootstrap none", want: []string{"127.0.0.1:6881"}}
	port := way.run(t, dir, way.line, env)
	env = append(env, "SWARM_BOOTSTRAP=127.0.0.1:"+port)
	for _, shown := range sessions {
		if _, err := exec.LookPath("jq"); err != nil && strings.Contains(shown.line, "| jq") {
			t.Logf("%s: %v", shown.line, err)
			continue
		}
		shown.run(t, dir, shown.line, env)
	}
}
