// Package portmap asks the routers of this machine to let others in: to map ports of ours, and
// to make pinholes in firewalls of IPv6. It speaks PCP (RFC 6887), NAT-PMP (RFC 6886) and UPnP
// IGD, versions 1 and 2.
//
// A Mapper keeps the wanted ports mapped until it is closed, and never blocks its owner. It
// asks each default gateway in all three ways at once. The first method that gets an answer
// maps the port. Another one replaces it only if the first mapping leads to a private address
// and the other one does not. Mappings are renewed at half of their lifetime, and at once after
// the router has lost them.
//
// A router is trusted with nothing but its own network. Its answers are bounded in size, time
// and number; it cannot make the node connect anywhere but to itself; an external address
// that nobody can have is an error.
//
// What is asked of a gateway, and when, is decided by a state machine without goroutines,
// sockets or a clock (gateway*.go). The shell around it (loop.go, path.go) owns these. The
// package knows nothing of BitTorrent.
//
// Its nouns: a Want is a port to be mapped; a Mapping is what became of it at one gateway; a
// gateway is a router, seen from one address of ours; a method is one of the three protocols;
// a grant is a mapping that a router has made, and a lease is a Want with its grant; a place is
// where a gateway may be, and a path is a gateway with its sockets.
package portmap
