package egress

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

// address returns where a listener listens.
func address(t *testing.T, l *net.TCPListener) netip.AddrPort {
	t.Helper()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// listen returns a listener on an address of this machine.
func listen(t *testing.T, ip string) *net.TCPListener {
	t.Helper()
	l, err := (*Net)(nil).ListenTCP(t.Context(), netip.AddrPortFrom(netip.MustParseAddr(ip), 0))
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// A family that is switched off is used for nothing.
func TestFamily(t *testing.T) {
	l := listen(t, "127.0.0.1")
	four, err := New(Config{Family: IPv4})
	if err != nil {
		t.Fatal(err)
	}
	six, err := New(Config{Family: IPv6})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := four.DialTCP(t.Context(), netip.Addr{}, address(t, l))
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if err := six.Refuses(address(t, l).Addr()); err != ErrFamily {
		t.Errorf("an IPv4 address with IPv6 alone: %v", err)
	}
	if err := (*Net)(nil).Refuses(address(t, l).Addr()); err != nil {
		t.Errorf("without any wish: %v", err)
	}
	if _, err := six.DialTCP(t.Context(), netip.Addr{}, address(t, l)); !errors.Is(err,
		ErrFamily) {
		t.Errorf("dialling IPv4 with IPv6 alone: %v", err)
	}
	if _, err := six.DialUDP(netip.Addr{}, address(t, l)); !errors.Is(err, ErrFamily) {
		t.Errorf("a UDP socket for IPv4 with IPv6 alone: %v", err)
	}
	any4 := netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
	if _, err := six.ListenUDP(t.Context(), any4); !errors.Is(err, ErrFamily) {
		t.Errorf("listening on IPv4 with IPv6 alone: %v", err)
	}
	if got := four.Unspecified(); !slices.Equal(got, []netip.Addr{any4.Addr()}) {
		t.Errorf("listening everywhere with IPv4 alone: %v", got)
	}
	if _, err := six.LookupNetIP(t.Context(), Any, "127.0.0.1"); err == nil {
		t.Error("an IPv4 address counts although IPv6 is used alone")
	}
	if _, err := six.LookupNetIP(t.Context(), IPv4, "localhost"); err == nil {
		t.Error("a name has IPv4 addresses although IPv6 is used alone")
	}
	own, err := six.Addresses()
	if err != nil || slices.ContainsFunc(own, netip.Addr.Is4) {
		t.Errorf("our addresses in IPv6: %v, %v", own, err)
	}
}

// The first address that answers counts, a dead one costs attemptDelay at most, and a
// refused one nothing.
func TestRace(t *testing.T) {
	l := listen(t, "127.0.0.1")
	at := address(t, l)
	gone := listen(t, "127.0.0.2")
	gone.Close() // its port may be that of l
	dead := address(t, gone).Addr()
	h := &Host{Port: at.Port()}
	r := race{host: h, ctx: t.Context()}
	began := time.Now()
	conn, err := r.run([]netip.Addr{netip.MustParseAddr("::1"), dead, at.Addr()})
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if took := time.Since(began); took > 20*time.Second { // less than any connect timeout
		t.Errorf("took %v beside addresses that refuse", took)
	}
	if conn.RemoteAddr().String() != at.String() {
		t.Errorf("connected to %v, want %v", conn.RemoteAddr(), at)
	}
	refused := errors.New("refused")
	h.Check = func(to netip.AddrPort) error { return refused }
	if _, err := r.run([]netip.Addr{at.Addr()}); !errors.Is(err, refused) {
		t.Errorf("an address that Check refuses: %v", err)
	}
	h.Check = nil
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	r.ctx = ended
	if _, err := r.run([]netip.Addr{at.Addr()}); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}

// The error that says most wins: a family that is missing says little.
func TestRaceError(t *testing.T) {
	l := listen(t, "127.0.0.1")
	at := address(t, l)
	l.Close()
	h := &Host{Port: at.Port(), Family: IPv4}
	r := race{host: h, ctx: t.Context()}
	_, err := r.run([]netip.Addr{netip.MustParseAddr("2001:db8::1"), at.Addr()})
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v, want that the connection was refused", err)
	}
}

func TestInTurns(t *testing.T) {
	addrs := func(list ...string) (out []netip.Addr) {
		for _, s := range list {
			out = append(out, netip.MustParseAddr(s))
		}
		return out
	}
	got := inTurns(addrs("::1", "::2", "::3"), addrs("1.1.1.1"))
	if want := addrs("::1", "1.1.1.1", "::2", "::3"); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestLookup(t *testing.T) {
	var n *Net
	ips, err := n.lookup(t.Context(), Any, "localhost")
	if err != nil || len(ips) == 0 || !ips[0].IsLoopback() {
		t.Errorf("localhost: %v, %v", ips, err)
	}
	var dns *net.DNSError
	if _, err := n.lookup(t.Context(), Any, "no-such-host.invalid"); !errors.As(err, &dns) {
		t.Errorf("a name that does not exist: %v", err)
	}
	got, err := n.LookupHostPort(t.Context(), "[2001:db8::1]:7")
	if want := netip.MustParseAddrPort("[2001:db8::1]:7"); err != nil || got[0] != want {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := n.LookupHostPort(t.Context(), "127.0.0.1:no-such-service"); err == nil {
		t.Error("a service that does not exist has a port")
	}
}

// With a device, servers on this machine are replaced by those that systemd-resolved asks.
func TestReadServers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	text := "# made by hand\nnameserver 127.0.0.53\nnameserver 192.0.2.1\nsearch example\n" +
		"nameserver\nnameserver no-address\nnameserver fe80::1%eth7\nnameserver ::1\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got := readServers(path)
	want := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("fe80::1%eth7")}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	var u upstreams
	if a, b, c := u.next(got), u.next(got), u.next(got); a != want[0] || b != want[1] || c != a {
		t.Errorf("in turns: %v, %v, %v", a, b, c)
	}
	if u.next(readServers(path + "x")).IsValid() {
		t.Error("a server without a file")
	}
}
