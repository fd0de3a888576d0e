package transmission

import (
	"strconv"
	"time"

	"swarmnode/daemon"
)

const (
	// speedUnit is how many bytes the unit of speed limits has.
	speedUnit = 1000
	// limitDefault is the number of a speed limit that nobody has set, ratioDefault that of a
	// ratio, and idleDefault that of the minutes without traffic: those of Transmission.
	limitDefault = 100
	ratioDefault = 2
	idleDefault  = 30
	// notePrefix begins the names of our notes.
	notePrefix = "transmission."
)

// optionFields are what the user has set for a torrent.
var optionFields = []field{
	f("downloadDir", "download_dir", needOptions, func(w *writer, v *view) {
		w.text(v.options.Dir)
	}),
	f("labels", "labels", needOptions, func(w *writer, v *view) { w.texts(v.options.Labels) }),
	f("group", "group", needOptions, func(w *writer, v *view) { w.text(v.options.Group) }),
	f("bandwidthPriority", "bandwidth_priority", needOptions, func(w *writer, v *view) {
		w.int(int64(v.options.Rank))
	}),
	f("honorsSessionLimits", "honors_session_limits", needOptions, func(w *writer, v *view) {
		w.bool(!v.options.Alone)
	}),
	f("downloadLimit", "download_limit", needOptions, func(w *writer, v *view) {
		w.int(speedOf(v.options.Down, v.note("download_limit")))
	}),
	f("downloadLimited", "download_limited", needOptions, func(w *writer, v *view) {
		w.bool(v.options.Down > 0)
	}),
	f("uploadLimit", "upload_limit", needOptions, func(w *writer, v *view) {
		w.int(speedOf(v.options.Up, v.note("upload_limit")))
	}),
	f("uploadLimited", "upload_limited", needOptions, func(w *writer, v *view) {
		w.bool(v.options.Up > 0)
	}),
	f("peer-limit", "peer_limit", needOptions, func(w *writer, v *view) { w.int(peersMax(v)) }),
	f("maxConnectedPeers", "max_connected_peers", needOptions, func(w *writer, v *view) {
		w.int(peersMax(v))
	}),
	f("seedRatioMode", "seed_ratio_mode", needOptions, func(w *writer, v *view) {
		w.int(int64(v.options.Ratio.Mode))
	}),
	f("seedRatioLimit", "seed_ratio_limit", needOptions, func(w *writer, v *view) {
		if v.options.Ratio.Mode == daemon.GoalOwn {
			w.float(v.options.Ratio.At)
			return
		}
		w.float(noted(v.note("seed_ratio_limit"), ratioDefault))
	}),
	f("seedIdleMode", "seed_idle_mode", needOptions, func(w *writer, v *view) {
		w.int(int64(v.options.Idle.Mode))
	}),
	f("seedIdleLimit", "seed_idle_limit", needOptions, func(w *writer, v *view) {
		if v.options.Idle.Mode == daemon.GoalOwn {
			w.int(int64(v.options.Idle.At / time.Minute))
			return
		}
		w.int(int64(noted(v.note("seed_idle_limit"), idleDefault)))
	}),
	f("sequential_download", "sequential_download", needOptions, func(w *writer, v *view) {
		w.bool(v.options.Sequential)
	}),
	f("sequential_download_from_piece", "sequential_download_from_piece", needOptions,
		func(w *writer, v *view) {
			w.int(int64(noted(v.note("sequential_download_from_piece"), 0)))
		}),
	f("editDate", "edit_date", needOptions, func(w *writer, v *view) {
		w.int(int64(noted(v.note("edit_date"), 0)))
	}),
	// Nobody can ask trackers more often than they allow, so there is no such time.
	f("manualAnnounceTime", "manual_announce_time", 0, func(w *writer, _ *view) { w.int(0) }),
}

// speedOf returns a limit in kB/s: the one in force, or that of the note, or the default.
func speedOf(limit int64, note string) int64 {
	if limit > 0 {
		return limit / speedUnit
	}
	return int64(noted(note, limitDefault))
}

// noted returns the number in a note, or another one if there is none.
func noted(note string, otherwise float64) float64 {
	if n, err := strconv.ParseFloat(note, 64); err == nil {
		return n
	}
	return otherwise
}

// peersMax returns how many connections the torrent may have.
func peersMax(v *view) int64 {
	switch {
	case v.options.Peers > 0:
		return int64(v.options.Peers)
	case v.all.TorrentPeers > 0:
		return int64(v.all.TorrentPeers)
	}
	return torrentPeersDefault
}
