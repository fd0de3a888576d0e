// Package picker decides which block of a torrent to ask a peer for next.
//
// What it considers, in this order: blocks of pieces with a deadline; blocks
// of the pieces that this peer has begun, so that a piece comes from one peer;
// pieces that were begun and left; pieces that the peer suggests; the piece of
// highest priority, and among equals the rarest in the swarm, ties broken at
// random; blocks of pieces that other peers have begun; at the very end blocks
// that others were asked for already. The first few pieces are taken at
// random, because a rare one would come slowly and be of little use to trade.
//
// The Picker is also the one place where a piece changes its State. It holds
// no data, knows no peer but by number, has no clock, and never does I/O.
//
// A piece whose hash is not known is Held, a state from which nothing is picked:
// piece layers of BEP 52 may come later than peers, and what nobody can verify
// must be neither asked for nor held against its sender.
//
// Its nouns: a piece has a State, a Priority and an availability, which is how
// many connected peers that are no seeds have it; a Block is a part of a
// piece; a partial is a piece that is being fetched, and its owner the peer
// that fetches it; a Query is the question of one peer.
package picker
