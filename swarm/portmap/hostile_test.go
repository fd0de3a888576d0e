//go:build linux

package portmap

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"swarmnode/internal/realclient"
)

// A hostileRouter floods with garbage, answers every search with many devices, of which some
// are elsewhere, and lets each request to them hang or talk without end.
type hostileRouter struct {
	wait     sync.WaitGroup
	requests atomic.Int32 // to its devices
	open     []io.Closer

	mu    sync.Mutex
	conns []net.Conn
}

// newHostileRouter starts one in the namespace of the router.
func newHostileRouter(t *testing.T) *hostileRouter {
	t.Helper()
	h := new(hostileRouter)
	inside(t, "router", func() {
		control, err := net.ListenPacket("udp4", routerIP+":5351")
		if err != nil {
			t.Fatal(err)
		}
		ssdp, err := net.ListenPacket("udp4", "0.0.0.0:1900")
		if err != nil {
			t.Fatal(err)
		}
		web, err := net.Listen("tcp4", routerIP+":5000")
		if err != nil {
			t.Fatal(err)
		}
		h.open = []io.Closer{control, ssdp, web}
		h.wait.Go(func() { h.flood(control) })
		h.wait.Go(func() { h.answer(ssdp) })
		h.wait.Go(func() { h.serve(web) })
	})
	return h
}

// close ends it.
func (h *hostileRouter) close() {
	for _, c := range h.open {
		c.Close()
	}
	h.mu.Lock()
	for _, c := range h.conns {
		c.Close()
	}
	h.mu.Unlock()
	h.wait.Wait()
}

// flood answers each datagram with hundreds.
func (h *hostileRouter) flood(conn net.PacketConn) {
	b := make([]byte, 2000)
	for {
		n, from, err := conn.ReadFrom(b)
		if err != nil {
			return
		}
		for i := range 500 {
			answer := bytes.Clone(b[:max(n, 2)])
			answer[1] |= responseBit
			answer = append(answer, make([]byte, i%90)...)
			if i%3 == 0 {
				answer[0] = byte(i % 4)
			}
			conn.WriteTo(answer, from)
		}
	}
}

// answer answers each search with many devices.
func (h *hostileRouter) answer(conn net.PacketConn) {
	b := make([]byte, 2000)
	for {
		_, from, err := conn.ReadFrom(b)
		if err != nil {
			return
		}
		for i := range 100 {
			for _, host := range []string{routerIP, "127.0.0.1", "9.9.9.1", ourIP} {
				fmt.Fprintf(writer{conn, from}, "HTTP/1.1 200 OK\r\nST: %s1\r\n"+
					"LOCATION: http://%s:5000/%d\r\n\r\n", deviceGateway, host, i)
			}
		}
	}
}

// A writer sends datagrams to one address.
type writer struct {
	conn net.PacketConn
	to   net.Addr
}

func (w writer) Write(b []byte) (int, error) { return w.conn.WriteTo(b, w.to) }

// serve lets each second connection hang, and talks to the others.
func (h *hostileRouter) serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		h.mu.Lock()
		h.conns = append(h.conns, c)
		h.mu.Unlock()
		if h.requests.Add(1)%2 == 0 {
			continue
		}
		h.wait.Go(func() {
			io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
			for {
				if _, err := io.WriteString(c, "<service>"); err != nil {
					return
				}
			}
		})
	}
}

// A hostile router costs little, holds nothing up, and when it is replaced by a good one, the
// ports are mapped.
func TestHostileRouter(t *testing.T) {
	if !realclient.InNamespace(t) {
		return
	}
	good := newHome(t, "")
	good.stop()
	inward, err := net.Listen("tcp4", "127.0.0.1:5000")
	if err != nil {
		t.Fatal(err)
	}
	own, err := net.Listen("tcp4", ourIP+":5000")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{}, 2)
	for _, l := range []net.Listener{inward, own} {
		go func() {
			if c, err := l.Accept(); err == nil {
				t.Errorf("a connection to ourselves, at %v", c.LocalAddr())
				c.Close()
			}
			done <- struct{}{}
		}()
	}
	_, port := serve(t, ourIP)
	want := []Want{{TCP, port, netip.MustParseAddr(ourIP)}}

	bad := newHostileRouter(t)
	m := startMapper(t, Config{})
	m.Set(want)
	timeout := time.After(patience)
	for bad.requests.Load() < 2 {
		select {
		case <-m.changed:
		case <-time.After(10 * time.Millisecond):
		case <-timeout:
			t.Fatal("the router was not asked")
		}
	}
	if list := m.State(); len(list) != 1 || list[0].By != None {
		t.Errorf("got %+v", list)
	}
	began := time.Now()
	m.Close(t.Context())
	if took := time.Since(began); took > 10*closeTime {
		t.Errorf("Close took %v while a request hangs", took)
	}

	again := startMapper(t, Config{})
	again.Set(want)
	bad.close()
	if n := bad.requests.Load(); n > 20 {
		t.Errorf("%d requests", n)
	}
	good.start()
	again.NetworkChanged()
	list := again.await("mapped by a good router", func(r *Mapping) bool { return r.By != None })
	if !reached(t, TCP, list[0].External) {
		t.Error("not reached from outside")
	}
	inward.Close()
	own.Close()
	<-done
	<-done
}
