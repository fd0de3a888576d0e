//go:build unix

package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// While the daemon waits for the server of a new blocklist, it does everything else, and can be
// ended at once.
func TestDaemonReloadsAside(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	d := startDaemon(t)
	file := filepath.Join(d.dir, "swarmnode", "config.toml")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	doc := fmt.Sprintf("blocklist = [%q]\n", "http://"+silent.Addr().String()+"/list")
	if err := os.WriteFile(file, []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	asked, err := silent.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer asked.Close()
	status, body := answerOf(t, d.local(), "GET", "http://node/api/v1/session", "")
	if status != 200 {
		t.Errorf("meanwhile: %d %s", status, body)
	}
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := d.exit(t); code != 128+int(syscall.SIGTERM) {
		t.Errorf("exit code %d; %s", code, d.err.String())
	}
	// Only a clean stop writes the file at once.
	if _, err := os.Stat(filepath.Join(d.dir, "state", "stats.json")); err != nil {
		t.Errorf("no clean stop: %v; %s", err, d.err.String())
	}
}
