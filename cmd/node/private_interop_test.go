//go:build linux

package main_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"swarmnode/internal/nodeproc"
	"swarmnode/internal/realclient"
)

const (
	// privateTimeout bounds TestPrivateOnTheWire.
	privateTimeout = 5 * time.Minute
	// privateWatch is for how long the wire is watched once everybody has
	// connected: our own searches begin at once, and peers are told of others
	// within 2 s.
	privateWatch = 6 * time.Second
)

// wiretap counts, on the loopback device of a network namespace, packets that would
// reveal a torrent outside its trackers.
type wiretap struct {
	socket int
	wait   sync.WaitGroup

	mu    sync.Mutex
	watch map[string]byte // info-hash, and the second byte of its hosts' addresses
	seen  map[byte]*sightings
}

// sightings are the counts of one torrent, by kind.
type sightings struct{ dht, lsd, pex int }

func (s sightings) String() string {
	return fmt.Sprintf("%d datagrams of the DHT, %d local searches, %d offers of peer exchange",
		s.dht, s.lsd, s.pex)
}

// tap starts to read every packet.
func tap(t *testing.T) *wiretap {
	t.Helper()
	const ip = 0x0008 // ETH_P_IP in network order
	socket, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_DGRAM, ip)
	if err != nil {
		t.Skipf("no packets can be read here: %v", err)
	}
	timeout := syscall.Timeval{Usec: 100_000}
	if err := syscall.SetsockoptTimeval(socket, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO,
		&timeout); err != nil {
		t.Fatal(err)
	}
	w := &wiretap{socket: socket, watch: map[string]byte{}, seen: map[byte]*sightings{}}
	ctx, cancel := context.WithCancel(context.Background())
	w.wait.Go(func() { w.read(ctx) })
	t.Cleanup(func() {
		cancel()
		w.wait.Wait()
		syscall.Close(socket)
	})
	return w
}

func (w *wiretap) read(ctx context.Context) {
	buf := make([]byte, 64<<10)
	for ctx.Err() == nil {
		n, _, err := syscall.Recvfrom(w.socket, buf, 0)
		if err == nil {
			w.packet(buf[:n])
		}
	}
}

// packet examines one IPv4 packet.
func (w *wiretap) packet(p []byte) {
	if len(p) < 20 || p[0]>>4 != 4 {
		return
	}
	header, group := int(p[0]&15)*4, p[13] // of the source address
	if len(p) < header+20 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch p[9] {
	case syscall.IPPROTO_UDP:
		data := p[header+8:]
		for hash, g := range w.watch {
			switch raw, _ := hex.DecodeString(hash); {
			case bytes.HasPrefix(data, []byte("BT-SEARCH")) &&
				strings.Contains(strings.ToLower(string(data)), hash):
				w.seen[g].lsd++
			case bytes.HasPrefix(data, []byte("d")) && bytes.Contains(data, raw):
				w.seen[g].dht++
			}
		}
	case syscall.IPPROTO_TCP:
		if s := w.seen[group]; s != nil && bytes.Contains(p[header:], []byte("6:ut_pex")) {
			s.pex++
		}
	}
}

// of starts counting for a torrent whose hosts are those of a group.
func (w *wiretap) of(hash string, group byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watch[hash], w.seen[group] = group, &sightings{}
}

// count returns what was seen so far.
func (w *wiretap) count(group byte) sightings {
	w.mu.Lock()
	defer w.mu.Unlock()
	return *w.seen[group]
}

// TestPrivateOnTheWire: neither the command nor the clients beside it reveal a private
// torrent (BEP 27) in the DHT, on the local network or by peer exchange, and content
// flows all the same, because a tracker brings them together. The same with a public
// torrent shows that it would be seen. Transmission, which takes 20 s to connect, takes
// part when SWARM_SOAK=1.
func TestPrivateOnTheWire(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts many clients")
	}
	command, inside := nodeInNamespace(t, realclient.Libtorrent, realclient.Transmission)
	if !inside {
		return
	}
	ip(t, "route", "add", "224.0.0.0/4", "dev", "lo")
	ctx, cancel := context.WithTimeout(t.Context(), privateTimeout)
	t.Cleanup(cancel)
	n := &interop{binary: command}
	n.startDHT(t, ctx)
	w := tap(t)
	group := byte(40)
	for _, p := range []privateCase{
		{kind: realclient.Libtorrent, how: nodeFetches}, // it would be seen
		{kind: realclient.Libtorrent, how: nodeFetches, private: true},
		{kind: realclient.Libtorrent, how: nodeSeeds, private: true},
		// The others do not give the metadata of private torrents to anybody.
		{kind: nodeKind, how: nodeFetchesMagnet, private: true},
		{kind: realclient.Transmission, how: nodeFetches},
		{kind: realclient.Transmission, how: nodeFetches, private: true},
		{kind: realclient.Transmission, how: nodeSeeds, private: true},
	} {
		if p.kind == realclient.Transmission && os.Getenv("SWARM_SOAK") != "1" {
			continue
		}
		group++
		p.n, p.w, p.group = n, w, group
		t.Run(fmt.Sprintf("%s beside %s, private %v", p.how, p.kind, p.private),
			func(t *testing.T) {
				t.Parallel()
				p.run(t, ctx)
			})
	}
}

// What the command does in a case.
const (
	nodeSeeds         = "node seeds"
	nodeFetches       = "node fetches"
	nodeFetchesMagnet = "node fetches by magnet"
)

// ip changes the network of the namespace.
func ip(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Fatalf("ip %v: %v: %s", args, err, out)
	}
}

type privateCase struct {
	n       *interop
	w       *wiretap
	kind    realclient.Kind
	private bool
	how     string
	group   byte
}

// run brings the command and the client together by a tracker of their own, and
// watches the wire.
func (p *privateCase) run(t *testing.T, ctx context.Context) {
	ours, theirs := netip.AddrPortFrom(host(p.group, 1), 7000),
		netip.AddrPortFrom(host(p.group, 2), 7001)
	// we search where we have an address of our own
	for _, a := range []netip.AddrPort{ours, theirs} {
		ip(t, "addr", "add", a.Addr().String()+"/32", "dev", "lo")
	}
	dir, out := t.TempDir(), t.TempDir()
	writeContent(t, filepath.Join(dir, "content.bin"), 1<<20)
	forUs, hash := p.torrent(t, dir, ours.Addr(), theirs)
	forThem, _ := p.torrent(t, dir, theirs.Addr(), ours)
	p.w.of(hash, p.group)
	atClient := dir
	if p.how == nodeSeeds {
		atClient = out
	}
	wait := p.other(t, ctx, theirs, forThem, atClient)
	node, fetched := p.command(t, ctx, ours, forUs, dir, out)
	known := sightings{}
	if p.how == nodeSeeds {
		wait()
	} else {
		if _, err := node.WaitEvent(ctx, "metadata"); err != nil {
			t.Fatal(err)
		}
		known = p.w.count(p.group) // a magnet is not known to be private before
		if _, err := node.WaitEvent(ctx, "complete"); err != nil {
			t.Fatal(err)
		}
	}
	sameContent(t, filepath.Join(dir, "content.bin"), filepath.Join(fetched, "content.bin"))
	select {
	case <-time.After(privateWatch):
	case <-ctx.Done():
	}
	p.judge(t, known, p.w.count(p.group))
}

// other starts the client's side; the function that it returns waits until the client is
// complete.
func (p *privateCase) other(t *testing.T, ctx context.Context, at netip.AddrPort, file,
	dir string) (wait func()) {
	if p.kind == nodeKind {
		p.n.startNode(t, at.Addr(), at.Port(), "add", "--encryption", "off", "--seed", "--dir",
			dir, file)
		return nil
	}
	settings := map[string]any{"enable_lsd": true, "in_enc_policy": 2, "out_enc_policy": 2}
	if p.kind == realclient.Transmission {
		settings = map[string]any{"lpd-enabled": true, "utp-enabled": false, "encryption": 0}
	}
	client := realclient.Start(t, p.kind, realclient.Options{
		IP: at.Addr(), Port: at.Port(), Bootstrap: p.n.nodes, Settings: settings,
	})
	if err := client.Seed(ctx, file, dir); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := client.Wait(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// torrent makes the .torrent file for one side, whose tracker names the other, and
// returns the info-hash.
func (p *privateCase) torrent(t *testing.T, dir string, at netip.Addr,
	names netip.AddrPort) (file, hash string) {
	tracker, err := realclient.NewTracker(at, names)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tracker.Close)
	file = filepath.Join(t.TempDir(), "file.torrent")
	args := []string{"create", "--v1", "--no-date", "--piece-length", "64K", "--tracker",
		tracker.URL, "-o", file}
	if p.private {
		args = append(args, "--private")
	}
	if o, err := exec.Command(p.n.binary, append(args,
		filepath.Join(dir, "content.bin"))...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, o)
	}
	magnet, err := exec.Command(p.n.binary, "magnet", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	_, hash, _ = strings.Cut(string(magnet), "urn:btih:")
	return file, strings.ToLower(hash[:40])
}

// command starts the command's side; fetched is the path of the content in the end.
func (p *privateCase) command(t *testing.T, ctx context.Context, at netip.AddrPort, file,
	dir, out string) (node *nodeproc.Node, fetched string) {
	args := []string{"--encryption", "off", "--seed", "--dir"}
	switch p.how {
	case nodeSeeds:
		node = p.n.startNode(t, at.Addr(), at.Port(), "add", append(args, dir, file)...)
		if _, err := node.WaitEvent(ctx, "complete"); err != nil {
			t.Fatal(err)
		}
		return node, out
	case nodeFetchesMagnet:
		magnet, err := exec.Command(p.n.binary, "magnet", file).Output()
		if err != nil {
			t.Fatal(err)
		}
		file = strings.TrimSpace(string(magnet))
	}
	return p.n.startNode(t, at.Addr(), at.Port(), "add", append(args, out, file)...), out
}

// judge judges what was seen, in all and before the metadata was known.
func (p *privateCase) judge(t *testing.T, known, all sightings) {
	switch {
	case !p.private:
		if all.dht == 0 || all.lsd == 0 || all.pex == 0 {
			t.Errorf("the wiretap is deaf: of a torrent for everybody it saw %v", all)
		}
	case p.how == nodeFetchesMagnet:
		// What was under way at that moment may still go out.
		if more := (sightings{all.dht - known.dht, all.lsd - known.lsd,
			0}); more.dht > privateLate || more.lsd > 0 {
			t.Errorf("after the metadata was known: %v", more)
		}
	case all != sightings{}:
		t.Errorf("seen: %v", all)
	}
	t.Logf("%s, private %v: %v", p.how, p.private, all)
}

// privateLate is how many datagrams of a search may cross the moment at which it ends:
// its queries under way and their answers, each seen twice, on its way out and in.
const privateLate = 64
