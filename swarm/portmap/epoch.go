package portmap

import "time"

// An epoch watches the clock of a router, which counts the seconds since the router last lost
// its mappings.
type epoch struct {
	known   bool
	seconds uint32
	at      time.Time
}

// observe records what the clock says, and reports whether the router has lost its mappings
// since the last time, or may have (RFC 6887, section 8.5). With drift, the clock may be wrong
// by an eighth (RFC 6886, section 3.6).
func (e *epoch) observe(now time.Time, seconds uint32, drift bool) (lost bool) {
	before := *e
	*e = epoch{true, seconds, now}
	if !before.known {
		return false
	}
	if int64(seconds)+1 < int64(before.seconds) {
		return true
	}
	client := int64(now.Sub(before.at) / time.Second)
	server := int64(seconds) - int64(before.seconds)
	if drift {
		// A clock that was far too fast is that of a router that we have slept beside.
		return server < client*7/8-2 || client+2 < server*7/8
	}
	return client+2 < server-server/16 || server+2 < client-client/16
}
