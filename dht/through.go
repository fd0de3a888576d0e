package dht

import (
	"context"
	crand "crypto/rand"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"swarmnode/metainfo"
	"swarmnode/metainfo/bencode"
)

const (
	// throughTries is how often a query through another connection is sent, and throughWait
	// how long it waits for an answer each time: a datagram has two more legs than usual.
	throughTries = 3
	throughWait  = 700 * time.Millisecond
)

// A through is an announce from an address that is not that of the Node: the queries of one
// AnnounceThrough. It is for one goroutine.
type through struct {
	conn   net.PacketConn
	self   ID
	target ID
	seed   bool
	port   uint16 // of conn
	nodes  []throughNode
	taken  int
	peers  []netip.AddrPort
	reader bencode.Reader
}

// A throughNode is one of the nodes to announce to.
type throughNode struct {
	addr  netip.AddrPort
	token []byte // nil until get_peers is answered
	over  bool   // nothing more is asked
}

// AnnounceThrough announces once that the swarm of ih has a peer at the address of conn, to the
// nodes closest to ih (BEP 5). The lookup goes by the Node's own connections. Only get_peers and
// announce_peer go by conn, with an id of its own, as from a node that does not answer (BEP 43):
// conn may be slow, and may reach only hosts that permit has let in. permit may be nil. Nothing
// else may read conn meanwhile. taken is how many nodes have accepted the announce; peers are
// those that they name. The error is ErrClosed, ErrNotFound if the lookup has met nobody,
// ErrNotStored if nobody has accepted, or that of ctx, permit or conn.
func (n *Node) AnnounceThrough(ctx context.Context, conn net.PacketConn,
	permit func(context.Context, []netip.Addr) error, ih metainfo.Hash, seed bool) (
	taken int, peers []netip.AddrPort, err error) {
	local, ok := addrPortOf(conn.LocalAddr())
	if !ok {
		return 0, nil, ErrFamily
	}
	local = cleanAddr(local)
	l, err := n.FindNode(ctx, ID(ih))
	if err != nil {
		return 0, nil, err
	}
	var key [32]byte
	crand.Read(key[:])
	t := &through{conn: conn, target: ID(ih), seed: seed, port: local.Port(),
		self: secureID(rand.New(rand.NewChaCha8(key)), local.Addr())}
	var hosts []netip.Addr
	for _, node := range l.Closest {
		if familyOf(node.Addr.Addr()) == familyOf(local.Addr()) && len(t.nodes) < k {
			t.nodes = append(t.nodes, throughNode{addr: node.Addr})
			hosts = append(hosts, node.Addr.Addr())
		}
	}
	if len(t.nodes) == 0 {
		return 0, nil, ErrNotFound
	}
	if permit != nil {
		if err := permit(ctx, hosts); err != nil && ctx.Err() != nil {
			return 0, nil, err
		} // a relay may refuse some of the hosts: their answers will be missing
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Now()) })
	defer stop()
	if err := t.run(ctx); err != nil {
		return t.taken, t.peers, err
	}
	if t.taken == 0 {
		return 0, t.peers, ErrNotStored
	}
	return t.taken, t.peers, nil
}

// run sends the queries and reads the answers, until nothing is outstanding.
func (t *through) run(ctx context.Context) error {
	buf := make([]byte, packetMax)
	for range throughTries {
		if t.done() {
			break
		}
		for i := range t.nodes {
			t.ask(i)
		}
		until := time.Now().Add(throughWait)
		for !t.done() && time.Now().Before(until) {
			if err := t.conn.SetReadDeadline(until); err != nil {
				return err
			}
			if err := ctx.Err(); err != nil { // its end may have come before the deadline was set
				return err
			}
			size, from, err := t.conn.ReadFrom(buf)
			if errors.Is(err, net.ErrClosed) {
				return err
			}
			if at, ok := addrPortOf(from); ok && err == nil {
				t.take(cleanAddr(at), buf[:size])
			}
		}
	}
	return ctx.Err()
}

// done reports whether nothing is outstanding.
func (t *through) done() bool {
	for i := range t.nodes {
		if !t.nodes[i].over {
			return false
		}
	}
	return true
}

// The transaction id of a query is the index of its node, and which of the two queries it is.
const throughAnnounce = 1 << 16

// ask sends the query that is due for a node.
func (t *through) ask(i int) {
	node := &t.nodes[i]
	if node.over {
		return
	}
	q := request{method: methodGetPeers, target: t.target}
	tid := uint32(i)
	if node.token != nil {
		q = (&announce{port: 0, seed: t.seed}).request(t.target)
		q.port, q.token = t.port, node.token
		tid |= throughAnnounce
	}
	b := appendQuery(nil, tid, t.self, true, &q)
	_, _ = t.conn.WriteTo(b, net.UDPAddrFromAddrPort(node.addr)) // if it is lost, it is sent again
}

// take takes an answer. Anything else, and answers of others, are ignored.
func (t *through) take(from netip.AddrPort, packet []byte) {
	var m message
	if m.parse(&t.reader, packet) != nil || m.kind == 'q' || len(m.tid) != 4 {
		return
	}
	tid := uint32(m.tid[0])<<24 | uint32(m.tid[1])<<16 | uint32(m.tid[2])<<8 | uint32(m.tid[3])
	i := int(tid &^ throughAnnounce)
	if i >= len(t.nodes) || t.nodes[i].addr != from || t.nodes[i].over {
		return
	}
	node := &t.nodes[i]
	switch told := tid&throughAnnounce != 0; {
	case m.kind == 'e':
		node.over = true
	case told && node.token != nil:
		node.over = true
		t.taken++
	case told, node.token != nil: // an answer that nobody waits for
	case len(m.token) == 0 || len(m.token) > tokenMax:
		node.over = true
	default:
		node.token = append([]byte(nil), m.token...)
		m.eachValue(func(a netip.AddrPort) {
			if reachable(from, a) && len(t.peers) < foundMax {
				t.peers = append(t.peers, a)
			}
		})
		t.ask(i)
	}
}
