package dht

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// readPause is how long a reader waits after readFailsMax errors in a row, so
// that a broken socket costs no processor time.
const (
	readFailsMax = 16
	readPause    = 100 * time.Millisecond
)

// packet is a datagram on its way from a reader to the loop.
type packet struct {
	conn *conn
	from netip.AddrPort
	n    int
	data [packetMax]byte
}

var packetPool = sync.Pool{New: func() any { return new(packet) }}

func (p *packet) free() {
	p.conn = nil
	packetPool.Put(p)
}

// udpConn is what *net.UDPConn offers beyond net.PacketConn: no allocation
// per packet.
type udpConn interface {
	ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error)
	WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error)
}

// conn is one packet connection. Its reader is one goroutine; the loop writes.
type conn struct {
	pc  net.PacketConn
	udp udpConn // pc if it is one, or nil
}

// openConns takes the connections and decides which serves which family.
func (n *Node) openConns(list []net.PacketConn) error {
	var both *conn
	for _, pc := range list {
		local, ok := addrPortOf(pc.LocalAddr())
		if !ok {
			return fmt.Errorf("dht: connection on %v is not UDP", pc.LocalAddr())
		}
		c := &conn{pc: pc}
		c.udp, _ = pc.(udpConn)
		n.conns = append(n.conns, c)
		index := familyOf(cleanAddr(local).Addr())
		if n.byFam[index] == nil {
			n.byFam[index] = c
		}
		if index == v6 && local.Addr().IsUnspecified() {
			both = c
		}
	}
	if len(n.conns) == 0 {
		return errors.New("dht: no connection given")
	}
	if n.byFam[v4] == nil {
		n.byFam[v4] = both
	}
	return nil
}

func addrPortOf(a net.Addr) (netip.AddrPort, bool) {
	if u, ok := a.(*net.UDPAddr); ok {
		return u.AddrPort(), u.AddrPort().IsValid()
	}
	if a == nil {
		return netip.AddrPort{}, false
	}
	ap, err := netip.ParseAddrPort(a.String())
	return ap, err == nil
}

// read sends arriving packets to the loop until the node or the connection is
// closed.
func (c *conn) read(n *Node) {
	fails := 0
	for n.ctx.Err() == nil {
		p := packetPool.Get().(*packet)
		from, err := c.readPacket(p)
		if err != nil {
			p.free()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			// A host that we wrote to has refused the packet, for example; the
			// socket still works.
			if fails++; fails >= readFailsMax {
				fails = 0
				select {
				case <-time.After(readPause):
				case <-n.ctx.Done():
				}
			}
			continue
		}
		fails = 0
		p.conn, p.from = c, cleanAddr(from)
		select {
		case n.events <- event{packet: p}:
		case <-n.ctx.Done():
			return
		}
	}
}

func (c *conn) readPacket(p *packet) (from netip.AddrPort, err error) {
	if c.udp != nil {
		p.n, from, err = c.udp.ReadFromUDPAddrPort(p.data[:])
		return from, err
	}
	var a net.Addr
	if p.n, a, err = c.pc.ReadFrom(p.data[:]); err != nil {
		return from, err
	}
	from, _ = addrPortOf(a)
	return from, nil
}

func (c *conn) write(b []byte, to netip.AddrPort) {
	// A packet that cannot be sent counts as lost on the way.
	if c.udp != nil {
		_, _ = c.udp.WriteToUDPAddrPort(b, to)
		return
	}
	_, _ = c.pc.WriteTo(b, net.UDPAddrFromAddrPort(to))
}

// interrupt ends a blocked read; restore lets reads block again.
func (c *conn) interrupt() { _ = c.pc.SetReadDeadline(time.Unix(1, 0)) }
func (c *conn) restore()   { _ = c.pc.SetReadDeadline(time.Time{}) }
