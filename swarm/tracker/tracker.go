package tracker

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"
	"unicode"

	"swarmnode/metainfo"
	"swarmnode/metainfo/weburl"
	"swarmnode/swarm/guard"
)

// ErrURL is wrapped by the errors for URLs that no tracker can have.
var ErrURL = errors.New("not the URL of a tracker")

// A Tracker is the URL of a tracker, with its origin.
type Tracker struct {
	url      *url.URL
	stranger bool
}

// ParseTracker reads an announce URL: http, https or udp, as people write them, with
// blanks and umlauts. Stranger marks one that the user did not write, such as one
// from a torrent or a link. It may still lead into this machine or network, where
// people do run trackers, but only in a form that is of no use to do anything else
// there: see unlike.
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
	return Tracker{url: u, stranger: stranger}, nil
}

// String returns the scheme, host and port alone: paths and queries hold keys
// that are nobody else's business.
func (t Tracker) String() string { return t.url.Scheme + "://" + t.url.Host }

// target returns what guard is to judge about a request to u, which is made of
// the tracker's URL. UDP trackers are harmless: nothing that the URL says is
// sent before the host has proven to be one.
func (t Tracker) target(u *url.URL) guard.Target {
	return guard.Target{URL: u, Stranger: t.stranger, Harmless: func(asked *url.URL) bool {
		switch {
		case asked.Scheme == "udp":
			return true
		case asked == u:
			return unlike(t.url) == ""
		}
		// A redirect. Only a host within can send us to another one within, and
		// that one has seen our parameters.
		return asked.User == nil && announces(asked)
	}}
}

// Event says why an announce is made. The values are those of BEP 15.
type Event uint32

// The events of BEP 3, "event".
const (
	None Event = iota
	Completed
	Started
	Stopped
	// Paused is that of a partial seed, which wants nothing more though it does not
	// have everything (BEP 21). It is for HTTP alone.
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

// A Request is what an announce tells.
type Request struct {
	InfoHash   metainfo.Hash
	PeerID     [20]byte
	Port       uint16 // where we accept peers
	Uploaded   int64  // bytes since started was sent
	Downloaded int64  // bytes since started was sent
	Left       int64  // bytes that are missing; 0 makes a seed
	Event      Event
	// Want is how many peers are wanted; less than 0 leaves it to the tracker.
	Want int
	// Key proves to a tracker that we are still the same when our address has
	// changed: any number, kept for a session.
	Key uint32
	// TrackerID is sent back as the last answer had it (BEP 3, "tracker id").
	TrackerID string
}

// A Response is what a tracker answers to an announce.
type Response struct {
	Interval    time.Duration // until the next announce; 0: not said
	MinInterval time.Duration // how soon it may be at the earliest; 0: not said
	Seeds       int           // peers that have everything; -1: not said
	Leeches     int           // peers that do not; -1: not said
	Peers       []netip.AddrPort
	TrackerID   string     // for the next Request; "": as before
	Warning     string     // for humans, clean
	ExternalIP  netip.Addr // our address as the tracker sees it (BEP 24); invalid: not said
}

// Counts is what a scrape tells of a swarm (BEP 48). A number that the tracker
// does not tell is -1.
type Counts struct {
	Seeds     int
	Leeches   int
	Completed int // how often a download was completed
}

// A Failure is an answer by which a tracker refuses.
type Failure struct {
	Reason string // for humans, clean
	// Retry is how long to wait before asking again (BEP 31); 0: not said.
	Retry time.Duration
	// Never tells that it is of no use to ask again (BEP 31).
	Never bool
}

func (f *Failure) Error() string { return "the tracker refuses: " + f.Reason }

// ErrAnswer is wrapped by the errors for answers that are not those of a
// tracker.
var ErrAnswer = errors.New("not the answer of a tracker")

const (
	// PeersMax bounds the peers taken from one answer: more than any tracker
	// gives, and what an address book keeps of one source.
	PeersMax = 500
	// textMax bounds words for humans, in bytes.
	textMax = 200
	// trackerIDMax bounds the id that a tracker makes us send back, in bytes.
	trackerIDMax = 512
)

// text makes words from a tracker safe to show: printable, on one line.
func text(b []byte) string {
	s := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(b[:min(len(b), textMax)]), " "))
	return strings.Join(strings.Fields(s), " ")
}

// dialable reports whether an address from a tracker at a public address, or at
// one nearer, could be that of a peer. A public tracker cannot know of peers
// behind our own walls, so such addresses are mistakes or worse.
func dialable(addr netip.AddrPort, from netip.Addr) bool {
	reach, ok := guard.ReachOf(addr.Addr())
	if !ok || addr.Port() == 0 {
		return false
	}
	tracker, _ := guard.ReachOf(from)
	return tracker != guard.Public || reach == guard.Public
}

// sift keeps the peers that could be dialled, each once.
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
