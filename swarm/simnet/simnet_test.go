package simnet

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

var (
	addrA = netip.MustParseAddr("10.0.0.1")
	addrB = netip.MustParseAddr("10.0.0.2")
)

// pair returns the two ends of a stream between hosts with the given links.
func pair(t *testing.T, a, b Link) (dialled, accepted net.Conn) {
	t.Helper()
	n := New(1)
	ha, hb := n.Host(addrA, a), n.Host(addrB, b)
	l, err := hb.Listen(6881)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialled, err = ha.Dial(t.Context(), l.AddrPort())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return dialled, accepted
}

func TestStream(t *testing.T) {
	for _, tt := range []struct {
		name string
		link Link
		want time.Duration // for 1 MiB, from the first byte
	}{
		{"perfect", Link{}, 0},
		{"latency", Link{Latency: 50 * time.Millisecond}, 0}, // windows make it slower
		{"rate", Link{Up: 1 << 20, Down: 1 << 20}, time.Second},
		{"loss", Link{Loss: 0.1, Jitter: 10 * time.Millisecond}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := pair(t, tt.link, tt.link)
				data := make([]byte, 1<<20)
				for i := range data {
					data[i] = byte(i * 31 >> 8)
				}
				start := time.Now()
				go func() {
					a.Write(data)
					a.Close()
				}()
				got, err := io.ReadAll(b)
				if err != nil || !bytes.Equal(got, data) {
					t.Errorf("read %d bytes, %v; want the %d that were written", len(got), err,
						len(data))
				}
				if d := time.Since(start); tt.want > 0 && (d < tt.want || d > tt.want*11/10) {
					t.Errorf("took %v, want %v", d, tt.want)
				}
			})
		})
	}
}

func TestStreamLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		link := Link{Latency: 25 * time.Millisecond}
		start := time.Now()
		a, b := pair(t, link, link)
		if d := time.Since(start); d != 100*time.Millisecond {
			t.Errorf("dialling took %v, want a round trip of 100ms", d)
		}
		start = time.Now()
		a.Write([]byte("x"))
		a.Close()
		var p [10]byte
		if n, err := b.Read(p[:]); n != 1 || err != nil {
			t.Errorf("read %d, %v", n, err)
		}
		if n, err := b.Read(p[:]); n != 0 || err != io.EOF {
			t.Errorf("read %d, %v, want EOF", n, err)
		}
		if d := time.Since(start); d != 50*time.Millisecond {
			t.Errorf("the byte and the end took %v, want 50ms", d)
		}
		b.Close()
		if _, err := b.Write(p[:]); !errors.Is(err, net.ErrClosed) {
			t.Errorf("writing after Close: %v", err)
		}
	})
}

func TestStreamBackpressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, Link{}, Link{})
		a.SetWriteDeadline(time.Now().Add(time.Second))
		n, err := a.Write(make([]byte, 1<<20))
		if !errors.Is(err, os.ErrDeadlineExceeded) || n < windowMax || n > windowMax+segmentMax {
			t.Errorf("wrote %d, %v; want the window and the deadline", n, err)
		}
		b.Close()
		a.SetWriteDeadline(time.Time{})
		if _, err := a.Write(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("writing to nobody: %v, want a reset", err)
		}
	})
}

func TestDeadlineMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := pair(t, Link{}, Link{})
		start := time.Now()
		a.SetReadDeadline(start.Add(time.Hour))
		go func() {
			time.Sleep(time.Second)
			a.SetReadDeadline(time.Now().Add(time.Second))
		}()
		_, err := a.Read(make([]byte, 1))
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() || time.Since(start) != 2*time.Second {
			t.Errorf("got %v after %v, want a timeout after 2s", err, time.Since(start))
		}
		if _, err := a.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("again: %v, want the deadline", err)
		}
		a.SetReadDeadline(time.Time{})
		go func() {
			time.Sleep(time.Hour)
			a.Close()
		}()
		if _, err := a.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("without a deadline: %v, want net.ErrClosed", err)
		}
	})
}

func TestDialFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1)
		a := n.Host(addrA, Link{})
		n.Host(addrB, Link{})
		if _, err := a.Dial(t.Context(), netip.AddrPortFrom(addrB, 1)); !errors.Is(err,
			syscall.ECONNREFUSED) {
			t.Errorf("nobody listens: %v, want a refusal", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := a.Dial(ctx, netip.MustParseAddrPort("10.9.9.9:1")); !errors.Is(err,
			context.DeadlineExceeded) {
			t.Errorf("no such host: %v, want silence", err)
		}
		l, err := a.Listen(7)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Listen(7); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("port taken: %v", err)
		}
		go func() {
			time.Sleep(time.Second)
			l.Close()
		}()
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("accepting after Close: %v", err)
		}
	})
}

func TestPackets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(7)
		link := Link{Latency: 10 * time.Millisecond, Jitter: 5 * time.Millisecond, Loss: 0.1}
		a, _ := n.Host(addrA, link).ListenPacket(0)
		b, _ := n.Host(addrB, link).ListenPacket(6881)
		const sent = 1000
		var wg sync.WaitGroup
		wg.Go(func() {
			for range sent {
				if _, err := a.WriteTo([]byte("ping"), b.LocalAddr()); err != nil {
					t.Error(err)
				}
				time.Sleep(time.Millisecond)
			}
		})
		b.SetReadDeadline(time.Now().Add(time.Minute))
		got := 0
		for p := make([]byte, 100); ; got++ {
			k, from, err := b.ReadFrom(p)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil || string(p[:k]) != "ping" || from.String() != a.LocalAddr().String() {
				t.Fatalf("got %q from %v, %v", p[:k], from, err)
			}
		}
		wg.Wait()
		if got < sent*75/100 || got > sent*87/100 {
			t.Errorf("%d of %d arrived, want about 81%%", got, sent)
		}
		if _, err := a.WriteTo(make([]byte, packetMax+1), b.LocalAddr()); !errors.Is(err,
			syscall.EMSGSIZE) {
			t.Errorf("long packet: %v", err)
		}
		b.Close()
		if _, _, err := b.ReadFrom(nil); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

func TestNAT(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1)
		nat := n.NAT(netip.MustParseAddr("192.0.2.1"))
		inside := nat.Host(netip.MustParseAddr("192.168.1.2"), Link{})
		server := n.Host(addrA, Link{})
		other := n.Host(addrB, Link{})
		in, _ := inside.ListenPacket(5000)
		srv, _ := server.ListenPacket(6881)
		oth, _ := other.ListenPacket(6881)
		p := make([]byte, 10)

		in.WriteTo([]byte("a"), srv.LocalAddr())
		_, seen, err := srv.ReadFromUDPAddrPort(p)
		if err != nil || seen.Addr() != netip.MustParseAddr("192.0.2.1") {
			t.Fatalf("the server sees %v, %v; want the public address", seen, err)
		}
		oth.WriteToUDPAddrPort([]byte("b"), seen) // nobody asked for it
		srv.WriteToUDPAddrPort([]byte("c"), seen)
		k, from, err := in.ReadFromUDPAddrPort(p)
		if err != nil || string(p[:k]) != "c" || from != srv.addr {
			t.Errorf("inside got %q from %v, %v; want c from the server", p[:k], from, err)
		}
		in.WriteTo([]byte("d"), oth.LocalAddr())
		oth.WriteToUDPAddrPort([]byte("e"), seen)
		if k, _, err = in.ReadFromUDPAddrPort(p); err != nil || string(p[:k]) != "e" {
			t.Errorf("inside got %q, %v; want e, now that it spoke to the other", p[:k], err)
		}

		l, _ := inside.Listen(5000)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := server.Dial(ctx, seen); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("stream from outside: %v, want silence", err)
		}
		l.Close()
		ls, _ := server.Listen(80)
		out, err := inside.Dial(t.Context(), ls.AddrPort())
		if err != nil {
			t.Fatal(err)
		}
		back, _ := ls.Accept()
		if got := back.RemoteAddr().(*net.TCPAddr).AddrPort().Addr(); got != nat.public {
			t.Errorf("stream comes from %v, want the public address", got)
		}
		out.Close()
		back.Close()
	})
}
