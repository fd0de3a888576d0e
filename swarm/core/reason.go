package core

// Reason says why a peer was dropped, or why a byte that was received was of
// no use.
type Reason uint8

// The reasons of drops.
const (
	ReasonNone        Reason = iota
	ReasonSelf               // it is ourselves
	ReasonDuplicate          // another connection to the same peer is kept
	ReasonFull               // the connection limit is reached
	ReasonEvicted            // it was of no use, and another peer was
	ReasonUseless            // neither side has anything for the other
	ReasonIdle               // nothing came for too long
	ReasonProtocol           // it broke a rule of the protocol
	ReasonUnsolicited        // it sent blocks that nobody had asked it for
	ReasonRequests           // it asked for what cannot be given, too often
	ReasonFlood              // it sent too many messages to no purpose
	ReasonBadPiece           // it alone sent a piece with the wrong hash
	ReasonBadMetadata        // it sent metadata with the wrong hash
	ReasonBadHashes          // it sent hashes that the hash tree disproves
	ReasonBanned             // its address is banned
	ReasonUpgrade            // it is to be connected to by the v2 info-hash
	ReasonRefresh            // reconnecting is cheaper than telling what changed
	ReasonPrivate            // no tracker told of it, and the torrent is private
	ReasonJunk               // it sent a MiB of useless bytes
)

// The reasons of waste, beside ReasonUnsolicited and ReasonBadPiece.
const (
	// WasteDuplicate: the block had come already, from another peer.
	WasteDuplicate Reason = iota + ReasonJunk + 1
	// WasteLate: it came after its request was cancelled or the piece done.
	WasteLate
	// WasteStorage: storage had failed.
	WasteStorage
	// WasteClosed: it came from a peer that had been dropped already.
	WasteClosed
	reasonCount
)

var reasonNames = [reasonCount]string{
	ReasonNone:        "none",
	ReasonSelf:        "self",
	ReasonDuplicate:   "duplicate",
	ReasonFull:        "full",
	ReasonEvicted:     "evicted",
	ReasonUseless:     "useless",
	ReasonIdle:        "idle",
	ReasonProtocol:    "protocol",
	ReasonUnsolicited: "unsolicited",
	ReasonRequests:    "requests",
	ReasonFlood:       "flood",
	ReasonBadPiece:    "bad piece",
	ReasonBadMetadata: "bad metadata",
	ReasonBadHashes:   "bad hashes",
	ReasonBanned:      "banned",
	ReasonUpgrade:     "upgrade",
	ReasonRefresh:     "refresh",
	ReasonPrivate:     "private",
	ReasonJunk:        "junk",
	WasteDuplicate:    "duplicate block",
	WasteLate:         "late",
	WasteStorage:      "storage",
	WasteClosed:       "closed",
}

func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return "unknown"
}
