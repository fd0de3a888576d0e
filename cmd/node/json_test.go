package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/metainfo"
)

// With --json, every line of standard output is an event and the last one is
// exit, whatever the command line is; the message of an error is the line on
// standard error.
func TestJSONAlways(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	torrent := "d4:infod6:lengthi5e4:name1:x12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee"
	if err := os.WriteFile(filepath.Join(dir, "x.torrent"), []byte(torrent), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		line string
		env  string
		code int
		want string // the event before exit
	}{
		{"--json", "", exitUsage, "error"},
		{"", "SWARM_JSON=true", exitUsage, "error"},
		{"--json frobnicate", "", exitUsage, "error"},
		{"frobnicate --json", "", exitUsage, "error"},
		{"frobnicate", "SWARM_JSON=1", exitUsage, "error"},
		{"--json dht", "", exitUsage, "error"},
		{"dht frobnicate --json", "", exitUsage, "error"},
		{"--json --frob", "", exitUsage, "error"},
		{"add --json", "", exitUsage, "error"},
		{"add --frob --json x", "", exitUsage, "error"},
		{"add --json --port high x", "", exitUsage, "error"},
		{"--json help", "", exitDone, "help"},
		{"help --json", "", exitDone, "help"},
		{"help add --json", "", exitDone, "help"},
		{"help frobnicate --json", "", exitUsage, "error"},
		{"--json --help", "", exitDone, "help"},
		{"-h --json", "", exitDone, "help"},
		{"add -h --json", "", exitDone, "help"},
		{"dht --help --json", "", exitDone, "help"},
		{"dht ping --help", "SWARM_JSON=true", exitDone, "help"},
		{"--version --json", "", exitDone, "version"},
		{"--json=true --version", "", exitDone, "version"},
		{"--version", "SWARM_JSON=true", exitDone, "version"},
		{"version --json", "", exitDone, "version"},
		{"completion --json bash", "", exitDone, "completion"},
		{"completion zsh --json", "", exitDone, "completion"},
		{"man --json add", "", exitDone, "man"},
		{"completion --json tcsh", "", exitUsage, "error"},
		{"sim --json", "", exitDone, "scenario"},
		{"info --json x.torrent", "", exitDone, "torrent"},
		{"ls --json x.torrent", "", exitDone, "file"},
		{"verify --json x.torrent", "", exitMismatch, "error"},
		{"verify --json nowhere\nx.torrent", "", exitInput, "error"},
		{"magnet --json x.torrent", "", exitDone, "magnet"},
		{"metainfo --json -o - x.torrent", "", exitUsage, "error"},
		{"create --json -o - x.torrent", "", exitUsage, "error"},
		{"add --json nowhere.torrent", "", exitInput, "error"},
	} {
		var args []string
		if tt.line != "" {
			args = strings.Split(tt.line, " ")
		}
		cmd := exec.Command("node", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", tt.env)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
			t.Fatal(err)
		}
		events := checkEvents(t, stdout.String())
		if n := len(events); n < 2 || events[n-1]["event"] != "exit" ||
			events[n-1]["code"] != float64(tt.code) ||
			events[n-2]["event"] != tt.want {
			t.Errorf("%s %q: want %s and exit %d:\n%s", tt.env, tt.line, tt.want, tt.code,
				stdout.String())
			continue
		}
		if code := cmd.ProcessState.ExitCode(); code != tt.code {
			t.Errorf("%s %q: exit code %d, want %d", tt.env, tt.line, code, tt.code)
		}
		want := ""
		if tt.want == "error" {
			want, _ = events[len(events)-2]["message"].(string)
			want += "\n"
		}
		if stderr.String() != want {
			t.Errorf("%s %q: stderr %q, want %q", tt.env, tt.line, stderr.String(), want)
		}
	}
}

// checkEvents reads text as events, one a line.
func checkEvents(t *testing.T, text string) (all []map[string]any) {
	t.Helper()
	for line := range strings.Lines(text) {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("not JSON: %q", line)
		}
		if _, err := time.Parse(time.RFC3339Nano, e["t"].(string)); err != nil || e["v"] != 1.0 ||
			e["event"] == nil {
			t.Fatalf("not an event: %q", line)
		}
		all = append(all, e)
	}
	return all
}

// A check reports once a second, however often it is told how far it is, and
// not at all within the first.
func TestHashingReportsOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, stdout, _ := testConsole()
		c.json, c.silent = true, true
		h := startHashing(c, metainfo.Hash{1})
		for i := range int64(55) {
			h.at(i*1000, 1e6)
			time.Sleep(100 * time.Millisecond)
		}
		h.stop()
		events := checkEvents(t, stdout.String())
		if len(events) != 5 {
			t.Errorf("%d events in 5.5 s, want 5:\n%s", len(events), stdout)
		}
		for _, e := range events {
			if e["event"] != "progress" || e["state"] != "hashing" || e["total"] != 1e6 ||
				e["torrent"] == nil {
				t.Errorf("event %v", e)
			}
		}

		c, stdout, stderr := testConsole()
		c.redraw = true
		h = startHashing(c, metainfo.Hash{1})
		h.at(1, 2)
		time.Sleep(900 * time.Millisecond)
		h.stop()
		if stdout.Len()+stderr.Len() > 0 {
			t.Errorf("work of 0.9 s shows %q %q", stdout, stderr)
		}
	})
}
