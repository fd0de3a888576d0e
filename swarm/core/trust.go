package core

import (
	"swarmnode/metainfo"
	"swarmnode/swarm/block"
	"swarmnode/swarm/picker"
)

// strike is a fault that is forgiven some times.
type strike uint8

const (
	strikeUnsolicited strike = iota // a block that was not asked for
	strikeReject                    // a reject of what was not asked for
	strikeRequest                   // a request that cannot be served
	strikePieces                    // all of its pieces told anew
	strikeCount
)

// strikesMax is how often each fault is forgiven. A few unsolicited blocks come
// from clients that are slow to take in a cancel; requests while choked come
// from those that are slow to take in a choke. To count a bitfield takes time in
// proportion to the pieces, however short the message was.
var strikesMax = [strikeCount]int{strikeUnsolicited: 16, strikeReject: 1024, strikeRequest: 100,
	strikePieces: 16}

var strikeReasons = [strikeCount]Reason{
	strikeUnsolicited: ReasonUnsolicited,
	strikeReject:      ReasonProtocol,
	strikeRequest:     ReasonRequests,
	strikePieces:      ReasonFlood,
}

// trust is what is known of a peer's honesty.
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

func (t *Torrent) strike(p *peer, s strike) {
	if p.trust.strikes[s]++; p.trust.strikes[s] > strikesMax[s] {
		t.drop(p, strikeReasons[s])
	}
}

// acquit takes suspicion from a peer, and reports whether there was any.
func (tr *trust) acquit() bool {
	was := tr.suspect
	tr.suspect = false
	return was
}

// praise clears the sender of a block of a verified piece.
func (t *Torrent) praise(ref PeerRef) {
	if p := t.peers.live(ref); p != nil {
		fresh := p.trust.onProbation()
		p.trust.proven, p.trust.suspect, p.trust.awaited = true, false, false
		p.trust.wrong = max(p.trust.wrong-1, 0)
		if fresh {
			t.requests.refill(p, t.now)
		}
	}
}

// onFailed takes in a piece with the wrong hash. Who sent it alone lied, and is
// banned; of several each is suspect, and sends whole pieces alone from now on.
// If the hashes of its blocks can be had (BEP 52) it waits for them, so that only
// wrong blocks are fetched again; else it is fetched again whole.
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
		t.onPieceLost()
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
				p.trust.suspect, p.trust.awaited = true, false
			}
		}
	}
	t.requests.refillSoon(t.now)
}

// refute has a piece with the wrong hash fetched again, all of it.
func (t *Torrent) refute(piece uint32) {
	if t.pick.Refuted(piece) {
		t.counters.wasted(ReasonBadPiece, t.layout.PieceSize(int(piece)))
		t.requests.refillSoon(t.now)
	}
}

// banSender bans a peer that sent a piece with the wrong hash, also if it is gone
// already. What it sent of pieces that are not complete yet is not kept: it would
// spoil what others send.
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

// distrust records that a web server sent a piece with the wrong hash: a file may be
// of another version there, which says nothing of the others. It is not asked again
// for pieces of that file, or for the piece alone if that is of several files. It
// reports false if the server has deserved to be banned.
func (t *Torrent) distrust(p *peer, wrong uint32) bool {
	if p.has.lacks(wrong) {
		return true // it had been sent before the file was found out
	}
	if p.trust.wrong++; p.trust.wrong >= serverWrongMax {
		return false
	}
	first, end := t.fileOf(int(wrong))
	p.trust.suspect, p.trust.awaited = true, false
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

// fileOf returns the pieces, first up to end, of the one file whose bytes a piece
// holds; only the piece itself if they are of several.
func (t *Torrent) fileOf(piece int) (first, end int) {
	file, files := 0, 0
	for span := range t.layout.Spans(t.layout.PieceOffset(piece), t.layout.PieceSize(piece)) {
		if !t.layout.Files[span.File].Pad {
			file = span.File
			files++
		}
	}
	if files != 1 {
		return piece, piece + 1
	}
	return t.layout.FilePieces(file)
}
