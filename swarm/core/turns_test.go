package core

import (
	"slices"
	"testing"
	"time"

	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/wire"
)

// A soleSeed is a seed, and leeches that ask it for what it suggests.
type soleSeed struct {
	*attack
	suggested map[PeerRef][]uint32
	got       map[PeerRef][]uint32    // pieces, whole
	blocks    map[block.Ref]PeerRef   // who got each
	flying    map[PeerRef][]block.Ref // with the writer
	repeated  int
}

const seedBlocks = 16 // of a piece

func newSoleSeed(t *testing.T, leeches int) *soleSeed {
	const pieces = 64
	s := &soleSeed{
		attack: &attack{script: &script{t: t}}, suggested: map[PeerRef][]uint32{},
		got:    map[PeerRef][]uint32{},
		blocks: map[block.Ref]PeerRef{}, flying: map[PeerRef][]block.Ref{},
	}
	s.info = testInfo(pieces, seedBlocks*block.Size, pieces*seedBlocks*block.Size)
	s.now = time.Unix(1_000_000, 0)
	s.torrent = New(s.now, Config{InfoHash: s.info.Hash(), PeerID: [20]byte{'M'}, Seed: 1})
	s.event(Event{Kind: InfoReady, Info: s.info, Have: bits.Full(pieces)})
	for ref := range PeerRef(leeches) {
		hello := wire.Hello{InfoHash: s.info.Hash(), PeerID: [20]byte{'P', byte(ref + 1)}}
		hello.Reserved = hello.Reserved.With(wire.FeatureFast)
		s.tell(Event{Kind: Connected, Peer: ref + 1, Endpoint: endpoint.IP(benchAddr(int(ref + 1))),
			Hello: &hello})
		s.say(ref+1, wire.Message{ID: wire.HaveNone})
		s.say(ref+1, wire.Message{ID: wire.Interested})
	}
	return s
}

func (s *soleSeed) say(ref PeerRef, m wire.Message) {
	s.tell(Event{Kind: Received, Peer: ref, Msg: m})
}

// tell gives the seed an event, and does what a leech does in answer.
func (s *soleSeed) tell(e Event) {
	s.event(e)
	for _, a := range slices.Clone(s.actions) {
		switch {
		case a.Kind == Upload:
			s.flying[a.Peer] = append(s.flying[a.Peer], a.Ref)
		case a.Kind != Send:
		case a.Msg.ID == wire.Suggest:
			s.suggested[a.Peer] = append(s.suggested[a.Peer], a.Msg.Ref.Piece)
		case a.Msg.ID == wire.Reject:
			s.again(a.Peer, a.Msg.Ref.Piece)
		case a.Msg.ID == wire.Unchoke:
			s.ask(a.Peer)
		}
	}
}

// again has ref ask for a piece next.
func (s *soleSeed) again(ref PeerRef, piece uint32) {
	s.suggested[ref] = append(slices.DeleteFunc(s.suggested[ref], func(p uint32) bool {
		return p == piece
	}), piece)
}

// ask requests what is missing of the piece that was suggested last.
func (s *soleSeed) ask(ref PeerRef) {
	list := s.suggested[ref]
	if len(list) == 0 {
		return
	}
	piece := list[len(list)-1]
	s.suggested[ref] = list[:len(list)-1]
	for i := range uint32(seedBlocks) {
		b := block.Ref{Piece: piece, Begin: i * block.Size, Length: block.Size}
		if s.blocks[b] != ref && !slices.Contains(s.flying[ref], b) {
			s.say(ref, wire.Message{ID: wire.Request, Ref: b})
		}
	}
}

// run lets one block of each peer that has some go out every 10 ms.
func (s *soleSeed) run(d time.Duration) {
	for end := s.now.Add(d); s.now.Before(end); {
		s.now = s.now.Add(10 * time.Millisecond)
		s.tell(Event{Kind: Tick})
		for _, p := range slices.Clone(s.torrent.peers.all()) {
			if len(s.flying[p.ref]) == 0 {
				continue
			}
			r := s.flying[p.ref][0]
			s.flying[p.ref] = s.flying[p.ref][1:]
			if _, ok := s.blocks[r]; ok {
				s.repeated++
			}
			s.blocks[r] = p.ref
			s.tell(Event{Kind: Sent, Peer: p.ref, Count: 1})
			if r.Begin == (seedBlocks-1)*block.Size {
				s.got[p.ref] = append(s.got[p.ref], r.Piece)
				s.say(p.ref, wire.Message{ID: wire.Have, Ref: block.Ref{Piece: r.Piece}})
				s.ask(p.ref)
			}
		}
	}
}

// TestSoleSeedTurnsFromPeerToPeer: as long as others wait, each gets a piece or
// two before any gets more, and hardly a block goes out twice.
func TestSoleSeedTurnsFromPeerToPeer(t *testing.T) {
	const leeches = 20
	s := newSoleSeed(t, leeches)
	for range 100 {
		if s.run(100 * time.Millisecond); len(s.got) == leeches {
			break
		}
	}
	for ref := range PeerRef(leeches) {
		if n := len(s.got[ref+1]); n < 1 || n > 2 {
			t.Errorf("peer %d has %d pieces when the last one has its first", ref+1, n)
		}
	}
	if all := len(s.blocks); s.repeated > all/50 {
		t.Errorf("%d of %d blocks went out twice", s.repeated, all)
	}
}

// TestSoleSeedFinishesWhatItBegan: who was choked with a part of a piece that nobody
// has gets the next slot, once.
func TestSoleSeedFinishesWhatItBegan(t *testing.T) {
	s := newSoleSeed(t, 20)
	all, i := s.torrent.peers.all(), -1
	for range 100 {
		s.run(10 * time.Millisecond)
		if i = slices.IndexFunc(all, func(p *peer) bool {
			return s.torrent.seeder.unfinished(s.torrent, p)
		}); i >= 0 {
			break
		}
	}
	if i < 0 {
		t.Fatal("nobody has a part of a piece")
	}
	p := all[i]
	for _, q := range all {
		s.torrent.choke(q)
	}
	s.now = s.now.Add(time.Millisecond)
	s.event(Event{Kind: Tick})
	s.torrent.giveSlots(slotsFirst)
	for _, q := range all {
		if q.unchoked != s.torrent.seeder.unfinished(s.torrent, q) {
			t.Errorf("peer %d, of which it is %v that it has a part of a piece, is unchoked: %v",
				q.ref, !q.unchoked, q.unchoked)
		}
	}
	s.now = s.now.Add(slotHaste) // it asks for nothing
	s.event(Event{Kind: Sent, Peer: p.ref, Count: windowMax})
	s.torrent.choke(p)
	if s.torrent.seeder.unfinished(s.torrent, p) {
		t.Error("the rest of the piece is kept for who did not ask for it")
	}
}

// TestPromisesLapse: what was promised to a peer that does not read it goes to those
// who ask for it, long before the peer is given up.
func TestPromisesLapse(t *testing.T) {
	s := newSoleSeed(t, 4)
	delete(s.suggested, 1)
	deaf := s.torrent.peers.live(1)
	if len(deaf.promised) == 0 {
		t.Fatal("the first peer was promised nothing")
	}
	for end := s.now.Add(30 * time.Second); s.now.Before(end) && s.torrent.pick.Unseen() > 0; {
		s.flying[1] = nil // it reads nothing
		s.run(10 * time.Millisecond)
	}
	if n := s.torrent.pick.Unseen(); n > 0 {
		t.Errorf("%d pieces are with nobody after 30 s", n)
	}
	if _, ok := s.got[1]; ok {
		t.Error("who reads nothing has got something")
	}
}

// TestPromisesWithoutBitfield: who never says what it has, against BEP 6, breaks
// nothing.
func TestPromisesWithoutBitfield(t *testing.T) {
	s := newSoleSeed(t, 2)
	const silent = 9
	hello := wire.Hello{InfoHash: s.info.Hash(), PeerID: [20]byte{'P', silent}}
	hello.Reserved = hello.Reserved.With(wire.FeatureFast)
	s.tell(Event{Kind: Connected, Peer: silent, Endpoint: endpoint.IP(benchAddr(silent)),
		Hello: &hello})
	s.say(silent, wire.Message{ID: wire.Interested})
	s.run(100 * time.Millisecond)
	p := s.torrent.peers.live(silent)
	if !p.unchoked {
		t.Fatal("it has no slot")
	}
	piece := s.torrent.pick.Pieces() - 1
	s.suggested[silent] = append(s.suggested[silent], uint32(piece))
	s.ask(silent)
	if len(p.promised) == 0 {
		t.Fatal("it was promised nothing")
	}
	s.say(1, wire.Message{ID: wire.Have, Ref: block.Ref{Piece: uint32(piece)}})
	s.run(3 * time.Second)
	if p.gone || slices.ContainsFunc(p.promised, func(m promise) bool {
		return int(m.piece) == piece
	}) {
		t.Errorf("gone: %v, promised: %v", p.gone, p.promised)
	}
}

// TestSoleSeedGoesOnWithTheOnlyPeer: nobody loses a slot that nobody waits for.
func TestSoleSeedGoesOnWithTheOnlyPeer(t *testing.T) {
	s := newSoleSeed(t, 3)
	s.run(2 * time.Second)
	for ref := range PeerRef(3) {
		if p := s.torrent.peers.live(ref + 1); !p.unchoked || len(s.got[ref+1]) < 5 {
			t.Errorf("peer %d is unchoked: %v, and has %d pieces", ref+1, p.unchoked,
				len(s.got[ref+1]))
		}
	}
}

// TestIdleSlotsAreTaken: who makes no use of its slot loses it to who waits, and
// not everybody has one in the end.
func TestIdleSlotsAreTaken(t *testing.T) {
	s := newSoleSeed(t, 30)
	s.suggested = map[PeerRef][]uint32{} // nobody asks
	had := map[PeerRef]bool{}
	for range 100 {
		s.event(Event{Kind: Tick})
		s.now = s.now.Add(100 * time.Millisecond)
		for _, p := range s.torrent.peers.all() {
			had[p.ref] = had[p.ref] || p.unchoked
		}
		// the first asked, and do not read
		if n := s.torrent.unchoked(); n > (1+deafShare)*slotsFirst {
			t.Fatalf("%d are unchoked", n)
		}
	}
	if len(had) != 30 {
		t.Errorf("%d of 30 ever had a slot", len(had))
	}
}
