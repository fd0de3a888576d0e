package client

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"swarmnode"
	"swarmnode/daemon"
	"swarmnode/daemon/api"
	"swarmnode/daemon/control"
	"swarmnode/daemon/tally"
	"swarmnode/metainfo"
)

// within is how long something may take that must happen.
const within = 60 * time.Second

// loopback is an address of this machine, with any port.
var loopback = netip.MustParseAddrPort("127.0.0.1:0")

// A rig is a daemon that listens, with a client on its socket.
type rig struct {
	t      *testing.T
	dir    string // for content
	daemon *daemon.Daemon
	server *control.Server
	socket *Client
	url    string
	ended  chan struct{} // closed when somebody ends the daemon
	cfg    control.Config
}

// newRig starts a daemon. passwords is the file with the logins over HTTP, "" for none.
func newRig(t *testing.T, passwords string) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir(), ended: make(chan struct{})}
	var err error
	r.daemon, err = daemon.Start(t.Context(), daemon.Config{
		Node: swarmnode.Config{StateDir: t.TempDir(), Bootstrap: []string{}, NoPortmap: true,
			Listen: []netip.AddrPort{loopback}, AnyPort: true},
		Settings: daemon.Settings{Dir: r.dir}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.daemon.Close() })
	gate, err := control.NewGate(control.GateConfig{Passwords: passwords})
	if err != nil {
		t.Fatal(err)
	}
	counts := tally.New(r.daemon)
	t.Cleanup(counts.Close)
	handler := api.New(api.Config{Daemon: r.daemon, Gate: gate, Tally: counts,
		Reload: func(context.Context) (api.Reloaded, error) {
			return api.Reloaded{Changed: []string{"up"}, Restart: []string{"port"}}, nil
		},
		Shutdown: func() { close(r.ended) }})
	// A path in the folder of the test may be too long for a socket.
	folder, err := os.MkdirTemp("", "client")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	r.cfg = control.Config{Gate: gate, Local: handler, Socket: filepath.Join(folder, "s"),
		TCP: []control.Listener{{Name: "http", Addr: loopback, Handler: handler}}}
	r.listen()
	t.Cleanup(func() { r.server.Close() })
	r.url = "http://" + r.server.Addrs()[0].String()
	r.socket = r.client(Config{Socket: r.cfg.Socket})
	return r
}

// listen opens the listeners.
func (r *rig) listen() {
	r.t.Helper()
	var err error
	if r.server, err = control.Serve(r.t.Context(), r.cfg); err != nil {
		r.t.Fatal(err)
	}
}

// client returns a client.
func (r *rig) client(cfg Config) *Client {
	r.t.Helper()
	c, err := New(cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(c.Close)
	return c
}

// torrent makes a folder with two files in r.dir, and returns a torrent of it.
func (r *rig) torrent(name string) *metainfo.Torrent {
	r.t.Helper()
	folder := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Join(folder, "sub"), 0o755); err != nil {
		r.t.Fatal(err)
	}
	for file, size := range map[string]int{"a.txt": 40_000, "sub/b.txt": 20_000} {
		content := bytes.Repeat([]byte(name+file), size)[:size]
		if err := os.WriteFile(filepath.Join(folder, file), content, 0o644); err != nil {
			r.t.Fatal(err)
		}
	}
	t, err := metainfo.Build(r.t.Context(), metainfo.BuildOptions{Path: folder, Kind: metainfo.V1})
	if err != nil {
		r.t.Fatal(err)
	}
	return t
}

// add adds a torrent whose content is there.
func (r *rig) add(t *metainfo.Torrent) daemon.ID {
	r.t.Helper()
	stopped := false
	added, err := r.socket.Add(r.t.Context(), api.Add{Metainfo: t.Marshal(), Complete: true,
		Stopped: &stopped})
	if err != nil {
		r.t.Fatal(err)
	}
	return added.ID
}

// status returns the status of the problem that an error is, 0 if it is none.
func status(err error) int {
	if p, ok := errors.AsType[*api.Problem](err); ok {
		return p.Status
	}
	return 0
}
