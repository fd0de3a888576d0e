// Package metadata fetches the info dictionary of a torrent from peers, as magnet
// links need it (BEP 9, "metadata exchange").
//
// What it considers: each peer sends the whole dictionary into an assembly of its
// own, so that a liar cannot spoil what others send; several peers send at the same
// time, so that a silent or slow one holds nobody up; the size is a claim of each
// peer, smaller claims are tried first, and what is kept of all peers together is
// bounded; the hash of the whole decides.
//
// A Search has no clock and no connection: a peer is a number, the time is an
// argument, and the caller sends what it asks for.
package metadata
