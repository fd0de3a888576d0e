// Package tracker is both ends of the oldest way to find peers: a client of
// HTTP and UDP trackers, and a tracker.
//
// It speaks BEP 3 (announce over HTTP), BEP 7 (IPv6), BEP 12 (tiers), BEP 15
// (announce over UDP), BEP 23 (compact peers), BEP 24 (external address), BEP
// 31 (retry after a failure), BEP 41 (the path of a UDP tracker's URL) and BEP
// 48 (scrape).
//
// It never connects to a peer, and does not judge peers beyond dropping addresses
// that cannot be dialled. Answers are hostile until parsed: the package bounds
// their size and duration, and package guard restricts the hosts that are asked.
//
// # Nouns
//
// A Tracker is a URL with its origin. A Client sends single requests to trackers.
// An Announcer keeps one torrent announced with all of its trackers. A tier is a
// list of trackers of which one is enough (BEP 12). A Server is a tracker.
package tracker
