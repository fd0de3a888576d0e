package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// A terminal is a pseudo terminal with a command on it.
type terminal struct {
	t       *testing.T
	master  *os.File
	cmd     *exec.Cmd
	out     output
	seen    int           // bytes of out that await passes over
	matched int           // bytes of out up to the end of what await found last
	read    chan struct{} // closed when nothing more comes
	started time.Time
}

// onTerminal runs a command on a terminal with the given number of columns, which it
// controls as a shell would; env is added to the environment.
func onTerminal(t *testing.T, columns int, env []string, name string, args ...string) *terminal {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Skip("no terminals here: ", err)
	}
	x := &terminal{t: t, master: os.NewFile(uintptr(fd), "ptmx"), read: make(chan struct{}),
		started: time.Now()}
	t.Cleanup(func() { x.master.Close() })
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ,
			&unix.Winsize{Row: 24, Col: uint16(columns)})
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprint("/dev/pts/", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close()
	x.cmd = exec.Command(name, args...)
	x.cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", "TERM=xterm-256color", "NO_COLOR=")
	x.cmd.Env = append(x.cmd.Env, env...)
	x.cmd.Stdin, x.cmd.Stdout, x.cmd.Stderr = slave, slave, slave
	x.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := x.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.cmd.Process.Kill(); x.cmd.Wait() })
	go func() {
		defer close(x.read)
		b := make([]byte, 4096)
		for {
			n, err := x.master.Read(b)
			x.out.Write(b[:n])
			if err != nil {
				return
			}
		}
	}()
	return x
}

// await waits until the terminal's output matches, and returns the groups.
func (x *terminal) await(pattern string) []string {
	x.t.Helper()
	re := regexp.MustCompile(pattern)
	timeout := time.After(scriptTimeout)
	for {
		text, more := x.out.read()
		if m := re.FindSubmatchIndex(text[x.seen:]); m != nil {
			x.matched = x.seen + m[1]
			var groups []string
			for i := 0; i < len(m); i += 2 {
				groups = append(groups, string(text[x.seen+m[i]:x.seen+m[i+1]]))
			}
			return groups
		}
		select {
		case <-more:
		case <-timeout:
			x.t.Fatalf("no %s after %v:\n%q", pattern, scriptTimeout, text)
		}
	}
}

// skip makes await search only behind what it found last.
func (x *terminal) skip() { x.seen = x.matched }

// wait returns the exit code of the command.
func (x *terminal) wait() int {
	x.t.Helper()
	timer := time.AfterFunc(scriptTimeout, func() { x.cmd.Process.Kill() })
	defer timer.Stop()
	x.cmd.Wait()
	return x.cmd.ProcessState.ExitCode()
}

// drawn returns the progress lines that were drawn, without their colours.
func (x *terminal) drawn() []string {
	text, _ := x.out.read()
	var lines []string
	plain := colours.ReplaceAllString(string(text), "")
	for _, part := range strings.Split(plain, erased)[1:] {
		line, _, _ := strings.Cut(part, "\r")
		if !strings.HasPrefix(line, "node: ") { // a message, which may be longer
			lines = append(lines, line)
		}
	}
	return lines
}

var colours = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// slowly seeds a file, and returns the arguments with which "node" fetches it slowly
// enough to show progress.
func slowly(t *testing.T, dir string) (args []string) {
	t.Helper()
	content := filepath.Join(t.TempDir(), "film.bin")
	if err := os.WriteFile(content, make([]byte, 16<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	seed := exec.Command("node", "seed", "--json", "--no-dht", "--ephemeral", "--listen",
		"127.0.0.1:0", content)
	seed.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	var out output
	seed.Stdout = &out
	if err := seed.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { seed.Process.Kill(); seed.Wait() })
	x := &terminal{t: t}
	x.out.text = nil
	timeout := time.After(scriptTimeout)
	link := regexp.MustCompile(`"magnet":"([^"]*)"`)
	for {
		text, more := out.read()
		if m := link.FindSubmatch(text); m != nil {
			peer := regexp.MustCompile(`"listen":\["([^"]*)"\]`).FindSubmatch(text)
			return []string{"add", "--no-dht", "--ephemeral", "--listen", "127.0.0.1:0", "--peer",
				string(peer[1]),
				"--dir", dir, "--down", "300k", string(m[1])}
		}
		select {
		case <-more:
		case <-timeout:
			t.Fatalf("no magnet link: %s", text)
		}
	}
}

// erased precedes each line that is drawn over another.
const erased = "\r\x1b[K"

// A terminalCase is a kind of terminal and what it shows.
type terminalCase struct {
	name    string
	columns int
	env     []string
	flags   []string
	want    string // a progress line
	colour  bool
	redraw  bool
}

// redrawn matches a second progress line, if lines are redrawn.
func (tt *terminalCase) redrawn() string {
	if tt.redraw {
		return ".*" + regexp.QuoteMeta(erased) + `.*eta \w+`
	}
	return ""
}

// A wide terminal shows a bar and colours, a narrow one the parts that matter most, and
// one without these abilities plain lines.
func TestTerminals(t *testing.T) {
	t.Parallel()
	const bar = `\[#*-+\]`
	for _, tt := range []terminalCase{
		{"wide", 120, nil, nil,
			`^\w{8} ` + bar + ` \d.*% .*/16.0 MiB  down .*  up .*  peers 1/1  eta \w+$`, true,
			true},
		{"NO_COLOR", 120, []string{"NO_COLOR=1"}, nil, `^\w{8} ` + bar + ` .* eta \w+$`, false,
			true},
		{"--no-color", 120, nil, []string{"--no-color"}, `^\w{8} ` + bar + ` .* eta \w+$`, false,
			true},
		{"80 columns", 80, nil, nil, `^\w{8} \d.*%.*  eta \w+$`, true, true},
		{"50 columns", 50, nil, nil, `^\w{8} \d+\.\d%  down [^ ]+ KiB/s  eta \w+$`, true, true},
		{"12 columns", 12, nil, nil, `^eta \w+$`, false, true},
		{"dumb", 120, []string{"TERM=dumb"}, nil, `\w{8} \d.*%.*  eta \w+`, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			x := onTerminal(t, tt.columns, tt.env, "node",
				slices.Concat(slowly(t, t.TempDir()), tt.flags)...)
			x.await(`(?s)eta \w+` + tt.redrawn())
			x.cmd.Process.Signal(syscall.SIGTERM)
			if code := x.wait(); code != exitTerminated {
				t.Errorf("exit code %d", code)
			}
			<-x.read
			text, _ := x.out.read()
			if got := colours.Match(text); got != tt.colour {
				t.Errorf("colours: %v, want %v:\n%q", got, tt.colour, text)
			}
			if got := strings.Contains(string(text), erased); got != tt.redraw {
				t.Errorf("redrawn: %v, want %v:\n%q", got, tt.redraw, text)
			}
			lines := x.drawn()
			if !tt.redraw {
				lines = strings.Split(string(text), "\r\n")
			}
			if !slices.ContainsFunc(lines, regexp.MustCompile(tt.want).MatchString) {
				t.Errorf("no line %s in\n%q\nof %q", tt.want, lines, text)
			}
			for _, line := range lines {
				if n := utf8.RuneCountInString(line); tt.redraw && n >= tt.columns {
					t.Errorf("%d columns of %d: %q", n, tt.columns, line)
				}
			}
		})
	}
}

// Ctrl-C says how far the fetch was, and that the same command continues from there.
func TestControlC(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	args := slowly(t, dir)
	x := onTerminal(t, 100, nil, "node", args...)
	x.await(`[1-9]\.\d\d/16.0 MiB`)
	if _, err := x.master.WriteString("\x03"); err != nil {
		t.Fatal(err)
	}
	x.await(`node: add: \w{8} stopped at [\d.]+%, [\d.]+/16.0 MiB; the same command continues from there`)
	if code := x.wait(); code != exitInterrupted {
		t.Errorf("exit code %d, want %d", code, exitInterrupted)
	}
	args[len(args)-2] = "0" // no limit
	again := onTerminal(t, 100, nil, "node", args...)
	if code := again.wait(); code != exitDone {
		text, _ := again.out.read()
		t.Errorf("exit code %d of the same command:\n%s", code, text)
	}
}

// A terminal that goes away ends the command cleanly, unless it was started to
// outlive it.
func TestTerminalGoesAway(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	x := onTerminal(t, 100, nil, "node", slowly(t, dir)...)
	x.await(`[1-9]\.\d\d/16.0 MiB`)
	x.master.Close()
	if code := x.wait(); code != exitHungUp {
		t.Errorf("exit code %d, want %d", code, exitHungUp)
	}

	path, err := exec.LookPath("nohup")
	if err != nil {
		t.Skip(err)
	}
	dir = t.TempDir()
	args := slowly(t, dir)
	args[len(args)-2] = "4M"
	kept := onTerminal(t, 100, nil, "sh", append([]string{"-c", `cd "$1"; shift; exec "$@"`, "sh",
		dir, path, "node"}, args...)...)
	if waited := waitFor(t, filepath.Join(dir, "film.bin.part")); !waited {
		t.Fatal("nothing is fetched")
	}
	kept.master.Close()
	if code := kept.wait(); code != exitDone {
		out, _ := os.ReadFile(filepath.Join(dir, "nohup.out"))
		t.Errorf("behind nohup: exit code %d\n%s", code, out)
	}
}

// With a blocklist, SIGHUP reads it again while the terminal is there, and ends the command once
// it is gone.
func TestHangUpWithBlocklist(t *testing.T) {
	t.Parallel()
	list := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(list, []byte("192.0.2.1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	x := onTerminal(t, 100, nil, "node", "bootstrap", "--ephemeral", "--listen", "127.0.0.1:0",
		"--bootstrap", "none", "--blocklist", list)
	x.await(`blocklist: 1 range of addresses`)
	if err := os.WriteFile(list, []byte("192.0.2.1\n192.0.2.3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := x.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	x.await(`blocklist: 2 ranges of addresses`)
	x.master.Close()
	if code := x.wait(); code != exitHungUp {
		t.Errorf("exit code %d, want %d", code, exitHungUp)
	}
}

// waitFor waits until there is a file at path.
func waitFor(t *testing.T, path string) bool {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(scriptTimeout)
	for {
		if _, err := os.Stat(path); err == nil {
			return true
		}
		select {
		case <-tick.C:
		case <-timeout:
			return false
		}
	}
}
