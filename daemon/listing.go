package daemon

import (
	"cmp"
	"slices"
)

// A listing has torrents in the order of their IDs.
type listing []*Torrent

// find returns where the torrent with an ID is, or where it would be.
func (l listing) find(id ID) (i int, found bool) {
	return slices.BinarySearchFunc(l, id, func(t *Torrent, id ID) int {
		return cmp.Compare(t.id, id)
	})
}

// get returns the torrent with an ID, or nil.
func (l listing) get(id ID) *Torrent {
	if i, found := l.find(id); found {
		return l[i]
	}
	return nil
}

// put adds a torrent. Most have a higher ID than all others.
func (l *listing) put(t *Torrent) {
	if i, found := l.find(t.id); !found {
		*l = slices.Insert(*l, i, t)
	}
}

// drop removes the torrent with an ID.
func (l *listing) drop(id ID) {
	if i, found := l.find(id); found {
		*l = slices.Delete(*l, i, i+1)
	}
}
