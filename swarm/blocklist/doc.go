// Package blocklist holds the addresses that a user wants nothing to do with.
//
// A Builder reads lists as they are published: PeerGuardian text (P2P) and binary files (P2B,
// versions 1 to 3), eMule files (DAT), and plain addresses, ranges and prefixes in CIDR
// notation, each also compressed by gzip. The format is recognised line by line, since lists
// get mixed. The result is a List, which never changes and is safe for concurrent use. A
// program exchanges the pointer to install another list.
//
// A List is a sorted row of boundaries per family: addresses at which being blocked begins or
// ends. An address is blocked if the number of boundaries at or below it is odd. The upper 16
// bits of an IPv4 address index the row, so a boundary takes two bytes, and a range four.
//
// The package opens no file and no connection. Whatever the input is, time and memory are
// bounded by BytesMax and RangesMax.
package blocklist
