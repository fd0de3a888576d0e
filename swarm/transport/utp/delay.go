package utp

import "time"

const (
	// delayMinutes is how many minutes the base of a delay is remembered for
	// (RFC 6817, BASE_HISTORY).
	delayMinutes = 10
	// delayFilter is how many samples the current delay is the least of
	// (RFC 6817, CURRENT_FILTER).
	delayFilter = 4
)

// delay measures the queueing delay of one direction: how much longer packets take than the
// fastest ones of the last delayMinutes. Its samples are differences between two clocks, in
// microseconds, which count from different times, drift, and wrap at 32 bits. So only the
// differences between samples mean anything.
type delay struct {
	started bool
	last    uint32 // the last sample as it came
	// place is the last sample without its wrap, counted from the first one.
	place int64
	// lowest are the least places of the current minute and those before it. All of them
	// are set from the start.
	lowest   [delayMinutes]int64
	minute   int
	minuteAt time.Duration
	recent   [delayFilter]int64
	count    int
}

// sample takes a sample. A packet cannot have waited for longer than its whole round trip
// took. A sample that says so comes from a clock that was set, or from a liar: the base
// moves up, so that the delay is limit at most.
func (d *delay) sample(now time.Duration, raw uint32, limit time.Duration) {
	d.place += int64(int32(raw - d.last))
	d.last = raw
	if !d.started {
		*d = delay{started: true, last: raw, minuteAt: now}
	}
	if now-d.minuteAt >= time.Minute {
		d.minuteAt = now
		d.minute = (d.minute + 1) % delayMinutes
		d.lowest[d.minute] = d.place
	}
	d.lowest[d.minute] = min(d.lowest[d.minute], d.place)
	d.recent[d.count%delayFilter] = d.place
	d.count++
	if over := d.queue() - limit; over > 0 {
		d.shift(over)
	}
}

// base returns the place of the fastest packet.
func (d *delay) base() int64 {
	base := d.lowest[0]
	for _, place := range d.lowest[1:] {
		base = min(base, place)
	}
	return base
}

// queue returns the queueing delay: that of the fastest of the last few packets.
func (d *delay) queue() time.Duration {
	if !d.started {
		return 0
	}
	least := d.place
	for _, place := range d.recent[:min(d.count, delayFilter)] {
		least = min(least, place)
	}
	return max(0, time.Duration(least-d.base())*time.Microsecond)
}

// shift moves the base up: the clocks have drifted apart by so much.
func (d *delay) shift(by time.Duration) {
	for i := range d.lowest {
		d.lowest[i] += int64(by / time.Microsecond)
	}
}
