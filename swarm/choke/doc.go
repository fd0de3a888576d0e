// Package choke decides whom a torrent uploads to, and which block goes out next.
//
// A slot is the permission to ask us for blocks; a peer that has one is unchoked. A Choker
// owns the upload side of every connection: who wants something, who has a slot, which
// requests wait, which blocks are with the writer of a peer, and what a peer was
// promised. It is told what happened, answers with a Plan, and says by Next when it wants
// to look again. It knows no socket, no message and no clock, and draws its random
// numbers from the source that it is given.
//
// All slots are reassigned every ten seconds, in a round. Between the rounds, free slots go
// to peers that wait. Peers that want nothing, or do not read what they asked for
// (see 12), are left out. The others are compared in one order, contender.compare:
//
//  1. A peer that gave nothing for its slot in a minute comes last, as long as we want
//     something from it: it has stopped trading.
//  2. While we fetch, the peer that gives us most comes first (tit for tat, BEP 3).
//  3. A peer that never gave, although we were interested in it for 20 s, comes after
//     all that did, also when we seed: no other sign tells who shares. One slot in five
//     may go to such peers while others wait, and none between the rounds unless the
//     uplink rests.
//  4. A peer that let three slots in a row stand unused comes after those that would
//     use one. Of the others, those that a relay carries come last: a relay is slow, and
//     somebody else pays for it.
//  5. A sole seed lets a peer finish a piece that nobody has: a part of a piece is useless.
//     That ends with the peer's turn (see 7), or a peer that takes a block now and then
//     would keep its slot for as long as the piece lasts.
//  6. A sole seed prefers peers whose last piece was passed on: blocks that stay where
//     they went spread nothing.
//  7. A seed lets a peer keep a slot that it uses for a turn of a minute. Those that take
//     most come first, and after all that wait those whose turn is over.
//  8. While we fetch, of equals the one that has a slot keeps it.
//  9. While we fetch, of equals the one that had less from us comes first.
//  10. The peer that has waited longest comes first. Chance decides the rest.
//
// What changes the order, or frees a slot between the rounds:
//
//  11. One slot in five is optimistic. It goes round every 30 s, at random, among the
//     peers that the order leaves out, to new ones three times as often: so we find out
//     who else would trade, and a new peer gets something to trade with.
//  12. A peer that reads nothing of what is with its writer, while others do, is stuck.
//     Its slot no longer counts, and two more are given for it, once: a crowd that reads
//     nothing is through within seconds.
//  13. A peer that asks for nothing within a round trip loses its slot to one that waits.
//  14. At a sole seed a slot goes on after a piece: what all lack spreads from many peers
//     rather than from a few.
//
// The oldest request of a peer goes out next, unless we are a sole seed, the only source
// of some piece. Nobody is done before everything is out once, so
//
//  15. each piece that nobody has is promised to one peer, which is told so by a
//     suggestion (BEP 6), and requests for such pieces go first;
//  16. once all such pieces are promised, peers that were promised none get no slot while
//     the uplink is in use: their blocks would be repeats;
//  17. a request for what is out already waits while blocks that nobody has go to others,
//     for 0.75 s at most: it may be a player that waits for just that. If others wait for
//     a slot, the turn of its peer ends instead, so that it asks those that have the piece;
//  18. a promise lapses when its peer takes nothing for 2 s, or for 10 s without a slot,
//     and a peer that let two lapse in a row is made no others.
//  19. Super-seeding (BEP 16) shows a peer its next piece when others have the last one.
//
// Its nouns: slot, round and turn as above; a promise is a piece that a peer shall
// get from us and pass on; a sole seed is a seed that sees no other, and has a piece that
// no peer has; a gift is a block that a peer may ask for while choked (BEP 6); a Step is
// one thing to be done.
package choke
