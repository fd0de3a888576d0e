package core

import (
	"errors"

	"swarmnode/swarm/bits"
	"swarmnode/swarm/picker"
	"swarmnode/swarm/wire"
)

// earlyMax bounds the HAVEs of one peer that are kept while the number of
// pieces is not known: what a quick peer gets while we fetch the metadata.
const earlyMax = 16 << 10

// holdings is what a peer says that it has. While the metadata is not known it is
// kept as it came; enter makes a set of it, which the picker counts until leave.
//
//	counted implies set != nil
//	asSeed implies that set is full
//	counted implies useful == the number of pieces that are in set and needed
type holdings struct {
	set         *bits.Set // nil until the metadata is known
	useful      int       // pieces of set that we need
	interesting bool      // the peer was told that we are interested in it
	counted     bool      // the picker was told of set
	asSeed      bool      // and as of a seed

	// What came before the metadata.
	all   bool
	raw   []byte
	early []uint32
}

// interesting reports whether we are interested in the peer.
func (p *peer) interesting() bool { return p.has.interested() }

// interested reports whether the peer was told that we are interested in it.
func (h *holdings) interested() bool { return h.interesting }

// known reports whether it is known which pieces the peer has.
func (h *holdings) known() bool { return h.counted }

// pieces returns the pieces that the peer has, nil while the metadata is not known.
func (h *holdings) pieces() *bits.Set { return h.set }

// count returns how many pieces the peer has, as far as that is known.
func (h *holdings) count() int {
	if h.set == nil {
		return 0
	}
	return h.set.Count()
}

// piece reports whether the peer is known to have a piece.
func (h *holdings) piece(piece uint32) bool { return h.counted && h.set.Has(int(piece)) }

// lacks reports whether the peer is known not to have a piece.
func (h *holdings) lacks(piece uint32) bool { return h.counted && !h.set.Has(int(piece)) }

// isSeed reports whether the peer has every piece.
func (h *holdings) isSeed() bool {
	return h.set != nil && h.set.All() || h.set == nil && h.all
}

// said reports whether the peer has said anything of its pieces.
func (h *holdings) said() bool { return h.counted || h.all || h.raw != nil }

// replace forgets what was known in favour of a bitfield, HaveAll or HaveNone. The
// interest that the peer was told of remains until the new pieces are counted.
func (h *holdings) replace(m *wire.Message) {
	*h = holdings{all: m.ID == wire.HaveAll, interesting: h.interesting}
	if m.ID == wire.Bitfield {
		h.raw = m.Payload
	}
}

// addEarly keeps a HAVE until the number of pieces is known. It reports whether
// there was room for it.
func (h *holdings) addEarly(piece uint32) bool {
	if len(h.early) == earlyMax || piece >= wire.PiecesMax {
		return false
	}
	h.early = append(h.early, piece)
	return true
}

// enter makes the set of what came before, and has the picker count it. It reports
// whether what came fits the number of pieces.
func (h *holdings) enter(pick *picker.Picker) bool {
	n := pick.Pieces()
	switch {
	case h.all:
		h.set = bits.Full(n)
	case h.raw != nil:
		set, err := bits.FromWire(h.raw, n)
		if err != nil && !errors.Is(err, bits.ErrSpare) {
			return false
		}
		h.set = set
	default:
		h.set = bits.New(n)
	}
	for _, piece := range h.early {
		if int64(piece) >= int64(n) {
			return false
		}
		h.set.Add(int(piece))
	}
	h.raw, h.early = nil, nil
	h.asSeed = h.set.All()
	pick.AddPeer(h.set, h.asSeed)
	h.counted = true
	h.recount(pick.Needed())
	return true
}

// leave has the picker count the pieces no longer.
func (h *holdings) leave(pick *picker.Picker) {
	if h.counted {
		pick.RemovePeer(h.set, h.asSeed)
		h.counted = false
	}
}

// more returns the set of a bitfield that adds pieces to those of the peer and leaves
// none out, or nil.
func (h *holdings) more(raw []byte, pieces int) *bits.Set {
	if !h.counted {
		return nil
	}
	set, err := bits.FromWire(raw, pieces)
	if err != nil && !errors.Is(err, bits.ErrSpare) {
		return nil
	}
	if set.Count() <= h.set.Count() || h.set.AnyNotIn(set) {
		return nil
	}
	return set
}

// add records that the peer has got a piece, and reports whether that is news.
func (h *holdings) add(piece uint32, pick *picker.Picker) bool {
	if !h.set.Add(int(piece)) {
		return false
	}
	pick.PeerHas(piece)
	if pick.Needed().Has(int(piece)) {
		h.useful++
	}
	return true
}

// lose records that the peer has a piece no longer.
func (h *holdings) lose(piece uint32, pick *picker.Picker) {
	if h.asSeed { // from now on its pieces count one by one
		pick.RemovePeer(h.set, true)
		pick.AddPeer(h.set, false)
		h.asSeed = false
	}
	h.set.Remove(int(piece))
	pick.PeerLost(piece)
	if pick.Needed().Has(int(piece)) {
		h.useful--
	}
}

// need records that we need a piece that we did not need, or no longer need one.
func (h *holdings) need(piece uint32, needed bool) {
	switch {
	case !h.piece(piece):
	case needed:
		h.useful++
	default:
		h.useful--
	}
}

// recount finds out how many of the peer's pieces we need.
func (h *holdings) recount(needed *bits.Set) {
	few, other := h.set, needed
	if needed.Count() < few.Count() {
		few, other = needed, h.set
	}
	h.useful = 0
	if h.set.All() {
		h.useful = needed.Count()
		return
	}
	for piece := range few.Members() {
		if other.Has(piece) {
			h.useful++
		}
	}
}

// turn makes our interest follow what we need of the peer, and reports whether it
// has changed.
func (h *holdings) turn() bool {
	before := h.interesting
	h.interesting = h.useful > 0
	return h.interesting != before
}

// check panics when an invariant does not hold.
func (h *holdings) check(needed *bits.Set) {
	if !h.counted {
		return
	}
	useful := 0
	for piece := range h.set.Members() {
		if needed.Has(piece) {
			useful++
		}
	}
	if useful != h.useful || h.interesting != (useful > 0) {
		panic("core: interest in a peer is wrong")
	}
}
