package core

import (
	"slices"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/block"
	"swarmnode/swarm/picker"
)

const (
	// blameMax is how many pieces are remembered that came with a wrong hash
	// from several peers, and blameBlocksMax how many blocks of them: 1 MiB of
	// hashes.
	blameMax       = 64
	blameBlocksMax = 32 << 10
	// holdFor is how long a piece with a wrong hash waits for the right hashes of
	// its blocks before all of it is fetched again: some round trips.
	holdFor = 5 * time.Second
	// blameAsk is how long peers are asked for the hashes of the blocks of such
	// a piece. Then the piece will have come anew, or never.
	blameAsk = time.Minute
)

// A blame is a piece with a wrong hash, to which several peers contributed:
// what each block of it was, and who sent it. Who lied shows when the right
// hashes are known: from peers, proven by the hash tree (BEP 52), or of the
// piece when it has come anew. So each liar costs a piece once, and who was
// honest is not taken for one.
type blame struct {
	piece   uint32
	hashes  []metainfo.Hash256
	senders []uint32
	since   time.Duration
	cleared int      // hashes that were compared
	wrong   []uint32 // blocks whose hashes were not right
	held    bool     // the piece is Unverified until its hashes are compared
}

// startBlame remembers a piece that failed, whose blocks have the given hashes
// and came from senders. One of a single sender is of interest only while the
// hashes of its blocks can be had.
func (t *Torrent) startBlame(piece uint32, hashes []metainfo.Hash256, senders []uint32) {
	n := piecesOf{t.layout}.Blocks(int(piece))
	if len(hashes) != n || n > blameBlocksMax {
		return
	}
	hold := t.mayHold(piece, senders)
	if len(senders) == 1 && !hold {
		return
	}
	t.endBlame(piece)
	total := n
	for _, b := range t.blames {
		total += len(b.hashes)
	}
	for len(t.blames) >= blameMax || total > blameBlocksMax {
		total -= len(t.blames[0].hashes)
		t.endBlame(t.blames[0].piece)
	}
	b := blame{piece: piece, hashes: hashes, senders: make([]uint32, n), since: t.now, held: hold}
	for i := range b.senders {
		b.senders[i] = t.pick.Sender(picker.Block{Piece: piece, Index: uint32(i)})
	}
	t.blames = append(t.blames, b)
	for r := range t.layout.NeedsBlockHashes(int(piece)) {
		t.hashes.window = append(t.hashes.window, hashNeed{hashRange: r, blocks: true,
			piece: piece})
	}
	t.timers.by(timerHashes, t.now)
}

// mayHold reports whether there is somebody to ask for the hashes of the blocks of
// a piece: on a link of v2, with the piece, and not the only one who sent it.
func (t *Torrent) mayHold(piece uint32, senders []uint32) bool {
	for range t.layout.NeedsBlockHashes(int(piece)) {
		return slices.ContainsFunc(t.peers.all(), func(p *peer) bool {
			alone := len(senders) == 1 && PeerRef(senders[0]) == p.ref
			return p.v2 && !alone && t.now >= p.hashes.until && p.has.piece(piece)
		})
	}
	return false
}

// releaseHeld has pieces fetched again whole that have waited for too long, or
// for hashes that nobody is left to send.
func (t *Torrent) releaseHeld() {
	for i := range t.blames {
		b := &t.blames[i]
		if !b.held {
			continue
		}
		if left := b.since + holdFor; t.now < left && t.mayHold(b.piece, nil) {
			t.timers.by(timerHashes, left)
			continue
		}
		b.held = false
		t.refute(b.piece)
	}
}

// endBlame forgets a piece.
func (t *Torrent) endBlame(piece uint32) {
	if b := t.findBlame(piece); b != nil && b.held {
		b.held = false
		t.refute(piece)
	}
	t.blames = slices.DeleteFunc(t.blames, func(b blame) bool { return b.piece == piece })
	t.hashes.window = slices.DeleteFunc(t.hashes.window, func(n hashNeed) bool {
		return n.blocks && n.piece == piece
	})
}

// expireBlame asks no longer for hashes that nobody has.
func (t *Torrent) expireBlame() {
	for _, b := range t.blames {
		if t.now-b.since > blameAsk {
			t.hashes.window = slices.DeleteFunc(t.hashes.window, func(n hashNeed) bool {
				return n.blocks && n.piece == b.piece
			})
		}
	}
}

func (t *Torrent) findBlame(piece uint32) *blame {
	i := slices.IndexFunc(t.blames, func(b blame) bool { return b.piece == piece })
	if i < 0 {
		return nil
	}
	return &t.blames[i]
}

// blameByHashes compares the blocks of a piece with their hashes, as far as
// they are in an answer that is proven.
func (t *Torrent) blameByHashes(piece uint32, r metainfo.HashRange, answer []byte) {
	b := t.findBlame(piece)
	if b == nil {
		return
	}
	off := t.layout.PieceOffset(int(piece))
	file := &t.layout.Files[t.layout.FileAt(off)]
	at := int(r.Index) - int((off-file.Offset)/block.Size)
	right := make([]metainfo.Hash256, min(int(r.Length), len(b.hashes)-at))
	for i := range right {
		copy(right[i][:], answer[i*len(right[i]):])
	}
	t.judge(b, at, right)
}

// blameByCopy compares the blocks of a piece with those of a copy that has the
// right hash.
func (t *Torrent) blameByCopy(piece uint32, right []metainfo.Hash256) {
	b := t.findBlame(piece)
	if b == nil || t.pick.State(piece) != picker.Have {
		return
	}
	b.cleared, b.wrong = 0, nil
	if len(right) == len(b.hashes) {
		t.judge(b, 0, right)
	}
	t.endBlame(piece)
}

// judge bans who sent a block with another hash than the right one. When all
// blocks of a piece have been looked at the others are no longer suspect.
func (t *Torrent) judge(b *blame, at int, right []metainfo.Hash256) {
	for i := range right {
		if b.hashes[at+i] != right[i] {
			b.wrong = append(b.wrong, uint32(at+i))
		}
	}
	b.cleared += len(right)
	var liars []uint32
	for _, i := range b.wrong {
		if !slices.Contains(liars, b.senders[i]) {
			liars = append(liars, b.senders[i])
		}
	}
	for _, ref := range liars {
		// before reopen: what it sent of this piece and is right stays
		t.banSender(PeerRef(ref), b.piece)
	}
	if b.cleared == len(b.hashes) {
		t.clear(b, liars)
		t.reopen(b)
		t.endBlame(b.piece)
	}
}

// reopen has the wrong blocks of a held piece fetched again, and no others.
func (t *Torrent) reopen(b *blame) {
	if !b.held || !t.pick.Reopen(b.piece, slices.Values(b.wrong)) {
		return
	}
	b.held = false
	for _, i := range b.wrong {
		wrong := blockRef(t.layout, picker.Block{Piece: b.piece, Index: i})
		t.counters.wasted(ReasonBadPiece, int(wrong.Length))
	}
	t.requests.refillSoon(t.now)
}

// clear takes suspicion from those who sent blocks of a piece and did not lie.
func (t *Torrent) clear(b *blame, liars []uint32) {
	for _, ref := range b.senders {
		if p := t.peers.live(PeerRef(ref)); p != nil && p.trust.suspect &&
			!slices.Contains(liars, ref) {
			p.trust.suspect = false
			t.requests.refillSoon(t.now)
		}
	}
}

// reviewBlame has a piece hashed block by block that came anew.
func (t *Torrent) reviewBlame(piece uint32) {
	if t.findBlame(piece) != nil {
		t.out.do(Action{Kind: HashBlocks, Ref: block.Ref{Piece: piece}})
	}
}
