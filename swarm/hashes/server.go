package hashes

import (
	"slices"

	"swarmnode/metainfo"
)

const (
	// waitingMax bounds the requests for hashes of blocks that wait for their
	// pieces to be read, and waitingPeer those of one peer among them. They are
	// read for one after the other.
	waitingMax  = 16
	waitingPeer = 2
)

// Answers is what a Server asks of the hash trees of its torrent. A
// *metainfo.Layout has it.
type Answers interface {
	AppendHashes(dst []byte, r metainfo.HashRange,
		leaves func(piece int) ([]metainfo.Hash256, bool)) (answer []byte, ok bool)
}

// A Server answers requests for hashes. Hashes of blocks are not kept: for these it
// has pieces read, one at a time, and the requests wait.
type Server struct {
	trees    Answers
	has      func(piece int) bool
	headroom int
	waiting  []request // oldest first; the first waits for its piece
}

// A request waits for pieces to be read.
type request struct {
	peer      uint32 // 0 once it has left
	hashRange metainfo.HashRange
	leaves    map[int][]metainfo.Hash256 // by piece; nil for a piece that cannot be read
	reading   int                        // the piece that is awaited, or noPiece
}

const noPiece = -1

// Outcome is what becomes of a request.
type Outcome uint8

// The outcomes of a request.
const (
	Refused  Outcome = iota // it is rejected
	Answered                // its hashes are there
	Queued                  // it waits for its turn to have pieces read
	Reading                 // its turn has come, and it waits for a piece to be read
)

// A Reply says what becomes of a request.
type Reply struct {
	Peer    uint32
	Range   metainfo.HashRange
	Outcome Outcome
	Answer  []byte // if Answered
	Piece   int    // if Reading: it has to be read, and then Hashed
}

// Begin makes s the Server of a torrent. has reports whether a piece is there,
// verified. Each answer leaves the first headroom bytes to the caller.
func (s *Server) Begin(trees Answers, has func(piece int) bool, headroom int) {
	*s = Server{trees: trees, has: has, headroom: headroom}
}

// Answer answers a request of a peer, or lets it wait: Next tells what becomes of it then.
func (s *Server) Answer(peer uint32, r metainfo.HashRange) Reply {
	q := request{peer: peer, hashRange: r, reading: noPiece}
	reply := s.try(&q)
	if reply.Outcome != Reading {
		return reply
	}
	if len(s.waiting) >= waitingMax || s.Waits(peer) >= waitingPeer {
		reply.Outcome = Refused
		return reply
	}
	if len(s.waiting) > 0 {
		reply.Outcome, q.reading = Queued, noPiece
	}
	s.waiting = append(s.waiting, q)
	return reply
}

// Waits returns how many requests of a peer wait.
func (s *Server) Waits(peer uint32) int {
	n := 0
	for i := range s.waiting {
		if s.waiting[i].peer == peer {
			n++
		}
	}
	return n
}

// try answers a request, or says which piece has to be read first.
func (s *Server) try(q *request) Reply {
	reply := Reply{Peer: q.peer, Range: q.hashRange, Piece: noPiece}
	if s.trees == nil {
		return reply
	}
	answer, ok := s.trees.AppendHashes(make([]byte, s.headroom), q.hashRange,
		func(piece int) ([]metainfo.Hash256, bool) {
			if leaves, ok := q.leaves[piece]; ok {
				return leaves, leaves != nil
			}
			if reply.Piece == noPiece && s.has(piece) {
				reply.Piece = piece
			}
			return nil, false
		})
	switch {
	case ok:
		reply.Outcome, reply.Answer = Answered, answer
	case reply.Piece != noPiece:
		reply.Outcome, q.reading = Reading, reply.Piece
	}
	return reply
}

// Next goes on with the requests that wait, oldest first, until a piece has to be read for
// one of them. Call it after Hashed until it has no more to tell.
func (s *Server) Next() (r Reply, ok bool) {
	for len(s.waiting) > 0 {
		q := &s.waiting[0]
		if q.reading != noPiece {
			break
		}
		left := q.peer == 0
		if !left {
			if r = s.try(q); r.Outcome == Reading {
				return r, true
			}
		}
		s.waiting = slices.Delete(s.waiting, 0, 1)
		if !left {
			return r, true
		}
	}
	return Reply{}, false
}

// Hashed records the leaves of a piece that was read; none if it could not be read. It
// reports whether a request has waited for the piece.
func (s *Server) Hashed(piece int, leaves []metainfo.Hash256) bool {
	if len(s.waiting) == 0 || s.waiting[0].reading != piece {
		return false
	}
	q := &s.waiting[0]
	if q.leaves == nil {
		q.leaves = map[int][]metainfo.Hash256{}
	}
	if len(leaves) == 0 {
		leaves = nil
	}
	q.leaves[piece], q.reading = leaves, noPiece
	return true
}

// Leave forgets the requests of a peer. One whose piece is being read keeps its place
// until that is done, since the piece will be Hashed.
func (s *Server) Leave(peer uint32) {
	s.waiting = slices.DeleteFunc(s.waiting, func(q request) bool {
		return q.peer == peer && q.reading == noPiece
	})
	for i := range s.waiting {
		if s.waiting[i].peer == peer {
			s.waiting[i].peer = 0
		}
	}
}

// Check panics when an invariant does not hold. It is for tests and race builds, when Next
// has no more to tell.
func (s *Server) Check() {
	if len(s.waiting) > waitingMax {
		panic("hashes: too many requests wait")
	}
	for i := range s.waiting {
		q := &s.waiting[i]
		if (i == 0) != (q.reading != noPiece) || q.peer != 0 && s.Waits(q.peer) > waitingPeer {
			panic("hashes: a request waits out of turn")
		}
	}
}
