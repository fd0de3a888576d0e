package transmission

import (
	"time"

	"swarmnode/daemon"
)

// fieldTables are all fields of torrents, by what they are about.
var fieldTables = [][]field{stateFields, optionFields, metainfoFields, fileFields, peerFields,
	trackerFields, formerFields}

const (
	// etaNone and etaUnknown stand for a time that there is none of, and for one that is not
	// known.
	etaNone    = -1
	etaUnknown = -2
	// ratioNone stands for the ratio of a torrent without content.
	ratioNone = -1
	// errorLocal says that errorString is about something on this machine.
	errorLocal = 3
)

// stateFields are what a torrent does and has done.
var stateFields = []field{
	f("id", "id", 0, func(w *writer, v *view) { w.int(int64(v.t.ID())) }),
	f("hashString", "hash_string", 0, func(w *writer, v *view) {
		hash := v.t.Hash()
		w.hex(hash[:])
	}),
	f("name", "name", 0, func(w *writer, v *view) { w.text(v.state.Name) }),
	f("status", "status", 0, func(w *writer, v *view) { w.int(int64(v.state.Status)) }),
	f("error", "error", 0, func(w *writer, v *view) {
		if v.state.Error != "" {
			w.int(errorLocal)
			return
		}
		w.int(0)
	}),
	f("errorString", "error_string", 0, func(w *writer, v *view) { w.text(v.state.Error) }),
	f("isFinished", "is_finished", 0, func(w *writer, v *view) { w.bool(v.state.Finished) }),
	f("isStalled", "is_stalled", 0, func(w *writer, v *view) { w.bool(v.state.Stalled) }),
	f("isPrivate", "is_private", 0, func(w *writer, v *view) { w.bool(v.state.Private) }),
	f("queuePosition", "queue_position", 0, func(w *writer, v *view) {
		w.int(int64(v.state.Queue))
	}),

	f("totalSize", "total_size", 0, func(w *writer, v *view) { w.int(v.state.Size) }),
	f("sizeWhenDone", "size_when_done", 0, func(w *writer, v *view) { w.int(v.state.Wanted) }),
	f("leftUntilDone", "left_until_done", 0, func(w *writer, v *view) { w.int(v.state.Left) }),
	f("haveValid", "have_valid", 0, func(w *writer, v *view) { w.int(v.state.Have) }),
	// Blocks of pieces that are not verified yet are not told: they may be wrong.
	f("haveUnchecked", "have_unchecked", 0, func(w *writer, v *view) { w.int(0) }),
	f("percentDone", "percent_done", 0, func(w *writer, v *view) {
		w.float(share(v.state.Wanted-v.state.Left, v.state.Wanted, v.state.HaveInfo))
	}),
	f("percentComplete", "percent_complete", 0, func(w *writer, v *view) {
		w.float(share(v.state.Have, v.state.Size, v.state.HaveInfo))
	}),
	f("metadataPercentComplete", "metadata_percent_complete", 0, func(w *writer, v *view) {
		if v.state.HaveInfo {
			w.int(1)
			return
		}
		w.float(share(int64(v.state.MetadataHave), int64(v.state.MetadataSize), false))
	}),
	f("recheckProgress", "recheck_progress", 0, func(w *writer, v *view) {
		w.float(share(v.state.Checked, v.state.CheckTotal, false))
	}),
	f("pieceCount", "piece_count", 0, func(w *writer, v *view) { w.int(int64(v.state.Pieces)) }),
	f("pieceSize", "piece_size", 0, func(w *writer, v *view) {
		w.int(int64(v.state.PieceLength))
	}),
	f("file-count", "file_count", 0, func(w *writer, v *view) { w.int(int64(v.state.Files)) }),

	f("rateDownload", "rate_download", 0, func(w *writer, v *view) { w.int(v.state.DownRate) }),
	f("rateUpload", "rate_upload", 0, func(w *writer, v *view) { w.int(v.state.UpRate) }),
	f("downloadedEver", "downloaded_ever", 0, func(w *writer, v *view) {
		w.int(max(0, v.state.Totals.Down-wasted(&v.state)))
	}),
	f("uploadedEver", "uploaded_ever", 0, func(w *writer, v *view) { w.int(v.state.Totals.Up) }),
	f("corruptEver", "corrupt_ever", 0, func(w *writer, v *view) {
		w.int(v.state.Totals.Waste["bad piece"])
	}),
	f("uploadRatio", "upload_ratio", 0, func(w *writer, v *view) {
		if v.state.Ratio < 0 {
			w.int(ratioNone)
			return
		}
		w.float(v.state.Ratio)
	}),
	f("eta", "eta", needOptions, func(w *writer, v *view) { w.int(eta(v)) }),
	f("etaIdle", "eta_idle", needOptions, func(w *writer, v *view) { w.int(etaIdle(v)) }),

	f("addedDate", "added_date", 0, func(w *writer, v *view) { w.time(v.state.Totals.Added) }),
	f("doneDate", "done_date", 0, func(w *writer, v *view) { w.time(v.state.Totals.Completed) }),
	f("activityDate", "activity_date", 0, func(w *writer, v *view) {
		w.time(v.state.Totals.LastActive)
	}),
	f("startDate", "start_date", 0, func(w *writer, v *view) { w.time(v.state.Started) }),
	f("secondsDownloading", "seconds_downloading", 0, func(w *writer, v *view) {
		w.int(int64((v.state.Totals.Active - v.state.Totals.Seeding) / time.Second))
	}),
	f("secondsSeeding", "seconds_seeding", 0, func(w *writer, v *view) {
		w.int(int64(v.state.Totals.Seeding / time.Second))
	}),
}

// share returns part/whole, and of nothing at all 1 if that is everything that there is.
func share(part, whole int64, everything bool) float64 {
	if whole <= 0 {
		if everything {
			return 1
		}
		return 0
	}
	return float64(part) / float64(whole)
}

// wasted returns the payload bytes of a torrent that were of no use.
func wasted(s *daemon.State) (n int64) {
	for _, bytes := range s.Totals.Waste {
		n += bytes
	}
	return n
}

// eta returns the seconds until the torrent is complete, or until it has given enough.
func eta(v *view) int64 {
	switch {
	case v.state.ETA >= 0 && v.state.Status != daemon.Stopped:
		return int64(v.state.ETA / time.Second)
	case v.state.Status == daemon.Downloading && v.state.HaveInfo:
		return etaUnknown
	case v.state.Status == daemon.Seeding && goalOf(v.options.Ratio, v.all.SeedRatio) > 0:
		return etaUnknown
	}
	return etaNone
}

// etaIdle returns the seconds after which a seed has been idle for long enough.
func etaIdle(v *view) int64 {
	goal := goalOf(v.options.Idle, v.all.SeedIdle)
	if v.state.Status != daemon.Seeding || goal == 0 {
		return etaNone
	}
	idleSince := v.state.Started
	if last := v.state.Totals.LastActive; last.After(idleSince) {
		idleSince = last
	}
	return int64(max(0, goal-v.now.Sub(idleSince)) / time.Second)
}

// formerFields are gone from Transmission. Version 3.00 answers them with zeros, and old
// clients still ask for them. Those about trackers have true numbers here.
var formerFields = []field{
	zero("announceResponse"), zero("announceUrl"), zero("announceURL"), zero("downloadLimitMode"),
	zero("uploadLimitMode"), zero("lastAnnounceTime"), zero("lastScrapeTime"),
	zero("nextAnnounceTime"), zero("nextScrapeTime"), zero("scrapeResponse"), zero("scrapeURL"),
	zero("swarmSpeed"),
	f("peersKnown", "peersKnown", 0, func(w *writer, v *view) {
		w.int(int64(v.state.Swarm.PeersKnown))
	}),
	f("seeders", "seeders", needTrackers, func(w *writer, v *view) { w.int(most(v).seeds) }),
	f("leechers", "leechers", needTrackers, func(w *writer, v *view) { w.int(most(v).leeches) }),
	f("downloaders", "downloaders", needTrackers, func(w *writer, v *view) {
		w.int(most(v).leeches)
	}),
	f("timesCompleted", "timesCompleted", needTrackers, func(w *writer, v *view) {
		w.int(most(v).completed)
	}),
}

func zero(name string) field { return f(name, name, 0, func(w *writer, _ *view) { w.int(0) }) }

// counts are what trackers say of a swarm.
type counts struct{ seeds, leeches, completed int64 }

// most returns the largest numbers that trackers say; -1 if none says any.
func most(v *view) counts {
	c := counts{-1, -1, -1}
	for i := range v.trackers {
		t := &v.trackers[i]
		c.seeds = max(c.seeds, int64(t.Seeds))
		c.leeches = max(c.leeches, int64(t.Leeches))
		c.completed = max(c.completed, int64(t.Downloaded))
	}
	return c
}
