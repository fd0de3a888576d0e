package daemon

import (
	"sync"

	"swarmnode/daemon/queue"
)

// An order is the queue of all torrents: who comes before whom. It is safe for concurrent use,
// also while a Torrent.mu is held.
type order struct {
	mu      sync.Mutex
	ids     queue.Order[ID]
	torrent map[ID]*Torrent
	version uint64 // grows when a position changes
}

// start sorts torrents by what their records say.
func (o *order) start(list []*Torrent) {
	places := make(map[ID]int64, len(list))
	o.mu.Lock()
	o.torrent = make(map[ID]*Torrent, len(list))
	for _, t := range list {
		o.torrent[t.id] = t
		places[t.id] = t.rec.Queue
	}
	changed := o.keep(o.ids.Load(places)) // which makes the version 1 at least
	o.mu.Unlock()
	changed.write()
}

// placings are torrents whose records have to show other places.
type placings []struct {
	t     *Torrent
	place int64
}

// keep returns the places of torrents that have others now. o.mu is held.
func (o *order) keep(changed []ID) placings {
	var list placings
	for _, id := range changed {
		list = append(list, struct {
			t     *Torrent
			place int64
		}{o.torrent[id], o.ids.Place(id)})
	}
	o.version++
	return list
}

// write puts places into the records that have others.
func (p placings) write() {
	for _, x := range p {
		x.t.mu.Lock()
		if x.t.rec.Queue != x.place && !x.t.drive.removed {
			x.t.rec.Queue = x.place
			x.t.edited(settingsLate)
		}
		x.t.mu.Unlock()
	}
}

// add puts a torrent at the end.
func (o *order) add(t *Torrent) {
	o.change(func() []ID {
		o.torrent[t.id] = t
		o.ids.Append(t.id)
		return []ID{t.id}
	})
}

// next returns the place of a torrent that comes after all others.
func (o *order) next() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ids.Next()
}

// remove takes a torrent out.
func (o *order) remove(t *Torrent) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ids.Remove(t.id)
	delete(o.torrent, t.id)
	o.version++
}

// position returns the position of a torrent, from 0; 0 if it is not in the queue.
func (o *order) position(t *Torrent) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return max(o.ids.Position(t.id), 0)
}

// move gives a torrent another position, and reports whether it has one now.
func (o *order) move(t *Torrent, to int) bool {
	return o.change(func() []ID { return o.ids.Move(t.id, to) })
}

// shift moves some torrents.
func (o *order) shift(list []*Torrent, where queue.Shift) bool {
	ids := make([]ID, len(list))
	for i, t := range list {
		ids[i] = t.id
	}
	return o.change(func() []ID { return o.ids.Shift(ids, where) })
}

// change carries out a change that returns the torrents with new places, and reports whether
// there are any.
func (o *order) change(by func() []ID) bool {
	o.mu.Lock()
	ids := by()
	if len(ids) == 0 {
		o.mu.Unlock()
		return false
	}
	changed := o.keep(ids)
	o.mu.Unlock()
	changed.write()
	return true
}

// all returns the torrents in their order, and the version of it. ok is false if that is the
// version given.
func (o *order) all(version uint64) (list []charge, now uint64, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if version == o.version {
		return nil, version, false
	}
	list = make([]charge, 0, o.ids.Len())
	for _, id := range o.ids.All() {
		list = append(list, o.torrent[id])
	}
	return list, o.version, true
}
