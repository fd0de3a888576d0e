package swarm_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm"
	"swarmnode/swarm/core"
)

// webFolder writes eight files of which none ends where a piece does, and returns the
// folder above and a torrent of them.
func webFolder(t *testing.T, kind metainfo.Kind) (dir string, torrent *metainfo.Torrent) {
	t.Helper()
	dir = t.TempDir()
	rng := rand.NewChaCha8([32]byte{25})
	for i := range 8 {
		data := make([]byte, 700_001+1000*i)
		rng.Read(data)
		path := filepath.Join(dir, "content", fmt.Sprint("file", i))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	torrent, err := metainfo.Build(t.Context(), metainfo.BuildOptions{
		Path: filepath.Join(dir, "content"), Kind: kind, PieceLength: 64 << 10,
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir, torrent
}

// webServer serves a folder, but answers by the handlers for files of these names.
func webServer(t *testing.T, dir string, others map[string]http.HandlerFunc) string {
	t.Helper()
	files := http.FileServer(http.Dir(dir))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if other := others[filepath.Base(r.URL.Path)]; other != nil {
			other(w, r)
			return
		}
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/"
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// stale serves other data of the same length.
func stale(w http.ResponseWriter, r *http.Request) {
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(make([]byte, 703_001)))
}

func same(t *testing.T, want, got string) {
	t.Helper()
	for i := range 8 {
		a, err := os.ReadFile(filepath.Join(want, "content", fmt.Sprint("file", i)))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(got, "content", fmt.Sprint("file", i)))
		if err != nil || !bytes.Equal(a, b) {
			t.Errorf("file %d differs: %v", i, err)
		}
	}
}

// TestOneFileFails: what is wrong with one file on a web server says nothing of the
// others, and that file comes from elsewhere, pieces included of which it has a part.
func TestOneFileFails(t *testing.T) {
	for name, bad := range map[string]http.HandlerFunc{
		"404": status(404), "403": status(403), "410": status(410), "416": status(416),
		"500": status(500), "stale": stale,
		"shorter": func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(make([]byte, 500_000)))
		},
		"redirected to nowhere": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://0.0.0.0/", http.StatusFound)
		},
	} {
		for _, kind := range []metainfo.Kind{metainfo.V1, metainfo.Hybrid} {
			t.Run(fmt.Sprint(name, " ", kind), func(t *testing.T) {
				dir, torrent := webFolder(t, kind)
				first := webServer(t, dir, map[string]http.HandlerFunc{"file3": bad})
				second := webServer(t, dir, nil)
				out := t.TempDir()
				leech := add(t, newEngine(t), swarm.Spec{Torrent: torrent, Dir: out,
					WebSeeds: []string{first, second}})
				waitDone(t, leech)
				if err := leech.Err(); err != nil {
					t.Fatal(err)
				}
				same(t, dir, out)
				// what is under way is that of one file
				if s := leech.State(); s.Drops[core.ReasonBadPiece] > 0 ||
					s.Waste[core.ReasonBadPiece] > 800_000 {
					t.Errorf("%d servers were banned, and %d bytes were wrong",
						s.Drops[core.ReasonBadPiece], s.Waste[core.ReasonBadPiece])
				}
			})
		}
	}
}

// TestFilesSpreadOverServers: two servers that have half of the files each.
func TestFilesSpreadOverServers(t *testing.T) {
	dir, torrent := webFolder(t, metainfo.Hybrid)
	gone := func(first, end int) map[string]http.HandlerFunc {
		m := make(map[string]http.HandlerFunc)
		for i := first; i < end; i++ {
			m[fmt.Sprint("file", i)] = http.NotFound
		}
		return m
	}
	out := t.TempDir()
	leech := add(t, newEngine(t), swarm.Spec{Torrent: torrent, Dir: out, WebSeeds: []string{
		webServer(t, dir, gone(0, 4)), webServer(t, dir, gone(4, 8)),
	}})
	waitDone(t, leech)
	same(t, dir, out)
}

// TestFileThatNobodyHas: all but one file is fetched, and the user is told which one
// that is, with the reason.
func TestFileThatNobodyHas(t *testing.T) {
	for name, bad := range map[string]http.HandlerFunc{"HTTP status 404": http.NotFound,
		"other data": stale} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()        // it waits most of the time
			kind := metainfo.V1 // with pieces that have a part in two files
			if name != "other data" {
				kind = metainfo.Hybrid
			}
			dir, torrent := webFolder(t, kind)
			heard := &warnings{told: make(chan string, 10)}
			e := listen(t, swarm.Config{Logger: slog.New(slog.NewTextHandler(heard,
				&slog.HandlerOptions{Level: slog.LevelWarn}))})
			leech := add(t, e, swarm.Spec{Torrent: torrent, Dir: t.TempDir(), WebSeeds: []string{
				webServer(t, dir, map[string]http.HandlerFunc{"file3": bad}),
			}})
			for line := range heard.told {
				if strings.Contains(line, "content/file3") && strings.Contains(line, name) &&
					!strings.Contains(line, "more=") {
					break
				}
				t.Errorf("told %q", line)
			}
			if s := leech.State(); s.Left == 0 || s.Left > 800_000 {
				t.Errorf("%d bytes are missing, want one file of 703,001", s.Left)
			}
		})
	}
}

// warnings is where a log goes of which each line is told.
type warnings struct {
	mu   sync.Mutex
	told chan string
}

func (w *warnings) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case w.told <- string(p):
	default:
	}
	return len(p), nil
}
