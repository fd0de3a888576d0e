package main

import (
	"net/netip"
	"slices"

	"swarmnode/dht"
)

const (
	// dhtRateDefault is how many DHT queries a second a node sends at most, and
	// dhtAddresses how many distinct addresses it asks a minute for each of them: a
	// home router remembers an address for about as long.
	dhtRateDefault = 100
	dhtAddresses   = 10
	dhtBurst       = 4 // seconds
	// announceCost is how many addresses one torrent takes to be announced, and
	// announceMinutes how soon it has to be announced again: others forget it then.
	announceCost    = 16
	announceMinutes = 30
)

// dhtLimits are the limits of a node that may send so many queries a second; 0
// stands for the default.
func dhtLimits(rate countValue) dht.Limits {
	if rate == 0 {
		return dht.Limits{}
	}
	return dht.Limits{QueriesOut: int(rate), QueriesOutBurst: dhtBurst * int(rate),
		AddressesOut: dhtAddresses * int(rate)}
}

// announceTime returns how many minutes it takes to announce so many torrents, and
// the rate at which they would all be announced in time.
func announceTime(torrents int, rate countValue) (minutes, enough int) {
	if rate == 0 {
		rate = dhtRateDefault
	}
	addresses := torrents * announceCost
	enough = (addresses + announceMinutes*dhtAddresses - 1) / (announceMinutes * dhtAddresses)
	return addresses / (dhtAddresses * int(rate)), enough
}

// checkAnnounce warns if so many torrents cannot all be found in the DHT, because
// others forget them before they are announced again.
func (s *session) checkAnnounce(torrents int) {
	if s.dht == nil || !slices.ContainsFunc(s.engine.Addrs(), public) {
		return // in a network of our own there is no such limit
	}
	if minutes, enough := announceTime(torrents, s.flags.dhtRate); minutes > announceMinutes {
		s.c.warn("the DHT forgets a torrent after %d minutes, and to announce %d takes %d (try: "+
			"--dht-rate %d, if your router bears it)",
			announceMinutes, torrents, minutes, enough)
	}
}

// public reports whether others than our neighbours may reach a.
func public(a netip.AddrPort) bool {
	ip := a.Addr().Unmap()
	return !ip.IsLoopback() && !ip.IsPrivate() && !ip.IsLinkLocalUnicast()
}
