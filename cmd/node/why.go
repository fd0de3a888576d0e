package main

import (
	"fmt"
	"strings"

	"swarmnode"
	"swarmnode/dht"
	"swarmnode/swarm"
)

// alone reports whether a torrent that has its metadata has met nobody: no peer, and no
// web seed that sent anything.
func alone(st swarm.State) bool {
	return st.Phase == swarm.Downloading && st.PeersMet == 0 && st.Down == 0
}

// A verdict says why a torrent is not complete.
type verdict struct {
	st  swarm.State
	dht *dht.Stats // nil without a DHT
	// asked says that no DHT node has answered, and who was asked.
	asked string
	// cutOff says why nothing can be sent to anybody; empty if something can.
	cutOff string
	// reach is how others reach the node.
	reach   swarmnode.Standing
	noRelay bool // no relay is used
}

// verdictOf returns what the session knows about t.
func (s *session) verdictOf(t *swarm.Torrent) verdict {
	v := verdict{st: t.State(), cutOff: s.cutOff(), reach: s.node.Reach(),
		noRelay: s.flags.noRelay}
	if d := s.node.DHT(); d.On() {
		st := d.Stats()
		v.dht, v.asked = &st, s.silence.text(st)
	}
	return v
}

// cutOff says why nothing can be sent to anybody at the moment.
func (s *session) cutOff() string {
	if _, err := s.network.Egress().Present(); err != nil {
		return err.Error()
	}
	if s.node.ProxyAway() {
		return "the proxy cannot be used"
	}
	return ""
}

// timeoutHint returns what to try when the time was over.
func (s *session) timeoutHint() string {
	switch {
	case s.cutOff() == "":
		return "again, with a longer --timeout"
	case s.node.ProxyAway():
		return "again, when the proxy can be used"
	}
	return "again, when the interface can be used"
}

// String says how far the torrent is, and why no further.
func (v verdict) String() string {
	parts := []string{v.progress()}
	add := func(text string) {
		if text != "" {
			parts = append(parts, text)
		}
	}
	add(v.cutOff)
	if v.st.PeersHere == 0 && v.cutOff == "" {
		add(v.discovery())
		add(v.trackers())
	}
	add(v.unmet())
	add(v.unreachable())
	add(v.met())
	return strings.Join(parts, "; ")
}

// progress says how far the torrent is.
func (v verdict) progress() string {
	st := v.st
	nobody := st.PeersKnown == 0 && st.PeersMet == 0 && st.Down == 0
	switch {
	case st.Phase == swarm.Metadata && nobody:
		return "no peer was found"
	case st.Phase == swarm.Metadata:
		return "no metadata"
	case nobody:
		return fmt.Sprintf("no peer was found, %s complete", formatPercent(st.Got, st.Wanted))
	}
	return formatPercent(st.Got, st.Wanted) + " complete"
}

// discovery says why the DHT found nobody.
func (v verdict) discovery() string {
	switch {
	case v.dht == nil:
		return ""
	case v.dht.Answers == 0:
		return v.asked
	case v.st.PeersKnown == 0:
		return "the DHT knows none"
	}
	return ""
}

// trackers says how the trackers did.
func (v verdict) trackers() string {
	r := v.st.Trackers
	switch {
	case r.Failed > 0:
		why := fmt.Sprintf("tracker %s: %s", r.Tracker, errorLine(r.Cause()))
		if r.Failed > 1 {
			why += fmt.Sprintf(", and %d more failed", r.Failed-1)
		}
		return why
	case r.Answered > 0 && v.st.PeersKnown == 0:
		return plural(r.Answered, "tracker") + " named no peer"
	}
	return ""
}

// unmet says why there is no connection to the peers that are known.
func (v verdict) unmet() string {
	n := v.st.Unmet.Count()
	if n == 0 {
		if v.st.PeersForgotten > 0 && v.st.PeersMet == 0 {
			return "the peers that were found never answered"
		}
		return ""
	}
	var list []string
	for fault, count := range v.st.Unmet.Failed() {
		list = append(list, fmt.Sprintf("%d %v", count, fault))
	}
	if count := v.st.Unmet.Untried(); count > 0 {
		list = append(list, fmt.Sprintf("%d %s", count, v.waiting()))
	}
	what := plural(n, "peer")
	if v.st.PeersHere > 0 {
		what = plural(n, "more peer")
	}
	return what + ": " + strings.Join(list, ", ")
}

// unreachable says that peers that cannot be reached cannot come to us either.
func (v verdict) unreachable() string {
	if v.st.PeersHere > 0 || v.st.Unmet.Count() == 0 || v.cutOff != "" || !v.reach.Hidden() {
		return ""
	}
	return "this node is " + reachLine(v.reach, v.noRelay)
}

// waiting says why some peers were not dialled.
func (v verdict) waiting() string {
	if v.st.PeersMet > 0 {
		return "not connected"
	}
	return "not tried yet"
}

// met says what the connected peers lack.
func (v verdict) met() string {
	st := v.st
	n := st.PeersHere
	if n == 0 {
		if st.PeersMet > 0 {
			return fmt.Sprintf("%s ended", plural(st.PeersMet, "connection"))
		}
		return ""
	}
	what := "connected to " + plural(n, "peer")
	switch {
	case st.Phase == swarm.Metadata && st.PeersWithMetadata == 0:
		return what + ", none has the metadata"
	case st.Phase == swarm.Metadata:
		return what + ", none sent the metadata"
	case st.PeersUseful == 0 && st.Got == 0:
		return what + ", none has any of it"
	case st.PeersUseful == 0:
		return what + ", none has the rest"
	case st.PeersServing == 0:
		return what + fmt.Sprintf(", %d with what is missing, but no upload slot for us",
			st.PeersUseful)
	case st.DownRate == 0:
		return what + ", none sends anything"
	}
	return what + ", receiving " + formatRate(st.DownRate)
}
