package core

import (
	"time"

	"swarmnode/swarm/wire"
)

// onMessage takes in one message of a live peer.
func (t *Torrent) onMessage(p *peer, m *wire.Message) {
	p.flood.came(m.Size * ifThen(m.Costly, costlyFactor, 1))
	t.dispatch(p, m)
	if !p.gone && p.flood.vain > vainMax {
		t.drop(p, ReasonJunk)
	}
}

func (t *Torrent) dispatch(p *peer, m *wire.Message) {
	switch m.ID {
	case wire.Choke:
		t.onChoke(p)
	case wire.Unchoke:
		t.onUnchoke(p)
	case wire.Interested:
		t.onInterested(p)
	case wire.NotInterested:
		t.onNotInterested(p)
	case wire.Have:
		t.onHave(p, m.Ref.Piece)
	case wire.Bitfield:
		t.onPieces(p, m)
	case wire.Request:
		t.onRequest(p, m.Ref)
	case wire.Cancel:
		t.onCancel(p, m.Ref)
	case wire.Extended:
		t.onExtended(p, m.Ext, m.Payload)
	case wire.HaveAll, wire.HaveNone, wire.Suggest, wire.Reject, wire.AllowedFast:
		t.onFastMessage(p, m)
	case wire.HashRequest, wire.Hashes, wire.HashReject:
		t.onHashMessage(p, m.ID, m.Payload)
	case wire.Piece: // of a length that nobody asked for; it was not kept
		t.waste[ReasonUnsolicited] += int64(m.Ref.Length)
		t.strike(p, strikeUnsolicited)
	default: // keep-alive, the DHT port, what we do not know
		p.flood.pointless++
	}
}

// onFastMessage takes in a message of BEP 6, which is a fault when it was not
// agreed upon ("a peer ... MUST close the connection").
func (t *Torrent) onFastMessage(p *peer, m *wire.Message) {
	if !p.fast {
		t.drop(p, ReasonProtocol)
		return
	}
	switch m.ID {
	case wire.HaveAll, wire.HaveNone:
		t.onPieces(p, m)
	case wire.Suggest:
		t.onSuggest(p, m.Ref.Piece)
	case wire.Reject:
		t.onReject(p, m.Ref)
	case wire.AllowedFast:
		t.onAllowedFast(p, m.Ref.Piece)
	}
}

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
	// costlyFactor is how often bytes count that take a download limit from others:
	// of those who send them little is read, and they should not stay for that.
	costlyFactor = 8
)

// A flood counts what changes nothing: keep-alives, states repeated, HAVEs of
// pieces known to be had, blocks that nobody asked for, what is not understood.
type flood struct {
	pointless int // messages, since the last look
	seconds   int // in a row with too many
	looked    time.Duration

	vain int64 // useless bytes, since something useful came
	size int64 // those of the message that is being taken in
}

// came counts a message of that many bytes. It is useless unless sound or useful is
// called.
func (f *flood) came(size int) {
	f.size = int64(size)
	f.vain += f.size
}

// sound notes that the message says something new.
func (f *flood) sound() {
	f.vain -= f.size
	f.size = 0
}

// useful notes that the peer has given something that we asked for, or taken a block
// that it asked for.
func (f *flood) useful() { f.vain, f.size = 0, 0 }

// over is asked once a second whether there were too many for too long.
func (f *flood) over(now time.Duration) bool {
	passed := max(now-f.looked, sweepEvery)
	if float64(f.pointless) > floodRate*passed.Seconds() {
		f.seconds++
	} else {
		f.seconds = 0
	}
	f.pointless, f.looked = 0, now
	f.vain = max(0, f.vain-int64(vainForgiven*passed.Seconds()))
	return f.seconds >= floodFor
}
