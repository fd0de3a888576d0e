// Package socks is a client of SOCKS5 proxies (RFC 1928), with a user name and a password
// if the proxy wants them (RFC 1929). It makes streams through a proxy, and sends and
// receives datagrams through the relay that a proxy lends (UDP ASSOCIATE).
//
// It owns the connections to the proxy until it hands them out. It looks up no name: names
// go to the proxy as they are. It makes no socket by itself: Config says how the proxy is
// reached. It never connects to anybody but the proxy and its relay, whatever fails.
//
// Its nouns: a Server is a proxy as its URL names it; a Client speaks to one Server; a
// Relay is one association of the proxy for datagrams, which lasts as long as its control
// connection; a PacketConn is a packet connection over one Relay after the other.
package socks
