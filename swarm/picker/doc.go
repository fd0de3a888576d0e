// Package picker decides which block of a torrent to ask a peer for next.
//
// It considers, in this order:
//
//  1. pieces with a deadline, the earliest first, and of the first of them the last blocks
//     that were asked of a peer which is too slow;
//  2. pieces that this peer has begun, so that a piece comes from one peer;
//  3. pieces that were begun and have no owner any more, and, for a peer that does
//     not fetch whole pieces or when many pieces are in flight, pieces that other
//     peers have begun;
//  4. pieces that the peer suggests;
//  5. the piece of the highest priority, of these the rarest in the swarm, and
//     of equally rare ones any;
//  6. pieces that one peer had to fetch alone and did not finish;
//  7. pieces that other peers have begun, for every peer;
//  8. blocks that were asked of another peer, once no piece is left to begin.
//
// The first few pieces are chosen at random, because a rare piece would come
// slowly and be of little use for trading.
//
// The Picker is also the one place where a piece changes its State. It holds
// no data, knows peers by number alone, has no clock, and never does I/O.
//
// A piece whose hash is not known is Held, a state from which nothing is picked.
// Piece layers of BEP 52 may come later than peers, and a block that nobody can
// verify must be neither asked for nor held against its sender.
//
// Its nouns: a piece has a State, a Priority and an availability, which is how
// many connected peers that are no seeds have the piece; a Block is a part of a
// piece; a partial is a piece that is being fetched, and its owner is the peer
// that fetches it; a Query is the question of one peer.
package picker
