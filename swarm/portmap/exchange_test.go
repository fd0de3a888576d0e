package portmap

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
)

// device accepts connections and gives each, once its request was read, to handle.
func device(t *testing.T, handle func(c net.Conn, r *http.Request, body string)) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if r, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				body, _ := io.ReadAll(r.Body)
				handle(c, r, string(body))
			}
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// Requests have the form of the specification.
func TestExchange(t *testing.T) {
	at := device(t, func(c net.Conn, r *http.Request, body string) {
		fmt.Fprintf(c, "HTTP/1.1 500 Fault\r\nContent-Length: 1000\r\n\r\n%s %s %s %s",
			r.Method, r.URL, r.Header.Get("SOAPACTION"), body)
	})
	s := service{kindIP1, "urn:x:1", address{at, "/ctl?a=b"}}
	body, err := exchange(t.Context(), nil, netip.Addr{}, s.call("Do"))
	// The answer is shorter than announced, and its status is that of a fault.
	if err != nil || !strings.HasPrefix(string(body), `POST /ctl?a=b "urn:x:1#Do" <?xml`) ||
		!strings.HasSuffix(string(body), "</s:Envelope>\r\n") {
		t.Errorf("got %q, %v", body, err)
	}
	if _, err := exchange(t.Context(), nil, netip.Addr{}, &request{at: s.at}); err == nil {
		t.Error("a description with status 500 is accepted")
	}
}

// Devices that redirect, talk without end, or hang, cost a bounded time and memory, and lead
// nowhere.
func TestHostileDevices(t *testing.T) {
	var led atomic.Int32
	elsewhere := device(t, func(net.Conn, *http.Request, string) { led.Add(1) })
	endless := func(c net.Conn, s string) {
		for {
			if _, err := io.WriteString(c, s); err != nil {
				return
			}
		}
	}
	hang, hangs := make(chan struct{}), make(chan struct{}, 1)
	t.Cleanup(func() { close(hang) })
	for _, c := range []struct {
		name   string
		want   error // nil for any
		handle func(c net.Conn)
	}{
		{"a redirect", nil, func(c net.Conn) {
			fmt.Fprintf(c, "HTTP/1.1 302 Found\r\nLocation: http://%v/\r\n\r\n", elsewhere)
		}},
		{"an endless body", ErrTooLong, func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
			endless(c, strings.Repeat("<a>", 10000))
		}},
		{"endless chunks", ErrTooLong, func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			endless(c, "5\r\nabcde\r\n")
		}},
		{"an endless header", ErrTooLong, func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nX: ")
			endless(c, strings.Repeat("x", 10000))
		}},
		{"garbage", nil, func(c net.Conn) { io.WriteString(c, strings.Repeat("\x00\xff", 1000)) }},
		{"nothing", nil, func(net.Conn) {}},
		{"a hang", context.Canceled, func(net.Conn) {
			hangs <- struct{}{}
			<-hang
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			stop := make(chan struct{})
			at := device(t, func(conn net.Conn, _ *http.Request, _ string) {
				c.handle(conn)
				close(stop)
			})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if c.want == context.Canceled {
				go func() {
					<-hangs
					cancel()
				}()
			}
			body, err := exchange(ctx, nil, netip.Addr{}, &request{at: address{at, "/"}})
			if err == nil || body != nil {
				t.Fatalf("got %d bytes, %v", len(body), err)
			}
			if c.want == context.Canceled {
				hang <- struct{}{} // exchange has returned before
			} else if c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			<-stop
		})
	}
	if led.Load() != 0 {
		t.Error("a redirect was followed")
	}
}
