package wire

import "swarmnode/swarm/block"

// ID is the first byte of a peer message.
type ID uint8

// The messages of BEP 3, BEP 5 (Port), BEP 6 (Suggest to AllowedFast), BEP 10
// (Extended) and BEP 52 (the hash messages). KeepAlive has no byte of its own
// on the wire: it is the message of length zero.
const (
	Choke         ID = 0
	Unchoke       ID = 1
	Interested    ID = 2
	NotInterested ID = 3
	Have          ID = 4
	Bitfield      ID = 5
	Request       ID = 6
	Piece         ID = 7
	Cancel        ID = 8
	Port          ID = 9
	Suggest       ID = 13
	HaveAll       ID = 14
	HaveNone      ID = 15
	Reject        ID = 16
	AllowedFast   ID = 17
	Extended      ID = 20
	HashRequest   ID = 21
	Hashes        ID = 22
	HashReject    ID = 23
	KeepAlive     ID = 255
)

// A Message is one peer message, flat: which fields count depends on the ID.
type Message struct {
	ID ID
	// Ref is the block of Request, Cancel, Reject and Piece (whose bytes
	// travel apart, in a block.Buf); Have, Suggest and AllowedFast use its
	// Piece alone.
	Ref block.Ref
	// Port is the UDP port of the sender's DHT node, of a Port message.
	Port uint16
	// Ext is the number of an Extended message: 0 for the extension
	// handshake, else the number that its receiver gave to the extension.
	Ext uint8
	// Payload is what follows: the bits of Bitfield, the body of Extended
	// behind its number, the body of the hash messages.
	Payload []byte
}
