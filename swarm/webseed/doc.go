// Package webseed downloads from HTTP servers that hold the content of a
// torrent (BEP 19), in the seat of a peer that has everything.
//
// A Conn looks to the loop of a torrent like a connection to such a peer: it is
// sent requests and cancels, and gives back blocks and rejects. It gathers
// requests for neighbouring blocks into runs, and asks for a run by one HTTP
// request for each file that it touches, over connections that are kept.
//
// It never checks content: wrong data is found and answered for as that of any
// peer. It never asks for what was not requested, and keeps no block of its
// own: each goes into a buffer of the pool, and an empty pool or a rate limit
// slows the server down. What servers say is bounded in time and size, and
// where they send us on to, by package guard.
//
// What fails of one file is not held against the server: its pieces are taken back, as
// by a peer that has lost them, and offered again later. A server that takes few
// connections gets few, and one that knows no ranges is read in order.
//
// Its nouns: a run is a series of requests whose bytes lie one after the other;
// a span is the part of a run within one file; a pause is the time for which a
// server that is in trouble is left alone, in which we are choked.
package webseed
