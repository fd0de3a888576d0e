package stuck

import (
	"fmt"
	"strconv"

	"swarmnode/swarm"
)

func number(n int) string { return strconv.Itoa(n) }

// ours says what the node itself has decided.
func (f *Facts) ours(v *Verdict) string {
	switch v.Reason {
	case Goal:
		v.Values["goal"] = f.Why
		v.Advice = "Start it again to seed on without that goal."
		return "it has stopped, since it " + f.Why
	case Queued:
		v.Values["ahead"], v.Values["why"] = f.Queue, f.Why
		v.Advice = "Wait, move it up in the queue, or start it at once."
		if f.Queue == 0 {
			return "it is " + f.Why
		}
		return fmt.Sprintf("it is %s, and %s %s before it in the queue", f.Why,
			plural(f.Queue, "torrent"), is(f.Queue))
	case CheckingQueued:
		v.Advice = "Wait: the content of other torrents is being checked."
		return "it is waiting for its turn to be checked"
	case Memory:
		v.Advice = "Raise the memory limit, or stop other torrents."
		return "the memory limit leaves no room for it"
	case Starting:
		v.Values["peers"], v.Values["known"] = f.Swarm.PeersHere, f.Swarm.PeersKnown
		v.Advice = "Wait a moment."
		if f.Stage == Opening {
			return "it is about to start"
		}
		return fmt.Sprintf("it has just started: %s %s known, %d connected",
			plural(f.Swarm.PeersKnown, "peer"), is(f.Swarm.PeersKnown), f.Swarm.PeersHere)
	case Limit:
		v.Values["rate"], v.Values["by"] = f.Limit, f.LimitBy
		v.Advice = "Raise that limit."
		return fmt.Sprintf("%s holds its download to %s", f.LimitBy, rateText(f.Limit))
	}
	v.Values["moved"], v.Values["total"] = f.Swarm.Moved, f.Swarm.MoveTotal
	v.Advice = "Wait until all of it is there."
	return fmt.Sprintf("its content is being copied to another folder: %d of %d MiB",
		f.Swarm.Moved>>20, f.Swarm.MoveTotal>>20)
}

// disk says what is wrong with files.
func (f *Facts) disk(v *Verdict) string {
	err := f.err()
	if err == nil { // it waits for room
		v.Values["why"] = f.Why
		v.Advice = "Free some space, or lower what must stay free; it goes on by itself."
		return f.Why
	}
	why := Line(err)
	v.Values["why"] = why
	again := "; it goes on by itself."
	if f.Err != nil && f.Stage != Running {
		again = ", and start it again."
	}
	switch swarm.CauseOf(err) {
	case swarm.CauseReserve:
		v.Advice = "Free some space, or lower what must stay free" + again
	case swarm.CauseFull:
		v.Advice = "Free some space, or move it to another disk" + again
		return "the disk is full: " + why
	case swarm.CauseDenied:
		v.Advice = "Let the node write there" + again
	case swarm.CauseMissing:
		v.Advice = "Bring the content back, or say where it lies now" + again
	case swarm.CauseInTheWay:
		v.Advice = "Move away what lies there" + again
	case swarm.CauseDisk:
		v.Advice = "Look at the disk" + again
	default:
		v.Advice = "Mend the cause" + again
	}
	return why
}

// unknown says why no peer is known.
func (f *Facts) unknown(v *Verdict) string {
	r := &f.Swarm.Trackers
	v.Values["trackers"], v.Values["trackers-failed"] = f.Trackers, r.Failed
	v.Values["dht"] = f.dhtWord()
	if r.Failed > 0 {
		v.Values["tracker"], v.Values["why"] = r.Tracker.String(), Line(r.Cause())
	}
	text := "no peer is known"
	if f.Swarm.Phase == swarm.Seeding {
		text = "no peer is connected"
	}
	switch v.Reason {
	case DHTSilent:
		v.Advice = "See whether this machine is connected and lets datagrams (UDP) out."
	case TrackerError:
		v.Advice = "See whether the URL is right, or add another tracker."
	default:
		v.Advice = "Wait until somebody who has it comes, or add a tracker."
		if f.DHT == nil && f.Trackers == 0 {
			v.Advice = "Add a tracker or a peer."
			if f.DHTOff {
				v.Advice = "Switch the DHT on, or add a tracker or a peer."
			}
			return text + ", and there is no way to find one: it has no tracker, and " +
				f.noDHT()
		}
	}
	for _, why := range []string{f.Discovery(), f.TrackersText()} {
		if why != "" {
			text += "; " + why
		}
	}
	return text
}

// noDHT says why the DHT is not asked.
func (f *Facts) noDHT() string {
	if f.DHTOff {
		return "the DHT is off"
	}
	return "it is private, so that the DHT is not asked"
}

// dhtWord is the word for the DHT among Verdict.Values.
func (f *Facts) dhtWord() string {
	switch {
	case f.DHTOff:
		return "off"
	case f.DHT == nil:
		return "private"
	case f.DHT.Answers == 0:
		return "silent"
	}
	return "answers"
}
