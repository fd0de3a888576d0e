package wire

import (
	"encoding/binary"
	"fmt"

	"swarmnode/swarm/block"
)

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

var idNames = [256]string{
	Choke: "choke", Unchoke: "unchoke", Interested: "interested",
	NotInterested: "not interested", Have: "have", Bitfield: "bitfield",
	Request: "request", Piece: "piece", Cancel: "cancel", Port: "port",
	Suggest: "suggest", HaveAll: "have all", HaveNone: "have none",
	Reject: "reject", AllowedFast: "allowed fast", Extended: "extended",
	HashRequest: "hash request", Hashes: "hashes", HashReject: "hash reject",
	KeepAlive: "keep-alive",
}

func (id ID) String() string {
	if name := idNames[id]; name != "" {
		return name
	}
	return fmt.Sprintf("message %d", uint8(id))
}

// A Message is one peer message. It is flat: the ID says which fields are used.
type Message struct {
	ID ID
	// Ref is the block of Request, Cancel, Reject and Piece (whose bytes
	// travel apart, in a block.Buf); Have, Suggest and AllowedFast use only its
	// Piece.
	Ref block.Ref
	// Port is the UDP port of the sender's DHT node, in a Port message.
	Port uint16
	// Ext is the number of an Extended message: 0 for the extension
	// handshake, else the number that its receiver gave to the extension.
	Ext uint8
	// Payload is the rest: the bits of Bitfield, the body of Extended
	// after its number, the body of the hash messages.
	Payload []byte
	// Size is the size on the wire of a received message, in bytes; 0 if it is not
	// known. Costly says that the sender talks so much that a rate limit made it wait
	// for others. Append uses neither.
	Size   int
	Costly bool
}

// String describes m in a few words, without its payload.
func (m Message) String() string {
	switch m.ID {
	case Have, Suggest, AllowedFast:
		return fmt.Sprintf("%v %d", m.ID, m.Ref.Piece)
	case Request, Cancel, Reject, Piece:
		return fmt.Sprintf("%v %v", m.ID, m.Ref)
	case Port:
		return fmt.Sprintf("%v %d", m.ID, m.Port)
	case Extended:
		return fmt.Sprintf("%v %d (%d bytes)", m.ID, m.Ext, len(m.Payload))
	case Bitfield, HashRequest, Hashes, HashReject:
		return fmt.Sprintf("%v (%d bytes)", m.ID, len(m.Payload))
	}
	return m.ID.String()
}

// Sizes of messages, in bytes.
const (
	// PrefixSize is the size of the length that goes before every message.
	PrefixSize = 4
	// PieceHeaderSize is the size of the part before the data of a Piece message:
	// length, id, piece and begin.
	PieceHeaderSize = PrefixSize + pieceBody

	pieceBody   = 1 + 4 + 4 // id, piece, begin
	requestBody = 1 + 4 + 4 + 4
	indexBody   = 1 + 4
)

// Limits on what a peer may send.
const (
	// PieceDataMax bounds the data of a Piece message, in bytes. We never ask for
	// more than block.Size, so longer data is discarded; up to twice that is
	// tolerated, because old clients send such blocks.
	PieceDataMax = 2 * block.Size
	// ExtendedMax bounds the payload of an Extended message, in bytes: room
	// for the largest extension handshake seen, and for a metadata block
	// eight times over.
	ExtendedMax = 128 << 10
	// UnknownMax bounds the body of a message of unknown id, in bytes. The body is
	// skipped, and not kept.
	UnknownMax = 128 << 10
	// PiecesMax bounds the number of pieces of a torrent; a Bitfield that
	// comes before the metadata can have as many bits.
	PiecesMax = 2 << 20
	// RequestLengthMax is the length of the longest block that an honest peer may ask
	// for, in bytes.
	RequestLengthMax = 128 << 10
	// ServeLengthMax bounds the length of a block that we serve, in bytes.
	ServeLengthMax = 2 * block.Size
)

// LengthMax returns the longest body, in bytes, that a message may have in a
// torrent with that many pieces; pieces <= 0 means that the number is not known
// yet. A body is everything after the length, so it starts with id. The caller checks
// it before it buffers any of the body.
func LengthMax(id ID, pieces int) int {
	switch id {
	case Bitfield:
		if pieces <= 0 || pieces > PiecesMax {
			pieces = PiecesMax
		}
		return 1 + (pieces+7)/8
	case Piece:
		return pieceBody + PieceDataMax
	case Extended:
		return 1 + 1 + ExtendedMax
	case Hashes:
		return 1 + HashRangeSize + hashSize*(HashesMax+HashProofMax)
	}
	if n := fixedBody(id); n >= 0 {
		return n
	}
	return UnknownMax
}

// fixedBody returns the size of the body of messages that always have the
// same size, in bytes, and -1 for all others.
func fixedBody(id ID) int {
	switch id {
	case Choke, Unchoke, Interested, NotInterested, HaveAll, HaveNone:
		return 1
	case Have, Suggest, AllowedFast:
		return indexBody
	case Request, Cancel, Reject:
		return requestBody
	case Port:
		return 1 + 2
	case HashRequest, HashReject:
		return 1 + HashRangeSize
	}
	return -1
}

// CheckLength reports by its error, a ProtocolError, whether a body may be n bytes long,
// id included, in a torrent with that many pieces (<= 0: not known). It is called before
// any of the body is buffered.
func CheckLength(id ID, n, pieces int) error {
	if fixed := fixedBody(id); fixed >= 0 {
		if n != fixed {
			return errMessageSize
		}
		return nil
	}
	if n > LengthMax(id, pieces) {
		return errMessageTooLong
	}
	switch {
	case id == Bitfield && pieces > 0 && n != 1+(pieces+7)/8,
		id == Piece && n < pieceBody,
		id == Extended && n < 2,
		id == Hashes && (n < 1+HashRangeSize || (n-1-HashRangeSize)%hashSize != 0):
		return errMessageSize
	}
	return nil
}

// Append appends m to dst, its length included. For a Piece message it appends the
// header, and Payload as the data; AppendPieceHeader is for data that is
// elsewhere.
func Append(dst []byte, m *Message) []byte {
	if m.ID == KeepAlive {
		return append(dst, 0, 0, 0, 0)
	}
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0, byte(m.ID))
	be := binary.BigEndian
	switch m.ID {
	case Have, Suggest, AllowedFast:
		dst = be.AppendUint32(dst, m.Ref.Piece)
	case Request, Cancel, Reject:
		dst = be.AppendUint32(dst, m.Ref.Piece)
		dst = be.AppendUint32(dst, m.Ref.Begin)
		dst = be.AppendUint32(dst, m.Ref.Length)
	case Piece:
		dst = be.AppendUint32(dst, m.Ref.Piece)
		dst = be.AppendUint32(dst, m.Ref.Begin)
		dst = append(dst, m.Payload...)
	case Port:
		dst = be.AppendUint16(dst, m.Port)
	case Extended:
		dst = append(dst, m.Ext)
		dst = append(dst, m.Payload...)
	case Bitfield, HashRequest, Hashes, HashReject:
		dst = append(dst, m.Payload...)
	}
	be.PutUint32(dst[at:], uint32(len(dst)-at-PrefixSize))
	return dst
}

// AppendPieceHeader appends the PieceHeaderSize bytes before the data of a Piece message
// with the block r.
func AppendPieceHeader(dst []byte, r block.Ref) []byte {
	be := binary.BigEndian
	dst = be.AppendUint32(dst, pieceBody+r.Length)
	dst = append(dst, byte(Piece))
	dst = be.AppendUint32(dst, r.Piece)
	return be.AppendUint32(dst, r.Begin)
}

// ParsePieceHeader reads the first PieceHeaderSize bytes of a message. ok is false
// unless they begin a Piece message that CheckLength allows.
func ParsePieceHeader(b []byte) (r block.Ref, ok bool) {
	if len(b) < PieceHeaderSize || ID(b[PrefixSize]) != Piece {
		return block.Ref{}, false
	}
	be := binary.BigEndian
	n := be.Uint32(b)
	if n < pieceBody || n > pieceBody+PieceDataMax {
		return block.Ref{}, false
	}
	return block.Ref{Piece: be.Uint32(b[5:]), Begin: be.Uint32(b[9:]), Length: n - pieceBody}, true
}

// Parse reads one message from its body, which is everything after the
// length. Payload is a view of body. Sizes are checked as by CheckLength with
// an unknown number of pieces. For an unknown id, Parse returns m.ID and
// ErrUnknownID.
func Parse(body []byte) (m Message, err error) {
	if len(body) == 0 {
		return Message{ID: KeepAlive}, nil
	}
	m.ID = ID(body[0])
	if err := CheckLength(m.ID, len(body), 0); err != nil {
		return m, err
	}
	rest := body[1:]
	be := binary.BigEndian
	switch m.ID {
	case Choke, Unchoke, Interested, NotInterested, HaveAll, HaveNone:
	case Have, Suggest, AllowedFast:
		m.Ref.Piece = be.Uint32(rest)
	case Request, Cancel, Reject:
		m.Ref = block.Ref{Piece: be.Uint32(rest), Begin: be.Uint32(rest[4:]),
			Length: be.Uint32(rest[8:])}
	case Piece:
		m.Payload = rest[8:]
		m.Ref = block.Ref{Piece: be.Uint32(rest), Begin: be.Uint32(rest[4:]),
			Length: uint32(len(m.Payload))}
	case Port:
		m.Port = be.Uint16(rest)
	case Extended:
		m.Ext, m.Payload = rest[0], rest[1:]
	case Bitfield, HashRequest, Hashes, HashReject:
		m.Payload = rest
	default:
		return m, ErrUnknownID
	}
	return m, nil
}

// Known reports whether Parse reads messages with this id. It is false for KeepAlive,
// which has no id on the wire.
func Known(id ID) bool { return id != KeepAlive && idNames[id] != "" }
