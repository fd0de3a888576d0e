//go:build unix

package hook

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// gone reports whether the process whose id a file has is gone, or a zombie that nobody here
// can bury.
func gone(t *testing.T, file string) bool {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if syscall.Kill(pid, 0) != nil {
		return true
	}
	stat, err := os.ReadFile(filepath.Join("/proc", string(text), "stat"))
	if err != nil {
		return os.IsNotExist(err)
	}
	for i := len(stat) - 1; i > 0; i-- {
		if stat[i] == ')' {
			return stat[i+2] == 'Z'
		}
	}
	return false
}

// A command that takes too long gets TERM; one that ignores that gets KILL.
func TestHangingCommandsAreEnded(t *testing.T) {
	for _, what := range []string{"hang", "stubborn"} {
		file := filepath.Join(t.TempDir(), "pid")
		var log journal
		short := long
		short.limit, short.grace = 2*time.Second, 100*time.Millisecond
		r := newRunner(log.logger(), short)
		c := do(t, what+" "+file)
		if err := r.Run(c); err != nil {
			t.Fatal(err)
		}
		eventually(t, what+" is ended", func() bool {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.running == 0
		})
		r.Close()
		signal := map[string]string{"hang": "terminated", "stubborn": "killed"}[what]
		wantLog(t, log.String(), "it ran for 2s", "signal: "+signal)
		if _, err := os.Stat(file); err == nil && !gone(t, file) {
			t.Errorf("%s lives", what)
		}
	}
}

// A command that leaves a child behind, which has its output open, holds up nobody. The child
// goes on: that is what its parent wanted.
func TestForkedChildrenHoldUpNobody(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	short := long
	short.pipe = 50 * time.Millisecond
	log := run(t, short, do(t, "fork "+file))
	wantLog(t, log, "command ended", "level=INFO")
	if gone(t, file) {
		t.Error("the child was ended")
	}
	text, _ := os.ReadFile(file)
	pid, _ := strconv.Atoi(string(text))
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Error(err)
	}
}

// Close waits for a while, and then ends the command and its children.
func TestCloseEndsGroups(t *testing.T) {
	dir := t.TempDir()
	child := filepath.Join(dir, "child")
	short := long
	short.close = 20 * time.Millisecond
	r := newRunner(nil, short)
	// The shell waits for its child, which ignores TERM.
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := Command{Args: []string{"sh", "-c", `"$SELF" & wait`},
		Env: []string{"SELF=" + self, "HOOK_DO=stubborn " + child, quickRace}}
	if err := r.Run(c); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the child lives", func() bool {
		_, err := os.Stat(child)
		return err == nil
	})
	r.Close()
	eventually(t, "the child is gone", func() bool { return gone(t, child) })
}
