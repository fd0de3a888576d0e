package metadata

import (
	"cmp"
	"crypto/sha1"
	"crypto/sha256"
	"math"
	"slices"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
)

// BlockSize is the length of a block of an info dictionary, of which only the last is
// shorter (BEP 9).
const BlockSize = 16 << 10

// Never is the time of what is not due at all.
const Never time.Duration = math.MaxInt64

const (
	// sendersMax is how many peers send the dictionary at the same time, each all of
	// it.
	sendersMax = 4
	// turn is how long a peer that sends keeps others from beginning, and only
	// those that claim as much or more: a liar can claim that there is much, and be
	// slow, but not both at the cost of honest peers.
	turn = time.Second / 2
	// probesMax is how many more peers are asked for a first block.
	probesMax = 8
	// asksMax is how many blocks one peer is asked for at a time.
	asksMax = 4
	// stall is how long a peer may leave a request before it no longer keeps others
	// from being asked.
	stall = time.Second / 2
	// giveUp is how long until a silent peer is given up, and left alone like one
	// that rejected.
	giveUp = 20 * time.Second
	// rejected is how long a peer that rejected is left alone.
	rejected = 60 * time.Second
	// wrongMax is how many wrong dictionaries a peer may send.
	wrongMax = 2
)

// Names are the hashes by which an info dictionary is known.
type Names struct {
	// Hash is the info-hash of links: SHA-1 (BEP 3), or SHA-256 cut to 20 bytes
	// (BEP 52).
	Hash metainfo.Hash
	// HashV2 is the whole SHA-256, or zero if it is not known.
	HashV2 metainfo.Hash256
}

// Fit reports whether the dictionary has every known hash.
func (n Names) Fit(dictionary []byte) bool {
	v1, v2 := metainfo.Hash(sha1.Sum(dictionary)), metainfo.Hash256(sha256.Sum256(dictionary))
	if n.HashV2 != (metainfo.Hash256{}) && v2 != n.HashV2 {
		return false
	}
	return v1 == n.Hash || v2.Short() == n.Hash
}

// A Search fetches the info dictionary. It is for one goroutine at a time.
type Search struct {
	names    Names
	bytesMax int64
	sources  []*source // in the order of their first Offer
	closed   bool
	asks     []Ask // the last result
}

// A source is a peer that claims to have the dictionary, and what it has sent of it.
//
//	every bit of have is in data; no block is in both asked and have
type source struct {
	peer  uint32
	claim int64     // its last word on the size; 0 if it does not send dictionaries
	size  int64     // what it claimed when it began to send; 0 if it does not
	data  []byte    // grows with the blocks that come
	have  *bits.Set // blocks
	asked *bits.Set // blocks that are outstanding
	began time.Duration
	last  time.Duration // it was asked, or began
	until time.Duration // not to be asked before
	wrong int           // dictionaries with a wrong hash
}

// active reports whether the peer is sending.
func (s *source) active() bool { return s.asked != nil && !s.asked.None() }

// sent reports whether a block has come.
func (s *source) sent() bool { return s.have != nil && !s.have.None() }

// stop forgets what has come, and leaves the peer alone for a while.
func (s *source) stop(until time.Duration) {
	s.size, s.data, s.have, s.asked, s.until = 0, nil, nil, nil, until
}

// An Ask is a request for a block that a peer is to get.
type Ask struct {
	Peer  uint32
	Block uint32
}

// Worth says what a block was worth.
type Worth uint8

// What a block may be worth.
const (
	Unasked  Worth = iota // nobody had asked this peer for it
	Taken                 // it is kept
	Wrong                 // it cannot be, or completed a dictionary with a wrong hash
	Liar                  // so did too many of this peer
	Complete              // it was the last one, and the dictionary is right
)

// NewSearch returns a search for the dictionary with the given hashes. It keeps at most
// bytesMax bytes of all peers together.
func NewSearch(names Names, bytesMax int64) Search {
	return Search{names: names, bytesMax: bytesMax}
}

// close ends the search: the dictionary is known, or of no use.
func (s *Search) close() { s.closed, s.sources, s.asks = true, nil, nil }

// Offer records the size of the dictionary that a peer claims to have; 0 for one that takes
// no requests. A dictionary of which not all may be kept counts as none.
func (s *Search) Offer(peer uint32, size int64) {
	if s.closed {
		return
	}
	if size < 0 || size > s.bytesMax {
		size = 0
	}
	src := s.find(peer)
	if src == nil {
		if size == 0 {
			return
		}
		src = &source{peer: peer}
		s.sources = append(s.sources, src)
	}
	src.claim = size
}

// Leave removes a peer that is gone. It reports whether others may be asked in its place.
func (s *Search) Leave(peer uint32) bool {
	src := s.find(peer)
	if src == nil {
		return false
	}
	s.sources = slices.DeleteFunc(s.sources, func(x *source) bool { return x == src })
	return src.active()
}

// Progress returns how many bytes have come of the dictionary that has come furthest, and how
// many it is said to have.
func (s *Search) Progress() (have, size int) {
	for _, src := range s.sources {
		if size == 0 || len(src.data) > have {
			have, size = len(src.data), int(src.claim)
		}
	}
	return have, size
}

// Ask gives up on silent peers, and returns what to ask of whom, and when to call it again at
// the latest. The asks are valid until the next call.
func (s *Search) Ask(now time.Duration) (asks []Ask, again time.Duration) {
	s.asks = s.asks[:0]
	probing := 0
	var fresh []*source
	for _, src := range s.sources {
		if src.active() && now-src.last >= giveUp {
			src.stop(now + rejected)
		}
		switch {
		case src.active():
			if !src.sent() && now-src.last < stall {
				probing++
			}
		case src.claim <= 0 || now < src.until:
		case src.sent():
			s.fill(now, src, asksMax)
		default:
			fresh = append(fresh, src)
		}
	}
	slices.SortStableFunc(fresh, func(a, b *source) int { return cmp.Compare(a.claim, b.claim) })
	for _, src := range fresh {
		if probing < probesMax && s.senders(now, src.claim) < sendersMax {
			probing++
			s.begin(now, src)
		}
	}
	return s.asks, s.again(now)
}

// again returns when something is late, or a peer may be asked again.
func (s *Search) again(now time.Duration) time.Duration {
	at := Never
	for _, src := range s.sources {
		if src.active() {
			at = min(at, now+stall)
		}
		if src.until > now && src.claim > 0 {
			at = min(at, src.until)
		}
	}
	return at
}

// senders counts the peers whose turn it is to send a dictionary of at most the given size.
func (s *Search) senders(now time.Duration, size int64) int {
	n := 0
	for _, src := range s.sources {
		if src.active() && src.sent() && src.size <= size && now-src.began < turn {
			n++
		}
	}
	return n
}

// begin asks a peer for the first block of the dictionary whose size it claims.
func (s *Search) begin(now time.Duration, src *source) {
	src.size, src.began = src.claim, now
	blocks := int((src.size + BlockSize - 1) / BlockSize)
	src.have, src.asked, src.data = bits.New(blocks), bits.New(blocks), nil
	s.fill(now, src, 1)
}

// fill asks a peer for the next blocks, as long as fewer than most are outstanding.
func (s *Search) fill(now time.Duration, src *source, most int) {
	for i := src.have.NextMissing(0); i >= 0 && src.asked.Count() < most; {
		if src.asked.Add(i) {
			s.asks = append(s.asks, Ask{src.peer, uint32(i)})
		}
		i = src.have.NextMissing(i + 1)
	}
	src.last = now
}

// Rejected records that a peer rejects a request. It reports whether others may be asked then.
func (s *Search) Rejected(now time.Duration, peer uint32) bool {
	src := s.find(peer)
	if src == nil || !src.active() {
		return false
	}
	src.stop(now + rejected)
	return true
}

// A Receipt says what a block was worth.
type Receipt struct {
	Worth Worth
	// Asks are what to ask for next if the block was Taken, valid until the next
	// result. After Wrong and Liar others may be asked: see Ask.
	Asks       []Ask
	Dictionary []byte // if Complete
}

// Received keeps a block that a peer was asked for. Blocks are asked for in order, so fewer
// than asksMax blocks are missing before the last one that has come. Complete ends the search.
func (s *Search) Received(now time.Duration, peer, block uint32, data []byte) Receipt {
	src := s.find(peer)
	if src == nil || src.asked == nil || !src.asked.Has(int(block)) {
		return Receipt{Worth: Unasked}
	}
	begin := int64(block) * BlockSize
	length := min(BlockSize, src.size-begin)
	if int64(len(data)) != length {
		return s.refute(now, src)
	}
	if end := int(begin + length); len(src.data) < end {
		src.data = append(src.data, make([]byte, end-len(src.data))...)
	}
	copy(src.data[begin:], data)
	src.asked.Remove(int(block))
	src.have.Add(int(block))
	if !src.have.All() {
		s.asks = s.asks[:0]
		s.fill(now, src, asksMax)
		s.bound(now)
		return Receipt{Worth: Taken, Asks: s.asks}
	}
	if !s.names.Fit(src.data) {
		return s.refute(now, src)
	}
	dictionary := src.data
	s.close()
	return Receipt{Worth: Complete, Dictionary: dictionary}
}

// refute records that what a peer sent cannot be, or was not, the dictionary.
func (s *Search) refute(now time.Duration, src *source) Receipt {
	src.stop(now)
	if src.wrong++; src.wrong >= wrongMax {
		return Receipt{Worth: Liar}
	}
	return Receipt{Worth: Wrong}
}

// bound gives up what has come of the largest dictionaries while there is too much in all.
func (s *Search) bound(now time.Duration) {
	for {
		var largest *source
		total := 0
		for _, src := range s.sources {
			total += len(src.data)
			if len(src.data) > 0 && (largest == nil || src.size > largest.size) {
				largest = src
			}
		}
		if int64(total) <= s.bytesMax {
			return
		}
		largest.stop(now + rejected)
	}
}

// find returns the source of a peer, or nil.
func (s *Search) find(peer uint32) *source {
	for _, src := range s.sources {
		if src.peer == peer {
			return src
		}
	}
	return nil
}

// Check panics when an invariant does not hold. It is for tests and race builds.
func (s *Search) Check() {
	total := 0
	for _, src := range s.sources {
		total += len(src.data)
		if s.find(src.peer) != src || int64(len(src.data)) > src.size {
			panic("metadata: a peer has joined twice, or sent more than there is")
		}
		if src.asked == nil {
			continue
		}
		if src.asked.Count() > asksMax {
			panic("metadata: a peer is asked for too much")
		}
		for block := range src.have.Members() {
			if src.asked.Has(block) {
				panic("metadata: a block has come and is asked for")
			}
		}
	}
	if int64(total) > s.bytesMax {
		panic("metadata: too much is kept")
	}
}
