// Package dht is a node of the Mainline DHT: BEP 5, 32, 33, 42, 43, 44, 46
// and 51. It also gives out and asks for the credentials of relays ([Node.ServeTurn],
// [Node.TurnCredentials]), by a query of this project.
//
// A [Node] owns two logical DHTs, IPv4 and IPv6 (BEP 32), each with an id, a
// routing table and a peer store of its own, over the packet connections in
// [Config]. It joins from a list of bootstrap hosts and from the state that
// an earlier run saved, answers the queries of others, looks up and announces
// info-hashes, and stores and fetches small items.
//
// It never opens or closes a socket, never writes a file unless WriteState is
// called, and never trusts a packet: everything that arrives is scanned and
// bounded before anything else happens.
//
// # Nouns
//
// A contact is a node that has answered us; the table holds only contacts. A
// family is one of the two DHTs. A query is one request of ours that waits for
// its answer; a lookup is a walk of queries towards a target. A candidate is a
// node that a lookup has heard of. A token is what a node hands out with
// get_peers or get and demands back with announce_peer or put. A source is one
// user, an owner everybody within one block of addresses. A vote is what another
// node says our address is.
//
// # Shape
//
// The core type is the whole node without goroutine, lock, socket or clock:
// packets, commands and the time come in, packets go out. Its parts (table,
// lookup, tokens, stores, limiter, rtt) take the time as an argument.
// One goroutine per Node, the loop, owns the core; one more per connection
// reads; one resolves the names of bootstrap hosts. The simulation in the tests
// is a second driver of the same core.
package dht
