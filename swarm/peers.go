package swarm

import (
	"net/netip"
	"strings"
	"time"

	"swarmnode/swarm/book"
	"swarmnode/swarm/core"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/transport/mse"
	"swarmnode/swarm/webseed"
)

// A PeerSource says who named the address of a peer first.
type PeerSource = book.Source

// The sources of peers.
const (
	PeerFromUser     = book.SourceUser     // Spec.Peers and AddPeer
	PeerFromDHT      = book.SourceDHT      // BEP 5
	PeerFromPEX      = book.SourcePEX      // another peer (BEP 11)
	PeerFromLSD      = book.SourceLSD      // the local network (BEP 14)
	PeerFromTracker  = book.SourceTracker  // BEP 3, BEP 15
	PeerFromIncoming = book.SourceIncoming // it connected to us
	PeerFromResume   = book.SourceResume   // an earlier run
	PeerFromLink     = book.SourceLink     // x.pe of a magnet link (BEP 9)
)

// A PeerWait says what a connection waits for. Its String is a sentence about the peer, as
// in "it waits for an upload slot".
type PeerWait = core.Wait

// The waits, of which the first that holds is shown.
const (
	PeerWaitNone     = core.WaitNone     // blocks are on their way
	PeerWaitMetadata = core.WaitMetadata // we do not know the metadata yet
	PeerWaitStorage  = core.WaitStorage  // we cannot write to disk
	PeerWaitPieces   = core.WaitPieces   // it has not said which pieces it has
	PeerWaitAnswers  = core.WaitAnswers  // it leaves our requests without any block
	PeerWaitUnchoke  = core.WaitUnchoke  // we wait until it unchokes us
	PeerWaitBackoff  = core.WaitBackoff  // it rejected requests and is left alone for a while
	PeerWaitVerify   = core.WaitVerify   // its first piece is being verified
	PeerWaitTurn     = core.WaitTurn     // others are asked for what it has
	PeerWaitSlot     = core.WaitSlot     // it waits for a slot of ours
	PeerWaitRequests = core.WaitRequests // it has a slot and requests nothing
	PeerWaitInterest = core.WaitInterest // neither side has anything that the other wants
)

// A Transport is how the bytes of a connection travel.
type Transport string

// The transports.
const (
	TransportTCP Transport = "tcp"
	TransportUTP Transport = "utp" // BEP 29
	TransportWeb Transport = "web" // HTTP, to a web seed (BEP 19)
	// TransportRelay is uTP through a relay that lends us an address (RFC 8656).
	TransportRelay Transport = "relay"
)

// A PeerState describes one connection of a torrent at one moment.
type PeerState struct {
	Addr      netip.AddrPort // the other end; not valid for a web seed
	Listen    netip.AddrPort // where it accepts connections; not valid while unknown
	URL       string         // of a web seed, else empty
	Transport Transport
	Source    PeerSource // of Addr
	ID        [20]byte   // as its handshake says (BEP 3)
	// Client is the name of its program: the one that it gives itself (BEP 10), or what
	// its ID says (BEP 20). It is printable, and empty while unknown.
	Client   string
	Outgoing bool // we connected to it
	// Encrypted says that everything is encrypted, EncryptedHandshake that only the
	// handshake was.
	Encrypted, EncryptedHandshake bool

	Seed        bool // it has every piece
	UploadOnly  bool // it says that it wants nothing (BEP 21)
	Interesting bool // it has something that we want
	Choking     bool // it does not let us request blocks
	Interested  bool // it wants something that we have
	Unchoked    bool // we let it request blocks
	Optimistic  bool // its upload slot was given by lot
	Snubbed     bool // it leaves our requests without any block
	Waiting     PeerWait

	Pieces   int     // verified pieces that it has; 0 while the metadata is unknown
	Progress float64 // the share of all pieces that it has, from 0 to 1
	Asked    int     // blocks that we wait for
	Queued   int     // blocks that it waits for
	// Down and Up are payload bytes since the connection was made, DownRate and UpRate
	// bytes per second over the last 20 s.
	Down, Up         int64
	DownRate, UpRate int64
	Connected        time.Time // when the connection was made
	LastDown, LastUp time.Time // when a block came or went last; zero if none did
}

// Flags returns the state of the connection in the letters of qBittorrent: D when we want
// something and may request it, d when it chokes us; U when it wants something and may
// request it, u when we choke it; K when it lets us request and has nothing for us, ? when
// we let it request and it wants nothing; O for an optimistic slot, S when it does not
// answer, I when it connected to us; H, X and L when the DHT, peer exchange or local
// discovery named it; E when it is encrypted, e when its handshake was; P when its bytes
// travel by uTP.
func (p *PeerState) Flags() string {
	var b strings.Builder
	for _, flag := range []struct {
		letter byte
		on     bool
	}{
		{'D', p.Interesting && !p.Choking}, {'d', p.Interesting && p.Choking},
		{'U', p.Interested && p.Unchoked}, {'u', p.Interested && !p.Unchoked},
		{'K', !p.Interesting && !p.Choking}, {'?', !p.Interested && p.Unchoked},
		{'O', p.Optimistic}, {'S', p.Snubbed}, {'I', !p.Outgoing},
		{'H', p.Source == PeerFromDHT}, {'X', p.Source == PeerFromPEX},
		{'L', p.Source == PeerFromLSD}, {'E', p.Encrypted}, {'e', p.EncryptedHandshake},
		{'P', p.Transport == TransportUTP || p.Transport == TransportRelay},
	} {
		if flag.on {
			b.WriteByte(flag.letter)
		}
	}
	return b.String()
}

// Peers describes the connections of the torrent, the oldest first, web seeds included.
// There are none after the end of the torrent. ChangedPeers says that a connection was made
// or ended; figures change without notice.
func (t *Torrent) Peers() []PeerState {
	var list []PeerState
	t.command(func(now time.Time) error {
		list = t.loop.peers(now)
		return nil
	})
	return list
}

// peers describes the connections.
func (l *loop) peers(now time.Time) []PeerState {
	infos := l.core.Peers(now, nil)
	list := make([]PeerState, len(infos))
	for i := range infos {
		list[i].describe(now, &infos[i], l.pieces)
		if link := l.links[infos[i].Peer]; link != nil {
			list[i].add(link)
		}
	}
	return list
}

// transportOf returns the word for how a stream to a peer was made.
func transportOf(over endpoint.Transport) Transport {
	switch over {
	case endpoint.TransportUTP:
		return TransportUTP
	case endpoint.TransportRelay:
		return TransportRelay
	}
	return TransportTCP
}

// describe fills in what the core knows of a connection.
func (p *PeerState) describe(now time.Time, info *core.PeerInfo, pieces int) {
	ago := func(d time.Duration) time.Time {
		if d < 0 {
			return time.Time{}
		}
		return now.Add(-d)
	}
	*p = PeerState{
		Transport: transportOf(info.Transport), Source: info.Source, ID: info.ID,
		Client:   info.Client,
		Outgoing: info.Outgoing, EncryptedHandshake: info.Encrypted, Seed: info.Seed,
		UploadOnly: info.UploadOnly, Interesting: info.Interesting, Choking: info.Choking,
		Interested: info.Interested, Unchoked: info.Unchoked, Optimistic: info.Optimistic,
		Snubbed: info.Snubbed, Waiting: info.Wait, Pieces: info.Pieces,
		Asked: info.Asked, Queued: info.Queued, Down: info.Down, Up: info.Up,
		DownRate: info.DownRate, UpRate: info.UpRate, Connected: ago(info.Age),
		LastDown: ago(info.LastDown), LastUp: ago(info.LastUp),
	}
	p.Addr, p.Listen = info.Endpoint.Addr, info.Listen.Addr
	switch {
	case info.Seed:
		p.Progress = 1
	case pieces > 0:
		p.Progress = float64(info.Pieces) / float64(pieces)
	}
	if p.Client == "" {
		p.Client = clientOf(info.ID)
	}
}

// add fills in what the link knows of its connection.
func (p *PeerState) add(link *link) {
	if seed, ok := link.stream.(*webseed.Conn); ok {
		p.Transport, p.URL, p.Client = TransportWeb, seed.URL(), "web seed"
		return
	}
	if hidden, ok := link.conn.(*mse.Conn); ok && hidden.Method() == mse.RC4 {
		p.Encrypted, p.EncryptedHandshake = true, false
	}
}
