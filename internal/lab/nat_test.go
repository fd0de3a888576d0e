//go:build linux

package lab

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var (
	outside = netip.MustParseAddr("12.0.1.2")
	insider = netip.MustParseAddrPort("192.168.1.2:5000")
	peer1   = netip.MustParseAddrPort("12.0.9.2:7000")
	peer2   = netip.MustParseAddrPort("12.0.9.2:7001")
)

// ipv4 builds a packet with an even number of bytes of payload.
func ipv4(proto uint8, from, to netip.AddrPort, flags byte, payload ...byte) []byte {
	header := map[uint8]int{unix.IPPROTO_UDP: 8, unix.IPPROTO_TCP: headerTCP}[proto]
	b := make([]byte, headerV4+header+len(payload))
	b[0], b[8], b[9] = 0x45, 64, proto
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	copy(b[12:], from.Addr().AsSlice())
	copy(b[16:], to.Addr().AsSlice())
	binary.BigEndian.PutUint16(b[10:], checksum(b[:headerV4]))
	p := b[headerV4:]
	binary.BigEndian.PutUint16(p, from.Port())
	binary.BigEndian.PutUint16(p[2:], to.Port())
	copy(p[header:], payload)
	at := 6
	if proto == unix.IPPROTO_TCP {
		p[12], p[13], at = headerTCP/4<<4, flags, 16
	} else {
		binary.BigEndian.PutUint16(p[4:], uint16(len(p)))
	}
	sum := checksum(withPseudoHeader(b))
	if sum == 0 { // which would say that there is none
		sum = 0xffff
	}
	binary.BigEndian.PutUint16(p[at:], sum)
	return b
}

// withPseudoHeader returns what the checksum of UDP or TCP covers.
func withPseudoHeader(b []byte) []byte {
	p := append([]byte(nil), b[12:20]...)
	p = append(p, 0, b[9], 0, 0)
	binary.BigEndian.PutUint16(p[10:], uint16(len(b)-headerV4))
	return append(p, b[headerV4:]...)
}

// ends returns the endpoints that a packet names. It fails the test if a checksum is wrong.
func ends(t *testing.T, b []byte) (from, to netip.AddrPort) {
	t.Helper()
	if checksum(b[:headerV4]) != 0 || checksum(withPseudoHeader(b)) != 0 {
		t.Errorf("checksums of %x are wrong", b)
	}
	p, ok := parsePacket(b)
	if !ok {
		t.Fatalf("cannot read %x", b)
	}
	return p.from, p.to
}

// out sends a packet from inside and returns its endpoint outside.
func (t *natTable) out(tt *testing.T, now time.Duration, proto uint8, to netip.AddrPort,
	flags byte) netip.AddrPort {
	tt.Helper()
	b := ipv4(proto, insider, to, flags, 1, 2)
	if v := t.leave(now, b); v != pass {
		tt.Fatalf("after %v a packet to %v met %v", now, to, v)
	}
	from, at := ends(tt, b)
	if at != to {
		tt.Errorf("the packet goes to %v, want %v", at, to)
	}
	return from
}

// in reports whether a packet from outside reaches the insider.
func (t *natTable) in(tt *testing.T, now time.Duration, proto uint8, from, to netip.AddrPort,
	flags byte) bool {
	tt.Helper()
	b := ipv4(proto, from, to, flags, 3, 4)
	if t.enter(now, b) != pass {
		return false
	}
	if who, at := ends(tt, b); at != insider || who != from {
		tt.Errorf("the packet of %v goes from %v to %v", from, who, at)
	}
	return true
}

// TestMappingsOfUDPEnd: packets of either direction prolong a mapping, by Idle.
func TestMappingsOfUDPEnd(t *testing.T) {
	const idle, udp = 30 * time.Second, unix.IPPROTO_UDP
	n := newNATTable(NAT{Filtering: AddressAndPortDependent, Idle: idle}, outside, 1)
	at := n.out(t, 0, udp, peer1, 0)
	if !n.in(t, idle-1, udp, peer1, at, 0) || !n.in(t, 2*idle-2, udp, peer1, at, 0) {
		t.Error("a mapping in use has ended")
	}
	if n.in(t, 3*idle-2, udp, peer1, at, 0) || n.tally.Unmapped != 1 {
		t.Errorf("an idle mapping lasts: %+v", n.tally)
	}
	if now := n.out(t, 3*idle, udp, peer1, 0); now == at {
		t.Errorf("the mapping is %v again", at)
	}
}

// TestPermissionsEnd: a peer that nothing is sent to loses its way in, though the mapping
// is in use.
func TestPermissionsEnd(t *testing.T) {
	const idle, udp = 30 * time.Second, unix.IPPROTO_UDP
	n := newNATTable(NAT{Filtering: AddressAndPortDependent, Idle: idle}, outside, 1)
	at := n.out(t, 0, udp, peer1, 0)
	n.out(t, idle/2, udp, peer2, 0)
	if n.in(t, idle, udp, peer1, at, 0) || n.tally.Filtered != 1 {
		t.Errorf("an old peer comes in: %+v", n.tally)
	}
	if !n.in(t, idle, udp, peer2, at, 0) {
		t.Error("a new peer does not come in")
	}
}

// TestMappingsOfTCPEnd: a connection lasts for hours, and ends soon after its FIN or RST.
func TestMappingsOfTCPEnd(t *testing.T) {
	const tcp, ack = unix.IPPROTO_TCP, 16
	for _, flag := range []byte{tcpFIN, tcpRST} {
		n := newNATTable(NAT{}, outside, 1)
		at := n.out(t, 0, tcp, peer1, tcpSYN)
		now := idleTCP - 1
		if !n.in(t, now, tcp, peer1, at, ack) {
			t.Error("a connection has ended")
		}
		n.out(t, now, tcp, peer1, flag)
		if !n.in(t, now+idleDefault-1, tcp, peer1, at, ack) {
			t.Error("a connection ended at once")
		}
		if n.in(t, now+2*idleDefault, tcp, peer1, at, ack) {
			t.Error("a closed connection lasts")
		}
	}
	n := newNATTable(NAT{}, outside, 1)
	if n.leave(0, ipv4(tcp, insider, peer1, tcpRST)) != drop || len(n.byOutside) != 0 {
		t.Error("a RST opens a mapping")
	}
}

// TestAnswersLeaveByTheWayIn: a peer that came in by the mapping of another one hears from
// the same port.
func TestAnswersLeaveByTheWayIn(t *testing.T) {
	const udp = unix.IPPROTO_UDP
	n := newNATTable(NAT{Mapping: AddressAndPortDependent}, outside, 1)
	at := n.out(t, 0, udp, peer1, 0)
	if !n.in(t, 0, udp, peer2, at, 0) {
		t.Fatal("a full cone filters")
	}
	if got := n.out(t, 0, udp, peer2, 0); got != at {
		t.Errorf("the answer comes from %v, want %v", got, at)
	}
	if n.sweep(idleDefault); len(n.byInside) != 0 || len(n.byOutside) != 0 {
		t.Errorf("%v and %v are left", n.byInside, n.byOutside)
	}
}

// TestPortsRunOut: a router has so many ports, and gets them back.
func TestPortsRunOut(t *testing.T) {
	const udp = unix.IPPROTO_UDP
	n := newNATTable(NAT{Mapping: AddressAndPortDependent}, outside, 1)
	peer := func(i int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{13, 0, byte(i >> 8), byte(i)}), 1)
	}
	used := map[netip.AddrPort]bool{}
	// One port is that of the sender, which no mapping gets.
	for i := range mappingsMax - 1 {
		at := n.out(t, 0, udp, peer(i), 0)
		if used[at] || at.Port() < lowestPort || at.Port() == insider.Port() {
			t.Fatalf("mapping %d is %v", i, at)
		}
		used[at] = true
	}
	if n.leave(0, ipv4(udp, insider, peer(mappingsMax), 0)) != drop || n.tally.Dropped != 1 {
		t.Errorf("one port too many: %+v", n.tally)
	}
	n.out(t, idleDefault, udp, peer(mappingsMax), 0)
}

// TestPinholesStay: whatever a router forgets.
func TestPinholesStay(t *testing.T) {
	const udp = unix.IPPROTO_UDP
	n := newNATTable(NAT{Filtering: AddressAndPortDependent}, outside, 1)
	n.pinhole(udp, insider)
	n.forget()
	if !n.in(t, time.Hour, udp, peer1, netip.AddrPortFrom(outside, insider.Port()), 0) {
		t.Error("a pinhole is closed")
	}
	if got := n.out(t, 2*time.Hour, udp, peer2, 0).Port(); got != insider.Port() {
		t.Errorf("port %d outside, want that of the pinhole", got)
	}
}

// TestForeignPackets: whatever a packet is, no NAT falls over it.
func TestForeignPackets(t *testing.T) {
	n := newNATTable(NAT{}, outside, 1)
	n.prefix = netip.MustParsePrefix("2a0c:b4c0::/48")
	at := n.out(t, 0, unix.IPPROTO_UDP, peer1, 0)
	sent := ipv4(unix.IPPROTO_UDP, at, peer1, 0)
	report := append(make([]byte, headerV4+errorBytes), sent...)
	report[0], report[9], report[headerV4] = 0x45, unix.IPPROTO_ICMP, unreachableV4
	copy(report[12:], peer1.Addr().AsSlice())
	copy(report[16:], outside.AsSlice())
	fragment := ipv4(unix.IPPROTO_UDP, insider, peer1, 0)
	fragment[6] = 0x20
	six := make([]byte, headerV6+headerTCP)
	six[0], six[6] = 0x60, unix.IPPROTO_TCP
	for _, whole := range [][]byte{
		ipv4(unix.IPPROTO_UDP, insider, peer1, 0, 1, 2), six, report, fragment,
		ipv4(unix.IPPROTO_TCP, insider, peer1, tcpSYN), {0x4f}, {0},
	} {
		for length := range whole {
			n.leave(0, append([]byte(nil), whole[:length]...))
			n.enter(0, append([]byte(nil), whole[:length]...))
		}
	}
	if n.leave(0, fragment) != drop {
		t.Error("a fragment passes")
	}
	if n.enter(0, report) != pass {
		t.Error("an error does not pass")
	}
	if p, _ := parsePacket(report); p.to.Addr() != insider.Addr() || p.inner.from != insider ||
		checksum(report[headerV4:]) != 0 {
		t.Errorf("the error is for %v about %v", p.to, p.inner.from)
	}
}
