package dht

import "net/netip"

const (
	// votersMax is how many networks' last votes are kept.
	votersMax = 32

	// votesNeeded is how many distinct networks must agree before an address
	// is believed; a majority of those kept must agree as well.
	votesNeeded = 4
)

type ballot struct {
	voter netip.Prefix
	addr  netip.AddrPort
}

// vote finds our external address from what others say in "ip", BEP 42. Each
// network has one vote, its last; a single liar decides nothing.
type vote struct {
	ballots []ballot // oldest first, at most votersMax
}

// cast counts what the node at from says, and returns the address that is
// believed now, or the zero AddrPort. The port is zero when the voters agree
// on the address but not on the port, as behind a NAT that maps each
// destination to a port of its own.
func (v *vote) cast(from, addr netip.AddrPort) netip.AddrPort {
	voter := network(from)
	for i := range v.ballots {
		if v.ballots[i].voter == voter {
			v.ballots = append(v.ballots[:i], v.ballots[i+1:]...)
			break
		}
	}
	if len(v.ballots) >= votersMax {
		v.ballots = append(v.ballots[:0], v.ballots[1:]...)
	}
	v.ballots = append(v.ballots, ballot{voter, addr})
	return v.winner(addr)
}

// winner reports whether addr has won, since only the last cast can have changed
// the outcome in its favour.
func (v *vote) winner(addr netip.AddrPort) netip.AddrPort {
	same, samePort := 0, 0
	for _, b := range v.ballots {
		if b.addr.Addr() == addr.Addr() {
			same++
			if b.addr.Port() == addr.Port() {
				samePort++
			}
		}
	}
	if same < votesNeeded || 2*same <= len(v.ballots) {
		return netip.AddrPort{}
	}
	if 2*samePort <= same {
		return netip.AddrPortFrom(addr.Addr(), 0)
	}
	return addr
}
