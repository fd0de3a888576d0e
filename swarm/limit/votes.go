package limit

import (
	"net/netip"
	"slices"
)

// Votes elects the address at which others see us from what they say it is. Each
// voter has one vote, its last. An address wins with the votes of enough voters
// who are also more than half of those remembered, so no single liar decides
// anything, and it stays elected until another address wins.
//
// Votes is owned by one goroutine. The zero value elects nothing: use NewVotes.
type Votes struct {
	kept    int // how many voters are remembered; len(votes) <= kept
	needed  int
	votes   []vote // the oldest first
	elected netip.AddrPort
}

// A vote is what one voter said last.
type vote struct {
	voter netip.Prefix
	seen  netip.AddrPort
}

// NewVotes returns Votes that remember the last votes of kept voters, of whom
// needed have to agree.
func NewVotes(kept, needed int) Votes { return Votes{kept: kept, needed: needed} }

// Cast counts the vote of voter, the block of addresses that counts as one party,
// for seen. It reports whether that changes the elected address or its port.
func (v *Votes) Cast(voter netip.Prefix, seen netip.AddrPort) bool {
	if v.kept <= 0 {
		return false
	}
	if i := slices.IndexFunc(v.votes, func(old vote) bool { return old.voter == voter }); i >= 0 {
		v.votes = slices.Delete(v.votes, i, i+1)
	}
	if len(v.votes) == v.kept {
		v.votes = slices.Delete(v.votes, 0, 1)
	}
	v.votes = append(v.votes, vote{voter, seen})
	// A vote takes support from every other address, so only seen can win by it.
	count, port := v.count(seen.Addr())
	winner := netip.AddrPortFrom(seen.Addr(), port)
	if count < v.needed || 2*count <= len(v.votes) || winner == v.elected {
		return false
	}
	v.elected = winner
	return true
}

// Elected returns the address that won, not valid if none has yet. Its port is
// zero when no port has the votes of most of the address's voters, as behind a NAT
// that maps each destination to a port of its own.
func (v *Votes) Elected() netip.AddrPort { return v.elected }

// count returns how many votes ip has, and the port that more than half of them
// name, else zero.
func (v *Votes) count(ip netip.Addr) (votes int, port uint16) {
	lead := 0 // of port over all others, by the majority vote of Boyer and Moore
	for _, b := range v.votes {
		switch {
		case b.seen.Addr() != ip:
			continue
		case lead == 0:
			port, lead = b.seen.Port(), 1
		case b.seen.Port() == port:
			lead++
		default:
			lead--
		}
		votes++
	}
	same := 0
	for _, b := range v.votes {
		if b.seen == netip.AddrPortFrom(ip, port) {
			same++
		}
	}
	if 2*same <= votes {
		return votes, 0
	}
	return votes, port
}
