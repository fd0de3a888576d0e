//go:build linux

package main_test

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

// A faultyDaemon is a daemon whose state folder gets into trouble. Torrents come to it by
// a watched folder.
type faultyDaemon struct {
	*nodeproc.Node
	state string // as the daemon names it
	seen  string // the same folder, as the test reaches it
	drop  string
}

// startFaulty starts a daemon with a state folder. before is what the command line begins with.
func startFaulty(t *testing.T, state string, before ...string) *faultyDaemon {
	t.Helper()
	d := &faultyDaemon{state: state, seen: state, drop: t.TempDir()}
	args := slices.Concat(before, []string{buildNode(t), "daemon", "--dir", t.TempDir(), "--watch",
		d.drop, "--listen", "127.0.0.1:0", "--no-portmap", "--no-lsd", "--no-dht", "--socket",
		"none"})
	var err error
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

// put puts a link into the watched folder, whose info-hash consists of one digit.
func (d *faultyDaemon) put(t *testing.T, digit string) {
	t.Helper()
	link := "magnet:?xt=urn:btih:" + strings.Repeat(digit, 40)
	if err := os.WriteFile(filepath.Join(d.drop, digit+".magnet"), []byte(link),
		0o600); err != nil {
		t.Fatal(err)
	}
}

// await waits until the link was taken and is kept.
func (d *faultyDaemon) await(t *testing.T, digit string) {
	t.Helper()
	d.until(t, "the link "+digit+" is kept", func() bool {
		_, taken := os.Stat(filepath.Join(d.drop, digit+".magnet.added"))
		_, kept := os.Stat(d.record(digit))
		return taken == nil && kept == nil
	})
}

func (d *faultyDaemon) record(digit string) string {
	return filepath.Join(d.seen, "torrents", strings.Repeat(digit, 40)+".json")
}

// told waits until a warning has come with a text, and fails if it comes twice.
func (d *faultyDaemon) told(t *testing.T, text string) {
	t.Helper()
	d.until(t, text, func() bool { return d.warnings(text) == 1 })
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

func (d *faultyDaemon) until(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-d.Done():
			t.Fatal("the daemon has ended: ", d.Log())
		case <-ctx.Done():
			t.Fatal("never: ", what, d.Log())
		}
	}
}

// While the state folder is full, torrents are refused, with one warning, and taken once there is
// room.
func TestDaemonStateIsFull(t *testing.T) {
	t.Parallel() // it waits for the next try
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
	d.put(t, "a")
	d.await(t, "a")
	ballast := filepath.Join(d.seen, "ballast")
	fill := make([]byte, 1<<20)
	if err := os.WriteFile(ballast, fill, 0o600); err == nil {
		t.Fatal("the file system is not full")
	}
	d.put(t, "b")
	d.told(t, "b.magnet")
	if _, err := os.Stat(d.record("b")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a record is there: %v", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	d.await(t, "b")
	d.told(t, "changes of torrents cannot be kept")
	if left, _ := filepath.Glob(filepath.Join(d.seen, "torrents", "*.new")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// Nothing is written to a folder that has taken the place of the state folder. When the right
// one is back, everything goes on; and a kill loses nothing.
func TestDaemonStateIsSwapped(t *testing.T) {
	t.Parallel() // it waits for the next try
	top := t.TempDir()
	state, away := filepath.Join(top, "state"), filepath.Join(top, "away")
	d := startFaulty(t, state)
	d.put(t, "a")
	d.await(t, "a")
	if err := errors.Join(os.Rename(state, away), os.Mkdir(state, 0o700)); err != nil {
		t.Fatal(err)
	}
	d.put(t, "b")
	d.told(t, "b.magnet")
	if strange, err := os.ReadDir(state); len(strange) != 0 || err != nil {
		t.Errorf("the other folder has %v, %v", strange, err)
	}
	if err := errors.Join(os.Remove(state), os.Rename(away, state)); err != nil {
		t.Fatal(err)
	}
	d.await(t, "b")
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
	state := t.TempDir()
	d := startFaulty(t, state)
	d.put(t, "a")
	d.await(t, "a")
	d.put(t, "b")
	d.await(t, "b")
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
	again.put(t, "a")
	again.told(t, "a.magnet")
	again.Stop()
	if now, err := os.ReadFile(d.record("a")); string(now) != later {
		t.Errorf("the record was changed to %s, %v", now, err)
	}
}
