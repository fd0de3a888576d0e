// Package simnet is a network in memory: hosts with addresses, streams and
// datagrams between them, with latency, rate and loss.
//
// It stands in for the system's network in tests. All waiting is on channels
// and timers, so that inside a testing/synctest bubble time is virtual and an
// hour of traffic takes a moment; what is random comes from a seed. It starts
// no goroutine. It never touches a socket, and it does not imitate congestion
// control: a stream fills its link, lost segments only make it late.
//
// Its nouns: a Network holds Hosts; a Link is how a host is attached, in both
// directions; a NAT stands before hosts that have no public address.
package simnet

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// A Link is how a host is attached to the network. The zero value is a perfect
// link.
type Link struct {
	Latency time.Duration // one way, from this host to the core of the network or back
	Jitter  time.Duration // at most so much more, evenly distributed
	Up      int64         // bytes per second from the host, 0 for no limit
	Down    int64         // bytes per second to the host, 0 for no limit
	Loss    float64       // share of packets lost, 0 to 1, in each direction
}

// A Network is a set of hosts that reach each other. It is safe for concurrent
// use.
type Network struct {
	mu    sync.Mutex
	rand  *rand.Rand
	hosts map[netip.Addr]*Host // by the address that others see; NATs apart
	nats  map[netip.Addr]*NAT
}

// New returns a network without hosts. seed decides what is lost and late.
func New(seed uint64) *Network {
	return &Network{
		rand:  rand.New(rand.NewPCG(seed, 0)),
		hosts: make(map[netip.Addr]*Host),
		nats:  make(map[netip.Addr]*NAT),
	}
}

// ephemeral is the first port that is given to who does not name one.
const ephemeral = 49152

// A Host is one machine with one address. It is safe for concurrent use.
type Host struct {
	net  *Network
	addr netip.Addr
	nat  *NAT // what it is behind, or nil

	// Below is guarded by net.mu.
	link      Link
	upFree    time.Time // when the link has sent all that was given to it
	downFree  time.Time
	listeners map[uint16]*Listener
	packets   map[uint16]*PacketConn
	nextPort  uint16
}

// Host adds a host. An address that is taken panics.
func (n *Network) Host(addr netip.Addr, link Link) *Host {
	return n.add(addr, link, nil)
}

func (n *Network) add(addr netip.Addr, link Link, nat *NAT) *Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := &Host{
		net: n, addr: addr, link: link, nat: nat, nextPort: ephemeral,
		listeners: make(map[uint16]*Listener), packets: make(map[uint16]*PacketConn),
	}
	taken := n.hosts
	if nat != nil {
		taken = nat.inside
	}
	if taken[addr] != nil || n.nats[addr] != nil {
		panic(fmt.Sprintf("simnet: %v is taken", addr))
	}
	taken[addr] = h
	return h
}

// Addr returns the host's own address.
func (h *Host) Addr() netip.Addr { return h.addr }

// SetLink changes how the host is attached, for what is sent from now on.
func (h *Host) SetLink(link Link) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	h.link = link
}

// port returns the port asked for, or one that taken does not hold.
func (h *Host) port(asked uint16, taken func(uint16) bool) (uint16, error) {
	if asked != 0 {
		if taken(asked) {
			return 0, syscall.EADDRINUSE
		}
		return asked, nil
	}
	for range 1<<16 - ephemeral {
		p := h.nextPort
		if h.nextPort++; h.nextPort < ephemeral {
			h.nextPort = ephemeral
		}
		if !taken(p) {
			return p, nil
		}
	}
	return 0, syscall.EADDRNOTAVAIL
}

// lost draws whether one packet between two hosts is lost.
func (n *Network) lost(from, to *Host) bool {
	for _, loss := range [2]float64{from.link.Loss, to.link.Loss} {
		if loss > 0 && n.rand.Float64() < loss {
			return true
		}
	}
	return false
}

// arrival returns when size bytes that from sends now are at to, and keeps
// both links busy for as long as they take.
func (n *Network) arrival(from, to *Host, size int) time.Time {
	now := time.Now()
	at := occupy(&from.upFree, now, from.link.Up, size)
	at = at.Add(n.latency(from, to))
	return occupy(&to.downFree, at, to.link.Down, size)
}

func (n *Network) latency(from, to *Host) time.Duration {
	d := from.link.Latency + to.link.Latency
	if jitter := from.link.Jitter + to.link.Jitter; jitter > 0 {
		d += time.Duration(n.rand.Int64N(int64(jitter)))
	}
	return d
}

// occupy sends size bytes over a link that is free at *free, from at on, and
// returns when the last is through.
func occupy(free *time.Time, at time.Time, rate int64, size int) time.Time {
	if rate <= 0 {
		return at
	}
	if free.After(at) {
		at = *free
	}
	*free = at.Add(time.Duration(float64(size) / float64(rate) * float64(time.Second)))
	return *free
}
