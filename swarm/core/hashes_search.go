package core

import (
	"slices"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
	"swarmnode/swarm/wire"
)

const (
	// hashWindow is how many ranges of hashes are looked for at a time.
	hashWindow = 256
	// hashAsks is how many ranges one peer is asked for at a time. An answer
	// has up to 17 KiB, so this is what a block request costs its sender.
	hashAsks = 4
	// hashStall is how long a peer may take before what it was asked for is
	// asked of another one, too.
	hashStall = 3 * time.Second
	// hashAgain is how long until a silent peer is given up, and left alone for
	// hashSilent.
	hashAgain  = 20 * time.Second
	hashSilent = 60 * time.Second
	// hashRejected is how long a peer that rejected is left alone: most often
	// it waits for the same hashes itself.
	hashRejected = 10 * time.Second
	// hashesWrongMax is how often a peer may send hashes that prove nothing:
	// clients differ in what they take for the proof of an odd range.
	hashesWrongMax = 3
)

// A hashSearch is the search for what the metadata of v2 leaves out: the piece
// layers of files larger than a piece (BEP 52, "piece layers"), and the hashes
// of blocks of pieces that came with a wrong one.
type hashSearch struct {
	window []hashNeed
	file   int // files before it need nothing but what is in window
}

// A hashNeed is a range of hashes that is being looked for.
type hashNeed struct {
	hashRange metainfo.HashRange
	file      int  // whose piece layer it belongs to
	blocks    bool // it is of the blocks of piece
	piece     uint32
	from      PeerRef // who was asked last
	asked     bool    // and we still wait for it
	at        time.Duration
}

// hashSource is what one peer was asked for, and how it answered.
type hashSource struct {
	asked []hashAsk // oldest first
	until time.Duration
	wrong int // answers without proof
	given int // answers that it got from us since the last sweep
}

type hashAsk struct {
	hashRange metainfo.HashRange
	at        time.Duration
}

func (s *hashSource) find(r metainfo.HashRange) int {
	return slices.IndexFunc(s.asked, func(a hashAsk) bool { return a.hashRange == r })
}

// learnV2 notes the v2 info-hash once the metadata is known, and on which links
// it is the one that was agreed upon.
func (t *Torrent) learnV2() {
	if long, ok := t.info.HashV2(); ok {
		t.cfg.HashV2 = long
	}
	for _, p := range t.peers.all() {
		p.v2 = t.isV2(p.hash)
	}
}

// mayUpgrade reports whether the link should be replaced: the metadata has shown
// that the torrent is a hybrid, of which the peer knows the v2 side too, but the
// link is one of v1, on which no piece layer can be had (BEP 52, "upgrade
// path").
func (t *Torrent) mayUpgrade(p *peer) bool {
	return t.layout.Kind() == metainfo.Hybrid && p.knowsV2 && !p.v2 && p.listen.IsValid() &&
		!t.layout.HashesKnown()
}

// isV2 reports whether a link of this info-hash carries the messages of BEP 52.
// Common clients end one of the v1 hash on which they come.
func (t *Torrent) isV2(link metainfo.Hash) bool {
	return t.cfg.HashV2 != metainfo.Hash256{} && link == t.cfg.HashV2.Short()
}

// startHashes begins the search, if there is anything to be found. Of late there
// is data to be verified when the hashes are known. That goes before anything is
// asked of peers.
func (t *Torrent) startHashes(late *bits.Set) {
	switch kind := t.layout.Kind(); {
	case !kind.HasV2():
		t.hashes.file = len(t.layout.Files)
	case kind.HasV1():
		t.startSecond()
	default:
		t.putOff(late)
	}
}

// wantsHashes reports whether some piece layer is not known.
func (t *Torrent) wantsHashes() bool {
	return t.layout != nil && (t.hashes.file < len(t.layout.Files) || len(t.hashes.window) > 0)
}

// HashesKnown reports whether everything is known that a .torrent file holds: the
// info dictionary, and the piece layers (BEP 52).
func (t *Torrent) HashesKnown() bool {
	layer := func(n hashNeed) bool { return !n.blocks }
	return t.layout != nil && t.hashes.file == len(t.layout.Files) &&
		!slices.ContainsFunc(t.hashes.window, layer)
}

// fillHashes looks for more ranges that are missing.
func (t *Torrent) fillHashes() {
	s := &t.hashes
	if len(s.window) > hashWindow/2 {
		return // to look at a file takes time in proportion to its pieces
	}
	for ; s.file < len(t.layout.Files); s.file++ {
		if !t.fillFile(s.file) {
			return
		}
	}
}

// fillFile takes what is missing of a file into the window. It reports whether
// the next file may follow.
func (t *Torrent) fillFile(file int) bool {
	s := &t.hashes
	missing := false
	for r := range t.layout.NeedsHashes(file) {
		i := slices.IndexFunc(s.window, func(n hashNeed) bool {
			return !n.blocks && n.hashRange == r
		})
		switch {
		case i >= 0 && s.window[i].file != file:
			return false // a file of the same content, which has the same layer
		case i >= 0:
		case len(s.window) >= hashWindow:
			return false
		default:
			s.window = append(s.window, hashNeed{hashRange: r, file: file})
		}
		missing = true
	}
	if !missing {
		first, end := t.layout.FilePieces(file)
		t.knowPieces(first, end)
	}
	return true
}

// knowPieces notes that pieces can be verified.
func (t *Torrent) knowPieces(first, end int) {
	t.knowSecond(first, end)
	for piece := first; piece < min(end, t.pick.Pieces()); piece++ {
		if w := t.late.waiting; w != nil && w.Has(piece) {
			t.late.ready.Add(piece)
		} else {
			t.pick.Free(uint32(piece))
		}
	}
	t.checkLate()
	t.requests.refillSoon(t.now)
}

// askHashes asks peers for the ranges of the window, each range of one peer at
// a time as long as that one answers.
func (t *Torrent) askHashes() {
	s := &t.hashes
	if t.pick == nil || !t.wantsHashes() {
		return
	}
	t.fillHashes()
	t.expireBlame()
	t.releaseHeld()
	for _, p := range t.peers.all() {
		if h := &p.hashes; len(h.asked) > 0 && t.now-h.asked[0].at >= hashAgain {
			h.asked, h.until = nil, t.now+hashSilent
			t.freeHashes(p.ref)
		}
	}
	for i := range s.window {
		n := &s.window[i]
		if n.asked && t.now-n.at < hashStall {
			continue
		}
		p := t.chooseForHashes(n)
		if p == nil {
			continue
		}
		n.from, n.asked, n.at = p.ref, true, t.now
		p.hashes.asked = append(p.hashes.asked, hashAsk{n.hashRange, t.now})
		t.out.send(p, wire.Message{ID: wire.HashRequest,
			Payload: wire.AppendHashRange(nil, wire.HashRange(n.hashRange))})
	}
	t.setHashTimer()
}

// setHashTimer has askHashes called when something is late.
func (t *Torrent) setHashTimer() {
	if len(t.hashes.window) == 0 {
		return
	}
	for _, p := range t.peers.all() {
		if len(p.hashes.asked) > 0 {
			t.timers.by(timerHashes, t.now+hashStall)
		}
		if p.v2 && p.hashes.until > t.now {
			t.timers.by(timerHashes, p.hashes.until)
		}
	}
}

// chooseForHashes returns whom to ask for n, or nil: one that was not asked for
// it last, rather a seed, rather one with little to answer.
func (t *Torrent) chooseForHashes(n *hashNeed) *peer {
	var best *peer
	rank := func(p *peer) int {
		return len(p.hashes.asked) + ifThen(p.has.isSeed(), 0, 1)*hashAsks + ifThen(n.from == p.ref,
			1, 0)*4*hashAsks
	}
	for _, p := range t.peers.all() {
		h := &p.hashes
		switch {
		case !p.v2 || t.now < h.until || len(h.asked) >= hashAsks || h.find(n.hashRange) >= 0:
		case len(h.asked) > 0 && t.now-h.asked[0].at >= hashStall:
		case best == nil || rank(p) < rank(best):
			best = p
		}
	}
	return best
}

// freeHashes makes what the peer was asked for be asked of others.
func (t *Torrent) freeHashes(ref PeerRef) {
	for i := range t.hashes.window {
		if n := &t.hashes.window[i]; n.from == ref {
			n.asked = false
		}
	}
}

// leaveHashes settles what a peer that is gone was asked for.
func (t *Torrent) leaveHashes(p *peer) {
	if len(p.hashes.asked) > 0 {
		p.hashes.asked = nil
		t.freeHashes(p.ref)
		t.timers.by(timerHashes, t.now)
	}
	t.dropHashServing(p.ref)
}

// onHashMessage takes in a message of BEP 52.
func (t *Torrent) onHashMessage(p *peer, id wire.ID, payload []byte) {
	r, hashes, err := wire.ParseHashRange(payload)
	switch {
	case err != nil && id == wire.HashRequest && len(payload) == wire.HashRangeSize:
		// Clients differ in what they hold for a range, so it is told what is
		// the matter, and not left.
		t.out.send(p, wire.Message{ID: wire.HashReject, Payload: payload})
		t.strike(p, strikeRequest)
		return
	case err != nil, id != wire.Hashes && len(hashes) > 0:
		t.drop(p, ReasonProtocol)
		return
	}
	if id == wire.HashRequest {
		t.onHashRequest(p, metainfo.HashRange(r))
		return
	}
	i := p.hashes.find(metainfo.HashRange(r))
	if i < 0 {
		if id == wire.Hashes {
			t.strike(p, strikeUnsolicited)
		} else {
			t.strike(p, strikeReject)
		}
		return
	}
	p.hashes.asked = slices.Delete(p.hashes.asked, i, i+1)
	for i := range t.hashes.window {
		if n := &t.hashes.window[i]; n.hashRange == metainfo.HashRange(r) && n.from == p.ref {
			n.asked = false
		}
	}
	if id == wire.HashReject {
		p.hashes.until = t.now + hashRejected
	} else {
		t.onHashes(p, metainfo.HashRange(r), hashes)
	}
	t.askHashes()
}

// onHashes takes in the hashes that p was asked for. Another peer may have sent
// them before, when p was slow.
func (t *Torrent) onHashes(p *peer, r metainfo.HashRange, hashes []byte) {
	s := &t.hashes
	i := slices.IndexFunc(s.window, func(n hashNeed) bool { return n.hashRange == r })
	if i < 0 {
		return
	}
	n := s.window[i]
	check := t.layout.AddHashes
	if n.blocks {
		check = t.layout.CheckHashes
	}
	if check(r, hashes) != nil {
		p.hashes.until = t.now + hashRejected
		if p.hashes.wrong++; p.hashes.wrong >= hashesWrongMax {
			t.dropAndBan(p, ReasonBadHashes)
		}
		return
	}
	p.flood.useful()
	s.window = slices.Delete(s.window, i, i+1)
	if n.blocks {
		t.blameByHashes(n.piece, r, hashes)
		return
	}
	first, end := t.layout.FilePieces(n.file)
	first += int(r.Index)
	t.knowPieces(first, min(end, first+int(r.Length)))
	t.fillHashes()
	t.checkComplete()
}
