package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A status is what one torrent, or the hashing of new ones, was doing at one
// moment: what its progress line and its progress event say.
type status struct {
	hash      string // info-hash, 40 hex digits; empty while hashing
	state     string
	have      int64 // bytes; of those checked while checking
	total     int64 // bytes; 0 if not known yet
	down, up  int64 // bytes per second
	received  int64 // bytes
	sent      int64
	wasted    int64
	connected int
	found     int
	fault     string
}

// The states of a status that have a line of their own form. The rest have
// that of a download.
const (
	stateHashing  = "hashing"
	stateMetadata = "metadata"
	stateChecking = "checking"
	stateSeeding  = "seeding"
	stateFaulty   = "faulty"
)

// dhtNone is the number of DHT nodes where there is no DHT.
const dhtNone = -1

// statusLine writes the line for torrents: the one there is, or the sum of
// several. nodes is the number of DHT nodes known, age the time since start.
func statusLine(all []status, nodes int, age time.Duration) string {
	if len(all) == 1 {
		return all[0].line(nodes, age)
	}
	sum := status{state: stateSeeding}
	done, waiting := 0, 0
	for _, s := range all {
		sum.have += s.have
		sum.total += s.total
		sum.down += s.down
		sum.up += s.up
		sum.connected += s.connected
		sum.found += s.found
		switch s.state {
		case stateSeeding:
			done++
		case stateMetadata:
			waiting++
		}
	}
	line := fmt.Sprintf("%d torrents, %d done", len(all), done)
	if waiting > 0 {
		line += fmt.Sprintf(", %d without metadata", waiting)
	}
	if nodes != dhtNone && waiting > 0 {
		line += fmt.Sprintf("  dht %d nodes", nodes)
	}
	if sum.total > 0 {
		line += "  " + formatPercent(sum.have, sum.total) + " " + formatOf(sum.have, sum.total)
	}
	line += sum.rates()
	if left, ok := sum.eta(); ok && waiting == 0 {
		line += "  eta " + formatDuration(left)
	}
	return line
}

// line writes the progress line of one torrent.
func (s *status) line(nodes int, age time.Duration) string {
	short := s.hash[:min(8, len(s.hash))]
	switch s.state {
	case stateHashing:
		line := "hashing " + s.percent()
		if s.down > 0 {
			line += "  " + formatRate(s.down)
		}
		if left, ok := s.eta(); ok {
			line += "  eta " + formatDuration(left)
		}
		return line
	case stateMetadata:
		line := short + " metadata"
		if nodes != dhtNone {
			line += fmt.Sprintf("  dht %d nodes", nodes)
		}
		return line + fmt.Sprintf("  peers %d found, %d connected  %s", s.found, s.connected, formatDuration(age))
	case stateChecking:
		return short + " checking " + s.percent()
	case stateSeeding:
		return fmt.Sprintf("%s seeding %s  up %s  sent %s  peers %d/%d",
			short, formatBytes(s.total), formatRate(s.up), formatBytes(s.sent), s.connected, s.found)
	case stateFaulty:
		return short + " " + s.percent() + "  waiting for the disk: " + s.fault
	}
	line := short + " " + s.percent() + s.rates()
	if left, ok := s.eta(); ok {
		line += "  eta " + formatDuration(left)
	}
	return line
}

func (s *status) percent() string {
	return formatPercent(s.have, s.total) + " " + formatOf(s.have, s.total)
}

func (s *status) rates() string {
	return fmt.Sprintf("  down %s  up %s  peers %d/%d", formatRate(s.down), formatRate(s.up), s.connected, s.found)
}

func (s *status) eta() (time.Duration, bool) {
	if s.have >= s.total {
		return 0, false
	}
	return eta(s.total-s.have, s.down)
}

func (s *status) event() progressEvent {
	e := progressEvent{
		Torrent: s.hash, State: s.state, Have: s.have, Total: s.total, Down: s.down, Up: s.up,
		Downloaded: s.received, Uploaded: s.sent, Wasted: s.wasted, Connected: s.connected, Found: s.found,
	}
	if left, ok := s.eta(); ok {
		seconds := int64(left / time.Second)
		e.ETA = &seconds
	}
	return e
}

// A meter decides when progress is shown: at each update on a terminal and as
// events, elsewhere every ten seconds, every ten percent, and when the state
// changes.
type meter struct {
	c     *console
	start time.Time
	last  time.Time
	tenth int
	state string
	told  map[string]told // by info-hash
}

// told is what the last event said, and when.
type told struct {
	status status
	at     time.Time
}

const (
	// quietFor is how long nothing is shown: of work that is over by then, the
	// result says all.
	quietFor = time.Second
	// eventInterval is the pause between events, less what a look each second may
	// come too soon.
	eventInterval = 900 * time.Millisecond
	// lineInterval is the pause between lines where they are not redrawn, and
	// between events that say the same as the last.
	lineInterval = 10 * time.Second
	// seedInterval is that between lines when all torrents are complete: they
	// may stay so for months.
	seedInterval = time.Minute
)

func newMeter(c *console, now time.Time) *meter {
	return &meter{c: c, start: now, last: now, told: make(map[string]told)}
}

// update shows the state of all.
func (m *meter) update(now time.Time, all []status, nodes int) {
	if len(all) == 0 || now.Sub(m.start) < quietFor {
		return
	}
	for _, s := range all {
		last, before := m.told[s.hash]
		since := now.Sub(last.at)
		if !before || since >= lineInterval || s != last.status && since >= eventInterval {
			m.c.event("progress", s.event())
			m.told[s.hash] = told{s, now}
		}
	}
	if m.c.silent || !m.c.redraw && !m.due(now, all) {
		return
	}
	m.c.progress(statusLine(all, nodes, now.Sub(m.start)))
}

// due tells whether a line is due that will not be redrawn.
func (m *meter) due(now time.Time, all []status) bool {
	var have, total int64
	var states strings.Builder
	for _, s := range all {
		have, total = have+s.have, total+s.total
		states.WriteString(s.state + " ")
	}
	tenth := 0
	if total > 0 {
		tenth = int(float64(have) / float64(total) * 10)
	}
	interval := lineInterval
	if !slices.ContainsFunc(all, func(s status) bool { return s.state != stateSeeding }) {
		interval = seedInterval
	}
	changed := m.state != "" && states.String() != m.state
	due := changed || tenth > m.tenth || now.Sub(m.last) >= interval
	m.state = states.String()
	if due || tenth < m.tenth {
		m.tenth = tenth
	}
	if due {
		m.last = now
	}
	return due
}
