package reach

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

// One network changes nothing, whatever it says and however often: neither at the start, nor
// later, nor while honest voters are few.
func TestOneLiarChangesNothing(t *testing.T) {
	honest := map[Mapping]func(i int) netip.AddrPort{
		EndpointIndependent: func(int) netip.AddrPort { return address("50.0.0.1:7") },
		AddressDependent: func(i int) netip.AddrPort {
			return netip.AddrPortFrom(netip.MustParseAddr("50.0.0.1"), uint16(2000+17*i))
		},
	}
	lies := []netip.AddrPort{address("99.0.0.1:7"), address("50.0.0.1:9"), address("99.0.0.2:8"),
		address("50.0.0.1:1")}
	for mapping, honestly := range honest {
		for seed := range uint64(50) {
			rng := rand.New(rand.NewPCG(seed, 1))
			truth, lied := newStage(t), newStage(t)
			truth.at(home)
			lied.at(home)
			for i := range 40 {
				o := Seen{By: voter(i), As: honestly(i), Via: DHT}
				truth.m.Observe(truth.now, o)
				lied.m.Observe(lied.now, o)
				for range rng.IntN(20) {
					liar := netip.AddrFrom4([4]byte{66, 6, 6, byte(rng.IntN(256))})
					lie := lies[rng.IntN(len(lies))]
					lied.m.Observe(lied.now, Seen{By: liar, As: lie, Via: DHT})
				}
				is, want := lied.m.Standing(), truth.m.Standing()
				wrong := is.External4.IsValid() && is.External4.Addr() != honestly(0).Addr() ||
					is.Mapping != mapping && is.Mapping != MappingUnknown
				// The liar may keep us from knowing for a few answers.
				if wrong || i >= 6 && !is.Equal(want) {
					t.Fatalf("%v, seed %d, after %d honest voters: %+v, want %+v", mapping, seed,
						i+1, is, want)
				}
			}
		}
	}
}

// Two networks do not undo what many have said.
func TestTwoLiarsUndoNothing(t *testing.T) {
	s := newStage(t)
	s.at(home)
	for i := range 20 {
		s.m.Observe(s.now, Seen{By: voter(i), As: address("50.0.0.1:7"), Via: DHT})
	}
	want := s.m.Standing()
	for i := range 1000 {
		liar := voter(5000 + i%2)
		s.m.Observe(s.now, Seen{By: liar, As: address("99.0.0.1:7"), Via: DHT})
	}
	if is := s.m.Standing(); !is.Equal(want) {
		t.Errorf("became %+v, want %+v", is, want)
	}
}

// Only hosts of the internet can say how it sees us, and only of the family that they see.
func TestForeignVotesAreIgnored(t *testing.T) {
	s := newStage(t)
	s.at(home)
	for i := range 20 {
		local := netip.AddrFrom4([4]byte{10, byte(i), 0, 1})
		for _, o := range []Seen{
			{By: local, As: address("50.0.0.1:7")},
			{By: voter(i), As: address("10.0.0.1:7")},
			{By: voter(i), As: address("100.64.0.1:7")},
			{By: voter(i), As: address("127.0.0.1:7")},
			{By: voter(i), As: address("240.0.0.1:7")},
			{By: voter(i), As: address("[2a01::1]:7")},
			{By: voter6(i), As: address("50.0.0.1:7")},
			{By: voter(i)}, {As: address("50.0.0.1:7")}, {},
		} {
			if s.m.Observe(s.now, o) {
				t.Errorf("%+v has changed something", o)
			}
		}
	}
}

// Who comes from a local network, from behind our own NAT, or from this machine proves
// nothing.
func TestNeighboursProveNothing(t *testing.T) {
	s := newStage(t)
	own := netip.MustParseAddr("51.0.0.9")
	s.at(home, own)
	s.do(same)
	for _, from := range []string{"192.168.1.7:1", "10.0.0.1:1", "100.64.7.7:1", "127.0.0.1:1",
		"50.0.0.1:4000", "51.0.0.9:1", "[fe80::1]:1", "0.0.0.0:0"} {
		for _, via := range []Via{DHT, UTP, TCP} {
			if s.m.Observe(s.now, Came{From: netip.MustParseAddrPort(from), Via: via}) {
				t.Errorf("%s over %v has changed something: %v", from, via, s.m.Standing())
			}
		}
	}
	s.m.Observe(s.now, Came{})
	mapped := netip.MustParseAddrPort("[::ffff:70.0.0.1]:1")
	if !s.m.Observe(s.now, Came{From: mapped, Via: UTP}) || s.m.Standing().UTP != Open {
		t.Errorf("a host outside is not seen: %v", s.m.Standing())
	}
}

// Floods of observations are bounded in memory, and cost next to nothing.
func TestFloods(t *testing.T) {
	s := newStage(t)
	s.at(home)
	s.do(same + "udp")
	for i := range 5000 {
		s.m.Observe(s.now, Seen{By: voter(i), As: netip.AddrPortFrom(voter(i*7), 9), Via: DHT})
	}
	for _, f := range s.m.families {
		if len(f.election.votes) > votersMax || cap(f.election.votes) > 2*votersMax {
			t.Errorf("%d votes are kept, in room for %d", len(f.election.votes),
				cap(f.election.votes))
		}
	}
	many := make([]MappedPort, 1000)
	relays := make([]netip.AddrPort, 1000)
	s.m.Observe(s.now, Mappings{Ports: many})
	s.m.Observe(s.now, Relayed{Addrs: relays})
	if len(s.m.mappings.Ports) > mappingsMax || len(s.m.Standing().Relayed) > relayedMax {
		t.Errorf("%d mappings and %d relays are kept", len(s.m.mappings.Ports),
			len(s.m.Standing().Relayed))
	}
	o := Observation(Came{From: netip.MustParseAddrPort("70.0.0.1:1"), Via: UTP})
	s.m.Observe(s.now, o)
	if n := testing.AllocsPerRun(100, func() {
		s.m.Observe(s.now.Add(time.Millisecond), o)
	}); n != 0 {
		t.Errorf("an arrival of a flood makes %v allocations", n)
	}
}
