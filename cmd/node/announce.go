package main

import (
	"net/netip"
	"slices"

	"swarmnode/dht"
)

const (
	// dhtRateDefault is how many DHT queries a node sends per second at most. For each of
	// them, it asks dhtAddresses distinct addresses per minute: a home router remembers
	// an address for about as long.
	dhtRateDefault = 100
	dhtAddresses   = 10
	dhtBurst       = 4 // seconds
	// announceCost is how many addresses announcing one torrent takes. announceMinutes is
	// how soon the announce has to be repeated, because other nodes forget it then.
	announceCost    = 16
	announceMinutes = 30
)

// dhtLimits returns the limits of a node that may send rate queries per second; 0 stands
// for the default.
func dhtLimits(rate countValue) dht.Limits {
	if rate == 0 {
		return dht.Limits{}
	}
	return dht.Limits{QueriesOut: int(rate), QueriesOutBurst: dhtBurst * int(rate),
		AddressesOut: dhtAddresses * int(rate)}
}

// announceTime returns how many minutes it takes to announce n torrents, and the rate at
// which all of them would be announced in time.
func announceTime(torrents int, rate countValue) (minutes, enough int) {
	if rate == 0 {
		rate = dhtRateDefault
	}
	addresses := torrents * announceCost
	enough = (addresses + announceMinutes*dhtAddresses - 1) / (announceMinutes * dhtAddresses)
	return addresses / (dhtAddresses * int(rate)), enough
}

// checkAnnounce warns if n torrents are too many for all of them to be found in the DHT,
// because other nodes forget them before they are announced again.
func (s *session) checkAnnounce(torrents int) {
	if !s.node.DHT().On() || !slices.ContainsFunc(s.node.Addrs(), public) {
		return // in a network of our own there is no such limit
	}
	if minutes, enough := announceTime(torrents, s.flags.dhtRate); minutes > announceMinutes {
		s.c.warn("the DHT forgets a torrent after %d minutes, but announcing %d torrents takes %d "+
			"(try: --dht-rate %d, if your router can take it)",
			announceMinutes, torrents, minutes, enough)
	}
}

// public reports whether hosts beyond our own networks may reach a.
func public(a netip.AddrPort) bool {
	ip := a.Addr().Unmap()
	return !ip.IsLoopback() && !ip.IsPrivate() && !ip.IsLinkLocalUnicast()
}
