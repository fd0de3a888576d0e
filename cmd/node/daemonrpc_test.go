//go:build unix

package main

import (
	"io"
	"net/http"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestParseRPC(t *testing.T) {
	for s, want := range map[string]string{":9091": "127.0.0.1:9091", "192.0.2.1": "192.0.2.1:9091",
		"192.0.2.1:1": "192.0.2.1:1", "[2001:db8::1]:2": "[2001:db8::1]:2", ":0": "127.0.0.1:0",
		"[::1]": "[::1]:9091"} {
		if got, err := parseRPC(s); err != nil || got != netip.MustParseAddrPort(want) {
			t.Errorf("%q is %v, %v; want %s", s, got, err, want)
		}
	}
	for _, s := range []string{"", "x", "host:9091", ":70000", "1.2.3.4:x"} {
		if got, err := parseRPC(s); err == nil {
			t.Errorf("%q is %v", s, got)
		}
	}
	for s, want := range map[string]string{"10.0.0.0/8": "10.0.0.0/8", "10.0.0.1": "10.0.0.1/32",
		"::1": "::1/128"} {
		if got, err := parseNetwork(s); err != nil || got.String() != want {
			t.Errorf("%q is %v, %v; want %s", s, got, err, want)
		}
	}
	for _, s := range []string{"", "x", "10.0.0.0/40", "fe80::1%eth0"} {
		if got, err := parseNetwork(s); err == nil {
			t.Errorf("%q is %v", s, got)
		}
	}
}

// A daemon answers front ends over TCP and on its socket, at the path that the user wants.
func TestDaemonServesRPC(t *testing.T) {
	d := startDaemon(t, "--rpc", ":0", "--rpc-path", "/x/")
	if len(d.start.RPC) != 1 || len(d.start.HTTP) != 0 {
		t.Fatalf("the daemon listens at %v and %v", d.start.RPC, d.start.HTTP)
	}
	for client, url := range map[*http.Client]string{
		{Timeout: time.Minute}: "http://" + d.start.RPC[0] + "/x/rpc",
		d.local():              "http://socket/x/rpc",
	} {
		id, body := "", ""
		for range 2 {
			r, err := http.NewRequest("POST", url, strings.NewReader(`{"method":"session-stats"}`))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("X-Transmission-Session-Id", id)
			response, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			doc, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			id, body = response.Header.Get("X-Transmission-Session-Id"), string(doc)
		}
		if !strings.Contains(body, `"result":"success"`) {
			t.Errorf("%s answers %s", url, body)
		}
	}
}

func TestDaemonRPCFaults(t *testing.T) {
	for _, args := range [][]string{{"--rpc", "192.0.2.1:1"}, {"--rpc", "x"}, {"--rpc-allow", "x"},
		{"--rpc-path", "/a b/"}} {
		code, stderr := failDaemon(t, args...)
		if code != exitUsage || !strings.Contains(stderr, "rpc") {
			t.Errorf("%v: exit %d: %s", args, code, stderr)
		}
	}
	if code, stderr := failDaemon(t, "--rpc-web", "/no/such/folder"); code != exitDisk {
		t.Errorf("without the folder: exit %d: %s", code, stderr)
	}
}

// failDaemon runs a daemon that cannot start, and returns its exit code and what it says.
func failDaemon(t *testing.T, args ...string) (code int, said string) {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "node", append([]string{"daemon", "--state-dir", dir,
		"--socket", "none", "--bootstrap", "none", "--listen", "127.0.0.1:0"}, args...)...)
	cmd.Env = append(cmd.Environ(), "XDG_CONFIG_HOME="+dir)
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Errorf("%v: it starts", args)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}
