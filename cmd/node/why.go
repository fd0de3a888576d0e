package main

import (
	"fmt"
	"strings"

	"swarmnode/daemon/stuck"
	"swarmnode/swarm"
)

// alone reports whether a torrent that has its metadata has met nobody: no peer, and no
// web seed that sent anything.
func alone(st swarm.State) bool {
	return st.Phase == swarm.Downloading && st.PeersMet == 0 && st.Down == 0
}

// A verdict says why a torrent is not complete.
type verdict struct{ stuck.Facts }

// verdictOf returns what the session knows about t.
func (s *session) verdictOf(t *swarm.Torrent) verdict {
	v := verdict{stuck.Facts{Swarm: t.State(), CutOff: s.node.CutOff(), Reach: s.node.Reach(),
		NoRelay: s.flags.noRelay}}
	if d := s.node.DHT(); d.On() {
		st := d.Stats()
		v.DHT, v.Asked = &st, s.silence.text(st)
	}
	return v
}

// timeoutHint returns what to try when the time was over.
func (s *session) timeoutHint() string {
	switch {
	case s.node.CutOff() == "":
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
	add(v.CutOff)
	if v.Swarm.PeersHere == 0 && v.CutOff == "" {
		add(v.Discovery())
		add(v.TrackersText())
	}
	add(v.Unmet())
	add(v.Hidden())
	add(v.met())
	return strings.Join(parts, "; ")
}

// progress says how far the torrent is.
func (v verdict) progress() string {
	st := &v.Swarm
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

// met says what the connected peers lack.
func (v verdict) met() string {
	st := &v.Swarm
	if st.PeersHere == 0 {
		if st.PeersMet > 0 {
			return fmt.Sprintf("%s ended", plural(st.PeersMet, "connection"))
		}
		return ""
	}
	what := "connected to " + plural(st.PeersHere, "peer") + ", "
	if lack := v.Lack(); lack != "" {
		return what + lack
	}
	return what + "receiving " + formatRate(st.DownRate)
}
