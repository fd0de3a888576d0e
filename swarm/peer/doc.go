// Package peer is one connection to a peer: the dialogue of the handshake, and then a
// reader and a writer that turn bytes into messages and back.
//
// It owns its connection and two goroutines. It keeps the bounds that need no knowledge of
// the torrent: how long a message may be, how long it may take, how fast messages may
// come, how much may wait to be sent. It never decides what to answer, who is idle or when
// to send a keep-alive: messages go to its Handler, and everything to be said comes
// through Send.
//
// Its nouns: a Conn is a connection past the handshake; its Handler is told what comes;
// its backlog is what waits to be sent, in bytes; an answer is a message that counts as
// payload, like a block; its account is charged for the bytes that are held for the peer.
//
// A block goes from the connection into a block.Buf with at most one copy and
// out of the caller's memory with none. Nothing is allocated for a block or a
// small message. A connection at rest keeps no buffer of its own where the
// kernel tells readiness apart from data (TCP on Linux).
package peer
