package core

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"swarmnode/swarm/book"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/wire"
)

// peers writes down what is shown of the connections and the pieces.
func (s *script) peers() {
	for _, p := range s.torrent.Peers(s.now, nil) {
		fmt.Fprintf(&s.out, "  %d has %d, asked for %d, waits for %d: %v\n", p.Peer, p.Pieces,
			p.Asked, p.Queued, p.Wait)
	}
	if info := s.torrent.PiecesInfo(); info.Have != nil {
		fmt.Fprintf(&s.out, "  available %v, in flight %v\n", info.Availability, info.InFlight)
	}
}

// Every wait has a sentence of its own.
func TestWaitNames(t *testing.T) {
	seen := make(map[string]bool)
	for w := range waitCount + 1 {
		if w.String() == "" || seen[w.String()] {
			t.Errorf("%d is %q", w, w)
		}
		seen[w.String()] = true
	}
}

// What is shown of a connection follows what happens on it.
func TestPeerInfo(t *testing.T) {
	now := time.Unix(100, 0)
	info := testInfo(4, 2*16384, 4*2*16384)
	tor := New(now, Config{InfoHash: info.Hash(), PeerID: [20]byte{1}})
	step := func(e Event) []Action {
		tor.Step(now, e)
		return tor.Actions(nil)
	}
	peers := func() []PeerInfo { return tor.Peers(now, nil) }
	step(Event{Kind: InfoReady, Info: info})
	if len(peers()) != 0 {
		t.Errorf("without peers: %+v", peers())
	}
	at := endpoint.IP(netip.MustParseAddrPort("9.8.7.6:5"))
	step(Event{Kind: Found, Endpoint: at, Source: book.SourceLSD})
	hello := &wire.Hello{PeerID: [20]byte{'-', 'x'},
		Reserved: wire.Reserved{}.With(wire.FeatureFast).With(wire.FeatureExtension)}
	step(Event{Kind: Connected, Peer: 1, Endpoint: at, Hello: hello, Outgoing: true,
		Encrypted: true})
	step(Event{Kind: Connected, Peer: 2,
		Endpoint: endpoint.IP(netip.MustParseAddrPort("9.8.7.5:6")),
		Hello:    &wire.Hello{PeerID: [20]byte{'y'}, Reserved: hello.Reserved}})
	now = now.Add(3 * time.Second)
	step(Event{Kind: Received, Peer: 1, Msg: wire.Message{ID: wire.HaveAll}})
	step(Event{Kind: Received, Peer: 1, Msg: wire.Message{ID: wire.Extended,
		Ext:     wire.ExtHandshakeNumber,
		Payload: []byte("d1:pi7777e11:upload_onlyi1e1:v6:Client e")}})
	p := peers()
	one, two := p[0], p[1]
	if one.Peer != 1 || one.Endpoint != at || one.Listen != at || one.Source != book.SourceLSD ||
		one.ID != hello.PeerID || one.Client != "Client" || !one.Outgoing || !one.Encrypted ||
		!one.Seed || !one.UploadOnly || !one.Choking || !one.Interesting || one.Pieces != 4 ||
		one.Age != 3*time.Second || one.LastDown >= 0 || one.LastUp >= 0 ||
		one.Wait != WaitUnchoke {
		t.Errorf("the first: %+v", one)
	}
	if two.Source != book.SourceIncoming || two.Outgoing || two.Encrypted || two.Seed ||
		two.Listen.IsValid() || two.Interesting || two.Wait != WaitPieces {
		t.Errorf("the second: %+v", two)
	}
	var asked []Event
	for _, a := range step(Event{Kind: Received, Peer: 1, Msg: wire.Message{ID: wire.Unchoke}}) {
		if a.Kind == Send && a.Msg.ID == wire.Request {
			asked = append(asked, Event{Kind: ReceivedBlock, Peer: 1, Ref: a.Msg.Ref})
		}
	}
	if one := peers()[0]; one.Asked != len(asked) || one.Asked == 0 || one.Wait != WaitNone {
		t.Errorf("unchoked: %+v", one)
	}
	now = now.Add(time.Second)
	step(asked[0])
	now = now.Add(time.Second)
	if one := peers()[0]; one.Down != 16384 || one.LastDown != time.Second || one.DownRate == 0 ||
		one.LastUp >= 0 {
		t.Errorf("after a block: %+v", one)
	}
}
