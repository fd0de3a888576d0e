package core

import "swarmnode/swarm/block"

// onPause handles Paused, which ends every connection, and Resumed. Blocks that are stored,
// pieces that are begun and the addresses of peers stay, and writes and hashes under way
// end as ever. After the pause peers are looked for as after a change of our own address:
// those that were there before are dialled first.
func (t *Torrent) onPause(kind EventKind) {
	switch {
	case kind == Resumed && t.standing.proceed():
		t.dialer.moved(t.now)
	case kind == Paused && t.standing.pause():
		for _, p := range t.peers.snapshot() {
			t.drop(p, ReasonPaused)
		}
	}
}

// onDoubted has a piece hashed again. A piece that we have counts as lost until then. A
// piece of which blocks are being fetched is hashed when they are there.
func (t *Torrent) onDoubted(piece uint32) {
	if !t.validPiece(piece) || t.cfg.MetadataOnly {
		return
	}
	switch {
	case t.pick.Recheck(piece):
		t.onPieceLost(piece)
	case t.pick.Suppose(piece):
	default:
		return
	}
	t.out.do(Action{Kind: Verify, Ref: block.Ref{Piece: piece}})
}

// checkPause panics when a torrent that is paused has traffic.
func checkPause(t *Torrent) {
	if t.standing.isPaused() &&
		t.peers.count()+t.requests.count()+t.choker.Unchoked()+t.dialer.probes() > 0 {
		panic("core: a paused torrent has peers, requests or slots")
	}
}
