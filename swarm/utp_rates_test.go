package swarm_test

import (
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"swarmnode/swarm"
)

// A udpRelay passes datagrams on between one peer that knows it and one that it knows, and
// counts their bytes, headers of IP and UDP included.
type udpRelay struct {
	conn      *net.UDPConn
	to        netip.AddrPort
	from      atomic.Pointer[netip.AddrPort]
	there     atomic.Int64 // bytes to the one that it knows
	back      atomic.Int64
	forwarded chan struct{} // closed when it has ended
}

// headersV4 is the size of the headers of IPv4 and UDP.
const headersV4 = 28

func relayTo(t *testing.T, to netip.AddrPort) *udpRelay {
	t.Helper()
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(loopback))
	if err != nil {
		t.Fatal(err)
	}
	r := &udpRelay{conn: conn, to: to, forwarded: make(chan struct{})}
	go r.run()
	t.Cleanup(func() {
		conn.Close()
		<-r.forwarded
	})
	return r
}

func (r *udpRelay) run() {
	defer close(r.forwarded)
	b := make([]byte, 1<<16)
	for {
		n, from, err := r.conn.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		if from == r.to {
			r.back.Add(int64(n + headersV4))
			if at := r.from.Load(); at != nil {
				r.conn.WriteToUDPAddrPort(b[:n], *at)
			}
			continue
		}
		r.from.Store(&from)
		r.there.Add(int64(n + headersV4))
		r.conn.WriteToUDPAddrPort(b[:n], r.to)
	}
}

// addr returns where the relay is.
func (r *udpRelay) addr() netip.AddrPort { return r.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

// TestLimitsHoldOverUTP: what goes over the wire by uTP stays within the limits of the user,
// with all headers, whoever has the limit. The limit is used as well.
func TestLimitsHoldOverUTP(t *testing.T) {
	const rate, size = 300 << 10, 1800 << 10
	for _, c := range []struct {
		name     string
		up, down int64
	}{{"up", rate, 0}, {"down", 0, rate}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir, torrent := makeContent(t, size)
			one := listen(t, swarm.Config{NoTCP: true, Up: c.up})
			two := listen(t, swarm.Config{NoTCP: true, Down: c.down})
			add(t, one, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
			relay := relayTo(t, one.Addr())
			leech := add(t, two, swarm.Spec{Torrent: torrent, Dir: t.TempDir(),
				Peers: []string{relay.addr().String()}})
			await(t, "blocks", func() bool { return leech.State().Down > size/6 })
			start, before := time.Now(), relay.back.Load()
			waitDone(t, leech)
			took, wire := time.Since(start), relay.back.Load()-before
			got := float64(wire) / took.Seconds() / rate
			t.Logf("%d bytes in %v: %.3f of the limit; %d bytes back", wire, took, got,
				relay.there.Load())
			if got > 1.06 {
				t.Errorf("%.3f of the limit went over the wire", got)
			}
			if c.up > 0 && got < 0.5 {
				t.Errorf("%.3f of the limit was used", got)
			}
		})
	}
}
