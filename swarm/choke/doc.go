// Package choke decides whom a torrent uploads to, and which block goes out next.
//
// A slot is the leave to ask us for blocks; a peer that has one is unchoked. A Choker
// owns the upload side of every connection: who wants something, who has a slot, which
// requests wait, which blocks are with the writer of a peer, and what a peer was
// promised. It is told what happened, answers with a Plan, and says by Next when it wants
// to look again. It knows no socket, no message and no clock, and draws its random
// numbers from the source that it is given.
//
// Who gets a slot: all slots are given anew every ten seconds, in a round, and free ones
// between the rounds to those that wait. Peers that want nothing or do not read what
// they asked for (see 9) are left out; the others come in this order.
//
//  1. A peer that gave nothing for its slot in a minute comes last, as long as we want
//     something from it: it has stopped trading.
//  2. While we fetch, a peer that gives us more comes first (tit for tat, BEP 3).
//  3. A peer that never gave, although we were interested in it for 20 s, comes after
//     all that did, also when we seed: no other sign tells who shares. One slot in five
//     may go to such peers while others wait.
//  4. A peer that let three slots in a row stand unused comes after those that would
//     use one.
//  5. A sole seed first lets a peer finish a piece that nobody has, and then prefers
//     peers whose last piece was passed on to others: blocks that stay where they went
//     spread nothing.
//  6. A seed lets a peer keep its slot for its turn of a minute, those that take most
//     first, and then comes the turn of those that have waited longest.
//  7. While we fetch, of equals the one that had less from us comes first, between
//     the rounds; in a round the one that has a slot keeps it.
//  8. One slot in five is optimistic: it goes round at random, every 30 s, to peers
//     that the order above would leave out; new ones are three times as likely to get
//     it. So we find out who else would trade.
//
// What frees a slot between the rounds:
//
//  9. A peer that reads nothing of what is with its writer, while others do, is stuck. It
//     may keep its slot, which no longer counts, and three others are given once for
//     it: so a crowd that reads nothing is through within seconds.
//  10. A peer that asks for nothing within a round trip loses its slot to one that waits.
//  11. At a sole seed a slot goes on to the next peer after a piece or a quarter of a
//     second: what all lack spreads from many peers rather than from a few.
//
// What goes out next: the oldest request, unless we are a sole seed, that is the only
// source of some piece. The time until everything is out once bounds everybody, so
//
//  12. each piece that nobody has is promised to one peer, which is told so by a
//     suggestion (BEP 6), and requests for such pieces go first;
//  13. when all such pieces are promised, peers that were promised none get no slot as
//     long as the uplink is in use: their blocks would be repeats;
//  14. a request for what is out already waits at most 0.75 s, or twice that once more
//     than 1/32 of the blocks were repeats: it may be a player that waits for just that;
//  15. a promise lapses when its peer takes nothing for 2 s (10 s without a slot), and a
//     peer that let two lapse in a row is made no others.
//  16. Super-seeding (BEP 16) shows a peer the next piece when others have its last one.
//
// Its nouns: a slot, a round and a turn as above; a promise is a piece that a peer shall
// get from us and pass on; a sole seed is a seed that sees no other, and has a piece that
// no peer has; a gift is a block that a peer may ask for while choked (BEP 6); a Step is
// one thing to be done.
package choke
