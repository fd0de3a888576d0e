package stuck

import (
	"fmt"
	"strconv"
	"strings"

	"swarmnode/swarm"
	"swarmnode/swarm/book"
)

// The methods here say in a few words, without capitals and full stops, what is known of the
// peers of a torrent. They return "" if there is nothing to say.

// Discovery says why the DHT found nobody.
func (f *Facts) Discovery() string {
	switch {
	case f.DHT == nil:
		return ""
	case f.DHT.Answers == 0:
		return f.asked()
	case f.Swarm.PeersKnown == 0:
		return "the DHT knows none"
	}
	return ""
}

// asked says that no DHT node has answered.
func (f *Facts) asked() string {
	switch {
	case f.Asked != "":
		return f.Asked
	case f.DHT.QueriesOut == 0:
		return "no DHT node could be asked"
	}
	return "no DHT node answered"
}

// TrackersText says how the trackers did.
func (f *Facts) TrackersText() string {
	r := &f.Swarm.Trackers
	switch {
	case r.Failed > 0:
		why := fmt.Sprintf("tracker %s: %s", r.Tracker, Line(r.Cause()))
		if r.Failed > 1 {
			why += fmt.Sprintf(", and %d more failed", r.Failed-1)
		}
		return why
	case r.Answered > 0 && f.Swarm.PeersKnown == 0:
		return plural(r.Answered, "tracker") + " named no peer"
	}
	return ""
}

// Unmet says why there is no connection to the peers that are known.
func (f *Facts) Unmet() string {
	st := &f.Swarm
	n := st.Unmet.Count()
	if n == 0 {
		if st.PeersForgotten > 0 && st.PeersMet == 0 {
			return "the peers that were found never answered"
		}
		return ""
	}
	what := plural(n, "peer")
	if st.PeersHere > 0 {
		what = plural(n, "more peer")
	}
	return what + ": " + f.faults()
}

// faults counts the peers without a connection by the reason.
func (f *Facts) faults() string {
	var list []string
	for fault, count := range f.Swarm.Unmet.Failed() {
		list = append(list, fmt.Sprintf("%d %v", count, fault))
	}
	if count := f.Swarm.Unmet.Untried(); count > 0 {
		list = append(list, fmt.Sprintf("%d %s", count, f.waiting()))
	}
	return strings.Join(list, ", ")
}

// waiting says why some peers were not dialled.
func (f *Facts) waiting() string {
	if f.Swarm.PeersMet > 0 {
		return "not connected"
	}
	return "not tried yet"
}

// Hidden says that peers that cannot be reached cannot come to us either.
func (f *Facts) Hidden() string {
	if f.Swarm.PeersHere > 0 || f.Swarm.Unmet.Count() == 0 || f.CutOff != "" || !f.Reach.Hidden() {
		return ""
	}
	line := f.Reach.String()
	if f.NoRelay { // whether there is one, nobody has asked
		line = strings.Replace(line, "a relay, and there is none", "a relay, and none is used", 1)
	}
	return "this node is " + line
}

// Lack says what keeps the connected peers from sending; "" without any, and while they send.
func (f *Facts) Lack() string {
	st := &f.Swarm
	switch {
	case st.PeersHere == 0:
		return ""
	case st.Phase == swarm.Metadata && st.PeersWithMetadata == 0:
		return "none has the metadata"
	case st.Phase == swarm.Metadata:
		return "none sent the metadata"
	case st.PeersUseful == 0 && st.Got == 0:
		return "none has any of it"
	case st.PeersUseful == 0:
		return "none has the rest"
	case st.PeersServing == 0:
		return strconv.Itoa(st.PeersUseful) +
			" with what is missing, but no upload slot for us"
	case st.DownRate == 0:
		return "none sends anything"
	}
	return ""
}

// faultNames are the words for faults among Verdict.Values.
var faultNames = [book.FaultCount]string{
	book.FaultNone: "untried", book.FaultRefused: "refused", book.FaultTimeout: "timed-out",
	book.FaultUnreachable: "unreachable", book.FaultHungUp: "hung-up",
	book.FaultOtherTorrent: "other-torrent", book.FaultProtocol: "protocol",
	book.FaultBanned: "banned", book.FaultOther: "failed", book.FaultDialling: "dialling",
	book.FaultBlocked: "blocked", book.FaultNoWay: "no-transport", book.FaultInward: "inward",
}
