//go:build linux

package main_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"swarmnode/internal/lab"
	"swarmnode/internal/nodeproc"
	"swarmnode/internal/realclient"
)

// proxyTimeout bounds a part of TestProxy.
const proxyTimeout = 2 * time.Minute

// proxyPort is where the proxies of TestProxy listen.
const proxyPort = 1080

// A proxyLab is a host whose node may speak with its proxy alone, and a world behind the
// proxy: everything else of the namespace. The host has a way to all of that world, and to
// a name server; each packet that it sends is looked at.
type proxyLab struct {
	interop
	user  *lab.Host
	proxy netip.AddrPort
	wire  *proxyTap
}

// TestProxy: whatever a node does, the only packets that leave its host go to its proxy. It
// fetches what libtorrent seeds all the same, through trackers and, where the proxy relays
// datagrams, through the DHT and over uTP. When the proxy is killed in the middle, it waits
// and goes on.
func TestProxy(t *testing.T) {
	binary, inside := nodeInNamespace(t, realclient.Libtorrent)
	if !inside {
		return
	}
	l, err := lab.New()
	if err != nil {
		t.Skip(err)
	}
	user, err := l.Host("user", 1000)
	if err != nil {
		t.Fatal(err)
	}
	gateway := user.Addr.As4()
	gateway[3] = 1
	p := &proxyLab{interop: interop{binary: binary}, user: user,
		proxy: netip.AddrPortFrom(netip.AddrFrom4(gateway), proxyPort)}
	p.wire = tapLink(t, "to1", p.proxy.Addr())
	nameServer(t, "11.0.0.53", map[string]netip.Addr{
		"tracker.example.": netip.MustParseAddr("11.0.0.80"),
		"router.example.":  host(1, 1),
	})
	t.Run("tcp", p.overTCP)
	t.Run("udp", p.overUDP)
	t.Run("away over TCP", func(t *testing.T) {
		p.away(t, "11.0.0.40", nil, func() *realclient.Server { return p.microsocks(t, "", "") })
	})
	t.Run("away over uTP", func(t *testing.T) {
		p.away(t, "11.0.0.41", withoutTCP, func() *realclient.Server { return p.dante(t) })
	})
	t.Run("none", p.none)
}

// url returns the URL of the proxy.
func (p *proxyLab) url(user string) string { return "socks5://" + user + p.proxy.String() }

// add starts "node add" on the host.
func (p *proxyLab) add(t *testing.T, args ...string) *nodeproc.Node {
	t.Helper()
	words := slices.Concat(p.user.Enter(), []string{p.binary, "add", "-v"}, args)
	node, err := nodeproc.Start(words[0], t.TempDir(), words[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		node.Stop()
		if t.Failed() {
			t.Logf("node:\n%s", node.Log())
		}
	})
	return node
}

// seed makes a torrent with the given trackers and a libtorrent that seeds it.
func (p *proxyLab) seed(t *testing.T, ctx context.Context, ip string, size int,
	announce string, settings map[string]any) (content string, torrent realclient.Torrent) {
	t.Helper()
	from := t.TempDir()
	content = filepath.Join(from, "content.bin")
	writeContent(t, content, size)
	torrent, err := realclient.MakeTorrent(content, 64<<10, announce)
	if err != nil {
		t.Fatal(err)
	}
	opts := realclient.Options{IP: netip.MustParseAddr(ip), Settings: settings}
	opts.Bootstrap, opts.Remembered = p.nodes, p.nodes
	seed := realclient.Start(t, realclient.Libtorrent, opts)
	if err := seed.Seed(ctx, torrent.File, from); err != nil {
		t.Fatal(err)
	}
	if err := seed.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	return content, torrent
}

// check fails if anything but the proxy was sent to, or nothing at all.
func (p *proxyLab) check(t *testing.T) {
	t.Helper()
	toProxy, leaks := p.wire.count()
	if toProxy == 0 || len(leaks) > 0 {
		t.Errorf("%d packets to the proxy, and others: %q", toProxy, leaks)
	}
	t.Logf("%d packets left the host, all to the proxy", toProxy)
}

// microsocks starts the proxy without UDP.
func (p *proxyLab) microsocks(t *testing.T, user, password string) *realclient.Server {
	t.Helper()
	return realclient.StartServer(t, realclient.Microsocks,
		func(ctx context.Context, _ string) (*realclient.Server, error) {
			return realclient.LaunchMicrosocks(ctx, p.proxy, user, password)
		})
}

// withoutTCP are settings of a libtorrent that speaks uTP alone.
var withoutTCP = map[string]any{"enable_incoming_tcp": false, "enable_outgoing_tcp": false}

// dante starts the proxy with UDP.
func (p *proxyLab) dante(t *testing.T) *realclient.Server {
	t.Helper()
	return realclient.StartServer(t, realclient.Danted,
		func(ctx context.Context, state string) (*realclient.Server, error) {
			return realclient.LaunchDante(ctx, p.proxy, netip.MustParseAddr("11.0.0.1"), state)
		})
}

// overTCP uses a proxy without UDP, which wants a password. The tracker is known by a name
// that only the proxy's side looks up.
func (p *proxyLab) overTCP(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), proxyTimeout)
	defer cancel()
	p.microsocks(t, "user", "secret")
	tracker, err := lab.NewTracker(netip.MustParseAddr("11.0.0.80"))
	if err != nil {
		t.Fatal(err)
	}
	defer tracker.Close()
	announce := strings.Replace(tracker.URL, "11.0.0.80", "tracker.example", 1)
	content, torrent := p.seed(t, ctx, "11.0.0.20", 4<<20+77, tracker.URL, nil)
	out := t.TempDir()
	node := p.add(t, "--proxy", p.url("user:secret@"), "--dir", out, "--tracker", announce,
		"--tracker", "udp://tracker.example:6969/announce", "magnet:?xt=urn:btih:"+torrent.Hash)
	waitNode(t, ctx, node)
	sameContent(t, content, filepath.Join(out, "content.bin"))
	log := node.Log()
	if !strings.Contains(log, "relays no UDP") || strings.Contains(log, "secret") {
		t.Errorf("the log does not say that there is no UDP, or shows the password:\n%s", log)
	}
	bad := p.add(t, "--proxy", p.url("user:wrong@"), "--dir", out,
		"magnet:?xt=urn:btih:"+strings.Repeat("1", 40))
	if e, err := bad.WaitEvent(ctx, "exit"); err != nil || e.Code != 9 {
		t.Errorf("a wrong password: %v, %v", e.Raw, err)
	}
	p.check(t)
}

// overUDP uses a proxy with UDP, and no tracker: the node joins the DHT through a node that
// it knows by name, and finds the seed there, which takes uTP alone.
func (p *proxyLab) overUDP(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), proxyTimeout)
	defer cancel()
	p.dante(t)
	p.startDHT(t, ctx)
	content, torrent := p.seed(t, ctx, "11.0.0.30", 4<<20+77, "",
		withoutTCP)
	out := t.TempDir()
	node := p.add(t, "--proxy", p.url(""), "--dir", out, "--bootstrap", "router.example:6881",
		torrent.Magnet)
	waitNode(t, ctx, node)
	sameContent(t, content, filepath.Join(out, "content.bin"))
	p.check(t)
}

// away kills the proxy in the middle of a fetch, and starts it again.
func (p *proxyLab) away(t *testing.T, ip string, settings map[string]any,
	launch func() *realclient.Server) {
	ctx, cancel := context.WithTimeout(t.Context(), proxyTimeout)
	defer cancel()
	server := launch()
	tracker, err := lab.NewTracker(netip.MustParseAddr("11.0.0.81"))
	if err != nil {
		t.Fatal(err)
	}
	defer tracker.Close()
	limited := map[string]any{"upload_rate_limit": 3 << 20, "rate_limit_ip_overhead": false}
	maps.Copy(limited, settings)
	content, torrent := p.seed(t, ctx, ip, 12<<20, tracker.URL, limited)
	out := t.TempDir()
	node := p.add(t, "--proxy", p.url(""), "--dir", out, torrent.File)
	some := func(e nodeproc.Event) bool { return e.Event == "progress" && e.Have > 1<<20 }
	if _, err := node.WaitFor(ctx, "a part of the content", some); err != nil {
		t.Fatal(err)
	}
	server.Close()
	warned := func(e nodeproc.Event) bool {
		return strings.Contains(e.Message, "waiting for the proxy")
	}
	if _, err := node.WaitFor(ctx, "a word about the proxy", warned); err != nil {
		t.Fatal(err)
	}
	launch()
	waitNode(t, ctx, node)
	sameContent(t, content, filepath.Join(out, "content.bin"))
	p.check(t)
}

// none shows that the tap sees what a node without a proxy sends: look-ups, datagrams of
// the DHT, and what goes to a tracker.
func (p *proxyLab) none(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), proxyTimeout)
	defer cancel()
	p.add(t, "--bootstrap", "router.example:6881", "--tracker", "http://11.0.0.82:80/announce",
		"--dir", t.TempDir(), "magnet:?xt=urn:btih:"+strings.Repeat("2", 40))
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	for {
		_, others := p.wire.count()
		text := strings.Join(others, " ")
		if strings.Contains(text, "17 to 11.0.0.53") && strings.Contains(text, "17 to 10.1.1.1") &&
			strings.Contains(text, "6 to 11.0.0.82") {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("seen without a proxy: %q", others)
		}
	}
}

// A proxyTap counts the packets that a host sends, seen at the other end of its link.
type proxyTap struct {
	proxy  netip.Addr
	socket int
	wait   sync.WaitGroup

	mu      sync.Mutex
	toProxy int
	others  map[string]int
}

// tapLink reads what comes in on an interface, until the test ends.
func tapLink(t *testing.T, device string, proxy netip.Addr) *proxyTap {
	t.Helper()
	const every = 0x0300 // ETH_P_ALL in network order
	ifi, err := net.InterfaceByName(device)
	if err != nil {
		t.Fatal(err)
	}
	socket, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_DGRAM, every)
	if err != nil {
		t.Skipf("no packets can be read here: %v", err)
	}
	if err := syscall.Bind(socket, &syscall.SockaddrLinklayer{Protocol: every,
		Ifindex: ifi.Index}); err != nil {
		t.Fatal(err)
	}
	timeout := syscall.Timeval{Usec: 100_000}
	if err := syscall.SetsockoptTimeval(socket, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO,
		&timeout); err != nil {
		t.Fatal(err)
	}
	c := &proxyTap{proxy: proxy, socket: socket, others: make(map[string]int)}
	ctx, cancel := context.WithCancel(context.Background())
	c.wait.Go(func() { c.read(ctx) })
	t.Cleanup(func() {
		cancel()
		c.wait.Wait()
		syscall.Close(socket)
	})
	return c
}

func (c *proxyTap) read(ctx context.Context) {
	buf := make([]byte, 64<<10)
	for ctx.Err() == nil {
		n, from, err := syscall.Recvfrom(c.socket, buf, 0)
		link, ok := from.(*syscall.SockaddrLinklayer)
		if err == nil && ok && link.Pkttype != syscall.PACKET_OUTGOING {
			c.packet(buf[:n])
		}
	}
}

// packet counts one packet of the host.
func (c *proxyTap) packet(b []byte) {
	var to netip.Addr
	var protocol byte
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		to, protocol = netip.AddrFrom4([4]byte(b[16:20])), b[9]
	case len(b) >= 40 && b[0]>>4 == 6:
		to, protocol = netip.AddrFrom16([16]byte(b[24:40])), b[6]
		if protocol == 0 || protocol == syscall.IPPROTO_ICMPV6 {
			return // the system says who its neighbours are
		}
	default:
		return // ARP
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if to == c.proxy && (protocol == syscall.IPPROTO_TCP || protocol == syscall.IPPROTO_UDP) {
		c.toProxy++
		return
	}
	c.others[fmt.Sprintf("protocol %d to %v", protocol, to)]++
}

// count returns how many packets went to the proxy, and what else was sent.
func (c *proxyTap) count() (toProxy int, others []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for what, n := range c.others {
		others = append(others, fmt.Sprintf("%d x %s", n, what))
	}
	return c.toProxy, others
}

// nameServer answers questions for the addresses of names, and makes everybody in the
// namespace ask it.
func nameServer(t *testing.T, ip string, names map[string]netip.Addr) {
	t.Helper()
	pc, err := net.ListenPacket("udp4", net.JoinHostPort(ip, "53"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(file, []byte("nameserver "+ip+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount(file, "/etc/resolv.conf", "", syscall.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	wait.Go(func() {
		b := make([]byte, 2048)
		for {
			n, from, err := pc.ReadFrom(b)
			if err != nil {
				return
			}
			if answer := answerName(b[:n], names); answer != nil {
				pc.WriteTo(answer, from)
			}
		}
	})
	t.Cleanup(func() {
		pc.Close()
		wait.Wait()
		syscall.Unmount("/etc/resolv.conf", 0)
	})
}

// answerName answers one question (RFC 1035, section 4).
func answerName(b []byte, names map[string]netip.Addr) []byte {
	const header = 12
	at, name := header, ""
	for at < len(b) && b[at] != 0 {
		length := int(b[at])
		if at+1+length >= len(b) {
			return nil
		}
		name += string(b[at+1:at+1+length]) + "."
		at += 1 + length
	}
	if at+5 > len(b) {
		return nil
	}
	kind := binary.BigEndian.Uint16(b[at+1:])
	answer := append(slices.Clone(b[:2]), 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0)
	answer = append(answer, b[header:at+5]...)
	ip, ok := names[name]
	switch {
	case !ok:
		answer[3] |= 3 // no such name
	case kind == 1 && ip.Is4():
		answer[7] = 1
		answer = append(answer, 0xc0, header, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4)
		answer = append(answer, ip.AsSlice()...)
	}
	return answer
}
