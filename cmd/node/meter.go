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
	connected int // peers and web seeds
	utp       int // of them, peers over uTP
	webSeeds  int // of them
	found     int
	fault     string
}

// The states whose lines have a form of their own. All others have that of a download.
const (
	stateHashing  = "hashing"
	stateMetadata = "metadata"
	stateChecking = "checking"
	stateSeeding  = "seeding"
	stateFaulty   = "faulty"
)

// statusLine returns the line for torrents: for the only one, or for the sum of several.
// dht is the state of the DHT, age the time since the start.
func statusLine(all []status, dht dhtView, age time.Duration) line {
	if len(all) == 1 {
		return all[0].line(dht, age)
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
	l := line{share: noBar}
	count := fmt.Sprintf("%d torrents, %d done", len(all), done)
	if waiting > 0 {
		count += fmt.Sprintf(", %d without metadata", waiting)
	}
	l.add(rankName, count)
	if waiting > 0 {
		l.addDHT(dht)
	}
	if sum.total > 0 {
		l.share = sum.share()
		l.parts = append(l.parts, part{text: formatPercent(sum.have, sum.total), rank: rankPercent,
			paint: bold})
		l.addTight(rankSize, formatOf(sum.have, sum.total), "")
	}
	l.addRates(&sum)
	if waiting == 0 {
		l.addETA(&sum)
		if done == len(all) {
			l.share = noBar
			l.addDHT(dht)
		}
	}
	return l
}

// The ranks of parts. Parts of a low rank go first where there is no room for all; the
// time to completion goes last.
const (
	rankDHT = iota
	rankUp
	rankPeers
	rankSize
	rankDown
	rankName
	rankPercent
	rankETA
)

// line returns the progress line of one torrent.
func (s *status) line(dht dhtView, age time.Duration) line {
	l := line{share: noBar}
	short := s.hash[:min(8, len(s.hash))]
	switch s.state {
	case stateHashing:
		l.add(rankName, "hashing")
		l.addShare(s)
		if s.down > 0 {
			l.add(rankDown, formatRate(s.down))
		}
		l.addETA(s)
	case stateMetadata:
		l.add(rankName, short)
		l.addTight(rankETA, "metadata", "")
		l.addDHT(dht)
		l.add(rankPercent, fmt.Sprintf("peers %d found, %d connected", s.found, s.connected))
		l.add(rankPeers, formatDuration(age))
	case stateChecking:
		l.add(rankName, short)
		l.addTight(rankDown, "checking", "")
		l.addShare(s)
	case stateSeeding:
		l.add(rankName, short)
		l.addTight(rankETA, "seeding", "")
		l.addTight(rankSize, formatBytes(s.total), "")
		l.add(rankPercent, "up "+formatRate(s.up))
		l.add(rankUp, "sent "+formatBytes(s.sent))
		l.add(rankPeers, fmt.Sprintf("peers %d/%d", s.connected, s.found))
		l.addDHT(dht)
	case stateFaulty:
		l.add(rankName, short)
		l.addShare(s)
		l.parts = append(l.parts, part{text: "disk: " + s.fault + ", retrying", rank: rankETA,
			paint: red})
	default:
		l.add(rankName, short)
		l.addShare(s)
		l.addRates(s)
		l.addETA(s)
	}
	return l
}

// addShare adds how much is done.
func (l *line) addShare(s *status) {
	l.share = s.share()
	l.addTight(rankPercent, formatPercent(s.have, s.total), bold)
	l.addTight(rankSize, formatOf(s.have, s.total), "")
}

func (l *line) addRates(s *status) {
	l.add(rankDown, "down "+formatRate(s.down))
	l.add(rankUp, "up "+formatRate(s.up))
	l.add(rankPeers, fmt.Sprintf("peers %d/%d", s.connected, s.found))
}

func (l *line) addETA(s *status) {
	if left, ok := s.eta(); ok {
		l.add(rankETA, "eta "+formatDuration(left))
	}
}

// addDHT adds the state of the DHT, if there is one.
func (l *line) addDHT(dht dhtView) {
	if text, p := dht.text(); text != "" {
		l.parts = append(l.parts, part{text: text, rank: rankDHT, paint: p})
	}
}

// share returns how much is done, from 0 to 1.
func (s *status) share() float64 { return float64(s.have) / float64(max(s.total, 1)) }

func (s *status) eta() (time.Duration, bool) {
	if s.have >= s.total {
		return 0, false
	}
	return eta(s.total-s.have, s.down)
}

func (s *status) event() progressEvent {
	e := progressEvent{
		Torrent: s.hash, State: s.state, Have: s.have, Total: s.total, Down: s.down, Up: s.up,
		Downloaded: s.received, Uploaded: s.sent, Wasted: s.wasted, Connected: s.connected,
		UTP: s.utp, WebSeeds: s.webSeeds, Found: s.found,
	}
	if left, ok := s.eta(); ok {
		seconds := int64(left / time.Second)
		e.ETA = &seconds
	}
	return e
}

// A meter decides when progress is shown. On a terminal and as events, that is at each
// update; elsewhere it is every ten seconds, every ten percent, and when the state
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
	// quietFor is how long nothing is shown at the start. Of work that is over by then,
	// the result says everything.
	quietFor = time.Second
	// eventInterval is the time between events. It is less than a second, because a check
	// may come a little early.
	eventInterval = 900 * time.Millisecond
	// lineInterval is the time between lines where they are not redrawn, and between
	// events that repeat the last one.
	lineInterval = 10 * time.Second
	// seedInterval is the time between lines when all torrents are complete, which they
	// may be for months.
	seedInterval = time.Minute
)

func newMeter(c *console, now time.Time) *meter {
	return &meter{c: c, start: now, last: now, told: make(map[string]told)}
}

// update shows the state of all torrents.
func (m *meter) update(now time.Time, all []status, dht dhtView) {
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
	m.c.progress(statusLine(all, dht, now.Sub(m.start)))
}

// due reports whether it is time for a line that will not be redrawn.
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
