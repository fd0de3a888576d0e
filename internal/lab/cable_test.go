//go:build linux

package lab

import (
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"swarmnode/internal/realclient"
)

// TestCables: a host sees its carrier go and come back, and has another address when it is
// renumbered.
func TestCables(t *testing.T) {
	if !realclient.InNamespace(t) {
		return
	}
	l := OpenModelled(t)
	way := Way{Rate: 20}
	public := must(l.Modelled("public", way, way))(t)
	router := must(l.Router("home", RouterConfig{Up: way, Down: way, NAT: NAT{Preserve: true}}))(t)
	inside := must(router.Inside("inside"))(t)
	far := udp(t, must(l.Modelled("far", Way{}, Way{}))(t), 0)
	for _, h := range []*Host{public, inside} {
		s := udp(t, h, 0)
		if err := h.Carrier(false); err != nil {
			t.Fatal(err)
		}
		await(t, "host without carrier", func() bool { return !carrier(t, h) })
		if err := h.Carrier(true); err != nil {
			t.Fatal(err)
		}
		await(t, "host with carrier", func() bool { return carrier(t, h) })
		hears(t, s, far)

		to := h.Addr.Next().Next()
		if err := h.Renumber(to); err != nil {
			t.Fatal(err)
		}
		if h.Addr != to {
			t.Errorf("%s has %v, want %v", h.Name, h.Addr, to)
		}
		hears(t, udp(t, h, 0), far)
	}
	if err := router.Renumber(netip.MustParseAddr("12.0.2.9")); err == nil {
		t.Error("a router is renumbered, and its NAT does not know")
	}
}

// carrier reports whether a host's link has one.
func carrier(t *testing.T, h *Host) bool {
	t.Helper()
	out, err := exec.Command("ip", "-n", h.Name, "-o", "link", "show", "wan").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return !strings.Contains(string(out), "NO-CARRIER")
}

// hears sends from a host until the far end has a datagram. A link whose carrier has just
// come back may drop the first ones.
func hears(t *testing.T, s, far *net.UDPConn) {
	t.Helper()
	var buf [packetBytes]byte
	await(t, "datagram", func() bool {
		send(t, s, endpoint(far), "hello")
		if err := far.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		n, err := far.Read(buf[:])
		return err == nil && string(buf[:n]) == "hello"
	})
}
