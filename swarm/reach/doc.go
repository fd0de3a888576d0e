// Package reach finds out how others reach us: the address at which they see us, what the NAT
// does, and whether we are reachable over TCP, over uTP, only by punching, only by a relay,
// or not at all, and why.
//
// A [Machine] takes observations, each with its time, and returns a [Standing]. It has no
// goroutine, lock, socket or clock. It is told what DHT nodes and peers say of our address,
// who reaches us unasked, what routers map, which addresses this machine has and which relays
// lead to us.
//
// Strangers are not trusted. Each network has one vote on our address, its last, and an
// address counts only with the votes of several networks.
package reach
