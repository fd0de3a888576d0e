//go:build linux

package egress

import (
	"context"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"swarmnode/internal/realclient"
)

// dnsServer answers A with 127.0.0.1, and AAAA as six says: an address, nothing, or never if
// six is not valid. It returns a Net that asks it.
func dnsServer(t *testing.T, four bool, six netip.Addr, silent bool) *Net {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			if a := answerTo(b[:n], four, six, silent); a != nil {
				conn.WriteTo(a, from)
			}
		}
	}()
	t.Cleanup(func() { conn.Close(); <-done })
	return &Net{resolver: &net.Resolver{PreferGo: true,
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "udp4", conn.LocalAddr().String())
		}}}
}

// answerTo answers one question of the form of RFC 1035.
func answerTo(q []byte, four bool, six netip.Addr, silent bool) []byte {
	end := 12
	for end < len(q) && q[end] != 0 {
		end += int(q[end]) + 1
	}
	if end+5 > len(q) {
		return nil
	}
	a := append([]byte(nil), q[:end+5]...)
	copy(a[2:], []byte{0x84, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	switch kind := q[end+2]; {
	case kind == 28 && silent:
		return nil
	case kind == 1 && four:
		a[7] = 1
		a = append(a, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0, 1)
	case kind == 28 && six.IsValid():
		a[7] = 1
		a = append(append(a, 0xc0, 12, 0, 28, 0, 1, 0, 0, 0, 1, 0, 16), six.AsSlice()...)
	}
	return a
}

// A name server that never says anything about IPv6 holds nobody up who has IPv4.
func TestSilentAboutIPv6(t *testing.T) {
	n := dnsServer(t, true, netip.Addr{}, true)
	began := time.Now()
	ips, err := n.lookup(t.Context(), Any, "peer.example")
	if err != nil || len(ips) != 1 || !ips[0].Is4() {
		t.Fatalf("got %v, %v", ips, err)
	}
	if took := time.Since(began); took < resolutionDelay || took > 4*time.Second {
		t.Errorf("took %v; the resolver itself gives up after 5 s", took)
	}
}

// Addresses of both families are tried in turns, IPv6 first; either family is enough.
func TestBothFamilies(t *testing.T) {
	six := netip.MustParseAddr("2001:db8::1")
	for _, c := range []struct {
		four bool
		six  netip.Addr
		want string
	}{
		{true, six, "2001:db8::1 127.0.0.1"},
		{true, netip.Addr{}, "127.0.0.1"},
		{false, six, "2001:db8::1"},
		{false, netip.Addr{}, ""},
	} {
		ips, err := dnsServer(t, c.four, c.six, false).lookup(t.Context(), Any, "peer.example")
		var got []string
		for _, ip := range ips {
			got = append(got, ip.String())
		}
		if strings.Join(got, " ") != c.want || (err == nil) != (c.want != "") {
			t.Errorf("got %v, %v, want %s", got, err, c.want)
		}
	}
}

// An address that never answers delays the next one by attemptDelay, and no longer.
func TestBlackHole(t *testing.T) {
	if !realclient.InNamespace(t) {
		return
	}
	for _, args := range []string{
		"link add hole type veth peer name bottom", "link set hole up", "link set bottom up",
		"addr add fd00:dead::1/64 dev hole nodad",
		"neigh add fd00:dead::7 lladdr 02:00:00:00:00:07 dev hole",
	} {
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v: %s", args, err, out)
		}
	}
	l := listen(t, "127.0.0.1")
	n := dnsServer(t, true, netip.MustParseAddr("fd00:dead::7"), false)
	began := time.Now()
	conn, err := n.DialHost(t.Context(), Host{Name: "peer.example", Port: address(t, l).Port()})
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if took := time.Since(began); took < attemptDelay || took > 4*time.Second {
		t.Errorf("took %v, want about %v", took, attemptDelay)
	}
}
