// Package udpmux owns a UDP socket that several protocols share: the DHT, uTP and STUN.
// Peers know a node by one port, and NATs keep one mapping for it.
//
// A Mux has one reader, which sorts each datagram by its first bytes (see ClassOf).
// Datagrams of the DHT wait in a bounded queue for whoever reads the net.PacketConn that
// DHT returns. All others go in batches to the handler of their class, in the goroutine of
// the reader. Neither waits for the other.
//
// On Linux one system call moves many datagrams (recvmmsg, sendmmsg), and the kernel
// splits and joins runs of datagrams of equal size (UDP_SEGMENT, UDP_GRO) where it can.
//
// A Mux knows no peers, and no limits but those of its queue. It never retries: what the
// system has no room for is lost, as it could be on the way.
//
// While somebody waits for refusals, Linux answers a call with the error that an earlier
// datagram met on its way. Such a call is repeated, so no other datagram suffers from it.
//
// Its nouns: a Mux; a Class of datagrams; a Datagram that has arrived; an Outgoing run of
// datagrams of one size to one address.
package udpmux
