package swarm_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// patience bounds every wait of these tests. It is only reached by a failure.
const patience = 3 * time.Minute

var loopback = netip.MustParseAddrPort("127.0.0.1:0")

func newEngine(t *testing.T) *swarm.Engine {
	t.Helper()
	return listen(t, swarm.Config{Client: "test"})
}

// listen returns an engine, on loopback unless cfg says where. It is closed before any
// folder of the test is removed, those too that are made later: the first call of
// t.TempDir decides when all of them are.
func listen(t *testing.T, cfg swarm.Config) *swarm.Engine {
	t.Helper()
	t.TempDir()
	if len(cfg.Listen) == 0 {
		cfg.Listen = []netip.AddrPort{loopback}
	}
	e, err := swarm.Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			showTorrents(t, e)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// showTorrents logs where the torrents of an engine stand, the first few if there are many.
func showTorrents(t *testing.T, e *swarm.Engine) {
	t.Helper()
	all := e.Torrents()
	for _, torrent := range all[:min(len(all), 5)] {
		peers := torrent.Peers()
		t.Logf("%v of %d torrents at %v: %+v, peers %+v", torrent.Hash(), len(all), e.Addr(),
			torrent.State(), peers[:min(len(peers), 5)])
	}
}

// makeContent writes a folder of two files, and returns its parent and the torrent of it.
// The same size gives the same torrent.
func makeContent(t *testing.T, size int) (dir string, torrent *metainfo.Torrent) {
	t.Helper()
	dir = t.TempDir()
	rng := rand.NewChaCha8([32]byte{byte(size)})
	for _, file := range []struct {
		name string
		size int
	}{{"content/a", size / 3}, {"content/sub/b", size - size/3}} {
		data := make([]byte, file.size)
		rng.Read(data)
		path := filepath.Join(dir, file.name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	torrent, err := metainfo.Build(t.Context(), metainfo.BuildOptions{
		Path: filepath.Join(dir, "content"), PieceLength: 32 << 10,
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir, torrent
}

func sameContent(t *testing.T, dir1, dir2 string) {
	t.Helper()
	for _, name := range []string{"content/a", "content/sub/b"} {
		want, err := os.ReadFile(filepath.Join(dir1, name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(dir2, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs", name)
		}
	}
}

func add(t *testing.T, e *swarm.Engine, spec swarm.Spec) *swarm.Torrent {
	t.Helper()
	torrent, err := e.Add(spec)
	if err != nil {
		t.Fatal(err)
	}
	return torrent
}

func waitDone(t *testing.T, torrent *swarm.Torrent) {
	t.Helper()
	select {
	case <-torrent.Done():
	case <-time.After(patience):
		t.Fatalf("not done: %+v", torrent.State())
	}
}

func TestMagnetFromOnePeer(t *testing.T) {
	dir, torrent := makeContent(t, 1<<20+12345)
	seeder, leecher := newEngine(t), newEngine(t)
	seed := add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	waitDone(t, seed)

	out := t.TempDir()
	leech := add(t, leecher, swarm.Spec{
		Magnet: torrent.Magnet(), Dir: out, Peers: []string{seeder.Addr().String()},
	})
	waitDone(t, leech)
	if err := leech.Err(); err != nil {
		t.Fatal(err)
	}
	sameContent(t, dir, out)
	if paths := leech.Paths(); len(paths) != 1 || paths[0] != filepath.Join(out, "content") {
		t.Errorf("got paths %v", paths)
	}
	s := leech.State()
	if s.Phase != swarm.Seeding || s.Have != s.Length || s.Left != 0 || s.Down != s.Length ||
		s.Wasted() != 0 {
		t.Errorf("got %+v", s)
	}
}

func TestResumeKeepsWhatIsThere(t *testing.T) {
	dir, torrent := makeContent(t, 1<<20)
	out := t.TempDir()
	if err := os.CopyFS(out, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(out, "content/a"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("not what it was"), 100); err != nil {
		t.Fatal(err)
	}
	f.Close()

	seeder, leecher := newEngine(t), newEngine(t)
	add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	leech := add(t, leecher, swarm.Spec{Torrent: torrent, Dir: out,
		Peers: []string{seeder.Addr().String()}})
	waitDone(t, leech)
	if err := leech.Err(); err != nil {
		t.Fatal(err)
	}
	sameContent(t, dir, out)
	if down, piece := leech.State().Down,
		int64(torrent.Info().Layout().PieceLength); down != piece {
		t.Errorf("fetched %d bytes, want the one piece of %d", down, piece)
	}
}

// fakeDHT yields what it is told, and records how it was asked.
type fakeDHT struct {
	peers   []netip.AddrPort
	mu      sync.Mutex
	asked   []bool // seed, of each call
	ports   []uint16
	running int // searches that have not ended
}

func (d *fakeDHT) Peers(ctx context.Context, _ metainfo.Hash, port uint16,
	seed bool) iter.Seq[netip.AddrPort] {
	d.mu.Lock()
	d.asked, d.ports = append(d.asked, seed), append(d.ports, port)
	d.mu.Unlock()
	return func(yield func(netip.AddrPort) bool) {
		d.mu.Lock()
		d.running++
		d.mu.Unlock()
		defer func() {
			d.mu.Lock()
			d.running--
			d.mu.Unlock()
		}()
		for _, p := range d.peers {
			if !yield(p) {
				return
			}
		}
		<-ctx.Done()
	}
}

// searches returns how many searches have not ended.
func (d *fakeDHT) searches() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.running
}

func TestDiscoveryFindsPeersAndLearnsThatWeSeed(t *testing.T) {
	dir, torrent := makeContent(t, 100<<10)
	seeder, leecher := newEngine(t), newEngine(t)
	add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	dht := &fakeDHT{peers: []netip.AddrPort{seeder.Addr()}}
	leech := add(t, leecher, swarm.Spec{Magnet: torrent.Magnet(), Dir: t.TempDir(), DHT: dht})
	waitDone(t, leech)
	asked := func() int { // a search that Close ends before it began asks nobody
		dht.mu.Lock()
		defer dht.mu.Unlock()
		return len(dht.asked)
	}
	for end := time.Now().Add(patience); asked() < 2 && time.Now().Before(end); {
		<-time.After(time.Millisecond)
	}
	if err := leech.Close(); err != nil {
		t.Fatal(err)
	}
	dht.mu.Lock()
	defer dht.mu.Unlock()
	if len(dht.asked) != 2 || dht.asked[0] || !dht.asked[1] {
		t.Errorf("asked as seed: %v, want false, then true", dht.asked)
	}
	if dht.ports[0] != leecher.Addr().Port() {
		t.Errorf("announced port %d, want %d", dht.ports[0], leecher.Addr().Port())
	}
	if got := leech.State().Phase; got != swarm.Closed {
		t.Errorf("state after Close: %v", got)
	}
}

func TestAddRefuses(t *testing.T) {
	_, torrent := makeContent(t, 1000)
	e := newEngine(t)
	if _, err := e.Add(swarm.Spec{Dir: t.TempDir()}); err == nil {
		t.Error("a spec of nothing was taken")
	}
	spec := swarm.Spec{Torrent: torrent, Dir: t.TempDir()}
	add(t, e, spec)
	if _, err := e.Add(spec); !errors.Is(err, swarm.ErrExists) {
		t.Errorf("second add: got %v", err)
	}
	e.Close()
	if _, err := e.Add(spec); !errors.Is(err, swarm.ErrClosed) {
		t.Errorf("after Close: got %v", err)
	}
}

func TestStorageThatCannotBeOpenedEndsTheTorrent(t *testing.T) {
	_, torrent := makeContent(t, 1000)
	out := t.TempDir()
	if err := os.WriteFile(filepath.Join(out, "content"), nil, 0o666); err != nil {
		t.Fatal(err) // a file where the folder belongs
	}
	leech := add(t, newEngine(t), swarm.Spec{Torrent: torrent, Dir: out})
	waitDone(t, leech)
	if leech.Err() == nil || leech.State().Phase != swarm.Failed {
		t.Errorf("got %v, state %v", leech.Err(), leech.State().Phase)
	}
}

func TestGarbageDoesNotDisturb(t *testing.T) {
	dir, torrent := makeContent(t, 200<<10)
	seeder, leecher := newEngine(t), newEngine(t)
	add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	for _, junk := range []string{"GET / HTTP/1.1\r\n\r\n", "\x13BitTorrent protocol", "",
		"\x00\xff\x17"} {
		conn, err := net.Dial("tcp", seeder.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.Write([]byte(junk))
	}
	leech := add(t, leecher, swarm.Spec{
		Magnet: torrent.Magnet(), Dir: t.TempDir(), Peers: []string{seeder.Addr().String()},
	})
	waitDone(t, leech)
	if err := leech.Err(); err != nil {
		t.Fatal(err)
	}
}
