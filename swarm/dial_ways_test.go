package swarm

import (
	"net/netip"
	"slices"
	"testing"

	"swarmnode/swarm/endpoint"
)

// TestFirstTry: what worked with a peer comes first. Of others uTP is tried first behind a
// router that lets nobody in, and by uploads that TCP would fill the uplink with.
func TestFirstTry(t *testing.T) {
	const unknown = endpoint.TransportUnknown
	for _, tt := range []struct {
		name string
		in   firstTry
		want endpoint.Transport
	}{
		{"a downloader", firstTry{polite: true}, unknown},
		{"a seed, held", firstTry{done: true, polite: true, held: true}, unknown},
		{"a seed that cannot be held", firstTry{done: true, polite: true}, byUTP},
		{"the same, to a neighbour", firstTry{done: true, polite: true, local: true}, unknown},
		{"the same, TCP worked", firstTry{done: true, polite: true, worked: byTCP}, byTCP},
		{"the same, --no-polite", firstTry{done: true}, unknown},
		{"a sheltered downloader", firstTry{sheltered: true, polite: true, held: true}, byUTP},
		{"and a seed", firstTry{sheltered: true, done: true, polite: true, held: true}, byUTP},
		{"sheltered, TCP worked", firstTry{sheltered: true, worked: byTCP}, byTCP},
		{"sheltered, to the local network", firstTry{sheltered: true, local: true}, unknown},
		{"uTP worked", firstTry{worked: byUTP, polite: true, held: true}, byUTP},
	} {
		if got := tt.in.transport(); got != tt.want {
			t.Errorf("%s: %v first, want %v", tt.name, got, tt.want)
		}
	}
}

// TestOrdered: the ways have their own order, but for the one that is first. A way that does
// not lead to the peer is left out, also if it would be first.
func TestOrdered(t *testing.T) {
	const unknown = endpoint.TransportUnknown
	elsewhere := netip.MustParseAddr("60.0.0.2")
	tcp, utp := &fakeWay{over: byTCP}, &fakeWay{over: byUTP}
	for _, tt := range []struct {
		name  string
		ways  []way
		first endpoint.Transport
		want  []way
	}{
		{"nothing is known", []way{tcp, utp}, unknown, []way{tcp, utp}},
		{"TCP first", []way{tcp, utp}, byTCP, []way{tcp, utp}},
		{"uTP first", []way{tcp, utp}, byUTP, []way{utp, tcp}},
		{"uTP first, without uTP", []way{tcp}, byUTP, []way{tcp}},
		{"uTP first, which leads elsewhere", []way{tcp, &fakeWay{over: byUTP, only: elsewhere}},
			byUTP, []way{tcp}},
	} {
		to := endpoint.IP(netip.MustParseAddrPort("60.0.0.1:6881"))
		if got := ordered(tt.ways, to, tt.first); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
