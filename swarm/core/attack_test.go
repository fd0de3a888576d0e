package core

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/wire"
)

// An attack is a download of many pieces with one seed, peer 1, that is about
// to misbehave.
type attack struct {
	*script
	actions []Action // that followed from the last step
	ref     PeerRef  // the last one, of tests that count them
}

func newAttack(t *testing.T, requests int) *attack {
	return newAttackWith(t, Config{Limits: Limits{RequestsMax: requests}})
}

// newAttackWith is newAttack on a torrent with some configuration.
func newAttackWith(t *testing.T, cfg Config) *attack {
	a := &attack{script: &script{t: t}}
	a.info = testInfo(64, block.Size, 64*block.Size)
	a.now = time.Unix(1_000_000, 0)
	cfg.InfoHash, cfg.PeerID, cfg.Seed = a.info.Hash(), [20]byte{'M'}, 1
	a.torrent = New(a.now, cfg)
	a.event(Event{Kind: InfoReady, Info: a.info})
	a.join(1)
	return a
}

// join connects one more seed that does not choke us.
func (a *attack) join(ref PeerRef) {
	hello := wire.Hello{InfoHash: a.info.Hash(), PeerID: [20]byte{'P', byte(ref)}}
	hello.Reserved = hello.Reserved.With(wire.FeatureFast)
	a.event(Event{Kind: Connected, Peer: ref, Endpoint: endpoint.IP(benchAddr(int(ref))),
		Hello: &hello})
	a.message(ref, wire.Message{ID: wire.HaveAll})
	a.message(ref, wire.Message{ID: wire.Unchoke})
}

func (a *attack) event(e Event) {
	a.torrent.Step(a.now, e)
	a.torrent.check()
	a.actions = a.torrent.Actions(nil)
}

func (a *attack) message(ref PeerRef, m wire.Message) {
	a.event(Event{Kind: Received, Peer: ref, Msg: m})
}

// wait lets time pass, and returns the actions that followed.
func (a *attack) wait(d time.Duration) (list []Action) {
	for end := a.now.Add(d); a.now.Before(end); {
		a.now = a.now.Add(min(end.Sub(a.now), time.Second))
		a.event(Event{Kind: Tick})
		list = append(list, a.actions...)
	}
	return list
}

func (a *attack) dropped(ref PeerRef) (Reason, bool) {
	d := dropped(a.actions, ref)
	if d == nil {
		return 0, false
	}
	return d.Reason, true
}

// open returns a request that peer 1 has not answered.
func (a *attack) open() (block.Ref, bool) {
	if p := a.torrent.peers.live(1); p != nil && len(p.ask.unanswered()) > 0 {
		return p.ask.unanswered()[0].ref, true
	}
	return block.Ref{}, false
}

func TestRejectsWhileChokingArePausedToo(t *testing.T) {
	a := newAttack(t, 0)
	asked := 0
	for range 1000 {
		a.message(1, wire.Message{ID: wire.Choke})
		for r, ok := a.open(); ok; r, ok = a.open() {
			a.message(1, wire.Message{ID: wire.Reject, Ref: r})
		}
		a.message(1, wire.Message{ID: wire.Unchoke})
		asked += len(sent(a.actions, wire.Request))
	}
	if asked > 2*refusedMax {
		t.Errorf("asked %d times", asked)
	}
	if asked = len(sent(a.wait(backoffLast), wire.Request)); asked == 0 {
		t.Error("never asked again")
	}
}

func TestBlockEndsThePause(t *testing.T) {
	a := newAttack(t, 0)
	late, _ := a.open()
	a.wait(snubAfter + 2*time.Second)
	if p := a.torrent.peers.live(1); !p.ask.snubbed || p.ask.live > 1 {
		t.Fatal("not snubbed")
	}
	a.event(Event{Kind: ReceivedBlock, Peer: 1, Ref: late})
	if p := a.torrent.peers.live(1); p.ask.live == 0 {
		t.Error("a peer that sends again is not asked again")
	}
}

func TestRequestsWithoutAnswerAreForgotten(t *testing.T) {
	a := newAttack(t, 0)
	for range 100 {
		a.wait(10 * time.Second)
		a.message(1, wire.Message{ID: wire.Interested}) // it is alive
		a.message(1, wire.Message{ID: wire.NotInterested})
	}
	p := a.torrent.peers.live(1)
	if p == nil {
		t.Fatal("dropped")
	}
	for _, o := range p.ask.unanswered() {
		if age := a.torrent.now - o.at; age > lostAfter+blockAfter {
			t.Errorf("a request is %v old", age)
		}
	}
}

func TestRequestsBudgetIsShared(t *testing.T) {
	const budget = 32
	a := newAttack(t, budget)
	for range 200 { // quick, so that it is asked for ever more
		r, ok := a.open()
		if !ok {
			break
		}
		a.event(Event{Kind: ReceivedBlock, Peer: 1, Ref: r})
		a.event(Event{Kind: Verified, Ref: block.Ref{Piece: r.Piece}})
		if p := a.torrent.peers.live(1); p != nil && p.ask.live > budget/2 {
			t.Fatalf("one peer is asked for %d of %d", p.ask.live, budget)
		}
	}
}

func TestBitfieldsAreNotTakenForEver(t *testing.T) {
	a := newAttack(t, 0)
	for i := range 100 {
		a.message(1, wire.Message{ID: []wire.ID{wire.HaveNone, wire.HaveAll}[i%2]})
		if why, ok := a.dropped(1); ok {
			if why != ReasonFlood || i < 10 {
				t.Errorf("dropped after %d: %v", i, why)
			}
			return
		}
	}
	t.Error("not dropped")
}

// A peer may announce each new piece by a whole bitfield, and the piece counts. A peer
// whose bitfields take pieces back, or tell nothing new, is dropped before long.
func TestBitfieldsThatGrow(t *testing.T) {
	const pieces = 64
	a := newAttack(t, 0)
	hello := wire.Hello{InfoHash: a.info.Hash(), PeerID: [20]byte{'P', 2}}
	a.event(Event{Kind: Connected, Peer: 2, Endpoint: endpoint.IP(benchAddr(2)), Hello: &hello})
	set := bits.New(pieces)
	tell := func() {
		a.message(2, wire.Message{ID: wire.Bitfield, Payload: set.AppendWire(nil)})
	}
	for piece := range pieces - 1 {
		set.Add(piece)
		tell()
		p := a.torrent.peers.live(2)
		if p == nil {
			t.Fatalf("dropped after %d bitfields", piece+1)
		}
		if got := p.has.set.Count(); got != piece+1 || p.has.useful != piece+1 {
			t.Errorf("%d pieces, %d useful, want %d", got, p.has.useful, piece+1)
		}
		if got := a.torrent.pick.Availability(uint32(piece)); got != 1 {
			t.Errorf("piece %d is with %d peers besides the seed, want 1", piece, got)
		}
	}
	for i := range 2 * pieces {
		if i%2 == 0 {
			set.Remove(i / 2)
		}
		tell()
		if why, ok := a.dropped(2); ok {
			if why != ReasonFlood || i < 10 {
				t.Errorf("dropped after %d: %v", i, why)
			}
			return
		}
	}
	t.Error("not dropped")
}

func TestPiecesOfOddLengthAreUnsolicited(t *testing.T) {
	a := newAttack(t, 0)
	for range strikesMax[strikeUnsolicited] + 1 {
		a.message(1, wire.Message{ID: wire.Piece, Ref: block.Ref{Length: 20_000}})
	}
	if why, ok := a.dropped(1); !ok || why != ReasonUnsolicited {
		t.Errorf("dropped %v: %v", ok, why)
	}
	if got := a.torrent.Snapshot().Waste[ReasonUnsolicited]; got < 300_000 {
		t.Errorf("wasted %d", got)
	}
}

// Peers that ask and do not read take no slots from peers that read.
func TestStuckPeersTakeNoSlots(t *testing.T) {
	a := newAttack(t, 0)
	info := a.info
	a.torrent = New(a.now, Config{InfoHash: info.Hash(), PeerID: [20]byte{'M'},
		Limits: Limits{SlotsMax: 12}})
	have := picture(strings.Repeat("x", info.Layout().Pieces()))
	a.event(Event{Kind: InfoReady, Info: info, Have: have})
	ask := func(ref PeerRef) {
		hello := wire.Hello{InfoHash: info.Hash(), PeerID: [20]byte{'P', byte(ref)}}
		a.event(Event{Kind: Connected, Peer: ref, Endpoint: endpoint.IP(benchAddr(int(ref))),
			Hello: &hello})
		a.message(ref, wire.Message{ID: wire.Interested})
	}
	const deaf = 20
	for ref := range PeerRef(deaf) {
		ask(ref + 1)
	}
	for range 60 {
		for ref := range PeerRef(deaf) {
			for i := range uint32(20) {
				a.message(ref+1, wire.Message{ID: wire.Request,
					Ref: block.Ref{Piece: i, Length: block.Size}})
			}
		}
		a.wait(time.Second)
	}
	ask(100)
	a.wait(100 * time.Millisecond)
	if !a.torrent.peers.live(100).slot.Unchoked() {
		t.Errorf("a newcomer that reads is not unchoked; %d are", a.torrent.choker.Unchoked())
	}
	if n := a.torrent.choker.Unchoked(); n > 12 {
		t.Errorf("%d are unchoked", n)
	}
}

// visit connects a peer that wants something, from an address.
func (a *attack) visit(ref PeerRef, addr string) {
	hello := wire.Hello{InfoHash: a.info.Hash(), PeerID: [20]byte{'V', byte(ref), byte(ref >> 8)}}
	hello.Reserved = hello.Reserved.With(wire.FeatureFast)
	a.event(Event{Kind: Connected, Peer: ref, Endpoint: endpoint.IP(netip.MustParseAddrPort(addr)),
		Hello: &hello})
	if _, ok := a.dropped(ref); !ok {
		a.message(ref, wire.Message{ID: wire.HaveAll})
		a.message(ref, wire.Message{ID: wire.Unchoke})
	}
}

// One address may have several connections, as long as nobody from elsewhere
// needs their places.
func TestConnectionsOfOneAddress(t *testing.T) {
	a := newAttackWith(t, Config{Limits: Limits{PeersMax: 6}})
	for i := range PeerRef(perSourceConnsMax) {
		a.visit(10+i, fmt.Sprintf("20.0.0.1:%d", 1000+i))
		if reason, ok := a.dropped(10 + i); ok {
			t.Fatalf("connection %d of a household was dropped: %v", i+1, reason)
		}
	}
	a.visit(20, "20.0.0.1:2000")
	if reason, ok := a.dropped(20); !ok || reason != ReasonDuplicate {
		t.Errorf("connection %d of one address: %v, dropped %v", perSourceConnsMax+1, reason, ok)
	}
	// Six places: peer 1, four of one address, and one more.
	for i, want := range []PeerRef{0, 13, 12, 11} {
		ref := PeerRef(30 + i)
		a.visit(ref, fmt.Sprintf("20.0.%d.1:1000", i+9))
		if reason, ok := a.dropped(ref); ok {
			t.Fatalf("newcomer %d was dropped: %v", i+1, reason)
		}
		if want != 0 && a.torrent.peers.live(want) != nil {
			t.Errorf("connection %d did not make room for newcomer %d", want, i+1)
		}
	}
	if a.torrent.peers.live(10) == nil {
		t.Error("the first connection of the address had to go")
	}
	a.visit(40, "20.0.2.1:1000")
	if reason, ok := a.dropped(40); !ok || reason != ReasonFull {
		t.Errorf("with only one connection of each address: %v, dropped %v, want that there is "+
			"no room", reason, ok)
	}
}

// A seed serves blocks of up to 32 KiB, rejects longer ones, and closes only on
// those that no client can be told to ask for.
func TestLengthsOfRequests(t *testing.T) {
	for _, c := range []struct {
		length  uint32
		served  bool
		strikes int
	}{
		{0, false, 1}, {1, true, 0}, {block.Size, true, 0}, {block.Size + 1, true, 0},
		{2 * block.Size, true, 0},
		{2*block.Size + 1, false, 0}, {64 << 10, false, 0}, {128 << 10, false, 0},
		{128<<10 + 1, false, 1},
		{1<<32 - 1, false, 1},
	} {
		a := &attack{script: &script{t: t}}
		a.info = testInfo(4, 256<<10, 4*256<<10)
		a.now = time.Unix(1_000_000, 0)
		a.torrent = New(a.now, Config{InfoHash: a.info.Hash(), PeerID: [20]byte{'M'}, Seed: 1})
		a.event(Event{Kind: InfoReady, Info: a.info, Have: bits.Full(4)})
		hello := wire.Hello{InfoHash: a.info.Hash(), PeerID: [20]byte{'P'}}
		hello.Reserved = hello.Reserved.With(wire.FeatureFast)
		a.event(Event{Kind: Connected, Peer: 1, Endpoint: endpoint.IP(benchAddr(1)), Hello: &hello})
		a.message(1, wire.Message{ID: wire.HaveNone})
		a.message(1, wire.Message{ID: wire.Interested})
		r := block.Ref{Piece: 1, Length: c.length}
		a.message(1, wire.Message{ID: wire.Request, Ref: r})
		var served, rejected bool
		for _, action := range a.actions {
			served = served || action.Kind == Upload && action.Ref == r
			rejected = rejected || action.Kind == Send && action.Msg.ID == wire.Reject &&
				action.Msg.Ref == r
		}
		if served != c.served || rejected == c.served {
			t.Errorf("%d bytes: served %v, rejected %v, want served %v", c.length, served, rejected,
				c.served)
		}
		if got := a.torrent.peers.live(1).trust.strikes[strikeRequest]; got != c.strikes {
			t.Errorf("%d bytes: %d strikes, want %d", c.length, got, c.strikes)
		}
	}
}

// A super-seed does not say that it wants nothing while it shows few pieces:
// libtorrent would hang up. It does when it shows them all.
func TestSuperSeedTellsUploadOnlyLate(t *testing.T) {
	a := &attack{script: &script{t: t}}
	a.info = testInfo(4, block.Size, 4*block.Size)
	a.now = time.Unix(1_000_000, 0)
	a.torrent = New(a.now, Config{InfoHash: a.info.Hash(), PeerID: [20]byte{'M'}, Seed: 1,
		SuperSeed: true})
	a.event(Event{Kind: InfoReady, Info: a.info, Have: bits.Full(4)})
	told := func() (handshakes, messages int) {
		for _, action := range a.actions {
			if action.Kind != Send || action.Msg.ID != wire.Extended {
				continue
			}
			switch action.Msg.Ext {
			case wire.ExtHandshakeNumber:
				if h, err := wire.ParseExtHandshake(action.Msg.Payload); err != nil ||
					h.UploadOnly {
					handshakes++
				}
			case uint8(wire.ExtUploadOnly):
				messages++
			}
		}
		return handshakes, messages
	}
	for ref := PeerRef(1); ref <= 2; ref++ {
		hello := wire.Hello{InfoHash: a.info.Hash(), PeerID: [20]byte{'P', byte(ref)}}
		hello.Reserved = hello.Reserved.With(wire.FeatureFast).With(wire.FeatureExtension)
		a.event(Event{Kind: Connected, Peer: ref, Endpoint: endpoint.IP(benchAddr(int(ref))),
			Hello: &hello})
		if n, m := told(); n+m > 0 {
			t.Error("it says so in its first words")
		}
		ours := wire.ExtHandshake{Extensions: wire.OurExtensions(wire.ExtUploadOnly)}
		a.message(ref, extendedMessage(wire.AppendExtHandshake(nil, ours)))
		a.message(ref, wire.Message{ID: wire.HaveNone})
	}
	for piece := range uint32(4) {
		if n, m := told(); n+m > 0 {
			t.Errorf("it says so when %d pieces are with others", piece)
		}
		a.message(1, wire.Message{ID: wire.Have, Ref: block.Ref{Piece: piece}})
	}
	if _, m := told(); m == 0 {
		t.Error("it does not say so when all pieces are with others")
	}
}

func extendedMessage(payload []byte) wire.Message {
	return wire.Message{ID: wire.Extended, Ext: wire.ExtHandshakeNumber, Payload: payload}
}
