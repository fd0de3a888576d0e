// Package core takes every decision about one torrent: whom to connect to,
// which blocks to request of whom, whom to serve, whom to believe.
//
// A Torrent is a state machine. Its driver tells it what happened by Step,
// carries out what Actions returns, and comes back with a Tick at NextTick. The
// package has no goroutine, lock, socket, file or clock, and draws its random
// numbers from the seed of its Config: the same events at the same times give
// the same actions. The bytes of blocks never pass through it; it sees where a
// block belongs and hands the buffer on, to exactly one Store or Discard.
//
// Everything that a peer says is hostile until it is checked. What a peer can make
// a torrent hold is bounded by a constant that gives its reason.
//
// The policies are packages of their own: picker says which block comes next,
// choke who gets a slot and which block goes out, book which address is dialled,
// hashes and metadata what is asked of whom. Here their decisions become messages.
//
// Each other concern is a struct in the files of its name: one of the Torrent
// (requests, outbox, timers, peerTable, standing, progress, dialer, ...), or one of
// each peer (holdings, asks, trust, flood, silence, ...). Only those files touch its
// fields, and it gets what it needs of the rest by init: other concerns, and
// functions. The methods of Torrent take the events apart and let the concerns
// follow each other.
//
// Its nouns: an Event is what happened, an Action what the driver must do about it;
// a peer is one connection; an ask is a request of ours that is not answered yet, a
// waiting request one of the peer's; a slot is permission to request blocks; a peer
// on probation has not yet sent a piece with the right hash.
package core
