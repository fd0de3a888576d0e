package udpmux

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// plainSize is the size in bytes of the buffer of a plain port, which takes any datagram.
const plainSize = 64 << 10

// addrPortConn is what *net.UDPConn offers beyond net.PacketConn: no allocation for each
// datagram.
type addrPortConn interface {
	ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error)
	WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error)
}

// A plainPort is a port over any net.PacketConn, with a call for each datagram.
type plainPort struct {
	pc  net.PacketConn
	udp addrPortConn // pc, if it is one
	buf []byte       // of the reader

	writing sync.Mutex
}

func newPlainPort(pc net.PacketConn) *plainPort {
	p := &plainPort{pc: pc, buf: make([]byte, plainSize)}
	p.udp, _ = pc.(addrPortConn)
	return p
}

func (p *plainPort) read(each func(Datagram)) error {
	if p.udp != nil {
		n, from, err := p.udp.ReadFromUDPAddrPort(p.buf)
		if err == nil {
			each(Datagram{From: plain(from), Data: p.buf[:n]})
		}
		return err
	}
	n, from, err := p.pc.ReadFrom(p.buf)
	if err == nil {
		each(Datagram{From: addrPortOf(from), Data: p.buf[:n]})
	}
	return err
}

// sendWait bounds how long a plain port waits for room.
const sendWait = 2 * time.Millisecond

func (p *plainPort) send(batch []Outgoing) (sent int, err error) {
	p.writing.Lock()
	defer p.writing.Unlock()
	_ = p.pc.SetWriteDeadline(time.Now().Add(sendWait))
	for i := range batch {
		o := &batch[i]
		for data := range segments(o) {
			_, failed := p.write(data, o.To)
			if errors.Is(failed, net.ErrClosed) || errors.Is(failed, os.ErrDeadlineExceeded) {
				return i, failed
			}
			if err == nil {
				err = failed
			}
		}
	}
	return len(batch), err
}

func (p *plainPort) write(b []byte, to netip.AddrPort) (int, error) {
	if p.udp != nil {
		return p.udp.WriteToUDPAddrPort(b, to)
	}
	return p.pc.WriteTo(b, net.UDPAddrFromAddrPort(to))
}

// segments yields the datagrams of o.
func segments(o *Outgoing) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		if o.datagrams() == 1 {
			yield(o.Data)
			return
		}
		for at := 0; at < len(o.Data); at += o.Segment {
			if !yield(o.Data[at:min(at+o.Segment, len(o.Data))]) {
				return
			}
		}
	}
}
