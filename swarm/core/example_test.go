package core_test

import (
	"fmt"
	"net/netip"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/block"
	"swarmnode/swarm/core"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/wire"
)

// A seed connects and is asked for the two blocks of a torrent of one piece. Its driver is
// this function: it tells the torrent what happens, and prints what the torrent wants to be
// done.
func Example() {
	info, err := metainfo.ParseInfo([]byte("d6:lengthi32768e4:name4:file" +
		"12:piece lengthi32768e6:pieces20:01234567890123456789e"))
	if err != nil {
		panic(err)
	}
	now := time.Unix(1_000_000, 0)
	t := core.New(now, core.Config{InfoHash: info.Hash(), PeerID: [20]byte{'u', 's'}, Seed: 1})
	step := func(what string, e core.Event) {
		t.Step(now, e)
		fmt.Println(what)
		for _, a := range t.Actions(nil) {
			switch a.Kind {
			case core.WantPeers:
				fmt.Println("-> look for peers")
			case core.Send:
				fmt.Println("->", a.Msg.ID)
			case core.Store:
				fmt.Println("-> store", a.Ref)
			case core.Verify:
				fmt.Println("-> verify piece", a.Ref.Piece)
			case core.Complete:
				fmt.Println("-> complete")
			case core.Drop:
				fmt.Println("-> hang up:", a.Reason)
			}
		}
	}

	step("metadata is known", core.Event{Kind: core.InfoReady, Info: info})
	const seed = core.PeerRef(1)
	hello := wire.Hello{InfoHash: info.Hash(), PeerID: [20]byte{'h', 'e', 'r'}}
	hello.Reserved = hello.Reserved.With(wire.FeatureFast)
	step("a peer connects", core.Event{Kind: core.Connected, Peer: seed, Hello: &hello,
		Endpoint: endpoint.IP(netip.MustParseAddrPort("192.0.2.1:6881"))})
	say := func(id wire.ID) {
		step("it says "+id.String(), core.Event{Kind: core.Received, Peer: seed,
			Msg: wire.Message{ID: id}})
	}
	say(wire.HaveAll)
	say(wire.Unchoke)
	for begin := uint32(0); begin < 2*block.Size; begin += block.Size {
		step("it sends a block", core.Event{Kind: core.ReceivedBlock, Peer: seed,
			Ref: block.Ref{Begin: begin, Length: block.Size}})
	}
	step("the piece is verified", core.Event{Kind: core.Verified})
	fmt.Println(t.Snapshot().State)
	// Output:
	// metadata is known
	// -> look for peers
	// a peer connects
	// -> have none
	// it says have all
	// -> interested
	// it says unchoke
	// -> request
	// -> request
	// it sends a block
	// -> store 0+0:16384
	// it sends a block
	// -> store 0+16384:16384
	// -> verify piece 0
	// the piece is verified
	// -> have
	// -> not interested
	// -> complete
	// -> hang up: useless
	// seeding
}
