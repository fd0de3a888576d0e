package reach

import (
	"net/netip"
	"slices"
	"time"
)

const (
	// votersMax is how many networks' last votes on our address are kept, for each family.
	votersMax = 32
	// votersNeeded is how many of them must agree: one is never enough, whoever it is.
	votersNeeded = 2
	// voteAge is how long a vote counts. The DHT asks somebody every 25 s, even when idle.
	voteAge = 30 * time.Minute
	// runNeeded is how many networks in a row must name another address or port than the
	// elected one, so that all older votes are void: a router has another address, or has
	// forgotten the old port. Votes come only in answers to what we ask.
	runNeeded = 3
)

// A vote is what one network said last.
type vote struct {
	voter netip.Prefix
	seen  netip.AddrPort // its port is 0 if the voter did not name one
	at    time.Time
}

// An election finds our external address of one family, and how a NAT chooses the port.
// limit.Votes is its sibling of the DHT, which needs an address for its id; an election also
// tells a NAT with a port for each destination from one that has forgotten a port, or from a
// liar.
type election struct {
	votes   []vote // of different voters, the oldest first
	addr    netip.Addr
	port    uint16 // 0 while unknown, and if mapping is AddressDependent
	mapping Mapping
}

// cast counts a vote, and reports whether it changes the outcome.
func (e *election) cast(now time.Time, voter netip.Prefix, seen netip.AddrPort) bool {
	if i := slices.IndexFunc(e.votes, func(v vote) bool { return v.voter == voter }); i >= 0 {
		if was := e.votes[i].seen; seen.Port() == 0 && was.Addr() == seen.Addr() {
			seen = was // it says nothing new
		}
		e.votes = slices.Delete(e.votes, i, i+1)
	}
	if len(e.votes) == votersMax {
		e.votes = slices.Delete(e.votes, 0, 1)
	}
	e.votes = append(e.votes, vote{voter, seen, now})
	e.forgetBefore(e.run())
	return e.count()
}

// expire removes old votes, and reports whether that changes the outcome. An address that
// nobody names any more is unknown.
func (e *election) expire(now time.Time) bool {
	fresh := slices.IndexFunc(e.votes, func(v vote) bool { return now.Sub(v.at) < voteAge })
	switch {
	case fresh == 0, len(e.votes) == 0:
		return false
	case fresh < 0:
		known := e.addr.IsValid()
		*e = election{}
		return known
	}
	e.forgetBefore(fresh)
	return e.count()
}

// next returns when the oldest vote expires, or the zero Time.
func (e *election) next() time.Time {
	if len(e.votes) == 0 {
		return time.Time{}
	}
	return e.votes[0].at.Add(voteAge)
}

// forgetBefore forgets the votes before the one at i.
func (e *election) forgetBefore(i int) { e.votes = slices.Delete(e.votes, 0, i) }

// run returns the index of the first of the last runNeeded votes if they agree on another
// address or port than the elected one, else 0.
func (e *election) run() int {
	first := len(e.votes) - runNeeded
	if first <= 0 || !e.addr.IsValid() {
		return 0
	}
	last := e.votes[first:]
	is := last[0].seen
	moved := is.Addr() != e.addr ||
		e.mapping == EndpointIndependent && is.Port() != 0 && is.Port() != e.port
	if !moved {
		return 0
	}
	for _, v := range last {
		if v.seen.Addr() != is.Addr() || is.Addr() == e.addr && v.seen.Port() != is.Port() {
			return 0
		}
	}
	return first
}

// count finds the winner, and reports whether the outcome has changed. Without a winner
// everything stays as it was.
func (e *election) count() bool {
	was := *e
	if ip, votes := e.leader(); votes >= votersNeeded && 2*votes > len(e.votes) {
		if ip != e.addr {
			e.addr, e.port, e.mapping = ip, 0, MappingUnknown
		}
		e.countPorts()
	}
	return e.addr != was.addr || e.port != was.port || e.mapping != was.mapping
}

// leader returns the address with the most votes, of equals the one that was named last.
func (e *election) leader() (ip netip.Addr, most int) {
	for i := len(e.votes) - 1; i >= 0; i-- {
		at, votes := e.votes[i].seen.Addr(), 0
		if at == ip {
			continue
		}
		for _, v := range e.votes {
			if v.seen.Addr() == at {
				votes++
			}
		}
		if votes > most {
			ip, most = at, votes
		}
	}
	return ip, most
}

// countPorts finds out how the port is chosen, from the votes for the elected address. A
// single voter that lies changes nothing: most voters must agree on a port, or most ports
// must be named once, whichever voter is left out.
func (e *election) countPorts() {
	var ports []uint16
	for _, v := range e.votes {
		if v.seen.Addr() == e.addr && v.seen.Port() != 0 {
			ports = append(ports, v.seen.Port())
		}
	}
	slices.Sort(ports)
	var port uint16
	most, distinct, same := 0, 0, 0
	for i, p := range ports {
		if i == 0 || p != ports[i-1] {
			distinct, same = distinct+1, 0
		}
		if same++; same > most {
			port, most = p, same
		}
	}
	switch n := len(ports); {
	case n >= votersNeeded && most == n, most > votersNeeded && 2*most > n:
		e.port, e.mapping = port, EndpointIndependent
	case n > votersNeeded && most <= n-2 && 2*distinct > n:
		e.port, e.mapping = 0, AddressDependent
	}
}
