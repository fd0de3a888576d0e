package tally

import (
	"time"

	"swarmnode/daemon"
	"swarmnode/swarm"
)

const (
	// historiesMax is how many torrents have a history at most: those that moved something last.
	// One takes historyBytes.
	historiesMax = 4096
	historyBytes = 8*(secondsMax+minutesMax) + 64
	// historyAge is how long a history is kept without traffic, and sweepEvery the time between
	// two looks for older ones.
	historyAge = time.Hour
	sweepEvery = time.Minute
)

// A pair is the speed of a torrent in both directions, in bytes per second; 4 GiB/s at most.
type pair struct{ down, up uint32 }

func pairOf(down, up int64) pair {
	const most = 1<<32 - 1
	return pair{uint32(min(max(down, 0), most)), uint32(min(max(up, 0), most))}
}

// A history is the speed of one torrent in the last minute by seconds, and in the last hour by tens
// of seconds. A speed lasts until the next one is known, so that nothing needs to be done in
// seconds in which it stays the same.
type history struct {
	at    int64 // the last second that is filled in, since 1970
	moved int64 // the last second with traffic
	now   pair  // the speed since at
	// sumDown and sumUp are those of the seconds of the tens that has begun.
	sumDown, sumUp uint64
	seconds        [secondsMax]pair // by the second, from 1970 on
	minutes        [minutesMax]pair // by tens of seconds, likewise
}

// set records the speed from now on.
func (h *history) set(now int64, speed pair) {
	h.fill(now - 1)
	h.now = speed
	h.fill(now)
}

// fill continues the last speed up to a second.
func (h *history) fill(until int64) {
	const span = minuteOf * minutesMax
	if until-h.at > span { // all is overwritten
		h.at, h.sumDown, h.sumUp = (until-span)/minuteOf*minuteOf-1, 0, 0
	}
	for h.at < until {
		h.at++
		h.seconds[h.at%secondsMax] = h.now
		h.sumDown += uint64(h.now.down)
		h.sumUp += uint64(h.now.up)
		if h.at%minuteOf == minuteOf-1 {
			h.minutes[h.at/minuteOf%minutesMax] = pair{uint32(h.sumDown / minuteOf),
				uint32(h.sumUp / minuteOf)}
			h.sumDown, h.sumUp = 0, 0
		}
		if h.now != (pair{}) {
			h.moved = h.at
		}
	}
}

// rates returns the history up to a second, the oldest first.
func (h *history) rates(now int64) (seconds, minutes []Rate) {
	h.fill(now)
	rate := func(at int64, p pair) Rate {
		return Rate{time.Unix(at, 0), int64(p.down), int64(p.up)}
	}
	for at := h.at - secondsMax + 1; at <= h.at; at++ {
		seconds = append(seconds, rate(at, h.seconds[at%secondsMax]))
	}
	last := (h.at+1)/minuteOf - 1 // the last tens that are whole
	for at := last - minutesMax + 1; at <= last; at++ {
		minutes = append(minutes, rate(at*minuteOf+minuteOf-1, h.minutes[at%minutesMax]))
	}
	return seconds, minutes
}

// histories are those of the torrents that have moved something within an hour.
type histories struct {
	by    map[daemon.ID]*history
	sweep int64 // the second of the next sweep
	// room reports whether there is memory for so many bytes more.
	room func(int64) bool
}

func newHistories() histories {
	return histories{by: make(map[daemon.ID]*history), room: swarm.MemoryRoom}
}

// set records the speed of a torrent from now on. A torrent gets a history once it moves
// something.
func (h *histories) set(now time.Time, id daemon.ID, down, up int64) {
	speed, at := pairOf(down, up), now.Unix()
	one := h.by[id]
	if one == nil {
		if speed == (pair{}) || at < 0 {
			return
		}
		if one = h.grow(); one == nil {
			return
		}
		one.at, one.moved = at-1, at
		h.by[id] = one
	}
	if at < one.at { // the clock was set back
		one.at = at - 1
	}
	one.set(at, speed)
}

// grow returns an empty history, that of another torrent if there is no room for one more, or
// nil.
func (h *histories) grow() *history {
	if len(h.by) < historiesMax && h.room(historyBytes) {
		return new(history)
	}
	var oldest daemon.ID
	for id, one := range h.by {
		if one.now == (pair{}) && (oldest == 0 || one.moved < h.by[oldest].moved) {
			oldest = id
		}
	}
	one := h.by[oldest]
	if one != nil {
		delete(h.by, oldest)
		*one = history{}
	}
	return one
}

// tidy drops histories without traffic now and then.
func (h *histories) tidy(now time.Time) {
	at := now.Unix()
	if every := int64(sweepEvery / time.Second); at < h.sweep && h.sweep-at <= every {
		return
	}
	h.sweep = at + int64(sweepEvery/time.Second)
	for id, one := range h.by {
		if one.now == (pair{}) && at-one.moved > int64(historyAge/time.Second) {
			delete(h.by, id)
		}
	}
}

// retain drops those of torrents that are not in parts.
func (h *histories) retain(parts map[daemon.ID]part) {
	for id := range h.by {
		if _, ok := parts[id]; !ok {
			delete(h.by, id)
		}
	}
}

// TorrentHistory returns the speeds of one torrent, as History does for all together. They are
// means of up to 20 seconds. There are none of a torrent that has moved nothing for an hour.
func (t *Tally) TorrentHistory(id daemon.ID) (seconds, minutes []Rate) {
	return t.torrentHistory(id, time.Now())
}

func (t *Tally) torrentHistory(id daemon.ID, now time.Time) (seconds, minutes []Rate) {
	t.mu.Lock()
	defer t.mu.Unlock()
	one := t.histories.by[id]
	if one == nil {
		return nil, nil
	}
	return one.rates(max(now.Unix(), one.at))
}
