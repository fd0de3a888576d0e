package transport

import (
	"bytes"
	"net"
	"net/netip"
	"testing"
	"time"

	"swarmnode/swarm/transport/udpmux"
)

func TestUTPIsRefused(t *testing.T) {
	listen := func() *net.UDPConn {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		return c
	}
	ours, theirs := udpmux.New(listen()), listen()
	defer ours.Close()
	RefuseUTP(ours)
	syn := []byte{0x41, 0, 0xab, 0xcd, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0x12, 0x34, 0, 0}
	data := append([]byte{0x01}, syn[1:]...)
	for _, packet := range [][]byte{syn, syn[:19], data, syn} {
		if _, err := theirs.WriteToUDPAddrPort(packet, ours.AddrPort()); err != nil {
			t.Fatal(err)
		}
	}
	buf := make([]byte, 2000)
	for range 2 { // the short one and the data have no answer
		n, from, err := theirs.ReadFromUDPAddrPort(buf)
		if err != nil {
			t.Fatal(err)
		}
		reset := buf[:n]
		if n != 20 || reset[0] != 0x31 || !bytes.Equal(reset[2:4], syn[2:4]) ||
			!bytes.Equal(reset[18:20], syn[16:18]) {
			t.Errorf("got %x", reset)
		}
		if from != ours.AddrPort() {
			t.Errorf("from %v", from)
		}
	}
	if got := ours.Stats(udpmux.ClassUTP).Received; got != 3 {
		t.Errorf("%d datagrams of uTP have come, want 3", got)
	}
}

// Neither those of all together nor those to one source, an IPv6 host with all its
// addresses included, are without bound; and one source leaves the others theirs.
func TestRefusalsAreBounded(t *testing.T) {
	c := newRefuser(nil)
	now := time.Unix(1000, 0)
	count := func(from func(i int) netip.Addr) (answers int) {
		for i := range 9000 { // within three seconds
			if c.mayAnswer(now.Add(time.Duration(i)*time.Second/3000), from(i)) {
				answers++
			}
		}
		now = now.Add(time.Minute)
		return answers
	}
	host := netip.MustParseAddr("192.0.2.1")
	subnet := netip.MustParseAddr("2001:db8::").As16()
	if n := count(func(int) netip.Addr { return host }); n != 3*resetsPerSource {
		t.Errorf("%d answers to one source in three seconds, want %d", n, 3*resetsPerSource)
	}
	if n := count(func(i int) netip.Addr {
		subnet[14], subnet[15] = byte(i>>8), byte(i)
		return netip.AddrFrom16(subnet)
	}); n != 3*resetsPerSource {
		t.Errorf("%d answers to one /64 in three seconds, want %d", n, 3*resetsPerSource)
	}
	if n := count(func(i int) netip.Addr {
		return netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1})
	}); n > 3*resetsMax || n < 2*resetsMax {
		t.Errorf("%d answers in three seconds, want %d", n, 3*resetsMax)
	}
	silent := 0
	for i := range 1000 {
		c.mayAnswer(now, host)
		if i >= 900 && !c.mayAnswer(now, netip.AddrFrom4([4]byte{10, 0, byte(i), 1})) {
			silent++
		}
	}
	if silent > 20 { // those that share the count of the flooder, one of 1,024
		t.Errorf("%d of 100 others have no answer", silent)
	}
}
