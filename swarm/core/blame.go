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
	cleared int // hashes that were right
}

// startBlame remembers a piece that failed, whose blocks have the given hashes.
func (t *Torrent) startBlame(piece uint32, hashes []metainfo.Hash256) {
	n := t.blocksOf(int(piece))
	if len(hashes) != n || n > blameBlocksMax {
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
	b := blame{piece: piece, hashes: hashes, senders: make([]uint32, n), since: t.now}
	for i := range b.senders {
		b.senders[i] = t.pick.Sender(picker.Block{Piece: piece, Index: uint32(i)})
	}
	t.blames = append(t.blames, b)
	for r := range t.layout.NeedsBlockHashes(int(piece)) {
		t.hashes.window = append(t.hashes.window, hashNeed{hashRange: r, blocks: true, piece: piece})
	}
	t.timers.by(timerHashes, t.now)
}

// endBlame forgets a piece.
func (t *Torrent) endBlame(piece uint32) {
	t.blames = slices.DeleteFunc(t.blames, func(b blame) bool { return b.piece == piece })
	t.hashes.window = slices.DeleteFunc(t.hashes.window, func(n hashNeed) bool { return n.blocks && n.piece == piece })
}

// expireBlame asks no longer for hashes that nobody has.
func (t *Torrent) expireBlame() {
	for _, b := range t.blames {
		if t.now-b.since > blameAsk {
			t.hashes.window = slices.DeleteFunc(t.hashes.window, func(n hashNeed) bool { return n.blocks && n.piece == b.piece })
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
	b.cleared = 0
	if len(right) == len(b.hashes) {
		t.judge(b, 0, right)
	}
	t.endBlame(piece)
}

// judge bans who sent a block with another hash than the right one. When all
// blocks of a piece have been looked at the others are no longer suspect.
func (t *Torrent) judge(b *blame, at int, right []metainfo.Hash256) {
	var liars []uint32
	for i := range right {
		if sender := b.senders[at+i]; b.hashes[at+i] != right[i] && !slices.Contains(liars, sender) {
			liars = append(liars, sender)
		}
	}
	b.cleared += len(right)
	if b.cleared == len(b.hashes) {
		t.clear(b, liars)
		t.endBlame(b.piece)
	}
	for _, ref := range liars {
		t.banSender(PeerRef(ref))
	}
}

// clear takes suspicion from those who sent blocks of a piece and did not lie.
func (t *Torrent) clear(b *blame, liars []uint32) {
	for _, ref := range b.senders {
		if p := t.peers.live(PeerRef(ref)); p != nil && p.trust.suspect && !slices.Contains(liars, ref) {
			p.trust.suspect = false
			t.refillSoon()
		}
	}
}

// reviewBlame has a piece hashed block by block that came anew.
func (t *Torrent) reviewBlame(piece uint32) {
	if t.findBlame(piece) != nil {
		t.do(Action{Kind: HashBlocks, Ref: block.Ref{Piece: piece}})
	}
}
