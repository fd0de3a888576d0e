package core

import (
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
	"swarmnode/swarm/book"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/wire"
)

// A PeerRef names one connection to a peer. The driver counts them up from 1
// and never uses one twice in the life of a torrent.
type PeerRef uint32

// EventKind says what happened.
type EventKind uint8

// The events, with the fields of Event that each uses.
const (
	// Tick: the time of NextTick has come. No fields.
	Tick EventKind = iota
	// Moved: our own addresses have changed. No fields.
	Moved
	// Found: somebody named the address of a peer. Endpoint, Source; with
	// book.SourceResume also Met, Vouched, Transport, which worked last, and UTP.
	Found
	// DialFailed: a Dial failed, at the latest in the handshake.
	// Endpoint, Fault.
	DialFailed
	// DialPutOff: a limit of the driver forbids a Dial for now, so it was not
	// tried. Endpoint.
	DialPutOff
	// Connected: a handshake (BEP 3) with a peer is complete. Peer, Endpoint,
	// Hello; Outgoing if we dialled, Encrypted if the handshake was; Transport. Count, the
	// port of the relayed address that leads to us, with endpoint.TransportRelay.
	Connected
	// Closed: the connection is gone, and no further event will name it.
	// Peer, Err; Broken. It follows every Connected, also after a Drop.
	Closed
	// Received: a message other than Piece came. Peer, Msg. The core keeps its
	// Payload. Its Size counts against a peer that sends nothing useful.
	Received
	// ReceivedBlock: a Piece message came. Peer, Ref, Buf, which the core owns
	// from now on (nil in simulations).
	ReceivedBlock
	// Sent: the writer has finished Count Uploads of the peer, whether they
	// went out or not. Peer, Count.
	Sent
	// Answered: the writer has finished Count Answers of the peer. Peer, Count.
	Answered
	// ReadFailed: an Upload could not be read from storage and was dropped;
	// it counts as Sent too. Peer, Ref, Err.
	ReadFailed
	// InfoReady: storage for the info dictionary is open, and the content on disk
	// is checked as far as its hashes are known. Info; Have; Late, the pieces with
	// content on disk whose hashes are not known. The core owns both sets from now
	// on. Need, the wanted pieces, nil for all: no other piece is requested. Parts,
	// how many bytes of each piece belong to wanted files, nil for all: it is for
	// figures only.
	InfoReady
	// Private: the metadata, whose storage is being opened, is of a private
	// torrent (BEP 27). No fields.
	Private
	// InfoFailed: the metadata has the right hash but cannot be used, or its
	// storage cannot be opened. Err.
	InfoFailed
	// Verified: a piece has the right hash and is on disk; the answer to Verify.
	// Ref.Piece.
	Verified
	// Failed: a piece has the wrong hash; the answer to Verify. Ref.Piece; Hashes
	// of its blocks as they were stored, or none.
	Failed
	// StorageFailed: a Store or a Verify met a local fault (disk full, I/O).
	// The blocks of Ref.Piece that were stored count as lost. Err.
	StorageFailed
	// StorageWorks: a trial write after StorageFailed has succeeded. No fields.
	StorageWorks
	// Hashed: the answer to HashBlocks. Ref.Piece; Hashes of its blocks, none if
	// it could not be read.
	Hashed
	// Paused: the user wants no traffic. The peers leave, and nobody is dialled or let in
	// until Resumed. What is stored and what is known of addresses stays. No fields.
	Paused
	// Resumed: the end of Paused. No fields.
	Resumed
	// Doubted: what lies on disk of a piece may be something else than we think: wrong
	// although we have the piece, or right although we lack it. Verify follows unless
	// blocks of the piece are being fetched, or its hash is unknown. Ref.Piece.
	Doubted
	// Limited: there may be Count connections from now on, the default number if Count is
	// 0. Peers leave that are too many, the least useful first. Count.
	Limited
	// Shed: Count peers have to leave, the least useful first. Count.
	Shed
	// PEXOff: peers are not told of each other any more, and not believed when they tell of
	// others (BEP 11). No fields.
	PEXOff
	// PEXOn: the end of PEXOff. No fields.
	PEXOn
	// Rebound: we accept connections at another port, or at none if it is 0. Count, the
	// port.
	Rebound
	// PublicPortsChanged: peers beyond our own networks reach us at other ports than before.
	// Count, see PublicPorts.
	PublicPortsChanged
	// Blocked: the user blocks the address of a peer from now on. The peer leaves. Peer.
	Blocked
	// RelayFound: others reach us by a relay at Endpoint, until RelayLost. Peers are told so.
	RelayFound
	// RelayLost: the end of RelayFound. Endpoint.
	RelayLost
	// PathsChanged: peers that a relay carries may be reached directly now. No fields.
	PathsChanged
	// Unacked: for a few seconds, nothing that was sent to a peer has been acknowledged. It
	// comes again while that is so. Peer.
	Unacked
	eventKinds // how many kinds there are; the recorder names each of them
)

// An Event is something that happened outside the core. It is flat so that
// none costs an allocation; Kind says which fields count.
type Event struct {
	Kind      EventKind
	Source    book.Source
	Fault     book.Fault
	Outgoing  bool
	Encrypted bool
	Broken    bool // the connection was lost, and not closed by either side
	Vouched   bool // a tracker named it in an earlier run
	UTP       bool // it accepts uTP (BEP 29), as far as was known in an earlier run
	Transport endpoint.Transport
	Peer      PeerRef
	Count     int
	Ref       block.Ref
	Endpoint  endpoint.Endpoint
	Buf       *block.Buf
	Msg       wire.Message
	Hello     *wire.Hello
	Info      *metainfo.Info
	Have      *bits.Set
	Late      *bits.Set
	Need      *bits.Set
	Parts     []int32
	Hashes    []metainfo.Hash256
	Err       error
	Met       time.Time // when it was connected last
}
