package stream

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"swarmnode"
	"swarmnode/daemon"
	"swarmnode/daemon/control"
	"swarmnode/metainfo"
)

// within is how long something may take that must happen.
const within = time.Minute

// loopback is an address of this machine, with any port.
var loopback = netip.MustParseAddrPort("127.0.0.1:0")

// startDaemon starts a daemon that looks for nobody.
func startDaemon(t *testing.T, dir string) *daemon.Daemon { return daemonAt(t, dir, loopback) }

// daemonAt is startDaemon at an address.
func daemonAt(t *testing.T, dir string, addr netip.AddrPort) *daemon.Daemon {
	t.Helper()
	d, err := daemon.Start(t.Context(), daemon.Config{
		Node: swarmnode.Config{StateDir: t.TempDir(), Bootstrap: []string{}, NoPortmap: true,
			Listen: []netip.AddrPort{addr}, AnyPort: true},
		Settings: daemon.Settings{Dir: dir}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// A content is a torrent of several files with what is in them.
type content struct {
	dir     string
	torrent *metainfo.Torrent
	files   map[string][]byte
}

// makeContent makes files of random bytes, by their sizes.
func makeContent(t *testing.T, sizes map[string]int) *content {
	t.Helper()
	c := &content{dir: t.TempDir(), files: make(map[string][]byte)}
	noise := rand.NewChaCha8([32]byte{5})
	for name, size := range sizes {
		data := make([]byte, size)
		noise.Read(data)
		c.files[name] = data
		path := filepath.Join(c.dir, "show", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c.build(t, filepath.Join(c.dir, "show"))
	return c
}

// build makes the torrent of a path.
func (c *content) build(t *testing.T, path string) {
	t.Helper()
	var err error
	c.torrent, err = metainfo.Build(t.Context(), metainfo.BuildOptions{Path: path,
		PieceLength: 32 << 10, Kind: metainfo.V1})
	if err != nil {
		t.Fatal(err)
	}
}

// index returns the number of a file.
func (c *content) index(t *testing.T, name string) int {
	t.Helper()
	l := c.torrent.Info().Layout()
	for i := range l.Files {
		if filepath.Join(l.Files[i].Path...) == name {
			return i
		}
	}
	t.Fatal("there is no file", name)
	return 0
}

// seed starts a daemon that has the content, and returns it.
func (c *content) seed(t *testing.T, up int64) *daemon.Daemon {
	t.Helper()
	d := startDaemon(t, c.dir)
	add(t, d, daemon.AddSpec{Torrent: c.torrent, Complete: true,
		Options: daemon.Options{Dir: c.dir, Up: up}})
	return d
}

// link returns the magnet link of the content, with the address of a seed.
func (c *content) link(seed *daemon.Daemon) metainfo.Magnet {
	m := c.torrent.Magnet()
	m.Peers = []string{seed.Node().Addrs()[0].String()}
	return m
}

// add adds a torrent.
func add(t *testing.T, d *daemon.Daemon, spec daemon.AddSpec) *daemon.Torrent {
	t.Helper()
	torrent, err := d.Add(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return torrent
}

// A rig is a daemon whose files are served.
type rig struct {
	daemon  *daemon.Daemon
	gate    *control.Gate
	handler *Handler
	url     string
}

// newRig starts a daemon with its handler.
func newRig(t *testing.T, gate control.GateConfig) *rig {
	t.Helper()
	return rigOf(t, startDaemon(t, t.TempDir()), gate)
}

// rigOf serves the files of a daemon.
func rigOf(t *testing.T, d *daemon.Daemon, gate control.GateConfig) *rig {
	t.Helper()
	r := &rig{daemon: d}
	var err error
	if r.gate, err = control.NewGate(gate); err != nil {
		t.Fatal(err)
	}
	r.handler = New(Config{Daemon: r.daemon, Gate: r.gate})
	t.Cleanup(r.handler.Close)
	server, err := control.Serve(t.Context(), control.Config{Gate: r.gate,
		TCP: []control.Listener{{Name: "http", Addr: loopback, Handler: r.handler}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	r.url = "http://" + server.Addrs()[0].String()
	return r
}

// open sends a request, and returns the answer with an open body.
func (r *rig) open(t *testing.T, method, path string, headers ...string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, r.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Add(headers[i], headers[i+1])
	}
	client := &http.Client{Timeout: within, Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		}}
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	return answer
}

// get returns an answer and its body.
func (r *rig) get(t *testing.T, path string, headers ...string) (*http.Response, []byte) {
	t.Helper()
	answer := r.open(t, http.MethodGet, path, headers...)
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatalf("%s: %v after %d bytes", path, err, len(body))
	}
	return answer, body
}

// expect compares an answer.
func expect(t *testing.T, answer *http.Response, body []byte, status int, want []byte) {
	t.Helper()
	if answer.StatusCode != status || want != nil && !bytes.Equal(body, want) {
		t.Errorf("%s: status %d with %d bytes %.200q, want %d with %d", answer.Request.URL.Path,
			answer.StatusCode, len(body), body, status, len(want))
	}
}

// eventually waits until done reports true.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); !done(); {
		if time.Now().After(deadline) {
			t.Fatal("did not happen: ", what)
		}
		timer := time.NewTimer(5 * time.Millisecond)
		<-timer.C
	}
}
