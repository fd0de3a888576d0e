// Package transmission answers the RPC of Transmission for a daemon, so that the programs that
// people use with Transmission work with it.
//
// Two protocols lead to one model. The legacy one has names with hyphens and in camel case,
// and an object with "method" and "arguments" for a request. That of Transmission 4.1 is
// JSON-RPC 2.0 with names in snake case. One table names each method, each field of a torrent
// and each setting in both, and one function answers it.
//
// The package decides nothing about torrents, and keeps nothing that the daemon does not keep:
// the settings of Transmission that the daemon does not use are Notes of its Settings and
// Options. It never changes commands that run at events, and never reads or writes a folder
// that the daemon does not allow.
//
// Its nouns: a Handler; a call, which is one request of either protocol; a dialect, which is a
// protocol as far as names are concerned; a value, which is JSON that was not decoded yet; a
// plan, which is a list of fields that clients ask for again and again; a view, which is what
// a plan reads of one torrent; a fault, which is an error in the words of the protocol.
package transmission
