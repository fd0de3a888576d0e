// Package relay carries datagrams through a TURN server (RFC 8656) when two peers can reach
// each other in no other way. It has both sides: a client, which lends us an address on a
// server, and a server, which lends addresses to others within narrow limits.
//
// The client is of this package, on the messages of pion/stun. An Allocation is a
// net.PacketConn whose LocalAddr is the relayed address, so a udpmux.Mux and a uTP socket
// stand on it as on a socket of our own, and peers that know nothing of TURN reach it over
// plain uTP. Writing never waits for the server, and costs no allocation once a channel is
// bound. An Allocation that has lost its server says so within seconds (see Done).
//
// The server is pion/turn behind gates of this package, which hold all limits: who gets an
// allocation, whom it may talk to, what it may carry, how fast and how much. The server has
// no accounts: its credentials are bound to the address that asked for them (see Keys).
// It drops what exceeds a limit, and never queues it. It counts, and never logs or keeps who
// talked to whom.
//
// The package knows nothing of torrents and the DHT, and decides nothing about when a relay
// is needed.
//
// Nouns. A relayed address is one that a server lends. A leg is the path between a client and
// its server, over UDP or TCP. A permit is what lets the addresses of one peer's host through
// (RFC 8656, section 9). A channel is the short form for one peer's address (section 12).
// A tenant is a client of our server with its allocation.
package relay
