package core

import "swarmnode/swarm/endpoint"

// isPrivate reports whether the torrent is known to be private (BEP 27).
func (t *Torrent) isPrivate() bool { return t.private }

// onPrivate records that the metadata says so.
func (t *Torrent) onPrivate() {
	if !t.isPrivate() {
		t.private = true
		t.withdraw()
	}
}

// withdraw forgets every peer that was found while it was not known that the
// torrent is private, unless a tracker or the user named it, too: their
// connections end, and their addresses go. Who came by itself may have found us
// in the DHT; if a tracker told it, it will come again.
func (t *Torrent) withdraw() {
	for _, p := range t.peers.snapshot() {
		if p.isServer() || t.vouched(p) {
			continue
		}
		t.drop(p, ReasonPrivate)
	}
	for i := len(t.book.list) - 1; i >= 0; i-- {
		if e := t.book.list[i]; !e.sources.vouched() && e.state == entryIdle {
			t.book.forget(e)
		}
	}
}

// mayDial reports whether e may be connected to at all.
func (t *Torrent) mayDial(e *entry) bool { return !t.isPrivate() || e.sources.vouched() }

// vouched reports whether a tracker or the user named the peer.
func (t *Torrent) vouched(p *peer) bool {
	for _, addr := range [...]endpoint.Endpoint{p.endpoint, p.listen} {
		if e := t.book.byEndpoint[addr]; e != nil && e.sources.vouched() {
			return true
		}
	}
	return false
}
