// Package stream decides which pieces of a torrent readers need next, and by when.
//
// A Plan knows the places where the content of one torrent is read, its heads, and lists
// the pieces that have a deadline. The list follows these rules:
//
//  1. The piece at a head is due now. Each piece after it is due when the download, at its
//     measured rate, has brought everything before it. So the pieces come in order, and
//     the heads of several readers share the download evenly.
//  2. A head looks ahead as far as half a minute of the download reaches. The content that
//     lies there bridges a pause of that length. Pieces that are farther away are left to
//     the order that is best for the swarm. Heads that lack something share that reach.
//  3. A head looks ahead twice as far as was read from it so far, and at least for two
//     seconds of the download, a megabyte and three pieces. A player looks at the index of
//     a container, often at the end of the file, and reads little there.
//  4. A head that jumps begins again at its new place, and nothing of the old place keeps
//     its deadline. A jump within the reach of the head changes nothing else.
//  5. A piece that a read waits for is due now, wherever the heads are by then.
//  6. A head never looks beyond its file, and the list never has more than 1,024 pieces:
//     those due first.
//
// A Plan has no clock and does no I/O. It reads no content either: whoever reads moves the
// heads, and hands the list on to the picker, which asks the fastest peers for what is due
// first.
package stream
