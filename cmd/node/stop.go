package main

import (
	"fmt"
	"time"
)

// stopShown is how many torrents are described when a signal ends a command. For more
// there is no time.
const stopShown = 100

// tellStop prints how far the torrents were when a signal ended the command, and that the
// same command continues.
func (w *watch) tellStop() {
	var all []status
	if len(w.torrents) <= stopShown {
		all = w.statuses()
	}
	for _, s := range all {
		w.s.c.event("progress", s.event())
	}
	w.s.c.note("%s", stopLine(all, len(w.torrents), time.Since(w.s.started)))
}

// stopLine returns the last line for torrents that a signal stopped; all may lack those
// that could not be described.
func stopLine(all []status, torrents int, age time.Duration) string {
	switch len(all) {
	case 0:
		return plural(torrents, "torrent") + " stopped; the same command continues"
	case 1:
		return all[0].stopLine(age)
	}
	var have, total int64
	done := 0
	for _, s := range all {
		if s.state == stateMetadata {
			continue
		}
		have, total = have+s.have, total+s.total
		if s.state == stateSeeding {
			done++
		}
	}
	return fmt.Sprintf("%d torrents stopped, %d done, at %s, %s; the same command continues "+
		"from there",
		len(all), done, formatPercent(have, total), formatOf(have, total))
}

func (s *status) stopLine(age time.Duration) string {
	short := s.hash[:min(8, len(s.hash))]
	switch s.state {
	case stateMetadata:
		return fmt.Sprintf("%s stopped without its metadata, after %s; the same command continues",
			short, formatDuration(age))
	case stateChecking:
		return fmt.Sprintf("%s stopped while checking what is there, at %s; the same command "+
			"checks again",
			short, formatPercent(s.have, s.total))
	case stateSeeding:
		return fmt.Sprintf("%s stopped seeding, %s sent; the same command continues", short,
			formatBytes(s.sent))
	}
	return fmt.Sprintf("%s stopped at %s, %s; the same command continues from there",
		short, formatPercent(s.have, s.total), formatOf(s.have, s.total))
}
