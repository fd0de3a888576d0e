package storage

// Symbolic links in content are followed for reading, within the folder that the
// content lies in, as they were when the torrent was made, by this program or by others.
// Nothing is written where a link leads.

// writesThroughLink fails if something would have to be written where a symbolic
// link leads to.
func (c *check) writesThroughLink() error {
	s := c.s
	if s.place.isReadOnly() {
		return nil
	}
	if linked := s.names.link(); linked != "" && !c.hasAllOf(0, s.layout.Pieces()) {
		return &Error{"open", linked, ErrLink}
	}
	for _, i := range c.links {
		first, end := s.layout.FilePieces(i)
		if s.wanted.file(i) && !c.hasAllOf(first, end) {
			return &Error{"open", s.files.path(i), ErrLink}
		}
	}
	return nil
}

// hasAllOf reports whether all wanted pieces from first up to end are sound.
func (c *check) hasAllOf(first, end int) bool {
	for p := c.have.NextMissing(first); p >= 0 && p < end; p = c.have.NextMissing(p + 1) {
		if c.s.wanted.piece(p) {
			return false
		}
	}
	return true
}
