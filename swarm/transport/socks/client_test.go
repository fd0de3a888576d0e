package socks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/internal/socksserver"
)

// client returns a Client of the proxy at a URL.
func client(t *testing.T, url string) *Client {
	t.Helper()
	server, err := Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	return New(Config{Server: server})
}

// echo serves what is sent to it by TCP, on a free port of ip.
func echo(t *testing.T, ip string) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		t.Skipf("no %s: %v", ip, err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer conn.Close(); io.Copy(conn, conn) }()
		}
	}()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

func TestDialTCP(t *testing.T) {
	four, six := echo(t, "127.0.0.1"), echo(t, "::1")
	name := strings.Repeat("n", 255)
	for _, user := range []string{"", "user"} {
		s := socksserver.Start(t, socksserver.Options{User: user, Password: "p w:d",
			Hosts: map[string]string{"tracker.example": "127.0.0.1", name: "::1"}})
		c := client(t, strings.Replace(s.URL(), "p w:d", "p%20w:d", 1))
		for _, to := range []struct {
			host string
			port uint16
		}{{"127.0.0.1", four.Port()}, {"::1", six.Port()}, {"tracker.example", four.Port()},
			{name, six.Port()}} {
			conn, err := c.DialTCP(t.Context(), to.host, to.port)
			if err != nil {
				t.Fatalf("%.20s: %v", to.host, err)
			}
			if _, err := io.WriteString(conn, "hello"); err != nil {
				t.Fatal(err)
			}
			b := make([]byte, 5)
			if _, err := io.ReadFull(conn, b); err != nil || string(b) != "hello" {
				t.Errorf("%.20s: got %q, %v", to.host, b, err)
			}
			if _, ok := conn.(*net.TCPConn); !ok {
				t.Errorf("the stream is a %T, which the system cannot move data of", conn)
			}
			conn.Close()
		}
		want := []string{fmt.Sprintf("connect 127.0.0.1:%d", four.Port()),
			fmt.Sprintf("connect [::1]:%d", six.Port()),
			fmt.Sprintf("connect tracker.example:%d", four.Port()),
			fmt.Sprintf("connect %s:%d", name, six.Port())}
		if got := s.Asked(); !slices.Equal(got, want) {
			t.Errorf("the proxy was asked for %q, want %q", got, want)
		}
	}
}

// Each reply of the proxy is an error that says what the system would say.
func TestRefusals(t *testing.T) {
	for reply, want := range map[byte]error{1: nil, 2: syscall.EACCES, 3: syscall.ENETUNREACH,
		4: syscall.EHOSTUNREACH, 5: syscall.ECONNREFUSED, 6: syscall.ETIMEDOUT,
		7: nil, 8: nil, 99: nil} {
		s := socksserver.Start(t, socksserver.Options{Reply: reply})
		_, err := client(t, s.URL()).DialTCP(t.Context(), "192.0.2.1", 6881)
		var refused *ReplyError
		var server *ServerError
		if !errors.As(err, &refused) || refused.Reply != Reply(reply) || errors.As(err, &server) {
			t.Errorf("reply %d: %v", reply, err)
		}
		if want != nil && !errors.Is(err, want) {
			t.Errorf("reply %d: %v is not %v", reply, err, want)
		}
		if text := fmt.Sprint(err); strings.Contains(text, "\n") ||
			!strings.HasPrefix(text, "through the proxy: ") {
			t.Errorf("reply %d: %q", reply, text)
		}
	}
}

func TestCredentials(t *testing.T) {
	s := socksserver.Start(t, socksserver.Options{User: "user", Password: "secret"})
	for url, want := range map[string]error{
		s.URL(): nil,
		strings.Replace(s.URL(), "secret", "other", 1):     ErrCredentials,
		strings.Replace(s.URL(), "user:secret@", "", 1):    ErrWantsCredentials,
		strings.Replace(s.URL(), "user:secret", "u:p", 1):  ErrCredentials,
		strings.Replace(s.URL(), "user", "user%00name", 1): ErrCredentials,
	} {
		err := client(t, url).Check(t.Context())
		if !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("%s: got %v, want %v", url, err, want)
		}
		if strings.Contains(fmt.Sprint(err), "secret") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
	open := socksserver.Start(t, socksserver.Options{})
	if err := client(t, strings.Replace(open.URL(), "//", "//user:secret@", 1)).Check(
		t.Context()); err != nil {
		t.Errorf("a proxy that asks for no password: %v", err)
	}
}

func TestNobodyListens(t *testing.T) {
	s := socksserver.Start(t, socksserver.Options{})
	s.Stop()
	_, err := client(t, s.URL()).DialTCP(t.Context(), "192.0.2.1", 1)
	var server *ServerError
	if !errors.As(err, &server) || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v", err)
	}
	if err := client(t, s.URL()).Check(t.Context()); !errors.As(err, &server) {
		t.Errorf("got %v", err)
	}
}

// hostile returns a Client whose connections to the proxy are pipes, at whose other end
// serve plays the proxy.
func hostile(serve func(net.Conn)) *Client {
	return New(Config{
		Server: Server{Host: "proxy.example", Port: 1080, User: "u", Password: "p"},
		Dial: func(context.Context, string, uint16) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() { defer theirs.Close(); serve(theirs) }()
			return ours, nil
		}})
}

// say reads a message of n bytes, and answers it.
func say(conn net.Conn, n int, answer string) {
	if _, err := io.ReadFull(conn, make([]byte, n)); err == nil {
		io.WriteString(conn, answer)
	}
}

const (
	greetingBytes = 4
	passwordBytes = 5
	requestBytes  = 10
)

// drip writes a byte again and again, a pause after each.
func drip(conn net.Conn, b byte, pause time.Duration) {
	for {
		if _, err := conn.Write([]byte{b}); err != nil {
			return
		}
		time.Sleep(pause)
	}
}

// pauseFor waits in the virtual time of a bubble.
func pauseFor(d time.Duration) { time.Sleep(d) }

func TestHostileProxies(t *testing.T) {
	for name, tt := range map[string]struct {
		serve func(net.Conn)
		want  string
		most  time.Duration
	}{
		"silence": {func(c net.Conn) { io.Copy(io.Discard, c) },
			"proxy proxy.example:1080: it does not answer", handshakeTimeout},
		"silence that does not read": {func(c net.Conn) { pauseFor(time.Hour) },
			"proxy proxy.example:1080: it does not answer", handshakeTimeout},
		"hangs up": {func(c net.Conn) { say(c, greetingBytes, "") },
			"proxy proxy.example:1080: it has hung up", 0},
		"SOCKS4": {func(c net.Conn) { say(c, greetingBytes, "\x00\x5b\x00\x00") },
			"proxy proxy.example:1080: not an answer of a SOCKS5 proxy: version 0 in its greeting", 0},
		"HTTP": {func(c net.Conn) { say(c, greetingBytes, "HTTP/1.1 400 Bad Request\r\n\r\n") },
			"proxy proxy.example:1080: not an answer of a SOCKS5 proxy: version 72 in its greeting", 0},
		"another method": {func(c net.Conn) { say(c, greetingBytes, "\x05\x01") },
			"proxy proxy.example:1080: not an answer of a SOCKS5 proxy: " +
				"it chose the method 1, which was not offered", 0},
		"another answer to the password": {func(c net.Conn) {
			say(c, greetingBytes, "\x05\x02")
			say(c, passwordBytes, "\x07\x00")
		}, "proxy proxy.example:1080: not an answer of a SOCKS5 proxy: " +
			"version 7 in its answer to the password", 0},
		"hangs up on the password": {func(c net.Conn) {
			say(c, greetingBytes, "\x05\x02")
			say(c, passwordBytes, "")
		}, "proxy proxy.example:1080: proxy refuses the user name or the password", 0},
		"hangs up on the request": {func(c net.Conn) {
			say(c, greetingBytes, "\x05\x00")
			say(c, requestBytes, "")
		}, "through the proxy: general failure", 0},
		"silence after the request": {func(c net.Conn) {
			say(c, greetingBytes, "\x05\x00")
			io.Copy(io.Discard, c)
		}, "through the proxy: no answer from the host", replyTimeout},
		"drips a greeting": {func(c net.Conn) {
			say(c, greetingBytes, "\x05")
			pauseFor(handshakeTimeout - time.Second)
			io.WriteString(c, "\x02")
			io.ReadFull(c, make([]byte, passwordBytes))
			drip(c, 1, time.Minute)
		}, "proxy proxy.example:1080: it does not answer", handshakeTimeout},
		"drips a reply": {func(c net.Conn) {
			say(c, greetingBytes, "\x05\x00")
			say(c, requestBytes, "\x05\x00\x00\x03\xff")
			drip(c, 'n', time.Second)
		}, "through the proxy: no answer from the host", replyTimeout},
		"megabytes": {func(c net.Conn) {
			say(c, greetingBytes, "\x05\x00")
			say(c, requestBytes, strings.Repeat("\x05\x00\x00\x09", 1<<20))
		}, "proxy proxy.example:1080: not an answer of a SOCKS5 proxy: " +
			"address of type 9 in a reply", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				conn, err := hostile(tt.serve).DialTCP(t.Context(), "192.0.2.1", 6881)
				if conn != nil || fmt.Sprint(err) != tt.want {
					t.Errorf("got %v, %v, want %s", conn, err, tt.want)
				}
				if took := time.Since(began); took > tt.most {
					t.Errorf("it took %v, want at most %v", took, tt.most)
				}
				time.Sleep(2 * time.Hour) // the proxy notices that we are gone
			})
		})
	}
}

// What follows a reply belongs to the host, and the stream has no deadline left.
func TestStreamsBeginBehindTheReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := hostile(func(conn net.Conn) {
			say(conn, greetingBytes, "\x05\x02")
			say(conn, passwordBytes, "\x01\x00")
			say(conn, requestBytes, "\x05\x00\x00\x03\x04name\x00\x00content")
			time.Sleep(time.Hour)
			io.WriteString(conn, "later")
		})
		conn, err := c.DialTCP(t.Context(), "192.0.2.1", 6881)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if b, err := io.ReadAll(conn); string(b) != "contentlater" || err != nil {
			t.Errorf("got %q, %v", b, err)
		}
	})
}

func TestContextsEndCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		go func() { time.Sleep(3 * time.Second); cancel() }()
		began := time.Now()
		_, err := hostile(func(c net.Conn) { io.Copy(io.Discard, c) }).DialTCP(ctx, "192.0.2.1", 1)
		if !errors.Is(err, context.Canceled) || time.Since(began) != 3*time.Second {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
		// The end of a deadline says who was silent: the proxy, or the host behind it.
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = hostile(func(c net.Conn) {
			say(c, greetingBytes, "\x05\x00")
			io.Copy(io.Discard, c)
		}).DialTCP(short, "192.0.2.1", 1)
		if !errors.Is(err, syscall.ETIMEDOUT) {
			t.Errorf("got %v, want no answer from the host", err)
		}
	})
}
