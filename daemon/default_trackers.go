package daemon

import (
	"errors"
	"slices"

	"swarmnode/swarm"
)

// withDefaults returns the tiers of a torrent and, unless it is private or its metadata is not
// known yet, the default trackers that it lacks, each as a tier of its own. They are no part of
// the torrent: neither its record nor its links have them.
func withDefaults(tiers [][]string, public bool, defaults []string) [][]string {
	if !public || len(defaults) == 0 {
		return tiers
	}
	has := make(map[string]bool)
	for _, tier := range tiers {
		for _, url := range tier {
			has[url] = true
		}
	}
	tiers = slices.Clip(tiers)
	for _, url := range defaults {
		if !has[url] && len(has) < swarm.TrackersMax {
			has[url] = true
			tiers = append(tiers, []string{url})
		}
	}
	return tiers
}

// announceTo makes an open torrent use its trackers, those of the user in place of its own, and
// the default trackers. Trackers that the torrent itself names stay those of a stranger.
func (t *Torrent) announceTo(run *swarm.Torrent) error {
	defaults := t.daemon.Settings().Trackers
	t.mu.Lock()
	k := &t.rec.Shown
	tiers := withDefaults(t.trackerTiers(), k.HaveInfo && !k.Private, defaults)
	t.mu.Unlock()
	err := run.SetTrackers(tiers)
	if errors.Is(err, swarm.ErrStopped) || errors.Is(err, swarm.ErrPeersOnly) {
		return nil
	}
	return err
}

// announceAll makes all open torrents use new default trackers.
func (d *Daemon) announceAll() {
	for _, t := range d.Torrents() {
		if run := t.opened(); run != nil && d.ctx.Err() == nil {
			if err := t.announceTo(run); err != nil {
				d.log.Warn("the default trackers cannot be used", "torrent", t.hash.Short(),
					"err", err)
			}
		}
	}
}
