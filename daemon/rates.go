package daemon

import (
	"time"

	"swarmnode/swarm"
)

// rates are the limits of all torrents together, which depend on the time of the week.
type rates struct {
	clock   func() time.Time // the clock on the wall; nil is time.Now
	text    string           // of times
	times   schedule
	known   bool // inForce was set
	inForce swarm.EngineLimits
}

// set puts the rates into force that the settings want now, and returns when they may want
// others; zero: never.
func (r *rates) set(w world, s *Settings) (next time.Time) {
	wall := time.Now()
	if r.clock != nil {
		wall = r.clock()
	}
	if s.AltSchedule != r.text {
		r.text = s.AltSchedule
		r.times, _ = parseSchedule(r.text) // Settings.check has read it
	}
	limits := swarm.EngineLimits{Down: s.Down, Up: s.Up, Peers: s.Peers,
		TorrentPeers: s.TorrentPeers}
	if s.Alt || r.times.has(wall) {
		limits.Down, limits.Up = s.AltDown, s.AltUp
	}
	if !r.known || limits != r.inForce {
		r.known, r.inForce = true, limits
		w.setLimits(limits)
	}
	if len(r.times) == 0 {
		return time.Time{}
	}
	// Every minute, since the clock on the wall may be set, and the machine may have slept.
	return time.Now().Add(wall.Truncate(time.Minute).Add(time.Minute).Sub(wall))
}
