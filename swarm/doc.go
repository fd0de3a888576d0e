// Package swarm exchanges the content of torrents with other peers.
//
// An Engine owns what all torrents of a process share: the listening port, the
// memory for blocks, the limits, the workers that hash and read. A Torrent is
// the handle of one of them. The package is the shell around swarm/core, which
// takes every decision: the goroutine of a torrent feeds it events and carries
// out its actions, and payload passes between the connections of swarm/peer
// and the files of swarm/storage without the core touching it.
//
// The package never looks for peers itself: it asks the Discovery values that
// it is given, such as a dht.Node.
//
// Its nouns: an Engine, a Torrent, a Spec that describes what to add, a
// Discovery that finds peers, a link that joins one connection to its torrent.
package swarm
