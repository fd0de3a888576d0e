// Package swarmnode is a trackerless BitTorrent node.
//
// A program embeds one by Start, which gives a Node: it listens, takes part in the DHT,
// searches the local network, and keeps what the next run needs. Node.Add adds a torrent,
// whose handle is a *swarm.Torrent. Nothing here reads flags, writes to a terminal or ends
// the process; the command cmd/node is a program on top of this package.
//
// The packages below are libraries of their own: metainfo reads and makes torrents and
// magnet links, dht is a Mainline DHT node, swarm exchanges pieces with peers.
package swarmnode

import _ "embed"

// Bootstrap is the text of bootstrap.txt: the nodes through which a node that
// knows no other joins the Mainline DHT, one HOST:PORT a line.
//
//go:embed bootstrap.txt
var Bootstrap string

// Version is the version of the node, as in `node version` and in the client
// name that peers are told.
const Version = "0.1.0"
