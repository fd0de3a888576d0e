// Package queue decides which torrents run and which wait.
//
// It is given values, the torrents that want to run in the order of their positions, and
// answers with a Plan: who starts, who rests, and when to ask again. It starts and stops
// nothing itself, and knows no clock, no engine and no file. Downloads and seeds have a queue
// each. A queue with a limit follows these rules, in this order:
//
//  1. A torrent that is forced runs. It takes no place, and neither does one whose content is
//     being hashed.
//  2. A running torrent that has moved nothing for Limits.Stalled is stalled. It keeps running
//     and takes no place, until it moves something. Without Limits.Stalled none is stalled.
//  3. A free place goes to the first torrent that waits.
//  4. If more torrents have places than there are, the last ones rest. A torrent that was
//     stalled or has just started counts for that only once it has been moving, or running,
//     for settleTime: one block now and then makes nobody else rest.
//  5. If none is stalled because Limits.Stalled is 0, a torrent that has moved nothing for
//     turnTime gives its place to one that waits. It is spent then: of the torrents that wait
//     it comes after all those that are not, and of the spent ones the one that has waited
//     longest comes first. So each gets its turn.
//  6. A torrent whose position is before that of a running one takes its place, once the other
//     has run for settleTime. Spent torrents take nobody's place, and lose theirs to any
//     torrent that is not.
//  7. No more than stalledMax stalled torrents run while others wait. The one that has moved
//     nothing for longest is spent and rests.
//
// Torrents that may not start yet (Torrent.After) are passed over.
//
// Two things keep torrents from flapping: settleTime, before which nobody loses a place that
// it has just got, and Torrent.Spent.
//
// Its nouns: a place is what a queue has a limited number of; a position is a rank in the
// order of all torrents, from 0; a turn is the time for which a torrent may have a place
// without using it.
package queue
