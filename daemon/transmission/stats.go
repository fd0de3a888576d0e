package transmission

import (
	"time"

	"swarmnode/daemon"
)

// sessionStats answers with what all torrents have done together.
func sessionStats(c *call) error {
	var running, stopped, down, up int64
	for _, t := range c.h.daemon.Torrents() {
		s := t.State()
		if s.Status == daemon.Stopped {
			stopped++
		} else {
			running++
		}
		down += s.DownRate
		up += s.UpRate
	}
	w := c.out
	number := func(legacyName, modernName string, n int64) {
		w.name(legacyName, modernName)
		w.int(n)
	}
	number("activeTorrentCount", "active_torrent_count", running)
	number("pausedTorrentCount", "paused_torrent_count", stopped)
	number("torrentCount", "torrent_count", running+stopped)
	number("downloadSpeed", "download_speed", down)
	number("uploadSpeed", "upload_speed", up)
	run, all := c.h.daemon.Stats()
	for _, part := range []struct {
		names names
		stats daemon.Stats
	}{
		{names{"cumulative-stats", "cumulative_stats"}, all},
		{names{"current-stats", "current_stats"}, run},
	} {
		w.key(part.names[w.d])
		w.open('{')
		number("downloadedBytes", "downloaded_bytes", part.stats.Down)
		number("uploadedBytes", "uploaded_bytes", part.stats.Up)
		number("filesAdded", "files_added", part.stats.Added)
		number("secondsActive", "seconds_active", int64(part.stats.Active/time.Second))
		number("sessionCount", "session_count", part.stats.Sessions)
		w.shut('}')
	}
	return nil
}
