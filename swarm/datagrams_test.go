package swarm_test

import (
	"net"
	"testing"
	"time"
)

// utpSyn asks for a uTP connection (BEP 29).
var utpSyn = append([]byte{0x41, 0}, make([]byte, 18)...)

// Without a DHT node an attempt to connect by uTP is refused by the engine, and
// with one by what it reads from.
func TestUTPIsRefused(t *testing.T) {
	e := newEngine(t)
	conn, err := net.Dial("udp", e.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	refused := func() {
		t.Helper()
		if _, err := conn.Write(utpSyn); err != nil {
			t.Fatal(err)
		}
		conn.SetReadDeadline(time.Now().Add(patience))
		b := make([]byte, 100)
		if n, err := conn.Read(b); err != nil || n != 20 || b[0] != 0x31 {
			t.Errorf("got % x, %v, want ST_RESET", b[:n], err)
		}
	}
	refused()
	shared := e.PacketConns()[0]
	heard := make(chan string, 1)
	go func() {
		b := make([]byte, 100)
		n, _, _ := shared.ReadFrom(b)
		heard <- string(b[:n])
	}()
	refused()
	if _, err := conn.Write([]byte("d1:q")); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-heard:
		if got != "d1:q" {
			t.Errorf("heard %q", got)
		}
	case <-time.After(patience):
		t.Error("a datagram did not come through")
	}
}
