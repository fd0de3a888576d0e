package swarm

import (
	"net/netip"
	"time"

	"swarmnode/swarm/reach"
)

// pathsPause is the least time between two changes of where we stand that all torrents are told
// of, unless our address has changed.
const pathsPause = 10 * time.Second

// A relayNeed says how much a relay would help.
type relayNeed uint8

const (
	relayUseless relayNeed = iota // others reach us
	relayUseful                   // where punching has failed
	relayVital                    // nothing else lets in most peers
)

// needOf returns how much a relay would help where we stand.
func needOf(s reach.Standing) relayNeed {
	for _, r := range [...]reach.Reachability{s.TCP, s.UTP} {
		if r == reach.Open || r == reach.Mapped {
			return relayUseless
		}
	}
	switch {
	case s.Mapping == reach.AddressDependent, s.UTP == reach.RelayOnly, s.UTP == reach.None:
		return relayVital
	case s.Filtering == reach.FilteringRestricted, s.UTP == reach.Punch, s.UTP == reach.Unknown:
		// Unknown: too few DHT nodes say how they see us, as without the DHT.
		return relayUseful
	}
	return relayUseless
}

// needs returns how much a relay helps now.
func (k *relayKeeper) needs() relayNeed {
	k.mu.Lock()
	defer k.mu.Unlock()
	return needOf(k.stands)
}

// stand takes note of where the engine stands. At another place everything is tried again.
func (k *relayKeeper) stand(s reach.Standing) {
	k.mu.Lock()
	defer k.mu.Unlock()
	was := k.stands
	s.Relayed, was.Relayed = nil, nil
	s.Why, was.Why = "", ""
	if !s.Equal(was) {
		k.stands, k.moved = s, true
		k.poke()
	}
}

// hasMoved reports whether where we stand has changed since it last said so, and whether we are
// at another address. Other changes are reported once in pathsPause: each wakes all torrents.
func (k *relayKeeper) hasMoved(now time.Time) (moved, network bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	at := [2]netip.Addr{k.stands.External4.Addr(), k.stands.External6.Addr()}
	network = at != k.at
	if !k.moved || !network && now.Sub(k.told) < pathsPause {
		return false, false
	}
	k.moved, k.at, k.told = false, at, now
	return true, network
}
