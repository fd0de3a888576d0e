//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"swarmnode/internal/nodeproc"
)

// A faultyDaemon is a daemon whose state folder gets into trouble.
type faultyDaemon struct {
	*nodeproc.Node
	state  string // as the daemon names it
	seen   string // the same folder, as the test reaches it
	socket string
}

// startFaulty starts a daemon with a state folder. before is what the command line begins with.
func startFaulty(t *testing.T, state string, before ...string) *faultyDaemon {
	t.Helper()
	node, err := exec.LookPath("node") // of TestMain
	if err != nil {
		t.Fatal(err)
	}
	// The path of a socket is short, and that of a test's folder is not.
	dir, err := os.MkdirTemp("", "d")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	d := &faultyDaemon{state: state, seen: state, socket: filepath.Join(dir, "ctl")}
	args := slices.Concat(before, []string{node, "daemon", "--dir", t.TempDir(), "--listen",
		"127.0.0.1:0", "--no-portmap", "--no-lsd", "--no-dht", "--socket", d.socket})
	if d.Node, err = nodeproc.Start(args[0], state, args[1:]...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Stop)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if _, err := d.WaitEvent(ctx, "start"); err != nil {
		t.Fatal(err, d.Log())
	}
	return d
}

// add hands the daemon a link whose info-hash consists of one digit. want is the exit code.
func (d *faultyDaemon) add(t *testing.T, digit string, want int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", "add", "-D", "--socket", d.socket,
		"magnet:?xt=urn:btih:"+strings.Repeat(digit, 40))
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	out, err := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != want {
		t.Fatalf("adding %s: %v: %s", digit, err, out)
	}
	if _, err := os.Stat(d.record(digit)); want == 0 && err != nil {
		t.Error(err)
	}
}

func (d *faultyDaemon) record(digit string) string {
	return filepath.Join(d.seen, "torrents", strings.Repeat(digit, 40)+".json")
}

// told waits until there was a warning with a text, and checks that there was one.
func (d *faultyDaemon) told(t *testing.T, text string) {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for d.warnings(text) == 0 { // what the daemon has said may be on its way
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("no warning with %q: %s", text, d.Log())
		}
	}
	if n := d.warnings(text); n != 1 {
		t.Errorf("%d warnings with %q, want 1: %s", n, text, d.Log())
	}
}

func (d *faultyDaemon) warnings(text string) (n int) {
	for line := range strings.Lines(d.Log()) {
		if strings.Contains(line, "warning") && strings.Contains(line, text) &&
			!strings.HasPrefix(line, "last event") {
			n++
		}
	}
	return n
}

// While the state folder is full, torrents are refused, with one warning, and taken once there is
// room.
func TestDaemonStateIsFull(t *testing.T) {
	t.Parallel()
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		t.Skip("unshare is not installed")
	}
	private := "-m"
	if os.Geteuid() != 0 {
		private = "-rm"
	}
	if out, err := exec.Command(unshare, private, "mount", "-t", "tmpfs", "none",
		t.TempDir()).CombinedOutput(); err != nil {
		t.Skipf("no mounts of our own: %v: %s", err, out)
	}
	state := t.TempDir()
	const mount = `mount -t tmpfs -o size=512k,mode=700 none "$1" && shift && exec "$@"`
	d := startFaulty(t, state, unshare, private, "sh", "-c", mount, "sh", state)
	d.seen = fmt.Sprintf("/proc/%d/root%s", d.Pid(), state)
	d.add(t, "a", 0)
	ballast := filepath.Join(d.seen, "ballast")
	fill := make([]byte, 1<<20)
	if err := os.WriteFile(ballast, fill, 0o600); err == nil {
		t.Fatal("the file system is not full")
	}
	for range 2 {
		d.add(t, "b", exitDisk)
	}
	if _, err := os.Stat(d.record("b")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a record is there: %v", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	d.add(t, "b", 0)
	d.told(t, "changes of torrents cannot be kept")
	if left, _ := filepath.Glob(filepath.Join(d.seen, "torrents", "*.new")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// Nothing is written to a folder that has taken the place of the state folder. When the right
// one is back, everything goes on; and a kill loses nothing.
func TestDaemonStateIsSwapped(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	state, away := filepath.Join(top, "state"), filepath.Join(top, "away")
	d := startFaulty(t, state)
	d.add(t, "a", 0)
	if err := errors.Join(os.Rename(state, away), os.Mkdir(state, 0o700)); err != nil {
		t.Fatal(err)
	}
	d.add(t, "b", exitDisk)
	if strange, err := os.ReadDir(state); len(strange) != 0 || err != nil {
		t.Errorf("the other folder has %v, %v", strange, err)
	}
	if err := errors.Join(os.Remove(state), os.Rename(away, state)); err != nil {
		t.Fatal(err)
	}
	d.add(t, "b", 0)
	d.Kill()
	again := startFaulty(t, state)
	defer again.Stop()
	for _, digit := range []string{"a", "b"} {
		if _, err := os.Stat(again.record(digit)); err != nil {
			t.Error(err)
		}
	}
	if aside, _ := filepath.Glob(filepath.Join(state, "torrents", "*.damaged*")); len(aside) > 0 {
		t.Errorf("set aside: %q", aside)
	}
}

// A record of a later version is left alone, and said once; the rest starts.
func TestDaemonStateOfLaterVersion(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	d := startFaulty(t, state)
	d.add(t, "a", 0)
	d.add(t, "b", 0)
	d.Stop()
	doc, err := os.ReadFile(d.record("a"))
	if err != nil {
		t.Fatal(err)
	}
	later := strings.Replace(string(doc), `"version":1`, `"version":77`, 1)
	if later == string(doc) {
		t.Fatalf("the record has no version: %s", doc)
	}
	if err := os.WriteFile(d.record("a"), []byte(later), 0o600); err != nil {
		t.Fatal(err)
	}
	again := startFaulty(t, state)
	again.told(t, "version 77")
	again.add(t, "a", exitDisk)
	again.Stop()
	if now, err := os.ReadFile(d.record("a")); string(now) != later {
		t.Errorf("the record was changed to %s, %v", now, err)
	}
}
