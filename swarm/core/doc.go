// Package core takes every decision about one torrent: whom to connect to,
// what to ask whom for, whom to serve, whom to believe.
//
// A Torrent is a state machine. Its driver tells it what happened by Step,
// carries out what Actions returns, and comes back with a Tick at NextTick. The
// package has no goroutine, lock, socket, file or clock, and draws its random
// numbers from the seed of its Config: the same events at the same times give
// the same actions. The bytes of blocks never pass through it; it sees where a
// block belongs and hands the buffer on, to exactly one Store or Discard.
//
// Everything that a peer says is taken for hostile until it is checked. What a
// peer can make a torrent hold is bounded by a constant that gives its reason.
//
// Each concern is a file, with a small struct that is part of the Torrent or of
// each peer: the address book and the dialler, duplicate links, the choker,
// requests and uploads, the metadata exchange, peer exchange, the fast
// extension, blame. Which block comes next is for the package picker.
//
// Its nouns: an Event is what happened, an Action what is to be done; a peer is
// one connection; an ask is a request of ours that was not answered yet, a
// waiting request one of the peer's; a slot is the leave to ask us for blocks;
// a peer on probation has not yet sent a piece with the right hash.
package core
