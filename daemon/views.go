package daemon

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
	"weak"

	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// Metainfo returns the torrent as a .torrent file describes it, with the trackers and web seeds
// of Options, or ErrNoInfo.
func (t *Torrent) Metainfo(ctx context.Context) (*metainfo.Torrent, error) {
	t.mu.Lock()
	known, fresh, removed := t.rec.Shown.HaveInfo, t.saved.info, t.drive.removed
	options, parsed := t.rec.Options, t.saved.parsed
	t.mu.Unlock()
	switch {
	case removed:
		return nil, ErrRemoved
	case !known:
		return nil, ErrNoInfo
	}
	if fresh == nil {
		fresh = parsed.Value()
	}
	if fresh == nil {
		var err error
		fresh, err = t.daemon.records.readTorrent(t.hash)
		if err != nil && t.isRemoved() { // and its file with it
			err = ErrRemoved
		}
		if err != nil {
			return nil, err
		}
		t.mu.Lock()
		if t.saved.info == nil && t.saved.parsed == parsed { // else the file may be another one
			t.saved.parsed = weak.Make(fresh)
		}
		t.mu.Unlock()
	}
	torrent := new(metainfo.Torrent)
	*torrent = *fresh
	torrent.Trackers = cloneTiers(fresh.Trackers)
	torrent.WebSeeds = slices.Clone(fresh.WebSeeds)
	if options.Trackers != nil {
		torrent.Trackers = cloneTiers(options.Trackers)
	}
	if options.WebSeeds != nil {
		torrent.WebSeeds = slices.Clone(options.WebSeeds)
	}
	return torrent, nil
}

// Layout returns the files of the torrent, or ErrNoInfo. That of an open torrent is at hand.
func (t *Torrent) Layout(ctx context.Context) (*metainfo.Layout, error) {
	t.mu.Lock()
	run := t.run
	t.mu.Unlock()
	if run != nil {
		if info := run.Info(); info != nil {
			return info.Layout(), nil
		}
	}
	torrent, err := t.Metainfo(ctx)
	if err != nil {
		return nil, err
	}
	return torrent.Info().Layout(), nil
}

// Magnet returns the magnet link, with trackers and web seeds.
func (t *Torrent) Magnet() metainfo.Magnet {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.linkNow(t.trackerTiers(), t.webSeedURLs())
}

// trackerTiers returns the trackers of the torrent by tiers. t.mu is held.
func (t *Torrent) trackerTiers() [][]string {
	if t.rec.Options.Trackers != nil {
		return t.rec.Options.Trackers
	}
	return t.rec.Trackers
}

// webSeedURLs returns the web seeds of the torrent. t.mu is held.
func (t *Torrent) webSeedURLs() []string {
	if t.rec.Options.WebSeeds != nil {
		return t.rec.Options.WebSeeds
	}
	return t.rec.WebSeeds
}

// TrackerTiers returns the trackers, those that may be alternatives to each other together
// (BEP 12). Nobody may change the lists.
func (t *Torrent) TrackerTiers() [][]string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.trackerTiers()
}

// Tracker returns the host of the first tracker, in lower case; "" without any.
func (t *Torrent) Tracker() string {
	t.mu.Lock()
	tiers := t.trackerTiers()
	t.mu.Unlock()
	for _, tier := range tiers {
		for _, text := range tier {
			if at, err := url.Parse(text); err == nil && at.Hostname() != "" {
				return strings.ToLower(at.Hostname())
			}
		}
	}
	return ""
}

// Files returns the state of each file of the layout, padding included. A torrent that rests is
// opened for that, unless it has all or nothing of its content: then no paths are known, and the
// files have the names that they have in the torrent. The error is ErrNoInfo before the metadata
// is known.
func (t *Torrent) Files(ctx context.Context) ([]swarm.FileState, error) {
	if files := t.filesAtRest(ctx); files != nil {
		return files, nil
	}
	run, err := t.openKnown(ctx)
	if err != nil {
		return nil, err
	}
	return run.Files(), nil
}

// filesAtRest returns the state of the files of a torrent that is not open; nil if only the
// engine knows it.
func (t *Torrent) filesAtRest(ctx context.Context) []swarm.FileState {
	t.mu.Lock()
	r, rests := &t.rec, t.run == nil && !t.drive.removed
	s := &r.Shown
	whole, none := s.PiecesHave == s.Pieces, s.PiecesHave == 0 && s.Have == 0
	plain := s.HaveInfo && s.Pieces > 0 && (whole || none) && !r.Renamed
	chosen := r.Options.Files
	t.mu.Unlock()
	if !rests || !plain {
		return nil
	}
	torrent, err := t.Metainfo(ctx)
	if err != nil || torrent.Info().Layout().NamesVary() { // they may have others on disk
		return nil
	}
	l := torrent.Info().Layout()
	files, ranks := make([]swarm.FileState, len(l.Files)), prioritiesFor(l, chosen, nil)
	for i := range files {
		f := &l.Files[i]
		files[i] = swarm.FileState{Size: f.Length, Priority: ranks[i], Pad: f.Pad}
		if whole {
			files[i].Have = f.Length
		}
	}
	return files
}

// Peers, Pieces, Trackers and WebSeeds are those of swarm.Torrent; of a torrent that rests
// there are none, except for the URLs of trackers and web seeds.
func (t *Torrent) Peers() []swarm.PeerState {
	if run := t.opened(); run != nil {
		return run.Peers()
	}
	return nil
}

// Pieces describes the pieces.
func (t *Torrent) Pieces() swarm.PiecesState {
	if run := t.opened(); run != nil {
		return run.Pieces()
	}
	return swarm.PiecesState{}
}

// Trackers describes the trackers.
func (t *Torrent) Trackers() []swarm.TrackerState {
	if run := t.opened(); run != nil {
		return run.Trackers()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []swarm.TrackerState
	user := t.rec.Options.Trackers != nil
	for i, tier := range t.trackerTiers() {
		for _, url := range tier {
			list = append(list, swarm.TrackerState{URL: url, Tier: i, User: user,
				Seeds: -1, Leeches: -1, Downloaded: -1})
		}
	}
	return list
}

// WebSeeds describes the web seeds.
func (t *Torrent) WebSeeds() []swarm.WebSeedState {
	if run := t.opened(); run != nil {
		return run.WebSeeds()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []swarm.WebSeedState
	for _, url := range t.webSeedURLs() {
		list = append(list, swarm.WebSeedState{URL: url, User: t.rec.Options.WebSeeds != nil})
	}
	return list
}

// AddPeer names another peer to try, an address with a port. A torrent that rests tries it once
// it runs.
func (t *Torrent) AddPeer(ctx context.Context, hostPort string) error {
	addr, err := netip.ParseAddrPort(hostPort)
	if err != nil || addr.Port() == 0 {
		return &OptionError{"peer", fmt.Errorf("%q is not ADDRESS:PORT", hostPort)}
	}
	t.mu.Lock()
	run, removed := t.run, t.drive.removed
	if run == nil && !removed && len(t.rec.Peers) < metainfo.PeersMax &&
		!slices.Contains(t.rec.Peers, hostPort) {
		t.rec.Peers = append(slices.Clone(t.rec.Peers), hostPort)
		t.edited(settingsLate)
	}
	t.mu.Unlock()
	switch {
	case removed:
		return ErrRemoved
	case run != nil:
		run.AddPeer(addr)
	}
	return nil
}

// use counts those who need the torrent to be open.
func (t *Torrent) use(more int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drive.users += more
	t.drive.touched = time.Now()
	t.drive.used = t.drive.touched
}

// Reader reads a file of the torrent, whose content is fetched as it is read while the torrent
// runs. The torrent stays open as long as the context is.
func (t *Torrent) Reader(ctx context.Context, file int) (*swarm.Reader, error) {
	run, err := t.openKnown(ctx)
	if err != nil {
		return nil, err
	}
	t.use(1)
	context.AfterFunc(ctx, func() { t.use(-1) })
	return run.Reader(ctx, file)
}
