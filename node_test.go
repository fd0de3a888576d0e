package swarmnode

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// startNode starts a node of cfg on loopback that knows the hosts named in bootstrap.
func startNode(t *testing.T, cfg Config, bootstrap ...string) *Node {
	t.Helper()
	cfg.Listen, cfg.AnyPort = loopback, true
	cfg.Bootstrap = append([]string{}, bootstrap...)
	n, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func hostOf(n *Node) string { return n.Addrs()[0].String() }

// makeTorrent makes a file of size random bytes, and a torrent of it.
func makeTorrent(t *testing.T, size int) (dir string, torrent *metainfo.Torrent) {
	t.Helper()
	dir = t.TempDir()
	path := filepath.Join(dir, "content")
	content := make([]byte, size)
	rng := rand.NewChaCha8([32]byte{1})
	rng.Read(content)
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	torrent, err := metainfo.Build(t.Context(), metainfo.BuildOptions{Path: path,
		PieceLength: 16 << 10})
	if err != nil {
		t.Fatal(err)
	}
	return dir, torrent
}

// patience bounds every wait of these tests. It is only reached by a failure.
const patience = 3 * time.Minute

// eventually waits until done reports true.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); {
		if time.Now().After(deadline) {
			t.Fatal("did not happen: ", what)
		}
		runtime.Gosched()
		pause(t)
	}
}

// pause waits a little.
func pause(t *testing.T) {
	timer := time.NewTimer(10 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
	}
}

func waitDone(t *testing.T, torrent *swarm.Torrent) {
	t.Helper()
	select {
	case <-torrent.Done():
	case <-time.After(patience):
		t.Fatalf("not complete: %+v", torrent.State())
	}
	if err := torrent.Err(); err != nil {
		t.Fatal(err)
	}
}

// goroutines returns the stacks of the goroutines of this module.
func goroutines() []string {
	buf := make([]byte, 1<<20)
	var ours []string
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(stack, "swarmnode") && !strings.Contains(stack, "testing.tRunner") {
			ours = append(ours, stack)
		}
	}
	return ours
}

// openFiles returns how many files and sockets this process has open, 0 if that is unknown.
func openFiles() int {
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(all)
}

// forceLSD starts local discovery although the node listens on loopback alone. It does not
// leave that interface.
func forceLSD(n *Node) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.startLSD()
}

// Close leaves no goroutine, whatever the node is doing: it seeds, fetches, checks, looks
// for metadata, has just started, or was switched a moment ago.
func TestCloseLeavesNoGoroutine(t *testing.T) {
	before := len(goroutines())
	dir, torrent := makeTorrent(t, 4<<20)
	for _, when := range []string{"at once", "in the middle", "complete"} {
		t.Run(when, func(t *testing.T) {
			files := openFiles()
			seeder := startNode(t, Config{StateDir: t.TempDir()})
			forceLSD(seeder)
			leecher := startNode(t, Config{StateDir: t.TempDir(), Down: 2 << 20}, hostOf(seeder))
			if _, err := seeder.Add(swarm.Spec{Torrent: torrent, Dir: dir}); err != nil {
				t.Fatal(err)
			}
			leech, err := leecher.Add(swarm.Spec{Magnet: torrent.Magnet(), Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			unknown := metainfo.Magnet{V1: metainfo.Hash{1, 2, 3}, HasV1: true}
			if _, err := leecher.Add(swarm.Spec{Magnet: unknown, Dir: t.TempDir()}); err != nil {
				t.Fatal(err)
			}
			switch when {
			case "in the middle":
				eventually(t, "some content", func() bool { return leech.State().Got > 0 })
				leecher.SetDHT(false)
			case "complete":
				waitDone(t, leech)
				if down, _ := leecher.Traffic(); down < 4<<20 {
					t.Errorf("%d bytes were received", down)
				}
			}
			if err := errors.Join(leecher.Close(), seeder.Close()); err != nil {
				t.Error(err)
			}
			// A goroutine that was waited for may still be about to exit.
			var left []string
			for range 1000 {
				if left = goroutines(); len(left) <= before {
					if now := openFiles(); now > files {
						t.Errorf("%d files are open, %d were before", now, files)
					}
					return
				}
				pause(t)
			}
			t.Errorf("%d goroutines are left:\n%s", len(left)-before, strings.Join(left, "\n\n"))
		})
	}
}

// The end of the context closes the node, and everything that comes later fails.
func TestContextEndsNode(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	n, err := Start(ctx, Config{Listen: loopback, AnyPort: true, Bootstrap: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	_, torrent := makeTorrent(t, 1000)
	spec := swarm.Spec{Torrent: torrent, Dir: t.TempDir()}
	added, err := n.Add(spec)
	if err != nil {
		t.Fatal(err)
	}
	if n.Torrent(torrent.Info().Hash()) != added || len(n.Torrents()) != 1 {
		t.Error("the torrent is not found")
	}
	cancel()
	<-n.Done()
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	if !errors.Is(added.Err(), swarm.ErrStopped) {
		t.Errorf("the torrent ended with %v", added.Err())
	}
	if _, err := n.Add(spec); !errors.Is(err, swarm.ErrClosed) {
		t.Errorf("Add: %v", err)
	}
	if err := errors.Join(n.SetDHT(true), n.SetLSD(true)); !errors.Is(err, ErrClosed) {
		t.Errorf("switching a closed node on: %v", err)
	}
	if n.DHT().On() || n.DHT().Stats().Contacts[0] != 0 || n.DHT().External() != nil {
		t.Error("the DHT runs on")
	}
	if _, err := Start(ctx, Config{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Start after the end: %v", err)
	}
}

func TestStartFails(t *testing.T) {
	busy, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	taken := []netip.AddrPort{busy.Addr().(*net.TCPAddr).AddrPort()}
	_, err = Start(t.Context(), Config{Listen: taken})
	if listen, ok := errors.AsType[*ListenError](err); !ok || !listen.InUse() {
		t.Errorf("a port in use: %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Start(t.Context(), Config{Listen: loopback, StateDir: file})
	if state, ok := errors.AsType[*StateError](err); !ok || state.Dir != file {
		t.Errorf("a file as the state folder: %v", err)
	}
	for _, host := range []string{"nobody", "127.0.0.1:0", ""} {
		_, err = Start(t.Context(), Config{Listen: loopback, Bootstrap: []string{host}})
		if _, ok := errors.AsType[*BootstrapError](err); !ok {
			t.Errorf("bootstrap host %q: %v", host, err)
		}
	}
	if _, err := Start(t.Context(), Config{Listen: loopback,
		PeerIDPrefix: strings.Repeat("x", 21)}); err == nil {
		t.Error("a prefix of 21 bytes was taken")
	}
}

// Torrents notice when the DHT is switched on, whether they were added before or after, and
// new peers are told.
func TestSwitchDHT(t *testing.T) {
	dir, torrent := makeTorrent(t, 100<<10)
	seeder := startNode(t, Config{NoDHT: true})
	leecher := startNode(t, Config{}, hostOf(seeder))
	if _, err := seeder.Add(swarm.Spec{Torrent: torrent, Dir: dir, Complete: true}); err != nil {
		t.Fatal(err)
	}
	if seeder.DHT().On() || seeder.DHT().Node() != nil {
		t.Fatal("the DHT runs")
	}
	if err := seeder.SetDHT(true); err != nil {
		t.Fatal(err)
	}
	leech, err := leecher.Add(swarm.Spec{Magnet: torrent.Magnet(), Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	waitDone(t, leech)
	if leecher.DHT().Since().IsZero() {
		t.Error("the DHT node has no start")
	}
	// Off, on and off again: the state of before is taken up.
	eventually(t, "a contact", func() bool { return leecher.DHT().Stats().Contacts[0] > 0 })
	for range 3 {
		if err := leecher.SetDHT(false); err != nil || leecher.DHT().On() {
			t.Fatal("off:", err)
		}
		if err := leecher.SetDHT(true); err != nil || !leecher.DHT().Remembers() {
			t.Fatal("on:", err)
		}
	}
	if got := leecher.DHT().Stats().Saved; got == 0 {
		t.Error("the node starts from nothing")
	}
}

// A node answers uTP while its DHT is off, before and after it was on.
func TestUDPIsReadWithoutDHT(t *testing.T) {
	n := startNode(t, Config{NoDHT: true})
	for range 2 {
		conn, err := net.Dial("udp", hostOf(n))
		if err != nil {
			t.Fatal(err)
		}
		syn := make([]byte, 20)
		syn[0] = 4<<4 | 1 // ST_SYN, BEP 29
		if _, err := conn.Write(syn); err != nil {
			t.Fatal(err)
		}
		conn.SetReadDeadline(time.Now().Add(patience))
		answer := make([]byte, 100)
		got, err := conn.Read(answer)
		if err != nil || !bytes.HasPrefix(answer[:got], []byte{2<<4 | 1}) { // ST_STATE
			t.Errorf("answer %x, %v; want a connection", answer[:got], err)
		}
		conn.Close()
		if err := errors.Join(n.SetDHT(true), n.SetDHT(false)); err != nil {
			t.Fatal(err)
		}
	}
}

// The methods may be called at the same time, and Close in the middle of them.
func TestMethodsAtOnce(t *testing.T) {
	n := startNode(t, Config{StateDir: t.TempDir()})
	_, torrent := makeTorrent(t, 1000)
	var wait sync.WaitGroup
	for i := range 4 {
		wait.Go(func() {
			for round := range 20 {
				on := (i+round)%2 == 0
				n.SetDHT(on)
				n.SetLSD(on)
				n.DHT().Stats()
				n.DHT().External()
				if round%5 == i {
					n.SetPort(0)
					n.Listen(loopback...)
				}
				n.SetPEX(on)
				n.SetLimits(swarm.EngineLimits{Peers: 10 + round})
				if _, err := n.Add(swarm.Spec{Torrent: torrent, Dir: t.TempDir()}); err == nil {
					for _, t := range n.Torrents() {
						t.Close()
					}
				}
			}
			if i == 0 {
				n.Close()
			}
		})
	}
	wait.Wait()
	if n.Addrs() == nil {
		t.Error("a closed node has forgotten where it listened")
	}
}

// A node that starts again listens on the port of before and joins through the nodes of
// before.
func TestStateOfEarlierRun(t *testing.T) {
	router := startNode(t, Config{})
	cfg := Config{Listen: loopback, StateDir: t.TempDir(), Bootstrap: []string{hostOf(router)}}
	first, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "a contact", func() bool { return first.DHT().Stats().Contacts[0] > 0 })
	port := first.Addrs()[0].Port()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	cfg.Bootstrap = []string{}
	second, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if got := second.Addrs()[0].Port(); got != port && second.TakenPort() != port {
		t.Errorf("port %d, then %d, and %d is taken", port, got, second.TakenPort())
	}
	if !second.DHT().Remembers() {
		t.Error("no node of the earlier run is known")
	}
	eventually(t, "a contact", func() bool { return second.DHT().Stats().Contacts[0] > 0 })
}
