package core

import (
	"swarmnode/swarm/block"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/wire"
)

// ActionKind says what the driver must do.
type ActionKind uint8

// The actions, with the fields of Action that each uses. The driver carries
// them out in order.
const (
	// Dial: connect to Endpoint and shake hands; answer with Connected or
	// DialFailed. Endpoint, Told; Transport, the one to try first, if it is known.
	// Told limit.Introduced says that the peer dials us at this moment. Then a Dial of the
	// same Endpoint may be under way, which goes on and has one answer for both.
	Dial ActionKind = iota
	// Send: queue a message to a peer. Peer, Msg, whose Payload the driver keeps.
	Send
	// Answer: queue a message to a peer that counts as payload, as a block does: it
	// may wait for a rate limit. Answer with Answered. Peer, Msg, whose Payload the
	// driver keeps; it continues with Info, which the core keeps and never changes.
	Answer
	// Upload: read a block and queue it to a peer; answer with Sent. Peer,
	// Ref.
	Upload
	// Drop: close the connection. Peer, Reason; Ban if neither side may connect
	// again for a while.
	Drop
	// Store: write a block. Ref, Buf, which the driver owns from now on.
	Store
	// Verify: hash a piece, all of whose blocks are stored or were on disk before.
	// Answer with Verified, Failed or StorageFailed. Ref.Piece.
	Verify
	// Discard: free an unused buffer. Buf.
	Discard
	// UseInfo: open storage for the metadata, whose hash is right, and answer with
	// InfoReady or InfoFailed. Info, raw bytes that the driver keeps.
	UseInfo
	// WantPeers: look for more addresses soon. No fields.
	WantPeers
	// Seek: a peer that blocks moved to or from has fallen silent, so it or we may be
	// elsewhere. Announce where we are, and look for addresses, now. No fields.
	Seek
	// HashBlocks: read a verified piece and answer with Hashed.
	// Ref.Piece.
	HashBlocks
	// Distrust: a web seed gave wrong data for some pieces, so it must not offer them
	// again. Peer; Ref, whose Piece is the first of them and whose Length their number.
	Distrust
	// Complete: every wanted piece is verified, or all metadata of a MetadataOnly
	// torrent is known. No fields. It is given each time that this becomes true.
	Complete
)

// An Action is something that the driver must do. It is flat so that none
// costs an allocation; Kind says which fields count.
type Action struct {
	Kind      ActionKind
	Ban       bool
	Transport endpoint.Transport
	Told      limit.Told // how Endpoint is known
	Reason    Reason
	Peer      PeerRef
	Ref       block.Ref
	Endpoint  endpoint.Endpoint
	Buf       *block.Buf
	Msg       wire.Message
	Info      []byte
}
