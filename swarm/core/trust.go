package core

import (
	"swarmnode/metainfo"
	"swarmnode/swarm/block"
	"swarmnode/swarm/picker"
)

// A strike is a fault that is forgiven some times.
type strike uint8

const (
	strikeUnsolicited strike = iota // a block that was not asked for
	strikeReject                    // a reject of what was not asked for
	strikeRequest                   // a request that cannot be served
	strikePieces                    // its whole set of pieces told again
	strikeCount
)

// strikesMax is how often each fault is forgiven. A client that is slow to notice a
// cancel sends a few unsolicited blocks, and one that is slow to notice a choke sends
// requests while choked. Counting a bitfield takes time in proportion to the pieces,
// however short the message was.
var strikesMax = [strikeCount]int{strikeUnsolicited: 16, strikeReject: 1024, strikeRequest: 100,
	strikePieces: 16}

var strikeReasons = [strikeCount]Reason{
	strikeUnsolicited: ReasonUnsolicited,
	strikeReject:      ReasonProtocol,
	strikeRequest:     ReasonRequests,
	strikePieces:      ReasonFlood,
}

// A trust is what is known of a peer's honesty.
type trust struct {
	proven  bool // it had a part in a piece with the right hash
	suspect bool // it had a part in one with the wrong hash
	awaited bool // on probation, it has sent a piece that is being verified
	wrong   int  // pieces of a web server with a wrong hash, less those with the right one
	strikes [strikeCount]int
}

// onProbation reports whether the peer fetches one piece at a time, by itself:
// until its first piece is verified a liar costs us one piece, and is found.
func (tr *trust) onProbation() bool { return !tr.proven || tr.suspect }

// delivered records that the peer has sent a whole piece, which is being verified.
func (tr *trust) delivered() { tr.awaited = tr.onProbation() }

// lost records that a piece that the peer had a part in was lost unverified.
func (tr *trust) lost() { tr.awaited = false }

// isSuspect reports whether the peer had a part in a piece with the wrong hash.
func (tr *trust) isSuspect() bool { return tr.suspect }

// isAwaited reports whether the peer is on probation and has sent a piece that is
// being verified.
func (tr *trust) isAwaited() bool { return tr.awaited }

// isProven reports whether the peer had a part in a piece with the right hash.
func (tr *trust) isProven() bool { return tr.proven }

// strike records a fault. It returns why the peer has to go, or ReasonNone while the
// fault is forgiven.
func (tr *trust) strike(s strike) Reason {
	if tr.strikes[s]++; tr.strikes[s] > strikesMax[s] {
		return strikeReasons[s]
	}
	return ReasonNone
}

// praise records that the peer had a part in a piece with the right hash. It reports
// whether that ends its probation.
func (tr *trust) praise() bool {
	fresh := tr.onProbation()
	tr.proven, tr.suspect, tr.awaited = true, false, false
	tr.wrong = max(tr.wrong-1, 0)
	return fresh
}

// suspected records that the peer had a part in a piece with the wrong hash.
func (tr *trust) suspected() { tr.suspect, tr.awaited = true, false }

// servedWrong records that the peer, a web server, sent a whole piece with the wrong hash. It
// reports whether that was once too often.
func (tr *trust) servedWrong() bool {
	tr.wrong++
	return tr.wrong >= serverWrongMax
}

// acquit takes suspicion from a peer, and reports whether there was any.
func (tr *trust) acquit() bool {
	was := tr.suspect
	tr.suspect = false
	return was
}

// strike records a fault of p, which ends the connection unless the fault is forgiven.
func (t *Torrent) strike(p *peer, s strike) {
	if why := p.trust.strike(s); why != ReasonNone {
		t.drop(p, why)
	}
}

// praise clears the sender of a block of a verified piece.
func (t *Torrent) praise(ref PeerRef) {
	if p := t.peers.live(ref); p != nil && p.trust.praise() {
		t.requests.refill(p, t.now)
	}
}

// onFailed records that a piece has the wrong hash. A peer that sent all of it lied, and
// is banned; several senders are all suspect, and send whole pieces alone from now on. If
// a peer can give the hashes of its blocks (BEP 52) the piece waits for them, so that only
// wrong blocks are fetched again; otherwise the whole piece is.
func (t *Torrent) onFailed(piece uint32, hashes []metainfo.Hash256) {
	if !t.validPiece(piece) {
		return
	}
	if t.failedCheck(piece) {
		return
	}
	senders := t.pick.Senders(piece, nil)
	if t.pick.State(piece) != picker.Unverified {
		return
	}
	if len(senders) == 0 {
		// It was damaged on disk.
		t.pick.Refuted(piece)
		missed(t)
		t.checkComplete()
		t.requests.refillSoon(t.now)
		return
	}
	if !t.hashes.hold(piece, hashes, t.now) {
		t.refute(piece)
	}
	if len(senders) == 1 {
		t.banSender(PeerRef(senders[0]), piece)
	} else {
		for _, ref := range senders {
			if p := t.peers.live(PeerRef(ref)); p != nil {
				p.trust.suspected()
			}
		}
	}
	t.requests.refillSoon(t.now)
}

// refute fetches a whole piece with the wrong hash again.
func (t *Torrent) refute(piece uint32) {
	if t.pick.Refuted(piece) {
		t.counters.wasted(ReasonBadPiece, t.layout.PieceSize(int(piece)))
		t.requests.refillSoon(t.now)
	}
}

// banSender bans a peer that sent a piece with the wrong hash, even if it has left
// already. Its blocks of incomplete pieces are forgotten: they would spoil what others
// send. A web server is distrusted first.
func (t *Torrent) banSender(ref PeerRef, wrong uint32) {
	if p := t.peers.live(ref); p != nil && p.isServer() && t.distrust(p, wrong) {
		return
	}
	for _, piece := range t.pick.BegunBy(uint32(ref), nil) {
		t.requests.cancelPiece(piece, t.now)
		t.pick.Lost(piece)
	}
	if p := t.peers.live(ref); p != nil {
		t.dropAndBan(p, ReasonBadPiece)
		return
	}
	if g, ok := t.peers.former(ref); ok {
		t.book.Ban(t.now, g.endpoint, g.listen)
	}
}

// serverWrongMax is how many pieces with a wrong hash a web server may have sent more
// than right ones. Until one is right again it is asked for one at a time.
const serverWrongMax = 24

// distrust records that a web server sent a piece with the wrong hash: a file may be of
// another version there, which says nothing of the others. The server is not asked again
// for pieces of that file, or for the piece alone if several files share it. distrust
// reports false if the server has deserved to be banned.
func (t *Torrent) distrust(p *peer, wrong uint32) bool {
	if p.has.lacks(wrong) {
		return true // the piece had been sent before the file was found out
	}
	if p.trust.servedWrong() {
		return false
	}
	first, end := fileOf(t.layout, int(wrong))
	p.trust.suspected()
	for _, piece := range t.pick.BegunBy(uint32(p.ref), nil) {
		if int(piece) >= first && int(piece) < end {
			t.requests.cancelPiece(piece, t.now)
			t.pick.Lost(piece)
		}
	}
	t.requests.withdraw(p, first, end, t.now)
	for piece := first; piece < end; piece++ {
		t.onDontHave(p, uint32(piece))
	}
	t.out.do(Action{Kind: Distrust, Peer: p.ref, Ref: block.Ref{Piece: uint32(first),
		Length: uint32(end - first)}})
	t.requests.refillSoon(t.now)
	return true
}

// fileOf returns the pieces, first up to end, of the one file whose bytes a piece holds;
// only the piece itself if several files share it.
func fileOf(layout *metainfo.Layout, piece int) (first, end int) {
	file, files := 0, 0
	for span := range layout.Spans(layout.PieceOffset(piece), layout.PieceSize(piece)) {
		if !layout.Files[span.File].Pad {
			file = span.File
			files++
		}
	}
	if files != 1 {
		return piece, piece + 1
	}
	return layout.FilePieces(file)
}
