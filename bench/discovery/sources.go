//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"swarmnode/dht"
	"swarmnode/internal/nodeproc"
	"swarmnode/internal/realclient"
	"swarmnode/swarm/lsd"
	"swarmnode/swarm/tracker"
	"swarmnode/swarm/transport"
)

// A source is one way to a peer.
type source struct {
	name  string
	lacks []realclient.Kind // clients without this source
	// prepare makes the source lead to the post, and returns the client's task.
	prepare func(b *bench) (task, error)
}

func (s *source) takes(kind realclient.Kind) bool { return !slices.Contains(s.lacks, kind) }

// A task is what a client is given.
type task struct {
	what      string // a magnet link, or a .torrent file
	bootstrap []netip.AddrPort
	local     bool   // search the local network
	state     string // state folder of an earlier run of the node
}

const (
	// dhtNodes is the size of the DHT in which the post is announced.
	dhtNodes = 8
	// dhtSettle bounds the time in which they get to know each other.
	dhtSettle = 20 * time.Second
)

var others = []realclient.Kind{realclient.Transmission, realclient.Aria2}

var sources = []source{
	{"x.pe", others, byHint},
	{"saved peer", []realclient.Kind{realclient.Libtorrent, realclient.Transmission,
		realclient.Aria2}, byRecord},
	{"peer exchange", others, byExchange},
	{"local search", nil, byLocalSearch},
	{"HTTP tracker", nil, byHTTPTracker},
	{"UDP tracker", nil, byUDPTracker},
	{"DHT", []realclient.Kind{realclient.Transmission}, byDHT}, // it takes minutes
	{"web seed", nil, byWebSeed},
}

// A bench is one measurement.
type bench struct {
	ctx   context.Context
	node  string
	dir   string
	group byte
	kind  realclient.Kind

	torrent realclient.Torrent
	post    *post
	ends    []func() // end what was started, the last first
}

func (b *bench) host(number byte) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, b.group, number, 1}), 6881)
}

func (b *bench) atEnd(f func()) { b.ends = append(b.ends, f) }

// measure returns how long the client took to connect, at most patience.
func (b *bench) measure(s source, patience time.Duration) (time.Duration, error) {
	defer func() {
		for _, end := range slices.Backward(b.ends) {
			end()
		}
		os.RemoveAll(b.dir)
	}()
	if err := b.makeContent(); err != nil {
		return 0, err
	}
	var err error
	if b.post, err = newPost(b.host(1), netip.AddrPort{}); err != nil {
		return 0, err
	}
	b.atEnd(b.post.close)
	given, err := s.prepare(b)
	if err != nil {
		return 0, err
	}
	start, err := b.add(given)
	if err != nil {
		return 0, err
	}
	select {
	case at := <-b.post.first:
		return at.Sub(start), nil
	case <-time.After(patience):
		return patience, nil
	case <-b.ctx.Done():
		return 0, b.ctx.Err()
	}
}

// makeContent makes a torrent that nobody else has.
func (b *bench) makeContent() error {
	from := filepath.Join(b.dir, "from")
	if err := os.MkdirAll(from, 0o755); err != nil {
		return err
	}
	path := filepath.Join(from, "content.bin")
	content := make([]byte, 256<<10)
	copy(content, fmt.Sprintf("content of measurement %d", b.group))
	if err := os.WriteFile(path, content, 0o644); err != nil {
		return err
	}
	var err error
	b.torrent, err = realclient.MakeTorrent(path, 64<<10, "")
	return err
}

// add gives the client its task and returns the time.
func (b *bench) add(given task) (time.Time, error) {
	at, out := b.host(9), filepath.Join(b.dir, "out")
	if err := os.MkdirAll(out, 0o755); err != nil {
		return time.Time{}, err
	}
	if b.kind == nodeKind {
		return b.addToNode(given, at, out)
	}
	// The post has no uTP, which some clients try first.
	settings := map[realclient.Kind]map[string]any{
		realclient.Libtorrent:   {"enable_lsd": given.local, "enable_outgoing_utp": false},
		realclient.Transmission: {"lpd-enabled": given.local, "utp-enabled": false},
		realclient.Aria2:        {"bt-enable-lpd": given.local},
	}[b.kind]
	dir := filepath.Join(b.dir, "client")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return time.Time{}, err
	}
	client, err := realclient.Launch(b.ctx, b.kind, realclient.Options{
		IP: at.Addr(), Port: at.Port(), Dir: dir, Bootstrap: given.bootstrap, Settings: settings,
	})
	if err != nil {
		return time.Time{}, err
	}
	b.atEnd(client.Close)
	start := time.Now()
	if filepath.IsAbs(given.what) {
		err = client.Seed(b.ctx, given.what, out)
	} else {
		err = client.Add(b.ctx, given.what, out)
	}
	return start, err
}

func (b *bench) addToNode(given task, at netip.AddrPort, out string) (time.Time, error) {
	args := []string{"add", "--listen", at.String(), "--dir", out}
	if !given.local {
		args = append(args, "--no-lsd")
	}
	if len(given.bootstrap) == 0 {
		args = append(args, "--no-dht")
	}
	for _, a := range given.bootstrap {
		args = append(args, "--bootstrap", a.String())
	}
	if given.state == "" {
		given.state = filepath.Join(b.dir, "state")
	}
	start := time.Now()
	p, err := nodeproc.Start(b.node, given.state, append(args, given.what)...)
	if err != nil {
		return start, err
	}
	b.atEnd(p.Stop)
	return start, nil
}

// byHint: the link names the post.
func byHint(b *bench) (task, error) {
	return task{what: b.torrent.Magnet + "&x.pe=" + b.post.addr.String()}, nil
}

// byRecord: the node met the post in an earlier run.
func byRecord(b *bench) (task, error) {
	state := filepath.Join(b.dir, "state")
	p, err := nodeproc.Start(b.node, state, "add", "--listen", b.host(9).String(), "--no-dht",
		"--no-lsd",
		"--dir", b.dir, "--peer", b.post.addr.String(), b.torrent.Magnet)
	if err != nil {
		return task{}, err
	}
	defer p.Stop() // it writes its records then
	select {
	case <-b.post.shaken:
	case <-time.After(10 * time.Second):
		return task{}, errors.New("the first run did not find the post")
	}
	_, err = p.WaitFor(b.ctx, "a second", func(e nodeproc.Event) bool {
		return e.Event == "progress"
	})
	<-b.post.first
	return task{what: b.torrent.Magnet, state: state}, err
}

// byExchange: the link names another post, which names ours by peer exchange.
func byExchange(b *bench) (task, error) {
	teller, err := newPost(b.host(2), b.post.addr)
	if err != nil {
		return task{}, err
	}
	b.atEnd(teller.close)
	return task{what: b.torrent.Magnet + "&x.pe=" + teller.addr.String()}, nil
}

// byLocalSearch: the post is announced on the local network, and answers searches.
func byLocalSearch(b *bench) (task, error) {
	hash, err := hashOf(b.torrent.Hash)
	if err != nil {
		return task{}, err
	}
	service := lsd.New(lsd.Config{})
	ctx, cancel := context.WithCancel(b.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range service.Peers(ctx, hash, b.post.addr.Port(), true) {
		}
	}()
	b.atEnd(func() {
		cancel()
		<-done
		service.Close()
	})
	// The command searches where it has an address of its own.
	out, err := exec.CommandContext(b.ctx, "ip", "addr", "add", b.host(9).Addr().String()+"/32",
		"dev", "lo").CombinedOutput()
	if err != nil {
		return task{}, fmt.Errorf("%w: %s", err, out)
	}
	// The packets of the service come from the first address of the device.
	if b.post.addr.Addr() != netip.AddrFrom4([4]byte{10, 0, 0, 1}) {
		b.post.close()
		if b.post, err = newPost(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, 1}),
			b.post.addr.Port()), netip.AddrPort{}); err != nil {
			return task{}, err
		}
		b.atEnd(b.post.close)
	}
	return task{what: b.torrent.File, local: true}, nil
}

// byHTTPTracker: a tracker names the post.
func byHTTPTracker(b *bench) (task, error) {
	t, err := realclient.NewTracker(b.host(3).Addr(), b.post.addr)
	if err != nil {
		return task{}, err
	}
	b.atEnd(t.Close)
	return b.withTracker(t.URL)
}

// byUDPTracker: the same over UDP.
func byUDPTracker(b *bench) (task, error) {
	at := b.host(3)
	port, err := transport.ListenPair(b.ctx, nil, at)
	if err != nil {
		return task{}, err
	}
	ctx, cancel := context.WithCancel(b.ctx)
	served := make(chan error, 1)
	server := tracker.NewServer(tracker.ServerConfig{})
	go func() { served <- server.Serve(ctx, port.TCP, port.UDP) }()
	b.atEnd(func() {
		cancel()
		<-served
	})
	if err := b.announce(at); err != nil {
		return task{}, err
	}
	return b.withTracker("udp://" + at.String() + "/announce")
}

// announce announces the post to a tracker, from its address.
func (b *bench) announce(to netip.AddrPort) error {
	hash, err := hashOf(b.torrent.Hash)
	if err != nil {
		return err
	}
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: b.post.addr.Addr().AsSlice()}}
	client := http.Client{Transport: &http.Transport{DialContext: dialer.DialContext,
		DisableKeepAlives: true}, Timeout: 5 * time.Second}
	escaped := ""
	for _, c := range hash {
		escaped += fmt.Sprintf("%%%02x", c)
	}
	res, err := client.Get(fmt.Sprintf(
		"http://%v/announce?info_hash=%s&peer_id=-PO0001-000000000000&port=%d&left=0&compact=1&event=started",
		to, escaped, b.post.addr.Port()))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the tracker says %s", res.Status)
	}
	return nil
}

func (b *bench) withTracker(url string) (task, error) {
	t, err := realclient.MakeTorrent(filepath.Join(b.dir, "from", "content.bin"), 64<<10, url)
	return task{what: t.File}, err
}

// byDHT: the post is announced in a DHT, of which the client knows one node.
func byDHT(b *bench) (task, error) {
	hash, err := hashOf(b.torrent.Hash)
	if err != nil {
		return task{}, err
	}
	ctx, cancel := context.WithTimeout(b.ctx, dhtSettle)
	defer cancel()
	var first netip.AddrPort
	var last *dht.Node
	for i := range dhtNodes {
		at := b.host(byte(20 + i))
		if i == dhtNodes-1 {
			at = b.post.addr
		}
		conn, err := net.ListenPacket("udp4", at.String())
		if err != nil {
			return task{}, err
		}
		b.atEnd(func() { conn.Close() })
		cfg := dht.Config{Conns: []net.PacketConn{conn}}
		if i == 0 {
			first = at
		} else {
			cfg.Bootstrap = []string{first.String()}
		}
		n, err := dht.New(cfg)
		if err != nil {
			return task{}, err
		}
		b.atEnd(func() { n.Close() })
		last = n
		if i > 0 {
			if err := last.Join(ctx); err != nil {
				return task{}, err
			}
		}
	}
	if _, err := last.Announce(ctx, hash, b.post.addr.Port(), true, func(netip.AddrPort) {
	}); err != nil {
		return task{}, err
	}
	return task{what: b.torrent.Magnet, bootstrap: []netip.AddrPort{first}}, nil
}

// byWebSeed: the post is a web server, to which the client makes a connection.
func byWebSeed(b *bench) (task, error) {
	file := filepath.Join(b.dir, "seeded.torrent")
	raw, err := os.ReadFile(b.torrent.File)
	if err != nil {
		return task{}, err
	}
	// The key belongs behind the info dictionary, which ends the root here.
	url := "http://" + b.post.addr.String() + "/content.bin"
	raw = append(raw[:len(raw)-1], fmt.Sprintf("8:url-list%d:%se", len(url), url)...)
	return task{what: file}, os.WriteFile(file, raw, 0o644)
}
