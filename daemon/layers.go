package daemon

import "swarmnode/metainfo"

// bareOf returns a torrent if piece layers are missing from it, as long as peers have not told
// them: a link gives the info dictionary alone (BEP 52).
func bareOf(torrent *metainfo.Torrent) *metainfo.Torrent {
	if torrent.Info().Layout().HashesKnown() {
		return nil
	}
	return torrent
}

// lacksLayers takes note of a torrent that is about to be opened, and whose file may lack piece
// layers.
func (t *Torrent) lacksLayers(torrent *metainfo.Torrent) {
	bare := bareOf(torrent)
	t.mu.Lock()
	t.drive.bare = bare
	t.mu.Unlock()
}

// takeLayers writes the metadata again once peers have told all piece layers. Without them the
// next run could not check the content before it has found peers. t.mu is held.
func (t *Torrent) takeLayers() {
	bare := t.drive.bare
	if bare == nil || bareOf(bare) != nil {
		return
	}
	whole := *bare // another one than the saver may be writing just now
	t.saved.info, t.drive.bare = &whole, nil
	t.edited(settingsLate)
}
