package core

import "time"

const (
	// floodRate is how many messages to no purpose a peer may send a second,
	// and floodFor for how many seconds it may send more.
	floodRate = 10_000
	floodFor  = 5
)

const (
	// vainMax is how many useless bytes may come from a peer with nothing useful
	// in between, and vainForgiven how many of them are forgiven a second: those
	// of an honest peer that stays for days.
	vainMax      = 1 << 20
	vainForgiven = 64
	// costlyFactor is how many bytes a useless byte counts for while a download limit
	// holds others up. The limit lets little in, so such a peer would stay for long.
	costlyFactor = 8
)

// A flood counts what changes nothing: keep-alives, states repeated, HAVEs of
// pieces that the peer is known to have, blocks that nobody asked for, messages that cannot be
// understood. The reader of a connection bounds what one message may hold; what
// a peer may send in all is decided here.
type flood struct {
	idle    int // pointless messages, since the last look
	seconds int // in a row with too many
	looked  time.Duration

	vain int64 // useless bytes, since something useful came
	size int64 // those of the message that is being taken in
}

// came counts a message of that many bytes. The message is useless unless sound or
// useful is called.
func (f *flood) came(size int) {
	f.size = int64(size)
	f.vain += f.size
}

// cameCostly counts a message that took a download limit from others.
func (f *flood) cameCostly(size int) { f.came(size * costlyFactor) }

// pointless notes that the message changes nothing.
func (f *flood) pointless() { f.idle++ }

// sound notes that the message says something new.
func (f *flood) sound() {
	f.vain -= f.size
	f.size = 0
}

// soundUpTo is sound for a message of at most size bytes, and nothing for a larger one.
func (f *flood) soundUpTo(size int64) {
	if f.size <= size {
		f.sound()
	}
}

// useful notes that the peer has given something that we asked for, or taken a block
// that it asked for.
func (f *flood) useful() { f.vain, f.size = 0, 0 }

// junk reports whether too many useless bytes came in a row.
func (f *flood) junk() bool { return f.vain > vainMax }

// over is asked once a second whether there were too many pointless messages for too
// long.
func (f *flood) over(now time.Duration) bool {
	passed := max(now-f.looked, sweepEvery)
	if float64(f.idle) > floodRate*passed.Seconds() {
		f.seconds++
	} else {
		f.seconds = 0
	}
	f.idle, f.looked = 0, now
	f.vain = max(0, f.vain-int64(vainForgiven*passed.Seconds()))
	return f.seconds >= floodFor
}

// check panics when an invariant does not hold.
func (f *flood) check() {
	if f.vain < 0 || f.idle < 0 {
		panic("core: a count of useless messages is negative")
	}
}
