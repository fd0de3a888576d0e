package utp

import (
	"net"
	"net/netip"
	"sync"
	"testing"

	"swarmnode/swarm/transport/udpmux"
)

// A fakeNet carries datagrams between sockets, in order and at once, in one goroutine.
type fakeNet struct {
	mu      sync.Mutex
	cond    sync.Cond
	sockets map[netip.AddrPort]*Socket
	queue   []fakeDatagram
	ended   bool
	done    sync.WaitGroup
	lose    func(d fakeDatagram) bool // may be nil
	room    int                       // datagrams that a Send takes; 0 for any number, -1 for none
	full    int                       // how often a Send had no room for all
}

type fakeDatagram struct {
	from, to netip.AddrPort
	data     []byte
}

func newFakeNet(t testing.TB) *fakeNet {
	n := &fakeNet{sockets: make(map[netip.AddrPort]*Socket)}
	n.cond.L = &n.mu
	n.done.Go(n.run)
	t.Cleanup(func() {
		for _, s := range n.sockets {
			s.Close()
		}
		n.mu.Lock()
		n.ended = true
		n.cond.Broadcast()
		n.mu.Unlock()
		n.done.Wait()
	})
	return n
}

// socket returns a socket at an address.
func (n *fakeNet) socket(at string, cfg Config) *Socket {
	addr := netip.MustParseAddrPort(at)
	if cfg.DatagramMax == 0 {
		cfg.DatagramMax = 1472
	}
	s := newSocket(fakeCarrier{n, addr}, cfg)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sockets[addr] = s
	return s
}

// run delivers what is queued.
func (n *fakeNet) run() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for {
		for len(n.queue) == 0 && !n.ended {
			n.cond.Wait()
		}
		if n.ended {
			return
		}
		queue := n.queue
		n.queue = nil
		for len(queue) > 0 {
			to, batch := n.sockets[queue[0].to], []udpmux.Datagram(nil)
			k := 0
			for k < len(queue) && queue[k].to == queue[0].to {
				batch = append(batch, udpmux.Datagram{From: queue[k].from, Data: queue[k].data})
				k++
			}
			queue = queue[k:]
			if to != nil {
				n.mu.Unlock()
				to.receive(batch)
				n.mu.Lock()
			}
		}
	}
}

// A fakeCarrier is a place in a fakeNet.
type fakeCarrier struct {
	net *fakeNet
	at  netip.AddrPort
}

func (c fakeCarrier) AddrPort() netip.AddrPort { return c.at }

func (c fakeCarrier) Send(batch []udpmux.Outgoing) (int, error) {
	n := c.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ended {
		return 0, net.ErrClosed
	}
	room := n.room
	for i, o := range batch {
		if n.room != 0 {
			if room <= 0 {
				n.full++
				return i, net.ErrWriteToConnected // any error will do
			}
			room--
		}
		size := o.Segment
		if size == 0 {
			size = len(o.Data)
		}
		for data := o.Data; len(data) > 0; {
			k := min(size, len(data))
			d := fakeDatagram{c.at, o.To, append([]byte(nil), data[:k]...)}
			data = data[k:]
			if n.lose == nil || !n.lose(d) {
				n.queue = append(n.queue, d)
			}
		}
	}
	n.cond.Broadcast()
	return len(batch), nil
}

// inject delivers a datagram as if it came from an address.
func (n *fakeNet) inject(from, to netip.AddrPort, data []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.queue = append(n.queue, fakeDatagram{from, to, data})
	n.cond.Broadcast()
}
