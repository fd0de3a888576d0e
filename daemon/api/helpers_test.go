package api

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"swarmnode"
	"swarmnode/daemon"
	"swarmnode/daemon/control"
	"swarmnode/daemon/tally"
	"swarmnode/metainfo"
)

// within is how long something may take that must happen.
const within = 30 * time.Second

// loopback is an address of this machine, with any port.
var loopback = netip.MustParseAddrPort("127.0.0.1:0")

// A rig is a daemon with its API on a socket, for its owner, and on a TCP address, for others
// that need no password.
type rig struct {
	t      *testing.T
	daemon *daemon.Daemon
	api    *API
	server *control.Server
	dir    string // for content
	socket *http.Client
	url    string // of the TCP address
}

// newRig starts a daemon. change may change the Config of the API.
func newRig(t *testing.T, change func(*Config)) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir()}
	var err error
	r.daemon, err = daemon.Start(t.Context(), daemon.Config{
		Node: swarmnode.Config{StateDir: t.TempDir(), Bootstrap: []string{}, NoPortmap: true,
			Listen: []netip.AddrPort{loopback}, AnyPort: true},
		Settings: daemon.Settings{Dir: r.dir}, Pinned: []string{"up"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.daemon.Close() })
	gate, err := control.NewGate(control.GateConfig{})
	if err != nil {
		t.Fatal(err)
	}
	counts := tally.New(r.daemon)
	t.Cleanup(counts.Close)
	cfg := Config{Daemon: r.daemon, Gate: gate, Tally: counts}
	if change != nil {
		change(&cfg)
	}
	r.api = New(cfg)
	r.server, err = control.Serve(t.Context(), control.Config{Gate: cfg.Gate, Local: r.api,
		Socket: filepath.Join(t.TempDir(), "s"),
		TCP:    []control.Listener{{Name: "http", Addr: loopback, Handler: r.api}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.server.Close)
	r.url = "http://" + r.server.Addrs()[0].String() + Base
	r.socket = &http.Client{Timeout: within, Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", r.server.Socket())
		}}}
	return r
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// do sends a request on the socket. A body that is no reader is sent as JSON.
func (r *rig) do(method, path string, body any, headers ...string) answer {
	r.t.Helper()
	return r.send(r.socket, "http://daemon"+Base, method, path, body, headers...)
}

// remote sends a request over TCP.
func (r *rig) remote(method, path string, body any, headers ...string) answer {
	r.t.Helper()
	c := &http.Client{Timeout: within, Transport: &http.Transport{DisableKeepAlives: true}}
	return r.send(c, r.url, method, path, body, headers...)
}

func (r *rig) send(c *http.Client, base, method, path string, body any,
	headers ...string) answer {
	r.t.Helper()
	var from io.Reader
	switch body := body.(type) {
	case nil:
	case io.Reader:
		from = body
	default:
		doc, err := json.Marshal(body)
		if err != nil {
			r.t.Fatal(err)
		}
		from = bytes.NewReader(doc)
	}
	request, err := http.NewRequestWithContext(r.t.Context(), method, base+path, from)
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := c.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, got}
}

// want fails the test unless an answer has a status, and reads its body into a value, which may
// be nil.
func (r *rig) want(a answer, status int, into any) {
	r.t.Helper()
	if a.status != status {
		r.t.Fatalf("got %d: %s, want %d", a.status, a.body, status)
	}
	if into == nil {
		return
	}
	d := json.NewDecoder(bytes.NewReader(a.body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		r.t.Fatalf("%s: %v", a.body, err)
	}
}

// torrentOf makes a torrent of files with some content below a folder of its name.
func torrentOf(t *testing.T, name string, files map[string]int) (doc []byte, hash string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	for path, size := range files {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, bytes.Repeat([]byte{byte(size)}, size), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	torrent, err := build(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	return torrent.Marshal(), torrent.Info().Hash().String()
}

// build makes the torrent of a folder.
func build(t *testing.T, dir string) (*metainfo.Torrent, error) {
	made, err := metainfo.Build(t.Context(), metainfo.BuildOptions{Path: dir})
	if err != nil {
		return nil, err
	}
	return made, nil
}

// await waits until have reports true.
func await(t *testing.T, what string, have func() bool) {
	t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for !have() {
		select {
		case <-look.C:
		case <-deadline.C:
			t.Fatalf("waiting for %s", what)
		}
	}
}
