// Package utp is the micro transport protocol of BEP 29: ordered streams over UDP that
// yield to other traffic.
//
// The package has two parts. A machine is one connection as a pure state machine: it has no
// goroutine, socket, clock or log, and is told what time it is. Around it stands the shell,
// which owns the socket, the table of connections, the timers and the locks.
//
// The machine is made of small structs, each of which takes the time as an argument and has
// its own test: rtt (round-trip time and retransmission timeout), delay (the queueing delay
// in one direction), window (how much may be in flight), pacer (when it may leave), mtu (how
// large a datagram may be), outgoing and incoming (the buffers of the two directions). Their
// time is a time.Duration since the connection began.
//
// Nouns. A packet is one datagram of a connection. A sequence number (seq) counts packets
// and wraps at 16 bits. The window of a connection is what may be in flight; the peer's
// window is what the peer has room for. A round is the time in which everything that was
// in flight at its start is acknowledged.
package utp
