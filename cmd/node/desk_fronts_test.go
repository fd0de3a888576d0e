//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"swarmnode/internal/proc"
)

const (
	// frontPictures names a folder for pictures of the screens of failed tests.
	frontPictures = "SWARM_FRONTS_PICTURES"
	// againAfter is how long an attempt is given before it is made again. Attempts that would
	// undo each other are given longer.
	againAfter, switchAfter = time.Second, 5 * time.Second
)

// deskPrograms are what a desk needs.
var deskPrograms = []string{"Xvfb", "openbox", "dbus-daemon", "xdotool"}

// A desk is a screen that nobody sees, with a window manager, a message bus and one front end.
// Keys go to the active window, as those of a user do. What the front end has done is asked of
// the daemon.
type desk struct {
	*stage
	t    *testing.T
	env  []string
	home string
	name string   // program of the front end
	args []string // its arguments, before those of what to add
}

// newDesk makes a desk for a program. It returns nil outside of the namespace of the stage.
func newDesk(t *testing.T, program string, args ...string) *desk {
	t.Helper()
	s := newStage(t, append([]string{program}, deskPrograms...), args...)
	if s == nil {
		return nil
	}
	// The path of a socket is short, and that of a test's folder is not.
	home, err := os.MkdirTemp("", "desk")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	d := &desk{stage: s, t: t, home: home, name: program}
	d.env = []string{"HOME=" + home, "XDG_RUNTIME_DIR=" + home, "XDG_CONFIG_HOME=", "LC_ALL=C",
		"NO_AT_BRIDGE=1", "GSETTINGS_BACKEND=memory", "QT_QPA_PLATFORM=xcb"}
	// A number that is free in one process tree may be taken in another one, whose file of the
	// lock looks like that of a process that is gone.
	display := fmt.Sprintf(":%d", 1000+rand.IntN(50_000))
	d.start("Xvfb", nil, display, "-screen", "0", "1280x900x24", "-nolisten", "tcp")
	d.env = append(d.env, "DISPLAY="+display)
	awaitFront(t, func() error { _, err := d.xdotool("getmouselocation"); return err })
	d.env = append(d.env, "DBUS_SESSION_BUS_ADDRESS="+
		d.firstLine("dbus-daemon", "--session", "--nofork", "--nosyslog", "--print-address"))
	d.start("openbox", nil)
	// The current desktop is known once the window manager works.
	awaitFront(t, func() error { _, err := d.xdotool("get_desktop"); return err })
	return d
}

// start runs a program of the desk until the test ends.
func (d *desk) start(name string, out *lineWriter, args ...string) {
	d.t.Helper()
	var said lockedBuffer
	cfg := proc.Config{Path: name, Args: args, Env: d.env, Dir: d.home, Stderr: &said}
	if out != nil {
		cfg.Stdout = out
	}
	p, err := proc.Start(cfg)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		ended := p.ExitCode()
		p.Stop()
		if d.t.Failed() {
			d.t.Logf("%s: ended before with code %d, by %v; it says: %s", name, ended, p.Wait(),
				said.String())
		}
	})
}

// firstLine starts a program and returns the first line that it prints.
func (d *desk) firstLine(name string, args ...string) string {
	d.t.Helper()
	out := &lineWriter{line: make(chan string, 1)}
	d.start(name, out, args...)
	select {
	case line := <-out.line:
		return line
	case <-time.After(frontWait):
		d.t.Fatalf("%s prints nothing", name)
		return ""
	}
}

// A lineWriter is a writer that hands over the first line and drops the rest.
type lineWriter struct {
	line chan string // with room for one
	head bytes.Buffer
	done bool
}

func (w *lineWriter) Write(p []byte) (int, error) {
	if w.done {
		return len(p), nil
	}
	w.head.Write(p)
	if line, _, ok := strings.Cut(w.head.String(), "\n"); ok {
		w.done = true
		w.line <- line
	}
	return len(p), nil
}

// A lockedBuffer keeps what a program prints while others may read it.
type lockedBuffer struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.String()
}

// config writes a file of the front end's settings, in its home.
func (d *desk) config(path, text string) {
	d.t.Helper()
	path = filepath.Join(d.home, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// open starts the front end, and waits for its window.
func (d *desk) open(window string, args ...string) {
	d.t.Helper()
	d.args = args
	d.start(d.name, nil, args...)
	d.t.Cleanup(d.picture)
	d.window(window)
}

// add starts the front end once more, with a file or a link to add, which it hands to the one
// that runs. Then it waits for the window that asks about the torrent, or that has the list.
func (d *desk) add(what, window string) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), frontWait)
	defer cancel()
	cmd := exec.CommandContext(ctx, d.name, append(d.args, what)...)
	cmd.Env = append(os.Environ(), d.env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		d.t.Fatalf("%s %s: %v: %s", d.name, what, err, out)
	}
	d.window(window)
}

// xdotool runs xdotool and returns what it prints.
func (d *desk) xdotool(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), frontWait)
	defer cancel()
	cmd := exec.CommandContext(ctx, "xdotool", args...)
	cmd.Env = append(os.Environ(), d.env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("xdotool %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// act runs xdotool, which must succeed.
func (d *desk) act(args ...string) {
	d.t.Helper()
	if _, err := d.xdotool(args...); err != nil {
		d.t.Fatal(err)
	}
}

// keys presses keys, one after the other.
func (d *desk) keys(keys ...string) {
	d.t.Helper()
	d.act(append([]string{"key"}, keys...)...)
}

// write replaces the text of the field that has the focus.
func (d *desk) write(text string) {
	d.t.Helper()
	d.keys("ctrl+a")
	d.act("type", text)
}

// click clicks into the active window, relative to it.
func (d *desk) click(x, y string) {
	d.t.Helper()
	d.act("getactivewindow", "mousemove", "--window", "%1", x, y, "click", "1")
}

// isActive returns nil if the name of the active window matches an expression.
func (d *desk) isActive(window string) error {
	name, err := d.xdotool("getactivewindow", "getwindowname")
	if err != nil {
		return err
	}
	if !regexp.MustCompile("^(?:" + window + ")$").MatchString(name) {
		return fmt.Errorf("the active window is %q, not %s", name, window)
	}
	return nil
}

// window waits until the active window has a name.
func (d *desk) window(name string) {
	d.t.Helper()
	awaitFront(d.t, func() error { return d.isActive(name) })
}

// until makes an attempt, again if need be, until it has come to what it was made for. A front
// end may not know yet what its daemon knows when it gets a key.
func (d *desk) until(attempt func(), good func() error) {
	d.t.Helper()
	d.untilEach(againAfter, attempt, good)
}

// untilEach makes an attempt each time that so long has passed, until it has come to what it was
// made for.
func (d *desk) untilEach(after time.Duration, attempt func(), good func() error) {
	d.t.Helper()
	var tried time.Time
	awaitFront(d.t, func() error {
		if err := good(); err == nil {
			return nil
		} else if time.Since(tried) < after {
			return err
		}
		attempt()
		tried = time.Now()
		return good()
	})
}

// untilWindow presses keys until a window of a name is active.
func (d *desk) untilWindow(name string, keys ...string) {
	d.t.Helper()
	d.until(func() { d.keys(keys...) }, func() error { return d.isActive(name) })
}

// untilTorrents makes an attempt until the daemon's torrents are as wanted.
func (d *desk) untilTorrents(attempt func(), good func(map[string]shownTorrent) bool) {
	d.t.Helper()
	d.until(attempt, func() error {
		if all := d.torrents(d.t); !good(all) {
			return fmt.Errorf("the torrents are %+v", all)
		}
		return nil
	})
}

// picture keeps what the screen shows at the end of a failed test.
func (d *desk) picture() {
	folder := os.Getenv(frontPictures)
	if folder == "" || !d.t.Failed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), frontWait)
	defer cancel()
	cmd := exec.CommandContext(ctx, "import", "-window", "root",
		filepath.Join(folder, d.name+time.Now().Format("-150405.png")))
	cmd.Env = append(os.Environ(), d.env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		d.t.Logf("no picture: %v: %s", err, out)
	}
}

// noTwo returns nil once the second file of the film alone is not wanted.
func (d *desk) noTwo() error {
	if names := d.skipped(d.t, "Film"); len(names) != 1 || names[0] != "two.bin" {
		return fmt.Errorf("the files that are not wanted are %q", names)
	}
	return nil
}

// limited waits for a limit of the film's download rate.
func (d *desk) limited() {
	d.t.Helper()
	awaitFront(d.t, func() error {
		if down := d.options(d.t, "Film").Down; down != deskLimit*1000 {
			return fmt.Errorf("the limit is %d", down)
		}
		return nil
	})
}

// moved waits until the content of the film is where the front end has sent it.
func (d *desk) moved() {
	d.t.Helper()
	d.await(d.t, "the film, moved", func(all map[string]shownTorrent) bool {
		return all["Film"].Dir == d.films()
	})
}

// deskLimit is the limit that is set, in kB/s: so much that nobody waits for it.
const deskLimit = 77_777

// films is the folder into which the film is moved.
func (d *desk) films() string { return filepath.Join(d.content, "films") }

// removed checks what is left once the film was removed without its content and the song with it.
func (d *desk) removed() {
	d.t.Helper()
	d.await(d.t, "no torrents", func(all map[string]shownTorrent) bool { return len(all) == 0 })
	d.whole(d.t, filepath.Join(d.films(), "Film", "one.bin"), "Film/one.bin")
	d.whole(d.t, filepath.Join(d.films(), "Film", "three.bin"), "Film/three.bin")
	gone(d.t, filepath.Join(d.films(), "Film", "two.bin"))
	gone(d.t, filepath.Join(d.content, "Film"))
	gone(d.t, filepath.Join(d.content, "Song.bin"))
}
