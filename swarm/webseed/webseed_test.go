package webseed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/metainfo/bencode"
	"swarmnode/swarm/block"
	"swarmnode/swarm/guard"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/peer"
	"swarmnode/swarm/wire"
)

// What the loop of a torrent needs of a connection; a handler of one is a
// handler of the other.
var (
	_ interface {
		Run(context.Context)
		Send(wire.Message) bool
		Close(error)
		SetPieces(int)
		Read() int64
	} = (*Conn)(nil)
	_ peer.Handler = Handler(nil)
)

// A torrentDir is a torrent, its content, and the folder that a server serves.
type torrentDir struct {
	info    *metainfo.Info
	content []byte
	dir     string
}

// makeTorrent writes files of the given sizes, and makes a torrent of them.
func makeTorrent(t testing.TB, kind metainfo.Kind, name string, sizes map[string]int) torrentDir {
	t.Helper()
	dir := t.TempDir()
	r := rand.NewChaCha8([32]byte{1})
	for file, size := range sizes {
		path := filepath.Join(dir, name, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		data := make([]byte, size)
		r.Read(data)
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	torrent, err := metainfo.Build(t.Context(), metainfo.BuildOptions{Path: filepath.Join(dir, name), PieceLength: 64 << 10, Kind: kind})
	if err != nil {
		t.Fatal(err)
	}
	td := torrentDir{info: torrent.Info(), dir: dir}
	layout := td.info.Layout()
	td.content = make([]byte, layout.Length)
	for i, f := range layout.Files {
		if f.Pad {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(layout.FilePath(i))))
		if err != nil {
			t.Fatal(err)
		}
		copy(td.content[f.Offset:], data)
	}
	return td
}

// blocks returns every block of a torrent.
func (td *torrentDir) blocks() (refs []block.Ref) {
	layout := td.info.Layout()
	for p := range layout.Pieces() {
		for begin := 0; begin < layout.PieceSize(p); begin += block.Size {
			refs = append(refs, block.Ref{
				Piece: uint32(p), Begin: uint32(begin), Length: uint32(min(block.Size, layout.PieceSize(p)-begin)),
			})
		}
	}
	return refs
}

// A peerSide is the handler: what a torrent loop would see.
type peerSide struct {
	t    testing.TB
	td   *torrentDir
	mu   sync.Mutex
	busy bool

	messages chan wire.Message
	blocks   chan block.Ref
	closed   chan error
	wrong    int
}

func newPeerSide(t testing.TB, td *torrentDir) *peerSide {
	return &peerSide{t: t, td: td, messages: make(chan wire.Message, 10000), blocks: make(chan block.Ref, 10000), closed: make(chan error, 2)}
}

// alone fails the test when two calls come at once.
func (h *peerSide) alone() func() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.busy {
		h.t.Error("two calls of the handler at once")
	}
	h.busy = true
	return func() { h.mu.Lock(); h.busy = false; h.mu.Unlock() }
}

func (h *peerSide) OnMessage(m *wire.Message) {
	defer h.alone()()
	h.messages <- *m
}

func (h *peerSide) OnBlock(r block.Ref, buf *block.Buf) {
	defer h.alone()()
	off := h.td.info.Layout().PieceOffset(int(r.Piece)) + int64(r.Begin)
	if !bytes.Equal(buf.Bytes(), h.td.content[off:off+int64(r.Length)]) {
		h.mu.Lock()
		h.wrong++
		h.mu.Unlock()
	}
	buf.Release()
	h.blocks <- r
}

func (h *peerSide) OnSent(int) { h.t.Error("OnSent was called") }

func (h *peerSide) OnClosed(err error) {
	defer h.alone()()
	h.closed <- err
}

const patience = 2 * time.Minute

// message expects a message.
func (h *peerSide) message(want wire.ID) wire.Message {
	h.t.Helper()
	select {
	case m := <-h.messages:
		if m.ID != want {
			h.t.Fatalf("got %v, want %v", m, want)
		}
		return m
	case <-time.After(patience):
		h.t.Fatalf("no %v came", want)
	}
	panic("unreachable")
}

func (h *peerSide) gets(refs []block.Ref) {
	h.t.Helper()
	missing := make(map[block.Ref]bool)
	for _, r := range refs {
		missing[r] = true
	}
	for len(missing) > 0 {
		select {
		case r := <-h.blocks:
			if !missing[r] {
				h.t.Fatalf("%v came and was not missing", r)
			}
			delete(missing, r)
		case m := <-h.messages:
			h.t.Fatalf("%v came, with %d blocks missing", m, len(missing))
		case err := <-h.closed:
			h.t.Fatalf("closed with %v, with %d blocks missing", err, len(missing))
		case <-time.After(patience):
			h.t.Fatalf("%d blocks are missing", len(missing))
		}
	}
	if h.wrong > 0 {
		h.t.Errorf("%d blocks had other bytes", h.wrong)
	}
}

// open starts a Conn with short waits, and takes the first two messages.
func open(t testing.TB, td *torrentDir, url string) (*Conn, *peerSide, *block.Pool) {
	t.Helper()
	h := newPeerSide(t, td)
	web := guard.New(guard.Config{UserAgent: "node/test"})
	t.Cleanup(web.Close)
	pool := block.NewPool(8 * block.Size)
	c, err := New(Config{Handler: h, Pool: pool, Info: td.info, HTTP: web, URL: url,
		Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	c.times = times{answer: time.Second, block: time.Second, pause: 10 * time.Millisecond}
	ended := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	go func() { defer close(ended); c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case <-ended:
		case <-time.After(patience):
			t.Error("Run did not end")
		}
		if pool.Available() != pool.Cap() {
			t.Errorf("%d buffers are lost", pool.Cap()-pool.Available())
		}
	})
	h.message(wire.HaveAll)
	h.message(wire.Unchoke)
	return c, h, pool
}

func ask(t testing.TB, c *Conn, refs []block.Ref) {
	t.Helper()
	for _, r := range refs {
		if !c.Send(wire.Message{ID: wire.Request, Ref: r}) {
			t.Fatal("the Conn is closed")
		}
	}
}

// A counting server serves a folder and counts requests and connections.
type counting struct {
	*httptest.Server
	mu       sync.Mutex
	requests []string
	conns    int
}

func serveDir(t testing.TB, dir string) *counting {
	s := &counting{}
	files := http.FileServer(http.Dir(dir))
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r.URL.Path+" "+r.Header.Get("Range"))
		s.mu.Unlock()
		files.ServeHTTP(w, r)
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.mu.Lock()
			s.conns++
			s.mu.Unlock()
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s
}

var sizes = map[string]int{"a": 100_000, "b/c d%20&+#?.bin": 1, "b/empty": 0, "e": 200_001}

func TestWholeTorrents(t *testing.T) {
	for _, kind := range []metainfo.Kind{metainfo.V1, metainfo.V2, metainfo.Hybrid} {
		for name, files := range map[string]map[string]int{
			"folder": sizes, "single file": {"": 300_001},
		} {
			for _, slash := range []string{"", "/"} {
				t.Run(fmt.Sprint(kind, " ", name, slash), func(t *testing.T) {
					td := makeTorrent(t, kind, "the name", files)
					server := serveDir(t, td.dir)
					url := server.URL + slash
					if name == "single file" && slash == "" {
						url = server.URL + "/the%20name"
					}
					c, h, _ := open(t, &td, url)
					refs := td.blocks()
					ask(t, c, refs)
					h.gets(refs)
					if c.Read() != td.info.Layout().Size() && kind == metainfo.V2 {
						t.Errorf("%d bytes were read, want %d", c.Read(), td.info.Layout().Size())
					}
				})
			}
		}
	}
}

// Requests that lie one after the other become one HTTP request for each file,
// over a connection that is kept.
func TestRunsAreGathered(t *testing.T) {
	td := makeTorrent(t, metainfo.V1, "x", map[string]int{"a": 1 << 20, "b": 1 << 20})
	server := serveDir(t, td.dir)
	c, h, _ := open(t, &td, server.URL)
	refs := td.blocks()
	ask(t, c, refs)
	h.gets(refs)
	server.mu.Lock()
	defer server.mu.Unlock()
	if n := len(server.requests); n < 2 || n > 6 {
		t.Errorf("%d requests for two files: %q", n, server.requests)
	}
	if server.conns > fetchers {
		t.Errorf("%d connections, want at most %d", server.conns, fetchers)
	}
}

func TestTake(t *testing.T) {
	td := makeTorrent(t, metainfo.V1, "x", map[string]int{"": 6 << 20})
	c, err := New(Config{Info: td.info, URL: "http://x/"})
	if err != nil {
		t.Fatal(err)
	}
	ref := func(piece, n int) block.Ref {
		return block.Ref{Piece: uint32(piece), Begin: uint32(n * block.Size), Length: block.Size}
	}
	c.requests = []block.Ref{ref(1, 2), ref(5, 0), ref(1, 3), ref(2, 0), ref(5, 1)}
	if got := fmt.Sprint(c.take(), c.take(), c.take()); got != "[1+32768:16384 1+49152:16384 2+0:16384] [5+0:16384 5+16384:16384] []" {
		t.Errorf("runs: %s", got)
	}
	c.requests = []block.Ref{ref(1, 2), ref(1, 3), ref(5, 0)}
	if n := c.ready(); n != 2*block.Size {
		t.Errorf("%d bytes are in a row, want two blocks", n)
	}
	c.requests = td.blocks()
	if n := c.ready(); n < gatherEnough {
		t.Errorf("%d bytes of everything are in a row", n)
	}
	if n := len(c.take()); n != runMax/block.Size {
		t.Errorf("the longest run has %d blocks, want %d", n, runMax/block.Size)
	}
	c.paused = true
	if c.take() != nil {
		t.Error("a run in a pause")
	}
}

func TestRequestsThatMakeNoSense(t *testing.T) {
	td := makeTorrent(t, metainfo.V1, "x", map[string]int{"": 100_000})
	c, h, _ := open(t, &td, serveDir(t, td.dir).URL+"/")
	for _, r := range []block.Ref{
		{Piece: 2, Length: 1}, {Piece: 1 << 31, Length: 1}, {Piece: 0, Length: 0}, {Piece: 0, Length: block.Size + 1},
		{Piece: 0, Begin: 1<<32 - 1, Length: 1}, {Piece: 1, Begin: 34464, Length: 1},
	} {
		ask(t, c, []block.Ref{r})
		if m := h.message(wire.Reject); m.Ref != r {
			t.Errorf("rejected %v, want %v", m.Ref, r)
		}
	}
	c.Send(wire.Message{ID: wire.HashRequest, Payload: []byte("abc")})
	if m := h.message(wire.HashReject); string(m.Payload) != "abc" {
		t.Errorf("got %q", m.Payload)
	}
	for _, id := range []wire.ID{wire.Interested, wire.Have, wire.Bitfield, wire.Extended, wire.KeepAlive} {
		c.Send(wire.Message{ID: id})
	}
	refs := td.blocks()
	ask(t, c, refs)
	h.gets(refs)
}

func TestCancel(t *testing.T) {
	td := makeTorrent(t, metainfo.V1, "x", map[string]int{"": 300_000})
	release := make(chan struct{})
	files := http.FileServer(http.Dir(td.dir))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-release
		files.ServeHTTP(w, r)
	}))
	defer server.Close()
	c, h, _ := open(t, &td, server.URL+"/")
	c.mu.Lock() // hold the fetchers back
	c.requests = td.blocks()[:3]
	c.mu.Unlock()
	c.Send(wire.Message{ID: wire.Cancel, Ref: td.blocks()[1]})
	c.Send(wire.Message{ID: wire.Cancel, Ref: td.blocks()[9]}) // was not asked for
	if m := h.message(wire.Reject); m.Ref != td.blocks()[1] {
		t.Errorf("rejected %v", m.Ref)
	}
	close(release)
	ask(t, c, td.blocks()[4:5])
	h.gets([]block.Ref{td.blocks()[0], td.blocks()[2], td.blocks()[4]})
}

// bad answers, and what comes of them: every request is rejected, then there
// is a pause, and with failures enough the server is given up.
func TestFaults(t *testing.T) {
	td := makeTorrent(t, metainfo.V1, "x", map[string]int{"": 2 << 20})
	size := len(td.content)
	serve := func(w http.ResponseWriter, r *http.Request) (from, to int) {
		fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to)
		return from, to + 1
	}
	head := func(w http.ResponseWriter, from, to, total int) {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, total))
		w.WriteHeader(http.StatusPartialContent)
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
		most   int // tries until it is given up
	}{
		"404":         {func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }, "HTTP status 404", 4},
		"503":         {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) }, "HTTP status 503", failuresMax + 1},
		"429":         {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(429) }, "HTTP status 429", failuresMax + 1},
		"other range": {func(w http.ResponseWriter, r *http.Request) { a, b := serve(w, r); head(w, a+1, b+1, size) }, errRange.Error(), 4},
		"other total": {func(w http.ResponseWriter, r *http.Request) { a, b := serve(w, r); head(w, a, b, size+1) }, errRange.Error(), 4},
		"no range":    {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(206) }, errRange.Error(), 4},
		"other file":  {func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "<html>welcome") }, errLength.Error(), 4},
		"too little": {func(w http.ResponseWriter, r *http.Request) {
			a, b := serve(w, r)
			head(w, a, b, size)
			w.Write(make([]byte, 100))
			w.(http.Flusher).Flush()
		}, errTooLittle.Error(), failuresMax + 1},
		"announces too much": {func(w http.ResponseWriter, r *http.Request) {
			a, b := serve(w, r)
			w.Header().Set("Content-Length", fmt.Sprint(b-a+5))
			head(w, a, b, size)
		}, errTooMuch.Error(), 4},
		"compressed": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			a, b := serve(w, r)
			head(w, a, b, size)
		}, errEncoding.Error(), 4},
		"hangs up": {func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, "EOF", failuresMax + 1},
		"no ranges, far in": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(size))
			w.Write(td.content)
		}, errNoRanges.Error(), 4},
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			tries := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				tries++
				mu.Unlock()
				c.answer(w, r)
			}))
			defer server.Close()
			conn, h, _ := open(t, &td, server.URL+"/")
			conn.times.pause = time.Microsecond
			refs := td.blocks()
			refs = refs[len(refs)-2:]
			for {
				if !conn.Send(wire.Message{ID: wire.Request, Ref: refs[0]}) {
					break
				}
				var ids []wire.ID
				for len(ids) == 0 || ids[len(ids)-1] != wire.Unchoke {
					select {
					case m := <-h.messages:
						ids = append(ids, m.ID)
						continue
					case err := <-h.closed:
						h.closed <- err
						ids = []wire.ID{wire.Unchoke}
					case r := <-h.blocks:
						t.Fatalf("%v came", r)
					case <-time.After(patience):
						t.Fatalf("after %v nothing came", ids)
					}
				}
				if len(ids) > 1 && fmt.Sprint(ids) != "[choke reject unchoke]" {
					t.Errorf("got %v", ids)
				}
			}
			if err := <-h.closed; err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "/x") {
				t.Errorf("closed with %v, want %q", err, c.want)
			}
			mu.Lock()
			defer mu.Unlock()
			if tries != c.most && name != "hangs up" { // which is tried twice by net/http
				t.Errorf("%d tries, want %d", tries, c.most)
			}
		})
	}
}

// A server that goes on after the end is found out, and what came before is of
// use all the same.
func TestTooMuch(t *testing.T) {
	td := makeTorrent(t, metainfo.V1, "x", map[string]int{"": 100_000})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-%d/100000", block.Size-1))
		w.WriteHeader(http.StatusPartialContent)
		w.Write(td.content[:block.Size])
		w.(http.Flusher).Flush() // no length is announced
		w.Write(make([]byte, 1<<20))
	}))
	defer server.Close()
	c, h, _ := open(t, &td, server.URL+"/")
	ask(t, c, td.blocks()[:1])
	if r := <-h.blocks; r != td.blocks()[0] {
		t.Errorf("got %v", r)
	}
	h.message(wire.Choke)
	h.message(wire.Unchoke)
}

func TestSlowServers(t *testing.T) {
	td := makeTorrent(t, metainfo.V1, "x", map[string]int{"": 100_000})
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request){
		"no head": func(http.ResponseWriter, *http.Request) {},
		"no body": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-%d/100000", block.Size-1))
			w.WriteHeader(http.StatusPartialContent)
			w.(http.Flusher).Flush()
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				answer(w, r)
				<-r.Context().Done()
			}))
			defer server.Close()
			h := newPeerSide(t, &td)
			web := guard.New(guard.Config{})
			c, err := New(Config{Handler: h, Pool: block.NewPool(block.Size), Info: td.info, HTTP: web, URL: server.URL + "/"})
			if err != nil {
				t.Fatal(err)
			}
			c.times = times{answer: 50 * time.Millisecond, block: 50 * time.Millisecond, pause: time.Hour}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() { defer close(done); c.Run(ctx) }()
			h.message(wire.HaveAll)
			h.message(wire.Unchoke)
			ask(t, c, td.blocks()[:1])
			h.message(wire.Choke)
			h.message(wire.Reject)
			ask(t, c, td.blocks()[:1]) // in the pause
			h.message(wire.Reject)
			cancel()
			<-done
			if err := <-h.closed; !errors.Is(err, context.Canceled) {
				t.Errorf("closed with %v", err)
			}
			if c.Send(wire.Message{ID: wire.Interested}) {
				t.Error("a message was taken after the end")
			}
		})
	}
}

// A server without ranges is good for small files.
func TestNoRanges(t *testing.T) {
	td := makeTorrent(t, metainfo.V1, "x", map[string]int{"": 200_000})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(td.content) }))
	defer server.Close()
	c, h, _ := open(t, &td, server.URL+"/")
	refs := td.blocks()
	ask(t, c, refs[5:8])
	h.gets(refs[5:8])
	ask(t, c, refs[:2])
	h.gets(refs[:2])
}

func TestRedirect(t *testing.T) {
	td := makeTorrent(t, metainfo.V1, "x", map[string]int{"": 50_000})
	files := serveDir(t, td.dir)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, files.URL+r.URL.Path, http.StatusFound)
	}))
	defer server.Close()
	c, h, _ := open(t, &td, server.URL+"/")
	ask(t, c, td.blocks())
	h.gets(td.blocks())
}

func TestRateLimit(t *testing.T) {
	td := makeTorrent(t, metainfo.V1, "x", map[string]int{"": 300_000})
	c, h, _ := open(t, &td, serveDir(t, td.dir).URL+"/")
	c.cfg.Down = limit.NewBucket(1<<20, nil)
	start := time.Now()
	ask(t, c, td.blocks())
	h.gets(td.blocks())
	if took := time.Since(start); took < 200*time.Millisecond {
		t.Errorf("300 kB at 1 MiB/s took %v", took)
	}
}

func TestBacklog(t *testing.T) {
	td := makeTorrent(t, metainfo.V1, "x", map[string]int{"": 10})
	c, err := New(Config{Info: td.info, URL: "http://x/"})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for c.Send(wire.Message{ID: wire.Request, Ref: block.Ref{Piece: 9}}) {
		n++
	}
	if n < sayMax || n > sayMax+2 || c.reason != errBacklog {
		t.Errorf("closed after %d messages with %v", n, c.reason)
	}
}

// infoOf returns the info dictionary of a folder with one file.
func infoOf(t testing.TB, name string, path ...string) *metainfo.Info {
	t.Helper()
	raw := bencode.AppendDict(nil, func(b []byte) []byte {
		b = append(b, "5:filesld6:lengthi5e4:pathl"...)
		for _, e := range path {
			b = bencode.AppendString(b, e)
		}
		b = append(b, "eee4:name"...)
		b = bencode.AppendString(b, name)
		return append(b, "12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaa"...)
	})
	info, err := metainfo.ParseInfo(raw)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// The names that the server knows are those of the torrent, not the ones that
// are safe here.
func TestLocator(t *testing.T) {
	for _, c := range []struct {
		base, name string
		path       []string
		want       string
	}{
		{"http://x", "n", []string{"a"}, "http://x/n/a"},
		{"http://x/", "n", []string{"a"}, "http://x/n/a"},
		{"http://x/d", "n", []string{"a", "b"}, "http://x/d/n/a/b"},
		{"http://u:p@x/d%2Fe/?k=1#f", "n", []string{"a"}, "http://u:p@x/d%2Fe/n/a?k=1"},
		{"http://x/", "ä n", []string{"a%b?#&+;"}, "http://x/%C3%A4%20n/a%25b%3F%23&+%3B"},
		{"http://x/", "n", []string{"con", "x: y."}, "http://x/n/con/x:%20y."},
	} {
		l, err := newLocator(infoOf(t, c.name, c.path...), c.base)
		if err != nil {
			t.Fatal(err)
		}
		if got := l.file(0).String(); got != c.want {
			t.Errorf("%s: got %s, want %s", c.base, got, c.want)
		}
	}
	for _, bad := range []string{"", "x/y", "ftp://x/", "http:///y", "http://x/\x00", "http://x/" + strings.Repeat("a", guard.URLBytesMax)} {
		if _, err := newLocator(infoOf(t, "n", "a"), bad); !errors.Is(err, ErrURL) {
			t.Errorf("%.20q: got %v, want ErrURL", bad, err)
		}
	}
}

func TestAddress(t *testing.T) {
	a, b := Address("http://a/"), Address("http://b/")
	if a == b || a != Address("http://a/") || !a.Addr().Is6() || a.Addr().String()[:5] != "100::" || a.Port() == 0 {
		t.Errorf("addresses %v and %v", a, b)
	}
}

// A stranger's URL is no way to this machine's services.
func TestStranger(t *testing.T) {
	td := makeTorrent(t, metainfo.V1, "x", map[string]int{"": 10})
	l, err := newLocator(td.info, "http://127.0.0.1:8080/?do=it")
	if err != nil {
		t.Fatal(err)
	}
	u := l.file(0)
	if tt := l.target(u, true); tt.Harmless(u) {
		t.Error("a query is harmless")
	}
	u.RawQuery = ""
	if tt := l.target(u, true); !tt.Harmless(u) {
		t.Error("a plain path is not")
	}
}

func TestHeaders(t *testing.T) {
	span := metainfo.Span{Offset: 10, Length: 5}
	for s, want := range map[string]bool{
		"bytes 10-14/100": true, "bytes 10-14/*": true, "bytes 10-14/99": false, "bytes 10-15/100": false,
		"bytes 10-14": false, "10-14/100": false, "": false, "bytes */100": false, "bytes 010-14/100": false,
	} {
		if got := rangeIs(s, span, 100); got != want {
			t.Errorf("%q: %v, want %v", s, got, want)
		}
	}
	for s, want := range map[string]time.Duration{
		"": 0, "x": 0, "-5": 0, "0": time.Second, "120": 2 * time.Minute, "99999999999": 0,
		"Mon, 02 Jan 2006 15:04:05 GMT": time.Second,
	} {
		if got := retryAfter(s); got != want {
			t.Errorf("%q: %v, want %v", s, got, want)
		}
	}
	c := &Conn{times: times{pause: pauseFirst}}
	if got := c.pause(statusError{503, time.Hour * 99}); got < pauseLast || got > pauseLast*9/8+1 {
		t.Errorf("the longest pause is %v", got)
	}
	if got := c.pause(statusError{503, 30 * time.Second}); got < 30*time.Second || got > 34*time.Second {
		t.Errorf("Retry-After: 30 makes %v", got)
	}
}

func FuzzHeaders(f *testing.F) {
	f.Add("bytes 0-9/10", "120")
	f.Add("bytes */10", "Mon, 02 Jan 2006 15:04:05 GMT")
	f.Fuzz(func(t *testing.T, s, after string) {
		if rangeIs(s, metainfo.Span{Offset: 0, Length: 10}, 10) && s != "bytes 0-9/10" && s != "bytes 0-9/*" {
			t.Errorf("%q was accepted", s)
		}
		if d := retryAfter(after); d < 0 {
			t.Errorf("%q: %v", after, d)
		}
	})
}

func BenchmarkFetch(b *testing.B) {
	td := makeTorrent(b, metainfo.V1, "x", map[string]int{"": 16 << 20})
	server := serveDir(b, td.dir)
	c, h, _ := open(b, &td, server.URL+"/")
	refs := td.blocks()
	b.SetBytes(int64(len(td.content)))
	b.ReportAllocs()
	for b.Loop() {
		asked, got := 0, 0
		for got < len(refs) {
			for ; asked < len(refs) && asked-got < 256; asked++ {
				c.Send(wire.Message{ID: wire.Request, Ref: refs[asked]})
			}
			<-h.blocks
			got++
		}
	}
}
