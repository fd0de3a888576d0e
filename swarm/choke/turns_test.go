package choke

import (
	"slices"
	"testing"
	"time"

	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
)

// A soleSeed is a seed, and leeches that ask it for what it suggests.
type soleSeed struct {
	*stage
	suggested map[Ref][]uint32
	got       map[Ref][]uint32 // pieces, whole
	blocks    map[block.Ref]Ref
	flying    map[Ref][]block.Ref // with the writer
	repeated  int
}

func newSoleSeed(t *testing.T, leeches int) *soleSeed {
	s := &soleSeed{
		stage: newStage(t, Config{}, nil), suggested: map[Ref][]uint32{},
		got: map[Ref][]uint32{}, blocks: map[block.Ref]Ref{}, flying: map[Ref][]block.Ref{},
	}
	s.answers = s.answer
	for ref := range Ref(leeches) {
		s.join(ref + 1)
	}
	return s
}

// answer does what a leech does about a step.
func (s *soleSeed) answer(step Step) {
	switch step.Kind {
	case Send:
		s.flying[step.Peer] = append(s.flying[step.Peer], step.Block)
	case Suggest:
		s.suggested[step.Peer] = append(s.suggested[step.Peer], step.Block.Piece)
	case Reject:
		s.again(step.Peer, step.Block.Piece)
	case Unchoke:
		s.ask(step.Peer)
	}
}

// again makes a piece the one that a peer asks for next.
func (s *soleSeed) again(ref Ref, piece uint32) {
	s.suggested[ref] = append(slices.DeleteFunc(s.suggested[ref], func(p uint32) bool {
		return p == piece
	}), piece)
}

// ask requests what is missing of the piece that was suggested last.
func (s *soleSeed) ask(ref Ref) {
	list := s.suggested[ref]
	if len(list) == 0 {
		return
	}
	piece := list[len(list)-1]
	s.suggested[ref] = list[:len(list)-1]
	for i := range uint32(pieceBlocks) {
		b := block.Ref{Piece: piece, Begin: i * block.Size, Length: block.Size}
		if s.blocks[b] != ref && !slices.Contains(s.flying[ref], b) &&
			s.request(ref, b) != Queued {
			s.again(ref, piece)
		}
	}
}

// run lets one block of each peer that has some go out every 10 ms.
func (s *soleSeed) run(d time.Duration) {
	for end := s.now + d; s.now < end; {
		s.pass(10 * time.Millisecond)
		for _, p := range s.choker.peers {
			if len(s.flying[p.ref]) == 0 {
				continue
			}
			r := s.flying[p.ref][0]
			s.flying[p.ref] = s.flying[p.ref][1:]
			if _, ok := s.blocks[r]; ok {
				s.repeated++
			}
			s.blocks[r] = p.ref
			s.goesOut(p.ref, 1)
			if r.Begin == (pieceBlocks-1)*block.Size {
				s.got[p.ref] = append(s.got[p.ref], r.Piece)
				s.gets(p.ref, r.Piece)
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
	for ref := range Ref(leeches) {
		if n := len(s.got[ref+1]); n < 1 || n > 2 {
			t.Errorf("peer %d has %d pieces when the last one has its first", ref+1, n)
		}
	}
	if all := len(s.blocks); s.repeated > all/50 {
		t.Errorf("%d of %d blocks went out twice", s.repeated, all)
	}
}

// TestSoleSeedFinishesWhatItBegan: a peer that was choked with a part of a piece that
// nobody has gets the next slot, once.
func TestSoleSeedFinishesWhatItBegan(t *testing.T) {
	s := newSoleSeed(t, 20)
	all, c := s.choker.peers, s.choker
	i := -1
	for range 100 {
		s.run(10 * time.Millisecond)
		if i = slices.IndexFunc(all, c.unfinished); i >= 0 {
			break
		}
	}
	if i < 0 {
		t.Fatal("nobody has a part of a piece")
	}
	p := all[i]
	s.answers = func(Step) {} // from now on nobody asks
	for _, q := range all {
		c.choke(q)
	}
	s.settle()
	s.pass(time.Millisecond)
	c.now = s.now
	c.give(slotsFirst)
	for _, q := range all {
		if q.unchoked != c.unfinished(q) {
			t.Errorf("peer %d, of which it is %v that it has a part of a piece, is unchoked: %v",
				q.ref, !q.unchoked, q.unchoked)
		}
	}
	s.now += idleHaste // it asks for nothing
	c.Sent(s.now, p, windowMax)
	c.choke(p)
	if c.unfinished(p) {
		t.Error("the rest of the piece is kept for a peer that did not ask for it")
	}
}

// TestPromisesLapse: what was promised to a peer that does not read it goes to those
// that ask for it, long before the peer is given up.
func TestPromisesLapse(t *testing.T) {
	s := newSoleSeed(t, 4)
	delete(s.suggested, 1)
	if len(s.peers[1].promised) == 0 {
		t.Fatal("the first peer was promised nothing")
	}
	for end := s.now + 30*time.Second; s.now < end && s.pick.Unseen() > 0; {
		s.flying[1] = nil // it reads nothing
		s.run(10 * time.Millisecond)
	}
	if n := s.pick.Unseen(); n > 0 {
		t.Errorf("%d pieces are with nobody after 30 s", n)
	}
	if _, ok := s.got[1]; ok {
		t.Error("the peer that reads nothing has got something")
	}
}

// TestPromisesWithoutBitfield: a peer that never says what it has, against BEP 6, breaks
// nothing.
func TestPromisesWithoutBitfield(t *testing.T) {
	s := newSoleSeed(t, 2)
	const silent = 9
	s.joinSilently(silent)
	s.says(silent, true)
	s.run(100 * time.Millisecond)
	p := s.peers[silent]
	if !p.unchoked {
		t.Fatal("it has no slot")
	}
	const piece = pieces - 1
	s.suggested[silent] = append(s.suggested[silent], piece)
	s.ask(silent)
	if len(p.promised) == 0 {
		t.Fatal("it was promised nothing")
	}
	s.gets(1, piece)
	s.run(3 * time.Second)
	if slices.ContainsFunc(p.promised, func(m promise) bool { return m.piece == piece }) {
		t.Errorf("promised: %v", p.promised)
	}
}

// TestSoleSeedGoesOnWithTheOnlyPeers: nobody loses a slot that nobody waits for.
func TestSoleSeedGoesOnWithTheOnlyPeers(t *testing.T) {
	s := newSoleSeed(t, 3)
	s.run(2 * time.Second)
	for ref := range Ref(3) {
		if p := s.peers[ref+1]; !p.unchoked || len(s.got[ref+1]) < 5 {
			t.Errorf("peer %d is unchoked: %v, and has %d pieces", ref+1, p.unchoked,
				len(s.got[ref+1]))
		}
	}
}

// TestIdleSlotsAreTaken: a peer that makes no use of its slot loses it to one that waits,
// and not everybody has a slot in the end.
func TestIdleSlotsAreTaken(t *testing.T) {
	s := newSoleSeed(t, 30)
	s.answers = func(Step) {} // nobody else asks
	had := map[Ref]bool{}
	for range 100 {
		s.pass(100 * time.Millisecond)
		for _, ref := range s.unchoked() {
			had[ref] = true
		}
		// The first peers asked, and do not read.
		if n := s.choker.Unchoked(); n > (1+stuckShare)*slotsFirst {
			t.Fatalf("%d are unchoked", n)
		}
	}
	if len(had) != 30 {
		t.Errorf("%d of 30 ever had a slot", len(had))
	}
}

// TestSuperSeedShowsOnePieceAtATime: a peer is shown the next piece when somebody else has
// the last one (BEP 16), and everybody is shown everything once all pieces are out.
func TestSuperSeedShowsOnePieceAtATime(t *testing.T) {
	s := newStage(t, Config{SuperSeed: true}, nil)
	shown := map[Ref][]uint32{}
	all := false
	s.answers = func(step Step) {
		if step.Kind == Have {
			shown[step.Peer] = append(shown[step.Peer], step.Block.Piece)
		}
		all = all || step.Kind == ShowAll
	}
	s.choker.Cover()
	s.join(1)
	s.join(2)
	if len(shown[1]) != 1 || len(shown[2]) != 1 || shown[1][0] == shown[2][0] {
		t.Fatalf("shown at first: %v", shown)
	}
	first := shown[1][0]
	s.gets(1, first)
	if len(shown[1]) != 1 {
		t.Errorf("peer 1 is shown %v before it has passed on a piece", shown[1])
	}
	s.gets(2, first)
	if len(shown[1]) != 2 {
		t.Errorf("peer 1 is shown %v when it has passed on a piece", shown[1])
	}
	if all {
		t.Error("everything is shown too early")
	}
	for piece := range uint32(pieces) {
		s.gets(1, piece)
	}
	if !all || s.choker.Hides() {
		t.Error("pieces are hidden that a peer has")
	}
}

// TestSuperSeedShowsFewPieces: every further peer that gets a piece makes its first peer see
// one more, but not without end while none of these goes out. It sees others once they do.
func TestSuperSeedShowsFewPieces(t *testing.T) {
	const crowd = 9
	s := newStage(t, Config{SuperSeed: true}, nil)
	shown := map[Ref][]uint32{}
	s.answers = func(step Step) {
		if step.Kind == Have {
			shown[step.Peer] = append(shown[step.Peer], step.Block.Piece)
		}
	}
	s.choker.Cover()
	for ref := range Ref(crowd) {
		s.join(ref + 1)
	}
	goesOut := func(piece uint32) {
		for ref := range Ref(crowd) {
			s.gets(ref+1, piece)
		}
	}
	for _, next := range []int{0, 1, 2, 3, 4, 5} {
		goesOut(shown[1][next])
	}
	if n := len(s.peers[1].promised); n != steerMax {
		t.Fatalf("%d pieces shown to peer 1 are to go out, want %d", n, steerMax)
	}
	before := len(shown[1])
	goesOut(shown[1][6])
	if n := len(shown[1]) - before; n != 1 {
		t.Errorf("peer 1 is shown %d more pieces when one went out, want 1", n)
	}
}

// TestSuperSeedTellsTheSilent: a peer that was shown nothing, and has said nothing, is shown
// everything once there is another seed.
func TestSuperSeedTellsTheSilent(t *testing.T) {
	s := newStage(t, Config{SuperSeed: true}, nil)
	all := false
	s.answers = func(step Step) { all = all || step.Kind == ShowAll }
	s.choker.Cover()
	s.joinSilently(1)
	s.pick.AddPeer(bits.Full(pieces), true)
	s.joinSilently(2)
	s.gets(2, 5)
	if !all {
		t.Error("a peer is not told of the pieces that we have")
	}
}

// TestTableOfPromisesGoes: a torrent without peers keeps no table of its pieces, and makes
// promises to the next peer all the same.
func TestTableOfPromisesGoes(t *testing.T) {
	s := newStage(t, Config{}, nil)
	for ref := range Ref(3) {
		s.join(ref + 1)
	}
	for ref := range Ref(3) {
		if len(s.choker.owner) != pieces {
			t.Fatalf("a table of %d pieces, want %d", len(s.choker.owner), pieces)
		}
		s.pick.RemovePeer(s.has[ref+1], false)
		s.choker.Leave(s.now, s.peers[ref+1])
		s.settle()
	}
	if s.choker.owner != nil {
		t.Errorf("a table of %d pieces is kept without peers", len(s.choker.owner))
	}
	if p := s.join(4); len(p.promised) == 0 {
		t.Error("the next peer is promised nothing")
	}
}

// TestReservedAsksOnce: however many promises there are, it is worked out once for each peer
// whether it is stuck.
func TestReservedAsksOnce(t *testing.T) {
	s := newStage(t, Config{}, nil)
	p := s.join(1)
	for piece := range uint32(steerMax) {
		s.request(1, block.Ref{Piece: piece, Length: block.Size})
	}
	rates, rate := 0, s.choker.cfg.SentRate
	s.choker.cfg.SentRate = func(now time.Duration) int64 {
		rates++
		return rate(now)
	}
	s.choker.reserved()
	if rates > 1 {
		t.Errorf("the rate was worked out %d times for %d promises", rates, len(p.promised))
	}
}

// TestNoPromisesBesideAnotherSeed: nothing is promised while a peer has everything.
func TestNoPromisesBesideAnotherSeed(t *testing.T) {
	s := newStage(t, Config{}, nil)
	suggested := 0
	s.answers = func(step Step) {
		if step.Kind == Suggest {
			suggested++
		}
	}
	s.joinSilently(1)
	s.pick.AddPeer(bits.Full(pieces), true)
	s.choker.Knows(s.now, s.peers[1], bits.Full(pieces))
	s.settle()
	s.join(2)
	s.pass(idleHaste)
	if !s.peers[2].unchoked || suggested > 0 {
		t.Errorf("unchoked: %v, %d suggestions", s.peers[2].unchoked, suggested)
	}
}

// TestRequestsForWhatIsOut: while another peer gets blocks that nobody has, requests for
// pieces that are out wait for a while (17). Then they are served, unless others
// wait for a slot: these get it. Requests for what nobody has go first (15).
func TestRequestsForWhatIsOut(t *testing.T) {
	for _, c := range []struct {
		name    string
		drawing string
		pieces  []uint32 // that peer 1 asks for
		wait    time.Duration
		sent    []uint32 // pieces of the blocks that go out
		slot    bool     // peer 1 has its slot at the end
	}{
		{"they wait", "U i | U i p q", []uint32{common, common}, passOverMax / 2, nil, true},
		{"but not for long", "U i | U i p q", []uint32{common, common}, 2 * passOverMax,
			[]uint32{common, common}, true},
		{"or their peer makes room", "U i | U i p q | C i", []uint32{common, common},
			2 * passOverMax, nil, false},
		{"nobody else gets anything new", "U i | U i q", []uint32{common}, 0, []uint32{common},
			true},
		{"15: what nobody has goes first", "U i | U i q", []uint32{common, 5}, 0,
			[]uint32{5, common}, true},
		{"15: but not what others were promised and asked for", "U i | U i p q",
			[]uint32{unseen, 5}, 0, []uint32{5}, true},
		{"15: unless these have not asked", "U i | U i P q", []uint32{common, unseen}, 0,
			[]uint32{unseen, common}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := draw(t, "sole", c.drawing, 1)
			s.choker.slots = 2
			for _, p := range s.peers {
				if len(p.flying) > 0 { // of the piece that nobody has, if it was promised any
					p.flying[0].Piece = common
					if len(p.promised) > 0 && p.promised[0].asked {
						p.flying[0].Piece = unseen
					}
				}
			}
			var sent []uint32
			s.answers = func(step Step) {
				if step.Kind == Send && step.Peer == 1 {
					sent = append(sent, step.Block.Piece)
				}
			}
			p := s.peers[1]
			for _, piece := range c.pieces { // all at once
				r := block.Ref{Piece: piece, Length: block.Size}
				p.queue = append(p.queue, waiting{r, s.now})
			}
			s.choker.asked(p, c.pieces[0])
			s.now += c.wait
			s.choker.now = s.now
			s.peers[2].moved, s.choker.sentAt = s.now, s.now
			s.choker.pump(p)
			s.settle()
			if !slices.Equal(sent, c.sent) || p.unchoked != c.slot {
				t.Errorf("sent %v, has a slot: %v; want %v and %v", sent, p.unchoked, c.sent,
					c.slot)
			}
		})
	}
}
