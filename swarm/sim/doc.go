// Package sim runs whole swarms in virtual time. It drives the same
// core.Torrents that a real node does, over modelled links and disks, so that
// what a thousand peers do can be watched, asserted and replayed in one test.
//
// A run is a function of its Scenario and its seed: two runs of the same pair
// give the same trace, byte for byte. Nothing here reads a clock, opens a socket or
// starts a goroutine.
//
// The model: each node has an uplink that serves its connections in turn, one
// block or a handful of messages at a time, a downlink, a distance from the
// middle of the network, and perhaps a NAT that lets nobody in. Loss costs the
// round trips of a retransmission. In a Scenario with Streams, connections have the
// slow starts, windows and acknowledgements of TCP, and links have queues. Disks are
// instant except for hashing. Their content is a function of piece and offset, so it
// takes no memory.
//
// Its nouns: a Scenario has Classes of nodes; a node has an end of each of its
// connections; packets of items travel between ends; a Result sums a run up, and a
// Timeline records its course.
package sim
