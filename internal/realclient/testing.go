package realclient

import (
	"fmt"
	"os"
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
}

func skipOrFail(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv(requireClients) == "1" {
		t.Fatalf("%s (and %s=1)", reason, requireClients)
	}
	t.Skip(reason)
}

// Start launches a client for a test, after Require. It is ended with the test,
// and its log is shown when the test has failed and kept in the test's
// artifact directory. An empty opts.Dir becomes a temporary one.
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
	artifacts := t.ArtifactDir() // asked for now, so that it outlives the clean-up below
	t.Cleanup(func() {
		tail := c.TailLog()
		c.Close()
		if t.Failed() {
			keepLog(t, filepath.Join(opts.Dir, "client.log"), tail, filepath.Join(artifacts, fmt.Sprintf("%s-%v.log", kind, opts.IP)))
		}
	})
	return c
}

// keepLog shows the last lines of a client's log and copies the whole of it.
func keepLog(t testing.TB, file, tail, copyTo string) {
	const linesMax = 40
	lines := strings.Split(strings.TrimSpace(tail), "\n")
	lines = lines[max(0, len(lines)-linesMax):]
	t.Logf("%s ends with:\n%s", filepath.Base(copyTo), strings.Join(lines, "\n"))
	raw, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(copyTo, raw, 0o600)
	}
	if err != nil {
		t.Logf("keeping the log: %v", err)
	}
}
