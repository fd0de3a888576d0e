package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A ward is a daemon of a test.
type ward struct {
	t   *testing.T
	env []string
}

// newWard starts a daemon with a socket of its own.
func newWard(t *testing.T) *ward {
	t.Helper()
	// A path in the folder of the test may be too long for a socket.
	folder, err := os.MkdirTemp("", "top")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	w := &ward{t: t, env: []string{"GORACE=atexit_sleep_ms=0", "XDG_STATE_HOME=" + folder,
		"SWARM_BOOTSTRAP=none", "SWARM_LISTEN=127.0.0.1:0",
		"SWARM_SOCKET=" + filepath.Join(folder, "ctl.sock")}}
	cmd := exec.Command("node", "daemon", "--no-lsd", "--dir", t.TempDir())
	cmd.Env = append(os.Environ(), w.env...)
	var out output
	cmd.Stderr = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Signal(syscall.SIGTERM); cmd.Wait() })
	x := &terminal{t: t}
	timeout := time.After(scriptTimeout)
	for {
		text, more := out.read()
		if strings.Contains(string(text), "ready") {
			break
		}
		select {
		case <-more:
		case <-timeout:
			x.t.Fatalf("the daemon is not ready: %s", text)
		}
	}
	return w
}

// run runs a command of the daemon, and returns what it prints.
func (w *ward) run(args ...string) string {
	w.t.Helper()
	cmd := exec.Command("node", args...)
	cmd.Env = append(os.Environ(), w.env...)
	text, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("%v: %v\n%s", args, err, text)
	}
	return string(text)
}

// add adds a stopped torrent with a name.
func (w *ward) add(hash byte, name string) {
	w.t.Helper()
	w.run("add", "-D", "--paused", "magnet:?xt=urn:btih:"+strings.Repeat(string(hash), 40)+
		"&dn="+name)
}

// modes returns the settings of the terminal.
func (x *terminal) modes() unix.Termios {
	x.t.Helper()
	raw, err := x.master.SyscallConn()
	if err != nil {
		x.t.Fatal(err)
	}
	var modes *unix.Termios
	raw.Control(func(fd uintptr) { modes, err = unix.IoctlGetTermios(int(fd), unix.TCGETS) })
	if err != nil {
		x.t.Fatal(err)
	}
	return *modes
}

// keys types.
func (x *terminal) keys(s string) {
	x.t.Helper()
	if _, err := x.master.WriteString(s); err != nil {
		x.t.Fatal(err)
	}
}

// A live view follows the daemon and steers it with keys. However it ends, the terminal is as it
// was.
func TestTop(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.add('a', "first")
	w.add('b', "second")
	for _, tt := range []struct {
		name string
		end  func(x *terminal)
		code int
	}{
		{"q", func(x *terminal) { x.keys("q") }, exitDone},
		{"Ctrl-C", func(x *terminal) { x.keys("\x03") }, exitInterrupted},
		{"TERM", func(x *terminal) { x.cmd.Process.Signal(syscall.SIGTERM) }, exitTerminated},
		{"HUP", func(x *terminal) { x.cmd.Process.Signal(syscall.SIGHUP) }, exitHungUp},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := onTerminal(t, 80, w.env, "node", "top", "--sort", "name")
			before := x.modes()
			x.await(regexp.QuoteMeta(screenEnter))
			x.await(`2 torrents`)
			x.await(`stopped.*first`)
			if x.modes() == before {
				t.Error("keys are not read one by one")
			}
			tt.end(x)
			x.await(regexp.QuoteMeta(screenLeave))
			if code := x.wait(); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			if after := x.modes(); after != before {
				t.Errorf("the terminal is %+v, was %+v", after, before)
			}
		})
	}
}

// Keys steer the daemon, and what happens there is shown without being asked for.
func TestTopSteers(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.add('a', "first")
	x := onTerminal(t, 80, w.env, "node", "top", "--sort", "name")
	x.await(`stopped.*first`)
	w.add('b', "se%1b%5bcond")
	x.await(`2 torrents`)
	x.await(`se.{1,4}\[cond`)
	x.skip()
	x.keys("r")
	x.await(`metadata.*first`)
	x.skip()
	x.keys("p")
	x.await(`stopped.*first`)
	x.skip()
	x.keys("\r")
	x.await(`Magnet:.*magnet:`)
	x.keys("\x1b")
	x.await(`ID`)
	x.skip()
	x.keys("/fir\r")
	x.await(`1 of 2 torrents`)
	x.skip()
	x.keys("\x1bd")
	x.await(`remove\? y:`)
	x.keys("y")
	x.await(`1 torrent`)
	x.keys("q")
	if code := x.wait(); code != exitDone {
		t.Errorf("exit code %d", code)
	}
	if got := w.run("list"); strings.Contains(got, "first") || !strings.Contains(got, "cond") {
		t.Errorf("the daemon has\n%s", got)
	}
}

// The view follows the size of the terminal, and has room in 40 columns.
func TestTopResize(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.add('a', strings.Repeat("long-", 30))
	x := onTerminal(t, 120, w.env, "node", "top")
	x.await(`Ratio`)
	x.skip()
	raw, err := x.master.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		err = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: 10, Col: 40})
	})
	if err != nil {
		t.Fatal(err)
	}
	x.await(`\x1b\[2J[^R]*long-`)
	x.await(`\x1b\[10;1H`)
	x.keys("q")
	x.wait()
}

// A terminal that cannot redraw gets tables.
func TestTopTables(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.add('a', "first")
	x := onTerminal(t, 80, append(w.env, "TERM=dumb"), "node", "top")
	x.await(`cannot be redrawn: a table every 2s`)
	x.await(`first(?s:.*)first`)
	x.keys("\x03")
	if code := x.wait(); code != exitInterrupted {
		t.Errorf("exit code %d", code)
	}
	if text, _ := x.out.read(); strings.Contains(string(text), "\x1b") {
		t.Errorf("control sequences: %q", text)
	}
}
