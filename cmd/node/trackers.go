package main

import (
	"cmp"
	"strconv"
	"time"

	"swarmnode/daemon/api"
)

func trackersCommand() *command {
	return viewCommand(command{
		name:  "trackers",
		short: "list the trackers of torrents of the daemon, and what they said",
		examples: []example{
			{"node trackers 3", "those of one torrent"},
		},
	}, showTrackers, nil)
}

// announced: a tracker of a torrent.
type announcedEvent struct {
	Torrent string `json:"torrent"`
	api.Tracker
}

func showTrackers(v *view) error {
	trackers, err := v.d.Trackers(v.ctx, v.t.ID)
	if err != nil {
		return err
	}
	for _, tr := range trackers {
		v.c.event("announced", announcedEvent{v.t.Hash, tr})
	}
	if v.c.json {
		return nil
	}
	if len(trackers) == 0 {
		v.nothing("no trackers")
		return nil
	}
	v.begin()
	v.c.table(trackerTable(trackers, time.Now()))
	return nil
}

// trackerTable returns a table of trackers.
func trackerTable(trackers []api.Tracker, now time.Time) *table {
	t := &table{columns: []column{{head: "Tier", right: true}, {head: "Status"},
		{head: "Seeds", right: true}, {head: "Leeches", right: true}, {head: "Next", right: true},
		{head: "Tracker", soft: true}, {head: "Message", soft: true}}}
	for i := range trackers {
		tr := &trackers[i]
		next := "-"
		if tr.NextAnnounce != nil && tr.NextAnnounce.After(now) {
			next = formatDuration(tr.NextAnnounce.Sub(now))
		}
		t.add(strconv.Itoa(tr.Tier+1), tr.Status, count(tr.Seeds), count(tr.Leeches), next, tr.URL,
			cmp.Or(tr.Error, tr.Message))
	}
	return t
}

// count writes a number that may be unknown.
func count(n *int) string {
	if n == nil {
		return "-"
	}
	return strconv.Itoa(*n)
}
