package daemon

import (
	"bytes"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"swarmnode"
	"swarmnode/metainfo"
)

// patience bounds every wait of these tests. It is only reached by a failure.
const patience = time.Minute

// A logbook keeps what a daemon logs.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// lines returns the lines that have a text in them.
func (l *logbook) lines(with string) (found []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		if strings.Contains(line, with) {
			found = append(found, line)
		}
	}
	return found
}

// testConfig is that of a daemon on loopback that looks for nobody.
func testConfig(state, dir string, log *logbook) Config {
	cfg := Config{
		Node: swarmnode.Config{StateDir: state, Bootstrap: []string{}, AnyPort: true,
			NoPortmap: true, Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}},
		Settings: Settings{Dir: dir},
	}
	if log != nil {
		cfg.Logger = slog.New(slog.NewTextHandler(log, nil))
	}
	return cfg
}

// startDaemon starts a daemon, which is closed at the end of the test.
func startDaemon(t *testing.T, cfg Config) *Daemon {
	t.Helper()
	d, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// closeDaemon closes a daemon in the middle of a test.
func closeDaemon(t *testing.T, d *Daemon) {
	t.Helper()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

// contentOf returns random bytes.
func contentOf(size int, seed byte) []byte {
	content := make([]byte, size)
	rng := rand.NewChaCha8([32]byte{seed})
	rng.Read(content)
	return content
}

// makeTorrent makes a file of random bytes in a folder, and a torrent of it.
func makeTorrent(t *testing.T, name string, size int, kind metainfo.Kind) (string,
	*metainfo.Torrent) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, contentOf(size, byte(len(name))), 0o644); err != nil {
		t.Fatal(err)
	}
	torrent, err := metainfo.Build(t.Context(), metainfo.BuildOptions{Path: path,
		PieceLength: 16 << 10, Kind: kind})
	if err != nil {
		t.Fatal(err)
	}
	return dir, torrent
}

// add adds a torrent.
func add(t *testing.T, d *Daemon, spec AddSpec) *Torrent {
	t.Helper()
	torrent, err := d.Add(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return torrent
}

// eventually waits until done reports true.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); {
		if time.Now().After(deadline) {
			t.Fatal("did not happen: ", what)
		}
		timer := time.NewTimer(5 * time.Millisecond)
		select {
		case <-timer.C:
		case <-t.Context().Done():
		}
	}
}

// awaitStatus waits until a torrent has a status.
func awaitStatus(t *testing.T, torrent *Torrent, want Status) {
	t.Helper()
	for deadline := time.Now().Add(patience); torrent.State().Status != want; {
		if time.Now().After(deadline) {
			t.Fatalf("it is %v, want %v: %+v", torrent.State().Status, want, torrent.State())
		}
		timer := time.NewTimer(5 * time.Millisecond)
		<-timer.C
	}
}

// hostOf returns where a daemon listens.
func hostOf(d *Daemon) string { return d.Node().Addrs()[0].String() }

// seeder starts a daemon that seeds content.
func seeder(t *testing.T, dir string, torrent *metainfo.Torrent) *Daemon {
	t.Helper()
	d := startDaemon(t, testConfig(t.TempDir(), dir, nil))
	seed := add(t, d, AddSpec{Torrent: torrent, Complete: true})
	awaitStatus(t, seed, Seeding)
	return d
}
