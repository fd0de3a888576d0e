package hashes

import (
	"crypto/sha256"
	"iter"
	"slices"
	"time"

	"swarmnode/metainfo"
)

const (
	// windowMax is how many ranges are looked for at a time.
	windowMax = 256
	// asksMax is how many ranges one peer is asked for at a time. An answer
	// has up to 17 KiB, so this is what a block request costs its sender.
	asksMax = 4
	// stall is how long a peer may take before what it was asked for is asked of
	// another one, too.
	stall = 3 * time.Second
	// giveUp is how long until a silent peer is given up, and left alone for
	// silent.
	giveUp = 20 * time.Second
	silent = 60 * time.Second
	// rejected is how long a peer that rejected is left alone: most often it waits
	// for the same hashes itself.
	rejected = 10 * time.Second
	// wrongMax is how many answers of a peer may prove nothing: clients differ in
	// what they take for the proof of an odd range.
	wrongMax = 3
)

// Trees is what a Search asks of the hash trees of its torrent. A *metainfo.Layout
// has it.
type Trees interface {
	// NeedsHashes yields the ranges that are missing of the piece layer of a file,
	// each for AddHashes.
	NeedsHashes(file int) iter.Seq[metainfo.HashRange]
	// NeedsBlockHashes yields the ranges of the leaves of a piece, in order, each
	// for CheckHashes.
	NeedsBlockHashes(piece int) iter.Seq[metainfo.HashRange]
	// FilePieces returns the pieces of a file: first up to end.
	FilePieces(file int) (first, end int)
	AddHashes(r metainfo.HashRange, hashes []byte) error
	CheckHashes(r metainfo.HashRange, hashes []byte) error
}

// Peers is what a Search asks about its sources.
type Peers interface {
	// IsSeed reports whether the peer has every piece.
	IsSeed(peer uint32) bool
	// HasPiece reports whether the peer is known to have the piece.
	HasPiece(peer uint32, piece int) bool
}

// A Search looks for the hashes that the metadata of v2 leaves out: the piece layers
// of files larger than a piece, and the leaves of pieces that came with a wrong hash.
// Each range is asked of one source at a time, as long as that one answers.
type Search struct {
	trees   Trees // nil until Begin
	peers   Peers
	files   int
	file    int // files before it need nothing but what is in the window
	window  []need
	sources []source // in the order of Join
	known   []Run
	asks    []Ask // the last result of Ask
}

// A need is a range of hashes that is being looked for.
type need struct {
	hashRange metainfo.HashRange
	file      int  // whose piece layer it belongs to
	leaves    bool // it is of the leaves of piece instead, from block first on
	piece     uint32
	first     int
	from      uint32 // who was asked last
	asked     bool   // and is still expected to answer
	at        time.Duration
}

// A source is a peer that may be asked.
type source struct {
	peer  uint32
	asked []ask // oldest first
	until time.Duration
	wrong int // answers without proof
}

type ask struct {
	hashRange metainfo.HashRange
	at        time.Duration
}

// find returns the index of the request for r, or -1.
func (s *source) find(r metainfo.HashRange) int {
	return slices.IndexFunc(s.asked, func(a ask) bool { return a.hashRange == r })
}

// late reports whether the oldest request has waited for that long.
func (s *source) late(now, limit time.Duration) bool {
	return len(s.asked) > 0 && now-s.asked[0].at >= limit
}

// An Ask is a request for a range that a peer is to get.
type Ask struct {
	Peer  uint32
	Range metainfo.HashRange
}

// A Run is pieces in a row, First up to End.
type Run struct{ First, End int }

// Worth says what an answer was worth.
type Worth uint8

// What an answer may be worth.
const (
	Unasked      Worth = iota // this peer had not been asked
	Late                      // another peer has told the hashes before
	Unproven                  // it leads to no known hash
	Lies                      // it leads to no known hash, like others of this peer
	ProvenLayer               // hashes of pieces: Trees has them, see Known
	ProvenLeaves              // hashes of the blocks of a piece: see Receipt
)

// A Receipt says what an answer was worth. ProvenLeaves come with it: the first is that
// of block First of Piece.
type Receipt struct {
	Worth  Worth
	Leaves []metainfo.Hash256
	Piece  uint32
	First  int
}

// Begin starts the search for the piece layers of a torrent of some files. Before, and for
// a torrent without hash trees, nothing is looked for.
func (s *Search) Begin(trees Trees, files int, peers Peers) {
	s.trees, s.files, s.peers = trees, files, peers
}

// Join adds a peer that may be asked.
func (s *Search) Join(peer uint32) {
	if s.find(peer) == nil {
		s.sources = append(s.sources, source{peer: peer})
	}
}

// Leave removes a peer that is gone. It reports whether others should be asked for what
// it was asked for.
func (s *Search) Leave(peer uint32) bool {
	src := s.find(peer)
	if src == nil {
		return false
	}
	open := len(src.asked) > 0
	s.sources = slices.DeleteFunc(s.sources, func(x source) bool { return x.peer == peer })
	s.free(peer)
	return open
}

// Has reports whether a peer has joined.
func (s *Search) Has(peer uint32) bool { return s.find(peer) != nil }

// Wants reports whether hashes are being looked for.
func (s *Search) Wants() bool { return s.file < s.files || len(s.window) > 0 }

// LayersKnown reports whether no piece layer is being looked for.
func (s *Search) LayersKnown() bool {
	return s.file == s.files &&
		!slices.ContainsFunc(s.window, func(n need) bool { return !n.leaves })
}

// CanTell reports whether there is a peer that may be asked now.
func (s *Search) CanTell(now time.Duration) bool {
	return slices.ContainsFunc(s.sources, func(src source) bool { return now >= src.until })
}

// CanTellLeaves reports whether a peer with the piece, another one than except, may be
// asked for its leaves now.
func (s *Search) CanTellLeaves(now time.Duration, piece, except uint32) bool {
	if s.trees == nil {
		return false
	}
	for range s.trees.NeedsBlockHashes(int(piece)) {
		return slices.ContainsFunc(s.sources, func(src source) bool {
			return src.peer != except && now >= src.until && s.peers.HasPiece(src.peer, int(piece))
		})
	}
	return false
}

// Promising reports whether a peer may be asked, and has neither rejected a request nor
// been silent or wrong.
func (s *Search) Promising(peer uint32) bool {
	src := s.find(peer)
	return src != nil && src.until == 0
}

// know records that the hashes of the pieces from first up to end have become known. Pieces
// in a row are one Run: a torrent may have many files whose layers are known from the start.
func (s *Search) know(first, end int) {
	if n := len(s.known); n > 0 && s.known[n-1].End == first {
		s.known[n-1].End = end
		return
	}
	s.known = append(s.known, Run{first, end})
}

// Known yields the pieces whose hashes have become known since the last call.
func (s *Search) Known() iter.Seq[Run] {
	known := s.known
	s.known = nil
	return slices.Values(known)
}

// WantLeaves begins to look for the leaves of a piece.
func (s *Search) WantLeaves(piece uint32) {
	first := 0
	for r := range s.trees.NeedsBlockHashes(int(piece)) {
		s.window = append(s.window, need{hashRange: r, leaves: true, piece: piece, first: first})
		first += int(r.Length)
	}
}

// ForgetLeaves ends the search for the leaves of a piece.
func (s *Search) ForgetLeaves(piece uint32) {
	s.window = slices.DeleteFunc(s.window, func(n need) bool {
		return n.leaves && n.piece == piece
	})
}

// Fill moves missing ranges of the files into the window. What has become known meanwhile is
// told by Known.
func (s *Search) Fill() {
	if len(s.window) > windowMax/2 {
		return // to look at a file takes time in proportion to its pieces
	}
	for ; s.file < s.files; s.file++ {
		if !s.fillFile() {
			return
		}
	}
}

// fillFile moves missing ranges of the current file into the window. It reports whether the
// next file may follow.
func (s *Search) fillFile() bool {
	missing := false
	for r := range s.trees.NeedsHashes(s.file) {
		i := slices.IndexFunc(s.window, func(n need) bool { return !n.leaves && n.hashRange == r })
		switch {
		case i >= 0 && s.window[i].file != s.file:
			return false // a file of the same content, which has the same layer
		case i >= 0:
		case len(s.window) >= windowMax:
			return false
		default:
			s.window = append(s.window, need{hashRange: r, file: s.file})
		}
		missing = true
	}
	if !missing {
		first, end := s.trees.FilePieces(s.file)
		s.know(first, end)
	}
	return true
}

// Ask gives up on silent peers, and returns what to ask of whom, and when to call it again
// at the latest. The result is valid until the next call.
func (s *Search) Ask(now time.Duration) (asks []Ask, again time.Duration) {
	s.asks = s.asks[:0]
	for i := range s.sources {
		if src := &s.sources[i]; src.late(now, giveUp) {
			// Its ranges stalled long ago, so others may be asked for them.
			src.asked, src.until = nil, now+silent
		}
	}
	for i := range s.window {
		n := &s.window[i]
		if n.asked && now-n.at < stall {
			continue
		}
		src := s.choose(now, n)
		if src == nil {
			continue
		}
		n.from, n.asked, n.at = src.peer, true, now
		src.asked = append(src.asked, ask{n.hashRange, now})
		s.asks = append(s.asks, Ask{src.peer, n.hashRange})
	}
	return s.asks, s.again(now)
}

// again returns when something is late that is not late yet.
func (s *Search) again(now time.Duration) time.Duration {
	at := Never
	if len(s.window) == 0 {
		return at
	}
	for i := range s.sources {
		src := &s.sources[i]
		if len(src.asked) > 0 {
			at = min(at, now+stall)
		}
		if src.until > now {
			at = min(at, src.until)
		}
	}
	return at
}

// choose returns whom to ask for n, or nil: preferably not the one that was asked last,
// then a seed, then the one with the fewest outstanding requests.
func (s *Search) choose(now time.Duration, n *need) *source {
	var best *source
	for i := range s.sources {
		src := &s.sources[i]
		if now < src.until || len(src.asked) >= asksMax || src.find(n.hashRange) >= 0 ||
			src.late(now, stall) {
			continue
		}
		if best == nil || s.rank(src, n) < s.rank(best, n) {
			best = src
		}
	}
	return best
}

// rank orders the sources for n: the lowest comes first.
func (s *Search) rank(src *source, n *need) int {
	rank := len(src.asked)
	if !s.peers.IsSeed(src.peer) {
		rank += asksMax
	}
	if n.from == src.peer {
		rank += 4 * asksMax
	}
	return rank
}

// Rejected records that a peer rejects a request. It reports whether the peer had been
// asked.
func (s *Search) Rejected(now time.Duration, peer uint32, r metainfo.HashRange) bool {
	src := s.close(peer, r)
	if src == nil {
		return false
	}
	src.until = now + rejected
	return true
}

// Answered checks the hashes that a peer sent for a range. Call Ask after it.
func (s *Search) Answered(now time.Duration, peer uint32, r metainfo.HashRange,
	hashes []byte) Receipt {
	src := s.close(peer, r)
	if src == nil {
		return Receipt{Worth: Unasked}
	}
	i := slices.IndexFunc(s.window, func(n need) bool { return n.hashRange == r })
	if i < 0 {
		return Receipt{Worth: Late}
	}
	n := s.window[i]
	check := s.trees.AddHashes
	if n.leaves {
		check = s.trees.CheckHashes
	}
	if check(r, hashes) != nil {
		src.until = now + rejected
		if src.wrong++; src.wrong >= wrongMax {
			return Receipt{Worth: Lies}
		}
		return Receipt{Worth: Unproven}
	}
	s.window = slices.Delete(s.window, i, i+1)
	if n.leaves {
		return Receipt{Worth: ProvenLeaves, Leaves: decode(hashes, int(r.Length)), Piece: n.piece,
			First: n.first}
	}
	first, end := s.trees.FilePieces(n.file)
	first += int(r.Index)
	s.know(first, min(end, first+int(r.Length)))
	s.Fill()
	return Receipt{Worth: ProvenLayer}
}

// close ends a request to a peer, and returns the peer; nil if there was none.
func (s *Search) close(peer uint32, r metainfo.HashRange) *source {
	src := s.find(peer)
	if src == nil {
		return nil
	}
	i := src.find(r)
	if i < 0 {
		return nil
	}
	src.asked = slices.Delete(src.asked, i, i+1)
	for i := range s.window {
		if n := &s.window[i]; n.hashRange == r && n.from == peer {
			n.asked = false
		}
	}
	return src
}

// free lets what a peer was asked for be asked of others.
func (s *Search) free(peer uint32) {
	for i := range s.window {
		if n := &s.window[i]; n.from == peer {
			n.asked = false
		}
	}
}

// find returns the source of a peer, or nil.
func (s *Search) find(peer uint32) *source {
	for i := range s.sources {
		if s.sources[i].peer == peer {
			return &s.sources[i]
		}
	}
	return nil
}

// decode returns the first n of the hashes.
func decode(hashes []byte, n int) []metainfo.Hash256 {
	list := make([]metainfo.Hash256, min(n, len(hashes)/sha256.Size))
	for i := range list {
		list[i] = metainfo.Hash256(hashes[i*sha256.Size:])
	}
	return list
}

// Check panics when an invariant does not hold. It is for tests and race builds.
func (s *Search) Check() {
	layers := 0
	for i := range s.window {
		if n := &s.window[i]; !n.leaves {
			layers++
			if n.file > s.file {
				panic("hashes: a range of a file that was not reached")
			}
		}
	}
	if layers > windowMax {
		panic("hashes: too many ranges are looked for")
	}
	for i := range s.sources {
		src := &s.sources[i]
		if s.find(src.peer) != src || len(src.asked) > asksMax {
			panic("hashes: a peer has joined twice, or is asked for too much")
		}
		for k, a := range src.asked {
			if src.find(a.hashRange) != k {
				panic("hashes: a peer is asked twice for a range")
			}
		}
	}
}
