package core

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
	"swarmnode/swarm/choke"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/picker"
	"swarmnode/swarm/wire"
)

// A bench holds requests without a torrent: a picker, some peers, an outbox.
type bench struct {
	t      *testing.T
	out    outbox
	timers timers
	peers  peerTable
	choker *choke.Choker
	layout *metainfo.Layout
	pick   *picker.Picker
	closed bool // nothing may be asked for
	requests
}

// newBench returns requests of a torrent with pieces of a number of blocks each. At most
// most blocks may be waited for.
func newBench(t *testing.T, pieces, blocks, most int) *bench {
	size := blocks * block.Size
	info := testInfo(pieces, size, int64(pieces*size))
	b := &bench{t: t, timers: newTimers(), peers: newPeerTable(), layout: info.Layout()}
	b.pick = picker.New(piecesOf{b.layout}, nil, rand.New(rand.NewPCG(1, 2)))
	b.pick.SetSequential(true)
	b.choker = choke.New(choke.Config{SlotsMax: 4, Rand: rand.New(rand.NewPCG(1, 2))})
	b.requests = requests{peers: &b.peers, out: &b.out, timers: &b.timers, max: most,
		may:   func() bool { return !b.closed },
		among: func(have *bits.Set) *bits.Set { return have }}
	b.requests.open(b.pick, b.layout)
	return b
}

// join adds a peer, which has the pieces that a picture shows: x for one that it has.
// It has proved itself, and chokes us until it unchokes.
func (b *bench) join(has string) *peer {
	ref := len(b.peers.list) + 1
	p := newPeer(&Event{Peer: PeerRef(ref), Endpoint: endpoint.IP(netip.AddrPortFrom(
		netip.AddrFrom4([4]byte{10, byte(ref), 0, 1}), 6881))}, limit.Home{}, 0)
	p.fast = true
	p.slot = b.choker.Join(0, choke.Ref(ref), true, (*uploadLink)(p))
	b.peers.add(p)
	p.has.replace(&wire.Message{ID: wire.Bitfield, Payload: picture(has).AppendWire(nil)})
	if !p.has.enter(b.pick) {
		b.t.Fatal("the pieces of a peer do not fit")
	}
	p.has.turn()
	p.trust.proven = true
	return p
}

// want fails the test unless these are the messages since the last call.
func (b *bench) want(why string, want ...string) {
	b.t.Helper()
	if got := shown(&b.out); strings.Join(got, ", ") != strings.Join(want, ", ") {
		b.t.Errorf("%s: %q, want %q", why, got, want)
	}
	b.requests.check()
}

func (b *bench) answer(p *peer, piece, index uint32, now time.Duration) {
	b.t.Helper()
	if waited, asked := b.answered(p, blockIn(piece, index), now); !waited || !asked {
		b.t.Errorf("block %d.%d was not waited for", piece, index)
	}
	b.pick.Received(picker.Block{Piece: piece, Index: index}, uint32(p.ref))
}

func TestRequestsFollowAnUnchoke(t *testing.T) {
	b := newBench(t, 2, 2, 64)
	p := b.join("xx")
	b.refill(p, 0)
	b.want("a peer that chokes us")
	if !b.requests.unchoked(p, 0) || b.requests.unchoked(p, 0) {
		t.Error("an unchoke is news once")
	}
	b.want("an unchoke", "1 <- request 0.0", "1 <- request 0.1", "1 <- request 1.0",
		"1 <- request 1.1")
	if b.count() != 4 || p.ask.waiting() != 4 {
		t.Errorf("%d requests, %d of the peer, want 4", b.count(), p.ask.waiting())
	}
}

// What a peer may not be asked for, and why.
func TestRequestsNeedAReason(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(b *bench, p *peer)
	}{
		{"it is gone", func(b *bench, p *peer) { p.gone = true }},
		{"nothing may be stored", func(b *bench, p *peer) { b.closed = true }},
		{"it pauses", func(b *bench, p *peer) { p.ask.until = time.Second }},
		{"its first piece is being verified", func(b *bench, p *peer) { p.trust.awaited = true }},
		{"it has nothing for us", func(b *bench, p *peer) { p.has.interesting = false }},
		{"it takes no requests", func(b *bench, p *peer) { p.ext.reqq = 0 }},
		{"the budget is used up", func(b *bench, p *peer) { b.max = 0 }},
		{"it chokes us", func(b *bench, p *peer) { p.ask.choking = true }},
	} {
		b := newBench(t, 2, 2, 64)
		p := b.join("xx")
		p.ask.choking = false
		c.set(b, p)
		b.refill(p, 0)
		b.want(c.name)
	}
}

// While a peer chokes us it may let us ask for some pieces (BEP 6, "Allowed Fast").
func TestRequestsWhileChoked(t *testing.T) {
	b := newBench(t, 3, 1, 64)
	p := b.join("xxx")
	p.fastx.allowed = []uint32{2}
	b.refill(p, 0)
	b.want("an allowed piece", "1 <- request 2.0")
	if !b.rejected(p, blockIn(2, 0), 1) || len(p.fastx.mayAsk()) != 0 {
		t.Error("a reject does not take the leave back")
	}
	b.refill(p, time.Second)
	b.want("a leave that was taken back")
}

// A peer on probation fetches one piece alone; one that a web server gives is asked for
// in a row.
func TestRequestsOnProbation(t *testing.T) {
	b := newBench(t, 4, 2, 64)
	p := b.join("xxxx")
	p.trust.proven = false
	b.requests.unchoked(p, 0)
	b.want("a new peer", "1 <- request 0.0", "1 <- request 0.1")
}

// Nobody gets more than half of what is left of the budget, but all get something.
func TestRequestsShareTheBudget(t *testing.T) {
	b := newBench(t, 64, 1, 16)
	var counts []int
	for range 5 {
		p := b.join(strings.Repeat("x", 64))
		b.requests.unchoked(p, 0)
		counts = append(counts, p.ask.waiting())
	}
	if want := []int{8, 4, 4, 0, 0}; !slices.Equal(counts, want) {
		t.Errorf("the peers are asked for %v blocks, want %v", counts, want)
	}
	b.requests.check()
}

// A block that was asked of two peers is taken back from the other one.
func TestRequestsCancel(t *testing.T) {
	b := newBench(t, 1, 2, 64)
	p := b.join("x")
	b.requests.unchoked(p, 0)
	b.want("the requests", "1 <- request 0.0", "1 <- request 0.1")
	b.cancelBlock(p.ref, blockIn(0, 1), time.Second)
	b.want("one is taken back", "1 <- cancel 0.1")
	b.cancelBlock(p.ref, blockIn(0, 1), time.Second)
	b.cancelBlock(99, blockIn(0, 0), time.Second)
	b.want("one that was taken back already, and one of a peer that is not there")
	if waited, asked := b.answered(p, blockIn(0, 1), time.Second); waited || !asked {
		t.Error("the answer to a cancelled request is unsolicited, or waited for")
	}
	if waited, asked := b.answered(p, blockIn(0, 1), time.Second); waited || asked {
		t.Error("a block is the answer to two requests")
	}
}

func TestRequestsOfAPieceAreCancelled(t *testing.T) {
	b := newBench(t, 3, 1, 64)
	p := b.join("xxx")
	b.requests.unchoked(p, 0)
	b.want("the requests", "1 <- request 0.0", "1 <- request 1.0", "1 <- request 2.0")
	b.cancelPiece(1, 1)
	b.want("a piece", "1 <- cancel 1.0")
	b.withdraw(p, 0, 1, 1)
	b.want("a file", "1 <- cancel 0.0")
	if b.pick.State(0) != picker.Wanted {
		t.Errorf("the piece is %v, want wanted: others may be asked for it", b.pick.State(0))
	}
	b.halt(1)
	b.want("storage failed", "1 <- cancel 2.0")
	if b.count() != 0 {
		t.Errorf("%d requests are left, want none", b.count())
	}
}

// Without BEP 6 a choke drops all requests, with it a peer rejects what it drops.
func TestRequestsEndWithAChoke(t *testing.T) {
	for _, fast := range []bool{false, true} {
		b := newBench(t, 2, 1, 64)
		p := b.join("xx")
		p.fast = fast
		b.requests.unchoked(p, 0)
		if !b.choked(p, 0) || b.choked(p, 0) {
			t.Error("a choke is news once")
		}
		want := 0
		if fast {
			want = 2
		}
		if b.count() != want {
			t.Errorf("BEP 6 %v: %d requests after a choke, want %d", fast, b.count(), want)
		}
		b.requests.check()
	}
}

// A peer that leaves takes its requests with it, and others get them at once.
func TestRequestsOfAPeerThatLeaves(t *testing.T) {
	b := newBench(t, 2, 1, 64)
	p := b.join("xx")
	q := b.join("xx")
	b.requests.unchoked(p, 0)
	b.requests.unchoked(q, 0)
	b.want("all are asked of the first", "1 <- request 0.0", "1 <- request 1.0")
	b.peers.unlist(p)
	b.requests.leave(p, time.Second)
	if at := b.timers.next(); at != time.Second+0 {
		t.Errorf("the others are looked at after %v, want at once", at)
	}
	b.refillAll(time.Second)
	b.want("the other peer", "2 <- request 0.0", "2 <- request 1.0")
	b.refillSoon(time.Second)
	if at := b.timers.next(); at != time.Second && at != time.Second+refillEvery {
		t.Errorf("the next round is at %v, want %v after the last", at, refillEvery)
	}
}

// Late requests are asked elsewhere, and are welcome when they come all the same.
func TestRequestsThatAreLate(t *testing.T) {
	b := newBench(t, 1, 2, 64)
	p := b.join("x")
	b.requests.unchoked(p, 0)
	b.want("the requests", "1 <- request 0.0", "1 <- request 0.1")
	b.answer(p, 0, 0, 15*time.Second)
	b.sweep(p, blockAfter)
	if p.ask.picture() != "0.1* 1" {
		t.Errorf("after %v: %s, want the request live", blockAfter, p.ask.picture())
	}
	p.trust.awaited = true // it gets nothing else meanwhile
	b.sweep(p, blockAfter+1)
	if p.ask.picture() != "0.1- 0" {
		t.Errorf("a moment later: %s, want it asked elsewhere", p.ask.picture())
	}
	b.requests.unchoked(b.join("x"), blockAfter+1)
	b.want("another peer is asked", "2 <- request 0.1")
	if waited, asked := b.answered(p, blockIn(0, 1), blockAfter+2); waited || !asked {
		t.Error("the late block is not welcome")
	}
}

// A peer that was late with a request, and has room again, is not sent it twice.
func TestRequestsThatLiveAgain(t *testing.T) {
	b := newBench(t, 1, 1, 64)
	p := b.join("x")
	b.requests.unchoked(p, 0)
	b.want("the request", "1 <- request 0.0")
	p.ask.moved = blockAfter // something else has come
	b.sweep(p, blockAfter+1)
	b.want("the request lives on")
	if p.ask.picture() != "0.0* 1" || !p.ask.unanswered()[0].revived {
		t.Errorf("%s, want it revived", p.ask.picture())
	}
}

// A peer that sends no block at all is snubbed: all is asked elsewhere, and it gets one
// request after a pause.
func TestRequestsOfAPeerThatSendsNothing(t *testing.T) {
	b := newBench(t, 4, 1, 64)
	p := b.join("xxxx")
	b.requests.unchoked(p, 0)
	b.sweep(p, snubAfter)
	if p.ask.snubs() {
		t.Error("the peer is snubbed too early")
	}
	b.sweep(p, snubAfter+1)
	if !p.ask.snubs() || b.count() != 0 {
		t.Errorf("%d requests are left to a peer that sends nothing, want none", b.count())
	}
	b.sweep(p, snubAfter+backoffFirst)
	if b.count() != 0 {
		t.Error("it is asked again before its pause is over")
	}
	b.sweep(p, snubAfter+1+backoffFirst)
	if b.count() != 1 {
		t.Errorf("%d requests after the pause, want 1", b.count())
	}
	b.requests.check()
}

// Of a piece with a deadline a block is asked elsewhere much sooner.
func TestRequestsThatAreUrgent(t *testing.T) {
	b := newBench(t, 2, 1, 64)
	p := b.join("xx")
	b.requests.unchoked(p, 0)
	b.answer(p, 0, 0, urgentAfter)
	b.pick.SetDeadlines(maps.All(map[uint32]time.Duration{1: 3 * time.Second}))
	b.sweep(p, urgentAfter)
	if p.ask.unanswered()[0].revived {
		t.Error("the urgent block is asked elsewhere too early")
	}
	b.sweep(p, urgentAfter+1)
	if !p.ask.unanswered()[0].revived {
		t.Error("the urgent block is not asked elsewhere")
	}
}

// A peer that is much slower than another one is overtaken in the endgame.
func TestRequestsOvertake(t *testing.T) {
	for _, c := range []struct {
		slow, quick int // KiB per second
		overtaken   bool
	}{
		{1, 1000, true}, {1000, 1000, false}, {400, 1000, false},
	} {
		b := newBench(t, 1, 4, 64)
		p, q := b.join("x"), b.join("x")
		now := 10 * time.Second
		for s := range 10 {
			at := time.Duration(s) * time.Second
			p.down.add(at, c.slow<<10)
			q.down.add(at, c.quick<<10)
		}
		b.requests.unchoked(p, now)
		shown(&b.out)
		b.requests.unchoked(q, now)
		if got := q.ask.waiting() > 0; got != c.overtaken {
			t.Errorf("%d KiB/s against %d: overtaken %v, want %v", c.slow, c.quick, got,
				c.overtaken)
		}
		b.requests.check()
	}
}

// How much slower a peer must be: more than twice as slow, and a second for the cancel;
// twice that each time a piece has changed hands; and a silent peer is taken to stay silent.
func TestSlower(t *testing.T) {
	b := newBench(t, 1, 4, 64)
	me, other := b.join("x"), b.join("x")
	b.begin(10 * time.Second)
	b.round.asking = me
	for s := range 10 {
		me.down.add(time.Duration(s)*time.Second, 64*block.Size)
		other.down.add(time.Duration(s)*time.Second, 16*block.Size)
	}
	for _, c := range []struct {
		theirBlocks, myBlocks, patience int
		want                            bool
	}{
		{16, 16, 1, false},   // 1 s against 0.25 s
		{64, 64, 1, true},    // 4 s against 1 s
		{64, 64, 2, false},   // which is less than 2*2*1 s and a second
		{640, 640, 1, true},  // 40 s against 10 s
		{640, 640, 2, false}, // which is less than 2*2*10 s and a second
		{64, 640, 1, false},  // 4 s against 10 s
	} {
		if got := b.slower(other, c.theirBlocks, c.myBlocks, c.patience); got != c.want {
			t.Errorf("%+v: slower %v", c, got)
		}
	}
	silent := b.join("x")
	silent.ask.moved = b.round.now - time.Second
	if !b.slower(silent, 1, 1, 1) {
		t.Error("a peer that has been silent for a second is not expected to stay so")
	}
	silent.ask.moved = b.round.now
	if b.slower(silent, 1, 1, 1) {
		t.Error("a peer that sent a block just now counts as silent")
	}
}

// A seed is spared while others can give what is not rare.
func TestRequestsSpareASeed(t *testing.T) {
	b := newBench(t, 3, 1, 64)
	seed := b.join("xxx")
	leech := b.join("xx.")
	leech.ask.choking = false
	b.requests.unchoked(seed, 0)
	b.want("only what nobody else has", "1 <- request 2.0")
	leech.ask.choking = true
	b.refill(seed, 0)
	b.want("nobody else answers", "1 <- request 0.0", "1 <- request 1.0")
}

func TestBlockNames(t *testing.T) {
	layout := testInfo(2, 2*block.Size, 3*block.Size+5).Layout()
	for _, c := range []struct {
		piece, index uint32
		want         string
	}{
		{0, 0, "0+0 16384"}, {0, 1, "0+16384 16384"}, {1, 0, "1+0 16384"}, {1, 1, "1+16384 5"},
	} {
		b := picker.Block{Piece: c.piece, Index: c.index}
		r := blockRef(layout, b)
		if got := fmt.Sprintf("%d+%d %d", r.Piece, r.Begin, r.Length); got != c.want {
			t.Errorf("block %d.%d is %s, want %s", c.piece, c.index, got, c.want)
		}
		if blockOf(r) != b {
			t.Errorf("block %d.%d comes back as %v", c.piece, c.index, blockOf(r))
		}
	}
}
