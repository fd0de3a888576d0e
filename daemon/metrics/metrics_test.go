package metrics

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"swarmnode"
	"swarmnode/daemon"
	"swarmnode/daemon/control"
	"swarmnode/daemon/tally"
	"swarmnode/metainfo"
)

// write returns metrics as text.
func write(t *testing.T, list []Metric) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, list); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// promtool runs Prometheus' own check of metrics.
func promtool(t *testing.T, text string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("SWARM_REQUIRE_CLIENTS") == "1" {
			t.Fatal(err)
		}
		t.Skip("promtool is not installed (Debian: prometheus)")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	check := exec.CommandContext(ctx, path, "check", "metrics")
	check.Stdin = strings.NewReader(text)
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}

// rig starts a daemon with two torrents, one of which has a strange name.
func rig(t *testing.T) *Config {
	t.Helper()
	d, err := daemon.Start(t.Context(), daemon.Config{
		Node: swarmnode.Config{StateDir: t.TempDir(), Bootstrap: []string{}, AnyPort: true,
			NoPortmap: true, Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}},
		Settings: daemon.Settings{Dir: t.TempDir(), Down: 5000, DHT: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	for i, name := range []string{"plain", "a\"b\\c\nd\xff"} {
		link, err := metainfo.ParseMagnet("magnet:?xt=urn:btih:" +
			strings.Repeat(strconv.Itoa(i+1), 40))
		if err != nil {
			t.Fatal(err)
		}
		link.Name = name
		if _, err := d.Add(t.Context(), daemon.AddSpec{Magnet: link,
			Options: daemon.Options{Stopped: true}}); err != nil {
			t.Fatal(err)
		}
	}
	gate, err := control.NewGate(control.GateConfig{})
	if err != nil {
		t.Fatal(err)
	}
	counts := tally.New(d)
	t.Cleanup(counts.Close)
	for deadline := time.Now().Add(30 * time.Second); counts.Sum().Torrents < 2; {
		if time.Now().After(deadline) {
			t.Fatal("the torrents are not counted")
		}
		<-time.After(10 * time.Millisecond)
	}
	return &Config{Daemon: d, Tally: counts, Gate: gate, Torrents: true}
}

// Prometheus takes the metrics of a daemon, and nothing is said twice.
func TestPrometheusTakesThem(t *testing.T) {
	cfg := rig(t)
	text := write(t, cfg.list())
	promtool(t, text)
	seen := make(map[string]bool)
	row := regexp.MustCompile(`^[a-z0-9_]+(\{[a-z]+="([^"\\]|\\.)*"(,[a-z]+="([^"\\]|\\.)*")*\})? \d+$`)
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") {
			if seen[line] {
				t.Errorf("twice: %s", line)
			}
			seen[line] = true
			continue
		}
		if !row.MatchString(line) {
			t.Errorf("no metric: %q", line)
		}
		key := line[:strings.LastIndexByte(line, ' ')]
		if seen[key] {
			t.Errorf("twice: %s", key)
		}
		seen[key] = true
	}
	for _, want := range []string{
		`swarmnode_torrents{status="stopped"} 2`,
		`swarmnode_torrents{status="seeding"} 0`,
		`swarmnode_limit_rate_bytes{direction="down"} 5000`,
		`swarmnode_payload_sent_bytes_total 0`,
		`swarmnode_torrent_status{hash="2222222222222222222222222222222222222222",name="`,
		`swarmnode_http_requests_total{code="2xx"} 0`,
		`swarmnode_build_info{version="` + swarmnode.Version + `"} 1`,
		"# TYPE swarmnode_torrents gauge\n", "# TYPE swarmnode_all_sent_bytes_total counter\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing", want)
		}
	}
	cfg.Torrents = false
	if text := write(t, cfg.list()); strings.Contains(text, "swarmnode_torrent_") ||
		strings.Contains(text, "2222") {
		t.Error("metrics of each torrent though nobody asked")
	}
}

// The metrics of a node without a daemon are taken as well.
func TestPrometheusTakesThoseOfANode(t *testing.T) {
	cfg := rig(t)
	n := cfg.Daemon.Node()
	list := append(Torrents(n.Torrents()), Node(n)...)
	promtool(t, write(t, append(list, Process()...)))
}

// The handler answers those who may read, on its own path.
func TestHandler(t *testing.T) {
	cfg := rig(t)
	h := New(*cfg)
	ask := func(method, from string) *http.Response {
		r := httptest.NewRequest(method, "http://localhost"+Path, nil)
		r.RemoteAddr = from
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Result()
	}
	answer := ask("GET", "127.0.0.1:1")
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != 200 || answer.Header.Get("Content-Type") != ContentType ||
		!bytes.Contains(body, []byte("swarmnode_torrents")) {
		t.Errorf("%s %v %q", answer.Status, answer.Header, body)
	}
	if answer := ask("GET", "192.0.2.1:1"); answer.StatusCode != 403 {
		t.Errorf("a stranger: %s", answer.Status)
	}
	if answer := ask("POST", "127.0.0.1:1"); answer.StatusCode != 405 {
		t.Errorf("a post: %s", answer.Status)
	}
}

// Requests are counted by their answers.
func TestRequestsAreCounted(t *testing.T) {
	cfg := rig(t)
	server, err := control.Serve(t.Context(), control.Config{Gate: cfg.Gate,
		TCP: []control.Listener{{Name: "http", Addr: netip.MustParseAddrPort("127.0.0.1:0"),
			Handler: New(*cfg)}}})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	url := "http://" + server.Addrs()[0].String() + Path
	for range 2 {
		answer, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
	}
	answer, err := http.Post(url, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	server.Close()
	if got := cfg.Gate.Stats().Answers; got != [5]uint64{0, 2, 0, 1, 0} {
		t.Errorf("counted %v", got)
	}
}
