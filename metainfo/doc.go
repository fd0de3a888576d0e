// Package metainfo describes torrents: the info dictionary and its hash,
// the pieces and files, the .torrent file and the magnet link that carry them,
// and how all of these are made from files on disk. It covers BEP 3 (v1), BEP
// 52 (v2 and hybrid), BEP 47 (padding files, attributes), BEP 9 (magnets) and
// BEP 53 (selection in magnets).
//
// All input is assumed to be hostile: each length, sum, depth and
// count is checked against the constants of limits.go before it is used, and
// every name that can reach a file system has passed through one function,
// cleanElement, by one of the rules of rules.go, whether the name came in a .torrent
// file or from a peer. The package never opens a socket; only Build opens files, and only
// to read them.
//
// Its nouns: an Info is an info dictionary, parsed, with the bytes as
// received; a Layout maps pieces to files and knows the hash of each piece; a
// Verifier checks the data of one piece, a BatchVerifier the data of sixteen side
// by side; a Torrent is a .torrent file; a Magnet is a link. A piece is checked
// as a whole, a block is the 16 KiB unit of transfer and the leaf of a v2 hash
// tree, a layer is the row of a hash tree that has one hash per piece.
package metainfo
