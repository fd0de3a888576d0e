package core

// Reason says why a peer was dropped, or why a received byte was wasted.
type Reason uint8

// The reasons of drops.
const (
	ReasonNone        Reason = iota
	ReasonSelf               // it is ourselves
	ReasonDuplicate          // another connection to the same peer is kept
	ReasonFull               // the connection limit is reached
	ReasonEvicted            // another peer needed its place
	ReasonUseless            // neither side has anything for the other
	ReasonIdle               // nothing came for too long
	ReasonProtocol           // it broke a rule of the protocol
	ReasonUnsolicited        // it sent blocks that we had not requested
	ReasonRequests           // it requested what we cannot give, too often
	ReasonFlood              // it sent too many pointless messages
	ReasonBadPiece           // it alone sent a piece with the wrong hash
	ReasonBadMetadata        // it sent metadata with the wrong hash
	ReasonBadHashes          // it sent hashes that the hash tree disproves
	ReasonBanned             // its address is banned
	ReasonUpgrade            // it is dialled again with the v2 info-hash
	ReasonRefresh            // a new connection is cheaper than telling what changed
	ReasonPrivate            // no tracker named it, and the torrent is private
	ReasonJunk               // it sent a MiB of useless bytes
	ReasonPaused             // the torrent is paused
	ReasonBlocked            // the user blocks its address
)

// The reasons of waste, beside ReasonUnsolicited and ReasonBadPiece.
const (
	// WasteDuplicate: another peer had sent the block already.
	WasteDuplicate Reason = iota + ReasonBlocked + 1
	// WasteLate: the block came after its request was cancelled or the piece was done.
	WasteLate
	// WasteStorage: the block could not be stored, because storage had failed.
	WasteStorage
	// WasteClosed: the block came from a peer that had been dropped already.
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
	ReasonPaused:      "paused",
	ReasonBlocked:     "blocked",
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
