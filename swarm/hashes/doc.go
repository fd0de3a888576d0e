// Package hashes finds, serves and uses the hashes that the metadata of a v2
// torrent leaves out (BEP 52): the piece layers of files larger than a piece, and
// the hashes of single blocks.
//
// It has five types, each with an invariant of its own:
//
//   - Search asks peers for missing hashes and proves the answers;
//   - Server answers peers, and has pieces read for hashes that are not kept;
//   - Deferred verifies data that lay on disk before its hashes were known;
//   - Recheck compares pieces of a hybrid that were verified by SHA-1 alone with
//     their second hash;
//   - Blame finds the senders of wrong blocks in pieces of several senders.
//
// All of them take values and return values. They know no connection, message,
// picker or clock: a peer is a number, the time is an argument, and the caller
// carries out what they decide. A zero value has nothing to do. Each is for one
// goroutine at a time.
//
// Its nouns: a range is a run of hashes of one layer of a file's hash tree; the
// window holds the ranges that a Search is looking for; a source is a peer that a
// Search may ask; a leaf is the hash of a block.
package hashes

import (
	"math"
	"time"
)

// Never is the time of what is not due at all.
const Never time.Duration = math.MaxInt64
