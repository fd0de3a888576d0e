package stuck

import (
	"swarmnode/swarm"
	"swarmnode/swarm/book"
)

// Reason returns what keeps the torrent from getting on. It is cheap enough for each torrent of
// a long list.
func (f *Facts) Reason() Reason {
	if f.Err != nil || f.Swarm.Fault != nil {
		return f.fault()
	}
	switch f.Stage {
	case Resting, Checking:
		return Moving
	case AtGoal:
		return Goal
	case AwaitTurn:
		return Queued
	case AwaitRoom:
		return Reserve
	case AwaitMemory:
		return Memory
	case AwaitCheck:
		return CheckingQueued
	case Opening:
		return Starting
	}
	return f.running()
}

// err returns what keeps the torrent from going on.
func (f *Facts) err() error {
	if f.Err != nil {
		return f.Err
	}
	return f.Swarm.Fault
}

// fault returns the reason of an error.
func (f *Facts) fault() Reason {
	switch swarm.CauseOf(f.err()) {
	case swarm.CauseReserve:
		return Reserve
	case swarm.CauseFull:
		return DiskFull
	case swarm.CauseMemory:
		return Memory
	case swarm.CauseInTheWay, swarm.CauseMissing, swarm.CauseDenied, swarm.CauseDisk:
		return DiskError
	}
	return Failed
}

// running returns what keeps a torrent from getting on that may use the network.
func (f *Facts) running() Reason {
	st := &f.Swarm
	switch {
	case st.MoveTotal > 0:
		return Relocating
	case f.CutOff != "":
		return CutOff
	case st.Phase == swarm.Seeding:
		return f.seeding()
	case 0 < f.Limit && f.Limit <= tinyRate:
		return Limit
	case st.DownRate > 0:
		return Moving
	case f.Age < settle:
		return Starting
	}
	return f.peers()
}

// seeding returns why nobody comes to a seed. A seed of which nobody wants anything is not stuck.
func (f *Facts) seeding() Reason {
	r := &f.Swarm.Trackers
	if f.Swarm.PeersHere == 0 && r.Failed > 0 && r.Answered == 0 && f.Age >= settle {
		return TrackerError
	}
	return Moving
}

// peers returns why no peer sends anything.
func (f *Facts) peers() Reason {
	st := &f.Swarm
	switch {
	case st.PeersHere > 0:
		return f.connected()
	case st.PeersConnected > 0: // to web seeds
		return Silent
	case st.PeersKnown > 0 || st.PeersForgotten > 0:
		return Unreachable
	case f.DHT != nil && f.DHT.Answers == 0 && st.Trackers.Answered == 0:
		return DHTSilent
	case st.Trackers.Failed > 0 && st.Trackers.Answered == 0:
		return TrackerError
	}
	return Nobody
}

// connected returns why none of the connected peers sends anything.
func (f *Facts) connected() Reason {
	st := &f.Swarm
	switch web := st.PeersConnected > st.PeersHere; {
	case st.Phase == swarm.Metadata:
		return NoMetadata
	case web && (st.PeersUseful == 0 || st.PeersServing == 0):
		return Silent
	case st.PeersUseful == 0:
		return NobodyHas
	case st.PeersServing == 0:
		return Choked
	}
	return Silent
}

// Verdict says why the torrent is stuck; the zero Verdict is that it is not.
func (f *Facts) Verdict() Verdict {
	v := Verdict{Reason: f.Reason(), Values: make(map[string]any)}
	if v.Reason == Moving {
		return Verdict{}
	}
	st := &f.Swarm
	text := ""
	switch v.Reason {
	case Goal, Queued, CheckingQueued, Memory, Starting, Relocating, Limit:
		text = f.ours(&v)
	case Reserve, DiskFull, DiskError, Failed:
		text = f.disk(&v)
	case CutOff:
		v.Values["why"] = f.CutOff
		text = "nothing can be sent to anybody: " + f.CutOff
		v.Advice = "Bring the network interface or the proxy back; it goes on by itself."
	case Nobody, DHTSilent, TrackerError:
		text = f.unknown(&v)
	case Unreachable:
		text = f.unreachable(&v)
	default:
		v.Values["peers"], v.Values["useful"] = st.PeersHere, st.PeersUseful
		v.Values["web-seeds"] = st.PeersConnected - st.PeersHere
		text = f.lacking(&v)
	}
	v.Text = sentence(text)
	return v
}

// unreachable says why no known peer is connected.
func (f *Facts) unreachable(v *Verdict) string {
	st := &f.Swarm
	v.Values["peers"], v.Values["forgotten"] = st.PeersKnown, st.PeersForgotten
	for fault, n := range st.Unmet {
		if n > 0 {
			v.Values[faultNames[fault]] = n
		}
	}
	v.Advice = "Wait: they are tried again, and more are looked for."
	n := st.Unmet.Count()
	switch {
	case n == 0 && st.PeersForgotten > 0:
		v.Advice = "Wait for others, or add a tracker or a peer."
		return plural(st.PeersForgotten, "peer") + " " + wasOrWere(st.PeersForgotten) +
			" found, and none ever answered"
	case st.Unmet[book.FaultBlocked] > n/2:
		v.Advice = "See whether the blocklist blocks too much."
	case f.Hidden() != "":
		v.Values["reach"] = f.Reach.Answer()
		v.Advice = "Forward a port of your router to this node, so that they can connect: " +
			f.Hidden() + "."
	}
	text := plural(n, "peer") + " " + is(n) + " known, and none "
	if st.Unmet.Untried()+st.Unmet[book.FaultDialling] == n {
		return text + "is connected yet: " + f.faults()
	}
	return text + "can be reached: " + f.faults()
}

// wasOrWere returns the verb for a number of things.
func wasOrWere(n int) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

// lacking says why none of the connected peers sends anything.
func (f *Facts) lacking(v *Verdict) string {
	st := &f.Swarm
	here := plural(st.PeersHere, "peer") + " " + is(st.PeersHere) + " connected, "
	switch v.Reason {
	case NoMetadata:
		v.Values["with-metadata"] = st.PeersWithMetadata
		v.Advice = "Wait for another peer, or add the .torrent file instead of the link."
		return here + "and " + f.Lack()
	case NobodyHas:
		v.Advice = "Wait for somebody who has it; without one the torrent cannot become complete."
		return here + "and " + f.pieces(v)
	case Choked:
		v.Advice = "Wait: slots go round within minutes."
		what := plural(st.PeersUseful, "peer")
		if st.PeersHere > st.PeersUseful {
			what = number(st.PeersUseful) + " of " + number(st.PeersHere) + " connected peers"
		}
		return what + " " + has(st.PeersUseful) + " what is missing, but no upload slot for us"
	}
	if st.PeersHere == 0 {
		v.Advice = "Look at the error of the web seed; others may have the content, too."
		n := st.PeersConnected
		return plural(n, "web seed") + " " + is(n) + " connected, and sends nothing"
	}
	v.Advice = "Wait: a peer that sends nothing is left for another one."
	return here + "and none sends anything"
}

func has(n int) string {
	if n == 1 {
		return "has"
	}
	return "have"
}

// pieces says which pieces nobody has.
func (f *Facts) pieces(v *Verdict) string {
	n := f.Swarm.PiecesWanted - f.Swarm.PiecesHave
	v.Values["pieces"] = n
	if f.Piece >= 0 {
		v.Values["piece"] = f.Piece
	}
	switch {
	case n <= 0:
		return f.Lack()
	case n == 1 && f.Piece >= 0:
		return "none has piece " + number(f.Piece)
	case n == 1:
		return "none has the last missing piece"
	case f.Piece >= 0:
		return "none has any of the " + number(n) + " missing pieces, the first of which is " +
			"piece " + number(f.Piece)
	}
	return "none has any of the " + number(n) + " missing pieces"
}
