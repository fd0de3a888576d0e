package storage

// isThere reports whether file i existed when it was last looked at.
func (l *ledger) isThere(i int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stamps[i].mtime != 0
}

// soilPiece counts the files of piece p as dirty, unless the piece is durable: its data was
// found, and nobody knows whether it was ever synced. mu is held.
func (l *ledger) soilPiece(p int) {
	if l.durable.Has(p) {
		return
	}
	for x := range l.layout.Spans(l.layout.PieceOffset(p), l.layout.PieceSize(p)) {
		if !l.layout.Files[x.File].Pad {
			l.soil(x.File)
		}
	}
}
