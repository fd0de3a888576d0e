package swarmnode

import (
	"net/netip"
	"slices"
	"testing"

	"swarmnode/swarm/portmap"
	"swarmnode/swarm/reach"
)

// A link names the ways in, the best first, and relays only where there is nothing better.
func TestEndpoints(t *testing.T) {
	at := netip.MustParseAddrPort
	tcp, udp, six := at("9.9.9.9:5"), at("9.9.9.9:6"), at("[2001:4860::1]:5")
	relayed, inside := at("8.8.8.8:7"), at("100.64.0.9:5")
	carrier := []portmap.Mapping{{By: portmap.PCP, External: inside}, {External: at("1.1.1.1:1")}}
	for _, c := range []struct {
		name   string
		is     Standing
		mapped []portmap.Mapping
		want   []netip.AddrPort
	}{
		{"nothing is known", Standing{}, nil, nil},
		{"a router maps the port", Standing{ExternalTCP4: tcp, External4: tcp, ExternalTCP6: six,
			TCP: reach.Mapped, UTP: reach.Mapped, Relayed: []netip.AddrPort{relayed}}, nil,
			[]netip.AddrPort{tcp, six}},
		{"other ports of TCP and UDP", Standing{ExternalTCP4: tcp, External4: udp,
			TCP: reach.Mapped, UTP: reach.Mapped}, nil, []netip.AddrPort{tcp, udp}},
		{"only by punching", Standing{External4: udp, TCP: reach.None, UTP: reach.Punch,
			Relayed: []netip.AddrPort{relayed}}, nil, []netip.AddrPort{udp, relayed}},
		{"another port for each destination", Standing{External4: at("9.9.9.9:0"),
			TCP: reach.None, UTP: reach.RelayOnly, Relayed: []netip.AddrPort{relayed}}, nil,
			[]netip.AddrPort{relayed}},
		{"behind a carrier", Standing{External4: udp, TCP: reach.None, UTP: reach.Punch}, carrier,
			[]netip.AddrPort{udp, inside}},
		{"nobody gets in", Standing{External4: udp, TCP: reach.None, UTP: reach.None}, nil, nil},
	} {
		if got := endpointsOf(c.is, c.mapped); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
