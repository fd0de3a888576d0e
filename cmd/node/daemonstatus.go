package main

import (
	"fmt"
	"strings"
	"sync"

	"swarmnode/daemon"
)

// A summary describes all torrents in a line. It looks at them only if one has changed since
// the last time. It is safe for concurrent use.
type summary struct {
	mu   sync.Mutex
	seq  uint64 // of the last change; 0 before the first time
	line string
}

// of returns the line about the torrents of d.
func (s *summary) of(d *daemon.Daemon) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if seq := d.Seq(); seq != s.seq {
		s.seq, s.line = seq, summaryOf(d.Torrents())
	}
	return s.line
}

// summaryOf describes torrents.
func summaryOf(torrents []*daemon.Torrent) string {
	var count [daemon.Seeding + 1]int
	var down, up int64
	peers, faults := 0, 0
	for _, t := range torrents {
		st := t.State()
		if int(st.Status) < len(count) {
			count[st.Status]++
		}
		down, up = down+st.DownRate, up+st.UpRate
		peers += st.Swarm.PeersConnected
		if st.Error != "" {
			faults++
		}
	}
	parts := []string{plural(len(torrents), "torrent")}
	for _, p := range []struct {
		n    int
		what string
	}{
		{count[daemon.Downloading], "downloading"}, {count[daemon.Seeding], "seeding"},
		{count[daemon.Checking] + count[daemon.CheckQueued], "checking"},
		{count[daemon.DownloadQueued] + count[daemon.SeedQueued], "queued"},
		{count[daemon.Stopped], "stopped"}, {faults, "with an error"},
	} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	return fmt.Sprintf("%s  down %s  up %s  %s", strings.Join(parts, ", "), formatRate(down),
		formatRate(up), plural(peers, "peer"))
}

// status describes the daemon in a line.
func (s *service) status() string {
	line := s.summary.of(s.d)
	if dht := s.d.Node().DHT(); dht.On() {
		st := dht.Stats()
		line += "  dht " + plural(st.Contacts[0]+st.Contacts[1], "node")
	}
	return line
}
