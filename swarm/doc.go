// Package swarm exchanges the content of torrents with other peers.
//
// An Engine owns what all torrents of a process share: the listening ports, the memory for
// blocks, the limits, the workers that hash and read. A Torrent is the handle of one
// torrent. The package is the shell around swarm/core, which takes every decision. The
// goroutine of a torrent feeds the core events and carries out its actions; payload passes
// between the connections of swarm/peer and the files of swarm/storage without touching
// the core.
//
// The package never looks for peers itself: it asks the Discovery values that it is given,
// such as a dht.Node.
//
// Its nouns: an Engine; a Torrent; a Spec, which describes what to add; a Discovery, which
// finds peers; a dialer, which meets them by one way or another; a link, which joins one
// connection to its torrent.
package swarm
