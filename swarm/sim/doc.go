// Package sim runs whole swarms in virtual time. It drives the same
// core.Torrents that a real node does, over modelled links and disks, so that
// what a thousand peers do can be seen, asserted and replayed in one test.
//
// A run is a function of its Scenario and its seed: two runs of the same give
// the same trace, byte for byte. Nothing here reads a clock, opens a socket or
// starts a goroutine.
//
// The model: each node has an uplink that serves its connections in turn, one
// block or a handful of messages at a time, a downlink, a distance from the
// middle of the net, and perhaps a NAT that lets nobody in. Loss costs the
// round trips that a retransmission takes. Disks are instant but for hashing;
// their content is a function of piece and offset, so it takes no memory.
//
// Its nouns: a Scenario has Classes of nodes; a node has an end of each of its
// connections; what travels is a packet of items; a Result is what came of it.
package sim
