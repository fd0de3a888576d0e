package transport

import (
	"bytes"
	"net"
	"net/netip"
	"testing"
	"time"
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
	ours, theirs := RefuseUTP(listen()), listen()
	to := ours.LocalAddr().(*net.UDPAddr).AddrPort()
	syn := []byte{0x41, 0, 0xab, 0xcd, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0x12, 0x34, 0, 0}
	short := syn[:19]
	dht := []byte("d1:y1:qe")
	for _, packet := range [][]byte{syn, short, syn, dht} {
		if _, err := theirs.WriteToUDPAddrPort(packet, to); err != nil {
			t.Fatal(err)
		}
	}
	buf := make([]byte, 2000)
	for _, want := range [][]byte{short, dht} { // the attempts to connect are not seen
		n, from, err := ours.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(buf[:n], want) || from.String() != theirs.LocalAddr().String() {
			t.Errorf("got %x from %v, want %x", buf[:n], from, want)
		}
	}
	for range 2 {
		n, from, err := theirs.ReadFromUDPAddrPort(buf)
		if err != nil {
			t.Fatal(err)
		}
		reset := buf[:n]
		if n != 20 || reset[0] != 0x31 || !bytes.Equal(reset[2:4], syn[2:4]) || !bytes.Equal(reset[18:20], syn[16:18]) {
			t.Errorf("got %x", reset)
		}
		if from != netip.AddrPortFrom(to.Addr(), to.Port()) {
			t.Errorf("from %v", from)
		}
	}
}

func TestRefusalsAreBounded(t *testing.T) {
	var c RefusingConn
	now := time.Unix(1000, 0)
	answers := 0
	for i := range 3000 { // within three seconds
		if c.mayAnswer(now.Add(time.Duration(i) * time.Millisecond)) {
			answers++
		}
	}
	if answers != 3*resetsMax {
		t.Errorf("%d answers in three seconds, want %d", answers, 3*resetsMax)
	}
}
