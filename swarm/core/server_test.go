package core

import (
	"net/netip"
	"testing"
	"time"

	"swarmnode/swarm/block"
	"swarmnode/swarm/wire"
)

// A web server in the seat of a peer is asked for blocks in a row, over pieces,
// and for more than a peer that does not say how many it takes.
func TestServersAreAskedInRows(t *testing.T) {
	const pieces, size = 64, 1 << 20
	info := testInfo(pieces, size, pieces*size)
	now := time.Unix(1, 0)
	torrent := New(now, Config{InfoHash: info.Hash(), PeerID: [20]byte{1}, Limits: Limits{RequestsMax: 100_000}})
	var asked []block.Ref
	var verify []Event
	step := func(e Event) {
		torrent.Step(now, e)
		torrent.check()
		for _, a := range torrent.Actions(nil) {
			if a.Kind == Send && a.Msg.ID == wire.Request {
				asked = append(asked, a.Msg.Ref)
			}
			if a.Kind == Verify {
				verify = append(verify, Event{Kind: Verified, Ref: a.Ref})
			}
		}
	}
	step(Event{Kind: InfoReady, Info: info})
	hello := &wire.Hello{PeerID: [20]byte{2}, Reserved: wire.Reserved{}.With(wire.FeatureFast)}
	step(Event{Kind: Connected, Peer: 1, Hello: hello, Addr: netip.MustParseAddrPort("[100::7]:1"), Outgoing: true})
	step(Event{Kind: Received, Peer: 1, Msg: wire.Message{ID: wire.HaveAll}})
	step(Event{Kind: Received, Peer: 1, Msg: wire.Message{ID: wire.Unchoke}})
	if len(asked) != asksServer {
		t.Errorf("%d blocks are asked for to begin with, want %d", len(asked), asksServer)
	}
	rows, most := 1, 0
	for i := 0; i < len(asked) && i < pieces*size/block.Size/2; i++ {
		now = now.Add(10 * time.Microsecond)
		step(Event{Kind: ReceivedBlock, Peer: 1, Ref: asked[i]})
		for ; len(verify) > 0; verify = verify[1:] {
			step(verify[0])
		}
		most = max(most, len(asked)-i)
	}
	at := func(r block.Ref) int64 { return int64(r.Piece)*size + int64(r.Begin) }
	for i, r := range asked[1:] {
		if at(r) != at(asked[i])+block.Size {
			rows++
		}
	}
	if rows > 2 { // the end of the torrent breaks one
		t.Errorf("%d rows for half of the torrent", rows)
	}
	if most <= wire.ReqqDefault {
		t.Errorf("at most %d requests are out, as to a peer that does not say", most)
	}
}
