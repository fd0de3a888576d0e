//go:build linux

package realclient

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Require skips the test, with the reason, when a client is not installed. With
// SWARM_REQUIRE_CLIENTS=1 in the environment it fails instead.
func Require(t testing.TB, kinds ...Kind) {
	t.Helper()
	for _, kind := range kinds {
		if err := Installed(kind); err != nil {
			skipOrFail(t, err.Error())
		}
	}
	Beside(t)
}

// RequireProgram returns the path of a program of the system that a test looks into, such as
// systemd-analyze. It skips the test, with the reason, when the program is not installed. With
// SWARM_REQUIRE_CLIENTS=1 in the environment it fails instead.
func RequireProgram(t testing.TB, name string) (path string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		skipOrFail(t, name+" is not installed")
	}
	return path
}

func skipOrFail(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv(requireClients) == "1" {
		t.Fatalf("%s (and %s=1)", reason, requireClients)
	}
	t.Skip(reason)
}

// Start launches a client for a test, after Require. It is ended with the test,
// the end of its log is shown when the test has failed, and the whole log is
// kept in the test's artifact directory (go test -artifacts). An empty opts.Dir
// becomes a temporary one.
func Start(t testing.TB, kind Kind, opts Options) *Client {
	t.Helper()
	Require(t, kind)
	if opts.Dir == "" {
		// Not t.TempDir: its path holds the test's name and may be longer than
		// what fits a Unix socket.
		dir, err := os.MkdirTemp("", string(kind))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		opts.Dir = dir
	}
	c, err := Launch(t.Context(), kind, opts)
	if err != nil {
		t.Fatal(err)
	}
	copyTo := filepath.Join(t.ArtifactDir(), fmt.Sprintf("%s-%v.log", kind, opts.IP))
	t.Cleanup(func() {
		tail := c.TailLog()
		c.Close()
		if t.Failed() {
			showTail(t, filepath.Base(copyTo), tail)
		}
		if err := copyFile(copyTo, filepath.Join(opts.Dir, "client.log")); err != nil {
			t.Logf("keeping the log: %v", err)
		}
	})
	return c
}

// showTail shows the last lines of a log.
func showTail(t testing.TB, name, tail string) {
	const linesMax = 40
	lines := strings.Split(strings.TrimSpace(tail), "\n")
	lines = lines[max(0, len(lines)-linesMax):]
	t.Logf("%s ends with:\n%s", name, strings.Join(lines, "\n"))
}

func copyFile(to, from string) error {
	raw, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, raw, 0o600)
}
