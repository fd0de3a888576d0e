package core

import "maps"

// Same reports whether s and o say the same.
func (s *Snapshot) Same(o *Snapshot) bool {
	return s.State == o.State && s.Paused == o.Paused && sameError(s.Err, o.Err) &&
		s.samePieces(o) && s.samePeers(o) &&
		s.Down == o.Down && s.Up == o.Up && s.DownRate == o.DownRate && s.UpRate == o.UpRate &&
		maps.Equal(s.Waste, o.Waste) && maps.Equal(s.Drops, o.Drops)
}

// samePieces is Same for what concerns pieces and metadata.
func (s *Snapshot) samePieces(o *Snapshot) bool {
	return s.MetadataSize == o.MetadataSize && s.MetadataHave == o.MetadataHave &&
		s.Pieces == o.Pieces && s.PiecesHave == o.PiecesHave &&
		s.PiecesWanted == o.PiecesWanted && s.Length == o.Length && s.Have == o.Have &&
		s.Left == o.Left && s.Wanted == o.Wanted && s.Got == o.Got && s.Asked == o.Asked
}

// samePeers is Same for what concerns peers.
func (s *Snapshot) samePeers(o *Snapshot) bool {
	return s.PeersKnown == o.PeersKnown && s.PeersMet == o.PeersMet &&
		s.PeersDialling == o.PeersDialling && s.PeersConnected == o.PeersConnected &&
		s.SeedsConnected == o.SeedsConnected && s.PeersUnchoked == o.PeersUnchoked &&
		s.PeersServing == o.PeersServing && s.PeersHere == o.PeersHere &&
		s.PeersUTP == o.PeersUTP && s.PeersUseful == o.PeersUseful &&
		s.PeersWithMetadata == o.PeersWithMetadata &&
		s.Unmet == o.Unmet && s.PeersForgotten == o.PeersForgotten
}

// sameError reports whether two errors say the same. Errors of some types cannot be
// compared by their values.
func sameError(a, b error) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return a.Error() == b.Error()
}
