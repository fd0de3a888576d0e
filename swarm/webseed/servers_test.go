package webseed

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/block"
	"swarmnode/swarm/wire"
)

// fetchInRows asks for all of a torrent, as the core does: some blocks ahead of what has come.
func fetchInRows(t *testing.T, c *Conn, h *peerSide, refs []block.Ref) {
	t.Helper()
	const ahead = 3 * runMax / block.Size
	for sent, got := 0, 0; got < len(refs); got++ {
		for ; sent < len(refs) && sent-got < ahead; sent++ {
			ask(t, c, refs[sent:sent+1])
		}
		for taken := false; !taken; {
			select {
			case <-h.blocks:
				taken = true
			case m := <-h.messages:
				if m.ID != wire.Suggest {
					t.Fatalf("%v came after %d blocks", m, got)
				}
			case err := <-h.closed:
				t.Fatalf("closed with %v after %d blocks", err, got)
			case <-time.After(patience):
				t.Fatalf("nothing came after %d blocks", got)
			}
		}
	}
	if h.wrong > 0 {
		t.Errorf("%d blocks had other bytes", h.wrong)
	}
}

// TestFewConnections: a server that takes one or two connections is fetched from over
// as many, without a pause in which we are choked, however it turns others away.
func TestFewConnections(t *testing.T) {
	td := makeTorrent(t, metainfo.V1, "x", map[string]int{"": 24 << 20})
	file := func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(td.content))
	}
	for name, turnAway := range map[string]http.HandlerFunc{
		"503": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) },
		"429": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(429) },
		"429, Retry-After": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(429)
		},
		"it hangs up": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"no answer":   func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	} {
		for _, most := range []int32{1, 2} {
			t.Run(fmt.Sprint(name, ", ", most), func(t *testing.T) {
				var at, refused atomic.Int32
				full := make(chan struct{})
				once := sync.OnceFunc(func() { close(full) })
				url, _ := failingServer(t, func(w http.ResponseWriter, r *http.Request) {
					defer at.Add(-1)
					if at.Add(1) > most {
						refused.Add(1)
						once()
						turnAway(w, r)
						return
					}
					<-full // until one too many has come
					file(w, r)
				})
				c, h, _ := open(t, &td, url)
				fetchInRows(t, c, h, td.blocks())
				if n := refused.Load(); n == 0 || n > 8 {
					t.Errorf("%d requests were refused", n)
				}
			})
		}
	}
}

// TestClosedConnections: so is one that counts connections rather than requests, and
// closes those beyond.
func TestClosedConnections(t *testing.T) {
	td := makeTorrent(t, metainfo.V1, "x", map[string]int{"": 24 << 20})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter,
		r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(td.content))
	}))
	server.Listener = &fewConns{Listener: server.Listener, left: 1}
	server.Start()
	t.Cleanup(server.Close)
	c, h, _ := open(t, &td, server.URL+"/")
	fetchInRows(t, c, h, td.blocks())
}

// fewConns is a listener that closes connections while there are enough.
type fewConns struct {
	net.Listener
	mu   sync.Mutex
	left int
}

func (l *fewConns) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		l.mu.Lock()
		takes := l.left > 0
		if takes {
			l.left--
		}
		l.mu.Unlock()
		if takes {
			return &fewConn{Conn: conn, of: l}, nil
		}
		conn.Close()
	}
}

type fewConn struct {
	net.Conn
	of   *fewConns
	once sync.Once
}

func (c *fewConn) Close() error {
	c.once.Do(func() {
		c.of.mu.Lock()
		c.of.left++
		c.of.mu.Unlock()
	})
	return c.Conn.Close()
}

// TestWiden: a server that takes more connections again is given them.
func TestWiden(t *testing.T) {
	p := pace{active: 1, limit: 3}
	now := time.Unix(0, 0)
	if !p.crowded(now) || p.limit != 1 {
		t.Fatalf("limit %d beside one that goes on", p.limit)
	}
	p.active = 0
	if p.crowded(now) {
		t.Error("a server is crowded by nobody")
	}
	p.smooth(now.Add(widenFirst - 1))
	if p.limit != 1 {
		t.Error("another connection is tried at once")
	}
	p.smooth(now.Add(widenFirst))
	p.smooth(now.Add(2 * widenFirst))
	p.smooth(now.Add(20 * widenFirst))
	if p.limit != fetchers {
		t.Errorf("limit %d after a while", p.limit)
	}
	p.active = 2
	p.crowded(now)
	if p.smooth(now.Add(2*widenFirst - 1)); p.limit != 2 {
		t.Error("it is tried again too soon")
	}
}

// TestCutAnswers: a server that cuts its answers costs no pause as long as something
// comes, be it less than a block.
func TestCutAnswers(t *testing.T) {
	td := makeTorrent(t, metainfo.V1, "x", map[string]int{"": 1 << 20})
	for _, most := range []int{2000, block.Size + 1, 100_000} {
		for _, announced := range []bool{true, false} {
			t.Run(fmt.Sprintf("after %d bytes, announced %v", most, announced), func(t *testing.T) {
				url, _ := failingServer(t, func(w http.ResponseWriter, r *http.Request) {
					a, b := asked(r)
					if announced { // what RFC 9110 allows
						b = min(b, a+most)
					}
					partHead(w, a, b, len(td.content))
					w.Write(td.content[a:min(b, a+most)])
					w.(http.Flusher).Flush()
					if !announced {
						panic(http.ErrAbortHandler)
					}
				})
				c, h, _ := open(t, &td, url)
				c.times.pause = time.Hour
				fetchInRows(t, c, h, td.blocks())
			})
		}
	}
}

// TestLabels: what a file is called does not count when its length is right, and what
// is really packed is unpacked, or is a failure.
func TestLabels(t *testing.T) {
	td := makeTorrent(t, metainfo.V1, "x.tar.gz", map[string]int{"": 300_000})
	ranged := func(label string, head func(a, b int) string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			a, b := asked(r)
			if label != "" {
				w.Header().Set("Content-Encoding", label)
			}
			if value := head(a, b); value != "" {
				w.Header().Set("Content-Range", value)
			}
			w.Header().Set("Content-Length", fmt.Sprint(b-a))
			w.WriteHeader(http.StatusPartialContent)
			w.Write(td.content[a:b])
		}
	}
	right := func(unit string) func(a, b int) string {
		return func(a, b int) string {
			return fmt.Sprintf("%s%d-%d/%d", unit, a, b-1, len(td.content))
		}
	}
	for name, answer := range map[string]http.HandlerFunc{
		"x-gzip":         ranged("x-gzip", right("bytes ")),
		"gzip":           ranged("gzip", right("bytes ")),
		"identity":       ranged("identity", right("bytes ")),
		"Bytes":          ranged("", right("Bytes ")),
		"without a unit": ranged("", right("")),
		"no header":      ranged("", func(int, int) string { return "" }),
		"nonsense":       ranged("", func(int, int) string { return "all of it" }),
		"total unknown": ranged("", func(a, b int) string {
			return fmt.Sprintf("bytes %d-%d/*", a, b-1)
		}),
		"whole, labelled": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "x-gzip")
			w.Header().Set("Content-Length", fmt.Sprint(len(td.content)))
			w.Write(td.content)
		},
		"whole, packed": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			z.Write(td.content)
			z.Close()
		},
		"chunked": func(w http.ResponseWriter, r *http.Request) {
			a, b := asked(r)
			partHead(w, a, b, len(td.content))
			w.(http.Flusher).Flush()
			w.Write(td.content[a:b])
		},
		"multipart": func(w http.ResponseWriter, r *http.Request) {
			a, b := asked(r)
			m := multipart.NewWriter(w)
			w.Header().Set("Content-Type", "multipart/byteranges; boundary="+m.Boundary())
			w.WriteHeader(http.StatusPartialContent)
			part, _ := m.CreatePart(textproto.MIMEHeader{"Content-Range": {right("bytes ")(a, b)}})
			part.Write(td.content[a:b])
			m.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			url, _ := failingServer(t, answer)
			c, h, _ := open(t, &td, url)
			refs := td.blocks()
			ask(t, c, refs[3:9])
			h.gets(refs[3:9])
			ask(t, c, refs[:3])
			h.gets(refs[:3])
		})
	}
}

// TestOldServers: HTTP/1.0 and connections that are not kept.
func TestOldServers(t *testing.T) {
	td := makeTorrent(t, metainfo.V1, "x", map[string]int{"": 6 << 20})
	for name, ranges := range map[string]bool{"HTTP/1.0 with ranges": true,
		"HTTP/1.0 without": false} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			var serving sync.WaitGroup
			t.Cleanup(func() { l.Close(); serving.Wait() })
			serving.Go(func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					serving.Go(func() {
						defer conn.Close()
						buf := make([]byte, 4096)
						n, _ := conn.Read(buf)
						r := &http.Request{Header: http.Header{}}
						for line := range strings.Lines(string(buf[:n])) {
							if k, v, ok := strings.Cut(line, ":"); ok {
								r.Header.Set(k, strings.TrimSpace(v))
							}
						}
						a, b := asked(r)
						if !ranges {
							fmt.Fprintf(conn, "HTTP/1.0 200 OK\r\nAccept-Ranges: none\r\n\r\n")
							conn.Write(td.content)
							return
						}
						fmt.Fprintf(conn,
							"HTTP/1.0 206 Partial\r\nContent-Range: bytes %d-%d/%d\r\n\r\n", a,
							b-1, len(td.content))
						conn.Write(td.content[a:b])
					})
				}
			})
			c, h, _ := open(t, &td, "http://"+l.Addr().String()+"/")
			fetchInRows(t, c, h, td.blocks())
		})
	}
	t.Run("connections not kept", func(t *testing.T) {
		server := httptest.NewUnstartedServer(http.FileServer(http.Dir(td.dir)))
		server.Config.SetKeepAlivesEnabled(false)
		server.Start()
		t.Cleanup(server.Close)
		c, h, _ := open(t, &td, server.URL+"/")
		fetchInRows(t, c, h, td.blocks())
	})
}

// TestNoRanges: a server without ranges is read from beginning to end, in one answer,
// and says that it can only read on.
func TestNoRanges(t *testing.T) {
	td := makeTorrent(t, metainfo.V1, "x", map[string]int{"": 12 << 20})
	answers := map[string]http.HandlerFunc{
		"with its length": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(td.content)))
			w.Write(td.content)
		},
		"chunked": func(w http.ResponseWriter, r *http.Request) { w.Write(td.content) },
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			url, tries := failingServer(t, answer)
			c, h, _ := open(t, &td, url)
			refs := td.blocks()
			ask(t, c, refs[:10])
			if h.gets(refs[:10]); !c.inOrderNow() {
				t.Fatal("it is not known to have no ranges")
			}
			fetchInRows(t, c, h, refs[10:])
			if got := tries.Load(); got != 1 {
				t.Errorf("%d requests, want 1", got)
			}
		})
	}
	t.Run("asked for far ahead at first", func(t *testing.T) {
		url, tries := failingServer(t, answers["chunked"])
		c, h, _ := open(t, &td, url)
		fetchInRows(t, c, h, td.blocks())
		if got := tries.Load(); got > fetchers { // runs that were under way before it was known
			t.Errorf("%d requests, want %d at most", got, fetchers)
		}
	})
	t.Run("ranges after all", func(t *testing.T) {
		var asked atomic.Int32
		url, _ := failingServer(t, func(w http.ResponseWriter, r *http.Request) {
			if asked.Add(1) == 1 { // a cache that has to fill itself
				w.Write(td.content[:4<<20])
				w.(http.Flusher).Flush()
				panic(http.ErrAbortHandler)
			}
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(td.content))
		})
		c, h, _ := open(t, &td, url)
		refs := td.blocks()
		ask(t, c, refs[:10])
		h.gets(refs[:10])
		fetchInRows(t, c, h, refs[10:])
		if c.inOrderNow() {
			t.Error("it is still read in order")
		}
	})
	t.Run("a hole", func(t *testing.T) {
		url, tries := failingServer(t, answers["chunked"])
		c, h, _ := open(t, &td, url)
		refs := td.blocks()
		ask(t, c, refs[:10])
		h.gets(refs[:10])
		// What is far ahead is taken back, for others to give.
		ask(t, c, refs[600:610])
		for n := 0; n < 10; {
			if m := <-h.messages; m.ID == wire.Reject {
				n++
			}
		}
		for m := range h.messages { // and offered again
			if m.ID == wire.Have || m.ID == wire.Bitfield {
				break
			}
		}
		for len(h.messages) > 0 {
			<-h.messages
		}
		// Nobody did: the way there is read. A short way back is, too.
		ask(t, c, refs[600:610])
		h.gets(refs[600:610])
		ask(t, c, refs[20:30])
		h.gets(refs[20:30])
		if got := tries.Load(); got > 3 {
			t.Errorf("%d requests, want one for each way", got)
		}
	})
}

func (c *Conn) inOrderNow() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.inOrder
}

// TestDistrust: what the server has wrong is rejected from then on, also by the next
// Conn, and when nothing else is left it is given up.
func TestDistrust(t *testing.T) {
	td := makeTorrent(t, metainfo.V2, "x", map[string]int{"a": 100_000, "b": 100_000})
	server := serveDir(t, td.dir)
	var faults Faults
	c, h, _ := openWith(t, &td, Config{URL: server.URL, Faults: &faults})
	first, end := td.info.Layout().FilePieces(0)
	c.Distrust(first, end-first)
	for range end - first {
		if m := h.message(wire.Extended); m.Ext != uint8(wire.ExtDontHave) {
			t.Errorf("got extended message %d", m.Ext)
		}
	}
	ask(t, c, []block.Ref{{Piece: uint32(first), Length: 1}})
	h.message(wire.Reject)
	ask(t, c, []block.Ref{{Piece: uint32(end), Length: 1}})
	if r := <-h.blocks; r.Piece != uint32(end) {
		t.Errorf("got %v", r)
	}
	c.Close(io.EOF)
	<-h.closed

	h = newPeerSide(t, &td)
	next, err := New(Config{Handler: h, Info: td.info, URL: server.URL, Faults: &faults})
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() { next.Run(t.Context()) })
	if m := h.message(wire.Bitfield); m.Payload[0] != 0b0011_0000 {
		t.Errorf("offered %b", m.Payload)
	}
	h.message(wire.Unchoke)
	next.Distrust(end, td.info.Layout().Pieces()-end)
	if err := <-h.closed; !errors.Is(err, ErrWrong) {
		t.Errorf("closed with %v, want %v", err, ErrWrong)
	}
	running.Wait()
}
