//go:build linux

package main_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"swarmnode/internal/nodeproc"
)

// mountScript makes a small file system that nobody else sees, fills a part of it, and
// becomes the node.
const mountScript = `mount -t tmpfs -o size=6m none "$1" && head -c 3000000 /dev/zero >"$1/ballast" && shift && exec "$@"`

// onItsWayMax is more than what is requested at once. At the rate of loopback, a node
// that kept requesting would have a hundred times as much in ten seconds.
const onItsWayMax = 8 << 20

// When the disk is full, the fetch waits, says so once, requests nothing meanwhile,
// continues when there is room, and loses nothing.
func TestFullDisk(t *testing.T) {
	t.Parallel() // it waits for the next try
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
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
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	binary, dir, small := buildNode(t), t.TempDir(), t.TempDir()
	film := filepath.Join(dir, "film.bin")
	data := make([]byte, 5<<20)
	rand.Read(data)
	if err := os.WriteFile(film, data, 0o600); err != nil {
		t.Fatal(err)
	}
	common := []string{"--no-dht", "--no-lsd", "--listen", "127.0.0.1:0"}
	seed, err := nodeproc.Start(binary, t.TempDir(),
		append([]string{"seed", "--piece-length", "64K", film}, common...)...)
	if err != nil {
		t.Fatal(err)
	}
	defer seed.Stop()
	offered, err := seed.WaitEvent(ctx, "seeding")
	if err != nil {
		t.Fatal(err, seed.Log())
	}
	addr, err := seed.Addr(ctx)
	if err != nil {
		t.Fatal(err)
	}
	add, err := nodeproc.Start(unshare, t.TempDir(),
		append([]string{private, "sh", "-c", mountScript, "sh", small,
			binary, "add", "--seed", "--dir", small, "--peer", addr.String(), offered.Magnet},
			common...)...)
	if err != nil {
		t.Fatal(err)
	}
	defer add.Stop()
	if _, err := add.WaitFor(ctx, "a full disk", func(e nodeproc.Event) bool {
		return e.Event == "warning" && strings.Contains(e.Message, "no space left on device")
	}); err != nil {
		t.Fatal(err, add.Log())
	}
	inside := fmt.Sprintf("/proc/%d/root%s", add.Pid(), small)
	if err := os.Remove(filepath.Join(inside, "ballast")); err != nil {
		t.Fatal(err)
	}
	e, err := add.WaitEvent(ctx, "complete")
	if err != nil {
		t.Fatal(err, add.Log())
	}
	var end struct{ Downloaded int64 }
	if err := json.Unmarshal([]byte(e.Raw), &end); err != nil {
		t.Fatal(err)
	}
	if most := int64(len(data)) + onItsWayMax; end.Downloaded > most {
		t.Errorf("%d bytes came, of %d: more than what was on its way when the disk was full",
			end.Downloaded, len(data))
	}
	if got, err := os.ReadFile(filepath.Join(inside, "film.bin")); err != nil ||
		!bytes.Equal(got, data) {
		t.Error("the content differs:", err)
	}
	add.Stop()
	if e, err := add.WaitEvent(ctx, "exit"); err != nil || e.Code != 143 {
		t.Errorf("exit code %d, %v", e.Code, err)
	}
}
