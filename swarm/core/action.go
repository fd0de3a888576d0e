package core

import (
	"swarmnode/swarm/block"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/wire"
)

// ActionKind says what is to be done.
type ActionKind uint8

// The actions, with the fields of Action that each uses. The driver carries
// them out in order.
const (
	// Dial: connect to Endpoint and shake hands; answer with Connected or
	// DialFailed. Endpoint, Told.
	Dial ActionKind = iota
	// Send: queue a message to a peer. Peer, Msg; its Payload is the
	// driver's to keep.
	Send
	// Answer: queue a message to a peer that counts as payload, like a block: it
	// may have to wait for a rate limit. Answer with Answered. Peer, Msg, whose
	// Payload is the driver's to keep and goes on with Info, which is the core's
	// and never changes.
	Answer
	// Upload: read a block and queue it to a peer; answer with Sent. Peer,
	// Ref.
	Upload
	// Drop: close the connection. Peer, Reason; Ban if the address is not to
	// be connected to again, from either side, for a while.
	Drop
	// Store: write a block. Ref, Buf, of which the driver becomes the owner.
	Store
	// Verify: all blocks of a piece were stored, or lay there before; hash it
	// and answer with Verified, Failed or StorageFailed. Ref.Piece.
	Verify
	// Discard: give a buffer back, unused. Buf.
	Discard
	// UseInfo: Info is the metadata, its hash checked; open storage and answer
	// with InfoReady or InfoFailed. Info (raw bytes, the driver's to keep).
	UseInfo
	// WantPeers: more addresses would be of use, soon. No fields.
	WantPeers
	// HashBlocks: read a piece that is verified and answer with Hashed.
	// Ref.Piece.
	HashBlocks
	// Distrust: a web server's data for some pieces is wrong. It is not to offer
	// them again. Peer; Ref, whose Piece is the first and whose Length is how many.
	Distrust
	// Complete: every wanted piece is verified; or, of a torrent that is
	// MetadataOnly, all of its metadata is known. No fields. It is given once
	// each time that the state is reached.
	Complete
)

// An Action is something that the core wants done. It is flat so that none
// costs an allocation; Kind says which fields count.
type Action struct {
	Kind     ActionKind
	Ban      bool
	Told     limit.Told // how Endpoint is known
	Reason   Reason
	Peer     PeerRef
	Ref      block.Ref
	Endpoint endpoint.Endpoint
	Buf      *block.Buf
	Msg      wire.Message
	Info     []byte
}
