package tracker

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"swarmnode/metainfo"
	"swarmnode/metainfo/weburl"
	"swarmnode/swarm/guard"
)

// ErrURL is wrapped by the errors for URLs that cannot be those of a tracker.
var ErrURL = errors.New("not the URL of a tracker")

// A Tracker is the URL of a tracker, with its origin.
type Tracker struct {
	url      *url.URL
	stranger bool
}

// ParseTracker reads an announce URL: http, https or udp, as people write them, with
// blanks and umlauts. Stranger marks a URL that the user did not write, such as one
// from a torrent or a link. Such a URL may lead into this machine or network, where
// people do run trackers, but only in a form that other services there would not
// act on: see unlike.
func ParseTracker(raw string, stranger bool) (Tracker, error) {
	u, err := weburl.Parse(raw)
	if err != nil {
		return Tracker{}, fmt.Errorf("%w: %w", ErrURL, err)
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "udp":
		return Tracker{}, fmt.Errorf("%w: scheme %q", ErrURL, u.Scheme)
	case u.Hostname() == "":
		return Tracker{}, fmt.Errorf("%w: no host", ErrURL)
	case u.Scheme == "udp" && u.Port() == "":
		return Tracker{}, fmt.Errorf("%w: UDP without a port", ErrURL)
	}
	if u.Port() != "" {
		if port, err := strconv.ParseUint(u.Port(), 10, 16); err != nil || port == 0 {
			return Tracker{}, fmt.Errorf("%w: port %q", ErrURL, u.Port())
		}
	}
	return Tracker{url: u, stranger: stranger}, nil
}

// String returns only the scheme, host and port: paths and queries may hold the
// user's keys. Of the zero Tracker, which a Report without failures has, it returns "none".
func (t Tracker) String() string {
	if t.url == nil {
		return "none"
	}
	return t.url.Scheme + "://" + t.url.Host
}

// key returns what tells the tracker from others: its whole URL.
func (t Tracker) key() string { return t.url.String() }

// is reports whether t and o are one tracker, of the same origin.
func (t Tracker) is(o Tracker) bool { return t.stranger == o.stranger && t.key() == o.key() }

// target describes a request to u, which derives from the tracker's URL, for guard.
// UDP trackers are harmless: nothing of the URL is sent before the host has proven
// that it is a tracker.
func (t Tracker) target(u *url.URL) guard.Target {
	return guard.Target{URL: u, Stranger: t.stranger, Harmless: func(asked *url.URL) bool {
		switch {
		case asked.Scheme == "udp":
			return true
		case asked == u:
			return unlike(t.url) == ""
		}
		// A redirect. Only a host of the local network can send us to another
		// one there, and that host has seen our parameters.
		return asked.User == nil && announces(asked)
	}}
}

// Event is the reason for an announce. The values are those of BEP 15.
type Event uint32

// The events of BEP 3, "event".
const (
	None Event = iota
	Completed
	Started
	Stopped
	// Paused is the event of a partial seed, which wants nothing more although it
	// does not have everything (BEP 21). Only HTTP trackers are sent it.
	Paused
)

func (e Event) String() string {
	switch e {
	case Completed:
		return "completed"
	case Started:
		return "started"
	case Stopped:
		return "stopped"
	case Paused:
		return "paused"
	}
	return ""
}

// A Request holds the parameters of an announce.
type Request struct {
	InfoHash   metainfo.Hash
	PeerID     [20]byte
	Port       uint16 // where we accept peers
	Uploaded   int64  // bytes since Started was sent
	Downloaded int64  // bytes since Started was sent
	Left       int64  // missing bytes; a seed has 0
	Event      Event
	// Want is how many peers we want; a negative number leaves that to the tracker.
	Want int
	// Key is a random number for each session. It proves to a tracker that we are
	// the same peer after our address has changed.
	Key uint32
	// TrackerID is that of the last answer (BEP 3, "tracker id").
	TrackerID string
}

// A Response is a tracker's answer to an announce.
type Response struct {
	Interval    time.Duration // until the next announce; 0: not given
	MinInterval time.Duration // at least until the next announce; 0: not given
	Seeds       int           // peers that have everything; -1: not given
	Leeches     int           // the other peers; -1: not given
	Completed   int           // downloads completed so far; -1: not given
	Peers       []netip.AddrPort
	TrackerID   string     // for the next Request; "": as before
	Warning     string     // for humans, printable
	ExternalIP  netip.Addr // our address as the tracker sees it (BEP 24); invalid: not given
}

// Counts is the answer to a scrape of one swarm (BEP 48). A number that the tracker
// does not give is -1.
type Counts struct {
	Seeds     int
	Leeches   int
	Completed int // downloads completed so far
}

// A Failure is an answer in which a tracker refuses a request.
type Failure struct {
	Reason string // for humans, printable
	// Retry is how long to wait before the next request (BEP 31); 0: not given.
	Retry time.Duration
	// Never reports that the tracker will refuse us for good (BEP 31).
	Never bool
}

func (f *Failure) Error() string { return "refused us: " + f.Reason }

// ErrAnswer is wrapped by the errors for answers that no tracker sends.
var ErrAnswer = errors.New("not the answer of a tracker")

const (
	// PeersMax bounds the peers taken from one answer. No tracker gives more, and
	// the address book keeps no more of one source.
	PeersMax = 500
	// textMax bounds texts for humans, in bytes.
	textMax = 200
	// trackerIDMax bounds the tracker id that we send back, in bytes.
	trackerIDMax = 512
)

// text makes a tracker's text safe to show: printable, on one line.
func text(b []byte) string {
	s := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(b[:min(len(b), textMax)]), " "))
	return strings.Join(strings.Fields(s), " ")
}

// dialable reports whether addr, from a tracker at the address from, can be that of a peer. A
// public tracker cannot know peers in our own network, so such addresses are mistakes or
// attacks. The address of a tracker behind a proxy may not be known.
func dialable(addr netip.AddrPort, from netip.Addr) bool {
	reach, ok := guard.ReachOf(addr.Addr())
	if !ok || addr.Port() == 0 {
		return false
	}
	tracker, _ := guard.ReachOf(from)
	return reach == guard.Public || from.IsValid() && tracker != guard.Public
}

// sift returns the distinct dialable peers. It reuses the memory of peers.
func sift(peers []netip.AddrPort, from netip.Addr) []netip.AddrPort {
	kept := peers[:0]
	seen := make(map[netip.AddrPort]bool, len(peers))
	for _, p := range peers {
		if !seen[p] && dialable(p, from) {
			seen[p] = true
			kept = append(kept, p)
		}
	}
	return kept
}
