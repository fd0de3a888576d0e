// Package book is the address book of a torrent: which endpoints of peers are known,
// who named them, what became of the attempts to meet them, and which one to dial next.
//
// Anybody may name anything, so an address is a rumour until a handshake proves it.
// The Book owns what follows from that, in this order:
//
//  1. What cannot be a peer, or leads into this machine or network although a stranger
//     named it, is never written down (Usable, Source.MayName).
//  2. What one source of addresses, one peer that tells of others (BEP 11), one host
//     (an IPv4 address, a /64) can take of the book is bounded, so that no liar drowns
//     the others. When there is no room, the entry that failed most goes. A proven
//     address makes room for none that is not.
//  3. A private torrent (BEP 27) keeps and dials only what a tracker or the user named.
//  4. How often a host and a network are dialled by rumour is bounded (limit.Rumours), and
//     so are dials by introduction (BEP 55), which an introducer may have made up,
//     as is how many dials to one host, or to the names of one source, are under way. So
//     nobody can turn us against an innocent host.
//  5. Each failure doubles the wait before the next attempt. An address that never
//     worked is forgotten after a few.
//  6. An address at which blocks moved lately is tried again within a second, and often:
//     an outage passes.
//  7. Among those that may be dialled, what the user named goes first, then proven ones,
//     then those that failed least, then the source of which fewest are being dialled,
//     then the one of higher canonical priority (BEP 40).
//
// A Book is pure. It has no clock, socket or goroutine: times are handed in, as the
// time since the start of the torrent, and random choices come from Config.Rand. It
// knows connections by their numbers only. It is for one goroutine at a time.
//
// Its nouns: an entry is what is known of one endpoint; a Rumour is somebody's word for
// one; a source is a kind of teller, a teller one peer; a host is what shares a place,
// whatever the port; a fault is how an attempt failed; a parting is how a connection
// ended.
package book
