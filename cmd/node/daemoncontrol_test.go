//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A runningDaemon is a process of node daemon.
type runningDaemon struct {
	cmd   *exec.Cmd
	start startEvent
	lines *bufio.Scanner
	dir   string
	err   bytes.Buffer
}

// startDaemon starts a daemon in a folder of its own, and waits until it is ready.
func startDaemon(t *testing.T, args ...string) *runningDaemon {
	t.Helper()
	// The path of a socket is short, and that of a test's folder is not.
	dir, err := os.MkdirTemp("", "d")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return startDaemonIn(t, dir, args...)
}

// startDaemonIn is startDaemon in a folder where one may have run before.
func startDaemonIn(t *testing.T, dir string, args ...string) *runningDaemon {
	t.Helper()
	d := &runningDaemon{dir: dir}
	d.cmd = exec.Command("node", append([]string{"daemon", "--json", "--state-dir", dir + "/state",
		"--dir", dir + "/content", "--socket", dir + "/ctl", "--bootstrap", "none",
		"--listen", "127.0.0.1:0"}, args...)...)
	d.cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", "XDG_CONFIG_HOME="+dir)
	d.cmd.Stderr = &d.err
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.cmd.Process.Kill()
		d.cmd.Wait()
	})
	d.lines = bufio.NewScanner(out)
	if line := d.event(t, "start"); json.Unmarshal(line, &d.start) != nil {
		t.Fatalf("the start is %s", line)
	}
	return d
}

// event returns the next event of a name.
func (d *runningDaemon) event(t *testing.T, name string) []byte {
	t.Helper()
	for d.lines.Scan() {
		if bytes.Contains(d.lines.Bytes(), []byte(`"event":"`+name+`"`)) {
			return bytes.Clone(d.lines.Bytes())
		}
	}
	t.Fatalf("no event %s: %v; %s", name, d.lines.Err(), d.err.String())
	return nil
}

// exit waits for the end, and returns the exit code.
func (d *runningDaemon) exit(t *testing.T) int {
	t.Helper()
	for d.lines.Scan() {
	}
	d.cmd.Wait()
	return d.cmd.ProcessState.ExitCode()
}

// local is a client of the socket.
func (d *runningDaemon) local() *http.Client {
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", d.start.Socket)
		}}}
}

// answerOf returns the status and the body of the answer to a request.
func answerOf(t *testing.T, c *http.Client, method, url, auth string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if auth != "" {
		r.Header.Set("Authorization", auth)
	}
	answer, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

// The daemon answers on its socket and over TCP, and says where it does. Another one with the
// same socket does not start.
func TestDaemonListens(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, "--http", "127.0.0.1:0", "--rpc", ":0", "--metrics", ":0")
	if len(d.start.HTTP) != 1 || len(d.start.RPC) != 1 || len(d.start.Metrics) != 1 ||
		d.start.Socket != d.dir+"/ctl" || len(d.start.Listen) != 1 {
		t.Fatalf("it listens at %+v", d.start)
	}
	for url, client := range map[string]*http.Client{
		"http://daemon/api/v1/torrents":                  d.local(),
		"http://" + d.start.HTTP[0] + "/api/v1/torrents": {Timeout: time.Minute},
	} {
		if code, body := answerOf(t, client, "GET", url, ""); code != http.StatusOK ||
			!strings.Contains(body, `"torrents":[]`) {
			t.Errorf("%s: %d, %s", url, code, body)
		}
	}
	for path, want := range map[string]int{"/metrics": http.StatusOK,
		"/api/v1/torrents": http.StatusNotFound} {
		if code, body := answerOf(t, &http.Client{Timeout: time.Minute}, "GET",
			"http://"+d.start.Metrics[0]+path, ""); code != want {
			t.Errorf("%s of the metrics: %d, %s", path, code, body)
		}
	}
	other := exec.Command("node", "daemon", "--state-dir", d.dir+"/other", "--socket", d.dir+"/ctl",
		"--bootstrap", "none", "--listen", "127.0.0.1:0")
	out, err := other.CombinedOutput()
	want := fmt.Sprintf("node: daemon: %s/ctl: another daemon listens here "+
		"(try: another --socket, or none)\n", d.dir)
	if other.ProcessState.ExitCode() != exitNetwork || !strings.HasSuffix(string(out), want) {
		t.Errorf("a second daemon: %v, %s", err, out)
	}
	port := exec.Command("node", "daemon", "--state-dir", d.dir+"/third", "--socket", "none",
		"--http", d.start.HTTP[0], "--bootstrap", "none", "--listen", "127.0.0.1:0")
	out, err = port.CombinedOutput()
	if port.ProcessState.ExitCode() != exitNetwork ||
		!strings.Contains(string(out), "(try: another --http)") {
		t.Errorf("a port that is taken: %v, %s", err, out)
	}
	d.cmd.Process.Signal(syscall.SIGTERM)
	if code := d.exit(t); code != exitTerminated {
		t.Errorf("exit code %d; %s", code, d.err.String())
	}
	if _, err := os.Lstat(d.start.Socket); err == nil {
		t.Error("the socket is still there")
	}
}

// Beyond this machine a password is needed. Passwords and tokens are those of the file, and end
// when they are removed from it.
func TestDaemonNeedsPassword(t *testing.T) {
	t.Parallel()
	open := exec.Command("node", "daemon", "--state-dir", t.TempDir(), "--socket", "none",
		"--http", "0.0.0.0:0", "--bootstrap", "none", "--listen", "127.0.0.1:0")
	out, err := open.CombinedOutput()
	if open.ProcessState.ExitCode() != exitUsage ||
		!strings.Contains(string(out), "node password") {
		t.Errorf("an address for everybody: %v, %s", err, out)
	}
	file := filepath.Join(t.TempDir(), "passwords")
	node := func(stdin string, args ...string) string {
		t.Helper()
		cmd := exec.Command("node", append(args, "--password-file", file)...)
		cmd.Stdin = strings.NewReader(stdin)
		cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %v, %s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	node("open sesame\r\n", "password", "me")
	token := node("", "token", "new", "--scope", "read", "looker")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info.Mode(), err)
	}
	d := startDaemon(t, "--password-file", file, "--http", "127.0.0.1:0")
	url := "http://" + d.start.HTTP[0] + "/api/v1/torrents"
	check := func(why, auth string, want int) {
		t.Helper()
		client := http.Client{Timeout: time.Minute}
		if code, body := answerOf(t, &client, "GET", url, auth); code != want {
			t.Errorf("%s: %d, %s", why, code, body)
		}
	}
	check("nobody", "", http.StatusUnauthorized)
	check("a password", "Basic bWU6b3BlbiBzZXNhbWU=", http.StatusOK) // me:open sesame
	check("a wrong password", "Basic bWU6b3BlbiBzZXNhbQ==", http.StatusUnauthorized)
	check("a token", "Bearer "+token, http.StatusOK)
	node("", "token", "rm", "looker")
	// The daemon looks at the file each second.
	late, tick := time.After(time.Minute), time.NewTicker(100*time.Millisecond)
	defer tick.Stop()
	for code := http.StatusOK; code == http.StatusOK; {
		select {
		case <-late:
			t.Fatal("a token that was removed is in force")
		case <-tick.C:
			code, _ = answerOf(t, &http.Client{Timeout: time.Minute}, "GET", url, "Bearer "+token)
		}
	}
	check("a token that was removed", "Bearer "+token, http.StatusUnauthorized)
	if code, _ := answerOf(t, d.local(), "GET", "http://daemon/api/v1/torrents", ""); code != 200 {
		t.Errorf("the owner at the socket: %d", code)
	}
}
