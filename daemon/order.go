package daemon

import (
	"cmp"
	"slices"
	"sync"
)

// An order is the queue of all torrents: who comes before whom. It is safe for concurrent use.
type order struct {
	mu   sync.Mutex
	list []*Torrent
	last int // the largest record.Queue
}

// start sorts torrents by what their records say.
func (o *order) start(list []*Torrent) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.list = slices.Clone(list)
	slices.SortStableFunc(o.list, func(a, b *Torrent) int {
		return cmp.Compare(a.rec.Queue, b.rec.Queue)
	})
	o.number(0, len(o.list))
}

// number gives the torrents from first up to end their positions. o.mu is held.
func (o *order) number(first, end int) {
	for i := first; i < end; i++ {
		t := o.list[i]
		t.mu.Lock()
		t.drive.queue = i
		if t.rec.Queue != i {
			t.rec.Queue = i
			t.edited(settingsLate)
		}
		t.mu.Unlock()
	}
}

// add puts a torrent at the end.
func (o *order) add(t *Torrent) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.list = append(o.list, t)
	o.number(len(o.list)-1, len(o.list))
}

// remove takes a torrent out.
func (o *order) remove(t *Torrent) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if at := slices.Index(o.list, t); at >= 0 {
		o.list = slices.Delete(o.list, at, at+1)
		o.number(at, len(o.list))
	}
}

// move puts a torrent at a position, and returns those whose positions have changed.
func (o *order) move(t *Torrent, to int) []*Torrent {
	o.mu.Lock()
	defer o.mu.Unlock()
	at := slices.Index(o.list, t)
	if at < 0 {
		return nil
	}
	to = min(max(to, 0), len(o.list)-1)
	o.list = slices.Insert(slices.Delete(o.list, at, at+1), to, t)
	first, end := min(at, to), max(at, to)+1
	if first+1 == end {
		return nil
	}
	o.number(first, end)
	return slices.Clone(o.list[first:end])
}

// all returns the torrents in their order.
func (o *order) all() []*Torrent {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.list)
}
