//go:build linux

package proc

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestExitCodeAndOutput(t *testing.T) {
	var out bytes.Buffer
	p, err := Start(Config{Path: "sh", Args: []string{"-c", "echo $WORD; exit 7"},
		Env: []string{"WORD=hello"}, Stdout: &out})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err == nil {
		t.Error("Wait: got nil, want an exit error")
	}
	if got := p.ExitCode(); got != 7 {
		t.Errorf("exit code: got %d, want 7", got)
	}
	if got := out.String(); got != "hello\n" {
		t.Errorf("output: got %q, want %q", got, "hello\n")
	}
	p.Stop()
}

func TestHide(t *testing.T) {
	t.Setenv("PROC_TEST_SHOWN", "1")
	t.Setenv("PROC_TEST_HIDDEN", "2")
	var out bytes.Buffer
	p, err := Start(Config{Path: "sh", Args: []string{"-c",
		"echo $PROC_TEST_SHOWN$PROC_TEST_HIDDEN$PROC_TEST_HIDDEN_NEW"},
		Hide: "PROC_TEST_HIDDEN", Env: []string{"PROC_TEST_HIDDEN_NEW=3"}, Stdout: &out})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != "13\n" {
		t.Errorf("got %q, want %q", got, "13\n")
	}
}

func TestStartMissing(t *testing.T) {
	if _, err := Start(Config{Path: "/nonexistent/program"}); err == nil {
		t.Fatal("got nil, want an error")
	}
}

// A child that ignores SIGTERM and has a child of its own is gone after Stop,
// and so is the grandchild.
func TestStopEndsTheGroup(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p, err := Start(Config{Path: "sh", Args: []string{"-c",
		`trap "" TERM; sleep 600 & echo $!; wait; wait`}, Stdout: w})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	grandchild, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	p.Stop()
	if got := p.ExitCode(); got != -1 {
		t.Errorf("exit code: got %d, want -1 (ended by a signal)", got)
	}
	waitGone(t, grandchild)
}

// A program that is killed takes its children with it.
func TestChildDiesWithParent(t *testing.T) {
	if os.Getenv("PROC_TEST_PARENT") != "" {
		child, err := Start(Config{Path: "sleep", Args: []string{"600"}})
		if err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString("child " + strconv.Itoa(child.Pid()) + "\n")
		child.Wait()
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestChildDiesWithParent$")
	cmd.Env = append(os.Environ(), "PROC_TEST_PARENT=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	child := 0
	for child == 0 && lines.Scan() {
		if s, ok := strings.CutPrefix(lines.Text(), "child "); ok {
			child, _ = strconv.Atoi(s)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if child == 0 {
		t.Fatal("the helper did not report a child")
	}
	waitGone(t, child)
}

// waitGone fails the test unless pid ends, or becomes a zombie that only its
// new parent can reap, within a few seconds.
func waitGone(t *testing.T, pid int) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(time.Minute)
	for {
		if syscall.Kill(pid, 0) == syscall.ESRCH {
			return
		}
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("process %d is still alive", pid)
		}
	}
}

func TestUsage(t *testing.T) {
	p, err := Start(Config{Path: "sleep", Args: []string{"600"}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	u, err := p.Usage()
	if err != nil {
		t.Fatal(err)
	}
	if u.PeakRSS <= 0 {
		t.Errorf("peak resident set: got %d, want more than 0", u.PeakRSS)
	}
	p.Stop()
	if _, err := p.Usage(); err != nil {
		t.Errorf("after the end: %v", err)
	}
}

func TestParseStat(t *testing.T) {
	for _, test := range []struct {
		stat string
		want time.Duration
		ok   bool
	}{
		{"1 (a) b) (c) S 0 1 1 0 -1 0 0 0 0 0 12 30 0 0", 420 * time.Millisecond, true},
		{"1 (a S 0 1 1 0 -1 0 0 0 0 0 12 30", 0, false},
		{"1 (a) S 0 1 1", 0, false},
		{"1 (a) S 0 1 1 0 -1 0 0 0 0 0 x 30", 0, false},
	} {
		got, err := parseStat(test.stat)
		if got != test.want || (err == nil) != test.ok {
			t.Errorf("parseStat(%q): got %v, %v, want %v", test.stat, got, err, test.want)
		}
	}
	if got := statusBytes("Name:\tx\nVmHWM:\t  12 kB\n", "VmHWM:"); got != 12<<10 {
		t.Errorf("statusBytes: got %d, want %d", got, 12<<10)
	}
}
