package main_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"swarmnode/internal/lab"
	"swarmnode/internal/nodeproc"
	"swarmnode/internal/realclient"
	"swarmnode/swarm/tracker"
	"swarmnode/swarm/transport"
)

// A capture counts the packets that this machine sends by an interface.
type capture struct {
	fd   int
	read sync.WaitGroup

	mu   sync.Mutex
	sent []string // the last of them, as text
	all  int
}

// sentMax is how many packets are kept for a failure.
const sentMax = 10

// startCapture begins to count. Neighbour discovery and the group reports of the kernel do
// not count, unless they are for the groups of local discovery.
func startCapture(t *testing.T, device string) *capture {
	t.Helper()
	ifi, err := net.InterfaceByName(device)
	if err != nil {
		t.Fatal(err)
	}
	const everything = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8 // in network order
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, everything)
	if err != nil {
		t.Fatal(err)
	}
	c := &capture{fd: fd}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: everything,
		Ifindex: ifi.Index}); err != nil {
		t.Fatal(err)
	}
	// A closed descriptor does not end a read of a packet socket, but a time-out does.
	done := make(chan struct{})
	unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000})
	c.read.Go(func() {
		b := make([]byte, 2048)
		for {
			n, from, err := unix.Recvfrom(fd, b, 0)
			select {
			case <-done:
				return
			default:
			}
			link, ok := from.(*unix.SockaddrLinklayer)
			if err == nil && ok && link.Pkttype == unix.PACKET_OUTGOING {
				c.packet(b[:n])
			}
		}
	})
	t.Cleanup(func() { close(done); c.read.Wait(); unix.Close(fd) })
	return c
}

// packet counts one frame.
func (c *capture) packet(frame []byte) {
	groups := [][]byte{{239, 192, 152, 143}, netip.MustParseAddr("ff15::efc0:988f").AsSlice()}
	ofKernel := false
	if len(frame) > 62 && binary.BigEndian.Uint16(frame[12:]) == unix.ETH_P_IPV6 {
		kind := frame[14+40]
		if frame[14+6] == 0 { // behind the hop-by-hop options: a report of groups
			kind = frame[14+48]
		}
		protocol := frame[14+6]
		ofKernel = (protocol == unix.IPPROTO_ICMPV6 || protocol == 0) && kind >= 130
	}
	for _, g := range groups {
		ofKernel = ofKernel && !bytes.Contains(frame, g)
	}
	if ofKernel {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all++
	c.sent = append(c.sent, hex.EncodeToString(frame[:min(len(frame), 96)]))
	if len(c.sent) > sentMax {
		c.sent = c.sent[1:]
	}
}

// count returns how many packets were sent, and the last of them.
func (c *capture) count() (int, []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all, c.sent
}

// answerNames serves DNS on conn: every name has one IPv4 address. It counts the questions.
func answerNames(conn net.PacketConn, ip [4]byte, asked *atomic.Int64) {
	b := make([]byte, 1500)
	for {
		n, from, err := conn.ReadFrom(b)
		if err != nil {
			return
		}
		asked.Add(1)
		q := b[:n]
		end := 12
		for end < n && q[end] != 0 {
			end += int(q[end]) + 1
		}
		if end+5 > n {
			continue
		}
		a := append([]byte(nil), q[:end+5]...)
		copy(a[2:], []byte{0x84, 0x00, 0, 1, 0, 0, 0, 0, 0, 0})
		if q[end+2] == 1 { // A
			a[7] = 1
			a = append(a, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4)
			a = append(a, ip[:]...)
		}
		conn.WriteTo(a, from)
	}
}

// A vpn is a network of this namespace: vpn0 leads to the host "far", home0 to "home", where
// the default routes lead.
type vpn struct {
	asked atomic.Int64 // questions to the name server
	t     *testing.T
	far   *lab.Host
	node  string // the binary
	conf  string // is mounted over /etc/resolv.conf
}

func (v *vpn) ip(args ...string) { v.t.Helper(); ip(v.t, args...) }

// plug makes the interface vpn0 with its addresses.
func (v *vpn) plug() {
	v.t.Helper()
	v.ip("link", "add", "vpn0", "type", "veth", "peer", "name", "far0", "netns", "far")
	v.up()
	v.ip("-n", "far", "addr", "add", "172.30.0.1/24", "dev", "far0")
	v.ip("-n", "far", "addr", "add", "fd00:30::1/64", "dev", "far0", "nodad")
	v.ip("-n", "far", "link", "set", "far0", "up")
	v.ip("addr", "add", "172.30.0.2/24", "dev", "vpn0")
}

// up switches vpn0 on. IPv6 addresses do not outlive switching it off.
func (v *vpn) up() {
	v.t.Helper()
	v.ip("link", "set", "vpn0", "up")
	v.ip("addr", "add", "fd00:30::2/64", "dev", "vpn0", "nodad")
}

// newVPN makes the network.
func newVPN(t *testing.T, binary string) *vpn {
	t.Helper()
	run(t, "mount", "-t", "tmpfs", "tmpfs", "/run")
	if err := os.MkdirAll("/run/netns", 0o755); err != nil {
		t.Fatal(err)
	}
	v := &vpn{t: t, far: &lab.Host{Name: "far"}, node: binary}
	for _, host := range []string{"far", "home"} {
		v.ip("netns", "add", host)
		v.ip("-n", host, "link", "set", "lo", "up")
	}
	v.ip("link", "add", "home0", "type", "veth", "peer", "name", "gw0", "netns", "home")
	v.ip("addr", "add", "192.168.7.2/24", "dev", "home0")
	v.ip("addr", "add", "fd00:7::2/64", "dev", "home0", "nodad")
	v.ip("link", "set", "home0", "up")
	v.ip("-n", "home", "addr", "add", "192.168.7.1/24", "dev", "gw0")
	v.ip("-n", "home", "addr", "add", "fd00:7::1/64", "dev", "gw0", "nodad")
	v.ip("-n", "home", "link", "set", "gw0", "up")
	v.ip("route", "add", "default", "via", "192.168.7.1")
	v.ip("route", "add", "default", "via", "fd00:7::1")
	v.plug()
	v.name("127.0.0.53", "172.30.0.1")
	return v
}

// name makes programs ask the name server at an address, as under systemd-resolved, which
// itself asks the one at upstream.
func (v *vpn) name(server, upstream string) {
	v.t.Helper()
	first := v.conf == ""
	if first {
		v.conf = filepath.Join(v.t.TempDir(), "resolv.conf")
	}
	const above = "/run/systemd/resolve/resolv.conf"
	if err := os.MkdirAll(filepath.Dir(above), 0o755); err != nil {
		v.t.Fatal(err)
	}
	for file, ip := range map[string]string{v.conf: server, above: upstream} {
		if err := os.WriteFile(file, []byte("nameserver "+ip+"\n"), 0o644); err != nil {
			v.t.Fatal(err)
		}
	}
	if first {
		run(v.t, "mount", "--bind", v.conf, "/etc/resolv.conf")
	}
}

// run runs a command that must succeed.
func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
}

// serve starts the services of the host far: DNS, a tracker, and a web seed with the files of dir.
func (v *vpn) serve(dir string) {
	v.t.Helper()
	var names net.PacketConn
	var web net.Listener
	var pairs []*transport.Pair
	if err := v.far.Do(func() (err error) {
		if names, err = net.ListenPacket("udp4", "172.30.0.1:53"); err == nil {
			web, err = net.Listen("tcp4", "172.30.0.1:8000")
		}
		if err == nil {
			pairs, err = tracker.Listen(v.t.Context(), nil,
				[]netip.AddrPort{netip.MustParseAddrPort("172.30.0.1:6969")})
		}
		return err
	}); err != nil {
		v.t.Fatal(err)
	}
	server := &http.Server{Handler: http.FileServer(http.Dir(dir))}
	serving, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	wait.Go(func() {
		tracker.NewServer(tracker.ServerConfig{}).Serve(serving, pairs[0].TCP, pairs[0].UDP)
	})
	wait.Go(func() { answerNames(names, [4]byte{172, 30, 0, 1}, &v.asked) })
	wait.Go(func() { server.Serve(web) })
	v.t.Cleanup(func() { cancel(); names.Close(); server.Close(); wait.Wait() })
}

// start runs the node, on the host far if far is set.
func (v *vpn) start(far bool, args ...string) *nodeproc.Node {
	v.t.Helper()
	command := v.node
	if far {
		command, args = "/usr/bin/env", append([]string{"nsenter", "--net=/run/netns/far", "--",
			v.node}, args...)
	}
	n, err := nodeproc.Start(command, v.t.TempDir(), append(args, "--verbose")...)
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() {
		n.Stop()
		if v.t.Failed() {
			v.t.Logf("%s:\n%s", strings.Join(args, " "), n.Log())
		}
	})
	return n
}

// TestBindDevice: a node that is kept to one interface sends nothing by another one, whatever
// it does: DHT, local discovery, trackers and web seeds by name, peers. It waits while the
// interface is down or gone, and goes on when it is back.
func TestBindDevice(t *testing.T) {
	t.Parallel()
	binary, inside := nodeInNamespace(t)
	if !inside {
		return
	}
	v := newVPN(t, binary)
	dir := t.TempDir()
	content := filepath.Join(dir, "content.bin")
	writeContent(t, content, 4<<20)
	torrent, err := realclient.MakeTorrent(content, 64<<10, "")
	if err != nil {
		t.Fatal(err)
	}
	v.serve(dir)
	ctx, cancel := context.WithTimeout(t.Context(), lanTimeout)
	defer cancel()
	await := func(n *nodeproc.Node, event, message string) {
		t.Helper()
		if _, err := n.WaitFor(ctx, event+" "+message, func(e nodeproc.Event) bool {
			return e.Event == event && strings.Contains(e.Raw, message)
		}); err != nil {
			t.Fatal(err)
		}
	}
	boot := v.start(true, "bootstrap", "--listen", "172.30.0.1:6881",
		"--listen", "[fd00:30::1]:6881",
		"--bootstrap", "none")
	await(boot, "start", "")
	seed := v.start(true, "seed", "--bootstrap", "172.30.0.1:6881", "--piece-length", "64K",
		"--tracker", "udp://172.30.0.1:6969", "--up", "300k", content)
	await(seed, "seeding", "")

	home := startCapture(t, "home0")
	// A name server of this machine alone is out of reach, and nothing takes its place.
	v.name("127.0.0.53", "127.0.0.1")
	blind := v.start(false, "dht", "ping", "--bind-device", "vpn0", "boot.test:6881")
	await(blind, "error", "the name server is on this machine")
	v.name("127.0.0.53", "172.30.0.1")
	common := []string{"add", "--bootstrap", "boot.test:6881", "--bootstrap", "172.30.0.1:6881",
		"--bootstrap", "203.0.113.5:6881", "--bootstrap", "[2001:db8:7::5]:6881",
		"--tracker", "http://tracker.test:6969/announce", "--tracker", "udp://tracker.test:6969",
		"--tracker", "udp://203.0.113.6:6969", "--tracker", "http://203.0.113.6:6969/announce",
		"--webseed", "http://web.test:8000/content.bin",
		"--peer", "203.0.113.7:6881", "--peer", "[2001:db8:7::7]:6881",
		"--peer", "elsewhere.invalid:6881"}
	add := v.start(false, append(common, "--bind-device", "vpn0", "--dir", t.TempDir(),
		"--down", "300k", torrent.Magnet)...)
	check := func(when string) {
		t.Helper()
		if n, sent := home.count(); n > 0 {
			t.Fatalf("%s: %d packets left by the other interface: %s", when, n,
				strings.Join(sent, "\n"))
		}
	}
	more := func(have int64) int64 {
		t.Helper()
		e, err := add.WaitFor(ctx, "progress", func(e nodeproc.Event) bool {
			return e.Event == "progress" && e.Have > have
		})
		if err != nil {
			t.Fatal(err)
		}
		return e.Have
	}
	more(0)
	check("at first")
	if v.asked.Load() == 0 {
		t.Error("no name was looked up through the interface")
	}
	v.ip("link", "set", "vpn0", "down")
	await(add, "warning", "interface vpn0 is down: waiting for it")
	v.up()
	await(add, "warning", "interface vpn0 is back")
	last, _ := add.Last("progress")
	more(last.Have)
	check("after it was down")
	v.ip("link", "del", "vpn0")
	await(add, "warning", "interface vpn0 is gone: waiting for it")
	last, _ = add.Last("progress")
	for range 3 { // three seconds in which the node has reasons to send
		at := last.Raw
		if last, err = add.WaitFor(ctx, "another progress", func(e nodeproc.Event) bool {
			return e.Event == "progress" && e.Raw > at
		}); err != nil {
			t.Fatal(err)
		}
	}
	check("while it was gone")
	v.plug()
	began := time.Now()
	if _, err := add.WaitFor(ctx, "more, or all", func(e nodeproc.Event) bool {
		return e.Event == "progress" && e.Have > last.Have || e.Event == "complete"
	}); err != nil {
		t.Fatal(err)
	}
	t.Logf("%v until the next piece after the interface was back", time.Since(began))
	if e, err := add.WaitEvent(ctx, "complete"); err != nil {
		t.Fatal(err)
	} else if e.Bytes != 4<<20 {
		t.Error(fmt.Errorf("complete with %d bytes", e.Bytes))
	}
	waitNode(t, ctx, add)
	check("at the end")
	// Without the flag, the capture sees the node: it works.
	free := v.start(false, append(common, "--timeout", "1s", "--dir", t.TempDir(), "--down", "50k",
		torrent.Magnet)...)
	await(free, "exit", "")
	if n, _ := home.count(); n == 0 {
		t.Error("the capture sees nothing of a node without the flag")
	}
}
