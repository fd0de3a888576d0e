package utp

import (
	"bytes"
	"crypto/sha1"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
)

// patience bounds what has to happen soon.
const patience = 20 * time.Second

var loopback = netip.MustParseAddrPort("127.0.0.1:0")

// listen returns a Socket on loopback.
func listen(t testing.TB) *Socket { return listenWith(t, Config{}) }

func listenWith(t testing.TB, cfg Config) *Socket {
	t.Helper()
	s, err := Listen(t.Context(), loopback, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// connect returns the two ends of a connection between sockets.
func connect(t testing.TB, from, to *Socket) (dialled, accepted *Conn) {
	t.Helper()
	a, err := from.Dial(t.Context(), to.AddrPort())
	if err != nil {
		t.Fatal(err)
	}
	b, err := to.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return a.(*Conn), b.(*Conn)
}

func TestBytesGoThrough(t *testing.T) {
	a, b := connect(t, listen(t), listen(t))
	content := bytes.Repeat([]byte("0123456789abcdef"), 4<<20/16)
	go func() {
		if _, err := a.Write(content); err != nil {
			t.Error(err)
		}
		a.Close()
	}()
	b.SetReadDeadline(time.Now().Add(patience))
	h := sha1.New()
	n, err := io.Copy(h, b)
	if err != nil || int(n) != len(content) {
		t.Fatalf("%d bytes, %v", n, err)
	}
	if want := sha1.Sum(content); !bytes.Equal(h.Sum(nil), want[:]) {
		t.Error("other bytes came")
	}
}

// BenchmarkTransfer moves bytes from one socket to another.
func BenchmarkTransfer(b *testing.B) {
	for _, mtu := range []int{0, 1472} {
		b.Run(fmt.Sprint(mtu), func(b *testing.B) { benchmarkTransfer(b, mtu) })
	}
}

func benchmarkTransfer(b *testing.B, mtu int) {
	from, to := listenWith(b, Config{DatagramMax: mtu}), listenWith(b, Config{DatagramMax: mtu})
	accepted := make(chan net.Conn, 1)
	go func() {
		c, _ := to.Accept()
		accepted <- c
	}()
	a, err := from.Dial(b.Context(), to.AddrPort())
	if err != nil {
		b.Fatal(err)
	}
	block := make([]byte, 1<<20)
	a.Write(block[:1])
	c := <-accepted
	b.SetBytes(int64(len(block)))
	b.ReportAllocs()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		buf := make([]byte, 256<<10)
		for {
			if _, err := c.Read(buf); err != nil {
				return
			}
		}
	}()
	for b.Loop() {
		a.Write(block)
	}
	a.Close()
	<-ended
	s := a.(*Conn)
	b.Logf("%+v mtu %d window %d rtt %v", s.m.stats, s.m.mtu.size, s.m.window.limit(),
		s.m.rtt.smoothed)
}
