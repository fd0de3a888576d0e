package hook

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func wantLog(t *testing.T, log string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
}

// What strangers wrote reaches a command as it is: nothing interprets it.
func TestEnvironmentIsData(t *testing.T) {
	evil := "$(touch /tmp/x); `id` \"'\\ %s && rm -rf * | ü"
	c := do(t, "env NAME")
	c.Env = append(c.Env, Variable("NAME", evil))
	c.Args = append(c.Args, "$NAME", "*")
	log := run(t, long, c)
	wantLog(t, log, fmt.Sprintf("output=%q", evil), "level=INFO", "event=on-test",
		"torrent=abcdef")
	log = run(t, long, do(t, "args", "$NAME", "* ; x"))
	wantLog(t, log, `[\"$NAME\" \"* ; x\"]`)
}

// A command finds no terminal to read from, and a folder that is always there.
func TestSurroundings(t *testing.T) {
	wantLog(t, run(t, long, do(t, "stdin")), "0 bytes, <nil>")
	wantLog(t, run(t, long, do(t, "where")), "output="+workingDir())
}

func TestCommandsInheritNothingOfOthers(t *testing.T) {
	for name, kept := range map[string]bool{"NOTIFY_SOCKET": false, "WATCHDOG_USEC": false,
		"LISTEN_FDS": false, "TR_TORRENT_NAME": false, "SWARM_TORRENT_ID": false,
		"SWARM_SOCKET": true} {
		t.Setenv(name, "inherited")
		log := run(t, long, do(t, "env "+name))
		if strings.Contains(log, "output=inherited") != kept {
			t.Errorf("%s: want kept %v\n%s", name, kept, log)
		}
	}
}

// Failures are warnings with the exit code and what was printed, on one line without what a
// terminal would obey.
func TestFailures(t *testing.T) {
	log := run(t, long, do(t, "fail"))
	wantLog(t, log, "level=WARN", "exit status 7", `output="it went wrong  [31m?"`)
	wantLog(t, run(t, long, do(t, "crash")), "level=WARN", "exit status 2", "on purpose")
	missing := filepath.Join(t.TempDir(), "missing")
	wantLog(t, run(t, long, Command{Args: []string{missing}}), "cannot be started", "no such file")
	if err := os.WriteFile(missing, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantLog(t, run(t, long, Command{Args: []string{missing}}), "cannot be started",
		"permission denied")
	wantLog(t, run(t, long, Command{Args: []string{"no-such-program-anywhere"}}),
		"cannot be started", "not found")
}

func TestOutputIsBounded(t *testing.T) {
	log := run(t, long, do(t, "print"))
	wantLog(t, log, "command ended", strings.Repeat("x", outputMax)+" ...")
	if len(log) > outputMax+1000 {
		t.Errorf("a line of %d bytes", len(log))
	}
}

// Began is called once for each command that had its turn, even for one that cannot start.
func TestBeganOnce(t *testing.T) {
	var count [2]int
	first, second := do(t, "args"), Command{Args: []string{filepath.Join(t.TempDir(), "none")}}
	first.Began = func() { count[0]++ }
	second.Began = func() { count[1]++ }
	run(t, long, first)
	run(t, long, second)
	if count != [2]int{1, 1} {
		t.Errorf("called %v times", count)
	}
}

func TestCheck(t *testing.T) {
	many := make([]string, argsMax+1)
	for i := range many {
		many[i] = "x"
	}
	for _, wrong := range [][]string{{""}, {"./script"}, {"a/b"}, {"../x"}, {"a\x00b"},
		{"sh", "x\x00"}, {"sh", strings.Repeat("x", argBytesMax+1)}, many} {
		if err := Check(wrong); err == nil {
			t.Errorf("%.60q is taken", wrong)
		}
	}
	for _, right := range [][]string{nil, {"sh"}, {"/bin/sh", "", "$x"}} {
		if err := Check(right); err != nil {
			t.Errorf("%q: %v", right, err)
		}
	}
}

// However long a value is, the system takes it.
func TestVariablesFit(t *testing.T) {
	if got := Variable("A", "b\x00c"); got != "A=b c" {
		t.Errorf("%q", got)
	}
	got := Variable("A", strings.Repeat("ü", valueBytesMax))
	if len(got) > valueBytesMax+2 || !strings.HasSuffix(got, "ü") {
		t.Errorf("%d bytes, ends with %q", len(got), got[len(got)-4:])
	}
	if got := List("L", []string{"a", "b"}); got != "L=a,b" {
		t.Errorf("%q", got)
	}
	if got := List("L", []string{"a", strings.Repeat("x", valueBytesMax), "b"}); got != "L=a" {
		t.Errorf("a list with an item that does not fit: %.20q", got)
	}
	c := do(t, "env L")
	items := make([]string, 100_000)
	for i := range items {
		items[i] = fmt.Sprint("http://tracker.example/", i)
	}
	c.Env = append(c.Env, List("L", items))
	wantLog(t, run(t, long, c), "http://tracker.example/0,http://tracker.example/1,")
}

// The queue has a bound, and few commands run at one time.
func TestQueueIsBounded(t *testing.T) {
	dir := t.TempDir()
	short := long
	short.close = time.Millisecond
	var log journal
	r := newRunner(log.logger(), short)
	for i := range runningMax {
		if err := r.Run(do(t, "hang "+filepath.Join(dir, fmt.Sprint(i)))); err != nil {
			t.Fatal(err)
		}
	}
	waiting := do(t, "args")
	waiting.Began = func() { t.Error("a fifth command runs") }
	// A worker that has just started may not have taken its command yet.
	eventually(t, "four commands run", func() bool {
		files, _ := filepath.Glob(filepath.Join(dir, "?"))
		return len(files) == runningMax
	})
	for range queueMax {
		if err := r.Run(waiting); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Run(waiting); !errors.Is(err, ErrFull) {
		t.Errorf("one too many: %v", err)
	}
	r.Close()
	if err := r.Run(waiting); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	r.Close()
	wantLog(t, log.String(), "commands=1000", "the daemon ends")
}
