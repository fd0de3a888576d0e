package webseed

import (
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
	"swarmnode/swarm/wire"
)

const (
	// announceMax is how many pieces are taken back or offered one by one. More pieces are
	// announced by one bitfield.
	announceMax = 64
	// fileLater is the first pause after which a failed file is requested again, and
	// fileLaterMax the bound up to which the pause doubles.
	fileLater    = 5 * time.Second
	fileLaterMax = 10 * time.Minute
	// fileAbsent and fileAbsentMax are the same for a failure that waiting will hardly
	// end, as when there is no such file.
	fileAbsent    = time.Minute
	fileAbsentMax = 30 * time.Minute
)

// Faults records what failed on one server. It outlives a Conn, so that the next one need
// not find it out again. It is for one Conn at a time, whose mutex guards it. The zero
// Faults is empty.
type Faults struct {
	files map[int]*fault // by index of the file
	wrong *bits.Set      // pieces whose data was wrong; nil when there are none
}

// A fault is a file that could not be fetched.
type fault struct {
	err    error
	times  int       // in a row
	active bool      // its pieces are not offered
	until  time.Time // when they are offered again, while active
}

// lacks reports whether the server cannot give a piece now.
func (f *Faults) lacks(l *metainfo.Layout, piece int) bool {
	if f.wrong != nil && f.wrong.Has(piece) {
		return true
	}
	if len(f.files) == 0 {
		return false
	}
	for span := range l.Spans(l.PieceOffset(piece), l.PieceSize(piece)) {
		if ft := f.files[span.File]; ft != nil && ft.active {
			return true
		}
	}
	return false
}

// has returns the pieces that the server can give now.
func (f *Faults) has(l *metainfo.Layout) *bits.Set {
	set := bits.Full(l.Pieces())
	if f.wrong != nil {
		for piece := range f.wrong.Members() {
			set.Remove(piece)
		}
	}
	for file, ft := range f.files {
		first, end := l.FilePieces(file)
		for piece := first; ft.active && piece < end; piece++ {
			set.Remove(piece)
		}
	}
	return set
}

// add records that a file failed, and how long it is left alone. It reports false if the
// file is being left alone already.
func (f *Faults) add(file int, err error, later, most time.Duration) bool {
	if f.files == nil {
		f.files = make(map[int]*fault)
	}
	ft := f.files[file]
	if ft == nil {
		ft = new(fault)
		f.files[file] = ft
	}
	if ft.active {
		return false
	}
	pause := min(later<<min(ft.times, 16), most)
	if asked := retryOf(err); asked > 0 {
		pause = min(asked, most)
	}
	ft.err, ft.active, ft.until = err, true, time.Now().Add(pause)
	ft.times++
	return true
}

// distrust records that the data of n pieces from first on is wrong.
func (f *Faults) distrust(l *metainfo.Layout, first, n int) {
	if f.wrong == nil {
		f.wrong = bits.New(l.Pieces())
	}
	for piece := max(first, 0); piece < min(first+n, l.Pieces()); piece++ {
		f.wrong.Add(piece)
	}
}

// next returns when a file may be offered again, or the zero Time.
func (f *Faults) next() (at time.Time) {
	for _, ft := range f.files {
		if ft.active && (at.IsZero() || ft.until.Before(at)) {
			at = ft.until
		}
	}
	return at
}

// due offers the files whose pause is over, and returns them.
func (f *Faults) due(now time.Time) (files []int) {
	for file, ft := range f.files {
		if ft.active && !now.Before(ft.until) {
			ft.active = false
			files = append(files, file)
		}
	}
	return files
}

// change returns the messages which say that the pieces from first up to end are no longer
// offered (BEP 54), or which of them are offered again.
func (f *Faults) change(l *metainfo.Layout, first, end int) (messages []wire.Message) {
	if end-first > announceMax {
		return []wire.Message{{ID: wire.Bitfield, Payload: f.has(l).AppendWire(nil)}}
	}
	for piece := first; piece < end; piece++ {
		m := wire.Message{ID: wire.Have}
		m.Ref.Piece = uint32(piece)
		if f.lacks(l, piece) {
			m = wire.Message{ID: wire.Extended, Ext: uint8(wire.ExtDontHave),
				Payload: wire.AppendDontHave(nil, uint32(piece))}
		}
		messages = append(messages, m)
	}
	return messages
}

// offer returns the message which says what the server has at the start.
func (f *Faults) offer(l *metainfo.Layout) wire.Message {
	if set := f.has(l); !set.All() {
		return wire.Message{ID: wire.Bitfield, Payload: set.AppendWire(nil)}
	}
	return wire.Message{ID: wire.HaveAll}
}
