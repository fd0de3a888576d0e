// Package stream serves the files of torrents over HTTP while they are fetched, for browsers and
// players.
//
// A Handler has three routes, whose paths Parse takes apart: one file of a torrent, a playlist of
// files, and the file of a magnet link that need not be added (daemon.Visit). What a request
// means is decided by pure functions: which ranges it asks for (RFC 9110), whether its conditions
// hold, and of which kind a file is. The rest reads a daemon.Torrent by a swarm.Reader, which has
// the pieces fetched that are read next.
//
// Whatever a torrent contains runs nowhere: an answer has the type that the name of the file
// stands for, and no browser may guess another one. Only media, pictures and plain text are shown;
// everything else is a download.
//
// Its nouns: a kind, what a file is; a span, a range of bytes of a file; a viewer, a request whose
// answer is being sent; the stand, which bounds the viewers.
package stream
