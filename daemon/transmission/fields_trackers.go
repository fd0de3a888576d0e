package transmission

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"swarmnode/swarm"
)

// trackerFields are about the trackers of a torrent.
var trackerFields = []field{
	f("trackers", "trackers", needTrackers, func(w *writer, v *view) {
		w.open('[')
		for i := range v.trackers {
			object(w, trackerMembers, &trackerView{v.trackers, i, &v.trackers[i]})
		}
		w.shut(']')
	}),
	f("trackerStats", "tracker_stats", needTrackers, func(w *writer, v *view) {
		w.open('[')
		for i := range v.trackers {
			object(w, trackerStatMembers, &trackerView{v.trackers, i, &v.trackers[i]})
		}
		w.shut(']')
	}),
	f("trackerList", "tracker_list", needTrackers, func(w *writer, v *view) {
		w.text(trackerList(tiersOf(v.trackers)))
	}),
}

// A trackerView is one tracker of a torrent. Its id is its place.
type trackerView struct {
	list []swarm.TrackerState
	i    int
	t    *swarm.TrackerState // list[i]
}

// The states of announces and scrapes.
const (
	announceInactive = 0
	announceWaiting  = 1
	announceActive   = 3
)

// trackerMembers describe a tracker.
var trackerMembers = []member[trackerView]{
	m("announce", "announce", func(w *writer, v *trackerView) { w.text(v.t.URL) }),
	m("id", "id", func(w *writer, v *trackerView) { w.int(int64(v.i)) }),
	m("scrape", "scrape", func(w *writer, v *trackerView) { w.text(scrapeURL(v.t.URL)) }),
	m("sitename", "sitename", func(w *writer, v *trackerView) { w.text(siteName(v.t.URL)) }),
	m("tier", "tier", func(w *writer, v *trackerView) { w.int(int64(v.t.Tier)) }),
}

// trackerStatMembers describe a tracker and what it has said. Trackers say how large a swarm
// is when they are announced to, so the last announce counts as a scrape.
var trackerStatMembers = append(append([]member[trackerView]{}, trackerMembers...),
	m("announceState", "announce_state", func(w *writer, v *trackerView) {
		w.int(announceState(v))
	}),
	m("downloadCount", "download_count", func(w *writer, v *trackerView) {
		w.int(int64(v.t.Downloaded))
	}),
	m("downloader_count", "downloader_count", func(w *writer, v *trackerView) { w.int(-1) }),
	m("hasAnnounced", "has_announced", func(w *writer, v *trackerView) {
		w.bool(!v.t.LastAnnounce.IsZero())
	}),
	m("hasScraped", "has_scraped", func(w *writer, v *trackerView) { w.bool(hasCounts(v)) }),
	m("host", "host", func(w *writer, v *trackerView) { w.text(hostOf(v.t.URL)) }),
	m("isBackup", "is_backup", func(w *writer, v *trackerView) { w.bool(isBackup(v)) }),
	m("lastAnnouncePeerCount", "last_announce_peer_count", func(w *writer, v *trackerView) {
		w.int(v.t.Peers)
	}),
	m("lastAnnounceResult", "last_announce_result", func(w *writer, v *trackerView) {
		w.text(announceResult(v))
	}),
	m("lastAnnounceStartTime", "last_announce_start_time", func(w *writer, v *trackerView) {
		w.time(v.t.LastAnnounce)
	}),
	m("lastAnnounceSucceeded", "last_announce_succeeded", func(w *writer, v *trackerView) {
		w.bool(succeeded(v))
	}),
	m("lastAnnounceTime", "last_announce_time", func(w *writer, v *trackerView) {
		w.time(v.t.LastAnnounce)
	}),
	m("lastAnnounceTimedOut", "last_announce_timed_out", func(w *writer, v *trackerView) {
		w.bool(timedOut(v.t.Err))
	}),
	m("lastScrapeResult", "last_scrape_result", func(w *writer, v *trackerView) { w.text("") }),
	m("lastScrapeStartTime", "last_scrape_start_time", func(w *writer, v *trackerView) {
		w.int(0)
	}),
	m("lastScrapeSucceeded", "last_scrape_succeeded", func(w *writer, v *trackerView) {
		w.bool(hasCounts(v))
	}),
	m("lastScrapeTime", "last_scrape_time", func(w *writer, v *trackerView) {
		if !hasCounts(v) {
			w.int(0)
			return
		}
		w.time(v.t.LastAnnounce)
	}),
	m("lastScrapeTimedOut", "last_scrape_timed_out", func(w *writer, v *trackerView) {
		w.bool(false)
	}),
	m("leecherCount", "leecher_count", func(w *writer, v *trackerView) {
		w.int(int64(v.t.Leeches))
	}),
	m("nextAnnounceTime", "next_announce_time", func(w *writer, v *trackerView) {
		w.time(v.t.NextAnnounce)
	}),
	m("nextScrapeTime", "next_scrape_time", func(w *writer, v *trackerView) { w.int(0) }),
	m("scrapeState", "scrape_state", func(w *writer, v *trackerView) {
		w.int(announceInactive)
	}),
	m("seederCount", "seeder_count", func(w *writer, v *trackerView) { w.int(int64(v.t.Seeds)) }),
)

func announceState(v *trackerView) int64 {
	switch {
	case v.t.Status == swarm.TrackerAnnouncing:
		return announceActive
	case !v.t.NextAnnounce.IsZero():
		return announceWaiting
	}
	return announceInactive
}

// hasCounts reports whether the tracker has said how large the swarm is.
func hasCounts(v *trackerView) bool {
	return v.t.Seeds >= 0 || v.t.Leeches >= 0 || v.t.Downloaded >= 0
}

// succeeded reports whether the last announce was answered, as far as it has ended.
func succeeded(v *trackerView) bool { return !v.t.LastAnnounce.IsZero() && v.t.Err == nil }

// announceResult returns what became of the last announce, for users.
func announceResult(v *trackerView) string {
	switch {
	case v.t.LastAnnounce.IsZero():
		return ""
	case v.t.Message != "":
		return v.t.Message
	case v.t.Err != nil:
		return v.t.Err.Error()
	}
	return "Success"
}

// timedOut reports whether an error says that nothing came in time.
func timedOut(err error) bool {
	if err == nil {
		return false
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		return true
	}
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

// isBackup reports whether another tracker of the same tier is asked in place of this one.
func isBackup(v *trackerView) bool {
	if v.t.Status != swarm.TrackerNotAsked {
		return false
	}
	for i := range v.list {
		if t := &v.list[i]; t.Tier == v.t.Tier && i != v.i &&
			(t.Status != swarm.TrackerNotAsked || i < v.i) {
			return true
		}
	}
	return false
}

// tiersOf returns the announce URLs of trackers by their tiers.
func tiersOf(list []swarm.TrackerState) (tiers [][]string) {
	last := -1
	for i := range list {
		if tier := list[i].Tier; tier != last || tiers == nil {
			tiers = append(tiers, nil)
			last = tier
		}
		tiers[len(tiers)-1] = append(tiers[len(tiers)-1], list[i].URL)
	}
	return tiers
}

// trackerList returns tiers as text: one URL a line, and a blank line between two tiers.
func trackerList(tiers [][]string) string {
	var b strings.Builder
	for i, tier := range tiers {
		if i > 0 {
			b.WriteByte('\n')
		}
		for _, u := range tier {
			b.WriteString(u)
			b.WriteByte('\n')
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// scrapeURL returns where a tracker is asked how large a swarm is, by the convention of its
// announce URL; "" if it follows none.
func scrapeURL(announce string) string {
	if strings.HasPrefix(announce, "udp:") {
		return announce
	}
	i := strings.LastIndexByte(announce, '/')
	if i < 0 || !strings.HasPrefix(announce[i+1:], "announce") {
		return ""
	}
	return announce[:i+1] + "scrape" + announce[i+1+len("announce"):]
}

// hostOf returns the host and the port of a tracker.
func hostOf(announce string) string {
	u, err := url.Parse(announce)
	if err != nil || u.Hostname() == "" {
		return ""
	}
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// siteName returns the part of a tracker's host that users know it by: "example" of
// tracker.example.org.
func siteName(announce string) string {
	u, err := url.Parse(announce)
	if err != nil {
		return ""
	}
	host := strings.TrimSuffix(u.Hostname(), ".")
	if _, err := netip.ParseAddr(host); err == nil {
		return host
	}
	labels := strings.Split(host, ".")
	if len(labels) < 2 {
		return host
	}
	// The second level of names such as example.co.uk is no name of anybody.
	site := labels[len(labels)-2]
	if len(labels) > 2 && len(site) <= 3 && len(labels[len(labels)-1]) == 2 {
		site = labels[len(labels)-3]
	}
	return site
}
