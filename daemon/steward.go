package daemon

// A steward decides which torrents run. It lets every torrent run that its user wants to.
type steward struct{ d *Daemon }

// look decides about one torrent, after something about it has changed.
func (s *steward) look(t *Torrent) {
	if t.Options().Stopped {
		t.rest("")
		return
	}
	t.wake()
}

// start decides about all torrents.
func (s *steward) start() {
	for _, t := range s.d.order.all() {
		s.look(t)
	}
}
