package core

import (
	"net/netip"
	"testing"
	"time"

	"swarmnode/swarm/block"
	"swarmnode/swarm/book"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/wire"
)

// A path is a download whose peer, at an address that can be dialled, has sent
// blocks.
type path struct {
	*attack
	addr netip.AddrPort
	ref  PeerRef
}

func newPath(t *testing.T) *path {
	p := &path{attack: &attack{script: &script{t: t}},
		addr: netip.MustParseAddrPort("20.1.1.1:6881")}
	p.info = testInfo(2000, block.Size, 2000*block.Size)
	p.now = time.Unix(1_000_000, 0)
	p.torrent = New(p.now, Config{InfoHash: p.info.Hash(), PeerID: [20]byte{'M'}, Seed: 1})
	p.event(Event{Kind: InfoReady, Info: p.info})
	p.event(Event{Kind: Found, Endpoint: endpoint.IP(p.addr), Source: book.SourceTracker})
	p.wait(time.Second)
	p.connect()
	return p
}

// connect has the dial succeed.
func (p *path) connect() {
	p.ref++
	hello := wire.Hello{InfoHash: p.info.Hash(), PeerID: [20]byte{'P'}}
	hello.Reserved = hello.Reserved.With(wire.FeatureFast)
	p.event(Event{Kind: Connected, Peer: p.ref, Endpoint: endpoint.IP(p.addr), Hello: &hello,
		Outgoing: true})
	p.message(p.ref, wire.Message{ID: wire.HaveAll})
	p.message(p.ref, wire.Message{ID: wire.Unchoke})
}

// deliver makes the peer send blocks for some time, as many as blocks says in each tenth
// of a second.
func (p *path) deliver(d time.Duration, blocks int) {
	for end := p.now.Add(d); p.now.Before(end); {
		p.now = p.now.Add(time.Second / 10)
		for range blocks {
			q := p.torrent.peers.live(p.ref)
			if q == nil || len(q.ask.unanswered()) == 0 {
				continue
			}
			r := q.ask.unanswered()[0].ref
			p.event(Event{Kind: ReceivedBlock, Peer: p.ref, Ref: r})
			p.event(Event{Kind: Verified, Ref: r})
		}
		p.event(Event{Kind: Tick})
	}
}

// dials lets time pass in small steps and answers each dial by fail. It returns how long
// after the start the address was dialled. The steps of a long time are longer.
func (p *path) dials(d time.Duration, fail EventKind) (at []time.Duration) {
	start, step := p.now, max(50*time.Millisecond, d/7200)
	for p.now.Sub(start) < d {
		p.now = p.now.Add(step)
		p.event(Event{Kind: Tick})
		for dialled(p.actions, p.addr) {
			at = append(at, p.now.Sub(start))
			p.event(Event{Kind: fail, Endpoint: endpoint.IP(p.addr)})
		}
	}
	return at
}

func dialled(actions []Action, addr netip.AddrPort) bool {
	for _, a := range actions {
		if a.Kind == Dial && a.Endpoint.Addr == addr {
			return true
		}
	}
	return false
}

func TestBrokenConnectionIsDialledSoon(t *testing.T) {
	for _, c := range []struct {
		name        string
		broken      bool
		first, last time.Duration // when the first dial comes
		count       int           // in the first minute, at least
	}{
		{"broken", true, 250 * time.Millisecond, 500 * time.Millisecond, 10},
		{"closed by the peer", false, 2 * time.Second, 3 * time.Second, 10},
	} {
		p := newPath(t)
		p.deliver(3*time.Second, 4)
		p.event(Event{Kind: Closed, Peer: p.ref, Broken: c.broken})
		at := p.dials(time.Minute, DialFailed)
		if len(at) < c.count || at[0] < c.first || at[0] > c.last {
			t.Errorf("%s: dialled after %v, want at least %d times and from %v to %v on", c.name,
				at, c.count, c.first, c.last)
		}
		if len(at) > 20 {
			t.Errorf("%s: %d dials in a minute, want at most 20", c.name, len(at))
		}
		// It goes on for some minutes, ever less often, and then as with others.
		if n := len(p.dials(9*time.Minute, DialFailed)); n < 5 || n > 20 {
			t.Errorf("%s: %d dials in the next 9 minutes", c.name, n)
		}
		if n := len(p.dials(time.Hour, DialFailed)); n > 12 {
			t.Errorf("%s: %d dials in the next hour", c.name, n)
		}
	}
}

// A peer that takes connections and ends them at once does not want us, even if blocks
// moved there before.
func TestRefusedConnectionIsNotInsistedOn(t *testing.T) {
	p := newPath(t)
	p.deliver(3*time.Second, 4)
	p.event(Event{Kind: Closed, Peer: p.ref, Broken: true})
	tries := 0
	for start := p.now; p.now.Sub(start) < time.Minute; {
		p.now = p.now.Add(50 * time.Millisecond)
		p.event(Event{Kind: Tick})
		if dialled(p.actions, p.addr) {
			tries++
			p.ref++
			p.event(Event{Kind: Connected, Peer: p.ref, Endpoint: endpoint.IP(p.addr),
				Hello: &wire.Hello{PeerID: [20]byte{'P'}}, Outgoing: true})
			p.event(Event{Kind: Closed, Peer: p.ref})
		}
	}
	if tries < 2 || tries > 9 {
		t.Errorf("%d tries in a minute, want a few and no more", tries)
	}
}

// A peer that sends much and falls silent is spoken to, and dialled again.
func TestSilentPathIsProbed(t *testing.T) {
	p := newPath(t)
	p.deliver(5*time.Second, 8)
	first := p.ref
	nudges := 0
	var probed time.Duration
	start := p.now
	for p.now.Sub(start) < 10*time.Second && probed == 0 {
		p.now = p.now.Add(100 * time.Millisecond)
		p.event(Event{Kind: Tick})
		for _, a := range p.actions {
			if a.Kind == Send && a.Msg.ID == wire.KeepAlive {
				nudges++
			}
		}
		if dialled(p.actions, p.addr) {
			probed = p.now.Sub(start)
		}
	}
	if probed < silenceMin || probed > silenceMin+2*sweepEvery {
		t.Errorf("dialled again after %v of silence, want %v", probed, silenceMin)
	}
	if nudges < 2 || nudges > 4 {
		t.Errorf("%d keep-alives in %v of silence, want one a second", nudges, probed)
	}
	if p.torrent.peers.live(first) == nil {
		t.Fatal("the old connection was ended before another one was there")
	}
	p.connect()
	if p.torrent.peers.live(first) != nil || p.torrent.peers.live(p.ref) == nil {
		t.Error("the new connection did not take the place of the silent one")
	}
	p.event(Event{Kind: Closed, Peer: first})
	had := p.torrent.pick.Have().Count()
	p.deliver(time.Second, 8)
	if p.torrent.pick.Have().Count() == had {
		t.Error("nothing is asked for on the new connection")
	}
}

func TestProbeThatFailsIsRepeatedLessAndLess(t *testing.T) {
	p := newPath(t)
	p.deliver(5*time.Second, 8)
	at := p.dials(snubAfter+10*time.Second, DialFailed)
	if len(at) < 3 || len(at) > 6 {
		t.Errorf("dialled after %v, want a few times until the peer counts as snubbed", at)
	}
	if p.torrent.peers.live(p.ref) == nil {
		t.Error("the connection was ended although no other was made")
	}
}

// A peer that is slow, chokes, or is owed nothing is left alone.
func TestSlowPeerIsNotProbed(t *testing.T) {
	slow := newPath(t)
	for range 4 { // a block every 8 s
		slow.deliver(100*time.Millisecond, 1)
		if at := slow.dials(8*time.Second, DialFailed); len(at) > 0 {
			t.Errorf("a slow peer was dialled again after %v", at)
		}
	}
	choking := newPath(t)
	choking.deliver(5*time.Second, 8)
	choking.message(choking.ref, wire.Message{ID: wire.Choke})
	if at := choking.dials(15*time.Second, DialFailed); len(at) > 0 {
		t.Errorf("a peer that chokes was dialled again after %v", at)
	}
}

// The connection that a peer made to replace one that it has lost is kept, whoever
// made the first; two that were made at once are settled by the ids.
func TestReplacedConnection(t *testing.T) {
	for _, c := range []struct {
		name  string
		age   time.Duration // of the first
		quiet time.Duration // of it
		id    byte          // of the peer; ours is M
		stays bool          // the second
	}{
		{"lost", time.Minute, 5 * time.Second, 'A', true},
		{"lost, by the greater", time.Minute, 5 * time.Second, 'Z', true},
		{"alive", time.Minute, 0, 'A', false},
		{"simultaneous, we are greater", 0, 0, 'A', false},
		{"simultaneous, the peer is greater", 0, 0, 'Z', true},
	} {
		a := newAttack(t, 0)
		hello := &wire.Hello{InfoHash: a.info.Hash(), PeerID: [20]byte{c.id}}
		addr := netip.MustParseAddrPort("20.2.2.2:6881")
		a.event(Event{Kind: Connected, Peer: 7, Endpoint: endpoint.IP(addr), Hello: hello,
			Outgoing: true})
		a.wait(c.age - c.quiet)
		a.message(7, wire.Message{ID: wire.KeepAlive})
		a.wait(c.quiet)
		a.event(Event{Kind: Connected, Peer: 8,
			Endpoint: endpoint.IP(netip.AddrPortFrom(addr.Addr(), 50000)),
			Hello:    hello})
		first, second := a.torrent.peers.live(7) != nil, a.torrent.peers.live(8) != nil
		if second != c.stays || first == second {
			t.Errorf("%s: first %v, second %v; want that the second stays: %v", c.name, first,
				second, c.stays)
		}
	}
}

// When our own addresses change, known peers are dialled at once.
func TestMoved(t *testing.T) {
	p := newPath(t)
	p.deliver(3*time.Second, 4)
	p.event(Event{Kind: Closed, Peer: p.ref, Broken: true})
	p.dials(5*time.Minute, DialFailed) // there is a wait by now
	p.event(Event{Kind: Moved})
	if !dialled(p.actions, p.addr) {
		t.Error("nobody was dialled at once")
	}
}

// A peer that comes from another address while it has just fallen silent is let
// in; one that shows its id while it sends is not.
func TestPeerThatMoves(t *testing.T) {
	for _, c := range []struct {
		name   string
		silent time.Duration
		in     bool
	}{{"sends", 0, false}, {"has fallen silent", time.Second, true}} {
		p := newPath(t)
		p.deliver(5*time.Second, 8)
		p.now = p.now.Add(c.silent)
		hello := &wire.Hello{InfoHash: p.info.Hash(), PeerID: [20]byte{'P'}}
		p.event(Event{Kind: Connected, Peer: 50,
			Endpoint: endpoint.IP(netip.MustParseAddrPort("20.9.9.9:5000")),
			Hello:    hello})
		if in := p.torrent.peers.live(50) != nil; in != c.in {
			t.Errorf("%s: let in %v, want %v", c.name, in, c.in)
		}
		if p.torrent.peers.live(p.ref) == nil {
			t.Errorf("%s: the first connection was ended for the sake of an id", c.name)
		}
	}
}
