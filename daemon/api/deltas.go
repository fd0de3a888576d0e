package api

import (
	"bytes"
	"hash/maphash"
	"sync/atomic"

	"swarmnode/daemon"
	"swarmnode/swarm/limit"
)

const (
	// slabRows is the number of rows for which memory is taken at one time.
	slabRows = 256
	// toldMax bounds the memory in which all feeds together remember what they told, in bytes.
	toldMax = 64 << 20
	// markBytes is what is remembered of a field.
	markBytes = 8
)

// A told is the memory of all feeds, in bytes. It is safe for concurrent use.
type told struct {
	taken  atomic.Int64
	memory *limit.Memory
}

// take takes n bytes, and reports whether there was room.
func (t *told) take(n int64) bool {
	if t.taken.Add(n) > toldMax || !t.memory.Room(n) {
		t.taken.Add(-n)
		return false
	}
	return true
}

// deltas writes of each torrent what is not known to the reader of a feed. It remembers a mark
// of each field that it told: 8 bytes, by which an unseen change is as likely as a fault of the
// memory. Without room it remembers nothing of a torrent, and tells all of it each time. The
// feed owns it.
type deltas struct {
	plan plan
	told *told
	seed maphash.Seed
	// clean says that the reader knew nothing when the feed began to tell, so that fields that
	// are zero may be left out of a torrent that is new.
	clean bool

	rows  map[daemon.ID]int32 // place in slabs
	slabs [][]uint64          // of slabRows rows
	free  []int32             // places
}

// newDeltas returns the deltas of a feed. Its memory is given back by forget.
func newDeltas(p plan, t *told) *deltas {
	return &deltas{plan: p, told: t, seed: maphash.MakeSeed(), rows: make(map[daemon.ID]int32)}
}

// forget gives all memory back, as after a reset, by which the reader knows nothing more.
func (d *deltas) forget() {
	d.told.taken.Add(-int64(len(d.slabs)) * d.slabBytes())
	clear(d.rows)
	d.slabs, d.free = nil, nil
}

// reset says that the reader knows nothing.
func (d *deltas) reset() {
	d.forget()
	d.clean = true
}

// remove forgets a torrent.
func (d *deltas) remove(id daemon.ID) {
	if place, ok := d.rows[id]; ok {
		delete(d.rows, id)
		d.free = append(d.free, place)
	}
}

// slabBytes is the memory of a slab, with that of its rows in the map and the list.
func (d *deltas) slabBytes() int64 { return slabRows * (int64(len(d.plan))*markBytes + 32) }

// row returns the marks of a torrent, and whether it is new; nil if there is no room for it.
func (d *deltas) row(id daemon.ID) (marks []uint64, fresh bool) {
	place, ok := d.rows[id]
	if !ok {
		if len(d.free) == 0 && !d.grow() {
			return nil, true
		}
		place = d.free[len(d.free)-1]
		d.free = d.free[:len(d.free)-1]
		d.rows[id] = place
	}
	at := int(place) % slabRows * len(d.plan)
	return d.slabs[place/slabRows][at : at+len(d.plan)], !ok
}

// grow makes room for more rows, and reports whether it could.
func (d *deltas) grow() bool {
	if !d.told.take(d.slabBytes()) {
		return false
	}
	first := int32(len(d.slabs) * slabRows)
	d.slabs = append(d.slabs, make([]uint64, slabRows*len(d.plan)))
	for i := range int32(slabRows) {
		d.free = append(d.free, first+slabRows-1-i)
	}
	return true
}

// append appends what the reader does not know of a torrent, as a JSON object with its id, and
// a comma. It appends nothing if the reader knows all of it.
func (d *deltas) append(b []byte, v *view) []byte {
	start, news := len(b), false
	marks, fresh := d.row(v.torrent.ID())
	b = append(b, '{')
	for i, f := range d.plan {
		begin := len(b)
		b = append(b, '"')
		b = append(b, f.name...)
		b = append(b, '"', ':')
		value := len(b)
		b = f.appendAlways(b, v)
		switch {
		case i == 0: // id
		case marks == nil:
			news = true
		default:
			mark := maphash.Bytes(d.seed, b[value:])
			known := !fresh && marks[i] == mark ||
				fresh && d.clean && bytes.Equal(b[value:], []byte(f.zero))
			marks[i] = mark
			if known {
				b = b[:begin]
				continue
			}
			news = true
		}
		b = append(b, ',')
	}
	if !news && !fresh {
		return b[:start]
	}
	b[len(b)-1] = '}'
	return append(b, ',')
}

// appendAlways appends the value of a field, which is zero if the field is not there.
func (f *field) appendAlways(b []byte, v *view) []byte {
	if f.show != nil && !f.show(v) {
		return append(b, f.zero...)
	}
	return f.append(b, v)
}
