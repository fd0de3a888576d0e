// Package daemon is a node that lives: it keeps torrents and their settings across restarts,
// and decides which of them run.
//
// A Daemon starts a swarmnode.Node, and adds policy and persistence to it: a queue, goals such
// as a ratio, labels, limits by schedule, folders for unfinished content, watched folders and
// commands at events. It implements nothing of the wire, and knows nothing of HTTP or of
// flags: the packages below it, such as daemon/api, turn requests into calls of its methods.
//
// Its nouns: a Daemon; a Torrent, which has an ID and lives longer than the swarm.Torrent that
// it opens when it runs; a record, which is what the state folder holds of it; Settings, which
// are those of all torrents together, and Options, which are those of one; a goal, at which a
// torrent stops.
package daemon
