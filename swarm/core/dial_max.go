package core

import "time"

// setPeersMax sets how many connections there may be, and dials if there is room now.
func (d *dialer) setPeersMax(now time.Duration, most int) {
	d.peersMax = most
	d.timers.by(timerDial, now)
}

// full reports whether there are more connections than there may be.
func (d *dialer) full() bool { return d.peers.count() > d.peersMax }
