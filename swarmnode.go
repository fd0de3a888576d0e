// Package swarmnode is a trackerless BitTorrent node.
//
// The packages below it are the library: metainfo reads and makes torrents and
// magnet links, dht is a Mainline DHT node, swarm exchanges pieces with peers.
// The command cmd/node wires them together. This package itself holds only
// what belongs to all of them.
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
