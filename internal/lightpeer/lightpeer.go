// Package lightpeer makes peers that cost little, so that one node can be tested and
// measured among hundreds of them. They speak the real protocol over real sockets and
// know nothing of picking, choking or storage. A seed answers every request, a miser only
// the first ones. A leech asks for blocks in a row as soon as it may, and discards what
// it gets.
//
// It is for tests and benchmarks; no product code imports it.
package lightpeer

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"

	"swarmnode/metainfo"
	"swarmnode/swarm/block"
	"swarmnode/swarm/peer"
	"swarmnode/swarm/wire"
)

// requestsMax is how many requests a leech has outstanding: enough for loopback.
const requestsMax = 16

// poolBytes is the memory for blocks that come to the peers of a Crowd.
const poolBytes = 8 << 20

// A Crowd is what the peers of one torrent share. Its methods are safe for
// concurrent use.
type Crowd struct {
	// Target is the node to connect to.
	Target netip.AddrPort
	// Layout and Hash are of the torrent.
	Layout *metainfo.Layout
	Hash   metainfo.Hash
	// Data returns the bytes of a block, for seeds; it may be shared.
	Data func(r block.Ref) []byte
	// Most is how many blocks a leech takes before it wants no more, and a miser gives
	// before it chokes; 0: all, again and again.
	Most int64

	pool *block.Pool
}

// New completes a Crowd.
func New(c Crowd) *Crowd {
	c.pool = block.NewPool(poolBytes)
	return &c
}

// A Peer is one connection. Its methods are safe for concurrent use.
type Peer struct {
	crowd *Crowd
	conn  *peer.Conn
	seed  bool
	most  int64 // blocks that it gives, of a seed; 0: any number
	ended chan struct{}
	err   error // of the connection, when ended is closed

	// Of the reader.
	next     int // block that is asked for next, counted through the torrent
	open     int
	unchoked bool

	blocks  atomic.Int64
	unchoke atomic.Int64
}

// Blocks returns how many blocks a leech has received, or a seed has sent.
func (p *Peer) Blocks() int64 { return p.blocks.Load() }

// Unchoked returns how often the node has unchoked the peer.
func (p *Peer) Unchoked() int64 { return p.unchoke.Load() }

// Close ends the connection and waits for it.
func (p *Peer) Close() {
	p.conn.Close(net.ErrClosed)
	<-p.ended
}

// Ended is closed when the connection has ended.
func (p *Peer) Ended() <-chan struct{} { return p.ended }

// Err returns why the connection has ended, once Ended is closed.
func (p *Peer) Err() error { return p.err }

// Leech connects from the address from, has nothing, and takes what it gets.
func (c *Crowd) Leech(ctx context.Context, from netip.Addr) (*Peer, error) {
	return c.connect(ctx, from, 0, wire.HaveNone, wire.Interested)
}

// Seed connects from the address from, has everything, and serves every request.
func (c *Crowd) Seed(ctx context.Context, from netip.Addr) (*Peer, error) {
	return c.connect(ctx, from, 0, wire.HaveAll, wire.Unchoke)
}

// Miser connects from the address from, has everything, and gives nothing before Unchoke
// and no more than Most afterwards.
func (c *Crowd) Miser(ctx context.Context, from netip.Addr) (*Peer, error) {
	return c.connect(ctx, from, c.Most, wire.HaveAll)
}

// Unchoke makes a Miser serve requests.
func (p *Peer) Unchoke() { p.conn.Send(wire.Message{ID: wire.Unchoke}) }

// Mute connects from the address from and stays silent.
func (c *Crowd) Mute(ctx context.Context, from netip.Addr) (*Peer, error) {
	return c.connect(ctx, from, 0)
}

// connect shakes hands and sends words. A seed gives at most that many blocks; 0 means
// any number.
func (c *Crowd) connect(ctx context.Context, from netip.Addr, most int64,
	words ...wire.ID) (*Peer, error) {
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))}
	conn, err := d.DialContext(ctx, "tcp", c.Target.String())
	if err != nil {
		return nil, err
	}
	hello := wire.Hello{InfoHash: c.Hash, Reserved: wire.Reserved{}.With(wire.FeatureFast)}
	copy(hello.PeerID[:], fmt.Sprintf("-LP0000-%012d", rand.Uint32()))
	shaken, err := peer.Dial(ctx, conn, peer.Offer{Mine: hello})
	if err != nil {
		return nil, err
	}
	p := &Peer{
		crowd: c, seed: slices.Contains(words, wire.HaveAll), most: most,
		ended: make(chan struct{}), next: rand.IntN(c.Layout.Pieces()) * c.perPiece(),
	}
	p.conn = peer.New(shaken.Conn, peer.Config{Handler: p, Pool: c.pool, Pieces: c.Layout.Pieces()})
	for _, id := range words {
		p.conn.Send(wire.Message{ID: id})
	}
	go func() {
		defer close(p.ended)
		p.conn.Run(ctx)
	}()
	return p, nil
}

// perPiece returns how many blocks every piece but the last one has.
func (c *Crowd) perPiece() int { return (c.Layout.PieceLength + block.Size - 1) / block.Size }

// OnMessage answers a message. It is for the reader.
func (p *Peer) OnMessage(m *wire.Message) {
	switch m.ID {
	case wire.Unchoke:
		p.unchoke.Add(1)
		p.unchoked, p.open = true, 0
		p.ask()
	case wire.Choke:
		p.unchoked = false
	case wire.Reject:
		p.open--
	case wire.Request:
		if p.seed {
			p.give(m.Ref)
		}
	}
}

// give sends a requested block, or rejects the request.
func (p *Peer) give(r block.Ref) {
	if p.most > 0 && p.blocks.Load() == p.most {
		p.conn.Send(wire.Message{ID: wire.Reject, Ref: r})
		return
	}
	p.conn.SendBlock(r, p.crowd.Data(r), nil)
	if p.blocks.Add(1) == p.most {
		p.conn.Send(wire.Message{ID: wire.Choke})
	}
}

// OnBlock discards a block and asks for more.
func (p *Peer) OnBlock(_ block.Ref, buf *block.Buf) {
	buf.Release()
	p.open--
	if p.blocks.Add(1) == p.crowd.Most {
		p.conn.Send(wire.Message{ID: wire.NotInterested})
	}
	p.ask()
}

// OnSent does nothing.
func (p *Peer) OnSent(int) {}

// OnAnswered does nothing.
func (p *Peer) OnAnswered(int) {}

// OnClosed records why the connection has ended.
func (p *Peer) OnClosed(err error) { p.err = err }

// ask requests the next blocks.
func (p *Peer) ask() {
	if p.seed || !p.unchoked || p.crowd.Most > 0 && p.blocks.Load() >= p.crowd.Most {
		return
	}
	l, per := p.crowd.Layout, p.crowd.perPiece()
	for p.open < requestsMax {
		piece, begin := p.next/per%l.Pieces(), p.next%per*block.Size
		p.next++
		size := l.PieceSize(piece)
		if begin >= size {
			continue // the last piece is short
		}
		p.open++
		p.conn.Send(wire.Message{ID: wire.Request, Ref: block.Ref{
			Piece: uint32(piece), Begin: uint32(begin),
			Length: uint32(min(block.Size, size-begin))}})
	}
}
