// Package tracker is both ends of the oldest way to find peers: a client of
// HTTP and UDP trackers, and a tracker.
//
// It speaks BEP 3 (announce over HTTP), BEP 7 (IPv6), BEP 12 (tiers), BEP 15
// (announce over UDP), BEP 23 (compact peers), BEP 24 (external address), BEP
// 31 (retry after a failure), BEP 41 (the path of a UDP tracker's URL) and BEP
// 48 (scrape).
//
// It never connects to a peer, and has no opinion on which peers are worth
// connecting to, beyond dropping addresses that cannot be dialled. Answers are
// hostile until parsed: their size, the time that they take and the hosts that
// they come from are bounded (see package guard for the last).
//
// Its nouns: a Tracker is a URL with its origin; a Client asks trackers, one
// question at a time; an Announcer keeps one torrent announced with all of its
// trackers; a Server is a tracker.
package tracker
