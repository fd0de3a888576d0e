package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

var loopback = netip.MustParseAddrPort("127.0.0.1:0")

func listenPair(t *testing.T, addr netip.AddrPort) *Pair {
	t.Helper()
	p, err := ListenPair(t.Context(), nil, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func TestListenPairHasOnePort(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0", "0.0.0.0:0", "[::]:0"} {
		t.Run(addr, func(t *testing.T) {
			p, err := ListenPair(t.Context(), nil, netip.MustParseAddrPort(addr))
			if errors.Is(err, ErrNoAddress) || errors.Is(err, ErrNoFamily) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			if tcp, udp := p.TCP.AddrPort(), addrPort(p.UDP.LocalAddr()); tcp.Port() == 0 ||
				tcp.Port() != udp.Port() {
				t.Errorf("TCP on %v, UDP on %v, want one port", tcp, udp)
			}
			if got, want := p.AddrPort().Addr(), netip.MustParseAddrPort(addr).Addr(); got != want {
				t.Errorf("listens on %v, want %v", got, want)
			}
		})
	}
}

// TestWildcards: nodes of both families share a port number.
func TestWildcards(t *testing.T) {
	four := listenPair(t, netip.MustParseAddrPort("0.0.0.0:0"))
	six, err := ListenPair(t.Context(), nil, netip.AddrPortFrom(netip.IPv6Unspecified(),
		four.AddrPort().Port()))
	if errors.Is(err, ErrNoFamily) || errors.Is(err, ErrNoAddress) || errors.Is(err, ErrInUse) {
		t.Skip(err) // the port may well be another program's in the other family
	}
	if err != nil {
		t.Fatal(err)
	}
	six.Close()
}

func TestListenPairInUse(t *testing.T) {
	p := listenPair(t, loopback)
	for _, half := range []string{"both", "tcp", "udp"} {
		t.Run(half, func(t *testing.T) {
			at := p.AddrPort()
			switch half {
			case "tcp":
				l, err := ListenTCP(t.Context(), nil, loopback)
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				at = l.AddrPort()
			case "udp":
				u, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(loopback))
				if err != nil {
					t.Fatal(err)
				}
				defer u.Close()
				at = addrPort(u.LocalAddr())
			}
			other, err := ListenPair(t.Context(), nil, at)
			if err == nil {
				other.Close()
			}
			if !errors.Is(err, ErrInUse) {
				t.Errorf("got %v, want ErrInUse", err)
			}
		})
	}
}

func TestListenPairNoSuchAddress(t *testing.T) {
	_, err := ListenPair(t.Context(), nil, netip.MustParseAddrPort("192.0.2.77:0"))
	if !errors.Is(err, ErrNoAddress) {
		t.Errorf("got %v, want ErrNoAddress", err)
	}
	if want := "listening on 192.0.2.77:0: no interface of this machine has the address"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	if _, err := ListenPair(t.Context(), nil, netip.AddrPort{}); err == nil {
		t.Error("no error for the zero address")
	}
}

func TestListenErrors(t *testing.T) {
	for errno, want := range map[syscall.Errno]error{
		syscall.EADDRINUSE: ErrInUse, syscall.EACCES: ErrPrivileged, syscall.EPERM: ErrPrivileged,
		syscall.EADDRNOTAVAIL: ErrNoAddress, syscall.EAFNOSUPPORT: ErrNoFamily,
		syscall.EIO: syscall.EIO,
	} {
		err := &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", errno)}
		if got := listenError(loopback, err); !errors.Is(got, want) {
			t.Errorf("%v: got %v, want %v", errno, got, want)
		}
	}
}

func TestDialAndServe(t *testing.T) {
	p := listenPair(t, loopback)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error)
	go func() {
		served <- Serve(ctx, p.TCP, func(c net.Conn) {
			go func() {
				defer c.Close()
				io.Copy(c, c)
			}()
		})
	}()
	conn, err := TCP{}.Dial(ctx, p.AddrPort())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := RemoteAddrPort(conn); got != p.AddrPort() {
		t.Errorf("remote address %v, want %v", got, p.AddrPort())
	}
	if _, err := io.WriteString(conn, "hello"); err != nil {
		t.Fatal(err)
	}
	var b [5]byte
	if _, err := io.ReadFull(conn, b[:]); err != nil || string(b[:]) != "hello" {
		t.Errorf("got %q, %v", b, err)
	}
	cancel()
	if err := <-served; err != nil {
		t.Errorf("Serve ended with %v, want nil", err)
	}
	// Not by a dial: another process may listen on the port by now.
	if _, err := p.TCP.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after the end: %v, want a closed listener", err)
	}
	if _, err := (TCP{}).Dial(t.Context(), netip.MustParseAddrPort("127.0.0.1:0")); err == nil {
		t.Error("no error for port 0")
	}
}

// fakeListener fails as it is told and then gives one end of a pipe.
type fakeListener struct {
	errs  []error
	calls int
}

func (l *fakeListener) Accept() (net.Conn, error) {
	l.calls++
	if len(l.errs) == 0 {
		return nil, net.ErrClosed
	}
	err := l.errs[0]
	l.errs = l.errs[1:]
	if err != nil {
		return nil, err
	}
	a, b := net.Pipe()
	b.Close()
	return a, nil
}
func (l *fakeListener) AddrPort() netip.AddrPort { return loopback }
func (l *fakeListener) Close() error             { return nil }

func TestServePausesWhenShortOfDescriptors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeListener{}
		for range 20 {
			l.errs = append(l.errs, fmt.Errorf("accept: %w", syscall.EMFILE))
		}
		l.errs = append(l.errs, nil, syscall.ECONNABORTED, nil)
		start, got := time.Now(), 0
		if err := Serve(t.Context(), l, func(c net.Conn) { got++; c.Close() }); err != nil {
			t.Fatal(err)
		}
		if got != 2 {
			t.Errorf("%d streams, want 2", got)
		}
		if d := time.Since(start); d < 10*time.Second || d > 20*acceptPauseMax {
			t.Errorf("20 failures took %v, want pauses that grow to %v", d, acceptPauseMax)
		}
	})
}

func TestServeEndsWhileShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		l := &fakeListener{errs: make([]error, 1000)}
		for i := range l.errs {
			l.errs[i] = syscall.EMFILE
		}
		start := time.Now()
		if err := Serve(ctx, l, func(net.Conn) {}); err != nil {
			t.Errorf("got %v, want nil", err)
		}
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("ended after %v, want 3s", d)
		}
	})
}

func TestServeGivesUpOnOtherErrors(t *testing.T) {
	l := &fakeListener{errs: []error{syscall.EINVAL}}
	if err := Serve(t.Context(), l, func(net.Conn) {}); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("got %v, want EINVAL", err)
	}
}
