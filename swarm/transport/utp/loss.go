package utp

import "time"

const (
	// lossPackets is how many packets that were sent later must have arrived before one is
	// lost at once (BEP 29 and RFC 5681: three).
	lossPackets = 3
	// reorderMax bounds the patience with a path that reorders, in quarters of the least
	// round-trip time.
	reorderMax = 8
)

// loss finds the packets that are lost, by time (RFC 8985, RACK): one that was sent before
// another which has arrived is lost unless it arrives soon. How soon depends on whether the
// path has been seen to reorder packets.
type loss struct {
	// newest is the packet that was sent last of those that have arrived, newestAt when,
	// and took how long the way there and back took.
	newest   seq
	newestAt time.Duration
	took     time.Duration
	any      bool
	// patience is the reordering window in quarters of the least round-trip time: 0 as
	// long as no reordering was seen.
	patience int
}

// acked takes what an acknowledgement has brought. After a timeout, what was late was not
// overtaken.
func (l *loss) acked(a *acks, timedOut bool) {
	if a.spurious > 0 && !timedOut {
		l.patience = min(l.patience+1, reorderMax)
	}
	if a.newestAt == noTime || l.any && a.newestAt < l.newestAt {
		return
	}
	l.newest, l.newestAt, l.took, l.any = a.newest, a.newestAt, a.now-a.newestAt, true
}

// window returns how much later than another packet one may arrive that was sent before it.
func (l *loss) window(f *flight, r *rtt) time.Duration {
	if l.patience == 0 && f.acked >= lossPackets {
		return 0
	}
	return min(r.min()/4*time.Duration(max(1, l.patience)), r.smoothed)
}

// detect marks the packets that are lost now, calls on for each before, and returns when to
// look again, 0 for not before the next acknowledgement.
func (l *loss) detect(now time.Duration, f *flight, r *rtt, on func(*sentPacket)) time.Duration {
	if !l.any {
		return 0
	}
	wait := l.took + l.window(f, r)
	for f.sent.n > 0 {
		n := f.sent.first
		p := f.at(n)
		if p.sentAt > l.newestAt || p.sentAt == l.newestAt && !n.before(l.newest) {
			return 0
		}
		if due := p.sentAt + wait; due > now {
			return due
		}
		on(p)
		f.lose(n)
	}
	return 0
}
