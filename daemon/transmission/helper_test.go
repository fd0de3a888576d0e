package transmission

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
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

// patience bounds every wait of these tests. It is only reached by a failure.
const patience = time.Minute

// A bench is a daemon with a Handler on a real listener.
type bench struct {
	t      *testing.T
	daemon *daemon.Daemon
	h      *Handler
	server *httptest.Server
	url    string // of the RPC
	dir    string // for content
}

// newBench starts a daemon on loopback that looks for nobody.
func newBench(t *testing.T, change ...func(*daemon.Config, *Config)) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir()}
	cfg := daemon.Config{
		Node: swarmnode.Config{StateDir: t.TempDir(), Bootstrap: []string{}, AnyPort: true,
			NoPortmap: true, Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}},
		Settings: daemon.Settings{Dir: b.dir},
	}
	gate, err := control.NewGate(control.GateConfig{})
	if err != nil {
		t.Fatal(err)
	}
	own := Config{Gate: gate, Logger: slog.New(slog.DiscardHandler)}
	for _, f := range change {
		f(&cfg, &own)
	}
	b.dir = cfg.Settings.Dir
	if b.daemon, err = daemon.Start(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.daemon.Close(); err != nil {
			t.Error(err)
		}
	})
	own.Daemon, own.Node = b.daemon, cfg.Node
	if b.h, err = New(own); err != nil {
		t.Fatal(err)
	}
	b.server = httptest.NewServer(b.h)
	t.Cleanup(b.server.Close)
	b.url = b.server.URL + b.h.Base() + "rpc"
	return b
}

// post sends a body with the right id, and returns the answer.
func (b *bench) post(body string, headers ...string) (*http.Response, []byte) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.url,
		bytes.NewReader([]byte(body)))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set(idHeader, b.h.id)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return response, answer
}

// An answer is that of the legacy protocol.
type answer struct {
	Arguments map[string]any
	Result    string
	Tag       any
}

// ask sends a request of the legacy protocol.
func (b *bench) ask(request any) answer {
	b.t.Helper()
	body, err := json.Marshal(request)
	if err != nil {
		b.t.Fatal(err)
	}
	response, doc := b.post(string(body))
	var a answer
	if err := json.Unmarshal(doc, &a); err != nil || response.StatusCode != http.StatusOK {
		b.t.Fatalf("%s: %s: %s: %v", body, response.Status, doc, err)
	}
	return a
}

// call calls a method of the legacy protocol, which must succeed, and returns what it answers.
func (b *bench) call(method string, arguments any) map[string]any {
	b.t.Helper()
	a := b.ask(map[string]any{"method": method, "arguments": arguments})
	if a.Result != "success" {
		b.t.Fatalf("%s %v: %s", method, arguments, a.Result)
	}
	return a.Arguments
}

// fails calls a method of the legacy protocol, which must fail, and returns what it says.
func (b *bench) fails(method string, arguments any) string {
	b.t.Helper()
	a := b.ask(map[string]any{"method": method, "arguments": arguments})
	if a.Result == "success" {
		b.t.Errorf("%s %v succeeds", method, arguments)
	}
	return a.Result
}

// get returns a field of a torrent.
func (b *bench) get(id any, field string) any {
	b.t.Helper()
	got := b.call("torrent-get", map[string]any{"ids": id, "fields": []string{field}})
	list := got["torrents"].([]any)
	if len(list) != 1 {
		b.t.Fatalf("%d torrents have the id %v", len(list), id)
	}
	return list[0].(map[string]any)[field]
}

// want waits until a field of a torrent has a value.
func (b *bench) want(id any, field string, want any) {
	b.t.Helper()
	b.eventually(fmt.Sprintf("%s of %v is %v", field, id, want), func() bool {
		return fmt.Sprint(b.get(id, field)) == fmt.Sprint(want)
	})
}

// eventually waits until done reports true.
func (b *bench) eventually(what string, done func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(patience); !done(); {
		if time.Now().After(deadline) {
			b.t.Fatal("did not happen: ", what)
		}
		timer := time.NewTimer(10 * time.Millisecond)
		<-timer.C
	}
}

// makeTorrent makes files of random bytes in a folder of that name, and a torrent of it.
func makeTorrent(t *testing.T, name string, sizes ...int) (dir string, torrent *metainfo.Torrent) {
	t.Helper()
	dir = t.TempDir()
	top := filepath.Join(dir, name)
	if err := os.Mkdir(top, 0o755); err != nil {
		t.Fatal(err)
	}
	rng := rand.NewChaCha8([32]byte{byte(len(name)), name[0]})
	for i, size := range sizes {
		content := make([]byte, size)
		rng.Read(content)
		path := filepath.Join(top, fmt.Sprintf("file%d.mkv", i))
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	torrent, err := metainfo.Build(t.Context(), metainfo.BuildOptions{Path: top,
		PieceLength: 16 << 10, Kind: metainfo.V1})
	if err != nil {
		t.Fatal(err)
	}
	return dir, torrent
}

// add adds a torrent to the daemon.
func (b *bench) add(spec daemon.AddSpec) *daemon.Torrent {
	b.t.Helper()
	torrent, err := b.daemon.Add(b.t.Context(), spec)
	if err != nil {
		b.t.Fatal(err)
	}
	return torrent
}

// newFuzzBench is newBench without a listener, for fuzzing.
func newFuzzBench(f *testing.F) *bench {
	f.Helper()
	gate, err := control.NewGate(control.GateConfig{})
	if err != nil {
		f.Fatal(err)
	}
	b := &bench{dir: f.TempDir()}
	cfg := daemon.Config{
		Node: swarmnode.Config{StateDir: f.TempDir(), Bootstrap: []string{}, AnyPort: true,
			NoPortmap: true, Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}},
		Settings: daemon.Settings{Dir: b.dir, AddPaused: true},
	}
	if b.daemon, err = daemon.Start(context.Background(), cfg); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { b.daemon.Close() })
	_, err = b.daemon.Add(context.Background(), daemon.AddSpec{Magnet: metainfo.Magnet{
		V1: metainfo.Hash{7}, HasV1: true}, Options: daemon.Options{Stopped: true}})
	if err != nil {
		f.Fatal(err)
	}
	if b.h, err = New(Config{Daemon: b.daemon, Node: cfg.Node, Gate: gate}); err != nil {
		f.Fatal(err)
	}
	return b
}

// ctx returns the context of a request over TCP.
func (b *bench) ctx(t *testing.T) context.Context {
	return control.Admit(t.Context(), control.Identity{Scope: control.Admin})
}
