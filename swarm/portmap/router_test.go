//go:build linux

package portmap

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"swarmnode/internal/proc"
	"swarmnode/internal/realclient"
)

// patience bounds every wait for real programs. Only a failure reaches it.
const patience = time.Minute

// The home of these tests: this machine, behind a router whose daemon is miniupnpd, and a host
// of the internet. The addresses count as public, and exist only in the namespaces.
const (
	ourIP      = "192.168.1.2"
	ourIP6     = "2001:db8:2::2"
	routerIP   = "192.168.1.1"
	externalIP = "9.9.9.7"
)

// run runs a command whose words have no spaces.
func run(t *testing.T, command string) {
	t.Helper()
	words := strings.Fields(command)
	if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
}

// A home is a router with its daemon.
type home struct {
	t      *testing.T
	daemon *proc.Process
	conf   string
}

// newHome makes the networks, in a namespace of the test. extra is added to the configuration
// of the daemon. The test is skipped without one.
func newHome(t *testing.T, extra string) *home {
	t.Helper()
	realclient.RequireServer(t, realclient.Miniupnpd)
	for _, c := range []string{
		"mount -t tmpfs none /run", "mkdir -p /run/netns",
		"ip netns add router", "ip netns add isp",
		"ip link add eth0 type veth peer name lan netns router",
		"ip addr add " + ourIP + "/24 dev eth0",
		"ip addr add " + ourIP6 + "/64 dev eth0 nodad",
		"ip link set eth0 up",
		"ip -n router addr add " + routerIP + "/24 dev lan",
		"ip -n router addr add 2001:db8:2::1/64 dev lan nodad",
		"ip -n router addr add fe80::1/64 dev lan nodad",
		"ip -n router link set lan up", "ip -n router link set lo up",
		"ip route add default via " + routerIP,
		"ip -6 route add default via fe80::1 dev eth0",
		"ip -n router link add wan type veth peer name eth0 netns isp",
		"ip -n router addr add " + externalIP + "/24 dev wan",
		"ip -n router addr add 2001:db8:1::7/64 dev wan nodad",
		"ip -n router link set wan up",
		"ip -n isp addr add 9.9.9.1/24 dev eth0",
		"ip -n isp addr add 2001:db8:1::1/64 dev eth0 nodad",
		"ip -n isp link set eth0 up",
		"ip -n isp -6 route add 2001:db8:2::/64 via 2001:db8:1::7",
		"ip netns exec router sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1",
	} {
		run(t, c)
	}
	h := &home{t: t, conf: filepath.Join(t.TempDir(), "miniupnpd.conf")}
	text := `ext_ifname=wan
ext_ifname6=wan
listening_ip=lan
min_lifetime=4
max_lifetime=86400
secure_mode=yes
enable_natpmp=yes
uuid=00000000-0000-0000-0000-000000000001
allow 1024-65535 0.0.0.0/0 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
` + extra
	if err := os.WriteFile(h.conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	h.start()
	t.Cleanup(h.stop)
	return h
}

// start starts the router, which has no mappings then.
func (h *home) start() {
	h.t.Helper()
	rules := exec.Command("ip", "netns", "exec", "router", "nft", "-f", "-")
	rules.Stdin = strings.NewReader(`flush ruleset
table inet filter {
  chain miniupnpd {}
  chain prerouting_miniupnpd {}
  chain postrouting_miniupnpd {}
  chain forward {
    type filter hook forward priority 0; policy drop
    jump miniupnpd
    ct state established,related accept
    iifname lan accept
    meta l4proto ipv6-icmp accept
  }
  chain prerouting { type nat hook prerouting priority -100; jump prerouting_miniupnpd; }
  chain postrouting {
    type nat hook postrouting priority 100
    jump postrouting_miniupnpd
    oifname wan meta nfproto ipv4 masquerade
  }
}`)
	if out, err := rules.CombinedOutput(); err != nil {
		h.t.Fatalf("nft: %v: %s", err, out)
	}
	daemon, err := proc.Start(proc.Config{Path: "ip", Args: []string{"netns", "exec", "router",
		"/usr/sbin/miniupnpd", "-d", "-f", h.conf}})
	if err != nil {
		h.t.Fatal(err)
	}
	h.daemon = daemon
}

// stop ends the daemon.
func (h *home) stop() {
	h.daemon.Stop()
	<-h.daemon.Done()
}

// forgets waits until the router has no rule for a port.
func (h *home) forgets(t *testing.T, port uint16) {
	t.Helper()
	for began := time.Now(); ; {
		out, err := exec.Command("ip", "netns", "exec", "router", "nft", "list", "ruleset").Output()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(out), fmt.Sprintf(" %d", port)) {
			return
		}
		if time.Since(began) > patience {
			t.Fatalf("the router still has rules: %s", out)
		}
	}
}

// inside calls f in a namespace.
func inside(t *testing.T, name string, f func()) {
	t.Helper()
	runtime.LockOSThread()
	own, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	other, err := os.Open("/run/netns/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := unix.Setns(int(other.Fd()), unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	f()
	if err := unix.Setns(int(own.Fd()), unix.CLONE_NEWNET); err != nil {
		panic(err) // the thread is lost
	}
	runtime.UnlockOSThread()
}

// A service of ours answers TCP connections and datagrams on one port of an address with its
// name.
type server struct {
	tcp net.Listener
	udp *net.UDPConn
}

// serve starts a server.
func serve(t *testing.T, ip string) (s server, port uint16) {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().(*net.TCPAddr)
	u, err := net.ListenUDP("udp", &net.UDPAddr{IP: at.IP, Port: at.Port})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{}, 2)
	go func() {
		defer func() { done <- struct{}{} }()
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(c, "hello")
			c.Close()
		}
	}()
	go func() {
		defer func() { done <- struct{}{} }()
		b := make([]byte, 100)
		for {
			_, from, err := u.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			u.WriteToUDPAddrPort([]byte("hello"), from)
		}
	}()
	t.Cleanup(func() { l.Close(); u.Close(); <-done; <-done })
	return server{l, u}, uint16(at.Port)
}

// reached reports whether a host of the internet reaches a server at an address within a
// second.
func reached(t *testing.T, proto Proto, at netip.AddrPort) (ok bool) {
	t.Helper()
	inside(t, "isp", func() {
		network := strings.ToLower(proto.String())
		conn, err := net.DialTimeout(network, at.String(), time.Second)
		if err != nil {
			return
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(time.Second))
		conn.Write([]byte("?"))
		b := make([]byte, 5)
		n, _ := conn.Read(b)
		ok = string(b[:n]) == "hello"
	})
	return ok
}
