// Package webseed downloads from HTTP servers that hold the content of a
// torrent (BEP 19), in the seat of a peer that has everything.
//
// To the loop of a torrent, a Conn looks like a connection to such a peer: it takes
// requests and cancels, and gives back blocks and rejects. It gathers requests for
// neighbouring blocks into runs. It fetches a run by one HTTP request for each file that
// the run touches, over connections that are kept.
//
// It never checks content: wrong data is found and punished as that of any peer. It never
// fetches a block that was not requested, and keeps no block of its own: each goes into a
// buffer of the pool, and an empty pool or a rate limit slows the server down. Answers of
// servers are bounded in time and size, and package guard bounds where they redirect us.
//
// The failure of one file does not count against the server: its pieces are taken back, as
// by a peer that has lost them, and offered again later. A server that accepts few
// connections gets few, and one that knows no ranges is read in order.
//
// Its nouns: a run is a series of requests whose bytes lie one after the other; a span is
// the part of a run within one file; a pause is the time for which we leave a server in
// trouble alone, and in which we are choked.
package webseed
