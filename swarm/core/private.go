package core

import "swarmnode/swarm/book"

// onPrivate records that the metadata says that the torrent is private (BEP 27). Every
// peer goes that was found while that was not known, unless a tracker or the user named
// it, too: its connection ends, and the book forgets it. A peer that came by itself may
// have found us in the DHT; if a tracker told it of us, it will come again.
func (t *Torrent) onPrivate() {
	if t.book.Private() {
		return
	}
	for _, p := range t.peers.snapshot() {
		if !p.isServer() && !p.vouchedIn(t.book) {
			t.drop(p, ReasonPrivate)
		}
	}
	t.book.SetPrivate()
}

// vouchedIn reports whether a tracker or the user named the peer.
func (p *peer) vouchedIn(b *book.Book) bool {
	return b.Vouched(p.endpoint) || b.Vouched(p.listen)
}
