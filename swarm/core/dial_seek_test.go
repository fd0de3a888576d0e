package core

import (
	"net/netip"
	"testing"
	"time"

	"swarmnode/swarm/block"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/wire"
)

// count returns how many of the last actions are of a kind.
func (p *path) count(kind ActionKind) (n int) {
	for _, a := range p.actions {
		if a.Kind == kind {
			n++
		}
	}
	return n
}

// upload has the peer take a block from us.
func (p *path) upload() {
	p.message(p.ref, wire.Message{ID: wire.Interested})
	for range 100 {
		if p.torrent.peers.live(p.ref).slot.Unchoked() {
			break
		}
		p.wait(100 * time.Millisecond)
	}
	for piece := range uint32(2000) {
		if p.torrent.pick.Have().Has(int(piece)) {
			p.message(p.ref, wire.Message{ID: wire.Request,
				Ref: block.Ref{Piece: piece, Length: block.Size}})
			break
		}
	}
	if p.count(Upload) != 1 {
		p.t.Fatalf("the request leads to %v", p.actions)
	}
	p.event(Event{Kind: Sent, Peer: p.ref, Count: 1})
}

// A peer that sends much and falls silent is sought before it is dialled again, less and less
// often.
func TestSilentPathIsSought(t *testing.T) {
	p := newPath(t)
	p.deliver(5*time.Second, 8)
	var sought []time.Duration
	for start := p.now; p.now.Sub(start) < 20*time.Second; {
		p.now = p.now.Add(100 * time.Millisecond)
		p.event(Event{Kind: Tick})
		for range p.count(Seek) {
			sought = append(sought, p.now.Sub(start))
		}
	}
	if len(sought) != 3 || sought[0] < seekAfter ||
		sought[0] > seekAfter+sweepEvery+time.Second/10 ||
		sought[1]-sought[0] < seekFirst || sought[2]-sought[1] < 2*seekFirst {
		t.Errorf("sought after %v", sought)
	}
}

// A peer that acknowledges nothing of what we send is sought and dialled again. So a seed, which
// expects nothing from its peers, finds those that have moved.
func TestUnackedPeerIsSought(t *testing.T) {
	p := newPath(t)
	p.deliver(time.Second, 8)
	p.event(Event{Kind: Unacked, Peer: p.ref})
	if p.count(Seek)+p.count(Dial) > 0 {
		t.Error("a peer that took nothing from us is sought")
	}
	p.upload()
	p.event(Event{Kind: Unacked, Peer: p.ref})
	if p.count(Seek) != 1 || !dialled(p.actions, p.addr) {
		t.Fatalf("what is not acknowledged leads to %v", p.actions)
	}
	p.event(Event{Kind: Unacked, Peer: p.ref})
	if p.count(Seek)+p.count(Dial) > 0 {
		t.Error("a second search runs beside the first one")
	}
	seeks, dials := 0, 0
	for range 60 { // the driver says so every other second
		p.wait(2 * time.Second)
		p.event(Event{Kind: Unacked, Peer: p.ref})
		seeks += p.count(Seek)
		if dialled(p.actions, p.addr) {
			dials++
			p.fail()
		}
	}
	if seeks < 3 || seeks > 6 || dials > 20 {
		t.Errorf("sought %d times and dialled %d times in two minutes", seeks, dials)
	}
	p.event(Event{Kind: Unacked, Peer: p.ref + 1}) // is gone
}

// fail has the dial fail.
func (p *path) fail() {
	for _, a := range p.actions {
		if a.Kind == Dial {
			p.event(Event{Kind: DialFailed, Endpoint: a.Endpoint})
			return
		}
	}
}

// A peer whose router has forgotten a connection comes again, while the old one was heard a
// moment ago. It is turned down once. If it comes a second time, and the old connection has been
// silent meanwhile, that is over.
func TestPeerThatInsists(t *testing.T) {
	for _, c := range []struct {
		name  string
		after time.Duration // between the two
		heard bool          // on the old connection, meanwhile
		stays bool          // the second
	}{
		{"silent", 500 * time.Millisecond, false, true},
		{"at once", 100 * time.Millisecond, false, false},
		{"alive", 500 * time.Millisecond, true, false},
	} {
		a := newAttack(t, 0)
		hello := &wire.Hello{InfoHash: a.info.Hash(), PeerID: [20]byte{'A'}}
		come := func(ref PeerRef, port uint16) bool {
			at := netip.AddrPortFrom(netip.MustParseAddr("20.2.2.2"), port)
			a.event(Event{Kind: Connected, Peer: ref, Endpoint: endpoint.IP(at), Hello: hello})
			return a.torrent.peers.live(ref) != nil
		}
		if !come(7, 5000) {
			t.Fatal("the first connection was not taken")
		}
		a.wait(3 * time.Second)
		a.message(7, wire.Message{ID: wire.KeepAlive})
		a.wait(300 * time.Millisecond)
		if come(8, 5001) {
			t.Errorf("%s: the first attempt was not turned down", c.name)
		}
		a.wait(c.after)
		if c.heard {
			a.message(7, wire.Message{ID: wire.KeepAlive})
		}
		if stays := come(9, 5002); stays != c.stays || (a.torrent.peers.live(7) != nil) == stays {
			t.Errorf("%s: the second attempt stays: %v, want %v", c.name, stays, c.stays)
		}
	}
}
