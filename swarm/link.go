package swarm

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"swarmnode/swarm/block"
	"swarmnode/swarm/book"
	"swarmnode/swarm/core"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/peer"
	"swarmnode/swarm/transport"
	"swarmnode/swarm/wire"
)

// A connection is the stream that a link joins to its torrent: that of a peer, or a web
// seed in the seat of one.
type connection interface {
	Run(ctx context.Context)
	Send(m wire.Message) bool
	SetPieces(n int)
	Close(err error)
}

// A link joins one stream to the loop of its torrent. Messages of the stream become events
// (the link is its Handler), and messages of the core go into the stream's queue. All
// fields are set before the goroutines of the stream start, except for pending, which
// belongs to the loop, and for place, share, ports and err.
type link struct {
	torrent   *Torrent
	conn      net.Conn   // of a peer, until the loop accepts the link
	peer      *peer.Conn // nil for a web seed
	stream    connection
	closed    chan struct{} // if not nil, closed when the stream has ended
	err       error         // why it ended; set before closed is
	ref       core.PeerRef
	endpoint  endpoint.Endpoint
	over      endpoint.Transport // unknown of a web seed
	hello     wire.Hello
	outgoing  bool
	encrypted bool           // the handshake was
	place     place          // among the connections
	pending   run            // uploads of this batch of actions that may grow
	ports     int            // DHT nodes that it has named; of its reader
	sawUs     bool           // it has said how it sees us; of its reader
	share     share          // of the budget of uploads
	inbox     inbox          // payloads that the loop has not taken yet
	account   *limit.Account // bytes kept for a peer; nil for a web seed
}

// shown returns the name of the link in the log: the server of a web seed, or the address
// of a peer.
func (l *link) shown() string {
	if l.endpoint.IsWebSeed() {
		return fmt.Sprint(l.stream)
	}
	return l.endpoint.String()
}

// transport returns how the bytes of the link travel.
func (l *link) transport() Transport {
	if l.endpoint.IsWebSeed() {
		return TransportWeb
	}
	return transportOf(l.over)
}

// lost reports whether the link has lost its path because addresses of ours are gone. A
// uTP socket may be bound to none of them: then each stream to a peer of such a family
// counts as lost, since the peer knows it by our address.
func (l *link) lost(gone addressSet) bool {
	if l.conn == nil {
		return false
	}
	local, remote := transport.LocalAddr(l.conn), l.endpoint.Host()
	if l.over != endpoint.TransportUTP || !local.IsUnspecified() {
		return gone[local]
	}
	for ip := range gone {
		if ip.Is4() == remote.Is4() && ip.IsLoopback() == remote.IsLoopback() {
			return true
		}
	}
	return false
}

// setStream sets the stream of a web seed, before the link joins the loop.
func (l *link) setStream(s connection) { l.stream = s }

// begin numbers the link, and makes the stream of a link to a peer.
func (l *link) begin(ref core.PeerRef, pieces int) {
	l.ref = ref
	if l.stream != nil {
		return
	}
	e := l.torrent.engine
	l.account = e.kept.Open(func() { l.peer.Evict() })
	l.peer = peer.New(l.conn, peer.Config{
		Handler: l, Pool: e.blocks, Down: l.torrent.limits.rateDown(),
		Up: l.torrent.limits.rateUp(), Pieces: pieces,
		Account: l.account, Source: l.endpoint.Host(), Given: e.given, Talk: e.talk,
		Path: e.uplink.Watch(l.conn), Unacked: l.unacked,
	})
	l.stream = l.peer
}

// abandon closes a link that the loop has not taken.
func (l *link) abandon() {
	if l.conn != nil {
		l.conn.Close()
	}
	if l.place.isTaken() {
		l.torrent.engine.conns.Release(l.endpoint.Host())
	}
}

// portsMax bounds the DHT nodes that one connection may name. Each of them is asked
// whether it is there.
const portsMax = 3

// OnMessage posts a message with a copy of its payload.
func (l *link) OnMessage(m *wire.Message) {
	e := core.Event{Kind: core.Received, Peer: l.ref, Msg: *m}
	if m.ID == wire.Extended && m.Ext != wire.ExtHandshakeNumber && !wire.Extension(m.Ext).Known() {
		e.Msg.Payload = nil // nobody reads it
	} else {
		e.Msg.Payload = slices.Clone(m.Payload)
	}
	if !l.inbox.put(l.account, len(e.Msg.Payload), l.torrent.ctx.Done()) {
		return
	}
	l.hearAddress(m)
	if tell := l.torrent.engine.cfg.DHTNode; m.ID == wire.Port && m.Port != 0 && tell != nil &&
		l.ports < portsMax {
		l.ports++
		if addr := netip.AddrPortFrom(l.endpoint.Host(),
			m.Port); book.SourceIncoming.MayName(addr) {
			tell(addr)
		}
	}
	l.torrent.post(e)
}

// OnBlock posts a block.
func (l *link) OnBlock(ref block.Ref, buf *block.Buf) {
	l.torrent.post(core.Event{Kind: core.ReceivedBlock, Peer: l.ref, Ref: ref, Buf: buf})
}

// OnSent posts that uploads have left the writer.
func (l *link) OnSent(blocks int) {
	l.torrent.post(core.Event{Kind: core.Sent, Peer: l.ref, Count: blocks})
}

// OnAnswered posts that answers have left the writer.
func (l *link) OnAnswered(answers int) {
	l.torrent.post(core.Event{Kind: core.Answered, Peer: l.ref, Count: answers})
}

// unacked posts that nothing of what was sent is acknowledged.
func (l *link) unacked() { l.torrent.post(core.Event{Kind: core.Unacked, Peer: l.ref}) }

// OnClosed posts the end of the connection.
func (l *link) OnClosed(err error) {
	if l.closed != nil {
		l.err = err
		close(l.closed)
	}
	l.torrent.post(core.Event{Kind: core.Closed, Peer: l.ref, Err: err, Broken: broken(err)})
}

// readFailed posts that blocks could not be read for this peer.
func (l *link) readFailed(refs []block.Ref, err error) {
	for _, ref := range refs {
		l.torrent.post(core.Event{Kind: core.ReadFailed, Peer: l.ref, Ref: ref, Err: err})
	}
}
