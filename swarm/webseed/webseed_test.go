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
	"sync/atomic"
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
	torrent, err := metainfo.Build(t.Context(),
		metainfo.BuildOptions{Path: filepath.Join(dir, name), PieceLength: 64 << 10, Kind: kind})
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
				Piece: uint32(p), Begin: uint32(begin),
				Length: uint32(min(block.Size, layout.PieceSize(p)-begin)),
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
	return &peerSide{t: t, td: td, messages: make(chan wire.Message, 10000),
		blocks: make(chan block.Ref, 10000), closed: make(chan error, 2)}
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

func (h *peerSide) OnAnswered(int) { h.t.Error("OnAnswered was called") }

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
			if m.ID != wire.Suggest {
				h.t.Fatalf("%v came, with %d blocks missing", m, len(missing))
			}
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
	return openWith(t, td, Config{URL: url})
}

func openWith(t testing.TB, td *torrentDir, cfg Config) (*Conn, *peerSide, *block.Pool) {
	t.Helper()
	h := newPeerSide(t, td)
	web := guard.New(guard.Config{UserAgent: "node/test"})
	t.Cleanup(web.Close)
	pool := block.NewPool(8 * block.Size)
	cfg.Handler, cfg.Pool, cfg.Info, cfg.HTTP = h, pool, td.info, web
	cfg.Logger = slog.New(slog.NewTextHandler(t.Output(),
		&slog.HandlerOptions{Level: slog.LevelDebug}))
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.times = times{
		answer: time.Second, block: time.Second, pause: 10 * time.Millisecond,
		file: 50 * time.Millisecond, absent: 50 * time.Millisecond,
	}
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
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter,
		r *http.Request) {
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
	if got := fmt.Sprint(c.take(), c.take(),
		c.take()); got != "[1+32768:16384 1+49152:16384 2+0:16384] [5+0:16384 5+16384:16384] []" {
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
		{Piece: 2, Length: 1}, {Piece: 1 << 31, Length: 1}, {Piece: 0, Length: 0},
		{Piece: 0, Length: block.Size + 1},
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
	for _, id := range []wire.ID{wire.Interested, wire.Have, wire.Bitfield, wire.Extended,
		wire.KeepAlive} {
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

// failingServer answers with bad, and counts the requests.
func failingServer(t *testing.T, bad http.HandlerFunc) (url string, tries *atomic.Int32) {
	tries = new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tries.Add(1)
		bad(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/", tries
}

// asked returns which bytes a request is for, as a half-open range.
func asked(r *http.Request) (from, to int) {
	fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to)
	return from, to + 1
}

// partHead answers a request for a range as it should be.
func partHead(w http.ResponseWriter, from, to, total int) {
	w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, total))
	w.WriteHeader(http.StatusPartialContent)
}

// TestFaults: failures of a server. Requests wait for the end of short pauses, and
// with failures enough the server is given up.
func TestFaults(t *testing.T) {
	td := makeTorrent(t, metainfo.V1, "x", map[string]int{"": 2 << 20})
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"503": {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) },
			"HTTP status 503"},
		"429": {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(429) },
			"HTTP status 429"},
		"too little": {func(w http.ResponseWriter, r *http.Request) {
			a, b := asked(r)
			partHead(w, a, b, len(td.content))
			w.Write(make([]byte, 100))
			w.(http.Flusher).Flush()
		}, errTooLittle.Error()},
		"hangs up": {func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) },
			"EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			url, tries := failingServer(t, c.answer)
			conn, h, _ := open(t, &td, url)
			conn.times.pause = time.Microsecond
			ask(t, conn, td.blocks()[:1])
			select {
			case err := <-h.closed:
				if err == nil || !strings.Contains(err.Error(), c.want) ||
					strings.Contains(err.Error(), "/x") {
					t.Errorf("closed with %v, want %q", err, c.want)
				}
			case m := <-h.messages:
				t.Errorf("got %v", m)
			case <-time.After(patience):
				t.Fatal("it is not given up")
			}
			// which is tried twice by net/http
			if got := int(tries.Load()); got != failuresMax+1 && name != "hangs up" {
				t.Errorf("%d tries, want %d", got, failuresMax+1)
			}
		})
	}
}

// TestLongPause: before a long pause, as one that the server asks for, requests are
// given back.
func TestLongPause(t *testing.T) {
	td := makeTorrent(t, metainfo.V1, "x", map[string]int{"": 2 << 20})
	url, tries := failingServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "100")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	c, h, _ := open(t, &td, url)
	ask(t, c, td.blocks()[:1])
	h.message(wire.Choke)
	h.message(wire.Reject)
	ask(t, c, td.blocks()[:1])
	h.message(wire.Reject)
	if got := tries.Load(); got != 1 {
		t.Errorf("%d requests, want 1", got)
	}
}

// TestFileFaults: failures of a file. Its pieces are taken back and its requests
// rejected, the server is never given up, and later the file is tried again.
func TestFileFaults(t *testing.T) {
	td := makeTorrent(t, metainfo.V1, "x", map[string]int{"": 2 << 20})
	size := len(td.content)
	refs := td.blocks()
	near, far := refs[8], refs[len(refs)-1] // of what 100,000 bytes and skipMax do not reach
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   error
	}{
		"404": {http.NotFound, statusError{status: 404}},
		"403": {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(403) },
			statusError{status: 403}},
		"410": {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(410) },
			statusError{status: 410}},
		"416": {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(416) },
			statusError{status: 416}},
		"500": {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) },
			statusError{status: 500}},
		"404, Retry-After": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(404)
		}, statusError{404, time.Second}},
		"other range": {func(w http.ResponseWriter, r *http.Request) {
			a, b := asked(r)
			partHead(w, a+1, b+1, size)
		}, errRange},
		"other total": {func(w http.ResponseWriter, r *http.Request) {
			a, b := asked(r)
			partHead(w, a, b, size+1)
		}, errLength},
		"no range": {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(206) },
			errRange},
		"other file": {func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "<html>welcome")
		}, errLength},
		"compressed": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			w.Write([]byte("short"))
		}, errEncoding},
		"compressed part": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			a, _ := asked(r)
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/*", a, a+9))
			w.WriteHeader(206)
			w.Write(make([]byte, 10))
		}, errEncoding},
		"shorter, and no length is said": {func(w http.ResponseWriter, r *http.Request) {
			w.Write(td.content[:100_000])
			w.(http.Flusher).Flush()
		}, errLength},
		"no ranges, far in": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(size))
			w.Write(td.content)
		}, errNoRanges},
		"redirect to nowhere": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://0.0.0.0/", http.StatusFound)
		}, guard.ErrRefused},
	} {
		t.Run(name, func(t *testing.T) {
			near := near
			url, tries := failingServer(t, c.answer)
			failed := make(chan error, 10)
			conn, h, _ := openWith(t, &td, Config{URL: url, Failed: func(file int, err error) {
				if file != 0 {
					t.Errorf("file %d failed", file)
				}
				failed <- err
			}})
			if errors.Is(c.want, errNoRanges) {
				near = far
			}
			ask(t, conn, []block.Ref{near})
			for _, want := range []wire.ID{wire.Extended, wire.Reject, wire.Have} {
				var m wire.Message
				for m = (<-h.messages); m.ID == wire.Suggest; m = <-h.messages {
				}
				for n := 1; want != wire.Reject && n < td.info.Layout().Pieces(); n++ {
					if m.ID == want {
						m = <-h.messages
					}
				}
				if m.ID != want {
					t.Fatalf("got %v, want %v", m.ID, want)
				}
			}
			if errors.Is(c.want, errNoRanges) {
				failed <- c.want // it comes all the same, if nobody else has it
			}
			if err := <-failed; !errors.Is(err, c.want) {
				t.Errorf("failed with %v, want %v", err, c.want)
			}
			if got := tries.Load(); got < 1 || got > 2 {
				t.Errorf("%d requests", got)
			}
			select {
			case err := <-h.closed:
				t.Errorf("closed: %v", err)
			default:
			}
		})
	}
}

// TestFileIsNotTheServer: what the run of a file that failed asked for of other files
// comes all the same, and a piece that is of both is rejected. A file may also fail
// for the host to which the server leads.
func TestFileIsNotTheServer(t *testing.T) {
	deaf := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(deaf.Close)
	for name, fail := range map[string]http.HandlerFunc{
		"not found":           http.NotFound,
		"another host is ill": http.RedirectHandler(deaf.URL, http.StatusFound).ServeHTTP,
	} {
		t.Run(name, func(t *testing.T) { testFileFails(t, fail) })
	}
}

func testFileFails(t *testing.T, fail http.HandlerFunc) {
	td := makeTorrent(t, metainfo.V1, "x", map[string]int{"a": 150_000, "b": 150_000, "c": 150_000})
	files := http.FileServer(http.Dir(td.dir))
	url, _ := failingServer(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/b") {
			fail(w, r)
			return
		}
		files.ServeHTTP(w, r)
	})
	c, h, _ := openWith(t, &td, Config{URL: url})
	c.times.file, c.times.absent = time.Hour, time.Hour
	layout := td.info.Layout()
	first, end := layout.FilePieces(1)
	ask(t, c, td.blocks())
	got, rejected := map[block.Ref]bool{}, map[block.Ref]bool{}
	for len(got)+len(rejected) < len(td.blocks()) {
		select {
		case r := <-h.blocks:
			got[r] = true
		case m := <-h.messages:
			if m.ID == wire.Reject {
				rejected[m.Ref] = true
			}
		case <-time.After(patience):
			t.Fatalf("%d came, %d were rejected, of %d", len(got), len(rejected), len(td.blocks()))
		}
	}
	for _, r := range td.blocks() {
		inside := int(r.Piece) >= first && int(r.Piece) < end
		if !inside && !got[r] {
			t.Errorf("%v did not come, although its files are there", r)
		}
		if inside && layout.PieceOffset(int(r.Piece))+
			int64(r.Begin+r.Length) > layout.Files[1].Offset &&
			layout.PieceOffset(int(r.Piece))+int64(r.Begin) < layout.Files[2].Offset &&
			!rejected[r] {
			t.Errorf("%v is of the file that is missing", r)
		}
	}
	for piece := range uint32(layout.Pieces()) {
		if c.Send(wire.Message{ID: wire.Request, Ref: block.Ref{Piece: piece, Length: 1}}); int(
			piece) >= first && int(piece) < end {
			h.message(wire.Reject)
		} else {
			<-h.blocks
		}
	}
}

// TestTooMuch: a server that goes on after the end does no harm.
func TestTooMuch(t *testing.T) {
	td := makeTorrent(t, metainfo.V1, "x", map[string]int{"": 100_000})
	url, _ := failingServer(t, func(w http.ResponseWriter, r *http.Request) {
		a, b := asked(r)
		partHead(w, a, b, len(td.content))
		w.Write(td.content[a:b])
		w.(http.Flusher).Flush() // no length is announced
		w.Write(make([]byte, 1<<20))
	})
	c, h, _ := open(t, &td, url)
	for _, r := range td.blocks() {
		ask(t, c, []block.Ref{r})
		h.gets([]block.Ref{r})
	}
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
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter,
				r *http.Request) {
				answer(w, r)
				<-r.Context().Done()
			}))
			defer server.Close()
			h := newPeerSide(t, &td)
			web := guard.New(guard.Config{})
			c, err := New(Config{Handler: h, Pool: block.NewPool(block.Size), Info: td.info,
				HTTP: web, URL: server.URL + "/"})
			if err != nil {
				t.Fatal(err)
			}
			c.times.answer, c.times.block, c.times.pause = 50*time.Millisecond, 50*time.Millisecond,
				time.Hour
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
	for _, bad := range []string{"", "x/y", "ftp://x/", "http:///y", "http://x/\x00",
		"http://x/" + strings.Repeat("a", guard.URLBytesMax)} {
		if _, err := newLocator(infoOf(t, "n", "a"), bad); !errors.Is(err, ErrURL) {
			t.Errorf("%.20q: got %v, want ErrURL", bad, err)
		}
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
	for _, c := range []struct {
		head string
		size int64
		want error
		to   int64 // what is taken ends here
	}{
		{"bytes 10-14/100", 5, nil, 15},
		{"bytes 10-14/*", -1, nil, 15},
		{"Bytes 10-14/100", 5, nil, 15},
		{"bytes=10-14/100", 5, nil, 15},
		{"bytes: 10-14/100", 5, nil, 15},
		{"10-14/100", 5, nil, 15},
		{"bytes 10-14", 5, nil, 15},
		{"bytes 10-12/100", 3, nil, 13}, // less than was asked for
		{"bytes 10-99/100", 90, nil, 15},
		{"", 5, nil, 15},
		{"bytes", 5, nil, 15},
		{"bytes */100", 5, nil, 15},
		{"", -1, errRange, 0},
		{"", 6, errRange, 0},
		{"bytes */99", 5, errRange, 0},
		{"bytes 10-14/99", 5, errLength, 0},
		{"bytes 11-15/100", 5, errRange, 0},
		{"bytes 10-9/100", 5, errRange, 0},
		{"bytes 0-4/100", 5, errRange, 0},
		{"bytes 99999999999999999999-1/100", -1, errRange, 0},
	} {
		r := &http.Response{StatusCode: http.StatusPartialContent, ContentLength: c.size,
			Header: http.Header{"Content-Range": {c.head}}}
		a := &answer{at: 10, end: 15}
		if err := a.take(r, span, 100); !errors.Is(err, c.want) || err == nil && a.end != c.to {
			t.Errorf("%q of %d bytes: %v up to %d, want %v up to %d", c.head, c.size, err, a.end,
				c.want, c.to)
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
	if got := c.pause(statusError{503, 30 * time.Second}); got < 30*time.Second ||
		got > 34*time.Second {
		t.Errorf("Retry-After: 30 makes %v", got)
	}
	c = &Conn{times: times{pause: pauseFirst}}
	var sum time.Duration
	for range failuresMax {
		sum += c.pause(errTooLittle)
	}
	if sum < 15*time.Minute {
		t.Errorf("a server that is down is given up after %v", sum)
	}
}

func FuzzHeaders(f *testing.F) {
	f.Add("bytes 0-9/10", "120", "gzip", int64(10))
	f.Add("bytes */10", "Mon, 02 Jan 2006 15:04:05 GMT", "", int64(-1))
	f.Add("0-3", "", "identity", int64(4))
	f.Fuzz(func(t *testing.T, s, after, encoding string, size int64) {
		for _, status := range []int{http.StatusOK, http.StatusPartialContent, http.StatusNotFound,
			http.StatusServiceUnavailable} {
			head := http.Header{"Content-Range": {s}, "Content-Encoding": {encoding},
				"Retry-After": {after}, "Content-Type": {s}}
			r := &http.Response{StatusCode: status, ContentLength: size, Header: head,
				Body: io.NopCloser(strings.NewReader(s))}
			a := &answer{at: 2, end: 8}
			if a.take(r, metainfo.Span{Offset: 2, Length: 6}, 10) == nil && (a.at > 2 ||
				a.end < a.at || a.end > 10 || !a.whole && a.end > 8) {
				t.Errorf("%q of %d bytes: from %d to %d is taken", s, size, a.at, a.end)
			}
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
